//! Reads what Kartra posts: the outbound API's JSON and the IPN's form, on the same URL.
//!
//! The content type that Kartra sends is unknown (wire.md 1.1), so the body itself decides which of
//! the two it is. Reading never fails: what cannot be read says why.

mod ipn;
mod mask;
mod multipart;
mod outbound;
pub mod values;

pub use mask::{MASK, mask_secret};

use crate::core::event::{Kind, Observation, Person};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use values::{Fields, TooLong};

/// How deep JSON may be nested.
pub const JSON_DEPTH_MAX: usize = 64;

/// Which of Kartra's two feeds a webhook came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// The outbound API: JSON with `lead`, `action`, `action_details`.
    Outbound,
    /// The Instant Payment Notification: a flat form with a `secret_key`.
    Ipn,
    /// Neither could be recognised.
    Unknown,
    /// No feed of Kartra's: a test purchase that an operator has sent, which is never applied.
    Test,
}

impl Feed {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Ipn => "ipn",
            Self::Unknown => "unknown",
            Self::Test => "test",
        }
    }

    /// The feed that a word names; what is no word of ours is unknown.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "outbound" => Self::Outbound,
            "ipn" => Self::Ipn,
            "test" => Self::Test,
            _ => Self::Unknown,
        }
    }
}

/// What one body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The feed that it came by.
    pub feed: Feed,
    /// The `secret_key` of an IPN, in clear; `None` where it carried none.
    pub secret: Option<String>,
    /// The observation in it, or why there is none.
    pub says: Result<Observation, Unreadable>,
}

/// Why a body holds no observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing was sent.
    Empty,
    /// It is neither JSON nor a form.
    NeitherJsonNorForm,
    /// It is nested deeper than [`JSON_DEPTH_MAX`].
    TooDeep,
    /// A money event without this.
    Without(&'static str),
    /// A value that cannot be one of Kartra's.
    TooLong(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the body is empty"),
            Self::NeitherJsonNorForm => write!(f, "neither a JSON object nor a form"),
            Self::TooDeep => write!(f, "JSON nested deeper than {JSON_DEPTH_MAX}"),
            Self::Without(what) => write!(f, "a money event without {what}"),
            Self::TooLong(key) => write!(f, "{key} is longer than {} bytes", values::ID_BYTES_MAX),
        }
    }
}

/// Reads a body, whatever its content type said.
#[must_use]
pub fn read(body: &[u8]) -> Reading {
    // Other charsets than UTF-8 only ever spoil names: ids, dates and types are ASCII.
    let text = String::from_utf8_lossy(body);
    let text = text.trim_matches(is_blank);
    let unreadable = |why| Reading { feed: Feed::Unknown, secret: None, says: Err(why) };
    if text.is_empty() {
        return unreadable(Unreadable::Empty);
    }
    if is_json(text) {
        if depth(text) > JSON_DEPTH_MAX {
            return unreadable(Unreadable::TooDeep);
        }
        return match serde_json::from_str(text) {
            Ok(serde_json::Value::Object(object)) => outbound::read(&object),
            _ => unreadable(Unreadable::NeitherJsonNorForm),
        };
    }
    match form(text) {
        Some(pairs) => ipn::read(Fields::Form(&pairs)),
        None => unreadable(Unreadable::NeitherJsonNorForm),
    }
}

/// What may stand around a body: white space and byte order marks.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Whether a text without its surroundings is meant as JSON; what is not is meant as a form.
fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[', '"'])
}

/// The pairs of a form, or `None` where the text is no form: every name has to look like one.
fn form(text: &str) -> Option<HashMap<String, String>> {
    let name_like = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.[]".contains(c))
    };
    if !text.contains('=') {
        return None;
    }
    let pairs: HashMap<String, String> = match multipart::parts(text.as_bytes()) {
        Some(parts) => {
            let pair = |part: multipart::Part| Some((part.name, text.get(part.value)?.to_owned()));
            parts.into_iter().filter_map(pair).collect()
        }
        None => form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
    };
    pairs.keys().all(|name| name_like(name)).then_some(pairs)
}

/// How deep a JSON text is nested, counted without building anything.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The kind that a `transaction_type` names, in either feed; `None` for one that is not known.
fn kind_of_transaction_type(word: &str) -> Option<Kind> {
    match word.to_ascii_lowercase().as_str() {
        "sale" => Some(Kind::Sale),
        "rebill" => Some(Kind::Rebill),
        "failed" => Some(Kind::PaymentFailed),
        "cancellation" => Some(Kind::Cancellation),
        "refund" => Some(Kind::Refund),
        "partial_refund" => Some(Kind::PartialRefund),
        "chargeback" => Some(Kind::Chargeback),
        _ => None,
    }
}

/// Reads the money fields, which both feeds name alike, and asks for what a money event needs.
fn money(kind: Kind, fields: Fields<'_>, person: Person) -> Result<Observation, Unreadable> {
    let transaction_id = fields.id("transaction_id")?;
    let transaction_id = transaction_id.ok_or(Unreadable::Without("transaction_id"))?;
    let product_id = fields.id("product_id")?.ok_or(Unreadable::Without("product_id"))?;
    if person.is_nobody() {
        return Err(Unreadable::Without("a person: neither lead id nor e-mail"));
    }
    Ok(Observation {
        kind,
        name: None,
        transaction_id: Some(transaction_id),
        person,
        product_id: Some(product_id),
        product_name: fields.name("product_name"),
        price_point: fields.id("product_price_point")?,
        subscription_id: fields.id("transaction_internal_subscription_id")?,
        original_id: fields.id("original_id")?,
        parent_id: fields.id("transaction_parent_id")?,
        amount: fields.amount("transaction_full_amount"),
        date: fields.date("transaction_date"),
        trial: fields.count("trial").or_else(|| fields.count("trial_payment")),
        trial_period: fields.count("trial_period"),
        rebill_circle: fields.count("rebill_circle"),
        installments: fields.count("installments"),
        payments_left: fields.count("payments_left"),
        pay_number: fields.count("transaction_subscription_pay_number"),
    })
}

/// The person of a transaction: current names first, those of 2019 and 2020 after them (wire.md 2.4).
fn transaction_person(fields: Fields<'_>) -> Result<Person, TooLong> {
    Ok(Person {
        lead_id: fields.first_id(&["lead_id", "buyer_id"])?,
        transaction_email: fields.email("lead_email").or_else(|| fields.email("buyer_email")),
        profile_email: None,
    })
}

impl From<TooLong> for Unreadable {
    fn from(TooLong(key): TooLong) -> Self {
        Self::TooLong(key)
    }
}

#[cfg(test)]
mod tests;
