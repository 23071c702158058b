//! One value, many spellings: numbers as text, none in five ways, the names of 2019.

use super::{
    Amount, Map, Unreadable, Value, ipn, json, object, outbound, read, sale_fields, sale_with,
    sale_without, says, says_by_either_feed, why_not,
};
use crate::core::event::{LeadKey, Observation};
use crate::core::kartra::values::{EMAIL_BYTES_MAX, ID_BYTES_MAX, NAME_CHARS_MAX};

type Id = fn(Observation) -> Option<String>;
type Count = fn(Observation) -> Option<i64>;

const OPTIONAL_IDS: [(&str, Id); 4] = [
    ("product_price_point", |o| o.price_point),
    ("transaction_internal_subscription_id", |o| o.subscription_id),
    ("original_id", |o| o.original_id),
    ("transaction_parent_id", |o| o.parent_id),
];

const COUNTS: [(&str, Count); 6] = [
    ("trial", |o| o.trial),
    ("trial_period", |o| o.trial_period),
    ("rebill_circle", |o| o.rebill_circle),
    ("installments", |o| o.installments),
    ("payments_left", |o| o.payments_left),
    ("transaction_subscription_pay_number", |o| o.pay_number),
];

fn nones() -> [Value; 6] {
    [json!(""), Value::Null, json!("N/A"), json!("n/a"), json!("  "), json!(" N/A ")]
}

fn zeros() -> [Value; 5] {
    [json!(0), json!("0"), json!(0.0), json!("0.00"), json!("00")]
}

#[test]
fn an_id_is_the_same_as_a_number_as_text_and_as_a_float() {
    for (key, id) in OPTIONAL_IDS {
        for value in [json!(910_233), json!("910233"), json!(" 910233 "), json!(910_233.0)] {
            let said = says_by_either_feed(sale_with(key, value.clone()));
            assert_eq!(id(said).as_deref(), Some("910233"), "{key} {value}");
        }
    }
}

#[test]
fn an_id_that_is_none_or_zero_or_absent_is_not_said() {
    for (key, id) in OPTIONAL_IDS {
        for value in nones().into_iter().chain(zeros()) {
            let said = says_by_either_feed(sale_with(key, value.clone()));
            assert_eq!(id(said), None, "{key} {value}");
        }
        assert_eq!(id(says_by_either_feed(sale_fields())), None, "{key}");
    }
}

#[test]
fn a_count_of_nought_is_nought_and_none_is_not_said() {
    for (key, count) in COUNTS {
        for value in zeros() {
            let said = says_by_either_feed(sale_with(key, value.clone()));
            assert_eq!(count(said), Some(0), "{key} {value}");
        }
        for value in nones() {
            let said = says_by_either_feed(sale_with(key, value.clone()));
            assert_eq!(count(said), None, "{key} {value}");
        }
        for value in [json!(14), json!("14"), json!(14.0), json!("14.00")] {
            let said = says_by_either_feed(sale_with(key, value.clone()));
            assert_eq!(count(said), Some(14), "{key} {value}");
        }
        for odd in ["Until cancelled", "14 days", "14.5", "99999999999999999999", "-"] {
            let said = says_by_either_feed(sale_with(key, json!(odd)));
            assert_eq!(count(said), None, "{key} {odd}");
        }
    }
}

#[test]
fn an_amount_is_exact_and_loses_its_sign() {
    let amount = |value| says_by_either_feed(sale_with("transaction_full_amount", value)).amount;
    for (value, expected) in [
        (json!(29), Some(290_000)),
        (json!(29.0), Some(290_000)),
        (json!("29.00"), Some(290_000)),
        (json!(-29.99), Some(299_900)),
        (json!("-29.99"), Some(299_900)),
        (json!("1,234.50"), Some(12_345_000)),
        (json!("0.1"), Some(1_000)),
        (json!(0), Some(0)),
        (json!("0.00"), Some(0)),
        // A currency, a decimal comma or a word is no amount that could be trusted.
        (json!("$29.00"), None),
        (json!("29,00"), None),
        (json!("1.234,50"), None),
        (json!("29 EUR"), None),
        (json!("1e3"), None),
        (json!("99999999999999999999"), None),
        (json!("N/A"), None),
        (Value::Null, None),
        (json!({ "value": 29 }), None),
    ] {
        let said = if value.is_object() {
            says(outbound("buy_product", sale_with("transaction_full_amount", value.clone())))
                .amount
        } else {
            amount(value.clone())
        };
        assert_eq!(said, expected.map(Amount), "{value}");
    }
}

#[test]
fn a_money_event_needs_a_transaction_a_product_and_a_person() {
    let none = nones().into_iter().chain(zeros());
    for missing in none {
        for (key, what) in [("transaction_id", "transaction_id"), ("product_id", "product_id")] {
            let fields = sale_with(key, missing.clone());
            assert_eq!(why_not(ipn(&fields)), Unreadable::Without(what), "{missing}");
            let body = outbound("buy_product", fields);
            assert_eq!(why_not(body), Unreadable::Without(what), "{missing}");
        }
    }
    let nobody = sale_without(&["lead_id", "lead_email"]);
    for body in [ipn(&nobody), outbound("buy_product", nobody)] {
        assert_eq!(
            why_not(body).to_string(),
            "a money event without a person: neither lead id nor e-mail"
        );
    }
    let odd = sale_with("lead_email", json!("not an address"));
    assert_eq!(says_by_either_feed(odd.clone()).person.transaction_email, None);
    assert_eq!(says_by_either_feed(odd).person.lead_id.as_deref(), Some("1"));
}

#[test]
fn today_s_names_of_a_person_go_before_those_of_2019() {
    let both = |lead: Value, email: Value| {
        let mut fields = sale_with("buyer_id", json!(2));
        fields.extend(object(json!({
            "lead_id": lead, "lead_email": email, "buyer_email": "old@example.com",
        })));
        says_by_either_feed(fields).person
    };
    let person = both(json!(1), json!("new@example.com"));
    assert_eq!(person.lead_id.as_deref(), Some("1"));
    assert_eq!(person.transaction_email.as_deref(), Some("new@example.com"));
    for none in nones() {
        let person = both(none.clone(), none);
        assert_eq!(person.lead_id.as_deref(), Some("2"));
        assert_eq!(person.transaction_email.as_deref(), Some("old@example.com"));
    }
    let renamed = says_by_either_feed(sale_with("trial_payment", json!(1)));
    assert_eq!(renamed.trial, Some(1));
}

#[test]
fn the_lead_is_the_transaction_s_else_the_profile_s_else_the_address() {
    let person = |transaction: Map<String, Value>, lead: Value| {
        let details = json!({ "transaction_details": transaction });
        says(
            json!({ "lead": lead, "action": "buy_product", "action_details": details }).to_string(),
        )
        .person
    };
    let profile = json!({ "id": "9", "email": " Profile@Example.COM " });
    let named = person(sale_fields(), profile.clone());
    assert_eq!(named.lead(), Some(LeadKey("1".to_owned())));
    assert_eq!(named.transaction_email.as_deref(), Some("a@example.com"));
    assert_eq!(named.profile_email.as_deref(), Some("profile@example.com"));
    let by_profile = person(sale_with("lead_id", json!("N/A")), profile);
    assert_eq!(by_profile.lead(), Some(LeadKey("9".to_owned())));
    let by_address = person(sale_without(&["lead_id"]), json!({ "email": "p@example.com" }));
    assert_eq!(by_address.lead(), Some(LeadKey("email:a@example.com".to_owned())));
    let by_profile_address =
        person(sale_without(&["lead_id", "lead_email"]), json!({ "email": "p@example.com" }));
    assert_eq!(by_profile_address.lead(), Some(LeadKey("email:p@example.com".to_owned())));
}

#[test]
fn text_of_any_script_comes_through_and_control_characters_do_not() {
    for (name, kept) in [
        ("Кухня 家庭 🍲 Ωmega", "Кухня 家庭 🍲 Ωmega"),
        ("Meal\u{0}\u{1b} Plan\u{7f}\u{85}", "Meal Plan"),
        ("\u{a0} Meal Plan\n", "Meal Plan"),
    ] {
        let said = says_by_either_feed(sale_with("product_name", json!(name)));
        assert_eq!(said.product_name.as_deref(), Some(kept));
    }
    let said = says_by_either_feed(sale_with("lead_email", json!("ÄNNE@EXÄMPLE.com")));
    assert_eq!(said.person.transaction_email.as_deref(), Some("änne@exämple.com"));
}

#[test]
fn what_is_too_long_is_cut_where_it_is_shown_and_refused_where_it_is_an_id() {
    let name = says_by_either_feed(sale_with("product_name", json!("é".repeat(5_000))));
    assert_eq!(name.product_name, Some("é".repeat(NAME_CHARS_MAX)));
    let ids = ["transaction_id", "product_id", "lead_id", "original_id", "product_price_point"];
    for key in ids {
        let longest = "9".repeat(ID_BYTES_MAX);
        says_by_either_feed(sale_with(key, json!(longest)));
        let longer = sale_with(key, json!("9".repeat(ID_BYTES_MAX + 1)));
        assert_eq!(why_not(ipn(&longer)), Unreadable::TooLong(key));
        assert_eq!(why_not(outbound("buy_product", longer)), Unreadable::TooLong(key));
    }
    let domain = "@example.com";
    let longest = format!("{}{domain}", "a".repeat(EMAIL_BYTES_MAX - domain.len()));
    let said = says_by_either_feed(sale_with("lead_email", json!(longest)));
    assert_eq!(said.person.transaction_email, Some(longest.clone()));
    let said = says_by_either_feed(sale_with("lead_email", json!(format!("a{longest}"))));
    assert_eq!(said.person.transaction_email, None);
}

#[test]
fn a_secret_is_read_from_an_ipn_only() {
    let mut fields = sale_with("secret_key", json!("s e/c+r%t"));
    assert_eq!(read(ipn(&fields).as_bytes()).secret.as_deref(), Some("s e/c+r%t"));
    assert_eq!(read(outbound("buy_product", fields.clone()).as_bytes()).secret, None);
    fields.insert("secret_key".to_owned(), json!("N/A"));
    assert_eq!(read(ipn(&fields).as_bytes()).secret, None);
}
