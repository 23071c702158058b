//! Observations, dates, links.

use chrono::{TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::super::held::normalised;
use super::super::story::Kind::{Cancellation, Chargeback, Rebill, Refund, Sale};
use super::super::story::{Message, Vouched};
use super::{day, event, local, on_days, order, tale, text, with};

#[test]
fn twins_are_one_event_and_the_best_vouched_field_wins() {
    let told = |edit: fn(&mut Message)| with(event(Sale, "1", 0), edit);
    let outbound = told(|sale| (sale.rebill_circle, sale.price_point) = (Some(9), text("2")));
    let checked = told(|sale| (sale.rebill_circle, sale.price_point) = (Some(5), None));
    let unchecked = told(|sale| sale.rebill_circle = Some(2));
    let mut story =
        tale(json!({"on_cancellation": "period_end"})).told([event(Cancellation, "2", 1)]);
    story.mappings[0].price_point = text("2");
    let story = story.received(day(1), Vouched::IpnUnchecked, unchecked).received(
        day(2),
        Vouched::Outbound,
        outbound,
    );
    assert_eq!(on_days(&story, [8, 9]), ["gold", ""]);
    let mut story = story.received(day(3), Vouched::IpnRight, checked);
    assert_eq!(
        on_days(&story, [4, 5]),
        ["gold", ""],
        "the price point still comes from the outbound twin"
    );
    story.sent[2].discarded = true;
    assert_eq!(
        on_days(&story, [1, 4]),
        ["", ""],
        "without it, the unchecked twin's price point is not mapped"
    );
}

#[test]
fn an_unreadable_money_event_is_none() {
    let nobody =
        with(order(Sale, "1", 0), |sale| (sale.lead_id, sale.transaction_email) = (None, None));
    let nothing = with(order(Sale, "2", 0), |sale| sale.product_id = None);
    assert_eq!(tale(json!({})).told([nobody, nothing]).ann(day(1)), "");
}

#[test]
fn a_skipped_time_is_the_jump_and_a_repeated_one_the_earlier() {
    let sold = |written: &str| {
        let mut story = tale(json!({}));
        story.time_zone = Tz::America__New_York;
        let sale = with(order(Sale, "1", 0), |sale| sale.date = Some(local(written)));
        story.received(day(700), Vouched::IpnRight, sale)
    };
    let from = |written: &str, hour: u32, minute: u32, month: u32, date: u32| {
        let instant = Utc.with_ymd_and_hms(2025, month, date, hour, minute, 0).unwrap();
        let story = sold(written);
        (story.ann(super::just_before(instant)), story.ann(instant))
    };
    let opens = (String::new(), "gold".to_owned());
    assert_eq!(from("2025-03-09T02:30:00", 7, 0, 3, 9), opens);
    assert_eq!(from("2025-11-02T01:30:00", 5, 30, 11, 2), opens);
    assert_eq!(from("2025-01-05T00:00:00", 5, 0, 1, 5), opens);
}

#[test]
fn no_date_is_the_earliest_receipt_and_no_date_lies_after_it() {
    let dateless = with(order(Sale, "1", 0), |sale| sale.date = None);
    let story = tale(json!({})).received(day(9), Vouched::IpnRight, dateless.clone()).received(
        day(4),
        Vouched::IpnUnchecked,
        dateless,
    );
    assert_eq!(on_days(&story, [3, 4]), ["", "gold"]);
    let story = tale(json!({})).received(day(2), Vouched::IpnRight, order(Sale, "1", 8));
    assert_eq!(on_days(&story, [1, 2]), ["", "gold"]);
}

#[test]
fn a_purchase_folds_by_uncut_dates() {
    let story = tale(json!({})).told([event(Sale, "1", 0), event(Cancellation, "2", 5)]);
    let story = story.received(day(3), Vouched::IpnRight, event(Rebill, "3", 9));
    assert_eq!(
        on_days(&story, [4, 6]),
        ["gold", "gold"],
        "the rebill of day 9 folds after the cancellation of day 5"
    );
}

#[test]
fn at_one_instant_ids_order_by_number_and_words_come_last() {
    let story = tale(json!({})).told([
        event(Sale, "9", 0),
        event(Rebill, "10", 5),
        event(Cancellation, "9", 5),
    ]);
    assert_eq!(story.ann(day(5)), "gold");
    assert_eq!(story.told([event(Cancellation, "A1", 5)]).ann(day(5)), "");
}

#[test]
fn at_one_instant_and_id_kinds_fold_payments_first() {
    let story = tale(json!({})).told([event(Cancellation, "1", 0), event(Sale, "1", 0)]);
    assert_eq!(story.ann(day(0)), "");
}

#[test]
fn a_rebill_without_a_sale_starts_a_purchase() {
    assert_eq!(tale(json!({})).told([event(Rebill, "5", 2)]).ann(day(2)), "gold");
}

#[test]
fn a_cancellation_of_another_subscription_touches_nothing() {
    let other = with(event(Cancellation, "2", 3), |cancellation| {
        cancellation.subscription_id = text("901");
    });
    assert_eq!(tale(json!({})).told([event(Sale, "1", 0), other]).ann(day(4)), "gold");
}

#[test]
fn an_order_tied_to_one_subscription_leads_there_and_to_two_nowhere() {
    let refund = with(order(Refund, "5", 6), |refund| refund.parent_id = text("1"));
    let story = tale(json!({})).told([event(Sale, "1", 0), refund]);
    assert_eq!(story.ann(day(6)), "");
    let second = with(event(Rebill, "2", 1), |rebill| {
        (rebill.subscription_id, rebill.original_id) = (text("901"), text("1"));
    });
    assert_eq!(story.told([second]).ann(day(6)), "gold");
}

#[test]
fn a_reversal_finds_the_payment_whose_own_id_it_names() {
    let sale = with(order(Sale, "3", 0), |sale| sale.original_id = text("1"));
    let refund = |parent| with(order(Refund, "5", 6), |refund| refund.parent_id = text(parent));
    assert_eq!(tale(json!({})).told([sale.clone(), refund("3")]).ann(day(6)), "");
    assert_eq!(tale(json!({})).told([sale, refund("4")]).ann(day(6)), "gold", "unmatched");
}

#[test]
fn a_payments_parent_is_never_read() {
    let odd = with(order(Rebill, "3", 2), |rebill| rebill.parent_id = text("1"));
    let refund = with(order(Refund, "5", 6), |refund| refund.parent_id = text("1"));
    let story = tale(json!({})).told([order(Sale, "1", 0), odd, refund]);
    assert_eq!(story.ann(day(7)), "gold", "the rebill is a purchase of its own");
}

#[test]
fn a_reversal_that_names_nothing_joins_the_leads_latest_purchase() {
    let lost = |on| order(Chargeback, "9", on);
    let sale = |id, on, subscription| {
        with(event(Sale, id, on), |sale| sale.subscription_id = text(subscription))
    };
    let mut silver = sale("2", 4, "901");
    silver.price_point = text("2");
    let mut precise = super::mapping("501", "silver", json!({}));
    precise.price_point = text("2");
    let story = tale(json!({})).mapped(precise).told([sale("1", 0, "900"), silver]);
    assert_eq!(story.clone().told([lost(6)]).ann(day(6)), "silver", "it names price point 1");
    let vague = with(lost(6), |lost| lost.price_point = None);
    assert_eq!(story.clone().told([vague]).ann(day(6)), "gold");
    let stranger = with(lost(6), |lost| lost.lead_id = text("8"));
    assert_eq!(story.told([stranger]).ann(day(6)), "gold silver");
}

#[test]
fn addresses_are_trimmed_and_lower_case() {
    assert_eq!(normalised("  Ann@Example.COM "), "ann@example.com");
}
