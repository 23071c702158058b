//! Whether a generated body says what its message says, by a reader that shares nothing with the writer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::generate::story;
use super::super::story::{Feed, Kind, Sent};

/// The fields of a body by a flat name; `lead.` stands before those of the profile. Nones are left out.
fn fields(sent: &Sent) -> BTreeMap<String, String> {
    let written = String::from_utf8(sent.body.clone()).unwrap();
    if sent.feed == Feed::Ipn {
        return written.split('&').map(pair).filter(|(_, value)| !is_none(value)).collect();
    }
    let body: Value = serde_json::from_str(&written).unwrap();
    let details = flat(&body["action_details"]["transaction_details"], "");
    let action = ("action".to_owned(), body["action"].as_str().unwrap().to_owned());
    let lead = flat(&body["lead"], "lead.");
    details.into_iter().chain(lead).chain([action]).collect()
}

fn pair(written: &str) -> (String, String) {
    let (name, value) = written.split_once('=').unwrap();
    let mut pieces = value.split('%');
    let mut read = pieces.next().unwrap().replace('+', " ");
    for piece in pieces {
        read.push(char::from(u8::from_str_radix(&piece[..2], 16).unwrap()));
        read.push_str(&piece[2..].replace('+', " "));
    }
    (name.to_owned(), read)
}

fn flat(object: &Value, prefix: &str) -> Vec<(String, String)> {
    let pairs = object.as_object().into_iter().flatten();
    let read = pairs.map(|(name, value)| {
        (format!("{prefix}{name}"), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    read.filter(|(_, value)| !is_none(value)).collect()
}

fn is_none(value: &str) -> bool {
    ["", "N/A", "null"].contains(&value)
}

fn kind(fields: &BTreeMap<String, String>) -> Kind {
    let of_action = match fields.get("action").map(String::as_str) {
        Some("buy_product") => Kind::Sale,
        Some("cancel_subscription") => Kind::Cancellation,
        Some("refund_product") => Kind::Refund,
        Some("partial_refund_product") => Kind::PartialRefund,
        _ => Kind::Other,
    };
    match fields.get("transaction_type").map(String::as_str) {
        Some("sale") => Kind::Sale,
        Some("rebill") => Kind::Rebill,
        Some("failed") => Kind::PaymentFailed,
        Some("partial_refund") => Kind::PartialRefund,
        Some("cancellation") => Kind::Cancellation,
        Some("refund") => Kind::Refund,
        Some("chargeback") => Kind::Chargeback,
        _ => of_action,
    }
}

fn check(sent: &Sent) {
    let (fields, message) = (fields(sent), &sent.message);
    let get = |name: &str| fields.get(name).cloned();
    let id = |name: &str| get(name).filter(|id| id != "0");
    let number = |name: &str| get(name).map(|number| number.parse::<i64>().unwrap());
    let cents = get("transaction_full_amount")
        .map(|amount| format!("{:.0}", amount.parse::<f64>().unwrap() * 100.0));
    let date = id("transaction_date").filter(|date| !date.starts_with("0000"));
    let lead_id = id("lead_id").or(id("buyer_id")).or(id("lead.id"));
    assert_eq!(kind(&fields), message.kind);
    assert_eq!(id("transaction_id"), message.transaction_id);
    assert_eq!(id("product_id"), message.product_id);
    assert_eq!(id("product_price_point"), message.price_point);
    assert_eq!(id("transaction_internal_subscription_id"), message.subscription_id);
    assert_eq!(id("original_id"), message.original_id);
    assert_eq!(id("transaction_parent_id"), message.parent_id);
    assert_eq!(lead_id, message.lead_id);
    assert_eq!(date, message.date.map(|date| date.to_string()));
    assert_eq!(cents.map(|cents| cents.parse::<i64>().unwrap()), message.amount);
    assert_eq!(number("transaction_subscription_pay_number"), message.pay_number);
    assert_eq!(number("trial"), message.trial);
    assert_eq!(number("trial_period"), message.trial_period);
    assert_eq!(number("rebill_circle"), message.rebill_circle);
    assert_eq!(number("installments"), message.installments);
    assert_eq!(number("payments_left"), message.payments_left);
    assert_eq!(get("lead.email"), message.profile_email);
    assert_eq!(get("lead_email").or(get("buyer_email")), message.transaction_email);
}

#[test]
fn every_body_says_what_its_message_says() {
    for seed in 0..400 {
        story(seed).sent.iter().for_each(check);
    }
}
