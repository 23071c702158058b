//! Every route of the API, taken from its route table: whatever is sent, the answer is documented,
//! never a 5xx, always a problem that says what to do; and the next good webhook is applied.

use super::bodies::{PRODUCT, sale};
use super::{SITE, applied, gold, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Reply, TestApp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The route table itself: a route that is added there is swept without a word here.
const TABLE: &str = include_str!("../../../src/api/mod.rs");
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Each path of the table with its methods.
pub fn table() -> Vec<(&'static str, Vec<&'static str>)> {
    let of = |entry: &'static str| {
        let (path, handlers) = entry.split_once('"').expect("a path");
        let takes = |method: &&str| handlers.contains(&format!(".{}(", method.to_lowercase()));
        (path, METHODS.into_iter().filter(takes).collect())
    };
    TABLE.split("resource(\"").skip(1).map(of).collect()
}

/// A path with its names filled in: things that are there, but for ids, which are nonsense.
fn filled(path: &str) -> String {
    let names = [
        ("{site}", "default"),
        ("{level}", "gold"),
        ("{product}", PRODUCT),
        ("{member}", "dana@x.example"),
        ("{id}", "nonsense"),
    ];
    let path = names.iter().fold(path.to_owned(), |path, (name, with)| path.replace(name, with));
    assert!(!path.contains('{'), "a name that the sweep does not know: {path}");
    format!("/api/v1{path}")
}

/// Every method of every path.
pub fn every_route() -> Vec<(&'static str, String)> {
    let each = |(path, methods): (&str, Vec<&'static str>)| {
        let path = filled(path);
        methods.into_iter().map(move |method| (method, path.clone())).collect::<Vec<_>>()
    };
    table().into_iter().flat_map(each).collect()
}

/// Those that take a body: what is done to a webhook, a plan or what is held open, and a test, has nothing to be told.
fn with_body() -> Vec<(&'static str, String)> {
    let acts = ["/replay", "/discard", "/restore", "/apply", "/release", "/nonsense/test"];
    let takes = |(method, path): &(&str, String)| {
        ["POST", "PATCH"].contains(method) && !acts.iter().any(|act| path.ends_with(act))
    };
    every_route().into_iter().filter(takes).collect()
}

fn send(app: &TestApp, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    let body = body.into();
    app.request(method, path, |request| {
        let request = request.bearer_auth(ADMIN_KEY);
        if body.is_empty() { request } else { request.body(body) }
    })
}

/// The answer is no error of ours, and if it is an error, a problem that says what to do.
#[track_caller]
fn documented(reply: &Reply, what: &str) {
    let known = BTreeMap::from([
        (400, "malformed"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (409, "conflict"),
        (412, "changed-since"),
        (413, "too-large"),
        (422, "invalid"),
    ]);
    if reply.status < 300 {
        return;
    }
    let kind = known.get(&reply.status).unwrap_or_else(|| panic!("{what}: {reply:?}"));
    println!("{what}");
    problem(reply, reply.status, kind);
}

/// Whether no body at all is as good as an empty one.
fn may_say_nothing(path: &str) -> bool {
    ["/resync", "/retry", "/test-purchase", "/drift", "/repair", "/rotate", "/rotate-secret"]
        .iter()
        .any(|act| path.ends_with(act))
}

fn prepared(app: &TestApp) {
    gold(app);
    applied(app, &sale(1001, "dana@x.example"));
}

on_both_databases! {
    fn the_table_is_read_whole(app: &TestApp) {
        let routes = every_route();
        assert!(routes.len() >= 30, "{}", routes.len());
        let handlers = TABLE.matches(".get(").count() + TABLE.matches(".post(").count()
            + TABLE.matches(".patch(").count() + TABLE.matches(".delete(").count();
        assert_eq!(routes.len(), handlers);
        assert!(with_body().len() >= 10);
        assert_eq!(app.get("/api/v1/sites").status, 200);
    }

    fn json_that_is_malformed_is_400(app: &TestApp) {
        prepared(app);
        let deep = "[".repeat(10_000);
        let bodies: [&[u8]; 12] = [
            b"{", b"}", b"nonsense", b"{\"id\":}", b"{\"id\":\"a\"} x", b"{'id':'a'}", b"\xff\xfe", b"id=a", b"\0",
            b"{\"id\":\"\\ud800\"}", b"{\"id\":1e999999}", deep.as_bytes(),
        ];
        for (method, path) in with_body() {
            if !may_say_nothing(&path) {
                problem(&app.request(method, &path, |request| request.bearer_auth(ADMIN_KEY)), 400, "malformed");
            }
            for body in bodies {
                println!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(20)]));
                problem(&send(app, method, &path, body), 400, "malformed");
            }
        }
        next_good_webhook_is_applied(app);
    }

    fn json_with_wrong_content_is_422(app: &TestApp) {
        prepared(app);
        let bodies = [
            json!(null), json!(true), json!(7), json!("text"), json!([]), json!(["a", "b", "c"]), json!([{}]),
        ];
        for (method, path) in with_body() {
            for body in &bodies {
                println!("{method} {path} {body}");
                let reply = send(app, method, &path, body.to_string());
                problem(&reply, 422, "invalid");
                assert_eq!(reply.json["errors"][0]["pointer"], "", "{reply:?}");
            }
            for (key, pointer) in [("surprise", "/surprise"), ("a.b", "/a.b"), ("a/b~c", "/a~1b~0c"), ("", "/"), ("\u{0}", "/\u{0}")] {
                println!("{method} {path} {key}");
                let reply = send(app, method, &path, json!({ key: 1 }).to_string());
                problem(&reply, 422, "invalid");
                assert_eq!(reply.json["errors"][0]["pointer"], pointer, "{reply:?}");
            }
        }
        next_good_webhook_is_applied(app);
    }

    fn every_field_with_every_wrong_type_is_422_at_that_field(app: &TestApp) {
        prepared(app);
        let fields = [
            "id", "name", "kartra_time_zone", "enabled", "ipn_secret", "policy", "ignored", "product_id",
            "price_point", "level", "purchased_from", "purchased_before", "until", "note", "email", "changes", "kind", "config",
            "levels", "limits", "overlap_hours", "welcome",
        ];
        let values = [
            json!([]), json!({}), json!([1]), json!({ "a": 1 }), json!(-1), json!(1.5), json!(u64::MAX),
            json!(true), json!("\u{0}"), json!("x".repeat(200_000)), json!(1e300), json!("\u{1b}[31m"),
        ];
        for (method, path) in with_body() {
            for field in fields {
                for value in &values {
                    let reply = send(app, method, &path, json!({ field: value }).to_string());
                    let what = format!("{method} {path} {field} = {value:.40}");
                    documented(&reply, &what);
                }
            }
        }
        // The sweep may have switched things; what an operator set before is set again.
        assert_eq!(app.patch(SITE, &json!({ "enabled": true, "policy": null, "ipn_secret": null })).status, 200);
        next_good_webhook_is_applied(app);
    }

    fn a_body_over_256_kib_is_413(app: &TestApp) {
        prepared(app);
        for (method, path) in with_body() {
            let mut body = b"{}".to_vec();
            body.resize(256 * 1024 + 1, b' ');
            problem(&send(app, method, &path, body.clone()), 413, "too-large");
            body.pop();
            assert_ne!(send(app, method, &path, body).status, 413, "{method} {path}");
        }
        next_good_webhook_is_applied(app);
    }

    fn odd_names_in_the_path_are_never_an_error_of_ours(app: &TestApp) {
        prepared(app);
        let long = "x".repeat(8_000);
        let odd = [
            "%00", "a%00b", "%FF%FE", "%2F", "..%2F..", "%2e%2e", "%25", "%", "%zz", "a%0Ab", "%20", "%E2%80%AE",
            "'%3B--", "*", "-1", "0", "null", "%7B%7D", "%5C", long.as_str(), "99999999999999999999@x",
        ];
        for (path, methods) in table() {
            for name in ["{site}", "{level}", "{product}", "{member}", "{id}"] {
                for with in odd.iter().filter(|_| path.contains(name)) {
                    let path = filled(&path.replace(name, with));
                    for method in &methods {
                        documented(&send(app, method, &path, if *method == "GET" { "" } else { "{}" }), &format!("{method} {path:.200}"));
                    }
                }
            }
        }
        next_good_webhook_is_applied(app);
    }

    fn an_unknown_site_is_404(app: &TestApp) {
        prepared(app);
        for (method, path) in every_route().into_iter().filter(|(_, path)| path.contains("default")) {
            let path = path.replace("default", "nowhere");
            let query = if path.ends_with("/access") && !path.contains("members") { "?email=a@b&level=gold" } else { "" };
            let body = match path.rsplit('/').next() {
                Some("levels") => json!({ "id": "x" }),
                Some("mappings") => json!({ "product_id": 1, "level": "gold" }),
                Some("plans") => json!({ "changes": [{ "op": "set_policy", "policy": null }] }),
                Some("destinations" | "test") => json!({ "kind": "webhook", "name": "x", "config": { "url": "https://a.example" } }),
                Some("remotes") => json!({ "kind": "webhook", "config": { "url": "https://a.example" } }),
                Some("grants") => json!({ "level": "gold" }),
                Some("check") => json!({ "email": "a@b", "level": "gold" }),
                _ => json!({}),
            };
            println!("{method} {path}");
            let body = if ["GET", "DELETE"].contains(&method) { String::new() } else { body.to_string() };
            let reply = send(app, method, &format!("{path}{query}"), body);
            problem(&reply, 404, "not-found");
            assert!(reply.json["detail"].as_str().expect("words").contains("no such site")
                || path.contains("/recomputes/"), "{reply:?}");
        }
        next_good_webhook_is_applied(app);
    }

    fn an_unknown_query_parameter_is_400(app: &TestApp) {
        prepared(app);
        for (method, path) in every_route() {
            for query in ["surprise=1", "at=now&surprise=", "%00=1", "a=%00", "limit=1&limit=2&x=y", "%FF=%FF"] {
                println!("{method} {path} {query}");
                let body = if ["GET", "DELETE"].contains(&method) { "" } else { "{}" };
                problem(&send(app, method, &format!("{path}?{query}"), body), 400, "malformed");
            }
        }
        next_good_webhook_is_applied(app);
    }

    fn a_wrong_method_is_405_with_what_is_allowed(app: &TestApp) {
        prepared(app);
        for (path, methods) in table() {
            let path = filled(path);
            let with_head = |method: &&'static str| if *method == "GET" { vec!["GET", "HEAD"] } else { vec![*method] };
            let allowed: Vec<&str> = methods.iter().flat_map(with_head).collect();
            for method in METHODS.into_iter().filter(|method| !methods.contains(method)) {
                println!("{method} {path}");
                let reply = send(app, method, &path, "");
                problem(&reply, 405, "method-not-allowed");
                assert_eq!(reply.header("allow"), Some(allowed.join(", ").as_str()), "{method} {path}");
            }
        }
        for path in ["/api/v1", "/api/v1/", "/api/v1/nonsense", "/api/v2/sites", "/nonsense", "/api/v1/sites/default/"] {
            for method in METHODS {
                problem(&send(app, method, path, ""), 404, "not-found");
            }
        }
        next_good_webhook_is_applied(app);
    }

    fn head_is_get_without_the_body(app: &TestApp) {
        prepared(app);
        for (_, path) in every_route().into_iter().filter(|(method, _)| *method == "GET") {
            let get = app.get(&path);
            let head = app.request("HEAD", &path, |request| request.bearer_auth(ADMIN_KEY));
            assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
            assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        }
        next_good_webhook_is_applied(app);
    }

    fn whoever_keeps_an_answer_has_to_ask_before_they_use_it_again(app: &TestApp) {
        prepared(app);
        let says = |reply: &Reply, status: u16| {
            assert_eq!((reply.status, reply.header("cache-control")), (status, Some("no-cache")), "{reply:?}");
        };
        for (_, path) in every_route().into_iter().filter(|(method, _)| *method == "GET") {
            let reply = app.get(&path);
            assert_eq!(reply.header("cache-control"), Some("no-cache"), "{path}: {reply:?}");
        }
        says(&app.get(&format!("{SITE}/members")), 200);
        says(&app.get(&format!("{SITE}/members/dana@x.example/access")), 200);
        let question = json!({ "email": "dana@x.example", "level": "gold" });
        says(&app.post(&format!("{SITE}/access/check"), &question), 200);
        says(&app.post(&format!("{SITE}/levels"), &json!({ "id": "silver" })), 201);
        says(&app.delete(&format!("{SITE}/levels/silver")), 204);
        says(&app.get(&format!("{SITE}/members?x=1")), 400);
        says(&app.request("GET", SITE, |request| request), 401);
        says(&app.get("/api/v1/sites/nowhere/members"), 404);
        says(&app.get("/api/v1/nonsense"), 404);
        says(&send(app, "PUT", SITE, "{}"), 405);

        let door = format!("{SITE}/access?email=dana@x.example&level=gold");
        let answer = app.get(&door);
        says(&answer, 200);
        let tag = answer.header("etag").expect("an ETag").to_owned();
        let known = app.request("GET", &door, |request| request.bearer_auth(ADMIN_KEY).header("if-none-match", &tag));
        says(&known, 304);
        assert_eq!(known.header("etag"), Some(&*tag));
        next_good_webhook_is_applied(app);
    }

    fn errors_say_what_to_do(app: &TestApp) {
        prepared(app);
        let says = |reply: Reply, words: &str| {
            let detail = reply.json["detail"].as_str().expect("words").to_owned();
            assert!(detail.contains(words), "{words}: {reply:?}");
        };
        let mapping = json!({ "product_id": PRODUCT, "level": "gold" });
        let unknown = json!({ "product_id": 1, "level": "silver" });
        says(app.post(&format!("{SITE}/mappings"), &mapping), "Edit that one");
        says(app.post(&format!("{SITE}/mappings"), &unknown), "Make it first");
        says(app.delete(&format!("{SITE}/levels/gold")), "Remove those first");
        says(app.post(&format!("{SITE}/levels"), &json!({ "id": "gold" })), "Choose another id");
        says(app.post("/api/v1/sites", &json!({ "id": "default" })), "Choose another id");
        says(app.patch(&format!("{SITE}/products/{PRODUCT}"), &json!({ "ignored": true })), "Disable or delete it");
        says(app.get(&format!("{SITE}/webhooks/x")), "Look at the list");
        says(app.get(&format!("{SITE}/levels?limit=0")), "from 1 to 500");
        says(app.get(&format!("{SITE}/levels?cursor=x")), "a next_cursor that this list has given");
        says(app.get(&format!("{SITE}/levels?x=1")), "`limit`");
        says(app.post(&format!("{SITE}/levels"), &json!({ "x": 1 })), "`id`");
        says(app.patch(SITE, &json!({ "kartra_time_zone": "x" })), "such as America/New_York");
        says(send(app, "PUT", SITE, "{}"), "Allow header");
        says(app.get("/nonsense"), "no such page");
        says(app.get(&format!("{SITE}/webhooks?status=x")), "`unreadable`");
        assert_eq!(app.get(SITE).json["enabled"], Value::Bool(true));
        next_good_webhook_is_applied(app);
    }
}
