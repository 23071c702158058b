//! `latchkey simulate --check` against an application whose flow works, and whose clock moves, only when it is told to.

use super::PRODUCTS;
use crate::support::daemon::{Home, Ran, until};
use crate::support::{ADMIN_KEY, Database, Ipn, TestApp, instant};
use latchkey::simulate::{Plan, order};
use serde_json::{Value, json};
use std::process::{Child, Stdio};

const SITE: &str = "/api/v1/sites/default";

/// A run of the program against an application, without the IPN.
fn against(home: &Home, app: &TestApp, options: &[&str]) -> Child {
    let url = app.get(SITE).json["webhook_url"].as_str().expect("a URL").to_owned();
    let fixed = ["simulate", "--to", &url, "--members", "30", "--ipn", "0", "--json", "--check"];
    let mut command = home.command(&[&fixed, options].concat());
    command.env("LATCHKEY_KEY", ADMIN_KEY);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
}

/// Waits until all that [`against`] sends has been received beside so many others.
fn received(app: &TestApp, others: usize) -> Vec<Value> {
    let (members, seed, shuffle, duplicate) = (30, 1, false, 0.0);
    let plan = Plan { members, seed, shuffle, duplicate, ipn: 0.0, loss: 0.0, secret: None };
    let sent = order(&plan).places.len();
    until("the end of the sending", || {
        let webhooks = app.webhooks();
        (webhooks.len() == sent + others).then_some(webhooks)
    })
}

fn ended(child: Child) -> Ran {
    Ran::of(&child.wait_with_output().expect("its end"))
}

/// An application that lives after all stories.
fn later(database: Database) -> TestApp {
    let app = TestApp::start(database);
    app.at(instant("2026-12-01T00:00:00Z"));
    let off = app.patch("/api/v1/sites/default", &json!({"max_revocations": null}));
    assert_eq!(off.status, 200, "{off:?}");
    app.level("gold");
    for product in PRODUCTS {
        app.map(&json!({"product_id": product, "level": "gold"}));
    }
    app
}

#[test]
fn a_webhook_that_was_discarded_is_missed() {
    let (home, app) = (Home::new(Database::sqlite()), later(Database::sqlite()));
    let child = against(&home, &app, &[]);
    let webhooks = received(&app, 0);
    let told_once = |email: &Value| webhooks.iter().filter(|w| &w["email"] == email).count() == 1;
    let sale = webhooks.iter().find(|w| w["kind"] == "sale" && told_once(&w["email"]));
    let sale = sale.expect("somebody who buys once and no more");
    let id = sale["id"].as_str().expect("an id");
    assert_eq!(app.post(&format!("{SITE}/webhooks/{id}/discard"), &json!({})).status, 200);
    app.drain();
    let ran = ended(child);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let check = &ran.json()["check"];
    assert_eq!((&check["differing"], &check["differences"]), (&json!(1), &json!(1)), "{check}");
    assert_eq!(check["shown"][0]["email"], sale["email"], "{check}");
    assert_eq!(check["shown"][0]["answered"], Value::Null, "{check}");
}

#[test]
fn nobody_waits_for_ever() {
    let (home, app) = (Home::new(Database::sqlite()), later(Database::sqlite()));
    let ran = ended(against(&home, &app, &["--wait", "0"]));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let words = "has not applied everything within 0 seconds; give it longer with --wait";
    assert!(ran.err.contains(words), "{ran:?}");
    assert_eq!(ran.json()["check"], Value::Null, "what was sent is said all the same");
    app.drain();
    let app = later(Database::sqlite());
    let child = against(&home, &app, &[]);
    received(&app, 0);
    assert_eq!(app.patch(SITE, &json!({"enabled": false})).status, 200);
    let ran = ended(child);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("the site default is disabled"), "{ran:?}");
}

#[test]
fn a_site_whose_clock_stands_before_the_end_of_the_stories_is_not_compared() {
    let (home, app) = (Home::new(Database::sqlite()), TestApp::start(Database::sqlite()));
    let ran = ended(against(&home, &app, &[]));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("the stories reach until 2026-07-01"), "{ran:?}");
    assert_eq!(app.webhooks(), Vec::<Value>::new(), "nothing was sent");
}

#[test]
fn what_kartra_sends_meanwhile_is_not_waited_for() {
    let (home, app) = (Home::new(Database::sqlite()), later(Database::sqlite()));
    // Received after all that is simulated, and not due before.
    app.clock.set(instant("2027-01-01T00:00:00Z"));
    assert_eq!(app.receives(Ipn::new("sale", 1).of("ada@example.com").body()).status, 200);
    let others = app.webhooks();
    app.clock.set(instant("2026-12-01T00:00:00Z"));
    let child = against(&home, &app, &["--wait", "20"]);
    received(&app, others.len());
    app.drain();
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let pending = app.webhooks().into_iter().filter(|webhook| webhook["status"] == "pending");
    assert_eq!(pending.count(), 1);
}

#[test]
fn an_instant_within_the_sending_is_not_compared() {
    let (home, app) = (Home::new(Database::sqlite()), later(Database::sqlite()));
    let child = against(&home, &app, &["--rate", "30", "--at", "2026-12-15T00:00:00Z"]);
    until("the first message", || (!app.webhooks().is_empty()).then_some(()));
    app.clock.set(instant("2027-01-01T00:00:00Z"));
    received(&app, 0);
    app.drain();
    let ran = ended(child);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("lies within the sending"), "{ran:?}");
}
