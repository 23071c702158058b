//! From events to purchases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::super::story::Kind;
use super::merge::{Event, id_order};

/// What tells one purchase from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Subscription(String),
    /// A product and an order.
    Order(String, String),
}

/// Where an event belongs as far as it says so itself.
enum Place {
    In(Key),
    /// It names an order of which nobody can say whose it is.
    Nowhere,
    /// It names nothing at all, and joins what its lead bought last.
    WithLead,
}

/// A purchase with at least one payment, its events in fold order.
pub struct Purchase<'a> {
    pub steps: Vec<&'a Event>,
}

impl<'a> Purchase<'a> {
    pub fn payments(&self) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.steps.iter().copied().filter(|step| step.kind.is_payment())
    }

    fn first_payment(&self) -> &'a Event {
        self.payments().next().expect("a purchase has a payment")
    }

    /// When the purchase started.
    pub fn start(&self) -> DateTime<Utc> {
        self.first_payment().occurred_at
    }

    /// The lead that the purchase belongs to.
    pub fn owner(&self) -> Option<&'a str> {
        let known = self.payments().rev().find(|payment| payment.has_lead_id);
        known.or_else(|| self.payments().next_back()).and_then(|payment| payment.lead.as_deref())
    }

    /// Product and price point of the term that the purchase is in at an instant.
    fn term_at(&self, instant: DateTime<Utc>) -> Option<(&'a str, Option<&'a str>)> {
        let mut price_point = None;
        let mut product = None;
        let mut found = None;
        for payment in self.payments() {
            let next = payment.product_id.as_deref();
            if next != product {
                price_point = None;
            }
            product = next;
            price_point = payment.price_point.as_deref().or(price_point);
            if payment.occurred_at <= instant {
                found = product.map(|product| (product, price_point));
            }
        }
        found
    }

    fn suits(&self, reversal: &Event) -> bool {
        let Some((product, price_point)) = self.term_at(reversal.occurred_at) else { return false };
        self.owner() == reversal.lead.as_deref()
            && self.start() <= reversal.occurred_at
            && reversal.product_id.as_deref() == Some(product)
            && (reversal.price_point.is_none() || reversal.price_point.as_deref() == price_point)
    }
}

/// The purchases that these events make.
pub fn purchases<'a>(past: &[&'a Event]) -> Vec<Purchase<'a>> {
    let mut found: BTreeMap<Key, Vec<&'a Event>> = BTreeMap::new();
    let mut lost = Vec::new();
    for event in past.iter().copied().filter(|event| event.kind != Kind::Other) {
        match place(event, past) {
            Place::In(key) => found.entry(key).or_default().push(event),
            Place::Nowhere => {}
            Place::WithLead => lost.push(event),
        }
    }
    found.retain(|_, steps| steps.iter().any(|step| step.kind.is_payment()));
    let mut purchases: Vec<Purchase> =
        found.into_values().map(|steps| Purchase { steps }).collect();
    sort(&mut purchases);
    for reversal in lost {
        join_lead(reversal, &mut purchases);
    }
    sort(&mut purchases);
    purchases
}

fn sort(purchases: &mut [Purchase]) {
    for purchase in purchases {
        purchase.steps.sort_by_key(|step| step.fold_order());
    }
}

/// Payments alone say when a purchase started, whose it is and what its terms are, so it does not matter which of the
/// reversals that name nothing are joined before this one.
fn join_lead<'a>(reversal: &'a Event, purchases: &mut [Purchase<'a>]) {
    let latest =
        purchases.iter_mut().filter(|purchase| purchase.suits(reversal)).max_by_key(|purchase| {
            let first = purchase.first_payment();
            (first.occurred_at, id_order(first.transaction_id.as_deref()), first.kind)
        });
    if let Some(purchase) = latest {
        purchase.steps.push(reversal);
    }
}

fn place(event: &Event, past: &[&Event]) -> Place {
    if let Some(subscription) = &event.subscription {
        return Place::In(Key::Subscription(subscription.clone()));
    }
    let Some(order) = order_of(event) else { return Place::WithLead };
    let tied = subscriptions_tied_to(order, event, past);
    match (tied.len(), event.kind.is_reversal()) {
        (1, _) => {
            Place::In(Key::Subscription(tied.into_iter().next().expect("there is one").to_owned()))
        }
        (0, true) => known_payment(order, event, past)
            .map_or_else(|| Place::In(own_key(event, order)), |payment| place(payment, past)),
        (_, true) => Place::Nowhere,
        (_, false) => Place::In(own_key(event, order)),
    }
}

fn own_key(event: &Event, order: &str) -> Key {
    Key::Order(event.product_id.clone().unwrap_or_default(), order.to_owned())
}

/// The one order by which an event without a subscription is placed.
fn order_of(event: &Event) -> Option<&str> {
    let fallback = if event.kind.is_payment() { &event.transaction_id } else { &event.parent };
    event.original.as_deref().or(fallback.as_deref())
}

/// Whether the event names the order in any of the ways it can.
fn names(event: &Event, order: &str) -> bool {
    let second = if event.kind.is_payment() { &event.transaction_id } else { &event.parent };
    event.original.as_deref() == Some(order) || second.as_deref() == Some(order)
}

fn subscriptions_tied_to<'a>(order: &str, event: &Event, past: &[&'a Event]) -> BTreeSet<&'a str> {
    past.iter()
        .filter(|other| {
            other.kind != Kind::Other && other.product_id == event.product_id && names(other, order)
        })
        .filter_map(|other| other.subscription.as_deref())
        .collect()
}

/// The payment whose own id the order is; a sale before a rebill of the same id.
fn known_payment<'a>(order: &str, reversal: &Event, past: &[&'a Event]) -> Option<&'a Event> {
    past.iter()
        .copied()
        .filter(|payment| payment.kind.is_payment() && payment.product_id == reversal.product_id)
        .filter(|payment| payment.transaction_id.as_deref() == Some(order))
        .min_by_key(|payment| payment.kind)
}
