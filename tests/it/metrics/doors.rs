//! Who may read `/metrics`, and where.

use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Database, Reply, TestApp};
use serde_json::json;

fn with(app: &TestApp, key: &str) -> Reply {
    app.request("GET", "/metrics", |request| request.bearer_auth(key))
}

fn new_key(app: &TestApp, body: &serde_json::Value) -> String {
    let made = app.post("/api/v1/keys", body);
    assert_eq!(made.status, 201, "{made:?}");
    made.json["key"].as_str().expect("a key").to_owned()
}

on_both_databases! {
    fn the_main_address_asks_for_a_key_that_may_read_every_site(app: &TestApp) {
        let without = app.request("GET", "/metrics", |request| request);
        assert_eq!((without.status, &without.json["type"]), (401, &json!("/problems/unauthorized")));
        assert_eq!(with(app, "lk_nobody").status, 401);
        let read = new_key(app, &json!({ "name": "prometheus", "scopes": ["read"] }));
        let reply = with(app, &read);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(reply.text.contains("\nlatchkey_build_info{version="), "{}", reply.text);
        let bound = json!({ "name": "of one site", "scopes": ["admin"], "site": "default" });
        let bound = with(app, &new_key(app, &bound));
        assert_eq!((bound.status, &bound.json["type"]), (403, &json!("/problems/forbidden")));
        let head = app.request("HEAD", "/metrics", |request| request.bearer_auth(&read));
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(app.post("/metrics", &json!({})).status, 405);
    }
}

#[test]
fn an_address_of_its_own_serves_metrics_alone_and_without_a_key() {
    let app = TestApp::start_with(Database::sqlite(), &[("metrics.bind", "127.0.0.1:0")]);
    let base = app.metrics.clone().expect("an address");
    let reply = app.get_from(&base, "/metrics");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.text.contains("\nlatchkey_database_up 1\n"), "{}", reply.text);
    for path in ["/", "/livez", "/readyz", "/api/v1/sites", "/hooks/kartra/x"] {
        assert_eq!(app.get_from(&base, path).status, 404, "{path}");
    }
    assert_eq!(with(&app, ADMIN_KEY).status, 404, "it has left the main address");
}
