//! The words of a life story.
//!
//! A story is what happened, once, in the order in which it happened. `teller.rs` makes things happen, `lives.rs` knows
//! which lives there are, `render.rs` how an event reads on the wire, and `mod.rs` decides over which feed and how often
//! it is told.

use chrono::{NaiveDate, NaiveDateTime};

use super::offers::{Billing, Offer};
use super::person::Person;
use super::profile::Profile;

/// The first day of all stories.
pub const WINDOW_START: NaiveDate = day(2025, 1, 1);
/// The day before which all stories end. Fixed, so that the same seed gives the same bytes on any day; in the past, so
/// that no event is dated later than its receipt.
pub const WINDOW_END: NaiveDate = day(2026, 7, 1);

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// Everything that happened to one member.
#[derive(Debug)]
pub struct Story {
    /// Whom it happened to.
    pub person: Person,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// From when on the person has the new address.
    pub email_changed_at: Option<NaiveDateTime>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// When, on the clock of the Kartra account.
    pub at: NaiveDateTime,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// Money moved, or should have.
    Money(Money),
    /// Something of the profile changed: the kind `other`.
    Profile(&'static Profile),
}

/// The kinds of money events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first payment.
    Sale,
    /// A later payment.
    Rebill,
    /// A payment that did not succeed.
    PaymentFailed,
    /// The end of a subscription.
    Cancellation,
    /// A payment given back.
    Refund,
    /// A part of a payment given back.
    PartialRefund,
    /// A payment taken back by the bank.
    Chargeback,
}

impl Kind {
    /// Kartra's word for it.
    pub fn transaction_type(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Rebill => "rebill",
            Self::PaymentFailed => "failed",
            Self::Cancellation => "cancellation",
            Self::Refund => "refund",
            Self::PartialRefund => "partial_refund",
            Self::Chargeback => "chargeback",
        }
    }

    /// The outbound action; what has none, only the IPN tells.
    pub fn action(self) -> Option<&'static str> {
        match self {
            Self::Sale => Some("buy_product"),
            Self::Cancellation => Some("cancel_subscription"),
            Self::Refund => Some("refund_product"),
            Self::PartialRefund => Some("partial_refund_product"),
            Self::Rebill | Self::PaymentFailed | Self::Chargeback => None,
        }
    }

    /// Whether it takes back an earlier payment, which it then names as its parent.
    pub fn takes_back(self) -> bool {
        matches!(self, Self::Refund | Self::PartialRefund | Self::Chargeback)
    }
}

/// A money event.
#[derive(Debug, Clone)]
pub struct Money {
    /// Which kind.
    pub kind: Kind,
    /// Its own id.
    pub transaction_id: u64,
    /// The payment that it takes back, or 0.
    pub parent_id: u64,
    /// What was bought.
    pub offer: &'static Offer,
    /// The id of the first transaction.
    pub order_id: u64,
    /// The subscription, or 0.
    pub subscription_id: u64,
    /// Which payment of the subscription, from 1.
    pub pay_number: u32,
    /// Which retry of a failed payment, or 0.
    pub reattempt: u32,
    /// Cents moved now.
    pub cents: u64,
    /// Cents of the payment that this is, or that it takes back.
    pub base_cents: u64,
    /// Days until the next payment.
    pub days_to_next: u64,
}

impl Money {
    /// Payments still to come; 9999 is Kartra's "until cancelled".
    pub fn payments_left(&self) -> u64 {
        match self.offer.billing {
            Billing::Once => 0,
            Billing::Monthly => 9_999,
            Billing::Plan(payments) => u64::from(payments.saturating_sub(self.pay_number)),
        }
    }
}
