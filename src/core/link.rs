//! Which purchase each money event belongs to.
//!
//! Links are made among events that are closed under what they name: whoever calls [`link`] gives,
//! with an event, also every event that shares a subscription or a (product, order) with it. A
//! reversal that names neither is *loose* and joins by its lead, see [`join`].

use super::Instant;
use super::event::{Event, EventId, Kind, LeadKey, TransactionOrder};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A purchase: `subscription:<id>`, or `order:<product>:<order>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PurchaseId(pub String);

/// What stands before the id of a subscription.
const SUBSCRIPTION: &str = "subscription:";

impl PurchaseId {
    /// Whether it is a subscription, and not an order.
    #[must_use]
    pub fn is_subscription(&self) -> bool {
        self.0.starts_with(SUBSCRIPTION)
    }

    fn subscription(id: &str) -> Self {
        Self(format!("{SUBSCRIPTION}{id}"))
    }

    fn order(product: &str, order: &str) -> Self {
        // Kartra's product ids are numbers; the escape keeps any other text unambiguous.
        Self(format!("order:{}:{order}", product.replace('%', "%25").replace(':', "%3A")))
    }
}

/// Where an event belongs, as far as the events that share a name with it tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// To this purchase, which may have no payment yet.
    Purchase(PurchaseId),
    /// To whatever [`join`] finds: a reversal that names neither subscription nor order.
    Loose,
    /// To nothing: a reversal of an order that several subscriptions share.
    Ambiguous,
}

/// A name that ties events together: a subscription, or an order of a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tie {
    /// `transaction_internal_subscription_id`.
    Subscription(String),
    /// (product, order).
    Order(String, String),
}

/// Everything that an event names: its subscription, `original_id`, a reversal's parent, a
/// payment's own transaction id. A payment's parent is never read.
#[must_use]
pub fn ties(event: &Event) -> Vec<Tie> {
    let mut ties: Vec<Tie> =
        event.said.subscription_id.iter().cloned().map(Tie::Subscription).collect();
    let product = event.said.product_id.clone().unwrap_or_default();
    ties.extend(
        orders(event).into_iter().map(|order| Tie::Order(product.clone(), order.to_owned())),
    );
    ties
}

/// Whether a reversal names neither a subscription nor an order.
#[must_use]
pub fn is_loose(event: &Event) -> bool {
    event.kind().is_reversal() && ties(event).is_empty()
}

/// Links each money event of a set that is closed under [`ties`].
#[must_use]
pub fn link(events: &[Event]) -> Vec<Link> {
    let index = Index::over(events);
    events.iter().map(|event| index.link(event)).collect()
}

/// The orders that an event names.
fn orders(event: &Event) -> BTreeSet<&str> {
    let said = &event.said;
    let second = if event.kind().is_payment() { &said.transaction_id } else { &said.parent_id };
    [&said.original_id, second].into_iter().filter_map(|id| id.as_deref()).collect()
}

/// The one order that an event without a subscription goes by.
fn order(event: &Event) -> Option<&str> {
    let said = &event.said;
    let second = if event.kind().is_payment() { &said.transaction_id } else { &said.parent_id };
    said.original_id.as_deref().or(second.as_deref())
}

/// (product, order).
type Order<'a> = (&'a str, &'a str);

#[derive(Default)]
struct Index<'a> {
    /// The subscriptions that events of a product name together with an order.
    subscriptions: BTreeMap<Order<'a>, BTreeSet<&'a str>>,
    /// Payments by product and own transaction id; of a sale and a rebill with the same id, the sale.
    payments: BTreeMap<Order<'a>, &'a Event>,
}

impl<'a> Index<'a> {
    fn over(events: &'a [Event]) -> Self {
        let mut index = Self::default();
        for event in events {
            let product = product(event);
            if let Some(subscription) = &event.said.subscription_id {
                for order in orders(event) {
                    index.subscriptions.entry((product, order)).or_default().insert(subscription);
                }
            }
            let own = event.said.transaction_id.as_deref();
            if let (true, Some(own)) = (event.kind().is_payment(), own) {
                let known = index.payments.entry((product, own)).or_insert(event);
                if event.kind() == Kind::Sale {
                    *known = event;
                }
            }
        }
        index
    }

    fn link(&self, event: &'a Event) -> Link {
        if let Some(subscription) = &event.said.subscription_id {
            return Link::Purchase(PurchaseId::subscription(subscription));
        }
        let product = product(event);
        let Some(order) = order(event) else {
            return Link::Loose;
        };
        let named = self.subscriptions.get(&(product, order));
        if let Some(subscriptions) = named {
            let mut named = subscriptions.iter();
            if let (Some(only), None) = (named.next(), named.next()) {
                return Link::Purchase(PurchaseId::subscription(only));
            }
            if event.kind().is_reversal() {
                return Link::Ambiguous;
            }
        }
        if event.kind().is_reversal() {
            // A payment's link never asks for another payment, so this goes one step deep.
            if let Some(payment) = self.payments.get(&(product, order)) {
                return self.link(payment);
            }
        }
        Link::Purchase(PurchaseId::order(product, order))
    }
}

fn product(event: &Event) -> &str {
    event.said.product_id.as_deref().unwrap_or_default()
}

/// What a loose reversal has to know of a purchase to join it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The purchase.
    pub id: PurchaseId,
    /// The lead that it belongs to.
    pub lead: LeadKey,
    /// Its earliest payment.
    pub started_at: Instant,
    /// That payment.
    pub first_payment: EventId,
    /// Its terms in order.
    pub terms: Vec<TermOutline>,
}

/// When a term began, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermOutline {
    /// The product.
    pub product_id: String,
    /// The price point, where one is known.
    pub price_point: Option<String>,
    /// When the term began.
    pub started_at: Instant,
}

/// The purchase that a loose reversal joins: the latest of the same lead that started at or before
/// it and whose term at that instant has its product, and its price point if it names one.
#[must_use]
pub fn join<'a>(
    event: &Event,
    purchases: impl IntoIterator<Item = &'a Outline>,
) -> Option<PurchaseId> {
    let fits = |purchase: &Outline| {
        let mut begun = purchase.terms.iter().filter(|term| term.started_at <= event.occurred_at);
        Some(&purchase.lead) == event.lead.as_ref()
            && purchase.started_at <= event.occurred_at
            && begun.next_back().is_some_and(|term| {
                Some(&term.product_id) == event.said.product_id.as_ref()
                    && (event.said.price_point.is_none()
                        || event.said.price_point == term.price_point)
            })
    };
    purchases
        .into_iter()
        .filter(|purchase| fits(purchase))
        .max_by_key(|purchase| {
            let (kind, transaction) = purchase.first_payment.parts();
            (purchase.started_at, TransactionOrder::of(transaction), kind)
        })
        .map(|purchase| purchase.id.clone())
}
