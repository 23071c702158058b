//! The plain input of the model and of the tests that compare the core with it.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

/// Everything that decides who holds what: what Kartra sent and what the operator set.
#[derive(Debug, Clone)]
pub struct Story {
    /// The site's `kartra_time_zone`.
    pub time_zone: Tz,
    /// The site's policy object, holding only the keys that are set.
    pub site_policy: Value,
    /// The webhooks, in the order of their receipt.
    pub sent: Vec<Sent>,
    pub mappings: Vec<MappingSpec>,
    pub overrides: Vec<OverrideSpec>,
    /// Products that the operator ignores; none of them has an enabled mapping.
    pub ignored_products: Vec<String>,
}

/// One webhook.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Unique in its story, in whole microseconds.
    pub received_at: DateTime<Utc>,
    pub feed: Feed,
    pub vouched: Vouched,
    /// What the body says, already understood.
    pub message: Message,
    /// The body as Kartra would send it.
    pub body: Vec<u8>,
    /// Whether an operator has discarded it.
    pub discarded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    Outbound,
    Ipn,
}

/// How well an observation is vouched for, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vouched {
    /// An IPN whose secret was right.
    IpnRight,
    Outbound,
    /// An IPN received while the site had no secret to check it by.
    IpnUnchecked,
}

/// The kinds of event, in the order in which a purchase folds events of one date and transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Sale,
    Rebill,
    PaymentFailed,
    PartialRefund,
    Cancellation,
    Refund,
    Chargeback,
    Other,
}

impl Kind {
    /// Whether the kind is a sale or a rebill.
    pub fn is_payment(self) -> bool {
        matches!(self, Kind::Sale | Kind::Rebill)
    }

    /// Whether the kind is a money event that is no payment.
    pub fn is_reversal(self) -> bool {
        !self.is_payment() && self != Kind::Other
    }
}

/// What one webhook says. `None` is whatever Kartra writes for none; 0 is nought and never none.
#[derive(Debug, Clone)]
pub struct Message {
    pub kind: Kind,
    /// The outbound `action`, or the type of an IPN of kind `other`; only `body` is made of it.
    pub name: String,
    pub transaction_id: Option<String>,
    pub product_id: Option<String>,
    pub price_point: Option<String>,
    /// `transaction_internal_subscription_id`.
    pub subscription_id: Option<String>,
    pub original_id: Option<String>,
    /// `transaction_parent_id`; payments may carry one too, which nobody is to read.
    pub parent_id: Option<String>,
    /// `transaction_date` as the clock of the site's time zone shows it.
    pub date: Option<NaiveDateTime>,
    /// `transaction_full_amount` in cents, with the sign it is sent with.
    pub amount: Option<i64>,
    pub pay_number: Option<i64>,
    pub trial: Option<i64>,
    pub trial_period: Option<i64>,
    pub rebill_circle: Option<i64>,
    pub installments: Option<i64>,
    pub payments_left: Option<i64>,
    pub lead_id: Option<String>,
    /// `lead.email`, with the case and the blanks it is sent with.
    pub profile_email: Option<String>,
    /// `lead_email` (formerly `buyer_email`), as it is sent.
    pub transaction_email: Option<String>,
}

impl Message {
    /// A message of the kind that says nothing else.
    pub fn empty(kind: Kind, name: &str) -> Self {
        Message {
            kind,
            name: name.to_owned(),
            transaction_id: None,
            product_id: None,
            price_point: None,
            subscription_id: None,
            original_id: None,
            parent_id: None,
            date: None,
            amount: None,
            pay_number: None,
            trial: None,
            trial_period: None,
            rebill_circle: None,
            installments: None,
            payments_left: None,
            lead_id: None,
            profile_email: None,
            transaction_email: None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct MappingSpec {
    pub id: String,
    pub product_id: String,
    pub price_point: Option<String>,
    pub level: String,
    pub enabled: bool,
    pub purchased_from: Option<DateTime<Utc>>,
    pub purchased_before: Option<DateTime<Utc>>,
    /// Only the keys that the mapping sets itself.
    pub policy: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideKind {
    Grant,
    Block,
    /// Ends every chargeback block begun at or before `made_at` of purchases whose owning lead is among `leads`.
    LiftChargeback,
    /// Keeps a level that was about to be lost: chargebacks begun by then do not take it, operators' blocks do.
    HeldOpen,
}

#[derive(Debug, Clone)]
pub struct OverrideSpec {
    pub kind: OverrideKind,
    /// The level granted or blocked; a block without one is on all levels.
    pub level: Option<String>,
    /// The address of the member it was made for.
    pub email: String,
    /// The leads it belongs to: Kartra's lead id, or `email:<address>`. Without any it belongs to the address.
    pub leads: Vec<String>,
    pub made_at: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    /// When it was deleted.
    pub ended_at: Option<DateTime<Utc>>,
}
