//! Who may ask: `Authorization: Bearer lk_…`, on every route of the API.

use super::sweep::every_route;
use super::{SITE, gold, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Reply, TestApp};
use serde_json::json;

/// A key with one scope.
fn key_with(app: &TestApp, scope: &str) -> String {
    let made = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
    assert_eq!(made.status, 201, "{made:?}");
    made.json["key"].as_str().expect("a key").to_owned()
}

fn ask(app: &TestApp, method: &str, path: &str, key: &str) -> Reply {
    app.request(method, path, |request| request.bearer_auth(key).body("{}"))
}

on_both_databases! {
    fn every_route_asks_for_a_key(app: &TestApp) {
        for (method, path) in every_route() {
            let missing = app.request(method, &path, |request| request.body("{}"));
            problem(&missing, 401, "unauthorized");
            assert_eq!(missing.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            assert!(missing.json["detail"].as_str().expect("words").contains("Authorization: Bearer"));
            problem(&ask(app, method, &path, "lk_wrong"), 401, "unauthorized");
        }
        gold(app);
        next_good_webhook_is_applied(app);
    }

    fn on_every_route_a_key_of_another_site_finds_nothing(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        let asked = json!({ "name": "other", "scopes": ["admin"], "site": "other" });
        let made = app.post("/api/v1/keys", &asked);
        let key = made.json["key"].as_str().expect("a key").to_owned();
        let of_the_site = |path: &str| path.starts_with(SITE);
        let routes = every_route().into_iter().filter(|(_, path)| of_the_site(path));
        for (method, path) in routes {
            let reply = ask(app, method, &path, &key);
            assert_eq!(reply.status, 404, "{method} {path}: {reply:?}");
            assert_eq!(reply.json["detail"], app.get("/api/v1/sites/nowhere").json["detail"]);
        }
        gold(app);
        next_good_webhook_is_applied(app);
    }

    fn a_read_key_writes_nothing_on_any_route(app: &TestApp) {
        let key = key_with(app, "read");
        let hook = app.hook();
        for (method, path) in every_route() {
            let asks_only = method == "GET" || path.ends_with("/access/check");
            let reply = ask(app, method, &path, &key);
            // What a destination offers is asked of it, with its credentials.
            let is_more = path.contains("/keys") || path.ends_with("/remotes");
            assert_eq!(reply.status == 403, !asks_only || is_more, "{method} {path}");
            assert!(!reply.text.contains(&hook), "whoever has the URL can post: {method} {path}");
        }
        gold(app);
        next_good_webhook_is_applied(app);
    }

    fn a_key_is_taken_from_a_well_formed_header_only(app: &TestApp) {
        let odd = [
            "", "Bearer", "Bearer ", "Basic bGs6bGs=", "Token x", "lk_test_admin_key", "Bearer lk_\u{e9}",
            "Bearer lk_test_admin_key x", "Bearerlk_test_admin_key", "Bearer LK_TEST_ADMIN_KEY",
            "Bearer lk_test_admin_ke", "Bearer lk_test_admin_keyy", "Bearer ' OR 1=1 --", "Bearer %00",
        ];
        for header in odd {
            let bytes = reqwest::header::HeaderValue::from_bytes(header.as_bytes()).expect("a value");
            let reply = app.request("GET", SITE, |request| request.header("authorization", bytes));
            println!("{header}");
            problem(&reply, 401, "unauthorized");
        }
        let long = format!("lk_{}", "x".repeat(20_000));
        problem(&ask(app, "GET", SITE, &long), 401, "unauthorized");
        problem(&ask(app, "GET", SITE, "lk_wrong"), 401, "unauthorized");
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let header = format!("{scheme} {ADMIN_KEY}");
            let reply = app.request("GET", SITE, |request| request.header("authorization", header));
            assert_eq!(reply.status, 200, "the name of a scheme has no case (RFC 9110): {scheme}");
        }
    }

    fn a_key_may_do_what_its_scope_says_and_no_more(app: &TestApp) {
        gold(app);
        let id = app.receives("{").json["webhook_id"].as_str().expect("an id").to_owned();
        let webhook = format!("{SITE}/webhooks/{id}");
        let dana = format!("{SITE}/members/dana@x.example");
        let asked = [
            ("GET", SITE.to_owned(), "read"), ("GET", format!("{dana}/access"), "read"),
            ("GET", format!("{SITE}/access?email=a@b&level=gold"), "read"), ("GET", webhook.clone(), "read"),
            ("POST", format!("{SITE}/access/check"), "read"),
            ("POST", format!("{dana}/grants"), "support"), ("POST", format!("{dana}/blocks"), "support"),
            ("POST", format!("{webhook}/replay"), "support"), ("POST", format!("{webhook}/discard"), "support"),
            ("POST", format!("{SITE}/mappings"), "manage"), ("POST", format!("{SITE}/levels"), "manage"),
            ("PATCH", format!("{SITE}/products/7"), "manage"), ("DELETE", format!("{SITE}/levels/x"), "manage"),
            ("POST", "/api/v1/sites".to_owned(), "admin"), ("PATCH", SITE.to_owned(), "admin"),
        ];
        let scopes = ["read", "support", "manage", "admin"];
        let keys = scopes.map(|scope| key_with(app, scope));
        for (method, path, needed) in &asked {
            let needed = scopes.iter().position(|scope| scope == needed).expect("a scope");
            for (has, key) in keys.iter().enumerate() {
                let reply = ask(app, method, path, key);
                if has < needed {
                    problem(&reply, 403, "forbidden");
                    let words = reply.json["detail"].as_str().expect("words").to_owned();
                    assert_eq!(words, format!("Use a key with the scope {}.", scopes[needed]));
                } else {
                    assert!(![401, 403, 500].contains(&reply.status), "{method} {path}: {reply:?}");
                }
            }
        }
        for (key, shown) in keys.iter().zip([false, true, true, true]) {
            let body = ask(app, "GET", &webhook, key).json.get("body").cloned();
            assert_eq!(body, shown.then(|| json!("{")), "bodies are shown from scope support");
        }
        next_good_webhook_is_applied(app);
    }
}
