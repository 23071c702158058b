//! What holds for every body.

use super::{Map, Reading, Value, ipn, json, mask_secret, multipart, outbound, read, sale_fields};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Values as Kartra writes them, and as it does not.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..1_000_000u32).prop_map(Value::from),
        any::<i32>().prop_map(|cents| Value::from(f64::from(cents) / 100.0)),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("N/A")),
        Just(json!("0")),
        Just(json!("2025-03-09 02:30:00")),
        "[a-z]{1,6}@example\\.com".prop_map(Value::from),
        Just(json!([])),
        Just(json!({ "a": 1 })),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "transaction_id",
        "transaction_type",
        "transaction_date",
        "transaction_full_amount",
        "transaction_parent_id",
        "transaction_internal_subscription_id",
        "original_id",
        "product_id",
        "product_name",
        "product_price_point",
        "lead_id",
        "lead_email",
        "buyer_id",
        "buyer_email",
        "trial",
        "trial_period",
        "rebill_circle",
        "installments",
        "payments_left",
        "secret_key",
        "action",
        "lead",
        "action_details",
    ];
    prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), "[a-z_]{0,8}"]
}

/// A sale with some of its fields replaced and others added.
fn transaction() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(key(), value(), 0..10).prop_map(|changed| {
        let mut fields = sale_fields();
        fields.extend(changed);
        fields
    })
}

/// Bodies of both feeds, and bytes of none.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let action = prop_oneof![Just("buy_product"), Just("cancel_subscription"), Just("assign_tag")];
    prop_oneof![
        (action, transaction()).prop_map(|(action, fields)| outbound(action, fields).into_bytes()),
        transaction().prop_map(|fields| ipn(&fields).into_bytes()),
        transaction().prop_map(|fields| multipart(&fields).into_bytes()),
        transaction().prop_map(|fields| json!(fields).to_string().into_bytes()),
        vec(any::<u8>(), 0..300),
        "[\\PC\u{feff}{}\\[\\]\":,&=%\\\\]{0,80}".prop_map(String::into_bytes),
        "[{\\[]?(\"secret_key\"|secret_key|[{}\\[\\]\":,&= \\\\a1]){0,30}"
            .prop_map(String::into_bytes),
    ]
}

/// A body that has been cut, or of which one byte has been changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (body(), any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(mut body, at, byte, cut)| {
            let at = if body.is_empty() { 0 } else { at.index(body.len()) };
            match body.get_mut(at) {
                Some(changed) if !cut => *changed = byte,
                _ => body.truncate(at),
            }
            body
        },
    )
}

/// The pairs of an object in the order that is given.
fn in_order(pairs: &[(String, Value)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// What a transaction says by the outbound feed, its keys written in the order that is given.
fn read_in_order(pairs: &[(String, Value)]) -> Reading {
    let details = format!("{{\"transaction_details\":{}}}", in_order(pairs));
    read(format!("{{\"action_details\":{details},\"action\":\"buy_product\"}}").as_bytes())
}

fn numbers_as_text(fields: &Map<String, Value>) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::Number(number) => Value::from(number.to_string()),
        other => other.clone(),
    };
    fields.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

proptest! {
    #[test]
    fn reading_and_masking_never_panic_and_always_answer_the_same(body in damaged()) {
        prop_assert_eq!(read(&body), read(&body));
        prop_assert_eq!(mask_secret(&body), mask_secret(&body));
    }

    #[test]
    fn what_is_stored_reads_as_what_was_received(body in prop_oneof![body(), damaged()]) {
        let masked = mask_secret(&body);
        let (stored, received) = (read(&masked), read(&body));
        if received.says.is_ok() {
            prop_assert_eq!(mask_secret(&masked), masked);
        }
        prop_assert_eq!(stored.feed, received.feed);
        prop_assert_eq!(stored.says, received.says);
    }

    #[test]
    fn what_is_read_fits_the_databases(body in body()) {
        if let Ok(said) = read(&body).says {
            let ids = [said.transaction_id, said.product_id, said.price_point, said.subscription_id,
                said.original_id, said.parent_id, said.person.lead_id];
            for id in ids.into_iter().flatten() {
                prop_assert!(!id.is_empty() && id.len() <= super::super::values::ID_BYTES_MAX);
                prop_assert!(!id.contains(char::is_control) && id.trim() == id);
            }
            let emails = [said.person.transaction_email, said.person.profile_email];
            for email in emails.into_iter().flatten() {
                prop_assert_eq!(&email.to_lowercase(), &email);
                prop_assert!(email.contains('@') && !email.contains(char::is_whitespace));
            }
        }
    }

    #[test]
    fn unknown_keys_change_nothing(fields in transaction(), unknown in btree_map("x_[a-z]{1,8}", value(), 1..5)) {
        let mut more = fields.clone();
        more.extend(unknown);
        prop_assert_eq!(read(ipn(&more).as_bytes()), read(ipn(&fields).as_bytes()));
        let outbound = |fields: Map<String, Value>| read(outbound("buy_product", fields).as_bytes());
        prop_assert_eq!(outbound(more), outbound(fields));
    }

    #[test]
    fn the_order_of_the_keys_changes_nothing(
        (pairs, shuffled) in transaction()
            .prop_map(|fields| fields.into_iter().collect::<Vec<_>>())
            .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle()))
    ) {
        prop_assert_eq!(read_in_order(&pairs), read_in_order(&shuffled));
    }

    #[test]
    fn a_number_reads_the_same_as_text(fields in transaction()) {
        let text = numbers_as_text(&fields);
        let outbound = |fields| read(outbound("buy_product", fields).as_bytes());
        prop_assert_eq!(outbound(text), outbound(fields));
    }

    #[test]
    fn the_same_scalars_say_the_same_in_either_feed(mut fields in transaction()) {
        // What only one feed can write, and what makes JSON an outbound body.
        fields.retain(|key, value| !value.is_boolean() && !value.is_array() && !value.is_object() && key != "action");
        let by_json = read(json!(fields).to_string().as_bytes());
        let by_form = read(ipn(&fields).as_bytes());
        if by_json.feed == by_form.feed {
            prop_assert_eq!(by_json, by_form);
        }
    }
}
