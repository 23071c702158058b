//! Destinations that cannot be: refused with the place that is wrong, and nothing has changed.

use super::{address, make, now, on_both, webhook};
use crate::alarms::receiver::Receiver;
use crate::api::{SITE, gold, items, problem, refused_at};
use serde_json::{Value, json};

/// A good webhook with something else in it.
fn with(key: &str, value: Value) -> Value {
    let mut asked =
        json!({ "kind": "webhook", "name": "x", "config": { "url": "https://a.example/in" } });
    asked[key] = value;
    asked
}

/// A good webhook with something else in its config.
fn config(key: &str, value: Value) -> Value {
    let mut config = json!({ "url": "https://a.example/in" });
    config[key] = value;
    with("config", config)
}

/// A good WordPress with something else in it.
fn wordpress(key: &str, value: Value) -> Value {
    let mut asked = json!({
        "kind": "wordpress", "name": "x", "levels": [{ "level": "gold", "remote": "member" }],
        "config": { "url": "https://a.example", "username": "u", "application_password": "p" },
    });
    asked[key] = value;
    asked
}

/// What cannot be, with the places that the answer names.
fn wrong() -> Vec<(Value, Vec<&'static str>)> {
    let levels = |levels: Value| with("levels", levels);
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "level": format!("l{n}") })).collect();
    vec![
        (with("kind", json!("carrier pigeon")), vec!["/kind"]),
        (with("kind", json!(null)), vec!["/kind"]),
        (with("name", json!("")), vec!["/name"]),
        (with("name", json!("x".repeat(201))), vec!["/name"]),
        (with("enabled", json!("yes")), vec!["/enabled"]),
        (with("state", json!("ok")), vec!["/state"]),
        (with("config", json!([])), vec!["/config"]),
        (with("config", json!({})), vec!["/config"]),
        (config("url", json!("https://127.0.0.1.example:x/")), vec!["/config/url"]),
        (config("url", json!("https://10.0.0.1/")), vec!["/config/url"]),
        (config("url", json!("ftp://a.example/")), vec!["/config/url"]),
        (config("url", json!(7)), vec!["/config/url"]),
        (config("url", json!(null)), vec!["/config/url"]),
        (config("colour", json!(null)), vec!["/config/colour"]),
        (config("colour", json!("red")), vec!["/config/colour"]),
        (config("types", json!(["access.changed", "nonsense"])), vec!["/config/types/1"]),
        (config("secret", json!("whsec_short")), vec!["/config/secret"]),
        (config("secret_before", json!(super::SECRET)), vec!["/config/secret_before"]),
        (config("secret_before", json!(null)), vec!["/config/secret_before"]),
        (config("types", json!(vec!["alarm.raised"; 5_000])), vec!["/config"]),
        (levels(json!([{ "level": "silver" }])), vec!["/levels/0/level"]),
        (levels(json!([{ "level": "gold" }, { "level": "gold" }])), vec!["/levels/1/level"]),
        (levels(json!([{ "level": "gold", "remote": "" }])), vec!["/levels/0/remote"]),
        (levels(json!([{ "level": "gold", "role": "x" }])), vec!["/levels/0/role"]),
        (levels(json!([["gold", "x"]])), vec!["/levels/0"]),
        (levels(json!(["gold"])), vec!["/levels/0"]),
        (levels(json!(null)), vec!["/levels"]),
        (levels(json!(many)), vec!["/levels"]),
        (with("limits", json!({ "calls_per_second": 0 })), vec!["/limits/calls_per_second"]),
        (with("limits", json!({ "calls_per_second": 10_001 })), vec!["/limits/calls_per_second"]),
        (with("limits", json!({ "concurrency": 65 })), vec!["/limits/concurrency"]),
        (with("limits", json!({ "concurrency": -1 })), vec!["/limits/concurrency"]),
        (with("limits", json!([1, 2])), vec!["/limits"]),
        (wordpress("levels", json!([])), vec!["/levels"]),
        (wordpress("levels", json!([{ "level": "gold" }])), vec!["/levels/0/remote"]),
        (
            wordpress("levels", json!([{ "level": "silver", "remote": "\u{7}" }])),
            vec!["/levels/0/level", "/levels/0/remote"],
        ),
        (
            wordpress("config", json!({ "url": "https://a.example", "username": "u" })),
            vec!["/config"],
        ),
        (
            wordpress(
                "config",
                json!({ "url": "https://a.example/wp-admin", "username": "u", "application_password": "p" }),
            ),
            vec!["/config/url"],
        ),
    ]
}

#[test]
fn what_cannot_be_is_refused_with_its_place_and_nothing_is_made() {
    on_both(|app| {
        gold(app);
        for (asked, pointers) in wrong() {
            println!("{asked:.300}");
            refused_at(&app.post(&format!("{SITE}/destinations"), &asked), &pointers);
        }
        assert_eq!(items(&app.get(&format!("{SITE}/destinations"))), [] as [Value; 0]);
        let missing = app.post(&format!("{SITE}/destinations"), &json!({ "kind": "webhook" }));
        refused_at(&missing, &[""]);
    });
}

#[test]
fn an_edit_that_cannot_be_changes_nothing() {
    on_both(|app| {
        gold(app);
        let destination = make(app, &webhook(&Receiver::start()));
        let before = now(app, &destination);
        for (asked, pointers) in [
            (json!({ "kind": "ghost" }), ["/kind"]),
            (json!({ "name": null }), ["/name"]),
            (json!({ "enabled": null }), ["/enabled"]),
            (json!({ "config": null }), ["/config"]),
            (json!({ "config": { "url": null } }), ["/config"]),
            (json!({ "config": { "url": "https://10.0.0.1/" } }), ["/config/url"]),
            (json!({ "config": { "secret": "x" } }), ["/config/secret"]),
            (json!({ "config": { "secret_before": null } }), ["/config/secret_before"]),
            (json!({ "levels": null }), ["/levels"]),
            (json!({ "levels": [{ "level": "silver" }] }), ["/levels/0/level"]),
            (json!({ "limits": { "concurrency": 0 } }), ["/limits/concurrency"]),
            (json!({ "version": 7 }), ["/version"]),
        ] {
            println!("{asked}");
            refused_at(&app.patch(&address(&destination), &asked), &pointers);
            assert_eq!(now(app, &destination), before);
        }
        let nobody = app.patch(&format!("{SITE}/destinations/nonsense"), &json!({ "name": "x" }));
        problem(&nobody, 404, "not-found");
    });
}
