//! What a user does with a page: controls are found by the names that the browser computes for them, as a screen
//! reader says them, and not by how the page is made.

use super::driver::{Element, Refused};
use super::{Browser, words};
use crate::support::daemon::until_or_tell;
use serde_json::{Value, json};
use std::cell::RefCell;

/// What can be pressed.
const PRESSED: &str = "a[href], button, summary, input[type=submit], input[type=button], \
                       input[type=reset], input[type=image], [role=button], [role=link]";
/// What can be filled in.
const FILLED: &str = "input:not([type=hidden], [type=submit], [type=button], [type=reset], [type=image]), \
                      select, textarea";

/// The elements that a selector finds and that are shown. Where part of a name is given, only those are answered
/// that have it somewhere, so that few have to be asked for their names.
const SHOWN: &str = "const [selector, part] = arguments;
    const flat = text => (text || '').replace(/\\s+/g, ' ');
    const said = e => [e.innerText, e.textContent, e.value, e.title, e.getAttribute('aria-label'),
        ...[...e.querySelectorAll('[alt], [aria-label]')].map(i => `${i.alt} ${i.getAttribute('aria-label')}`),
        ...(e.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.textContent)];
    return [...document.querySelectorAll(selector)].filter(e =>
        e.checkVisibility({ visibilityProperty: true }) &&
        (part === null || said(e).some(text => flat(text).includes(part)) || e.hasAttribute('aria-labelledby')));";

/// How far out of an element one has to go until a text is shown, in elements; null where it is not on the page.
const STEPS_TO: &str = "let [e, text] = arguments, steps = 0;
    for (; e; e = e.parentElement, steps++) if (e.innerText.replace(/\\s+/g, ' ').includes(text)) return steps;
    return null;";

/// The text that belongs to a field besides its label: its hint, and what is wrong with it.
const DESCRIBED: &str = "const [e] = arguments;
    const ids = ['aria-describedby', 'aria-errormessage'].map(name => e.getAttribute(name) || '').join(' ');
    return ids.split(' ').map(id => document.getElementById(id)?.innerText || '').join(' ');";

impl Browser {
    /// Clicks on the one button or link of this name.
    pub fn click(&self, name: &str) {
        self.press_one(name, || self.named(PRESSED, name));
    }

    /// Clicks on the button or link of this name that is nearest to a text, as in the same row.
    pub fn click_beside(&self, text: &str, name: &str) {
        self.press_one(name, || self.nearest(text, self.named(PRESSED, name)));
    }

    /// Types into the field of this label, in place of what is there.
    pub fn fill(&self, label: &str, value: &str) {
        self.with_field(label, |field| {
            self.session.act(&field.path("clear"), &json!({}))?;
            if value.is_empty() {
                return Ok(());
            }
            self.session.act(&field.path("value"), &json!({ "text": value }))
        });
    }

    /// Chooses an option of the list of this label.
    pub fn choose(&self, label: &str, option: &str) {
        let of = "return [...arguments[0].options].find(o => o.label.trim() === arguments[1]);";
        self.with_field(label, |list| {
            let found = self.session.script(of, &[list.to_json(), json!(option)])?;
            let found = Element::of(&found).ok_or_else(|| missing(&format!("option {option}")))?;
            self.session.act(&found.path("click"), &json!({}))
        });
    }

    /// Clicks on the box or radio button of this label.
    pub fn tick(&self, label: &str) {
        self.with_field(label, |field| self.session.act(&field.path("click"), &json!({})));
    }

    /// What stands in the field of this label.
    pub fn value(&self, label: &str) -> String {
        let found = self.with_field(label, |field| {
            self.session.script("return arguments[0].value;", &[field.to_json()])
        });
        found.as_str().expect("a value").to_owned()
    }

    /// Whether the box or radio button of this label is ticked.
    pub fn is_ticked(&self, label: &str) -> bool {
        let found = self.with_field(label, |field| {
            self.session.script("return arguments[0].checked;", &[field.to_json()])
        });
        found == true
    }

    /// What belongs to the field of this label besides: its hint, and what is wrong with it.
    pub fn beside(&self, label: &str) -> String {
        let found =
            self.with_field(label, |field| self.session.script(DESCRIBED, &[field.to_json()]));
        words(found.as_str().expect("a text"))
    }

    /// Presses a key, such as `Tab`, `Enter` or `x`, or several at once, such as `Shift+Tab`. What it causes may
    /// come a little later.
    pub fn press(&self, keys: &str) {
        let keys: Vec<&str> = keys.split('+').map(code).collect();
        let down = keys.iter().map(|key| json!({ "type": "keyDown", "value": key }));
        let up = keys.iter().rev().map(|key| json!({ "type": "keyUp", "value": key }));
        let actions: Vec<Value> = down.chain(up).collect();
        let body = json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] });
        self.session.act("/actions", &body).expect("pressed");
    }

    /// The name of what has the focus; empty where nothing has it.
    pub fn focused(&self) -> String {
        let found = self.session.ask("GET", "/element/active", &Value::Null).expect("an answer");
        let name = Element::of(&found).and_then(|element| self.name_of(&element).ok());
        name.unwrap_or_default()
    }

    /// What is to be read in what has the focus; all of the page where nothing has it.
    pub fn reads_at_focus(&self) -> String {
        let script = "return document.activeElement.innerText;";
        let found = self.session.script(script, &[]).expect("an answer");
        words(found.as_str().unwrap_or_default())
    }

    /// Whether the page has the browser ask before it is left. The browser itself asks nobody while it is driven.
    pub fn asks_before_it_is_left(&self) -> bool {
        let script = "const leaving = new Event('beforeunload', { cancelable: true }); \
                      dispatchEvent(leaving); return leaving.defaultPrevented;";
        self.session.script(script, &[]).expect("an answer") == true
    }

    /// Looks for one thing until there is exactly one, and clicks on it.
    fn press_one(&self, name: &str, look: impl Fn() -> Result<Vec<Element>, Refused>) {
        let what = format!("a button or link {name:?}");
        self.with_one(&what, PRESSED, look, |found| {
            self.session.act(&found.path("click"), &json!({}))
        });
    }

    fn with_field<T>(&self, label: &str, act: impl Fn(&Element) -> Result<T, Refused>) -> T {
        let what = format!("a field {label:?}");
        self.with_one(&what, FILLED, || self.named(FILLED, label), act)
    }

    /// Does something with the one element that is found. A page may change below one's fingers, so that whatever
    /// goes wrong is tried again until the deadline.
    fn with_one<T>(
        &self,
        what: &str,
        kind: &str,
        look: impl Fn() -> Result<Vec<Element>, Refused>,
        act: impl Fn(&Element) -> Result<T, Refused>,
    ) -> T {
        let last = RefCell::new(String::new());
        let attempt = || {
            let outcome = look().and_then(|found| match &*found {
                [one] => act(one),
                found => Err(missing(&format!("just one: {} are so named", found.len()))),
            });
            outcome.map_err(|refused| last.replace(format!("({refused:?})"))).ok()
        };
        let tell = || format!("{} among {:?} on {}", last.borrow(), self.names(kind), self.path());
        until_or_tell(what, attempt, tell)
    }

    /// The elements of a kind that are shown under a name.
    fn named(&self, kind: &str, name: &str) -> Result<Vec<Element>, Refused> {
        let mut found = Vec::new();
        // A field has its label elsewhere.
        let part = if kind == PRESSED { json!(name) } else { Value::Null };
        for element in self.shown(kind, &part)? {
            if self.name_of(&element)? == name {
                found.push(element);
            }
        }
        Ok(found)
    }

    /// Those of some elements that are nearest to a text.
    fn nearest(
        &self,
        text: &str,
        among: Result<Vec<Element>, Refused>,
    ) -> Result<Vec<Element>, Refused> {
        let mut steps = Vec::new();
        for element in among? {
            let found = self.session.script(STEPS_TO, &[element.to_json(), json!(text)])?;
            steps.extend(found.as_u64().map(|steps| (steps, element)));
        }
        let least = steps.iter().map(|(steps, _)| *steps).min();
        Ok(steps.into_iter().filter(|(steps, _)| Some(*steps) == least).map(|of| of.1).collect())
    }

    fn shown(&self, kind: &str, part: &Value) -> Result<Vec<Element>, Refused> {
        let found = self.session.script(SHOWN, &[json!(kind), part.clone()])?;
        Ok(found.as_array().into_iter().flatten().filter_map(Element::of).collect())
    }

    /// The names of all elements of a kind that are shown, for whoever finds none.
    fn names(&self, kind: &str) -> Vec<String> {
        let shown = self.shown(kind, &Value::Null).unwrap_or_default();
        shown.iter().filter_map(|element| self.name_of(element).ok()).collect()
    }

    fn name_of(&self, element: &Element) -> Result<String, Refused> {
        let found = self.session.ask("GET", &element.path("computedlabel"), &Value::Null)?;
        Ok(words(found.as_str().unwrap_or_default()))
    }
}

fn missing(what: &str) -> Refused {
    Refused { error: "missing".to_owned(), message: what.to_owned() }
}

/// The key of a name, as the standard has it.
fn code(name: &str) -> &str {
    match name {
        "Tab" => "\u{E004}",
        "Enter" => "\u{E007}",
        "Shift" => "\u{E008}",
        "Control" => "\u{E009}",
        "Escape" => "\u{E00C}",
        "Space" => " ",
        "PageUp" => "\u{E00E}",
        "PageDown" => "\u{E00F}",
        "End" => "\u{E010}",
        "Home" => "\u{E011}",
        "ArrowLeft" => "\u{E012}",
        "ArrowUp" => "\u{E013}",
        "ArrowRight" => "\u{E014}",
        "ArrowDown" => "\u{E015}",
        "Backspace" => "\u{E003}",
        "Delete" => "\u{E017}",
        character => {
            assert_eq!(character.chars().count(), 1, "there is no key {character:?}");
            character
        }
    }
}
