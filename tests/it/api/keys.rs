//! `/keys`, and what a key opens.

use super::{SITE, each, items, problem, refused_at, write_if};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Reply, TestApp, instant};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// Asks with a key of its own.
fn with_key(app: &TestApp, key: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
    app.request(method, path, |request| {
        let request = request.bearer_auth(key);
        match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        }
    })
}

/// Makes a key of these scopes, bound to a site or to none; answers the key itself.
fn key_of(app: &TestApp, scopes: &[&str], site: Option<&str>) -> String {
    let asked = json!({ "name": "a script", "scopes": scopes, "site": site });
    let reply = app.post("/api/v1/keys", &asked);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json["key"].as_str().expect("a key").to_owned()
}

on_both_databases! {
    fn a_key_is_shown_once_and_works_until_it_is_revoked(app: &TestApp) {
        let asked = json!({ "name": "billing script", "scopes": ["support", "read"] });
        let reply = app.post("/api/v1/keys", &asked);
        assert_eq!(reply.status, 201, "{reply:?}");
        let (id, key) = (reply.json["id"].as_str().unwrap(), reply.json["key"].as_str().unwrap());
        assert!(key.starts_with("lk_"), "{key}");
        assert_eq!(reply.json["scopes"], json!(["read", "support"]));
        let path = format!("/api/v1/keys/{id}");
        assert_eq!(reply.header("location"), Some(path.as_str()));
        let known = app.get(&path);
        assert_eq!((known.status, &known.json["key"]), (200, &Value::Null), "never again");
        assert_eq!(known.json["last_used_at"], Value::Null);

        assert_eq!(with_key(app, key, "GET", SITE, None).status, 200);
        let used = app.get(&path).json["last_used_at"].clone();
        assert_eq!(used, json!(app.clock.now()), "to the minute");

        assert_eq!(app.delete(&path).status, 204);
        problem(&with_key(app, key, "GET", SITE, None), 401, "unauthorized");
        problem(&app.get(&path), 404, "not-found");
        problem(&app.delete(&path), 404, "not-found");
    }

    fn a_key_is_revoked_only_by_whoever_means_this_one(app: &TestApp) {
        let made = app.post("/api/v1/keys", &json!({ "name": "a script", "scopes": ["read"] }));
        let path = made.header("location").expect("a Location").to_owned();
        let key = made.json["key"].as_str().expect("a key");
        let revoke = |tag: &str| write_if(app, "DELETE", &path, tag, &json!({}));
        problem(&revoke("\"another\""), 412, "changed-since");
        assert_eq!(with_key(app, key, "GET", SITE, None).status, 200, "what is refused ends nothing");
        let read = app.get(&path);
        app.clock.set(app.clock.now() + TimeDelta::hours(1));
        app.app.remembered_keys().forget();
        assert_eq!(with_key(app, key, "GET", SITE, None).status, 200);
        let used = app.get(&path);
        assert_ne!(used.header("etag"), read.header("etag"), "it shows its last use");
        assert_eq!(revoke(read.header("etag").expect("an ETag")).status, 204, "which is nobody's edit");
        problem(&with_key(app, key, "GET", SITE, None), 401, "unauthorized");
        problem(&revoke("*"), 404, "not-found");

        let made = app.post("/api/v1/keys", &json!({ "name": "another", "scopes": ["read"] }));
        let path = made.header("location").expect("a Location");
        let tag = made.header("etag").expect("an ETag");
        assert_eq!(write_if(app, "DELETE", path, tag, &json!({})).status, 204);
    }

    fn the_last_use_of_a_key_is_noted_no_more_than_once_a_minute(app: &TestApp) {
        let asked = json!({ "name": "a script", "scopes": ["read"] });
        let made = app.post("/api/v1/keys", &asked).json;
        let key = made["key"].as_str().expect("a key");
        let path = format!("/api/v1/keys/{}", made["id"].as_str().expect("an id"));
        let used_at = |at: DateTime<Utc>| {
            app.clock.set(at);
            // As if it had been looked up long ago.
            app.app.remembered_keys().forget();
            assert_eq!(with_key(app, key, "GET", SITE, None).status, 200);
            app.get(&path).json["last_used_at"].clone()
        };
        let first = instant("2026-01-01T12:00:00Z");
        assert_eq!(used_at(first), "2026-01-01T12:00:00Z");
        assert_eq!(used_at(first + TimeDelta::seconds(59)), "2026-01-01T12:00:00Z");
        assert_eq!(used_at(first + TimeDelta::seconds(60)), "2026-01-01T12:01:00Z");
    }

    fn a_key_ends_at_its_instant(app: &TestApp) {
        let ends = app.clock.now() + TimeDelta::hours(1);
        let asked = json!({ "name": "for an hour", "scopes": ["read"], "expires_at": ends });
        let key = app.post("/api/v1/keys", &asked).json["key"].as_str().unwrap().to_owned();
        app.clock.set(ends - TimeDelta::microseconds(1));
        assert_eq!(with_key(app, &key, "GET", SITE, None).status, 200);
        app.clock.set(ends);
        problem(&with_key(app, &key, "GET", SITE, None), 401, "unauthorized");
    }

    fn each_scope_contains_those_before_it_and_nothing_more(app: &TestApp) {
        app.level("gold");
        let member = format!("{SITE}/members/dana@x.example");
        let ladder = [
            ("read", "GET", format!("{SITE}/levels"), None, 200),
            ("support", "POST", format!("{member}/grants"), Some(json!({ "level": "gold" })), 201),
            ("manage", "POST", format!("{SITE}/levels"), Some(json!({ "id": "silver" })), 201),
            ("admin", "PATCH", SITE.to_owned(), Some(json!({ "name": "Kitchen" })), 200),
        ];
        for (held, (scope, ..)) in ladder.iter().enumerate() {
            let key = key_of(app, &[scope], None);
            for (asked, (_, method, path, body, good)) in ladder.iter().enumerate() {
                let body = body.as_ref().map(|body| {
                    let mut body = body.clone();
                    if let Some(id) = body.get_mut("id") {
                        *id = json!(format!("silver-{held}"));
                    }
                    body
                });
                let reply = with_key(app, &key, method, path, body.as_ref());
                if asked <= held {
                    assert_eq!(reply.status, *good, "{scope} {method} {path}: {reply:?}");
                } else {
                    problem(&reply, 403, "forbidden");
                }
            }
        }
    }

    fn a_key_of_one_site_finds_nothing_of_another(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        let key = key_of(app, &["admin"], Some("other"));
        assert_eq!(with_key(app, &key, "GET", "/api/v1/sites/other", None).status, 200);
        let sites = with_key(app, &key, "GET", "/api/v1/sites", None);
        assert_eq!(each(&items(&sites), "id"), ["other"], "nor in the list");
        for (method, path) in [
            ("GET", SITE.to_owned()),
            ("PATCH", SITE.to_owned()),
            ("GET", format!("{SITE}/members")),
            ("GET", format!("{SITE}/changes")),
            ("POST", format!("{SITE}/levels")),
            ("GET", format!("{SITE}/access?email=dana@x.example&level=gold")),
            ("POST", format!("{SITE}/webhook-url/rotate")),
        ] {
            let reply = with_key(app, &key, method, &path, Some(&json!({})));
            problem(&reply, 404, "not-found");
        }
        let made = with_key(app, &key, "POST", "/api/v1/sites", Some(&json!({ "id": "third" })));
        problem(&made, 403, "forbidden");
    }

    fn a_key_of_one_site_makes_and_sees_keys_of_that_site_alone(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        let key = key_of(app, &["admin"], Some("other"));
        let asked = json!({ "name": "own", "scopes": ["read"] });
        let own = with_key(app, &key, "POST", "/api/v1/keys", Some(&asked));
        assert_eq!((own.status, &own.json["site"]), (201, &json!("other")), "{own:?}");
        let asked = json!({ "name": "foreign", "scopes": ["read"], "site": "default" });
        refused_at(&with_key(app, &key, "POST", "/api/v1/keys", Some(&asked)), &["/site"]);
        let seen = items(&with_key(app, &key, "GET", "/api/v1/keys", None));
        assert_eq!(each(&seen, "site"), ["other", "other"]);
        let foreign = items(&app.get("/api/v1/keys"));
        let foreign = foreign.iter().find(|key| key["site"].is_null()).expect("the first key");
        let path = format!("/api/v1/keys/{}", foreign["id"].as_str().unwrap());
        problem(&with_key(app, &key, "GET", &path, None), 404, "not-found");
        problem(&with_key(app, &key, "DELETE", &path, None), 404, "not-found");
        assert_eq!(app.get(&path).status, 200, "it is still there");
    }

    fn a_key_that_cannot_be_is_refused_where_it_is_wrong(app: &TestApp) {
        let past = app.clock.now();
        let cases = [
            (json!({ "name": "", "scopes": ["read"] }), "/name"),
            (json!({ "name": "x", "scopes": [] }), "/scopes"),
            (json!({ "name": "x", "scopes": ["owner"] }), "/scopes/0"),
            (json!({ "name": "x", "scopes": ["read"], "site": "nowhere" }), "/site"),
            (json!({ "name": "x", "scopes": ["read"], "expires_at": past }), "/expires_at"),
        ];
        for (asked, pointer) in cases {
            refused_at(&app.post("/api/v1/keys", &asked), &[pointer]);
        }
        let keys = items(&app.get("/api/v1/keys"));
        assert_eq!(each(&keys, "name"), ["first admin key"], "none was made");
    }

    fn a_rotated_webhook_url_is_taken_until_the_overlap_ends(app: &TestApp) {
        let old = app.hook();
        let rotated = app.post(&format!("{SITE}/webhook-url/rotate"), &json!({ "overlap_hours": 2 }));
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let ends = app.clock.now() + TimeDelta::hours(2);
        assert_eq!(rotated.json["previous_ends_at"], json!(ends));
        let new = app.hook();
        assert_ne!(old, new);
        assert!(rotated.json["webhook_url"].as_str().unwrap().ends_with(&new));
        app.clock.set(ends - TimeDelta::microseconds(1));
        for url in [&old, &new] {
            assert_eq!(app.post_raw(url, r#"{"lead":{}}"#).status, 200);
        }
        app.clock.set(ends);
        problem(&app.post_raw(&old, r#"{"lead":{}}"#), 404, "not-found");
        assert_eq!(app.post_raw(&new, r#"{"lead":{}}"#).status, 200);
    }

    fn a_rotation_that_is_told_nothing_overlaps_for_a_day(app: &TestApp) {
        let old = app.hook();
        let path = format!("{SITE}/webhook-url/rotate");
        let rotated = app.request("POST", &path, |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.json["previous_ends_at"], json!(app.clock.now() + TimeDelta::hours(24)));
        assert!(rotated.json["webhook_url"].as_str().unwrap().ends_with(&app.hook()));
        assert_ne!(app.hook(), old);
    }

    fn a_rotation_without_overlap_ends_the_old_url_at_once(app: &TestApp) {
        let old = app.hook();
        let path = format!("{SITE}/webhook-url/rotate");
        assert_eq!(app.post(&path, &json!({ "overlap_hours": 0 })).status, 200);
        problem(&app.post_raw(&old, "{}"), 404, "not-found");
        refused_at(&app.post(&path, &json!({ "overlap_hours": -1 })), &["/overlap_hours"]);
        refused_at(&app.post(&path, &json!({ "overlap_hours": 721 })), &["/overlap_hours"]);
        for _ in 0..9 {
            assert_eq!(app.post(&path, &json!({})).status, 200);
        }
        let shown = app.hook();
        problem(&app.post(&path, &json!({})), 409, "conflict");
        assert_eq!(app.post_raw(&shown, "{}").status, 200, "a refused rotation ends nothing");
    }
}
