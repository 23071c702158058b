//! What the browser of the tests can tell: each kind of fault that it looks for is found on a page that has it, and
//! not on one that has none.

mod site;

use crate::support::browser::{Browser, Scheme, View};
use site::site;

#[test]
fn a_form_is_filled_in_by_its_labels_and_sent_by_the_name_of_its_button() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.visit("/form");
    assert_eq!(browser.value("E-mail"), "old");
    assert_eq!(browser.beside("E-mail"), "As Kartra knows it");
    browser.fill("E-mail", "dana@example.com");
    browser.choose("Level", "Gold");
    browser.tick("For ever");
    assert!(browser.is_ticked("For ever"));
    browser.click("Save mappings");
    browser.is_at("/heard");
    browser.sees("Heard email=dana@example.com level=g forever=yes do=save");
    browser.goes_back();
    browser.click_beside("Silver", "Drop");
    browser.sees("do=drop-silver");
    browser.does_not_see("do=save");
    browser.visit("/form");
    browser.click("Elsewhere: a wide page");
    browser.is_at("/wide?from=form");
}

#[test]
fn the_keyboard_alone_goes_from_field_to_field_and_sends_a_form() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.visit("/form");
    browser.press("Tab");
    assert_eq!(browser.focused(), "E-mail");
    browser.press("x");
    assert_eq!(browser.value("E-mail"), "x");
    browser.press("Tab");
    assert_eq!(browser.focused(), "Level");
    browser.press("Shift+Tab");
    assert_eq!(browser.focused(), "E-mail");
    browser.press("Enter");
    browser.sees("email=x level=s do=save");
}

#[test]
fn what_keeps_somebody_out_is_found_in_the_scheme_that_has_it() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.visit("/form");
    assert_eq!(browser.faults(), [""; 0]);
    browser.visit("/faulty");
    let faults = browser.faults();
    assert!(faults.len() == 1 && faults[0].starts_with("image-alt: \"img\": "), "{faults:#?}");
    browser.visit("/pale");
    assert_eq!(browser.faults(), [""; 0], "dark grey on white");
    browser.wear(Scheme::Dark);
    let faults = browser.faults();
    assert!(faults.len() == 1, "{faults:#?}");
    assert!(faults[0].starts_with("color-contrast: \"p\": "), "{faults:#?}");
}

#[test]
fn a_page_has_the_width_that_is_asked_for_and_what_stands_out_is_measured() {
    let view = View { width: 360, ..View::default() };
    let Some(browser) = Browser::open_as(&site(), view) else { return };
    browser.visit("/form");
    assert_eq!(browser.sideways(), 0);
    browser.visit("/wide");
    // The body has a margin of 8 pixels.
    assert_eq!(browser.sideways(), 1008 - 360);
    browser.resize(768);
    assert_eq!(browser.sideways(), 1008 - 768);
    // Another host is another process of the browser.
    let elsewhere = browser_url(&browser).replace("127.0.0.1", "localhost");
    browser.visit(&elsewhere);
    assert_eq!(browser.path(), elsewhere);
    assert_eq!(browser.sideways(), 1008 - 768);
    browser.resize(1440);
    assert_eq!(browser.sideways(), 0);
}

/// The whole address that it is at.
fn browser_url(browser: &Browser) -> String {
    format!("{}{}", browser.url(), browser.path())
}

#[test]
fn scripts_of_pages_run_or_do_not_as_is_asked_for() {
    let site = site();
    let Some(browser) = Browser::open(&site) else { return };
    browser.visit("/scripted");
    browser.sees("as the script has it");
    let view = View { javascript: false, ..View::default() };
    let browser = Browser::open_as(&site, view).expect("a browser");
    browser.visit("/alert");
    browser.sees("After it");
    browser.visit("/scripted");
    browser.sees("as it came");
    assert_eq!(browser.dialogs(), [""; 0]);
    // All that a user does is done without scripts of the page.
    browser.visit("/form");
    browser.fill("E-mail", "dana@example.com");
    browser.choose("Level", "Gold");
    browser.click("Save mappings");
    browser.sees("email=dana@example.com level=g do=save");
}

#[test]
fn a_page_is_told_the_time_zone_that_the_user_lives_in() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.lives_in("Asia/Tokyo");
    browser.visit("/hour");
    browser.sees("begins at 9 h");
    browser.lives_in("America/New_York");
    browser.reloads();
    browser.sees("begins at 19 h");
}

#[test]
fn each_dialog_that_a_page_opens_is_noticed() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.visit("/form");
    assert_eq!(browser.dialogs(), [""; 0]);
    browser.visit("/alert");
    browser.sees("After it");
    assert_eq!(browser.dialogs(), ["first"]);
    browser.click("Once more");
    assert_eq!(browser.dialogs(), ["first", "second"]);
}

#[test]
fn what_the_browser_complains_of_is_told_and_an_answer_that_refuses_is_no_complaint() {
    let Some(browser) = Browser::open(&site()) else { return };
    browser.visit("/form");
    browser.visit("/refused");
    browser.sees("Mend this");
    assert_eq!(browser.console_errors(), [""; 0]);
    browser.visit("/forbidden");
    browser.visit("/broken");
    browser.visit("/lacking");
    let complaints = browser.console_errors();
    assert_eq!(complaints.len(), 3, "{complaints:#?}");
    assert!(complaints[0].contains("Content Security Policy"), "{complaints:#?}");
    assert!(complaints[1].contains("nothing is not defined"), "{complaints:#?}");
    assert!(complaints[2].contains("/nowhere.css"), "{complaints:#?}");
    assert_eq!(browser.console_errors(), [""; 0], "each is told once");
}

#[test]
fn a_picture_shows_the_whole_page() {
    let view = View { width: 360, ..View::default() };
    let Some(browser) = Browser::open_as(&site(), view) else { return };
    browser.visit("/wide");
    let picture = std::fs::read(browser.screenshot("browser-wide")).expect("a picture");
    assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("4 bytes"));
    assert_eq!(number(16), 1008, "its width");
    assert!(number(20) > 2000, "its height is that of the page, not of the window");
}
