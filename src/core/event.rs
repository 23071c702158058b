//! Events, and how several webhooks become observations of one.

use super::kartra::values::Amount;
use super::{Instant, site_time};
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What kind of event a webhook tells of. The order is the one of ties inside a purchase.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EventKind")]
pub enum Kind {
    /// The first payment of an order or a subscription.
    Sale,
    /// A later payment of a subscription, or the follow-up charge of a trial.
    Rebill,
    /// A payment that did not go through.
    PaymentFailed,
    /// A part of a payment was given back.
    PartialRefund,
    /// A subscription was cancelled.
    Cancellation,
    /// A payment was given back.
    Refund,
    /// A payment was taken back by the buyer's bank.
    Chargeback,
    /// Everything that is not about money: tags, lists, memberships, …
    Other,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 8] = [
        Self::Sale,
        Self::Rebill,
        Self::PaymentFailed,
        Self::PartialRefund,
        Self::Cancellation,
        Self::Refund,
        Self::Chargeback,
        Self::Other,
    ];

    /// The word for it, in the API, in the database and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Rebill => "rebill",
            Self::PaymentFailed => "payment_failed",
            Self::PartialRefund => "partial_refund",
            Self::Cancellation => "cancellation",
            Self::Refund => "refund",
            Self::Chargeback => "chargeback",
            Self::Other => "other",
        }
    }

    /// The kind that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Sales and rebills are payments.
    #[must_use]
    pub fn is_payment(self) -> bool {
        matches!(self, Self::Sale | Self::Rebill)
    }

    /// Every money event that is no payment is a reversal.
    #[must_use]
    pub fn is_reversal(self) -> bool {
        !self.is_payment() && self != Self::Other
    }
}

/// A lead as one observation names them; the three always come together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Kartra's lead id: the transaction's, else the profile's.
    pub lead_id: Option<String>,
    /// The address that the transaction carries (`lead_email`, formerly `buyer_email`).
    pub transaction_email: Option<String>,
    /// The address of the lead's profile (`lead.email`); only the outbound feed has it.
    pub profile_email: Option<String>,
}

impl Person {
    /// Whether nothing at all is said.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.lead_id.is_none() && self.transaction_email.is_none() && self.profile_email.is_none()
    }

    /// The address that it is listed by: the profile's, else the transaction's.
    #[must_use]
    pub fn address(&self) -> Option<&String> {
        self.profile_email.as_ref().or(self.transaction_email.as_ref())
    }

    /// The lead that it is about: Kartra's id, else a lead made of the address.
    #[must_use]
    pub fn lead(&self) -> Option<LeadKey> {
        if let Some(id) = &self.lead_id {
            return Some(LeadKey(id.clone()));
        }
        let address = self.transaction_email.as_ref().or(self.profile_email.as_ref())?;
        Some(LeadKey::of_address(address))
    }
}

/// A lead: Kartra's lead id, or `email:<address>` where an event named no lead id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadKey(pub String);

impl LeadKey {
    /// The lead of events that name an address and no lead id.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        Self(format!("email:{address}"))
    }
}

/// What one webhook says of one event. Absent fields are fields that it says nothing of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The kind of the event.
    pub kind: Kind,
    /// Kartra's own word for an `other` event, such as `assign_tag`.
    pub name: Option<String>,
    /// The transaction; every money event has one, no `other` event has.
    pub transaction_id: Option<String>,
    /// Who it is about.
    pub person: Person,
    /// The product; every money event names one.
    pub product_id: Option<String>,
    /// The product's name, to show.
    pub product_name: Option<String>,
    /// The price point, a small ordinal inside the product (wire.md 1.8).
    pub price_point: Option<String>,
    /// `transaction_internal_subscription_id`.
    pub subscription_id: Option<String>,
    /// The order id of the subscription's first transaction.
    pub original_id: Option<String>,
    /// The order id that a reversal reverses.
    pub parent_id: Option<String>,
    /// `transaction_full_amount`.
    pub amount: Option<Amount>,
    /// `transaction_date`, naive, in the site's `kartra_time_zone`.
    pub date: Option<NaiveDateTime>,
    /// 1 where the sale begins a trial.
    pub trial: Option<i64>,
    /// Days of trial.
    pub trial_period: Option<i64>,
    /// Days until the next charge (name documented, meaning guessed from the samples).
    pub rebill_circle: Option<i64>,
    /// Payments of a plan.
    pub installments: Option<i64>,
    /// Payments still to come; 9999 means until cancelled (wire.md 1.8, documented).
    pub payments_left: Option<i64>,
    /// Which payment of the subscription this is, from 1.
    pub pay_number: Option<i64>,
}

impl Observation {
    /// An observation that is about no money.
    #[must_use]
    pub fn other(person: Person) -> Self {
        Self {
            kind: Kind::Other,
            name: None,
            transaction_id: None,
            person,
            product_id: None,
            product_name: None,
            price_point: None,
            subscription_id: None,
            original_id: None,
            parent_id: None,
            amount: None,
            date: None,
            trial: None,
            trial_period: None,
            rebill_circle: None,
            installments: None,
            payments_left: None,
            pay_number: None,
        }
    }
}

/// How well an observation is vouched for; the better one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vouched {
    /// Kartra's Inbound API said it when asked.
    Api,
    /// An IPN whose secret was right.
    Ipn,
    /// The outbound feed.
    Outbound,
    /// An IPN with no secret to check it by.
    Unchecked,
}

impl Vouched {
    /// Its rank as a number, as the database keeps it: the better vouched, the smaller.
    #[must_use]
    pub fn rank(self) -> i16 {
        self as i16
    }

    /// The inverse of [`Vouched::rank`]; an unknown number is the least vouched.
    #[must_use]
    pub fn from_rank(rank: i16) -> Self {
        match rank {
            0 => Self::Api,
            1 => Self::Ipn,
            2 => Self::Outbound,
            _ => Self::Unchecked,
        }
    }
}

/// An observation together with how and when it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The webhook that carried it.
    pub webhook_id: String,
    /// When it was received.
    pub received_at: Instant,
    /// How well it is vouched for.
    pub vouched: Vouched,
    /// SHA-256 of the body as received.
    pub body_hash: [u8; 32],
    /// What it says.
    pub observation: Observation,
}

/// What makes two webhooks observations of the same event, within a site. It is the event's id too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub String);

impl EventId {
    /// A money event is known by its kind and transaction; any other by its webhook.
    #[must_use]
    pub fn of(observation: &Observation, webhook_id: &str) -> Self {
        let kind = observation.kind.as_str();
        match &observation.transaction_id {
            Some(transaction) => Self(format!("{kind}:{transaction}")),
            None => Self(format!("{kind}:{webhook_id}")),
        }
    }

    /// The kind and, of a money event, the transaction that the identity is made of.
    #[must_use]
    pub fn parts(&self) -> (Option<Kind>, Option<&str>) {
        let (kind, transaction) = self.0.split_once(':').unzip();
        (kind.and_then(Kind::from_word), transaction)
    }
}

/// What all observations of one event say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// The lead that it names; `None` only for an `other` event without a person.
    pub lead: Option<LeadKey>,
    /// Everything that the observations say, field by field from the best vouched.
    pub said: Observation,
    /// The date, not cut: the order inside a purchase goes by it.
    pub date: Instant,
    /// When it took effect: the date, but never later than its earliest receipt.
    pub occurred_at: Instant,
    /// The hash of the body that the person was taken from.
    pub hash: [u8; 32],
}

impl Event {
    /// Merges the observations of one event; `None` when there are none left.
    ///
    /// The order in which they are given never matters.
    #[must_use]
    pub fn merge(id: EventId, mut witnesses: Vec<Witness>, zone: Tz) -> Option<Self> {
        witnesses.sort_by_key(|a| (a.vouched, a.body_hash));
        let received_at = witnesses.iter().map(|w| w.received_at).min()?;
        let speaker = witnesses.iter().find(|w| !w.observation.person.is_nobody());
        let speaker = speaker.or(witnesses.first())?;
        let hash = speaker.body_hash;
        let person = speaker.observation.person.clone();
        let mut said = witnesses.first()?.observation.clone();
        for witness in witnesses.iter().skip(1) {
            said.fill_from(&witness.observation);
        }
        said.person = person;
        let date = match said.date {
            Some(naive) if said.kind != Kind::Other => site_time::instant_of(naive, zone),
            _ => received_at,
        };
        Some(Self {
            id,
            lead: said.person.lead(),
            said,
            date,
            occurred_at: date.min(received_at),
            hash,
        })
    }

    /// The kind of the event.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.said.kind
    }

    /// The order inside a purchase: by date, then transaction id, then kind.
    #[must_use]
    pub fn fold_order(&self, other: &Self) -> Ordering {
        let by_transaction = || self.transaction().cmp(&other.transaction());
        self.date
            .cmp(&other.date)
            .then_with(by_transaction)
            .then_with(|| self.kind().cmp(&other.kind()))
    }

    /// Which of two events of a lead is the later: by occurrence, then transaction id, then lowest hash.
    #[must_use]
    pub fn recency(&self, other: &Self) -> Ordering {
        self.occurred_at
            .cmp(&other.occurred_at)
            .then_with(|| self.transaction().cmp(&other.transaction()))
            .then_with(|| other.hash.cmp(&self.hash))
    }

    /// Its transaction id as one that can be compared.
    #[must_use]
    pub fn transaction(&self) -> TransactionOrder<'_> {
        TransactionOrder::of(self.said.transaction_id.as_deref())
    }
}

impl Observation {
    /// Takes over each field that says nothing here and something there.
    fn fill_from(&mut self, other: &Self) {
        fn fill<T: Clone>(field: &mut Option<T>, other: Option<&T>) {
            if field.is_none() {
                *field = other.cloned();
            }
        }
        fill(&mut self.name, other.name.as_ref());
        fill(&mut self.product_id, other.product_id.as_ref());
        fill(&mut self.product_name, other.product_name.as_ref());
        fill(&mut self.price_point, other.price_point.as_ref());
        fill(&mut self.subscription_id, other.subscription_id.as_ref());
        fill(&mut self.original_id, other.original_id.as_ref());
        fill(&mut self.parent_id, other.parent_id.as_ref());
        fill(&mut self.amount, other.amount.as_ref());
        fill(&mut self.date, other.date.as_ref());
        fill(&mut self.trial, other.trial.as_ref());
        fill(&mut self.trial_period, other.trial_period.as_ref());
        fill(&mut self.rebill_circle, other.rebill_circle.as_ref());
        fill(&mut self.installments, other.installments.as_ref());
        fill(&mut self.payments_left, other.payments_left.as_ref());
        fill(&mut self.pay_number, other.pay_number.as_ref());
    }
}

/// Transaction ids in order: none, then numeric ones by number, then the others as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionOrder<'a>(u8, usize, &'a str, &'a str);

impl<'a> TransactionOrder<'a> {
    /// The place of an id among all ids.
    #[must_use]
    pub fn of(id: Option<&'a str>) -> Self {
        match id {
            None => Self(0, 0, "", ""),
            Some(id) if id.bytes().all(|b| b.is_ascii_digit()) => {
                let number = id.trim_start_matches('0');
                Self(1, number.len(), number, id)
            }
            Some(id) => Self(2, 0, id, id),
        }
    }
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn at(hour: u32) -> Instant {
        Utc.with_ymd_and_hms(2025, 3, 4, hour, 0, 0).single().expect("an instant")
    }

    fn sale(lead: &str, email: &str) -> Observation {
        let person = Person {
            lead_id: Some(lead.to_owned()),
            transaction_email: Some(email.to_owned()),
            profile_email: None,
        };
        Observation {
            kind: Kind::Sale,
            transaction_id: Some("7".to_owned()),
            product_id: Some("1".to_owned()),
            ..Observation::other(person)
        }
    }

    fn witness(vouched: Vouched, hash: u8, hour: u32, observation: Observation) -> Witness {
        let webhook_id = format!("{hash}");
        Witness { webhook_id, received_at: at(hour), vouched, body_hash: [hash; 32], observation }
    }

    #[test]
    fn fields_come_from_the_best_vouched_that_says_something_and_persons_whole() {
        let mut ipn = sale("1", "a@example.com");
        ipn.price_point = None;
        let mut outbound = sale("2", "b@example.com");
        outbound.price_point = Some("3".to_owned());
        outbound.person.profile_email = Some("c@example.com".to_owned());
        let witnesses =
            [witness(Vouched::Outbound, 1, 9, outbound), witness(Vouched::Ipn, 2, 10, ipn)];
        for order in [[0, 1], [1, 0]] {
            let given = order.iter().map(|i| witnesses[*i].clone()).collect();
            let event = Event::merge(EventId("sale:7".to_owned()), given, Tz::UTC).expect("one");
            assert_eq!(event.lead, Some(LeadKey("1".to_owned())));
            assert_eq!(event.said.person.profile_email, None);
            assert_eq!(event.said.price_point.as_deref(), Some("3"));
            assert_eq!(event.occurred_at, at(9));
            assert_eq!(event.hash, [2; 32]);
        }
    }

    #[test]
    fn a_date_after_the_receipt_orders_but_does_not_delay() {
        let mut late = sale("1", "a@example.com");
        late.date = Some(at(12).naive_utc());
        let given = vec![witness(Vouched::Outbound, 1, 9, late)];
        let event = Event::merge(EventId("sale:7".to_owned()), given, Tz::UTC).expect("one");
        assert_eq!((event.date, event.occurred_at), (at(12), at(9)));
    }

    #[test]
    fn numeric_transaction_ids_come_first_and_by_number() {
        let ids = [None, Some("9"), Some("10"), Some("123456789012345678901"), Some("I-1")];
        let mut sorted = ids;
        sorted.reverse();
        sorted.sort_by_key(|id| TransactionOrder::of(*id));
        assert_eq!(sorted, ids);
    }
}
