//! A real Chromium, driven as a user would: by what stands on the page.
//!
//! Nothing here sleeps for a time that somebody guessed: what a page is to show is looked for until a deadline.

mod controls;
mod driver;
mod looks;

use crate::support::daemon::until_or_tell;
use driver::Session;
use serde_json::{Value, json};

/// The height of the window, in CSS pixels; pages scroll.
const HEIGHT: u32 = 900;

/// How a browser shows pages.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Whether scripts of pages run.
    pub javascript: bool,
    /// What the page is told of the user's wish for light or dark.
    pub scheme: Scheme,
    /// The width of the page, in CSS pixels.
    pub width: u32,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark letters on a light ground.
    Light,
    /// Light letters on a dark ground.
    Dark,
}

impl Default for View {
    fn default() -> Self {
        Self { javascript: true, scheme: Scheme::Light, width: 1440 }
    }
}

/// One browser with a fresh profile, on one site. When its test fails, what it shows is kept as a picture.
pub struct Browser {
    session: Session,
    url: String,
}

impl Browser {
    /// Opens one for a site, such as `http://127.0.0.1:8080`; `None`, loudly, where there is no browser and it is no
    /// CI.
    pub fn open(url: &str) -> Option<Self> {
        Self::open_as(url, View::default())
    }

    /// As [`Browser::open`], with a view of its own.
    pub fn open_as(url: &str, view: View) -> Option<Self> {
        driver::axe()?;
        let session = Session::start(view.javascript);
        let browser = Self { session, url: url.trim_end_matches('/').to_owned() };
        browser.wear(view.scheme);
        browser.resize(view.width);
        Some(browser)
    }

    /// Makes the page this wide, in CSS pixels.
    pub fn resize(&self, width: u32) {
        let size =
            json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false });
        self.session.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Has the user wish for light or dark from now on; nothing moves for long, as some users wish, too.
    pub fn wear(&self, scheme: Scheme) {
        let scheme = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.session.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Has the user live in a time zone, such as `Europe/Berlin`.
    pub fn lives_in(&self, zone: &str) {
        self.session.devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": zone }));
    }

    /// Goes to a path of the site, or to a whole address.
    pub fn visit(&self, path: &str) {
        let url =
            if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        self.session.act("/url", &json!({ "url": url })).expect("a page");
    }

    /// Goes back by one page.
    pub fn goes_back(&self) {
        self.session.act("/back", &json!({})).expect("a page");
    }

    /// Loads the page anew.
    pub fn reloads(&self) {
        self.session.act("/refresh", &json!({})).expect("a page");
    }

    /// The site that it is on.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is, with the query: on the site from its `/` on, elsewhere the whole address.
    pub fn path(&self) -> String {
        let found = self.session.ask("GET", "/url", &Value::Null).expect("an address");
        let url = found.as_str().expect("an address");
        url.strip_prefix(&self.url).unwrap_or(url).to_owned()
    }

    /// All that can be read on the page, with single spaces between.
    pub fn text(&self) -> String {
        let script = "return document.body ? document.body.innerText : '';";
        // Where the page goes away meanwhile, nothing is to be read.
        let found = self.session.script(script, &[]).unwrap_or(Value::Null);
        words(found.as_str().unwrap_or_default())
    }

    /// The page shows this text, or will before the deadline.
    pub fn sees(&self, text: &str) {
        let text = &words(text);
        let look = || self.text().contains(text).then_some(());
        until_or_tell(&format!("{text:?}"), look, || self.told());
    }

    /// The page does not show this text, or will no longer before the deadline.
    pub fn does_not_see(&self, text: &str) {
        let text = &words(text);
        let look = || (!self.text().contains(text)).then_some(());
        until_or_tell(&format!("a page without {text:?}"), look, || self.told());
    }

    /// It is at this path, or will be before the deadline.
    pub fn is_at(&self, path: &str) {
        until_or_tell(path, || (self.path() == path).then_some(()), || self.told());
    }

    /// What the dialogs said that a page has opened so far; each was closed as if by Escape.
    pub fn dialogs(&self) -> Vec<String> {
        self.session.dialogs()
    }

    fn told(&self) -> String {
        format!("on {}, which shows: {}", self.path(), self.text())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("test").replace("::", "-");
            self.keep_picture(&format!("failed-{name}"));
        }
    }
}

/// A text with single spaces, however it was broken into lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
