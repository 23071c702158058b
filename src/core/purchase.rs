//! Folds the events of one purchase into its terms and the steps inside them.
//!
//! The walk knows no policy: it only tells what happened, in order. What a step does to access is
//! decided by [`super::grant`], once for every mapping.

use super::Instant;
use super::event::{Event, EventId, Kind, LeadKey};
use super::kartra::values::Amount;
use super::link::{Outline, PurchaseId, TermOutline};
use super::policy::{BillingPeriod, days_after};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `payments_left` of a subscription that runs until it is cancelled (wire.md 1.8, documented).
const UNTIL_CANCELLED: i64 = 9_999;

/// Where a purchase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PurchaseStatus")]
pub enum Status {
    /// In a trial.
    Trialing,
    /// Paid.
    Active,
    /// A payment failed, and none has come since.
    PastDue,
    /// Every payment of a plan was made.
    Completed,
    /// Cancelled.
    Canceled,
    /// Refunded.
    Refunded,
    /// Charged back.
    ChargedBack,
}

impl Status {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Refunded => "refunded",
            Self::ChargedBack => "charged_back",
        }
    }
}

/// The event behind a step, as answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// Its id.
    pub id: EventId,
    /// Its kind.
    pub kind: Kind,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// When it took effect.
    pub occurred_at: Instant,
}

impl From<&Event> for EventRef {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            kind: event.kind(),
            transaction_id: event.said.transaction_id.clone(),
            occurred_at: event.occurred_at,
        }
    }
}

/// One event's effect inside a term, before any policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The event.
    pub event: EventRef,
    /// What it did.
    pub what: What,
}

/// What an event did to its purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A payment: access opens.
    Paid(Paid),
    /// A failure that made the purchase past due; later failures of the same spell are no steps.
    PaymentFailed,
    /// A cancellation of a purchase that was not completed.
    Canceled,
    /// A refund.
    Refunded {
        /// Whether its parent is a payment before the purchase's latest.
        of_earlier_payment: bool,
    },
    /// A partial refund, with the sums of the whole purchase up to and including it.
    PartiallyRefunded {
        /// Of the partial refunds.
        refunded: Amount,
        /// Of the payments.
        paid: Amount,
    },
    /// A chargeback.
    ChargedBack,
}

/// What a payment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Whether it is a rebill: a term that waits for its first payment waits for one.
    pub rebill: bool,
    /// The purchase's status after it.
    pub status: Status,
    /// Days of trial, of a trialing sale.
    trial_days: Option<i64>,
    /// Its own positive `rebill_circle`, in days.
    rebill_circle: Option<i64>,
    /// The latest positive `rebill_circle` of the payments before it, in days.
    earlier_rebill_circle: Option<i64>,
}

impl Paid {
    /// Until when this payment pays; `None` where nothing tells.
    #[must_use]
    pub fn through(&self, at: Instant, period: Option<BillingPeriod>) -> Option<Instant> {
        if let Some(days) = self.trial_days.or(self.rebill_circle) {
            return days_after(at, days);
        }
        match (period, self.earlier_rebill_circle) {
            (Some(period), _) => period.after(at),
            (None, Some(days)) => days_after(at, days),
            (None, None) => None,
        }
    }
}

/// A stretch of a purchase with one product and price point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What it is of, and when it began.
    pub outline: TermOutline,
    /// Whether the payment that began it is a trialing sale.
    pub begins_trialing: bool,
    /// The payment that began the next term and ended this one; `None` for the latest term.
    pub switched_by: Option<EventRef>,
    /// What happened in it, in order; the first step is the payment that began it.
    pub steps: Vec<Step>,
}

/// One purchase: the order or subscription that is paid, refunded, cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// Its identity.
    pub id: PurchaseId,
    /// The lead of its latest payment that has a lead id, else of its latest payment.
    pub lead: LeadKey,
    /// Where it stands after its last event.
    pub status: Status,
    /// Its earliest payment.
    pub started_at: Instant,
    /// That payment.
    pub first_payment: EventId,
    /// Its terms in order; never empty.
    pub terms: Vec<Term>,
}

impl Purchase {
    /// Folds the events of one purchase, given in any order; `None` when none of them is a payment.
    #[must_use]
    pub fn fold(id: PurchaseId, events: &[&Event]) -> Option<Self> {
        let mut events = events.to_vec();
        events.sort_by(|a, b| a.fold_order(b));
        let first = *events.iter().find(|event| event.kind().is_payment())?;
        let mut walk = Walk::default();
        for event in &events {
            walk.step(event);
        }
        Some(Self {
            id,
            lead: owner(&events)?,
            status: walk.status?,
            started_at: first.occurred_at,
            first_payment: first.id.clone(),
            terms: walk.terms,
        })
    }

    /// What a loose reversal has to know of it.
    #[must_use]
    pub fn outline(&self) -> Outline {
        Outline {
            id: self.id.clone(),
            lead: self.lead.clone(),
            started_at: self.started_at,
            first_payment: self.first_payment.clone(),
            terms: self.terms.iter().map(|term| term.outline.clone()).collect(),
        }
    }
}

/// A reversal never moves a purchase to another lead.
fn owner(in_order: &[&Event]) -> Option<LeadKey> {
    let payments = || in_order.iter().rev().filter(|event| event.kind().is_payment());
    payments()
        .find(|event| event.said.person.lead_id.is_some())
        .or_else(|| payments().next())
        .and_then(|event| event.lead.clone())
}

/// The state of the fold.
#[derive(Default)]
struct Walk<'a> {
    status: Option<Status>,
    terms: Vec<Term>,
    /// The own ids of the payments so far, in order.
    payments: Vec<&'a str>,
    paid: i64,
    refunded: i64,
    rebill_circle: Option<i64>,
    finite_plan: bool,
}

impl<'a> Walk<'a> {
    fn step(&mut self, event: &'a Event) {
        let amount = event.said.amount.map_or(0, |amount| amount.0);
        let what = match event.kind() {
            Kind::Sale | Kind::Rebill => Some(self.payment(event, amount)),
            // Before its first payment there is nothing that a reversal could take.
            _ if self.status.is_none() => None,
            Kind::PaymentFailed => self.payment_failed(),
            Kind::PartialRefund => {
                self.refunded = self.refunded.saturating_add(amount);
                let (refunded, paid) = (Amount(self.refunded), Amount(self.paid));
                Some(What::PartiallyRefunded { refunded, paid })
            }
            Kind::Cancellation => self.cancellation(),
            Kind::Refund => {
                self.status = Some(Status::Refunded);
                Some(What::Refunded { of_earlier_payment: self.reverses_earlier_payment(event) })
            }
            Kind::Chargeback => {
                self.status = Some(Status::ChargedBack);
                Some(What::ChargedBack)
            }
            Kind::Other => None,
        };
        if let (Some(what), Some(term)) = (what, self.terms.last_mut()) {
            term.steps.push(Step { event: event.into(), what });
        }
    }

    fn payment(&mut self, event: &'a Event, amount: i64) -> What {
        let said = &event.said;
        let rebill = event.kind() == Kind::Rebill;
        let trialing = !rebill && is_trialing(event);
        self.finite_plan |= said.installments.is_some_and(|n| n >= 1)
            || said.payments_left.is_some_and(|n| (1..UNTIL_CANCELLED).contains(&n));
        let last_of_plan = !trialing
            && match (said.pay_number, said.installments) {
                (Some(number), Some(installments)) => installments >= 1 && number >= installments,
                _ => false,
            };
        let completes = (self.finite_plan && said.payments_left == Some(0)) || last_of_plan;
        let stays_completed = rebill && self.status == Some(Status::Completed);
        let status = match () {
            () if completes || stays_completed => Status::Completed,
            () if trialing => Status::Trialing,
            () => Status::Active,
        };
        let own_circle = said.rebill_circle.filter(|days| *days > 0);
        let paid = Paid {
            rebill,
            status,
            trial_days: said.trial_period.filter(|_| trialing),
            rebill_circle: own_circle,
            earlier_rebill_circle: self.rebill_circle,
        };
        self.status = Some(status);
        self.rebill_circle = own_circle.or(self.rebill_circle);
        self.paid = self.paid.saturating_add(amount);
        self.payments.extend(said.transaction_id.as_deref());
        self.turn_to_term(event, trialing);
        What::Paid(paid)
    }

    /// A payment that names another product or price point than the one before it begins a term;
    /// one of the same product that names no price point keeps the term's. Price points count
    /// inside a product (wire.md 1.8), so another product's is never taken over.
    fn turn_to_term(&mut self, event: &Event, trialing: bool) {
        let product_id = event.said.product_id.clone().unwrap_or_default();
        let mut price_point = event.said.price_point.clone();
        if let Some(term) = self.terms.last_mut() {
            let outline = &term.outline;
            if outline.product_id == product_id {
                price_point = price_point.or_else(|| outline.price_point.clone());
                if outline.price_point == price_point {
                    return;
                }
            }
            term.switched_by = Some(event.into());
        }
        self.terms.push(Term {
            outline: TermOutline { product_id, price_point, started_at: event.occurred_at },
            begins_trialing: trialing,
            switched_by: None,
            steps: Vec::new(),
        });
    }

    fn payment_failed(&mut self) -> Option<What> {
        if !matches!(self.status, Some(Status::Active | Status::Trialing)) {
            return None;
        }
        self.status = Some(Status::PastDue);
        Some(What::PaymentFailed)
    }

    fn cancellation(&mut self) -> Option<What> {
        if self.status == Some(Status::Completed) {
            return None;
        }
        self.status = Some(Status::Canceled);
        Some(What::Canceled)
    }

    /// Whether what a refund reverses is a payment before the latest.
    fn reverses_earlier_payment(&self, refund: &Event) -> bool {
        let Some(parent) = refund.said.parent_id.as_deref() else {
            return false;
        };
        let latest = self.payments.len().saturating_sub(1);
        self.payments.iter().take(latest).any(|payment| *payment == parent)
            && self.payments.last() != Some(&parent)
    }
}

fn is_trialing(event: &Event) -> bool {
    event.said.trial == Some(1) && event.said.trial_period.is_some_and(|days| days >= 1)
}
