//! The lives that there are, and how common each is.

use chrono::{Days, NaiveDateTime, NaiveTime, TimeDelta};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::offers::{MONTHLY, ONCE, Offer, PLANS, TRIALS, UPGRADE};
use super::person::{Person, between, chance};
use super::profile;
use super::story::{Kind, Story, WINDOW_END, WINDOW_START};
use super::teller::{Purchase, RETRIES, Teller};

type Life = fn(&mut Teller<'_>, NaiveDateTime);

/// Of a hundred members, so many live so. Everything ends with the window, so many a life is caught in its middle.
const LIVES: [(u32, Life); 21] = [
    (13, buys_once),
    (5, buys_once_and_is_refunded),
    (3, buys_once_and_is_refunded_in_part),
    (2, buys_once_and_charges_back),
    (3, buys_again_after_a_refund),
    (17, subscribes_and_stays),
    (10, subscribes_and_cancels),
    (6, fails_and_recovers),
    (6, fails_and_is_canceled),
    (3, subscribes_and_is_refunded),
    (2, subscribes_and_is_refunded_in_part),
    (2, subscribes_and_charges_back),
    (2, comes_back_after_a_cancellation),
    (4, moves_up_in_the_same_subscription),
    (3, moves_up_to_another_subscription),
    (5, tries_and_stays),
    (3, tries_and_cancels),
    (2, tries_and_fails),
    (4, pays_off_a_plan),
    (2, breaks_off_a_plan),
    (3, buys_two_things),
];

/// The whole life of this person; ids of transactions and subscriptions count from `first_id`.
pub fn live(rng: &mut ChaCha8Rng, person: Person, first_id: u64) -> Story {
    let mut teller = Teller::new(rng, first_id);
    let start = somewhen(&mut teller);
    life(&mut teller)(&mut teller, start);
    let email_changed_at = profile::adds_to(&mut teller);
    let end = WINDOW_END.and_time(NaiveTime::MIN);
    let mut events = teller.events;
    events.retain(|event| event.at < end);
    // Stable: what happens at one instant stays in the order of telling.
    events.sort_by_key(|event| event.at);
    Story { person, events, email_changed_at }
}

/// An instant of the window that leaves at least two months for what comes after it.
fn somewhen(teller: &mut Teller<'_>) -> NaiveDateTime {
    let days = (WINDOW_END - WINDOW_START).num_days() - 60;
    let days = between(teller.rng, 0..=u32::try_from(days).unwrap_or(0));
    teller.later(WINDOW_START.and_time(NaiveTime::MIN), days)
}

fn life(teller: &mut Teller<'_>) -> Life {
    let all = LIVES.iter().map(|(share, _)| share).sum::<u32>();
    let mut roll = between(teller.rng, 1..=all);
    for (share, life) in LIVES {
        if roll <= share {
            return life;
        }
        roll -= share;
    }
    buys_once
}

fn one_of(teller: &mut Teller<'_>, offers: &'static [Offer]) -> &'static Offer {
    offers.choose(teller.rng).unwrap_or(&UPGRADE)
}

fn buys(teller: &mut Teller<'_>, offers: &'static [Offer], at: NaiveDateTime) -> Purchase {
    let offer = one_of(teller, offers);
    teller.buys(offer, at)
}

fn days_after(teller: &mut Teller<'_>, at: NaiveDateTime, most: u32) -> NaiveDateTime {
    let days = between(teller.rng, 1..=most);
    teller.later(at, days)
}

/// A monthly subscription that has been paid for some months more; says when it was paid last.
fn subscribes(teller: &mut Teller<'_>, at: NaiveDateTime, most: u32) -> (Purchase, NaiveDateTime) {
    let mut purchase = buys(teller, &MONTHLY, at);
    let months = between(teller.rng, 0..=most);
    let paid = teller.rebills_times(&mut purchase, months);
    (purchase, paid)
}

/// Pays month after month until the window ends.
fn stays(teller: &mut Teller<'_>, purchase: &mut Purchase) {
    while purchase.due().date() < WINDOW_END {
        teller.rebills(purchase);
    }
}

fn buys_once(teller: &mut Teller<'_>, at: NaiveDateTime) {
    buys(teller, &ONCE, at);
}

fn buys_once_and_is_refunded(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let purchase = buys(teller, &ONCE, at);
    let at = days_after(teller, at, 25);
    teller.takes_back(&purchase, Kind::Refund, 100, at);
}

fn buys_once_and_is_refunded_in_part(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let purchase = buys(teller, &ONCE, at);
    let first = days_after(teller, at, 15);
    teller.takes_back(&purchase, Kind::PartialRefund, 30, first);
    if chance(teller.rng, 40) {
        let second = days_after(teller, first, 10);
        teller.takes_back(&purchase, Kind::PartialRefund, 40, second);
    }
}

fn buys_once_and_charges_back(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let purchase = buys(teller, &ONCE, at);
    let at = days_after(teller, at, 50);
    teller.takes_back(&purchase, Kind::Chargeback, 100, at);
}

fn buys_again_after_a_refund(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let offer = one_of(teller, &ONCE);
    let purchase = teller.buys(offer, at);
    let refunded = days_after(teller, at, 14);
    teller.takes_back(&purchase, Kind::Refund, 100, refunded);
    let again = days_after(teller, refunded, 30);
    teller.buys(offer, again);
}

fn subscribes_and_stays(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let mut purchase = buys(teller, &MONTHLY, at);
    stays(teller, &mut purchase);
}

fn subscribes_and_cancels(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, paid) = subscribes(teller, at, 6);
    let at = days_after(teller, paid, 25);
    teller.cancels(&purchase, at);
}

fn fails_and_recovers(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (mut purchase, _) = subscribes(teller, at, 4);
    let failures = between(teller.rng, 1..=RETRIES);
    teller.fails(&purchase, failures - 1);
    teller.recovers(&mut purchase, failures);
    stays(teller, &mut purchase);
}

fn fails_and_is_canceled(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, _) = subscribes(teller, at, 4);
    let failed = teller.fails(&purchase, RETRIES);
    teller.cancels(&purchase, failed + TimeDelta::seconds(75));
}

fn subscribes_and_is_refunded(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, paid) = subscribes(teller, at, 3);
    let refunded = days_after(teller, paid, 12);
    teller.takes_back(&purchase, Kind::Refund, 100, refunded);
    // Giving the money back does not end the billing: mostly the vendor cancels as well, sometimes before.
    if chance(teller.rng, 80) {
        let minutes = if chance(teller.rng, 70) { 4 } else { -3 };
        teller.cancels(&purchase, refunded + TimeDelta::minutes(minutes));
    }
}

fn subscribes_and_is_refunded_in_part(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (mut purchase, paid) = subscribes(teller, at, 3);
    let refunded = days_after(teller, paid, 12);
    teller.takes_back(&purchase, Kind::PartialRefund, 35, refunded);
    stays(teller, &mut purchase);
}

fn subscribes_and_charges_back(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, paid) = subscribes(teller, at, 2);
    let taken = days_after(teller, paid, 20);
    teller.takes_back(&purchase, Kind::Chargeback, 100, taken);
    teller.cancels(&purchase, taken + TimeDelta::minutes(11));
}

fn comes_back_after_a_cancellation(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, paid) = subscribes(teller, at, 2);
    let left = days_after(teller, paid, 25);
    teller.cancels(&purchase, left);
    let back = days_after(teller, left, 60);
    subscribes_and_stays(teller, back);
}

fn moves_up_in_the_same_subscription(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (mut purchase, _) = subscribes(teller, at, 4);
    purchase.moves_to(&UPGRADE);
    stays(teller, &mut purchase);
}

fn moves_up_to_another_subscription(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let (purchase, paid) = subscribes(teller, at, 4);
    let moved = days_after(teller, paid, 25);
    let mut other = teller.buys(&UPGRADE, moved);
    teller.cancels(&purchase, moved + TimeDelta::seconds(50));
    stays(teller, &mut other);
}

fn tries_and_stays(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let mut purchase = buys(teller, &TRIALS, at);
    stays(teller, &mut purchase);
}

fn tries_and_cancels(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let purchase = buys(teller, &TRIALS, at);
    teller.cancels(&purchase, purchase.due() - Days::new(1));
}

fn tries_and_fails(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let purchase = buys(teller, &TRIALS, at);
    let failed = teller.fails(&purchase, RETRIES);
    teller.cancels(&purchase, failed + TimeDelta::seconds(75));
}

fn pays_off_a_plan(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let mut purchase = buys(teller, &PLANS, at);
    let rest = purchase.payments_left();
    teller.rebills_times(&mut purchase, rest);
}

fn breaks_off_a_plan(teller: &mut Teller<'_>, at: NaiveDateTime) {
    let mut purchase = buys(teller, &PLANS, at);
    let some = between(teller.rng, 0..=1);
    teller.rebills_times(&mut purchase, some);
    let failed = teller.fails(&purchase, RETRIES);
    teller.cancels(&purchase, failed + TimeDelta::seconds(75));
}

fn buys_two_things(teller: &mut Teller<'_>, at: NaiveDateTime) {
    buys(teller, &ONCE, at);
    let next = days_after(teller, at, 20);
    if chance(teller.rng, 50) {
        subscribes_and_stays(teller, next);
    } else {
        subscribes_and_cancels(teller, next);
    }
}
