//! Every page as it is seen: for everybody, in both schemes, at every width. The pictures of it are kept in
//! `target/screenshots/`.

use super::story::{self, Story};
use crate::support::browser::{Browser, Scheme};
use crate::support::{ADMIN_KEY, Database, TestApp};

/// A phone, a tablet, a desk.
const WIDTHS: [u32; 3] = [360, 768, 1440];

#[test]
fn every_page_is_for_everybody_in_both_schemes_and_fits_every_width() {
    let app = TestApp::start(Database::sqlite());
    let story = Story::tell(&app);
    let Some(browser) = Browser::open(&format!("http://{}", app.address())) else { return };
    let mut wrong = Vec::new();
    let mut look = |name: &str, path: &str| {
        browser.visit(path);
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.wear(scheme);
            for width in WIDTHS {
                browser.resize(width);
                let sideways = browser.sideways();
                if sideways > 0 {
                    wrong.push(format!("{name} at {width} px is {sideways} px too wide"));
                }
                browser.screenshot(&format!("{name}-{width}-{scheme:?}").to_lowercase());
            }
            wrong
                .extend(browser.faults().into_iter().map(|it| format!("{name}, {scheme:?}: {it}")));
        }
        browser.wear(Scheme::Light);
        let heard = browser.console_errors().into_iter().map(|it| format!("{name}: {it}"));
        wrong.extend(heard);
    };
    look("sign-in", "/sign-in");
    look("sign-in-link", "/sign-in?link=x");
    browser.visit("/sign-in");
    browser.fill("Key", ADMIN_KEY);
    browser.click("Sign in");
    browser.is_at("/sites/default");
    for (name, path) in story.pages() {
        look(&name, &path);
    }
    assert_eq!(browser.dialogs(), [""; 0], "nothing that came in ran");
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_keyboard_alone_signs_in_and_goes_past_the_navigation() {
    let app = TestApp::start(Database::sqlite());
    story::Story::tell(&app);
    let Some(browser) = Browser::open(&format!("http://{}", app.address())) else { return };
    browser.visit("/sign-in");
    while browser.focused() != "Key" {
        browser.press("Tab");
    }
    for letter in ADMIN_KEY.chars() {
        browser.press(&letter.to_string());
    }
    browser.press("Enter");
    browser.is_at("/sites/default");
    browser.press("Tab");
    assert_eq!(browser.focused(), "Skip to the content");
    browser.press("Enter");
    browser.is_at("/sites/default#main");
}
