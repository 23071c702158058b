//! The IPN: flat variables with a `transaction_type` and a `secret_key` (wire.md part 2).

use super::values::{Fields, NAME_CHARS_MAX};
use super::{Feed, Reading, Unreadable, kind_of_transaction_type, money, transaction_person};
use crate::core::event::Observation;

/// Reads the variables of an IPN.
pub(super) fn read(fields: Fields<'_>) -> Reading {
    Reading { feed: Feed::Ipn, secret: fields.text("secret_key"), says: observation(fields) }
}

fn observation(fields: Fields<'_>) -> Result<Observation, Unreadable> {
    let person = transaction_person(fields)?;
    let word = fields.text("transaction_type").unwrap_or_default();
    match kind_of_transaction_type(&word) {
        Some(kind) => money(kind, fields, person),
        None => Ok(Observation {
            name: Some(word.chars().take(NAME_CHARS_MAX).collect()),
            ..Observation::other(person)
        }),
    }
}
