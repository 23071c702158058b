//! What holds for every page and every form, whatever it is about. The pages are found as a reader finds them: by going
//! wherever a link leads; and the forms by what stands on those pages.

use super::story::{HOSTILE, Story};
use super::support::{Console, Page};
use crate::support::{Database, TestApp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// More pages than the story has; a list that led on and on would be found by it.
const PAGES_MAX: usize = 400;

/// What all attributes of a name hold, as a browser reads them.
fn values(html: &str, attribute: &str) -> Vec<String> {
    let begins = format!(" {attribute}=\"");
    let parts = html.split(&begins).skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    parts.map(|value| value.replace("&#38;", "&").replace("&amp;", "&")).collect()
}

/// Every page that some links lead to, by its path without what stands behind `#`.
fn crawled(console: &Console, from: &str) -> BTreeMap<String, Page> {
    let mut ahead = vec![from.to_owned()];
    let mut seen: BTreeMap<String, Page> = BTreeMap::new();
    while let Some(path) = ahead.pop() {
        if seen.contains_key(&path) || path.starts_with("/static/") {
            continue;
        }
        let page = console.get(&path);
        assert!(seen.len() < PAGES_MAX, "{:#?}", seen.keys());
        let own = values(&page.html, "href").into_iter().chain([page.location.clone()]);
        let own = own.map(|link| link.split('#').next().unwrap_or_default().to_owned());
        ahead.extend(own.filter(|link| link.starts_with('/')));
        seen.insert(path, page);
    }
    seen
}

/// Where the forms of some pages are sent to.
fn actions(pages: &BTreeMap<String, Page>) -> BTreeSet<String> {
    let posted = pages.values().flat_map(|page| page.html.split("<form").skip(1));
    let forms = posted.map(|form| form.split('>').next().unwrap_or_default());
    let forms = forms.filter(|form| form.contains("method=\"post\""));
    forms.flat_map(|form| values(form, "action")).collect()
}

#[test]
fn every_link_leads_somewhere_and_nothing_inline_could_run() {
    let app = TestApp::start(Database::sqlite());
    let story = Story::tell(&app);
    let console = Console::sign_in(&app);
    let pages = crawled(&console, "/");
    for (path, page) in &pages {
        assert!([200, 303].contains(&page.status), "{path}: {page:?}");
        assert!(!page.html.contains("<script>"), "{path}");
        assert!(!page.html.contains("<style"), "{path}");
        let tags = page.html.split('<').filter_map(|tag| tag.split('>').next());
        for tag in tags.filter(|tag| !tag.starts_with('/')) {
            let names = tag.split(['"', ' ', '\n']).filter_map(|part| part.strip_suffix('='));
            for name in names {
                assert!(name != "style" && !name.starts_with("on"), "{path}: <{tag}>");
            }
        }
        for link in values(&page.html, "href").into_iter().chain(values(&page.html, "src")) {
            assert!(link.starts_with('/') || link.starts_with(['#', '?']), "{path}: {link}");
        }
        assert!(!page.html.contains(HOSTILE), "{path}");
    }
    for (name, path) in story.pages().into_iter().filter(|(name, _)| name != "not-found") {
        let is_led_to = pages.keys().any(|led| led.split('?').next() == path.split('?').next());
        // A plan is where its form leads; what a signed webhook holds cannot be looked at.
        assert!(
            is_led_to || matches!(name.as_str(), "member-grant" | "plan" | "destination-drift"),
            "nothing leads to {name}: {path}"
        );
    }
}

#[test]
fn no_page_and_no_form_is_for_whoever_is_not_signed_in_and_no_form_is_taken_without_its_token() {
    let app = TestApp::start(Database::sqlite());
    Story::tell(&app);
    let console = Console::sign_in(&app);
    let pages = crawled(&console, "/");
    let forms = actions(&pages);
    assert!(pages.len() > 30 && forms.len() > 30, "{:#?} {forms:#?}", pages.keys());
    let anybody = Console::open(&app);
    for path in pages.keys().filter(|path| !path.starts_with("/sign-in")) {
        let sent = anybody.get(path);
        assert!(sent.status == 303 && sent.location.starts_with("/sign-in"), "{path}: {sent:?}");
    }
    for action in &forms {
        let sent = anybody.send("POST", action, &[], Some(&[("csrf", "x")]));
        assert!(sent.status == 303 && sent.location == "/sign-in", "{action}: {sent:?}");
        let forged = console.send("POST", action, &[], Some(&[("csrf", "x")]));
        assert_eq!(forged.status, 403, "{action}: {forged:?}");
    }
}

#[test]
fn whoever_opens_the_address_of_a_form_is_shown_the_page_that_it_belongs_to() {
    let app = TestApp::start(Database::sqlite());
    Story::tell(&app);
    let console = Console::sign_in(&app);
    for action in actions(&crawled(&console, "/")) {
        let opened = console.get(&action);
        assert!([200, 303].contains(&opened.status), "{action}: {opened:?}");
        let shown = console.follow(&action);
        assert_eq!(shown.status, 200, "{action}: {shown:?}");
        assert!(shown.html.trim_start().starts_with("<!doctype html>"), "{action}: {shown:?}");
    }
    for (form, page) in [
        ("/sign-out", "/"),
        ("/keys/x/revoke", "/keys"),
        ("/sites/default/delete", "/sites"),
        ("/sites/default/levels/gold", "/sites/default/products"),
        ("/sites/default/held-open/all/release", "/sites/default/held-open"),
        ("/sites/default/activity/replay-all", "/sites/default/activity"),
        ("/sites/default/setup/test-purchase?a=b", "/sites/default/setup"),
        ("/sites/default/members/a%2Fb%40c/blocks/x%3Ay/lift", "/sites/default/members/a%2Fb%40c"),
        ("/sites/default/destinations/x/pushes/y/retry", "/sites/default/destinations/x/pushes"),
    ] {
        let opened = console.get(form);
        assert_eq!((opened.status, &*opened.location), (303, page), "{form}");
    }
    let anybody = Console::open(&app).get("/sites/default/members/x/grants");
    assert!(anybody.location.starts_with("/sign-in?next="), "{anybody:?}");
}

#[test]
fn who_may_only_read_is_shown_no_form_and_what_they_send_changes_nothing() {
    let app = TestApp::start(Database::sqlite());
    Story::tell(&app);
    let forms = actions(&crawled(&Console::sign_in(&app), "/"));
    let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] }));
    let key = made.json["key"].as_str().expect("a key").to_owned();
    let reader = Console::sign_in_with(&app, &key);
    let pages = crawled(&reader, "/");
    // The form of the policy draws its picture, too, and saves nothing then.
    let harmless = ["/sign-out", "/sites/default/settings/policy"].map(str::to_owned);
    assert_eq!(actions(&pages), BTreeSet::from(harmless));
    assert!(!pages.values().any(|page| page.html.contains(&app.hook())), "the webhook URL");
    for action in forms.iter().filter(|action| *action != "/sign-out") {
        let refused = reader.form(action, &[]);
        // Some look at what was typed before they ask.
        assert!(![200, 500].contains(&refused.status), "{action}: {refused:?}");
        if let Some(told) = refused.reply.headers.get("set-cookie") {
            let told = told.to_str().expect("text");
            let (_, told) = told.split_once("latchkey_flash=").expect("what is said next");
            let told = URL_SAFE_NO_PAD.decode(told.split(';').next().expect("a value"));
            let told: Value = serde_json::from_slice(&told.expect("base64")).expect("JSON");
            assert_eq!(told["tone"], "danger", "{action}: {told}");
        }
    }
}
