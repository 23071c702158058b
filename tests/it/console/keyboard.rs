//! The keyboard alone suffices: whoever has no mouse goes the whole way, and always sees where they are.

use super::first_hour::kartra_tells_of_a_sale;
use crate::support::browser::Browser;
use crate::support::daemon::Home;
use crate::support::{ADMIN_KEY, Database};

/// More stops than a page has.
const STOPS_MAX: usize = 150;

/// Goes on from control to control until the one of this name, as somebody does who reads what has the focus. Each that
/// is passed shows that it has it.
fn to(browser: &Browser, name: &str) {
    let mut passed = Vec::new();
    for _ in 0..STOPS_MAX {
        browser.press("Tab");
        let focused = browser.focused();
        // Between two pages, and behind the last control of one, nothing has it.
        let is_shown = focused.is_empty() || browser.shows_focus();
        assert!(is_shown, "{focused:?} on {} does not show the focus", browser.path());
        if focused == name {
            return;
        }
        passed.push(focused);
    }
    panic!("no way to {name:?} on {}: {passed:?}", browser.path());
}

/// Goes to a control and presses it.
fn presses(browser: &Browser, name: &str) {
    to(browser, name);
    browser.press("Enter");
}

fn types(browser: &Browser, text: &str) {
    for character in text.chars() {
        browser.press(&character.to_string());
    }
}

#[test]
fn the_keyboard_alone_suffices() {
    let daemon = Home::new(Database::sqlite()).serve();
    let Some(browser) = Browser::open(&daemon.base) else { return };
    kartra_tells_of_a_sale(&daemon, "ada@example.com");

    browser.visit("/sign-in");
    to(&browser, "Key");
    types(&browser, ADMIN_KEY);
    browser.press("Enter");
    browser.is_at("/sites/default");

    presses(&browser, "Products");
    browser.sees("1 purchase waits for a mapping");
    to(&browser, "New level");
    types(&browser, "Gold");
    browser.press("Enter");
    browser.sees("Kitchen Club");
    to(&browser, "Gives : Kitchen Club");
    types(&browser, "G");
    assert_eq!(browser.value("Gives : Kitchen Club"), "gold", "a letter chooses from the list");
    presses(&browser, "Save mappings");
    browser.sees("ada@example.com gains Gold");
    // Parts that have changed by themselves left the focus alone, or it begins at the top again; either way it gets there.
    presses(&browser, "Apply");
    browser.sees("Everybody is in line with it.");

    presses(&browser, "Members");
    browser.is_at("/sites/default/members");
    presses(&browser, "ada@example.com");
    browser.sees("ada@example.com has Gold");
    // What hurts is asked twice, by the keyboard as by a mouse.
    presses(&browser, "Block…");
    presses(&browser, "Block now");
    browser.sees("is blocked since");
    presses(&browser, "Lift");
    presses(&browser, "Lift the block");
    browser.does_not_see("is blocked since");

    presses(&browser, "Sign out");
    browser.is_at("/sign-in");
}
