//! The one who tells a story: each call makes something happen, as Kartra's billing would have it happen.

use chrono::{Days, Months, NaiveDateTime, TimeDelta};
use rand_chacha::ChaCha8Rng;

use super::offers::{Billing, Offer};
use super::person::between;
use super::story::{Event, Kind, Money, What};

/// Kartra tries a failed payment again after so many days …
const RETRY_DAYS: u64 = 3;
/// … and so many times, before it cancels the subscription.
pub const RETRIES: u32 = 3;

/// A purchase while its story is told.
#[derive(Debug, Clone)]
pub struct Purchase {
    offer: &'static Offer,
    order_id: u64,
    subscription_id: u64,
    payments: u32,
    last_payment: u64,
    last_cents: u64,
    /// When the first full payment was due, from which the months are counted, and its number.
    cycle: (NaiveDateTime, u32),
}

/// Tells a story: each call makes something happen.
#[derive(Debug)]
pub struct Teller<'a> {
    /// Where chance comes from.
    pub rng: &'a mut ChaCha8Rng,
    /// What has happened so far, in the order of telling.
    pub events: Vec<Event>,
    next_id: u64,
}

impl<'a> Teller<'a> {
    /// A teller whose transactions and subscriptions get ids from `first_id` on.
    pub fn new(rng: &'a mut ChaCha8Rng, first_id: u64) -> Self {
        let events = Vec::new();
        Self { rng, events, next_id: first_id }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A while: so many days, and some hours and seconds.
    pub fn later(&mut self, at: NaiveDateTime, days: u32) -> NaiveDateTime {
        let seconds = between(self.rng, 60..=80_000);
        at + TimeDelta::days(days.into()) + TimeDelta::seconds(seconds.into())
    }

    /// The first payment.
    pub fn buys(&mut self, offer: &'static Offer, at: NaiveDateTime) -> Purchase {
        let order_id = self.id();
        let subscription_id = if offer.recurs() { self.id() } else { 0 };
        let (cycle, cents) = match offer.trial {
            Some((days, cents)) => ((at + Days::new(days.into()), 2), cents),
            None => ((at, 1), offer.cents),
        };
        let mut purchase = Purchase {
            offer,
            order_id,
            subscription_id,
            payments: 0,
            last_payment: 0,
            last_cents: 0,
            cycle,
        };
        self.pays(&mut purchase, Kind::Sale, order_id, cents, (at, 0));
        purchase
    }

    /// The next payment, on the day that it is due; says when that was.
    pub fn rebills(&mut self, purchase: &mut Purchase) -> NaiveDateTime {
        let at = purchase.due();
        self.rebills_at(purchase, at, 0);
        at
    }

    fn rebills_at(&mut self, purchase: &mut Purchase, at: NaiveDateTime, reattempt: u32) {
        let (id, cents) = (self.id(), purchase.offer.cents);
        self.pays(purchase, Kind::Rebill, id, cents, (at, reattempt));
    }

    /// So many payments in a row; says when the last one was.
    pub fn rebills_times(&mut self, purchase: &mut Purchase, times: u32) -> NaiveDateTime {
        let mut at = purchase.cycle.0;
        for _ in 0..times {
            at = self.rebills(purchase);
        }
        at
    }

    fn pays(
        &mut self,
        purchase: &mut Purchase,
        kind: Kind,
        id: u64,
        cents: u64,
        (at, reattempt): (NaiveDateTime, u32),
    ) {
        purchase.payments += 1;
        purchase.last_payment = id;
        purchase.last_cents = cents;
        let days = (purchase.due() - at).num_days().max(0).unsigned_abs();
        let mut money = purchase.money(kind, id, cents);
        money.reattempt = reattempt;
        money.days_to_next = days;
        self.tells(at, What::Money(money));
    }

    /// The next payment fails on its day, and then again at so many retries; says when the last one was.
    pub fn fails(&mut self, purchase: &Purchase, retries: u32) -> NaiveDateTime {
        let mut at = purchase.due();
        for reattempt in 0..=retries.min(RETRIES) {
            let id = self.id();
            let mut money = purchase.money(Kind::PaymentFailed, id, purchase.offer.cents);
            money.pay_number += 1;
            money.reattempt = reattempt;
            at = purchase.due() + Days::new(RETRY_DAYS * u64::from(reattempt));
            self.tells(at, What::Money(money));
        }
        at
    }

    /// The retry after `failures` failed ones succeeds.
    pub fn recovers(&mut self, purchase: &mut Purchase, failures: u32) {
        let at = purchase.due() + Days::new(RETRY_DAYS * u64::from(failures));
        self.rebills_at(purchase, at, failures);
    }

    /// The subscription is cancelled.
    pub fn cancels(&mut self, purchase: &Purchase, at: NaiveDateTime) {
        let id = self.id();
        let money = purchase.money(Kind::Cancellation, id, 0);
        self.tells(at, What::Money(money));
    }

    /// So many percent of the latest payment are taken back.
    pub fn takes_back(&mut self, purchase: &Purchase, kind: Kind, percent: u64, at: NaiveDateTime) {
        let id = self.id();
        let cents = purchase.last_cents * percent / 100;
        let mut money = purchase.money(kind, id, cents);
        money.parent_id = purchase.last_payment;
        money.base_cents = purchase.last_cents;
        self.tells(at, What::Money(money));
    }

    /// Something happens.
    pub fn tells(&mut self, at: NaiveDateTime, what: What) {
        self.events.push(Event { at, what });
    }
}

impl Purchase {
    /// When the next payment is due.
    pub fn due(&self) -> NaiveDateTime {
        let (from, number) = self.cycle;
        let next = self.payments + 1;
        from + Months::new(next.saturating_sub(number))
    }

    /// How many payments a plan still needs.
    pub fn payments_left(&self) -> u32 {
        match self.offer.billing {
            Billing::Plan(payments) => payments.saturating_sub(self.payments),
            Billing::Once | Billing::Monthly => 0,
        }
    }

    /// The same subscription goes on with another offer.
    pub fn moves_to(&mut self, offer: &'static Offer) {
        self.offer = offer;
    }

    fn money(&self, kind: Kind, transaction_id: u64, cents: u64) -> Money {
        Money {
            kind,
            transaction_id,
            parent_id: 0,
            offer: self.offer,
            order_id: self.order_id,
            subscription_id: self.subscription_id,
            pay_number: self.payments,
            reattempt: 0,
            cents,
            base_cents: cents,
            days_to_next: 0,
        }
    }
}
