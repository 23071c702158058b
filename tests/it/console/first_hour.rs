//! The first hour of an operator who has read nothing: from the address that the program prints to a member who has
//! access at a real WordPress, by the pages alone.

use crate::support::Database;
use crate::support::browser::{Browser, View};
use crate::support::daemon::{Daemon, Home};
use crate::support::wordpress::Wordpress;
use serde_json::json;

/// What Kartra posts when somebody buys.
pub fn kartra_tells_of_a_sale(daemon: &Daemon, email: &str) {
    let details = json!({ "transaction_id": 4_410_021, "transaction_type": "sale",
        "transaction_date": "2026-11-02 09:20:03", "transaction_full_amount": 29, "lead_id": 2_087_311,
        "product_id": 558_001, "product_name": "Kitchen Club", "product_price_point": 2,
        "transaction_internal_subscription_id": 910_233, "rebill_circle": 31 });
    let body = json!({ "lead": { "id": 2_087_311, "email": email }, "action": "buy_product",
        "action_details": { "transaction_details": details } });
    let posted = daemon.client.post(format!("{}{}", daemon.base, daemon.hook));
    let stored = daemon.runtime.block_on(posted.body(body.to_string()).send()).expect("stored");
    assert_eq!(stored.status(), 200);
}

/// From the printed address to a plan that says who gains what; where scripts run, pages bring themselves up to date.
fn up_to_the_plan(daemon: &Daemon, browser: &Browser, has_scripts: bool, email: &str) {
    browser.visit(&daemon.printed("Console: "));
    browser.click("Sign in");
    browser.is_at("/sites/default");
    browser.sees("Nothing has come from Kartra yet");
    browser.click("Go to the setup");
    browser.sees(&format!("{}{}", daemon.base, daemon.hook));
    browser.sees("lead buys a product");
    browser.click("Send a test purchase");
    browser.sees("Latchkey works: it received the test purchase");
    browser.click("Setup");
    browser.sees("Nothing has come yet");
    kartra_tells_of_a_sale(daemon, email);
    if !has_scripts {
        browser.reloads();
    }
    browser.sees("It works: the latest came");
    browser.click("Choose levels");
    browser.sees("1 purchase waits for a mapping");
    browser.fill("New level", "Gold");
    browser.click("Make level");
    browser.choose("Gives : Kitchen Club", "Gold");
    browser.click_beside("who gains and who loses", "Save mappings");
    browser.sees("What would change");
    if !has_scripts {
        // A page without scripts is brought up to date by whoever reads it.
        while browser.text().contains("Everybody concerned is being looked at") {
            browser.click("Reload");
        }
    }
    browser.sees("Look at who gains and who loses");
    browser.sees(&format!("{email} gains Gold"));
}

#[test]
fn from_the_first_start_to_access_that_wordpress_has_confirmed_by_the_pages_alone() {
    let Some(wordpress) = Wordpress::shared() else { return };
    let mut home = Home::new(Database::sqlite());
    home.set("EGRESS__ALLOW", "127.0.0.0/8");
    let daemon = home.serve();
    let Some(browser) = Browser::open(&daemon.base) else { return };
    let (role, email) = ("first_hour_gold", "first-hour@club.example");
    wordpress.add_roles(&[role]);
    // WordPress tells of a role only where somebody holds it.
    wordpress.add_user("firsthourmember", "first-hour-member@club.example", &[role]);

    up_to_the_plan(&daemon, &browser, true, email);
    browser.click("Apply");
    browser.sees("Everybody is in line with it.");

    browser.click("Setup");
    browser.click("Add a destination");
    browser.click("Add WordPress");
    browser.fill("Name", "The club");
    browser.fill("Address of the site", &wordpress.url());
    browser.fill("User name in WordPress", wordpress.username());
    browser.fill("Application password", "wrong");
    browser.click("Test");
    browser.sees("The test found something to mend.");
    // What was pasted is kept, unseen: it need not be typed again, and may be.
    browser.fill("Application password optional", wordpress.application_password());
    browser.click("Test");
    browser.sees("The test found everything as it has to be.");
    assert_eq!(browser.value("Address of the site"), wordpress.url(), "what was typed is kept");
    browser.choose("Gold", role);
    browser.click("Save");
    browser.sees("Resync everybody");
    browser.click("Resync everybody");

    browser.click("Members");
    browser.click(email);
    browser.sees("in line");
    browser.does_not_see("not in line");
    assert_eq!(wordpress.user(email), Some(vec![role.to_owned()]));
    browser.click("Setup");
    browser.sees("A destination has confirmed the access of a member.");
    assert_eq!(browser.console_errors(), [""; 0]);
    assert_eq!(browser.dialogs(), [""; 0]);
}

#[test]
fn without_scripts_everything_works_up_to_the_plan_and_its_application() {
    let daemon = Home::new(Database::sqlite()).serve();
    let view = View { javascript: false, width: 360, ..View::default() };
    let Some(browser) = Browser::open_as(&daemon.base, view) else { return };
    up_to_the_plan(&daemon, &browser, false, "first-hour@example.com");
    browser.click("Apply");
    while browser.text().contains("Members brought in line") {
        browser.click("Reload");
    }
    browser.sees("Everybody is in line with it.");
    let access = daemon.get("/api/v1/sites/default/access?email=first-hour@example.com&level=gold");
    assert_eq!(access.json["allowed"], true, "{access:?}");
}

#[test]
fn the_address_that_is_printed_signs_in_once() {
    let daemon = Home::new(Database::sqlite()).serve();
    let link = daemon.printed("Console: ");
    let path = link.strip_prefix(&daemon.base).expect("an address of its own").to_owned();
    let first = super::support::Console::at(&daemon.base);
    let token = first.get(&path).value_of("link").expect("a link");
    assert_eq!(first.get(&path).status, 200, "looking at it uses nothing up");
    let done = first.form_from(&path, "/sign-in", &[("link", &token)]);
    assert_eq!((done.status, &*done.location), (303, "/"));
    let second = super::support::Console::at(&daemon.base);
    let refused = second.form_from(&path, "/sign-in", &[("link", &token)]);
    assert_eq!(refused.status, 422);
    assert!(refused.says("This link has been used or has ended. Sign in with a key."));
    assert!(refused.says("Key"), "the form for a key is at hand");
}
