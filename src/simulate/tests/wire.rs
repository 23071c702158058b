//! What stands in the bodies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{DEFAULT_SECRET, Feed, Plan, messages};
use super::{form, identity, json, of_feed, plan};

fn keys(value: &Value) -> BTreeSet<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}

fn set(lists: &[&'static str]) -> BTreeSet<&'static str> {
    lists.iter().flat_map(|l| l.split_whitespace()).collect()
}

// The keys of the documented samples, typed anew: they must not be the constants that the code writes with.
const LEAD: &str = "id first_name middle_name last_name last_name2 email phone_country_code phone company address city \
    zip state country date_joined website ip ip_country facebook twitter linkedin sales_tax_id lead_picture source \
    score referring_id blacklisted source_id gdpr_lead_status gdpr_lead_status_date gdpr_lead_status_ip \
    gdpr_lead_communications custom_fields";
const LEAD_TODAY: &str = "lead_preferred_time_zone";
const LEAD_FORMERLY: &str = "google_plus lead_deleted lead_deleted_date";
const PERSON: &str = "lead_id lead_first_name lead_last_name lead_email lead_username lead_phone_country_code \
    lead_phone_number lead_address lead_city lead_zip lead_state lead_country lead_country_code_2 lead_country_code_3 \
    lead_ip";
const CANCELLATION: &str = "transaction_id transaction_date transaction_type transaction_subscription_id \
    transaction_internal_subscription_id transaction_last_4_card_digits original_id product_name product_id \
    product_price_point";
const AMOUNTS: &str = "transaction_full_amount transaction_base_amount transaction_discount transaction_shipping \
    transaction_tax transaction_parent_id transaction_affiliate transaction_jv transaction_quantity \
    transaction_subscription_pay_number";
const TRACKING: &str = "vendor_tracking_id_1 vendor_tracking_id_2 vendor_tracking_link";
const SHIPPING: &str = "shipping_first_name shipping_last_name shipping_address shipping_city shipping_zip \
    shipping_country shipping_state";
const TRIAL: &str = "trial trial_period trial_amount";
const IPN_TAIL: &str = "secret_key gdpr_lead_status gdpr_lead_status_date gdpr_lead_status_ip \
    gdpr_lead_communications";
const PROCESSOR: &str = "payment_processor_type";

#[test]
fn every_outbound_body_has_the_documented_keys() {
    let lead_today = set(&[LEAD, LEAD_TODAY]);
    let lead_formerly = set(&[LEAD, LEAD_FORMERLY]);
    let payment = [PERSON, CANCELLATION, AMOUNTS, TRACKING, SHIPPING, PROCESSOR];
    let reversal = set(&payment);
    let once: BTreeSet<_> = &reversal | &set(&[TRIAL]);
    let monthly = &once | &set(&["rebill_circle payments_left"]);
    let plan_of = &monthly | &set(&["installments"]);
    let cancellation = set(&[PERSON, CANCELLATION, PROCESSOR]);
    let mut actions = BTreeSet::new();
    let all = messages(&plan(300));
    for message in of_feed(&all, Feed::Outbound) {
        assert_eq!(message.content_type, "application/json");
        let body = json(message);
        assert_eq!(keys(&body), set(&["lead action action_details"]));
        let lead = keys(&body["lead"]);
        assert!(lead == lead_today || lead == lead_formerly);
        let action = body["action"].as_str().unwrap();
        let details = &body["action_details"];
        let transaction = || keys(&details["transaction_details"]);
        match action {
            "buy_product" => {
                assert!([&once, &monthly, &plan_of].contains(&&transaction()));
            }
            "cancel_subscription" => assert_eq!(transaction(), cancellation),
            "refund_product" | "partial_refund_product" => assert_eq!(transaction(), reversal),
            "assign_tag" | "unassign_tag" => {
                assert_eq!(keys(&details["tag"]), set(&["tag_id tag_name"]));
            }
            "list_subscription" => {
                assert_eq!(keys(&details["list"]), set(&["list_id list_name"]));
            }
            "membership_granted" | "membership_revoked" => {
                let named = set(&["membership_id membership_name level_id level_name"]);
                assert_eq!(keys(&details["membership"]), named);
            }
            other => panic!("Kartra has no action {other}"),
        }
        actions.insert(action.to_owned());
    }
    assert_eq!(actions.len(), 9, "{actions:?}");
}

#[test]
fn every_ipn_body_has_the_documented_keys() {
    let cancellation = set(&[CANCELLATION, PERSON, TRACKING, IPN_TAIL]);
    let other = &cancellation | &set(&[AMOUNTS, SHIPPING]);
    let sale = &other | &set(&[TRIAL, "payments_left"]);
    // What the IPN's pages do not show and get_transaction_details does.
    let guessed = set(&["installments payments_left failed_reattempt_number"]);
    let mut types = BTreeSet::new();
    let secret = Some("s&cret=ä".to_owned());
    for message in of_feed(&messages(&Plan { secret, ..plan(300) }), Feed::Ipn) {
        assert_eq!(message.content_type, "application/x-www-form-urlencoded");
        let pairs = form(message);
        let form: BTreeMap<_, _> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(form.len(), pairs.len(), "no key stands twice");
        assert_eq!(form["secret_key"], "s&cret=ä");
        assert!(form.values().all(|value| !value.is_empty()));
        let keys: BTreeSet<_> = form.keys().copied().collect();
        match form["transaction_type"] {
            "sale" => assert_eq!(keys, sale),
            "cancellation" => assert_eq!(keys, cancellation),
            "rebill" | "failed" => assert_eq!(&keys - &guessed, other),
            "refund" | "partial_refund" | "chargeback" => assert_eq!(keys, other),
            unknown => panic!("Kartra has no type {unknown}"),
        }
        types.insert(form["transaction_type"].to_owned());
    }
    assert_eq!(types.len(), 7, "{types:?}");
}

#[test]
fn without_a_secret_the_default_one_is_sent() {
    let all = messages(&plan(5));
    for message in of_feed(&all, Feed::Ipn) {
        let pair = ("secret_key".to_owned(), DEFAULT_SECRET.to_owned());
        assert!(form(message).contains(&pair));
    }
}

#[test]
fn twins_agree_and_no_transaction_id_is_used_twice() {
    let all = messages(&plan(300));
    let mut feeds = BTreeMap::<_, Vec<Feed>>::new();
    let mut kinds = BTreeMap::new();
    for message in &all {
        let Some((kind, id)) = identity(message) else {
            continue;
        };
        let first = kinds.entry(id.clone()).or_insert_with(|| kind.clone());
        assert_eq!(*first, kind, "transaction {id}");
        feeds.entry((kind, id)).or_default().push(message.feed);
    }
    for ((kind, id), feeds) in feeds {
        let only_ipn = matches!(kind.as_str(), "rebill" | "failed" | "chargeback");
        let distinct = feeds.contains(&Feed::Ipn) && feeds.contains(&Feed::Outbound) != only_ipn;
        assert!(distinct, "{kind} {id} {feeds:?}");
        assert_eq!(feeds.len(), if only_ipn { 1 } else { 2 });
    }
}

#[test]
fn every_reversal_names_what_it_takes_back() {
    let all = messages(&plan(300));
    let forms: Vec<BTreeMap<_, _>> =
        of_feed(&all, Feed::Ipn).map(|m| form(m).into_iter().collect()).collect();
    let payments: BTreeSet<_> = forms
        .iter()
        .filter(|f| matches!(f["transaction_type"].as_str(), "sale" | "rebill"))
        .map(|f| (f["transaction_id"].as_str(), f["product_id"].as_str()))
        .collect();
    for form in &forms {
        let names =
            |key: &str| payments.contains(&(form[key].as_str(), form["product_id"].as_str()));
        match form["transaction_type"].as_str() {
            "refund" | "partial_refund" | "chargeback" => assert!(names("transaction_parent_id")),
            "cancellation" => assert!(names("original_id"), "{form:?}"),
            _ => assert_eq!(form["transaction_parent_id"], "0"),
        }
    }
}

#[test]
fn some_plans_are_paid_off() {
    let all = messages(&plan(300));
    let paid_off = of_feed(&all, Feed::Ipn).filter(|m| {
        let form: BTreeMap<_, _> = form(m).into_iter().collect();
        form["transaction_type"] == "rebill"
            && form.get("payments_left").is_some_and(|left| left == "0")
    });
    assert!(paid_off.count() > 3);
}
