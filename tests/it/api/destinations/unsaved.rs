//! What is asked of a destination before it is saved, and what it offers to tell levels as.

use super::{SECRET, address, make, on_both, webhook};
use crate::alarms::receiver::{Receiver, status};
use crate::api::{SITE, gold, items, problem, refused_at};
use crate::support::TestApp;
use crate::support::ghost::{Fault, Ghost, KEY};
use serde_json::{Value, json};

fn post(app: &TestApp, what: &str, body: &Value) -> crate::support::Reply {
    app.post(&format!("{SITE}/destinations/{what}"), body)
}

/// A Ghost with two labels, and what is written down for it.
fn ghost() -> (Ghost, Value) {
    let ghost = Ghost::start();
    ghost.state().labels.extend(["VIP".to_owned(), "Gold".to_owned()]);
    let config = json!({ "url": ghost.url(), "admin_api_key": KEY });
    (ghost, config)
}

fn remote(what: &str, remote: &str, name: &str) -> Value {
    json!({ "what": what, "remote": remote, "name": name, "usable": true, "detail": null })
}

/// What is offered by a Ghost with these labels and no tier but its own.
fn offered_by_ghost() -> Value {
    let why = "The tier Free is the one that everybody has.";
    let free =
        json!({ "what": "tier", "remote": "free", "name": "Free", "usable": false, "detail": why });
    let remotes = json!([remote("label", "Gold", "Gold"), remote("label", "VIP", "VIP"), free]);
    json!({ "ok": true, "remotes": remotes, "complete": true, "makes_missing": true, "detail": null })
}

#[test]
fn a_destination_is_tested_before_it_is_saved_and_nothing_of_it_is_kept() {
    on_both(|app| {
        let receiver = Receiver::start();
        let mut asked = webhook(&receiver);
        asked["config"]["secret"] = json!(SECRET);
        let tested = post(app, "test", &asked);
        let detail = "A signed test message was taken.";
        let good = json!({ "ok": true, "findings": [{ "what": "message", "ok": true, "detail": detail }] });
        assert_eq!((tested.status, &tested.json), (200, &good));
        let same = make(app, &asked);
        let saved = app.post(&format!("{}/test", address(&same)), &json!({}));
        assert_eq!(saved.json, good, "the same as of one that is saved");
        let signed = receiver.heard();
        assert_eq!(signed[0].body, signed[1].body, "and so is what is sent");
        assert_eq!(items(&app.get(&format!("{SITE}/destinations"))).len(), 1);
        receiver.answers([status(403)]);
        let refused = post(app, "test", &asked).json;
        let why = "the destination answered 403.";
        assert_eq!(
            refused,
            json!({ "ok": false, "findings": [{ "what": "message", "ok": false, "detail": why }] })
        );
    });
}

#[test]
fn a_test_before_saving_says_what_creating_would() {
    on_both(|app| {
        gold(app);
        let (ghost, config) = ghost();
        let asked = |levels: Value| json!({ "kind": "ghost", "name": "x", "config": config, "levels": levels });
        refused_at(&post(app, "test", &asked(json!([]))), &["/levels"]);
        refused_at(
            &post(app, "test", &asked(json!([{ "level": "tin", "remote": "Tin" }]))),
            &["/levels/0/level"],
        );
        refused_at(
            &post(app, "test", &json!({ "kind": "fax", "name": "x", "config": {} })),
            &["/kind"],
        );
        let found = post(app, "test", &asked(json!([{ "level": "gold", "remote": "Gold" }]))).json;
        assert_eq!(found["ok"], true, "{found}");
        assert_eq!(found["findings"][3]["detail"], "The label Gold is there.");
        assert_eq!(ghost.count("POST"), 0, "no member is touched");
        assert_eq!(items(&app.get(&format!("{SITE}/destinations"))), [serde_json::Value::Null; 0]);
    });
}

#[test]
fn what_levels_can_be_told_as_is_fetched_before_saving_and_after() {
    on_both(|app| {
        gold(app);
        let (_ghost, config) = ghost();
        let before = post(app, "remotes", &json!({ "kind": "ghost", "config": config }));
        assert_eq!((before.status, &before.json), (200, &offered_by_ghost()));
        let levels = json!([{ "level": "gold", "remote": "Gold" }]);
        let made =
            make(app, &json!({ "kind": "ghost", "name": "x", "config": config, "levels": levels }));
        let after = app.get(&format!("{}/remotes", address(&made)));
        assert_eq!((after.status, &after.json), (200, &offered_by_ghost()));
        problem(&app.get(&format!("{SITE}/destinations/x/remotes")), 404, "not-found");
    });
}

#[test]
fn a_signed_webhook_is_told_the_levels_themselves() {
    on_both(|app| {
        let receiver = Receiver::start();
        let none = json!({ "ok": true, "remotes": [], "complete": true, "makes_missing": false, "detail": null });
        let asked = webhook(&receiver);
        let body = json!({ "kind": "webhook", "config": asked["config"] });
        assert_eq!(post(app, "remotes", &body).json, none);
        assert_eq!(app.get(&format!("{}/remotes", address(&make(app, &asked)))).json, none);
        assert_eq!(receiver.heard().len(), 0, "nobody has to be asked");
    });
}

#[test]
fn what_a_site_says_against_it_is_told_in_its_own_words() {
    on_both(|app| {
        let (ghost, config) = ghost();
        let words =
            json!({ "errors": [{ "message": "You may not.", "context": null }] }).to_string();
        ghost.fails("GET", Fault::Instead(403, "", words));
        let body = json!({ "kind": "ghost", "config": config });
        assert_eq!(
            post(app, "remotes", &body).json,
            json!({
                "ok": false, "remotes": [], "complete": false, "makes_missing": false,
                "detail": "the destination answered 403: You may not.",
            })
        );
        let mut wrong = body.clone();
        wrong["config"]["admin_api_key"] = json!("x");
        refused_at(&post(app, "remotes", &wrong), &["/config/admin_api_key"]);
        refused_at(&post(app, "remotes", &json!({ "kind": "fax", "config": {} })), &["/kind"]);
        problem(&app.post("/api/v1/sites/nowhere/destinations/remotes", &body), 404, "not-found");
    });
}
