//! Whether a value is what a schema says: as much of JSON Schema as the document speaks.

use serde_json::{Map, Value};

/// What a reference leads to; the thing itself where it is none.
pub fn target<'a>(document: &'a Value, thing: &'a Value) -> &'a Value {
    match thing["$ref"].as_str() {
        Some(to) => {
            document.pointer(to.trim_start_matches('#')).expect("a reference that leads somewhere")
        }
        None => thing,
    }
}

/// What is wrong with a value, each with the place.
pub fn fits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let schema = target(document, schema);
    let mut faults = Vec::new();
    if !is_of_type(&schema["type"], value) {
        faults.push(format!(": {value} is no {}", schema["type"]));
    }
    let listed = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    if !listed || schema.get("const").is_some_and(|word| word != value) {
        faults.push(format!(": {value} is not listed"));
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(kinds) = schema[several].as_array()
            && !kinds.iter().any(|kind| fits(document, kind, value).is_empty())
        {
            faults.push(format!(": {value} is none of {several}"));
        }
    }
    if schema["format"] == "date-time"
        && let Some(text) = value.as_str()
        && !(text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok())
    {
        faults.push(format!(": {text} is no instant in UTC"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        faults.extend(under(&at.to_string(), fits(document, &schema["items"], item)));
    }
    if let Some(members) = value.as_object() {
        faults.extend(members_fit(document, schema, members));
    }
    faults
}

/// A member that no property describes is wrong: it was forgotten.
fn members_fit(document: &Value, schema: &Value, members: &Map<String, Value>) -> Vec<String> {
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    let mut faults = Vec::new();
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required.filter(|name| !members.contains_key(name.as_str().expect("a name")));
    faults.extend(missing.map(|name| format!("/{name} is missing")));
    for (name, member) in members {
        match properties.get(name) {
            Some(property) => faults.extend(under(name, fits(document, property, member))),
            None => faults.push(format!("/{name} is not described")),
        }
    }
    faults
}

fn under(name: &str, faults: Vec<String>) -> impl Iterator<Item = String> {
    faults.into_iter().map(move |fault| format!("/{name}{fault}"))
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document speaks of {other}"),
    };
    match kind {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        one => is(one),
    }
}
