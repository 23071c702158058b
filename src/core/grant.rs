//! Walks the steps of each term through the mappings that apply to it.
//!
//! A payment opens access; every event after it may only bring the end nearer; the next payment
//! opens it again. That is all, and it is the same for every policy.

use super::Instant;
use super::due::payment_due_at;
use super::event::LeadKey;
use super::link::PurchaseId;
use super::mapping::{Mapping, Mappings, applying};
use super::policy::{
    OnCancellation, OnChargeback, OnPartialRefund, OnPaymentFailed, OnRefund, Policy, Terms, Trial,
    days_after,
};
use super::purchase::{EventRef, Paid, Purchase, Status, Step, Term, What};
use super::stretch::{Stretch, earlier, union};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why a grant gives a level, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Paid.
    Active,
    /// In a trial that gives access.
    Trialing,
    /// In a trial that gives none before its first payment.
    WaitingForFirstPayment,
    /// Every payment of a plan was made.
    Completed,
    /// A payment failed, the grace runs.
    InGrace,
    /// A payment failed, and its grace is over.
    GraceOver,
    /// Cancelled.
    Canceled,
    /// Cancelled, and paid through until the end.
    UntilPeriodEnd,
    /// Refunded.
    Refunded,
    /// Refunded in part.
    PartiallyRefunded,
    /// Charged back.
    ChargedBack,
    /// Something happened that the policy lets pass.
    KeptByPolicy,
    /// The mapping's duration has run out.
    DurationOver,
    /// The purchase has turned to another product or price point.
    Switched,
    /// It begins later.
    NotStarted,
    /// An operator gives it.
    Manual,
    /// An operator gave it, and it has ended.
    ManualEnded,
    /// It would give the level, but an operator or a chargeback blocks it.
    Blocked,
    /// No mapping names what was bought.
    Held,
    /// It would have been revoked together with many others, and nobody has decided yet.
    HeldOpen,
}

impl Reason {
    /// The reason code of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trialing => "trialing",
            Self::WaitingForFirstPayment => "waiting_for_first_payment",
            Self::Completed => "completed",
            Self::InGrace => "in_grace",
            Self::GraceOver => "grace_over",
            Self::Canceled => "canceled",
            Self::UntilPeriodEnd => "until_period_end",
            Self::Refunded => "refunded",
            Self::PartiallyRefunded => "partially_refunded",
            Self::ChargedBack => "charged_back",
            Self::KeptByPolicy => "kept_by_policy",
            Self::DurationOver => "duration_over",
            Self::Switched => "switched",
            Self::NotStarted => "not_started",
            Self::Manual => "manual",
            Self::ManualEnded => "manual_ended",
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::HeldOpen => "held_open",
        }
    }
}

/// A reason and the event behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The code.
    pub reason: Reason,
    /// The event that decided.
    pub event: EventRef,
}

/// What one mapping makes of one term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The mapping.
    pub mapping_id: String,
    /// Its version when this was computed.
    pub mapping_version: i64,
    /// The level that it gives.
    pub level: String,
    /// The term's product.
    pub product_id: String,
    /// The term's price point.
    pub price_point: Option<String>,
    /// When it gives the level, in order.
    pub stretches: Vec<Stretch>,
    /// Why, as long as access is open.
    pub open: Verdict,
    /// When and why access ends; `None` where no end is known.
    pub end: Option<(Instant, Verdict)>,
}

/// What a chargeback under `on_chargeback: block` does to the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargebackBlock {
    /// The chargeback.
    pub event: EventRef,
}

/// What the purchase would give under the site's policy, were it mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it is live.
    pub stretches: Vec<Stretch>,
    /// The event that it stands on.
    pub event: EventRef,
}

/// One purchase with all that it gives. Everything that an answer needs of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Its identity.
    pub id: PurchaseId,
    /// The lead that it belongs to.
    pub lead: LeadKey,
    /// Where it stands.
    pub status: Status,
    /// Its earliest payment.
    pub started_at: Instant,
    /// The product of its latest term.
    pub product_id: String,
    /// The price point of its latest term.
    pub price_point: Option<String>,
    /// Whether a mapping, enabled or not, names any of its terms.
    pub named: bool,
    /// What each applying mapping makes of each term.
    pub grants: Vec<Grant>,
    /// The blocks that its chargebacks put on the member.
    pub blocks: Vec<ChargebackBlock>,
    /// Set where no mapping, enabled or not, names its latest term, and the product is not ignored.
    pub hold: Option<Hold>,
    /// When its next payment is expected; see [`super::due`]. Kept in a column of its own, by which overdue
    /// purchases are found.
    #[serde(skip)]
    pub payment_due_at: Option<Instant>,
}

/// What a purchase is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The site's mappings, at least those of the products concerned.
    pub mappings: &'a Mappings,
    /// The site's policy.
    pub site_policy: &'a Policy,
    /// The products that the operator ignores.
    pub ignored: &'a BTreeSet<String>,
    /// The core that judges by them.
    pub core: Core,
}

impl Rules<'_> {
    /// What a purchase gives by them.
    #[must_use]
    pub fn judge(self, purchase: &Purchase) -> Option<Folded> {
        (self.core.judge)(purchase, self)
    }
}

/// A version of the core: what decides, and by which number the record of a site says that it did.
#[derive(Debug, Clone, Copy)]
pub struct Core {
    /// Grows with every change of [`crate::core`] after which the same events could give other access: it has
    /// the sites that an older version worked on planned before anybody's access moves.
    pub version: i64,
    /// How a purchase is judged.
    pub judge: Judge,
}

/// How a purchase is judged by the rules.
pub type Judge = fn(&Purchase, Rules<'_>) -> Option<Folded>;

impl Core {
    /// The version that this program is.
    pub const CURRENT: Self = Self { version: 1, judge };
}

/// What a purchase gives, by the rules.
#[must_use]
pub fn judge(purchase: &Purchase, rules: Rules<'_>) -> Option<Folded> {
    let latest = purchase.terms.last()?;
    let mut grants = Vec::new();
    let mut blocks = Vec::new();
    for term in &purchase.terms {
        let mut blocking = false;
        for mapping in applying(rules.mappings, &term.outline, purchase.started_at) {
            let terms = mapping.policy.over(rules.site_policy);
            blocking |= terms.on_chargeback == OnChargeback::Block;
            grants.extend(grant(term, mapping, &terms));
        }
        if blocking {
            blocks.extend(chargebacks(term));
        }
    }
    let names = |term: &Term| rules.mappings.name(&term.outline);
    let product_id = latest.outline.product_id.clone();
    let held = !names(latest) && !rules.ignored.contains(&product_id);
    Some(Folded {
        id: purchase.id.clone(),
        lead: purchase.lead.clone(),
        status: purchase.status,
        started_at: purchase.started_at,
        price_point: latest.outline.price_point.clone(),
        named: purchase.terms.iter().any(names),
        hold: held.then(|| hold(latest, rules.site_policy)).flatten(),
        payment_due_at: payment_due_at(purchase, rules),
        product_id,
        grants,
        blocks,
    })
}

fn chargebacks(term: &Term) -> impl Iterator<Item = ChargebackBlock> {
    let events = term.steps.iter().filter(|step| step.what == What::ChargedBack);
    events.map(|step| ChargebackBlock { event: step.event.clone() })
}

fn hold(term: &Term, site_policy: &Policy) -> Option<Hold> {
    let terms = Policy::default().over(site_policy);
    let walk = Walk::over(term, &terms);
    let event = walk.open.as_ref().map(|open| open.verdict.event.clone());
    let event = event.or_else(|| term.steps.first().map(|step| step.event.clone()))?;
    Some(Hold { stretches: walk.finish(), event })
}

fn grant(term: &Term, mapping: &Mapping, terms: &Terms) -> Option<Grant> {
    let walk = Walk::over(term, terms);
    let first = term.steps.first()?.event.clone();
    let (open, end) = match &walk.open {
        Some(open) => (open.verdict.clone(), open.end.clone()),
        None => {
            (Verdict { reason: Reason::WaitingForFirstPayment, event: first }, walk.cap.clone())
        }
    };
    Some(Grant {
        mapping_id: mapping.id.clone(),
        mapping_version: mapping.version,
        level: mapping.level.clone(),
        product_id: term.outline.product_id.clone(),
        price_point: term.outline.price_point.clone(),
        stretches: walk.finish(),
        open,
        end,
    })
}

/// An end and why it is one.
type End = Option<(Instant, Verdict)>;

/// Access since the last payment that opened it.
struct Open {
    from: Instant,
    verdict: Verdict,
    end: End,
    paid_through: Option<Instant>,
}

/// The walk through one term under one policy.
struct Walk<'a> {
    terms: &'a Terms,
    /// The end that no payment opens: the duration's, or the term's.
    cap: End,
    waiting: bool,
    open: Option<Open>,
    closed: Vec<Stretch>,
}

impl<'a> Walk<'a> {
    fn over(term: &Term, terms: &'a Terms) -> Self {
        let waiting = terms.trial == Trial::Wait && term.begins_trialing;
        let cap = cap(term, terms);
        let mut walk = Self { terms, cap, waiting, open: None, closed: Vec::new() };
        for step in &term.steps {
            walk.step(step);
        }
        walk
    }

    fn step(&mut self, step: &Step) {
        let at = step.event.occurred_at;
        match &step.what {
            What::Paid(paid) => self.pay(paid, &step.event),
            What::PaymentFailed => match self.terms.on_payment_failed {
                OnPaymentFailed::Keep => self.keep(step),
                OnPaymentFailed::GraceDays(days) => {
                    let end = days_after(at, i64::from(days));
                    self.end_at(end, step, Reason::InGrace, Reason::GraceOver);
                }
            },
            What::Canceled => match self.terms.on_cancellation {
                OnCancellation::Keep => self.keep(step),
                OnCancellation::Revoke => self.end_now(step, Reason::Canceled),
                OnCancellation::PeriodEnd => {
                    let through = self.open.as_ref().and_then(|open| open.paid_through);
                    let end = through.filter(|end| *end > at).unwrap_or(at);
                    self.end_at(Some(end), step, Reason::UntilPeriodEnd, Reason::Canceled);
                }
            },
            What::Refunded { of_earlier_payment } => match self.terms.on_refund {
                OnRefund::RevokeIfLatestPayment if *of_earlier_payment => self.keep(step),
                OnRefund::Keep => self.keep(step),
                OnRefund::Revoke | OnRefund::RevokeIfLatestPayment => {
                    self.end_now(step, Reason::Refunded);
                }
            },
            What::PartiallyRefunded { refunded, paid } => {
                let revokes = match self.terms.on_partial_refund {
                    OnPartialRefund::Keep => false,
                    OnPartialRefund::Revoke => true,
                    OnPartialRefund::RevokeAtPercent(percent) => {
                        let (refunded, paid) = (i128::from(refunded.0), i128::from(paid.0));
                        paid > 0 && refunded * 100 >= i128::from(percent) * paid
                    }
                };
                if revokes {
                    self.end_now(step, Reason::PartiallyRefunded);
                }
            }
            What::ChargedBack => match self.terms.on_chargeback {
                OnChargeback::Keep => self.keep(step),
                OnChargeback::Revoke | OnChargeback::Block => {
                    self.end_now(step, Reason::ChargedBack);
                }
            },
        }
    }

    /// A payment opens access: no end but the cap.
    fn pay(&mut self, paid: &Paid, event: &EventRef) {
        if self.waiting && !paid.rebill {
            return;
        }
        self.waiting = false;
        let reason = match paid.status {
            Status::Trialing => Reason::Trialing,
            Status::Completed => Reason::Completed,
            _ => Reason::Active,
        };
        let mut from = event.occurred_at;
        if let Some(open) = self.open.take() {
            match open.end {
                Some((end, _)) if end <= from || end <= open.from => {
                    self.closed.push(Stretch { from: open.from, until: Some(end) });
                }
                _ => from = from.min(open.from),
            }
        }
        self.open = Some(Open {
            from,
            verdict: Verdict { reason, event: event.clone() },
            end: self.cap.clone(),
            paid_through: paid.through(event.occurred_at, self.terms.billing_period),
        });
    }

    /// Something happened that the policy lets pass: it explains access that is open without end.
    fn keep(&mut self, step: &Step) {
        let end_of_step = self.cap.clone();
        if let Some(open) = self.open.as_mut().filter(|open| open.end == end_of_step) {
            open.verdict = Verdict { reason: Reason::KeptByPolicy, event: step.event.clone() };
        }
    }

    fn end_now(&mut self, step: &Step, reason: Reason) {
        self.end_at(Some(step.event.occurred_at), step, reason, reason);
    }

    /// Brings the end nearer; never moves it away.
    fn end_at(&mut self, end: Option<Instant>, step: &Step, until_then: Reason, from_then: Reason) {
        let (Some(open), Some(end)) = (self.open.as_mut(), end) else {
            return;
        };
        if open.end.as_ref().is_some_and(|(known, _)| *known <= end) {
            return;
        }
        let verdict = |reason| Verdict { reason, event: step.event.clone() };
        open.verdict = verdict(until_then);
        open.end = Some((end, verdict(from_then)));
    }

    fn finish(mut self) -> Vec<Stretch> {
        if let Some(open) = self.open.take() {
            self.closed.push(Stretch { from: open.from, until: open.end.map(|(end, _)| end) });
        }
        union(self.closed)
    }
}

/// The end of the mapping's duration or of the term, whichever comes first.
fn cap(term: &Term, terms: &Terms) -> End {
    let start = &term.steps.first()?.event;
    let duration = terms
        .duration_days
        .and_then(|days| days_after(term.outline.started_at, i64::from(days)))
        .map(|end| (end, Verdict { reason: Reason::DurationOver, event: start.clone() }));
    let switch = term.switched_by.as_ref().map(|event| {
        let verdict = Verdict { reason: Reason::Switched, event: event.clone() };
        (event.occurred_at, verdict)
    });
    match (duration, switch) {
        (Some(duration), Some(switch)) if duration.0 < switch.0 => Some(duration),
        (duration, None) => duration,
        (_, switch) => switch,
    }
}

impl Folded {
    /// The next instant after `at` at which what it gives changes by time alone.
    #[must_use]
    pub fn next_change(&self, at: Instant) -> Option<Instant> {
        let grants =
            self.grants.iter().map(|grant| super::stretch::next_change(&grant.stretches, at));
        grants.fold(None, earlier)
    }
}
