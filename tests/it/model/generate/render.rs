//! How Kartra writes a message down: one thing in many ways, as `wire.md` and the samples have them.

use chrono::NaiveDateTime;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::super::story::{Feed, Kind, Message, Vouched};

/// The secret that the site's IPN notification carries.
pub const IPN_SECRET: &str = "ipn-secret-EXAMPLE";

/// The message as the bytes of a request.
pub fn body(rng: &mut ChaCha8Rng, message: &Message, feed: Feed, vouched: Vouched) -> Vec<u8> {
    match feed {
        Feed::Outbound => outbound(rng, message).to_string().into_bytes(),
        Feed::Ipn => ipn(rng, message, vouched).into_bytes(),
    }
}

/// What kind of value a field holds, which decides how none is written.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Id,
    Count,
    Amount,
    Date,
    Text,
}

/// A field by its name in Kartra, with its value as text.
type Field = (&'static str, Shape, Option<String>);

fn outbound(rng: &mut ChaCha8Rng, message: &Message) -> Value {
    let mut lead = Map::new();
    lead.insert("first_name".into(), json!("Dana"));
    put(rng, &mut lead, &("email", Shape::Text, message.profile_email.clone()));
    let money = message.kind != Kind::Other;
    // The lead id stands in one of two places or in both; the transaction's wins.
    let place = if money { rng.random_range(0..4) } else { 0 };
    let in_lead = message.lead_id.clone().filter(|_| place != 1);
    let in_transaction = message.lead_id.clone().filter(|_| place != 0);
    let legacy = rng.random_bool(0.1);
    let decoy = (place == 2 && !legacy && in_transaction.is_some() && rng.random_bool(0.1))
        .then(|| "799".to_owned());
    put(rng, &mut lead, &("id", Shape::Id, decoy.or(in_lead)));
    if !money {
        let details = json!({ "tag": { "tag_id": 77120, "tag_name": "Meal Plan - active" } });
        return json!({ "lead": lead, "action": message.name, "action_details": details });
    }
    let mut details = Map::new();
    for field in fields(rng, message, in_transaction, legacy) {
        put(rng, &mut details, &field);
    }
    put_type(rng, &mut details, message);
    json!({ "lead": lead, "action": message.name, "action_details": { "transaction_details": details } })
}

/// The type may be left out where the action alone tells the kind.
fn put_type(rng: &mut ChaCha8Rng, details: &mut Map<String, Value>, message: &Message) {
    let telling = matches!(
        (message.kind, message.name.as_str()),
        (Kind::Sale | Kind::Cancellation | Kind::Refund, _)
            | (Kind::PartialRefund, "partial_refund_product")
    );
    if telling && rng.random_bool(0.3) {
        put(rng, details, &("transaction_type", Shape::Text, None));
    } else {
        details.insert("transaction_type".into(), json!(type_of(message.kind)));
    }
}

fn put(rng: &mut ChaCha8Rng, into: &mut Map<String, Value>, (name, shape, value): &Field) {
    let written = match value {
        Some(value) => Some(written(rng, *shape, value)),
        None => none_in_json(rng, *shape),
    };
    if let Some(written) = written {
        into.insert((*name).to_owned(), written);
    }
}

/// A value as JSON: numbers at times as numbers, at times as strings.
fn written(rng: &mut ChaCha8Rng, shape: Shape, value: &str) -> Value {
    if rng.random_bool(0.5) {
        return json!(value);
    }
    match (shape, value.parse::<i64>(), value.parse::<f64>()) {
        (Shape::Id | Shape::Count, Ok(number), _) => json!(number),
        (Shape::Amount, _, Ok(number)) => json!(number),
        _ => json!(value),
    }
}

fn none_in_json(rng: &mut ChaCha8Rng, shape: Shape) -> Option<Value> {
    match rng.random_range(0..4) {
        0 => None,
        1 => Some(Value::Null),
        2 if matches!(shape, Shape::Id | Shape::Date) => Some(json!(0)),
        _ => none_in_form(rng, shape).map(Value::from),
    }
}

fn none_in_form(rng: &mut ChaCha8Rng, shape: Shape) -> Option<&'static str> {
    let ways: &[Option<&'static str>] = match shape {
        Shape::Id => &[None, Some(""), Some("N/A"), Some("N/A"), Some("0")],
        Shape::Date => &[
            None,
            Some(""),
            Some("N/A"),
            Some("0"),
            Some("0000-00-00 00:00:00"),
            Some("0000-00-00 00:00:00"),
        ],
        Shape::Count | Shape::Amount | Shape::Text => &[None, Some(""), Some("N/A"), Some("N/A")],
    };
    ways.choose(rng).copied().flatten()
}

fn ipn(rng: &mut ChaCha8Rng, message: &Message, vouched: Vouched) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let legacy = rng.random_bool(0.1);
    for (name, shape, value) in fields(rng, message, message.lead_id.clone(), legacy) {
        let written = value.or_else(|| none_in_form(rng, shape).map(str::to_owned));
        pairs.extend(written.map(|written| (name.to_owned(), written)));
    }
    pairs.push(("transaction_type".into(), type_of(message.kind).into()));
    pairs.push(("product_name".into(), "Meal Plan & Membership".into()));
    if vouched == Vouched::IpnRight {
        pairs.push(("secret_key".into(), IPN_SECRET.into()));
    }
    let written: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    written.join("&")
}

/// All fields but the type. Old notifications call the person a buyer.
fn fields(
    rng: &mut ChaCha8Rng,
    message: &Message,
    lead_id: Option<String>,
    legacy: bool,
) -> Vec<Field> {
    let (id_name, email_name) =
        if legacy { ("buyer_id", "buyer_email") } else { ("lead_id", "lead_email") };
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let mut fields = vec![
        ("transaction_id", Shape::Id, message.transaction_id.clone()),
        ("product_id", Shape::Id, message.product_id.clone()),
        ("product_price_point", Shape::Id, message.price_point.clone()),
        ("transaction_internal_subscription_id", Shape::Id, message.subscription_id.clone()),
        ("original_id", Shape::Id, message.original_id.clone()),
        ("transaction_parent_id", Shape::Id, message.parent_id.clone()),
        ("transaction_date", Shape::Date, message.date.map(date)),
        ("transaction_full_amount", Shape::Amount, message.amount.map(amount)),
        ("transaction_subscription_pay_number", Shape::Count, number(message.pay_number)),
        ("trial", Shape::Count, number(message.trial)),
        ("trial_period", Shape::Count, number(message.trial_period)),
        ("rebill_circle", Shape::Count, number(message.rebill_circle)),
        ("installments", Shape::Count, number(message.installments)),
        ("payments_left", Shape::Count, number(message.payments_left)),
        (id_name, Shape::Id, lead_id),
        (email_name, Shape::Text, message.transaction_email.clone()),
    ];
    if !legacy && message.transaction_email.is_some() && rng.random_bool(0.05) {
        fields.push(("buyer_email", Shape::Text, Some("nobody@example.com".to_owned())));
    }
    fields
}

fn date(date: NaiveDateTime) -> String {
    date.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Sale => "sale",
        Kind::Rebill => "rebill",
        Kind::PaymentFailed => "failed",
        Kind::PartialRefund => "partial_refund",
        Kind::Cancellation => "cancellation",
        Kind::Refund => "refund",
        Kind::Chargeback => "chargeback",
        Kind::Other => "",
    }
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

/// The value as a form has it.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for byte in value.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    escaped
}
