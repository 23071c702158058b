//! The program through HTTP, in the words of the contract, on both databases: one file a noun, as in
//! the tree of URLs.

mod access;
mod auth;
mod blocks;
mod bodies;
mod changes;
mod concurrency;
mod connection;
mod destinations;
mod door;
mod explain;
mod grants;
mod health;
mod hooks;
mod hooks_full;
mod hooks_group;
mod hooks_odd;
mod hooks_raw;
mod hooks_secret;
mod keys;
mod levels;
mod mappings;
mod mappings_refused;
mod members;
mod openapi;
mod paging;
mod plans;
mod products;
mod proxies;
mod pushes;
mod raw;
mod recomputes;
mod sites;
mod sites_deleted;
mod stats;
mod stream;
pub mod sweep;
mod test_purchase;
mod timeline;
mod webhooks;

use crate::support::{Database, Reply, TestApp};
use serde_json::Value;

/// The site that every test application has.
const SITE: &str = "/api/v1/sites/default";

/// Tells a story to an application with settings of its own, on both databases.
fn with_settings(settings: &[(&str, &str)], story: impl Fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, settings);
        story(&app);
        app.is_as_the_events_say();
    }
}

/// The answer is a problem (RFC 9457) of this status and type.
#[track_caller]
fn problem(reply: &Reply, status: u16, kind: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
    assert_eq!(reply.json["type"], format!("/problems/{kind}"), "{reply:?}");
    assert_eq!(reply.json["status"], status, "{reply:?}");
    for words in ["title", "detail"] {
        assert!(reply.json[words].as_str().is_some_and(|text| !text.is_empty()), "{reply:?}");
    }
}

/// The body was JSON with something wrong at just these places.
#[track_caller]
fn refused_at(reply: &Reply, pointers: &[&str]) {
    problem(reply, 422, "invalid");
    let errors = reply.json["errors"].as_array().expect("errors");
    let found: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(found, pointers, "{reply:?}");
    assert!(errors.iter().all(|error| error["detail"].is_string()), "{reply:?}");
}

/// The items of a list.
#[track_caller]
fn items(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["items"].as_array().expect("items").clone()
}

/// One key of every item, as text.
#[track_caller]
fn each(items: &[Value], key: &str) -> Vec<String> {
    let text = |item: &Value| item[key].as_str().map_or_else(|| item[key].to_string(), Into::into);
    items.iter().map(text).collect()
}

/// The answer made something: 201 with a `Location` at which the same thing is fetched.
#[track_caller]
fn made(app: &TestApp, reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "{reply:?}");
    let location = reply.header("location").expect("a Location");
    let found = app.get(location);
    assert_eq!(found.status, 200, "{location}: {found:?}");
    let mut thing = reply.json.clone();
    thing.as_object_mut().expect("an object").remove("recompute");
    assert_eq!(found.json, thing, "what was made is what is fetched");
    assert_eq!(found.header("etag"), reply.header("etag"), "the same thing has the same ETag");
    reply.json.clone()
}

/// A level and a mapping of the usual product to it.
fn gold(app: &TestApp) -> Value {
    app.level("gold");
    app.map(&serde_json::json!({ "product_id": bodies::PRODUCT, "level": "gold" }))
}

/// The body is received and applied.
#[track_caller]
fn applied(app: &TestApp, body: &bodies::Body) -> String {
    let reply = app.receives(body.json());
    assert_eq!(reply.status, 200, "{reply:?}");
    app.drain();
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

/// After whatever was wrong, the next good webhook is applied: somebody new buys, and has gold.
#[track_caller]
fn next_good_webhook_is_applied(app: &TestApp) {
    let number = 900_000 + u64::try_from(app.webhooks().len()).expect("a count");
    let email = format!("good{number}@x.example");
    let id = applied(app, &bodies::sale(number, &email));
    assert_eq!(app.get(&format!("{SITE}/webhooks/{id}")).json["status"], "applied");
    assert_eq!(app.levels_of(&email), ["gold"], "{email}");
}

/// A write that is sent with `If-Match`.
fn write_if(app: &TestApp, method: &str, path: &str, tag: &str, body: &Value) -> Reply {
    app.request(method, path, |request| {
        let request = request.bearer_auth(crate::support::ADMIN_KEY).header("if-match", tag);
        if method == "DELETE" { request } else { request.body(body.to_string()) }
    })
}

/// A single resource has an `ETag` that `If-None-Match` and `If-Match` are held against; `change` is
/// a body that changes it.
#[track_caller]
fn honours_etags(app: &TestApp, path: &str, change: &Value) {
    let first = app.get(path);
    let tag = first.header("etag").expect("an ETag").to_owned();
    let same = app.request("GET", path, |request| {
        request.bearer_auth(crate::support::ADMIN_KEY).header("if-none-match", &tag)
    });
    assert_eq!((same.status, same.text.as_str()), (304, ""), "{same:?}");
    problem(&write_if(app, "PATCH", path, "\"another\"", change), 412, "changed-since");
    assert_eq!(app.get(path).json, first.json, "what is refused changes nothing");
    let written = write_if(app, "PATCH", path, &format!("\"another\", {tag}"), change);
    assert_eq!(written.status, 200, "{written:?}");
    let now = app.get(path);
    assert_ne!(now.header("etag"), Some(tag.as_str()), "it has changed");
    assert_eq!(now.header("etag"), written.header("etag"));
    problem(&write_if(app, "PATCH", path, &tag, change), 412, "changed-since");
    assert_eq!(write_if(app, "PATCH", path, "*", change).status, 200);
}
