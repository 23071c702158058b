//! The OpenAPI document: it names every route, describes everything, gives an example of everything, and
//! says what the program does.

mod fits;
mod said;

use super::bodies::sale;
use super::sweep::table;
use super::{SITE, applied, problem, with_settings};
use crate::support::{ADMIN_KEY, Reply, TestApp};
use fits::{fits, target};
use said::{Operation, operations, walk};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;

const DOCUMENT: &str = "/api/v1/openapi.json";

fn document(app: &TestApp) -> Value {
    let found = app.get(DOCUMENT);
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

fn described(value: &Value) -> bool {
    value["description"].as_str().is_some_and(|words| words.ends_with(['.', '?', '…']))
}

/// What the examples are about, by id.
struct Prepared {
    mapping: String,
    webhook: String,
    destination: String,
    push: String,
}

impl Prepared {
    /// The id of what a path is about.
    fn of(&self, path: &str) -> &str {
        let about = [
            ("webhooks", &self.webhook),
            ("destinations", &self.destination),
            ("pushes", &self.push),
        ];
        let found = about.iter().find(|(noun, _)| path.contains(noun));
        found.map_or(&self.mapping, |(_, id)| id)
    }
}

/// A level, a destination, a product, and somebody who bought it.
fn prepared(app: &TestApp) -> Prepared {
    app.level("gold");
    let config = json!({ "url": format!("http://{}/livez", app.address()) });
    let asked = json!({ "kind": "webhook", "name": "The door", "config": config });
    let made = app.post(&format!("{SITE}/destinations"), &asked);
    let body = sale(1001, "dana@example.com").with("product_id", 558_475);
    let webhook = applied(app, &body);
    let id = |thing: &Value| thing["id"].as_str().expect("an id").to_owned();
    let pushes = app.get(&format!("{SITE}/pushes"));
    Prepared {
        mapping: id(&app.map(&json!({ "product_id": 7, "level": "gold" }))),
        webhook,
        destination: id(&made.json),
        push: id(&pushes.json["items"][0]),
    }
}

/// The application may call itself.
const MAY_CALL_ITSELF: [(&str, &str); 1] = [("egress.allow", "127.0.0.0/8")];

#[test]
fn the_document_names_every_route_and_no_other() {
    with_settings(&[], |app| {
        let document = document(app);
        let said: BTreeSet<String> = operations(&document).iter().map(Operation::name).collect();
        let routes = table().into_iter().flat_map(|(path, methods)| {
            methods.into_iter().map(move |method| format!("{method} {path}"))
        });
        assert_eq!(said, routes.collect());
    });
}

#[test]
fn everything_is_described() {
    with_settings(&[], |app| {
        let document = document(app);
        let mut bare = Vec::new();
        for kind in ["schemas", "parameters", "headers", "responses", "securitySchemes"] {
            for (name, thing) in document["components"][kind].as_object().expect("a kind") {
                bare.extend((!described(thing)).then(|| format!("{kind}/{name}")));
            }
        }
        walk(&document, "", &mut |value, way| {
            let properties = value["properties"].as_object().into_iter().flatten();
            bare.extend(
                properties.filter(|(_, p)| !described(p)).map(|(name, _)| format!("{way}/{name}")),
            );
            let words = value["oneOf"].as_array().into_iter().flatten();
            bare.extend(words.filter(|one| !described(one)).map(|one| format!("{way}: {one}")));
        });
        let mut ids = BTreeSet::new();
        for operation in operations(&document) {
            let (name, says) = (operation.name(), &operation.says);
            assert!(ids.insert(says["operationId"].to_string()), "{name} shares its id");
            assert!(says["summary"].is_string() && described(says), "{name}");
            let tag = json!({ "name": says["tags"][0] })["name"].take();
            let tags = document["tags"].as_array().expect("tags");
            assert!(tags.iter().any(|one| one["name"] == tag && described(one)), "{name}: {tag}");
            for parameter in says["parameters"].as_array().expect("parameters") {
                bare.extend((!described(target(&document, parameter))).then(|| name.clone()));
            }
            for (status, answer) in says["responses"].as_object().expect("answers") {
                let answer = target(&document, answer);
                bare.extend((!described(answer)).then(|| format!("{name}: {status}")));
            }
        }
        assert!(bare.is_empty(), "{bare:#?}");
    });
}

#[test]
fn every_reference_leads_somewhere() {
    with_settings(&[], |app| {
        let document = document(app);
        let mut count = 0;
        walk(&document, "", &mut |value, way| {
            if let Some(reference) = value["$ref"].as_str() {
                count += 1;
                let found = document.pointer(reference.trim_start_matches('#'));
                assert!(found.is_some(), "{way}: {reference}");
            }
        });
        assert!(count > 100, "{count}");
        // And nothing is kept that nobody refers to.
        let text = document.to_string();
        for kind in ["schemas", "parameters", "headers", "responses"] {
            for name in document["components"][kind].as_object().expect("a kind").keys() {
                let reference = format!("\"#/components/{kind}/{name}\"");
                assert!(text.contains(&reference), "nobody refers to {reference}");
            }
        }
    });
}

#[test]
fn every_schema_body_and_good_answer_has_an_example_that_fits() {
    with_settings(&[], |app| {
        let document = document(app);
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            assert!(schema["examples"][0] != Value::Null, "{name} has no example");
            let faults = fits(&document, schema, &schema["examples"][0]);
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
        walk(&document["paths"], "", &mut |value, way| {
            if let Some(content) = value.get("content") {
                let content = &content["application/json"];
                assert!(content["example"] != Value::Null, "{way} has no example");
                let faults = fits(&document, &content["schema"], &content["example"]);
                assert!(faults.is_empty(), "{way}: {faults:?}");
            }
        });
        for operation in operations(&document) {
            let (name, says) = (operation.name(), &operation.says);
            assert_eq!(says.get("requestBody").is_some(), operation.body().is_some(), "{name}");
            let answers = says["responses"].as_object().expect("answers");
            let good = answers.iter().find(|(status, _)| status.starts_with('2'));
            let (status, good) = good.unwrap_or_else(|| panic!("{name} has no good answer"));
            assert_eq!(good.get("content").is_some(), status != "204", "{name}");
        }
    });
}

#[test]
fn every_example_of_a_body_is_taken_and_every_answer_is_declared_and_fits() {
    with_settings(&MAY_CALL_ITSELF, |app| {
        let prepared = prepared(app);
        let document = document(app);
        let mut bodies = 0;
        for operation in operations(&document) {
            // Deletions come last: what they delete is asked for before.
            if operation.method == "DELETE" {
                continue;
            }
            let mut address = operation.address(&document, prepared.of(&operation.path));
            if operation.path.ends_with("{site}/access") {
                address.push_str("?email=dana@example.com&level=gold");
            }
            let reply = operation.send(app, &address, ADMIN_KEY);
            if operation.body().is_some() {
                bodies += 1;
                assert!((200..300).contains(&reply.status), "{}: {reply:?}", operation.name());
            }
            declared(&document, &operation, &reply);
        }
        assert!(bodies >= 12, "{bodies}");
        for operation in operations(&document).iter().filter(|o| o.method == "DELETE") {
            let reply = operation.send(
                app,
                &operation.address(&document, prepared.of(&operation.path)),
                ADMIN_KEY,
            );
            declared(&document, operation, &reply);
        }
    });
}

/// The status, the headers and the content of an answer are what the document says.
#[track_caller]
fn declared(document: &Value, operation: &Operation, reply: &Reply) {
    let what = format!("{}: {reply:?}", operation.name());
    let answer = &operation.says["responses"][reply.status.to_string()];
    assert!(answer.is_object(), "not declared: {what}");
    let answer = target(document, answer);
    let kind = if reply.status < 400 { "application/json" } else { "application/problem+json" };
    let schema = &answer["content"][kind]["schema"];
    assert_eq!(schema.is_object(), !reply.text.is_empty(), "{what}");
    if schema.is_object() {
        assert_eq!(reply.header("content-type"), Some(kind), "{what}");
        let faults = fits(document, schema, &reply.json);
        assert!(faults.is_empty(), "{faults:?}: {what}");
    }
    let headers = answer["headers"].as_object();
    for header in ["ETag", "Location", "Retry-After", "WWW-Authenticate"] {
        let said = headers.is_some_and(|headers| headers.contains_key(header));
        assert_eq!(reply.header(header).is_some(), said, "{header}: {what}");
    }
}

#[test]
fn every_problem_that_can_be_provoked_is_declared() {
    with_settings(&MAY_CALL_ITSELF, |app| {
        prepared(app);
        let document = document(app);
        let all = operations(&document);
        let of = |id: &str| all.iter().find(|o| o.says["operationId"] == id).expect("an operation");
        for operation in &all {
            let address = operation.address(&document, "nonsense");
            declared(&document, operation, &app.request(&operation.method, &address, |it| it));
            let query = format!("{address}?surprise=1");
            declared(&document, operation, &operation.send(app, &query, ADMIN_KEY));
            let elsewhere = address.replace("/default", "/nowhere");
            declared(&document, operation, &operation.send(app, &elsewhere, ADMIN_KEY));
            if operation.body().is_some() {
                for body in ["{", "[]", "{\"surprise\":1}", &" ".repeat(256 * 1024 + 1)] {
                    let send = |it: reqwest::RequestBuilder| {
                        it.bearer_auth(ADMIN_KEY).body(body.to_owned())
                    };
                    declared(&document, operation, &app.request(&operation.method, &address, send));
                }
            }
        }
        let twice = json!({ "id": "gold" });
        declared(&document, of("createLevel"), &app.post(&format!("{SITE}/levels"), &twice));
        declared(&document, of("deleteLevel"), &app.delete(&format!("{SITE}/levels/gold")));
        let level = format!("{SITE}/levels/gold");
        let stale = super::write_if(app, "PATCH", &level, "\"another\"", &json!({}));
        assert_eq!(stale.status, 412);
        declared(&document, of("editLevel"), &stale);
        let tag = app.get(&level).header("etag").expect("an ETag").to_owned();
        let known = app.request("GET", &level, |request| {
            request.bearer_auth(ADMIN_KEY).header("if-none-match", tag)
        });
        assert_eq!(known.status, 304);
        declared(&document, of("getLevel"), &known);
    });
}

#[test]
fn every_operation_needs_the_scope_that_it_names() {
    with_settings(&MAY_CALL_ITSELF, |app| {
        prepared(app);
        let document = document(app);
        let scopes = ["read", "support", "manage", "admin"];
        let key = |scope: &str| {
            let made = app.post("/api/v1/keys", &json!({ "name": scope, "scopes": [scope] }));
            made.json["key"].as_str().expect("a key").to_owned()
        };
        let keys = scopes.map(key);
        for operation in operations(&document) {
            let needed = scopes.iter().position(|scope| *scope == operation.scope());
            let needed = needed.expect("a scope of ours");
            let address = operation.address(&document, "nonsense");
            for (held, key) in keys.iter().enumerate() {
                let status = operation.send(app, &address, key).status;
                let what = format!("{} with {}: {status}", operation.name(), scopes[held]);
                assert_eq!(status == 403, held < needed, "{what}");
            }
        }
    });
}

#[test]
fn the_document_is_the_same_on_both_databases_and_behind_a_path_and_needs_a_key() {
    let documents = RefCell::new(Vec::new());
    with_settings(&[], |app| {
        problem(&app.request("GET", DOCUMENT, |request| request), 401, "unauthorized");
        documents.borrow_mut().push(document(app));
    });
    with_settings(&[("server.public_url", "https://doors.example/latchkey")], |app| {
        let mut document = document(app);
        let url = document["servers"][0]["url"].take();
        assert_eq!(url, "/latchkey/api/v1");
        document["servers"][0]["url"] = json!("/api/v1");
        documents.borrow_mut().push(document);
    });
    let documents = documents.into_inner();
    assert!(documents.len() >= 2);
    assert!(documents.iter().all(|document| *document == documents[0]));
}
