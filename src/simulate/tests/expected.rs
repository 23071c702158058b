//! What should result from what was told.
#![expect(clippy::cast_precision_loss, reason = "counts of a test are small")]

use std::collections::BTreeSet;

use chrono_tz::America::New_York;

use super::super::{Access, Level, Place, Rules, accesses, expected, member_of, message, order};
use super::plan;
use crate::core::Instant;
use crate::core::event::Vouched;
use crate::core::policy::{OnCancellation, Policy};
use crate::simulate::Plan;
use crate::simulate::story::{Kind, Story, What};

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

/// After all stories, and after all was received.
fn later() -> Instant {
    at("2026-12-01T00:00:00Z")
}

fn rules() -> Rules {
    Rules::assumed(New_York, Some(Vouched::Unchecked))
}

fn levels(accesses: &[Access]) -> Vec<Level> {
    accesses.iter().flat_map(|access| access.levels.clone()).collect()
}

fn kinds(story: &Story) -> Vec<Kind> {
    let kind = |what: &What| match what {
        What::Money(money) => Some(money.kind),
        What::Profile(_) => None,
    };
    story.events.iter().filter_map(|event| kind(&event.what)).collect()
}

/// The members of a plan whose money events are these.
fn who(plan: &Plan, wanted: &[Kind]) -> Vec<u32> {
    let found: Vec<u32> =
        (0..plan.members).filter(|member| kinds(&member_of(plan, *member).0) == wanted).collect();
    assert!(!found.is_empty(), "nobody lives so: {wanted:?}");
    found
}

#[test]
fn who_buys_once_holds_the_level_of_the_product_and_who_is_refunded_none() {
    let plan = plan(200);
    for member in who(&plan, &[Kind::Sale]) {
        let (story, _) = member_of(&plan, member);
        let sale = story.events.iter().find_map(|event| match &event.what {
            What::Money(money) => Some((event.at, money)),
            What::Profile(_) => None,
        });
        let (when, money) = sale.expect("a sale");
        let held = levels(&accesses(&plan, member, &rules(), later(), later()));
        let expected = Level {
            level: format!("product-{}", money.offer.product_id),
            since: crate::core::site_time::instant_of(when, New_York),
            until: None,
        };
        assert_eq!(held, [expected], "member {member}");
    }
    for member in who(&plan, &[Kind::Sale, Kind::Refund]) {
        assert_eq!(levels(&accesses(&plan, member, &rules(), later(), later())), [], "{member}");
    }
}

#[test]
fn the_rules_of_the_site_decide() {
    let plan = plan(200);
    let keeps = Policy { on_cancellation: Some(OnCancellation::Keep), ..Policy::default() };
    let kept = Rules { policy: keeps, ..rules() };
    let unmapped = Rules { mappings: Vec::new(), ..rules() };
    for member in who(&plan, &[Kind::Sale, Kind::Cancellation]) {
        let held = |rules: &Rules| levels(&accesses(&plan, member, rules, later(), later())).len();
        assert_eq!((held(&rules()), held(&kept), held(&unmapped)), (0, 1, 0), "member {member}");
    }
}

#[test]
fn only_the_ipn_tells_of_a_chargeback_so_without_it_access_stays_and_is_counted_as_otherwise() {
    let with = plan(200);
    let without = Plan { ipn: 0.0, ..with.clone() };
    for member in who(&with, &[Kind::Sale, Kind::Chargeback]) {
        let told = expected(&with, member, &rules(), later(), later());
        assert_eq!((levels(&told.accesses).len(), told.otherwise), (0, false));
        let untold = expected(&without, member, &rules(), later(), later());
        assert_eq!((levels(&untold.accesses).len(), untold.otherwise), (1, true));
        // An IPN that is rejected is as good as none.
        let rejected = Rules { ipn: None, ..rules() };
        assert_eq!(expected(&with, member, &rejected, later(), later()), untold);
    }
}

#[test]
fn what_is_lost_is_not_expected() {
    let all_lost = Plan { loss: 1.0, ..plan(60) };
    for member in 0..all_lost.members {
        let told = expected(&all_lost, member, &rules(), later(), later());
        assert!(told.accesses.iter().all(|access| access.levels.is_empty()));
        let held = levels(&accesses(&plan(60), member, &rules(), later(), later()));
        assert_eq!(told.otherwise, !held.is_empty());
    }
}

#[test]
fn neither_order_nor_repeats_are_of_any_account() {
    let straight = plan(60);
    let stirred = Plan { shuffle: true, duplicate: 0.5, ..straight.clone() };
    for member in 0..straight.members {
        let of = |plan: &Plan| expected(plan, member, &rules(), later(), later());
        assert_eq!(of(&straight), of(&stirred));
    }
}

#[test]
fn a_repeat_makes_up_for_the_loss_of_what_it_repeats() {
    let lossy = Plan { loss: 0.4, ..plan(200) };
    let repeated = Plan { duplicate: 1.0, ..lossy.clone() };
    let otherwise = |plan: &Plan| {
        let of = |member: &u32| expected(plan, *member, &rules(), later(), later()).otherwise;
        (0..plan.members).filter(of).collect::<BTreeSet<_>>()
    };
    let (once, twice) = (otherwise(&lossy), otherwise(&repeated));
    assert!(twice.len() < once.len(), "{} against {}", twice.len(), once.len());
    assert!(!twice.is_empty(), "sometimes both are lost");
}

#[test]
fn the_past_is_answered_from_what_had_occurred_by_then() {
    let plan = plan(200);
    let before = at("2024-12-31T00:00:00Z");
    for member in 0..plan.members {
        assert_eq!(levels(&accesses(&plan, member, &rules(), later(), before)), []);
    }
    for member in who(&plan, &[Kind::Sale, Kind::Refund]) {
        let (story, _) = member_of(&plan, member);
        let money = |event: &&crate::simulate::story::Event| matches!(event.what, What::Money(_));
        let sold = story.events.iter().find(money).expect("a sale").at;
        let sold = crate::core::site_time::instant_of(sold, New_York);
        assert_eq!(levels(&accesses(&plan, member, &rules(), later(), sold)).len(), 1);
    }
}

#[test]
fn whoever_changed_the_address_holds_everything_under_the_new_one() {
    let plan = plan(300);
    let mut moved = 0;
    for member in 0..plan.members {
        let found = accesses(&plan, member, &rules(), later(), later());
        if let [old, new] = found.as_slice() {
            assert_eq!(new.email, old.email.replacen('@', ".new@", 1));
            assert_eq!(old.levels, []);
            moved += usize::from(!new.levels.is_empty());
        } else {
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].email, found[0].email.to_lowercase());
        }
    }
    assert!(moved > 2);
}

#[test]
fn the_answer_speaks_as_the_api_does() {
    let level = Level { level: "gold".to_owned(), since: at("2026-01-02T03:04:05Z"), until: None };
    let access = Access { email: "ada@example.com".to_owned(), levels: vec![level] };
    assert_eq!(
        serde_json::to_string(&access).unwrap(),
        r#"{"email":"ada@example.com","levels":[{"level":"gold","since":"2026-01-02T03:04:05Z","until":null}]}"#
    );
}

#[test]
fn what_is_sent_and_what_is_lost_add_up() {
    let whole = Plan { duplicate: 0.3, ipn: 0.7, shuffle: true, ..plan(120) };
    let all = order(&whole);
    assert_eq!(all.lost, 0);
    for loss in [0.01, 0.25, 1.0] {
        let lossy = order(&Plan { loss, ..whole.clone() });
        assert_eq!(lossy.lost + lossy.places.len() as u64, all.places.len() as u64);
        let share = lossy.lost as f64 / all.places.len() as f64;
        assert!((share - loss).abs() < 0.03, "{share} of {loss}");
    }
}

/// Where and when a message is, whether or not it repeats another.
fn place(place: &Place) -> (chrono::NaiveDateTime, u32, u32) {
    (place.at, place.member, place.nth)
}

#[test]
fn a_loss_takes_messages_away_and_moves_nothing_else() {
    for shuffle in [false, true] {
        let whole = Plan { duplicate: 0.3, ipn: 0.5, shuffle, ..plan(80) };
        let lossy = Plan { loss: 0.3, ..whole.clone() };
        assert_eq!(order(&lossy), order(&lossy), "the same seed loses the same");
        let mut all = order(&whole).places.into_iter();
        for left in order(&lossy).places {
            // In the same order, with the same bytes.
            let same = all.find(|other| place(other) == place(&left));
            let same = same.unwrap_or_else(|| panic!("{left:?} was moved"));
            assert_eq!(message(&lossy, left), message(&whole, same));
        }
        let less = |loss| {
            let order = order(&Plan { loss, ..whole.clone() });
            order.places.iter().map(place).collect::<BTreeSet<_>>()
        };
        assert!(less(0.3).is_superset(&less(0.4)), "a larger loss loses more of the same");
    }
}

#[test]
fn what_is_sent_once_is_no_repeat_though_the_plan_repeated_it() {
    let lossy = Plan { duplicate: 1.0, loss: 0.5, ..plan(60) };
    let mut seen = BTreeSet::new();
    for place in order(&lossy).places {
        let body = message(&lossy, place).unwrap().body;
        assert_eq!(!seen.insert(body), place.repeat);
    }
}
