//! What the readers promise: every documented body, every spelling, and no harm from any other.

use super::values::Amount;
use super::{Feed, Reading, Unreadable, mask_secret, read};
use crate::core::Instant;
use crate::core::event::{Event, EventId, Kind, Observation, Vouched, Witness};
use chrono::TimeZone;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

mod bodies;
mod dates;
mod expected;
mod kinds;
mod laws;
mod masking;
mod samples;
mod spellings;

const NEW_YORK: Tz = chrono_tz::America::New_York;

/// When every body of these tests was received.
fn received_at() -> Instant {
    chrono::Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().expect("an instant")
}

/// The fields that a money event needs, and a date.
fn sale_fields() -> Map<String, Value> {
    object(json!({
        "transaction_id": 7, "transaction_type": "sale", "transaction_date": "2025-03-04 09:20:03",
        "product_id": 558_001, "lead_id": 1, "lead_email": "a@example.com",
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

/// The sale with one more field, or another value in one.
fn sale_with(key: &str, value: Value) -> Map<String, Value> {
    let mut fields = sale_fields();
    fields.insert(key.to_owned(), value);
    fields
}

fn sale_without(keys: &[&str]) -> Map<String, Value> {
    let mut fields = sale_fields();
    fields.retain(|key, _| !keys.contains(&key.as_str()));
    fields
}

/// The outbound body around the fields of a transaction, without a profile.
#[expect(clippy::needless_pass_by_value, reason = "a transaction is made for each body")]
fn outbound(action: &str, transaction: Map<String, Value>) -> String {
    let details = json!({ "transaction_details": transaction });
    json!({ "lead": {}, "action": action, "action_details": details }).to_string()
}

/// The IPN with the same fields: everything is text, and nothing is empty text.
fn ipn(fields: &Map<String, Value>) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (key, value) in fields {
        form.append_pair(key, &text(value));
    }
    form.finish()
}

/// The IPN with the same fields as PHP posts a list of variables: one part for each.
fn multipart(fields: &Map<String, Value>) -> String {
    let part = |(name, value): (String, String)| {
        format!("--Edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = ipn(fields);
    let parts: String = form_urlencoded::parse(form.as_bytes()).into_owned().map(part).collect();
    format!("{parts}--Edge--\r\n")
}

/// What a readable body says.
fn says(body: impl AsRef<[u8]>) -> Observation {
    let body = body.as_ref();
    read(body).says.unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(body)))
}

/// What the same transaction says by either feed; it has to be the same.
fn says_by_either_feed(transaction: Map<String, Value>) -> Observation {
    let by_ipn = says(ipn(&transaction));
    assert_eq!(says(outbound("buy_product", transaction)), by_ipn);
    by_ipn
}

/// Why a body cannot be read.
fn why_not(body: impl AsRef<[u8]>) -> Unreadable {
    read(body.as_ref()).says.expect_err("it should be unreadable")
}

/// The event that a single webhook makes.
fn event(observation: Observation, zone: Tz) -> Event {
    let id = EventId::of(&observation, "webhook");
    let witness = Witness {
        webhook_id: "webhook".to_owned(),
        received_at: received_at(),
        vouched: Vouched::Outbound,
        body_hash: [0; 32],
        observation,
    };
    Event::merge(id, vec![witness], zone).expect("one observation is an event")
}
