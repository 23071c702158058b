//! Where one is after something was done, and what is asked before something written is lost.

use super::support::Console;
use crate::on_both_databases;
use crate::support::browser::Browser;
use crate::support::{ADMIN_KEY, Database, TestApp};

/// As a browser asks for a page.
const LOOKS: [(&str, &str); 1] = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
const SETTINGS: &str = "/sites/default/settings";

fn signed_in(app: &TestApp) -> Option<Browser> {
    let browser = Browser::open(&format!("http://{}", app.address()))?;
    browser.visit("/sign-in");
    // Who comes to sign in can type at once.
    assert_eq!(browser.focused(), "Key");
    browser.fill("Key", ADMIN_KEY);
    browser.press("Enter");
    browser.is_at("/sites/default");
    Some(browser)
}

#[test]
fn the_focus_is_on_what_was_done_or_on_the_first_thing_that_is_wrong() {
    let app = TestApp::start(Database::sqlite());
    let Some(browser) = signed_in(&app) else { return };
    browser.visit(SETTINGS);
    browser.fill("Name", "Kitchen");
    browser.click("Save the general settings");
    browser.sees("Saved.");
    assert_eq!(browser.reads_at_focus(), "Saved.");

    browser.fill("Or so many in a hundred of those who hold it", "400");
    browser.click("Save the limit");
    browser.sees("Nothing is saved.");
    assert_eq!(browser.focused(), "Or so many in a hundred of those who hold it");
}

#[test]
fn what_was_written_and_not_saved_is_asked_about_before_it_is_left() {
    let app = TestApp::start(Database::sqlite());
    let Some(browser) = signed_in(&app) else { return };
    browser.visit(SETTINGS);
    assert!(!browser.asks_before_it_is_left(), "nothing is written");
    browser.fill("Name", "Kitchen");
    assert!(browser.asks_before_it_is_left(), "a name is");
    browser.fill("Name", "Default site");
    assert!(!browser.asks_before_it_is_left(), "it is as it was");
    browser.tick("Apply webhooks");
    assert!(browser.asks_before_it_is_left(), "a tick is gone");
    browser.tick("Apply webhooks");
    browser.choose("Time zone of the Kartra account", "Europe/Zurich");
    assert!(browser.asks_before_it_is_left(), "another zone is chosen");
    // Whoever saves is not asked about what they save.
    browser.click("Save the general settings");
    browser.sees("Nothing is saved yet");
    browser.click("Change the time zone");
    browser.sees("Saved.");
    assert!(!browser.asks_before_it_is_left(), "all is saved");

    // Looking for something is no writing.
    browser.visit("/sites/default/members");
    browser.fill("E-mail address, or a part of it", "ada");
    assert!(!browser.asks_before_it_is_left(), "a search");
}

on_both_databases! {
    fn an_address_that_does_not_exist_is_a_page_for_a_browser_and_a_problem_for_a_program(app: &TestApp) {
        let console = Console::sign_in(app);
        for path in ["/sites/default/nonsense", "/nonsense", "/sites/default/members/a/b/c/d"] {
            let page = console.send("GET", path, &LOOKS, None);
            assert_eq!(page.status, 404, "{path}");
            assert!(page.says("There is no such page") && page.says("Go to the first page"), "{}", page.html);
            let told = app.get(path);
            assert_eq!((told.status, &told.json["title"]), (404, &"Not found".into()), "{path}");
        }
        let told = console.send("GET", "/api/v1/nonsense", &LOOKS, None);
        assert!(told.html.starts_with('{'), "{}", told.html);
    }
}
