//! What a site wants to be told is said in its settings, wrong words are refused where they stand, and secrets
//! are shown once.

use super::{SITE, on_both, wants};
use crate::support::{ADMIN_KEY, Database, TestApp};
use serde_json::{Value, json};

const URL: &str = "https://hooks.example.com/a/token";

#[track_caller]
fn refused(app: &TestApp, alarms: &Value, pointers: &[&str]) -> String {
    let reply = app.patch(SITE, &json!({ "alarms": alarms }));
    assert_eq!(reply.status, 422, "{alarms}: {reply:?}");
    let errors = reply.json["errors"].as_array().expect("errors");
    let found: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(found, pointers, "{alarms}: {reply:?}");
    errors[0]["detail"].as_str().expect("a detail").to_owned()
}

#[test]
fn a_site_wants_nothing_at_first_and_what_is_said_is_merged() {
    on_both(|app| {
        let first = json!({
            "url": null, "secret_set": false, "gone_at": null, "heartbeat_url": null, "held_hours": 24,
            "unmatched_hours": 1, "timers_late_minutes": 15, "overdue_days": 3, "off": [],
        });
        assert_eq!(app.get(SITE).json["alarms"], first);
        wants(app, &json!({ "overdue_days": 0, "off": ["silent", "breaker_open", "silent"] }));
        let shown = wants(app, &json!({ "held_hours": 8_784 }));
        assert_eq!((&shown["overdue_days"], &shown["held_hours"]), (&json!(0), &json!(8_784)));
        assert_eq!(shown["off"], json!(["silent", "breaker_open"]));
        wants(app, &json!({ "url": URL, "heartbeat_url": URL }));
        assert_eq!(app.patch(SITE, &json!({ "alarms": null })).json["alarms"], first);
        assert_eq!(app.get("/api/v1/sites?limit=1").json["items"][0]["alarms"], first);
    });
}

#[test]
fn the_secret_is_made_with_the_first_url_shown_once_and_exchanged_on_request() {
    on_both(|app| {
        let edited = app.patch(SITE, &json!({ "alarms": { "url": URL } }));
        let secret = edited.json["alarms"]["secret"].as_str().expect("a secret").to_owned();
        assert!(secret.starts_with("whsec_") && secret.len() == 6 + 32, "{secret}");
        let found = app.get(SITE);
        assert_eq!(
            (&found.json["alarms"]["secret"], &found.json["alarms"]["secret_set"]),
            (&Value::Null, &json!(true))
        );
        assert_eq!(
            found.header("etag"),
            edited.header("etag"),
            "the tag is of the site without the secret"
        );
        assert_eq!(wants(app, &json!({ "url": URL }))["secret"], Value::Null);
        let other =
            wants(app, &json!({ "secret": null }))["secret"].as_str().expect("a secret").to_owned();
        assert_ne!(other, secret);
        assert_eq!(
            wants(app, &json!({ "secret": secret }))["secret"],
            Value::Null,
            "who sets it knows it"
        );
    });
}

#[test]
fn urls_that_cannot_be_called_are_refused_at_once() {
    let app = &TestApp::start(Database::sqlite());
    for url in [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "https://",
        "https://dana:secret@hooks.example.com/",
    ] {
        let detail = refused(app, &json!({ "url": url }), &["/alarms/url"]);
        assert!(detail.starts_with("must "), "{url}: {detail}");
        refused(app, &json!({ "heartbeat_url": url }), &["/alarms/heartbeat_url"]);
    }
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost:8080/",
        "http://a.localhost./",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/",
        "http://192.168.1/",
        "http://[fe80::1]/",
    ] {
        let detail = refused(
            app,
            &json!({ "url": url, "heartbeat_url": url }),
            &["/alarms/url", "/alarms/heartbeat_url"],
        );
        assert!(detail.contains("egress.allow"), "{url}: {detail}");
    }
    assert_eq!(app.get(SITE).json["alarms"]["url"], Value::Null, "nothing of it was kept");
    wants(app, &json!({ "url": "http://hooks.example.com/", "heartbeat_url": "https://8.8.8.8/" }));
}

#[test]
fn everything_else_that_cannot_be_is_refused_where_it_stands() {
    let app = &TestApp::start(Database::sqlite());
    for secret in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!"] {
        refused(app, &json!({ "secret": secret }), &["/alarms/secret"]);
    }
    for (key, over) in [
        ("held_hours", 8_785),
        ("unmatched_hours", 8_785),
        ("timers_late_minutes", 527_041),
        ("overdue_days", 367),
    ] {
        for wrong in [json!(over), json!(-1), json!(1.5), json!("1"), json!(null), json!([])] {
            refused(app, &json!({ key: wrong }), &[&format!("/alarms/{key}")]);
        }
    }
    refused(app, &json!({ "off": ["nonsense"] }), &["/alarms/off/0"]);
    refused(app, &json!({ "off": null }), &["/alarms/off"]);
    refused(app, &json!({ "surprise": 1 }), &["/alarms/surprise"]);
    refused(app, &json!([]), &["/alarms"]);
    refused(
        app,
        &json!({ "url": "x", "overdue_days": 999 }),
        &["/alarms/url", "/alarms/overdue_days"],
    );
}

#[test]
fn urls_are_shown_to_whoever_may_manage_and_stored_sealed() {
    let app = &TestApp::start(Database::sqlite());
    let secret = wants(app, &json!({ "url": URL, "heartbeat_url": URL }))["secret"].clone();
    for (scope, url) in [
        ("read", Value::Null),
        ("support", Value::Null),
        ("manage", json!(URL)),
        ("admin", json!(URL)),
    ] {
        let made = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
        let key = made.json["key"].as_str().expect("a key").to_owned();
        let shown =
            app.request("GET", SITE, |request| request.bearer_auth(&key)).json["alarms"].clone();
        assert_eq!((&shown["url"], &shown["heartbeat_url"]), (&url, &url), "{scope}");
        assert_eq!((&shown["secret"], &shown["secret_set"]), (&Value::Null, &json!(true)));
    }
    let path = app.database_url.strip_prefix("sqlite://").expect("a file");
    for file in [path.to_owned(), format!("{path}-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!has("hooks.example.com") && !has(secret.as_str().expect("a secret")), "{file}");
    }
    let stale = app.request("PATCH", SITE, |request| {
        request
            .bearer_auth(ADMIN_KEY)
            .header("if-match", "\"stale.x\"")
            .body("{\"alarms\":{\"url\":null}}")
    });
    assert_eq!((stale.status, app.get(SITE).json["alarms"]["url"].as_str()), (412, Some(URL)));
}
