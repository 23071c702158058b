//! Complimentary tiers: one at most, by priority, and never one that Latchkey did not give.

use super::{Site, member, set, texts};
use crate::support::ghost::{Ghost, Member, Tier};
use latchkey::destinations::Failure;
use serde_json::{Value, json};

/// A Ghost with four tiers, of which two are for holders of labels: gold before silver.
fn site() -> Site {
    let ghost = Ghost::start();
    ghost.state().tiers.extend(["Gold", "Silver", "Patron"].map(Tier::paid));
    Site::with(
        ghost,
        &json!({ "tiers": [
            { "remote": "Gold label", "tier": "gold" },
            { "remote": "Silver label", "tier": "Silver" },
        ] }),
    )
}

/// Somebody with labels and a tier that is complimentary.
fn comped(labels: &[&str], tier: &str) -> Member {
    Member {
        tiers: texts(&[tier]),
        status: "comped".to_owned(),
        ..member("jo@example.com", labels)
    }
}

/// The tiers that jo has, and the body of the last call that wrote.
fn tiers(site: &Site) -> (Vec<String>, Value) {
    let last = site.ghost.state().bodies.last().cloned().unwrap_or_default();
    (site.ghost.member("jo@example.com").tiers, last)
}

#[test]
fn the_first_of_the_list_is_given_with_the_account() {
    let site = site();
    site.make("jo@example.com", &["Gold label", "Silver label"]).expect("made");
    assert_eq!(tiers(&site).0, ["id-of-gold"]);
    assert_eq!(tiers(&site).1["tiers"], json!([{ "id": "id-of-gold" }]));
    site.make("kim@example.com", &["Extras"]).expect("made");
    assert_eq!(site.ghost.member("kim@example.com").tiers, texts(&[]));
    assert_eq!(site.ghost.state().mails, ["jo@example.com", "kim@example.com"]);
}

#[test]
fn the_tier_follows_the_labels() {
    let site = site();
    let there = site.has(member("jo@example.com", &["VIP"]));
    for (add, remove, expected) in [
        (vec!["Silver label"], vec![], vec!["id-of-silver"]),
        (vec!["Gold label"], vec![], vec!["id-of-gold"]),
        (vec![], vec!["Gold label"], vec!["id-of-silver"]),
        (vec!["Gold label"], vec!["Silver label"], vec!["id-of-gold"]),
        (vec![], vec!["Gold label"], vec![]),
    ] {
        site.write(&there, &add, &remove).expect("written");
        assert_eq!(tiers(&site).0, expected, "+ {add:?} - {remove:?}");
    }
    assert_eq!(tiers(&site).1, json!({ "labels": [{ "name": "VIP" }], "tiers": [] }));
}

#[test]
fn a_tier_that_is_right_is_not_written_again() {
    let site = site();
    let there = site.has(comped(&["Gold label"], "id-of-gold"));
    site.write(&there, &["Gold label", "Silver label"], &[]).expect("written");
    let (has, sent) = tiers(&site);
    assert_eq!(has, ["id-of-gold"]);
    assert_eq!(sent, json!({ "labels": [{ "name": "Gold label" }, { "name": "Silver label" }] }));
}

#[test]
fn a_label_that_went_by_hand_takes_its_tier_along_when_it_is_removed() {
    let site = site();
    let there = site.has(comped(&["VIP"], "id-of-gold"));
    site.write(&there, &[], &["Gold label"]).expect("written");
    assert_eq!(tiers(&site), (texts(&[]), json!({ "tiers": [] })));
}

#[test]
fn a_tier_that_somebody_else_gave_stays_whatever_labels_come_and_go() {
    for foreign in ["id-of-patron", "id-of-silver"] {
        let site = site();
        let there = site.has(comped(&["VIP"], foreign));
        let written = site.write(&there, &["Gold label"], &[]).expect("written");
        assert_eq!(written.holds, set(&["Gold label", "VIP"]), "its label is given all the same");
        assert_eq!(tiers(&site).0, [foreign]);
        site.write(&there, &[], &["Gold label"]).expect("written");
        assert_eq!(tiers(&site).0, [foreign]);
    }
}

#[test]
fn beside_a_subscription_that_is_paid_for_no_tier_is_touched() {
    for state in ["active", "trialing", "past_due", "unpaid"] {
        let site = site();
        let there = site.has(Member {
            tiers: texts(&["id-of-silver"]),
            status: "paid".to_owned(),
            subscriptions: texts(&[state]),
            ..member("jo@example.com", &["Silver label"])
        });
        let written = site.write(&there, &["Gold label"], &[]).expect("written");
        assert_eq!(written.holds, set(&["Gold label", "Silver label"]), "{state}");
        site.write(&there, &[], &["Gold label", "Silver label"]).expect("written");
        assert_eq!(tiers(&site), (texts(&["id-of-silver"]), json!({ "labels": [] })), "{state}");
    }
}

#[test]
fn what_somebody_paid_for_as_a_gift_stays() {
    let site = site();
    let there =
        site.has(Member { status: "gift".to_owned(), ..comped(&["Silver label"], "id-of-silver") });
    site.write(&there, &["Gold label"], &[]).expect("written");
    site.write(&there, &[], &["Gold label", "Silver label"]).expect("written");
    assert_eq!(tiers(&site).0, ["id-of-silver"]);
}

#[test]
fn beside_a_subscription_that_is_over_a_tier_is_given() {
    let site = site();
    let there =
        site.has(Member { subscriptions: texts(&["canceled"]), ..member("jo@example.com", &[]) });
    site.write(&there, &["Gold label"], &[]).expect("written");
    assert_eq!(tiers(&site).0, ["id-of-gold"]);
}

#[test]
fn a_tier_that_cannot_be_given_refuses_the_member_in_words_and_gives_no_part() {
    let site = site();
    let there = site.has(member("jo@example.com", &[]));
    site.ghost.state().tiers[1].active = false;
    let expected = "Request not understood error, cannot edit member. Cannot use archived Tiers";
    let refused = Err(Failure::Refused(expected.to_owned()));
    assert_eq!(site.write(&there, &["Gold label"], &[]), refused);
    assert_eq!(site.ghost.member("jo@example.com").labels, texts(&[]));
    site.ghost.state().tiers.remove(1);
    let expected = "Ghost has no tier with the name, slug or id gold";
    let refused = Err(Failure::Refused(expected.to_owned()));
    assert_eq!(site.write(&there, &["Gold label"], &[]), refused);
    assert_eq!(site.make("kim@example.com", &["Gold label"]), refused);
    assert_eq!(site.ghost.state().members.len(), 1);
}

#[test]
fn a_tier_that_ghost_keeps_to_itself_is_not_taken_for_given() {
    let site = site();
    let there = site.has(member("jo@example.com", &[]));
    let comped = site.has(Member {
        email: "kim@example.com".to_owned(),
        ..comped(&["Gold label"], "id-of-gold")
    });
    site.ghost.state().stripe = false;
    let expected = "Ghost has not given the tier gold; tiers act only where Stripe is connected";
    let refused = Err(Failure::Refused(expected.to_owned()));
    assert_eq!(site.write(&there, &["Gold label"], &[]), refused);
    assert_eq!(site.make("lou@example.com", &["Gold label"]), refused);
    assert_eq!(
        site.write(&comped, &[], &["Gold label"]),
        Err(Failure::Unsure("Ghost has not taken the tier away".to_owned()))
    );
}
