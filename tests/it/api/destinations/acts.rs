//! What is done to a destination: it is tested, and its secret is changed.

use super::{SECRET, address, make, now, on_both, sends, webhook};
use crate::alarms::receiver::{Answer, Heard, Receiver, status};
use crate::api::bodies::sale;
use crate::api::{SITE, applied, gold, items, problem, refused_at};
use crate::support::hmac::hmac;
use crate::support::{ADMIN_KEY, TestApp, instant};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The signature that a request has to carry for a secret.
fn signed_with(heard: &Heard, secret: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
    let (id, timestamp) = (&heard.headers["webhook-id"], &heard.headers["webhook-timestamp"]);
    let signed = format!("{id}.{timestamp}.{}", heard.body);
    format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())))
}

#[track_caller]
fn tested(app: &TestApp, destination: &Value) -> Value {
    let tested = app.post(&format!("{}/test", address(destination)), &json!({}));
    assert_eq!(tested.status, 200, "{tested:?}");
    tested.json
}

/// The signatures of the latest request.
fn signatures(receiver: &Receiver) -> (Heard, Vec<String>) {
    let heard = receiver.heard().pop().expect("a request");
    let signatures = heard.headers["webhook-signature"].split(' ').map(str::to_owned).collect();
    (heard, signatures)
}

#[test]
fn a_test_sends_one_signed_message_that_says_nothing() {
    on_both(|app| {
        let receiver = Receiver::start();
        let mut asked = webhook(&receiver);
        asked["config"]["secret"] = json!(SECRET);
        let destination = make(app, &asked);
        let detail = "A signed test message was taken.";
        let good = json!({ "ok": true, "findings": [{ "what": "message", "ok": true, "detail": detail }] });
        assert_eq!(tested(app, &destination), good);
        let (heard, signatures) = signatures(&receiver);
        assert_eq!(receiver.heard().len(), 1);
        assert_eq!(
            serde_json::from_str::<Value>(&heard.body).expect("JSON"),
            json!({ "type": "test", "timestamp": "2026-01-01T00:00:00Z", "data": {} })
        );
        assert_eq!(signatures, [signed_with(&heard, SECRET)]);
    });
}

#[test]
fn a_test_that_fails_says_why_and_changes_nothing() {
    on_both(|app| {
        let receiver = Receiver::start();
        let destination = make(app, &webhook(&receiver));
        let before = now(app, &destination);
        receiver.answers([status(403), Answer::Never]);
        let refused = tested(app, &destination);
        let why = "the destination answered 403.";
        let expected =
            json!({ "ok": false, "findings": [{ "what": "message", "ok": false, "detail": why }] });
        assert_eq!(refused, expected);
        assert_eq!(tested(app, &destination)["ok"], false);
        assert_eq!(now(app, &destination), before);
        problem(&app.post(&format!("{SITE}/destinations/x/test"), &json!({})), 404, "not-found");
    });
}

#[test]
fn a_test_that_finds_all_well_ends_what_kept_a_destination_from_being_called() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let destination = make(app, &webhook(&receiver));
        receiver.answers([status(401), status(401)]);
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        assert_eq!(now(app, &destination)["state"], "broken");
        assert_eq!(tested(app, &destination)["ok"], false);
        assert_eq!(now(app, &destination)["state"], "broken");
        assert_eq!(tested(app, &destination)["ok"], true);
        let mended = now(app, &destination);
        assert_eq!((&mended["state"], &mended["detail"]), (&json!("ok"), &Value::Null));
        assert_eq!(mended["version"], 1, "nobody has edited it");
        sends(app);
        assert_eq!(items(&app.get(&format!("{SITE}/pushes")))[0]["status"], "done");
    });
}

#[test]
fn a_config_that_may_not_be_called_any_more_is_found_by_a_test() {
    on_both(|app| {
        let destination = make(app, &webhook(&Receiver::start()));
        // The same database under another configuration, which allows no call to this machine.
        let stricter = app.beside_as(&[("egress.allow", "")], None);
        let found = tested(&stricter, &destination);
        assert_eq!(
            (&found["ok"], &found["findings"][0]["what"]),
            (&json!(false), &json!("config"))
        );
        let detail = found["findings"][0]["detail"].as_str().expect("words");
        assert!(detail.starts_with("config.url: ") && detail.contains("egress.allow"), "{detail}");
    });
}

#[test]
fn while_a_secret_is_changed_messages_are_signed_with_both_and_no_longer() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let mut asked = webhook(&receiver);
        asked["config"]["secret"] = json!(SECRET);
        let destination = make(app, &asked);
        let rotate = format!("{}/rotate-secret", address(&destination));
        let rotated = app.post(&rotate, &json!({ "overlap_hours": 2 }));
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.json["previous_ends_at"], "2026-01-01T02:00:00Z");
        let new = rotated.json["secret"].as_str().expect("a secret").to_owned();
        let shown = now(app, &destination);
        assert_eq!(shown["secret_before_until"], "2026-01-01T02:00:00Z");
        assert_eq!((&shown["version"], &shown["secrets_set"]), (&json!(2), &json!(["secret"])));
        assert!(!shown.to_string().contains("whsec_"), "{shown}");
        let mut worker =
            latchkey::dispatch::worker::Worker::new(app.app.dispatch().clone()).expect("a worker");
        applied(app, &sale(1001, "dana@x.example"));
        worker.drain().expect("sent");
        let (heard, both) = signatures(&receiver);
        assert_eq!(both, [signed_with(&heard, &new), signed_with(&heard, SECRET)]);
        let again = app.post(&rotate, &json!({}));
        problem(&again, 409, "conflict");
        app.at(instant("2026-01-01T02:00:00Z"));
        applied(app, &sale(1002, "eva@x.example"));
        worker.drain().expect("sent");
        let (heard, one) = signatures(&receiver);
        assert_eq!(one, [signed_with(&heard, &new)]);
        assert_eq!(now(app, &destination)["secret_before_until"], Value::Null);
        assert_eq!(app.post(&rotate, &json!({})).json["previous_ends_at"], "2026-01-02T02:00:00Z");
    });
}

#[test]
fn a_change_of_a_secret_that_is_told_nothing_overlaps_for_a_day() {
    on_both(|app| {
        let receiver = Receiver::start();
        let destination = make(app, &webhook(&receiver));
        let rotate = format!("{}/rotate-secret", address(&destination));
        let rotated = app.request("POST", &rotate, |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.json["previous_ends_at"], "2026-01-02T00:00:00Z");
        assert_ne!(rotated.json["secret"], destination["secret"]);
    });
}

#[test]
fn a_secret_that_is_changed_without_overlap_ends_every_earlier_one_at_once() {
    on_both(|app| {
        let receiver = Receiver::start();
        let mut asked = webhook(&receiver);
        asked["config"]["secret"] = json!(SECRET);
        let destination = make(app, &asked);
        let rotate = format!("{}/rotate-secret", address(&destination));
        assert_eq!(app.post(&rotate, &json!({})).status, 200);
        let ended = app.post(&rotate, &json!({ "overlap_hours": 0 }));
        assert_eq!((ended.status, &ended.json["previous_ends_at"]), (200, &Value::Null));
        tested(app, &destination);
        let (heard, signatures) = signatures(&receiver);
        assert_eq!(signatures, [signed_with(&heard, ended.json["secret"].as_str().expect("one"))]);
        for hours in [-1, 721] {
            refused_at(&app.post(&rotate, &json!({ "overlap_hours": hours })), &["/overlap_hours"]);
        }
    });
}

#[test]
fn where_nothing_is_signed_no_secret_is_made() {
    on_both(|app| {
        gold(app);
        let asked = json!({
            "kind": "wordpress", "name": "The club", "levels": [{ "level": "gold", "remote": "member" }],
            "config": { "url": "https://a.example", "username": "u", "application_password": "p" },
        });
        let destination = make(app, &asked);
        assert_eq!(destination.get("secret"), None);
        let refused = app.post(&format!("{}/rotate-secret", address(&destination)), &json!({}));
        problem(&refused, 409, "conflict");
    });
}
