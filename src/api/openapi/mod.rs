//! The OpenAPI document of the API, made from the code that serves it.
//!
//! What a handler takes it says in its signature: the scope, the query, the body ([`part`]). What it
//! answers stands in one [`table`], a line or two an operation; the answers that many operations share
//! stand in [`answers`], what paths, queries and headers share in [`parameters`]. The schemas come from
//! the types themselves with the words that stand on them, their [`examples`] from one file.

#![expect(
    clippy::indexing_slicing,
    reason = "only JSON that is made here is indexed, and what is not there is null"
)]

mod answers;
mod examples;
mod operation;
mod parameters;
mod part;
mod schemas;
mod table;

use crate::app::App;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Nothing, Query};
use actix_web::{HttpResponse, web};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use schemas::Schemas;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What the document says of the API as a whole.
const ABOUT: &str = "Keeps the doors of a membership site in step with what Kartra sells.\n\n\
    Every request carries a key. A scope contains those before it: `read`, `support` (and bodies, overrides, \
    replay, discard), `manage` (and mappings, levels, products, \
    destinations), `admin` (and sites, keys). A key that is bound to \
    a site finds nothing of another one.\n\n\
    Every error is a problem (RFC 9457) with a stable `type` and a `detail` that says what to do. Fields and \
    parameters that are not named here are refused. Times are RFC 3339 in UTC. Kartra's ids are strings in answers; \
    bodies may give numbers. Wherever `GET` is taken, so is `HEAD`; any other method is answered 405 with `Allow`.";

/// An OpenAPI document, as a schema of itself.
pub struct Document;

impl JsonSchema for Document {
    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "description": "An OpenAPI document.", "required": ["openapi", "paths"] })
    }
}

/// `GET /openapi.json`
pub async fn get(app: web::Data<App>, _: Auth<Read>, _: Query<Nothing>) -> HttpResponse {
    HttpResponse::Ok().json(document(app.base_url()))
}

/// The whole document, for an API that stands under a base URL.
fn document(base_url: &str) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for noun in table::nouns() {
        tags.push(json!({ "name": noun.name, "description": noun.what }));
        for operation in noun.operations {
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            if let Some(methods) = path.as_object_mut() {
                let shown = operation.shown(noun.name, &mut schemas);
                methods.insert(operation.method.to_owned(), shown);
            }
        }
    }
    let problems = answers::shared(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Latchkey",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": format!("{}/api/v1", path_of(base_url)), "description": "Where this document is" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.described(),
            "parameters": parameters::shared(),
            "headers": answers::headers(),
            "responses": problems,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key, `lk_…`. What it may do are its scopes; each operation names the one it needs.",
                },
            },
        },
    })
}

/// The path of a URL, without a slash at its end.
fn path_of(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.find('/').map_or("", |slash| behind.get(slash..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_of_a_base_url_is_what_stands_behind_its_host() {
        for (url, path) in [
            ("http://127.0.0.1:8080", ""),
            ("https://doors.example", ""),
            ("https://doors.example/latchkey", "/latchkey"),
            ("https://[::1]:8080/a/b", "/a/b"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
