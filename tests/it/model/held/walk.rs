//! One purchase, walked from its first payment to its last event.

use chrono::{DateTime, Duration, Utc};

use super::super::story::{Kind, MappingSpec};
use super::link::Purchase;
use super::merge::Event;
use super::policy::{Policy, applying};
use super::{Loss, Story};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Trialing,
    Active,
    PastDue,
    Canceled,
    Refunded,
    ChargedBack,
    Completed,
}

/// What one mapping gives in the present term.
struct Door<'a> {
    mapping: &'a MappingSpec,
    policy: Policy<'a>,
    paid_through: Option<DateTime<Utc>>,
    /// The nearest end that an event since the last payment named, and why.
    end: Option<(DateTime<Utc>, Loss)>,
}

/// The purchase as it stands after the steps taken so far. Only the present term can give anything: every earlier one
/// ended at a payment that has occurred.
pub struct Walk<'a> {
    story: &'a Story,
    purchase_start: DateTime<Utc>,
    status: Status,
    product: &'a str,
    price_point: Option<&'a str>,
    term_start: DateTime<Utc>,
    /// The term began trialing and has seen no rebill.
    before_first_rebill: bool,
    doors: Vec<Door<'a>>,
    payment_ids: Vec<&'a str>,
    paid: i64,
    refunded: i64,
    last_circle: Option<i64>,
    finite: bool,
    terms: usize,
    /// When chargebacks blocked the member.
    pub blocked_since: Vec<DateTime<Utc>>,
}

impl<'a> Walk<'a> {
    /// Takes all steps of the purchase.
    pub fn through(story: &'a Story, purchase: &Purchase<'a>) -> Self {
        let mut walk = Walk {
            story,
            purchase_start: purchase.start(),
            status: Status::Active,
            product: "",
            price_point: None,
            term_start: purchase.start(),
            before_first_rebill: false,
            doors: Vec::new(),
            payment_ids: Vec::new(),
            paid: 0,
            refunded: 0,
            last_circle: None,
            finite: false,
            terms: 0,
            blocked_since: Vec::new(),
        };
        for step in &purchase.steps {
            walk.take(step);
        }
        walk
    }

    /// The levels whose doors are open at `at`, which no step of the walk lies after.
    pub fn open_levels(&self, at: DateTime<Utc>) -> impl Iterator<Item = String> {
        self.doors
            .iter()
            .filter(move |door| self.loss(door, at).is_none())
            .map(|door| door.mapping.level.clone())
    }

    /// Why doors are shut at `at`; also why the walk left some behind.
    pub fn losses(&self, at: DateTime<Utc>) -> Vec<Loss> {
        let mut losses: Vec<Loss> =
            self.doors.iter().filter_map(|door| self.loss(door, at)).collect();
        losses.extend((self.terms > 1).then_some("switched"));
        losses.extend((!self.blocked_since.is_empty()).then_some("blocked"));
        losses.extend(self.doors.is_empty().then_some("unmapped"));
        losses
    }

    fn loss(&self, door: &Door, at: DateTime<Utc>) -> Option<Loss> {
        if door.policy.waits_for_first_rebill() && self.before_first_rebill {
            return Some("waiting");
        }
        let over = door.policy.duration_days().map(|days| self.term_start + Duration::days(days));
        if over.is_some_and(|over| over <= at) {
            return Some("duration");
        }
        door.end.filter(|(end, _)| *end <= at).map(|(_, why)| why)
    }

    fn take(&mut self, step: &'a Event) {
        if step.kind.is_payment() {
            self.enter_term(step);
            self.pay(step);
        } else if !self.payment_ids.is_empty() {
            self.reverse(step);
        }
    }

    /// Begins a new term where the payment names another product or price point.
    fn enter_term(&mut self, payment: &'a Event) {
        let product = payment.product_id.as_deref().unwrap_or_default();
        let same_product = product == self.product;
        let kept = self.price_point.filter(|_| same_product);
        let price_point = payment.price_point.as_deref().or(kept);
        if same_product && price_point == self.price_point {
            return;
        }
        self.product = product;
        self.price_point = price_point;
        self.term_start = payment.occurred_at;
        self.before_first_rebill = payment.trial_days().is_some();
        self.terms += 1;
        let story = self.story;
        self.doors = applying(story, product, price_point, self.purchase_start)
            .into_iter()
            .map(|mapping| Door {
                mapping,
                policy: Policy::of(story, mapping),
                paid_through: None,
                end: None,
            })
            .collect();
    }

    fn pay(&mut self, payment: &'a Event) {
        self.paid += payment.amount;
        self.payment_ids.extend(payment.transaction_id.as_deref());
        self.finite |= payment.installments.is_some_and(|count| count >= 1)
            || payment.payments_left.is_some_and(|left| (1..=9998).contains(&left));
        self.status = self.status_after(payment);
        if payment.kind == Kind::Rebill {
            self.before_first_rebill = false;
        }
        for door in &mut self.doors {
            door.paid_through = paid_through(payment, &door.policy, self.last_circle);
            door.end = None;
        }
        self.last_circle = payment.rebill_circle.filter(|days| *days > 0).or(self.last_circle);
    }

    fn status_after(&self, payment: &Event) -> Status {
        let plan_done = payment.payments_left == Some(0) && self.finite;
        let last_of_own = payment.installments.is_some_and(|count| {
            count >= 1 && payment.pay_number.is_some_and(|number| number >= count)
        });
        let stays = payment.kind == Kind::Rebill && self.status == Status::Completed;
        match payment.trial_days() {
            _ if plan_done || stays => Status::Completed,
            Some(_) => Status::Trialing,
            None if last_of_own => Status::Completed,
            None => Status::Active,
        }
    }

    fn reverse(&mut self, step: &Event) {
        match step.kind {
            Kind::PaymentFailed => self.fail(step),
            Kind::PartialRefund => self.refund_in_part(step),
            Kind::Cancellation => self.cancel(step),
            Kind::Refund => self.refund(step),
            Kind::Chargeback => self.charge_back(step),
            Kind::Sale | Kind::Rebill | Kind::Other => unreachable!("no reversal"),
        }
    }

    fn fail(&mut self, step: &Event) {
        if !matches!(self.status, Status::Active | Status::Trialing) {
            return;
        }
        self.status = Status::PastDue;
        self.close(|policy, _| {
            policy.grace_days().map(|days| (step.occurred_at + Duration::days(days), "failed"))
        });
    }

    fn refund_in_part(&mut self, step: &Event) {
        self.refunded += step.amount;
        let (refunded, paid) = (self.refunded, self.paid);
        self.close(|policy, _| {
            policy
                .partial_refund_revokes(refunded, paid)
                .then_some((step.occurred_at, "partially_refunded"))
        });
    }

    fn cancel(&mut self, step: &Event) {
        if self.status == Status::Completed {
            return;
        }
        self.status = Status::Canceled;
        self.close(|policy, paid_through| match policy.on_cancellation() {
            "keep" => None,
            "period_end" => Some(match paid_through {
                Some(end) if end > step.occurred_at => (end, "period_over"),
                _ => (step.occurred_at, "canceled"),
            }),
            _ => Some((step.occurred_at, "canceled")),
        });
    }

    fn refund(&mut self, step: &Event) {
        self.status = Status::Refunded;
        let (latest, earlier) = self.payment_ids.split_last().expect("a payment came before");
        let of_earlier = step
            .parent
            .as_deref()
            .is_some_and(|parent| parent != *latest && earlier.contains(&parent));
        self.close(|policy, _| match policy.on_refund() {
            "keep" => None,
            "revoke_if_latest_payment" if of_earlier => None,
            _ => Some((step.occurred_at, "refunded")),
        });
    }

    fn charge_back(&mut self, step: &Event) {
        self.status = Status::ChargedBack;
        if self.doors.iter().any(|door| door.policy.on_chargeback() == "block") {
            self.blocked_since.push(step.occurred_at);
        }
        self.close(|policy, _| {
            (policy.on_chargeback() != "keep").then_some((step.occurred_at, "charged_back"))
        });
    }

    /// Brings the end of every door nearer, where the door's policy names an instant.
    fn close(
        &mut self,
        named: impl Fn(&Policy, Option<DateTime<Utc>>) -> Option<(DateTime<Utc>, Loss)>,
    ) {
        for door in &mut self.doors {
            let Some((end, why)) = named(&door.policy, door.paid_through) else { continue };
            if door.end.is_none_or(|(known, _)| end < known) {
                door.end = Some((end, why));
            }
        }
    }
}

fn paid_through(
    payment: &Event,
    policy: &Policy,
    last_circle: Option<i64>,
) -> Option<DateTime<Utc>> {
    let after = |days| payment.occurred_at + Duration::days(days);
    payment
        .trial_days()
        .or(payment.rebill_circle.filter(|days| *days > 0))
        .map(after)
        .or_else(|| policy.a_period_after(payment.occurred_at))
        .or_else(|| last_circle.map(after))
}
