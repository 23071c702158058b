//! Purchases and policies.

use serde_json::json;

use super::super::story::Kind::{Cancellation, PartialRefund, PaymentFailed, Rebill, Refund, Sale};
use super::{day, event, just_before, mapping, on_days, order, tale, text, with};

#[test]
fn a_sale_opens_at_its_instant_and_not_before() {
    let story = tale(json!({})).told([order(Sale, "1", 3)]);
    assert_eq!(story.ann(just_before(day(3))), "");
    assert_eq!(on_days(&story, [3, 999]), ["gold", "gold"]);
}

#[test]
fn a_cancellation_revokes_at_its_instant_and_a_rebill_opens_again() {
    let story = tale(json!({})).told([
        event(Sale, "1", 0),
        event(Cancellation, "2", 5),
        event(Rebill, "3", 9),
    ]);
    assert_eq!(story.ann(just_before(day(5))), "gold");
    assert_eq!(on_days(&story, [5, 8, 9]), ["", "", "gold"]);
}

#[test]
fn period_end_lasts_until_paid_through() {
    let sale = with(event(Sale, "1", 0), |sale| sale.rebill_circle = Some(10));
    let story =
        tale(json!({"on_cancellation": "period_end"})).told([sale, event(Cancellation, "2", 5)]);
    assert_eq!(story.ann(just_before(day(10))), "gold");
    assert_eq!(story.ann(day(10)), "");
}

#[test]
fn period_end_is_at_once_when_nothing_tells_the_period() {
    let story = tale(json!({"on_cancellation": "period_end"}))
        .told([event(Sale, "1", 0), event(Cancellation, "2", 5)]);
    assert_eq!(on_days(&story, [4, 5]), ["gold", ""]);
}

#[test]
fn paid_through_uses_trial_then_circle_then_billing_period_then_an_earlier_circle() {
    let policy = json!({"on_cancellation": "period_end"});
    let circle = |message, days| {
        with(message, |message: &mut super::Message| message.rebill_circle = Some(days))
    };
    let trial = with(circle(event(Sale, "1", 0), 10), |sale| {
        (sale.trial, sale.trial_period) = (Some(1), Some(3));
    });
    let story = tale(policy.clone()).told([trial, event(Cancellation, "2", 1)]);
    assert_eq!(on_days(&story, [2, 3]), ["gold", ""]);
    let later = [
        circle(event(Sale, "1", 0), 10),
        circle(event(Rebill, "2", 10), 0),
        event(Cancellation, "3", 11),
    ];
    let story = tale(policy).told(later.clone());
    assert_eq!(on_days(&story, [19, 20]), ["gold", ""]);
    let story =
        tale(json!({"on_cancellation": "period_end", "billing_period": {"days": 4}})).told(later);
    assert_eq!(on_days(&story, [13, 14]), ["gold", ""]);
}

#[test]
fn a_billing_month_ends_with_the_month() {
    let story = tale(json!({"on_cancellation": "period_end", "billing_period": {"months": 1}}))
        .told([event(Sale, "1", 30), event(Cancellation, "2", 31)]);
    assert_eq!(
        on_days(&story, [57, 58]),
        ["gold", ""],
        "31 January + 1 month is 28 February, day 58"
    );
}

#[test]
fn grace_counts_from_the_first_failure() {
    let failures = [event(PaymentFailed, "2", 10), event(PaymentFailed, "3", 13)];
    let story = tale(json!({"on_payment_failed": {"grace_days": 5}}))
        .told([event(Sale, "1", 0)])
        .told(failures);
    assert_eq!(on_days(&story, [14, 15]), ["gold", ""]);
    let story = story.told([event(Rebill, "4", 16)]);
    assert_eq!(on_days(&story, [15, 16]), ["", "gold"]);
}

#[test]
fn grace_of_no_days_suspends_at_once() {
    let story = tale(json!({"on_payment_failed": {"grace_days": 0}}))
        .told([event(Sale, "1", 0), event(PaymentFailed, "2", 4)]);
    assert_eq!(on_days(&story, [3, 4]), ["gold", ""]);
}

#[test]
fn an_end_only_comes_nearer() {
    let policy = json!({"on_payment_failed": {"grace_days": 3}, "on_cancellation": "period_end", "on_refund": "keep"});
    let sale = with(event(Sale, "1", 0), |sale| sale.rebill_circle = Some(30));
    let story = tale(policy).told([
        sale,
        event(PaymentFailed, "2", 5),
        event(Cancellation, "3", 6),
        event(Refund, "4", 7),
    ]);
    assert_eq!(on_days(&story, [7, 8]), ["gold", ""]);
}

#[test]
fn a_waiting_trial_opens_at_its_first_rebill_and_not_at_another_sale() {
    let sale =
        with(event(Sale, "1", 0), |sale| (sale.trial, sale.trial_period) = (Some(1), Some(7)));
    let story =
        tale(json!({"trial": "wait"})).told([sale, event(Sale, "2", 3), event(Rebill, "3", 7)]);
    assert_eq!(on_days(&story, [0, 4, 7]), ["", "", "gold"]);
}

#[test]
fn a_finished_plan_survives_its_cancellation_and_not_its_refund() {
    let left = |message, left| {
        with(message, |message: &mut super::Message| message.payments_left = Some(left))
    };
    let plan =
        [left(event(Sale, "1", 0), 1), left(event(Rebill, "2", 7), 0), event(Cancellation, "3", 8)];
    let story = tale(json!({"on_payment_failed": {"grace_days": 0}})).told(plan).told([event(
        PaymentFailed,
        "4",
        9,
    )]);
    assert_eq!(on_days(&story, [8, 10]), ["gold", "gold"]);
    let story = story.told([event(Refund, "5", 11), event(Cancellation, "6", 12)]);
    assert_eq!(on_days(&story, [11, 12]), ["", ""]);
}

#[test]
fn nought_payments_left_without_a_plan_complete_nothing() {
    let sale = with(event(Sale, "1", 0), |sale| sale.payments_left = Some(0));
    let story = tale(json!({})).told([sale, event(Cancellation, "2", 5)]);
    assert_eq!(on_days(&story, [4, 5]), ["gold", ""]);
}

#[test]
fn the_last_payment_by_its_own_number_completes_unless_it_is_a_trial() {
    let single =
        with(event(Sale, "1", 0), |sale| (sale.installments, sale.pay_number) = (Some(1), Some(1)));
    let trial = with(single.clone(), |sale| (sale.trial, sale.trial_period) = (Some(1), Some(2)));
    assert_eq!(tale(json!({})).told([single, event(Cancellation, "2", 5)]).ann(day(6)), "gold");
    assert_eq!(tale(json!({})).told([trial, event(Cancellation, "2", 5)]).ann(day(6)), "");
}

#[test]
fn an_upgrade_ends_the_term_and_reversals_act_on_the_new_one() {
    let upgrade = with(event(Rebill, "2", 10), |rebill| rebill.product_id = text("502"));
    let story = tale(json!({}))
        .mapped(mapping("502", "silver", json!({})))
        .told([event(Sale, "1", 0), upgrade]);
    assert_eq!(on_days(&story, [9, 10]), ["gold", "silver"]);
    assert_eq!(story.told([event(Cancellation, "3", 12)]).ann(day(12)), "");
}

#[test]
fn a_payment_that_names_no_price_point_keeps_the_terms() {
    let mut story = tale(json!({"duration_days": 10}));
    story.mappings[0].price_point = text("1");
    let silent = with(event(Rebill, "2", 7), |rebill| rebill.price_point = None);
    let other = with(event(Rebill, "3", 8), |rebill| rebill.price_point = text("2"));
    let story = story.told([event(Sale, "1", 0), silent]);
    assert_eq!(on_days(&story, [9, 10]), ["gold", ""], "no new term, so no new duration");
    assert_eq!(story.told([other]).ann(day(8)), "");
}

#[test]
fn a_mapping_of_the_price_point_replaces_that_of_the_product() {
    let mut precise = mapping("501", "silver", json!({}));
    precise.price_point = text("2");
    let second = with(order(Sale, "2", 0), |sale| sale.price_point = text("2"));
    let story = tale(json!({})).mapped(precise.clone()).told([second.clone()]);
    assert_eq!(story.ann(day(1)), "silver");
    precise.enabled = false;
    assert_eq!(tale(json!({})).mapped(precise).told([second]).ann(day(1)), "gold");
}

#[test]
fn a_window_includes_its_start_and_not_its_end() {
    let bounded = |from: i64, before: i64| {
        let mut story = tale(json!({}));
        story.mappings[0].purchased_from = Some(day(from));
        story.mappings[0].purchased_before = Some(day(before));
        story.told([order(Sale, "1", 5)]).ann(day(6))
    };
    assert_eq!([bounded(5, 6), bounded(4, 5), bounded(6, 9)], ["gold", "", ""]);
}

#[test]
fn a_duration_runs_from_the_start_whatever_is_paid() {
    let story =
        tale(json!({"duration_days": 10})).told([event(Sale, "1", 0), event(Rebill, "2", 8)]);
    assert_eq!(story.ann(just_before(day(10))), "gold");
    assert_eq!(story.ann(day(10)), "");
}

#[test]
fn a_null_in_the_mapping_wins_over_the_site() {
    let mut story = tale(json!({"duration_days": null})).told([event(Sale, "1", 0)]);
    story.site_policy = json!({"duration_days": 3, "on_cancellation": "keep"});
    let story = story.told([event(Cancellation, "2", 5)]);
    assert_eq!(on_days(&story, [4, 6]), ["gold", "gold"]);
}

#[test]
fn a_refund_of_an_earlier_payment_leaves_access_where_the_policy_says_so() {
    let refund = |parent: Option<&str>| {
        with(event(Refund, "3", 12), |refund| refund.parent_id = parent.map(str::to_owned))
    };
    let after = |refund| {
        let payments = [event(Sale, "1", 0), event(Rebill, "2", 10)];
        tale(json!({"on_refund": "revoke_if_latest_payment"}))
            .told(payments)
            .told([refund])
            .ann(day(13))
    };
    assert_eq!(
        [after(refund(Some("1"))), after(refund(Some("2"))), after(refund(None))],
        ["gold", "", ""]
    );
}

#[test]
fn partial_refunds_add_up_and_nought_is_never_reached() {
    let partial = |id, on| with(event(PartialRefund, id, on), |refund| refund.amount = Some(-500));
    let policy = json!({"on_partial_refund": {"revoke_at_percent": 50}});
    let story = tale(policy.clone()).told([event(Sale, "1", 0), partial("2", 3), partial("3", 4)]);
    assert_eq!(on_days(&story, [3, 4]), ["gold", ""]);
    let free = with(event(Sale, "1", 0), |sale| sale.amount = None);
    assert_eq!(tale(policy).told([free, partial("2", 3)]).ann(day(4)), "gold");
}
