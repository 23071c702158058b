//! Members, overrides, blocks.

use serde_json::json;

use super::super::story::Kind::{Chargeback, Rebill, Sale};
use super::super::story::OverrideKind::{Block, Grant, HeldOpen, LiftChargeback};
use super::super::story::Vouched;
use super::{day, event, made, mapping, on_days, order, profile, tale, text, with};

const NEW: &str = "new@example.com";

#[test]
fn a_new_address_takes_the_purchases_along() {
    let story = tale(json!({})).told([order(Sale, "1", 0)]).received(
        day(5),
        Vouched::Outbound,
        profile("7", " NEW@example.com"),
    );
    assert_eq!(on_days(&story, [4, 5]), ["gold", ""]);
    assert_eq!(
        (story.holds(NEW, day(4)), story.holds(NEW, day(5))),
        (String::new(), "gold".to_owned())
    );
}

#[test]
fn a_profile_counts_more_than_any_transaction() {
    let story = tale(json!({}))
        .received(day(0), Vouched::Outbound, profile("7", NEW))
        .told([order(Sale, "1", 3)]);
    assert_eq!((story.ann(day(4)), story.holds(NEW, day(4))), (String::new(), "gold".to_owned()));
}

#[test]
fn of_addresses_at_one_instant_the_greater_id_wins() {
    let sale = |id, email| with(order(Sale, id, 3), |sale| sale.profile_email = text(email));
    let story = tale(json!({})).told([sale("10", "ann@example.com"), sale("9", NEW)]);
    assert_eq!(story.ann(day(3)), "gold");
    let story = story.received(day(3), Vouched::Outbound, profile("7", NEW));
    assert_eq!(story.ann(day(3)), "gold", "an event without an id comes before any");
}

#[test]
fn a_purchase_belongs_to_its_latest_payment_with_a_lead_id() {
    let nameless = with(event(Rebill, "2", 5), |rebill| {
        (rebill.lead_id, rebill.transaction_email) = (None, text(NEW));
    });
    let story = tale(json!({})).told([event(Sale, "1", 0), nameless.clone()]);
    assert_eq!((story.ann(day(5)), story.holds(NEW, day(5))), ("gold".to_owned(), String::new()));
    assert_eq!(tale(json!({})).told([nameless]).holds(NEW, day(5)), "gold");
}

#[test]
fn a_lead_without_any_address_belongs_to_nobody_until_one_is_known() {
    let silent = with(order(Sale, "1", 0), |sale| sale.transaction_email = None);
    let story = tale(json!({})).told([silent]).received(
        day(6),
        Vouched::Outbound,
        profile("7", "ann@example.com"),
    );
    assert_eq!(on_days(&story, [5, 6]), ["", "gold"]);
}

#[test]
fn a_member_is_all_leads_of_the_address() {
    let second = with(order(Sale, "2", 2), |sale| {
        (sale.lead_id, sale.product_id) = (text("8"), text("502"));
    });
    let story = tale(json!({}))
        .mapped(mapping("502", "silver", json!({})))
        .told([order(Sale, "1", 0), second]);
    assert_eq!(story.ann(day(2)), "gold silver");
}

#[test]
fn a_manual_grant_lasts_from_its_making_to_its_end_and_moves_with_its_leads() {
    let mut grant = made(Grant, Some("silver"), 2);
    grant.until = Some(day(8));
    let story = tale(json!({})).told([order(Sale, "1", 0)]).overridden(grant);
    assert_eq!(on_days(&story, [1, 2, 8]), ["gold", "gold silver", "gold"]);
    let story = story.received(day(4), Vouched::Outbound, profile("7", NEW));
    assert_eq!(
        (story.ann(day(4)), story.holds(NEW, day(4))),
        (String::new(), "gold silver".to_owned())
    );
}

#[test]
fn a_grant_without_leads_stays_at_the_address() {
    let mut grant = made(Grant, Some("silver"), 2);
    grant.leads.clear();
    let story =
        tale(json!({})).overridden(grant).received(day(4), Vouched::Outbound, profile("7", NEW));
    assert_eq!(story.ann(day(5)), "silver");
}

#[test]
fn a_grant_whose_leads_have_no_address_yet_or_no_more_stays_at_the_address() {
    let story = tale(json!({})).overridden(made(Grant, Some("silver"), 2)).received(
        day(4),
        Vouched::Outbound,
        profile("7", NEW),
    );
    assert_eq!(on_days(&story, [1, 2, 3, 4]), ["", "silver", "silver", ""]);
    assert_eq!(story.holds(NEW, day(4)), "silver");
}

#[test]
fn a_block_takes_one_level_or_all_and_survives_a_rebill_until_deleted() {
    let mut one = made(Block, Some("gold"), 2);
    one.ended_at = Some(day(6));
    let payments = [event(Sale, "1", 0), event(Rebill, "2", 4)];
    let silver = made(Grant, Some("silver"), 0);
    let story = tale(json!({})).told(payments).overridden(silver).overridden(one);
    assert_eq!(on_days(&story, [1, 2, 5, 6]), ["gold silver", "silver", "silver", "gold silver"]);
    assert_eq!(story.overridden(made(Block, None, 7)).ann(day(7)), "");
}

#[test]
fn a_chargeback_blocks_the_member_until_lifted() {
    let other = with(order(Sale, "8", 1), |sale| sale.product_id = text("502"));
    let story = tale(json!({"on_chargeback": "block"})).mapped(mapping("502", "silver", json!({})));
    let story =
        story.told([event(Sale, "1", 0), other, event(Chargeback, "2", 5), event(Rebill, "3", 7)]);
    assert_eq!(on_days(&story, [4, 5, 7]), ["gold silver", "", ""]);
    let lifted = story.clone().overridden(made(LiftChargeback, None, 6));
    assert_eq!(on_days(&lifted, [5, 6, 7]), ["", "silver", "gold silver"]);
    let too_early = story.clone().overridden(made(LiftChargeback, None, 4));
    assert_eq!(too_early.ann(day(6)), "");
    let mut elsewhere = made(LiftChargeback, None, 6);
    elsewhere.leads = vec!["8".to_owned()];
    let with_another = story.received(day(1), Vouched::Outbound, profile("8", NEW));
    assert_eq!(with_another.overridden(elsewhere).ann(day(6)), "");
}

#[test]
fn what_is_held_open_withstands_the_chargebacks_before_it_and_nothing_else() {
    let story = tale(json!({"on_chargeback": "block"}))
        .told([event(Sale, "1", 0), event(Chargeback, "2", 5), event(Chargeback, "3", 9)])
        .overridden(made(HeldOpen, Some("gold"), 5));
    assert_eq!(on_days(&story, [4, 5, 8, 9]), ["gold", "gold", "gold", ""]);
    let lifted = story.clone().overridden(made(LiftChargeback, None, 10));
    assert_eq!(on_days(&lifted, [9, 10]), ["", "gold"]);
    let mut decided = story.clone();
    decided.overrides[0].ended_at = Some(day(7));
    assert_eq!(on_days(&decided, [6, 7]), ["gold", ""]);
    assert_eq!(story.overridden(made(Block, Some("gold"), 6)).ann(day(6)), "");
}
