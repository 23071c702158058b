//! What paths, queries and headers are made of.

use crate::core::kartra::values::{EMAIL_BYTES_MAX, ID_BYTES_MAX};
use crate::web::extract::{PAGE_ITEMS, PAGE_ITEMS_MAX};
use crate::web::shapes::{Email, Slug};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

/// The query parameters that mean the same in every list.
const OF_LISTS: [&str; 2] = ["limit", "cursor"];

/// The parameters that several operations share, by name.
pub fn shared() -> Value {
    let slug = Slug::json_schema(&mut SchemaGenerator::default()).to_value();
    let text =
        |bytes_max: usize| json!({ "type": "string", "minLength": 1, "maxLength": bytes_max });
    json!({
        "site": in_path("site", "The site's id, a slug; `default` exists from the first start.", &slug, "default"),
        "level": in_path("level", "The level's id, a slug.", &slug, "gold"),
        "product": in_path("product", "Kartra's product id.", &text(ID_BYTES_MAX), "558475"),
        "member": in_path(
            "member",
            "The member's opaque id, or the e-mail address, percent-encoded. An address that nobody has is a \
             member without levels; an id that nobody has is 404.",
            &member(),
            "dana@example.com",
        ),
        "id": in_path("id", "The thing's id, as the list that it is in shows it.", &text(ID_BYTES_MAX), super::examples::ID),
        "limit": {
            "name": "limit",
            "in": "query",
            "description": "How many items the page has at most.",
            "schema": { "type": "integer", "minimum": 1, "maximum": PAGE_ITEMS_MAX, "default": PAGE_ITEMS },
            "example": PAGE_ITEMS,
        },
        "cursor": {
            "name": "cursor",
            "in": "query",
            "description": "The `next_cursor` of the page before; the first page where none is given.",
            "schema": { "type": "string", "minLength": 1 },
        },
        "If-Match": {
            "name": "If-Match",
            "in": "header",
            "description": "The `ETag` under which the thing was read. When somebody has changed it since, nothing \
                            is written and the answer is 412. `*` matches whatever is there.",
            "schema": { "type": "string" },
            "example": "*",
        },
        "Last-Event-ID": {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "Of a stream that is taken up again: the id of the last change that was read. It goes \
                            before `after`, and says nothing where no stream is asked for.",
            "schema": { "type": "string" },
            "example": "17",
        },
        "If-None-Match": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` under which the thing was read. When it is still the same, the answer is 304.",
            "schema": { "type": "string" },
            "example": super::examples::ETAG,
        },
    })
}

/// An address, or an id, in which no `@` is.
fn member() -> Value {
    let mut address = Email::json_schema(&mut SchemaGenerator::default());
    let id = json!({ "type": "string", "minLength": 1, "maxLength": EMAIL_BYTES_MAX, "pattern": "^[^@\\u0000]+$" });
    json!({ "anyOf": [address.ensure_object(), id] })
}

fn in_path(name: &str, description: &str, schema: &Value, example: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": schema,
        "example": example,
    })
}

/// What a feed is as a stream.
pub fn event_stream() -> Value {
    json!({
        "schema": { "type": "string", "description": "Server-Sent Events." },
        "example": "id: 17\nevent: change\ndata: {\"id\":17,…}\n\n",
    })
}

/// One that is shared, by its name.
pub fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The names in a path.
pub fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|behind| behind.split_once('}').map(|(name, _)| name))
}

/// The parameters of a query, out of the schema of the type that it is read into.
pub fn of_query(query: &Value) -> Vec<Value> {
    let required = query["required"].as_array().cloned().unwrap_or_default();
    let one = |(name, schema): (&String, &Value)| {
        if OF_LISTS.contains(&name.as_str()) {
            return named(name);
        }
        let mut schema = never_null(schema);
        let description = schema.as_object_mut().and_then(|keys| keys.remove("description"));
        let mut parameter = json!({
            "name": name,
            "in": "query",
            "required": required.iter().any(|required| required == name),
            "description": description,
            "schema": schema,
        });
        if let Some(example) = super::examples::of_parameter(name) {
            parameter["example"] = example;
        }
        parameter
    };
    query["properties"].as_object().into_iter().flatten().map(one).collect()
}

/// A query has no way to say null: what may be absent may not be written so.
fn never_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let is_null = |one: &Value| *one == json!("null") || *one == json!({ "type": "null" });
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|one| !is_null(one)).cloned().unwrap_or_default();
    }
    if let Some(kinds) = schema.get("anyOf").and_then(Value::as_array).cloned() {
        let kind = kinds.into_iter().find(|one| !is_null(one)).unwrap_or_default();
        if let (Some(keys), Some(kind)) = (schema.as_object_mut(), kind.as_object()) {
            keys.remove("anyOf");
            keys.extend(kind.clone());
        }
    }
    schema
}
