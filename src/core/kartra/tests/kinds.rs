//! Every action and every transaction type of `wire.md`, in both feeds.

use super::{Feed, Kind, Value, ipn, json, outbound, read, sale_with, sale_without, says};

/// The transaction types, as both feeds and the Inbound API write them.
const TYPES: [(&str, Kind); 9] = [
    ("sale", Kind::Sale),
    ("rebill", Kind::Rebill),
    ("failed", Kind::PaymentFailed),
    ("cancellation", Kind::Cancellation),
    ("refund", Kind::Refund),
    ("partial_refund", Kind::PartialRefund),
    ("chargeback", Kind::Chargeback),
    // Kartra capitalises them in places.
    ("Rebill", Kind::Rebill),
    ("Partial_refund", Kind::PartialRefund),
];

/// The actions that are about money.
const MONEY_ACTIONS: [(&str, Kind); 4] = [
    ("buy_product", Kind::Sale),
    ("cancel_subscription", Kind::Cancellation),
    ("refund_product", Kind::Refund),
    ("partial_refund_product", Kind::PartialRefund),
];

/// The other actions, with what each carries: an object of this name.
const OTHER_ACTIONS: [(&str, &str); 21] = [
    ("list_subscription", "list"),
    ("list_unsubscription", "list"),
    ("assign_tag", "tag"),
    ("unassign_tag", "tag"),
    ("sequence_subscription", "sequence"),
    ("sequence_unsubscription", "sequence"),
    ("sequence_completion", "sequence"),
    ("membership_granted", "membership"),
    ("membership_revoked", "membership"),
    ("affiliate_signup", "product"),
    ("jv_signup", "product"),
    ("filled_form", "tag"),
    ("reaches_score", "points"),
    ("calendar_subscribe", "calendar"),
    ("calendar_cancel", "calendar"),
    ("calendar_complete", "calendar"),
    ("survey_complete", "survey"),
    ("video_play", "video"),
    ("video_complete", "video"),
    ("kartra_page_visit", "kartra_page"),
    ("click_page_split_test_link", "page_split_test_link"),
];

#[test]
fn an_ipn_is_of_the_kind_that_its_transaction_type_names() {
    for (word, kind) in TYPES {
        let reading = read(ipn(&sale_with("transaction_type", json!(word))).as_bytes());
        assert_eq!(reading.feed, Feed::Ipn);
        assert_eq!(reading.says.expect(word).kind, kind, "{word}");
    }
}

#[test]
fn an_outbound_transaction_type_that_is_known_decides_over_every_action() {
    let actions = MONEY_ACTIONS.map(|(action, _)| action).into_iter().chain(["brand_new_action"]);
    for action in actions {
        for (word, kind) in TYPES {
            let reading =
                read(outbound(action, sale_with("transaction_type", json!(word))).as_bytes());
            assert_eq!(reading.feed, Feed::Outbound);
            assert_eq!(reading.says.expect(word).kind, kind, "{action} {word}");
        }
    }
}

#[test]
fn without_a_known_transaction_type_the_action_decides() {
    for (action, kind) in MONEY_ACTIONS {
        let unnamed = says(outbound(action, sale_without(&["transaction_type"])));
        assert_eq!(unnamed.kind, kind, "{action}");
        for word in [json!(""), json!("N/A"), Value::Null, json!("upgrade"), json!(["sale"])] {
            let said = says(outbound(action, sale_with("transaction_type", word.clone())));
            assert_eq!(said.kind, kind, "{action} {word}");
        }
    }
}

#[test]
fn every_other_action_is_about_no_money_and_keeps_its_name() {
    for (action, carries) in OTHER_ACTIONS {
        let body = json!({
            "lead": { "id": "9", "email": "A@Example.com" }, "action": action,
            "action_details": { carries: { "product_id": 558_001, "transaction_id": 7 } },
        });
        let said = says(body.to_string());
        assert_eq!(said.kind, Kind::Other, "{action}");
        assert_eq!(said.name.as_deref(), Some(action));
        assert_eq!((said.product_id, said.transaction_id, said.date), (None, None, None));
        assert_eq!(said.person.lead_id.as_deref(), Some("9"));
        assert_eq!(said.person.profile_email.as_deref(), Some("a@example.com"));
    }
}

#[test]
fn what_kartra_may_add_one_day_is_taken_politely() {
    let action = says(json!({ "action": "subscription_paused" }).to_string());
    assert_eq!((action.kind, action.name.as_deref()), (Kind::Other, Some("subscription_paused")));
    let word = says(ipn(&sale_with("transaction_type", json!("dispute_won"))));
    assert_eq!((word.kind, word.name.as_deref()), (Kind::Other, Some("dispute_won")));
    assert_eq!((word.product_id, word.transaction_id), (None, None));
    assert_eq!(word.person.transaction_email.as_deref(), Some("a@example.com"));
}
