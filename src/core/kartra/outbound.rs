//! The outbound API: `{"lead":{…},"action":"…","action_details":{…}}` (wire.md part 1).

use super::values::{Fields, NAME_CHARS_MAX};
use super::{Feed, Reading, Unreadable, ipn, kind_of_transaction_type, money, transaction_person};
use crate::core::event::{Kind, Observation, Person};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Reads the object of an outbound body.
pub(super) fn read(object: &Map<String, Value>) -> Reading {
    let root = Fields::Json(object);
    // A flat object with a transaction type and no action is an IPN that somebody sent as JSON.
    if root.text("action").is_none() && root.text("transaction_type").is_some() {
        return ipn::read(root);
    }
    Reading { feed: Feed::Outbound, secret: None, says: observation(object) }
}

fn observation(object: &Map<String, Value>) -> Result<Observation, Unreadable> {
    let action = Fields::Json(object).text("action").unwrap_or_default();
    let nothing = Map::new();
    let lead = child(object, "lead");
    let details = child(object, "action_details");
    let transaction = details.as_deref().and_then(|details| child(details, "transaction_details"));
    let transaction = Fields::Json(transaction.as_deref().unwrap_or(&nothing));
    let kind = transaction
        .text("transaction_type")
        .and_then(|word| kind_of_transaction_type(&word))
        .or_else(|| kind_of_action(&action));

    let lead = Fields::Json(lead.as_deref().unwrap_or(&nothing));
    let of_transaction = transaction_person(transaction)?;
    let person = Person {
        lead_id: match of_transaction.lead_id {
            Some(id) => Some(id),
            None => lead.id("id")?,
        },
        profile_email: lead.email("email"),
        ..of_transaction
    };
    match kind {
        Some(kind) => money(kind, transaction, person),
        None => Ok(Observation {
            name: Some(action.chars().take(NAME_CHARS_MAX).collect()),
            ..Observation::other(person)
        }),
    }
}

/// The money events among the actions (wire.md 1.4); every other action is `other`.
fn kind_of_action(action: &str) -> Option<Kind> {
    match action {
        "buy_product" => Some(Kind::Sale),
        "cancel_subscription" => Some(Kind::Cancellation),
        "refund_product" => Some(Kind::Refund),
        "partial_refund_product" => Some(Kind::PartialRefund),
        _ => None,
    }
}

/// A nested object; Kartra's prose calls some of them "JSON encoded string", so a string is decoded.
fn child<'a>(object: &'a Map<String, Value>, key: &str) -> Option<Cow<'a, Map<String, Value>>> {
    match object.get(key)? {
        Value::Object(inner) => Some(Cow::Borrowed(inner)),
        Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        _ => None,
    }
}
