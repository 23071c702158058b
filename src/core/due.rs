//! When the next payment of a subscription is expected, so that one which does not come is noticed.
//!
//! It decides nothing about access: whoever is overdue is listed, never cut.

use super::Instant;
use super::grant::Rules;
use super::mapping::applying;
use super::policy::{BillingPeriod, Policy, days_after};
use super::purchase::{Purchase, Status, Step, What};

/// After a payment has failed, Kartra tries again every 3 days, three times, and cancels then (wire.md 6,
/// documented). So long, a failure is as good as a word.
const RETRIES_DAYS: i64 = 9;

/// When the next payment of a purchase is expected: at the end of what its latest payment pays for, where
/// mappings differ at the latest of these ends; after a failure not before Kartra has given up trying.
///
/// `None` for what no further payment is expected of: what is no subscription, is completed, cancelled,
/// refunded or charged back, or whose product is ignored; and where nothing tells how long a payment lasts.
#[must_use]
pub fn payment_due_at(purchase: &Purchase, rules: Rules<'_>) -> Option<Instant> {
    let latest = purchase.terms.last()?;
    let ignored = rules.ignored.contains(&latest.outline.product_id);
    if ignored || !purchase.id.is_subscription() {
        return None;
    }
    let paid_through = latest_paid_through(purchase, &periods(purchase, rules));
    match purchase.status {
        // A failure tells that a payment was expected, also where nothing else does.
        Status::PastDue => paid_through.max(tried_until(purchase)),
        Status::Trialing | Status::Active => paid_through,
        Status::Completed | Status::Canceled | Status::Refunded | Status::ChargedBack => None,
    }
}

/// The billing periods that the mappings of the latest term go by; the site's where none applies.
fn periods(purchase: &Purchase, rules: Rules<'_>) -> Vec<Option<BillingPeriod>> {
    let Some(latest) = purchase.terms.last() else { return Vec::new() };
    let applying = applying(rules.mappings, &latest.outline, purchase.started_at);
    let of = |policy: &Policy| policy.over(rules.site_policy).billing_period;
    let mut periods: Vec<_> = applying.into_iter().map(|mapping| of(&mapping.policy)).collect();
    if periods.is_empty() {
        periods.push(of(&Policy::default()));
    }
    periods
}

/// Until when the latest payment pays, by whichever period goes furthest.
fn latest_paid_through(purchase: &Purchase, periods: &[Option<BillingPeriod>]) -> Option<Instant> {
    let (paid, at) = steps_from_the_latest(purchase).find_map(|step| match &step.what {
        What::Paid(paid) => Some((paid, step.event.occurred_at)),
        _ => None,
    })?;
    periods.iter().filter_map(|period| paid.through(at, *period)).max()
}

/// Until when Kartra tries again, of a purchase that is past due.
fn tried_until(purchase: &Purchase) -> Option<Instant> {
    let failed = steps_from_the_latest(purchase).find(|step| step.what == What::PaymentFailed)?;
    days_after(failed.event.occurred_at, RETRIES_DAYS)
}

fn steps_from_the_latest(purchase: &Purchase) -> impl Iterator<Item = &Step> {
    purchase.terms.iter().rev().flat_map(|term| term.steps.iter().rev())
}
