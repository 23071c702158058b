//! Policies, and which mappings apply to a term.

use chrono::{DateTime, Duration, Months, Utc};
use serde_json::Value;

use super::super::story::{MappingSpec, Story};

/// The policy of one mapping in its site: a question is answered by the mapping, else by the site, else by the default.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    mapping: &'a Value,
    site: &'a Value,
}

impl<'a> Policy<'a> {
    pub fn of(story: &'a Story, mapping: &'a MappingSpec) -> Self {
        Policy { mapping: &mapping.policy, site: &story.site_policy }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.mapping.get(key).or_else(|| self.site.get(key))
    }

    fn word(&self, key: &str) -> Option<&'a str> {
        self.value(key).and_then(Value::as_str)
    }

    fn number(&self, key: &str, inner: &str) -> Option<i64> {
        self.value(key).and_then(|value| value.get(inner)).and_then(Value::as_i64)
    }

    pub fn waits_for_first_rebill(&self) -> bool {
        self.word("trial") == Some("wait")
    }

    pub fn grace_days(&self) -> Option<i64> {
        self.number("on_payment_failed", "grace_days")
    }

    /// `revoke`, `period_end` or `keep`.
    pub fn on_cancellation(&self) -> &'a str {
        self.word("on_cancellation").unwrap_or("revoke")
    }

    /// `revoke`, `revoke_if_latest_payment` or `keep`.
    pub fn on_refund(&self) -> &'a str {
        self.word("on_refund").unwrap_or("revoke")
    }

    /// Whether a partial refund that makes the sums what they are ends access.
    pub fn partial_refund_revokes(&self, refunded: i64, paid: i64) -> bool {
        if self.word("on_partial_refund") == Some("revoke") {
            return true;
        }
        let percent = self.number("on_partial_refund", "revoke_at_percent");
        percent.is_some_and(|percent| {
            paid > 0 && i128::from(refunded) * 100 >= i128::from(percent) * i128::from(paid)
        })
    }

    /// `revoke`, `block` or `keep`.
    pub fn on_chargeback(&self) -> &'a str {
        self.word("on_chargeback").unwrap_or("revoke")
    }

    pub fn duration_days(&self) -> Option<i64> {
        self.value("duration_days").and_then(Value::as_i64)
    }

    /// One billing period after the instant, where the policy knows the period.
    pub fn a_period_after(&self, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Some(days) = self.number("billing_period", "days") {
            return Some(start + Duration::days(days));
        }
        let months = u32::try_from(self.number("billing_period", "months")?).ok()?;
        start.checked_add_months(Months::new(months))
    }
}

/// The enabled mappings that apply to a term of a purchase with this start.
pub fn applying<'a>(
    story: &'a Story,
    product: &str,
    price_point: Option<&str>,
    start: DateTime<Utc>,
) -> Vec<&'a MappingSpec> {
    let mut matching: Vec<&MappingSpec> = story
        .mappings
        .iter()
        .filter(|mapping| mapping.enabled && mapping.product_id == product)
        .filter(|mapping| {
            mapping.price_point.is_none() || mapping.price_point.as_deref() == price_point
        })
        .filter(|mapping| mapping.purchased_from.is_none_or(|from| from <= start))
        .filter(|mapping| mapping.purchased_before.is_none_or(|before| start < before))
        .collect();
    if matching.iter().any(|mapping| mapping.price_point.is_some()) {
        matching.retain(|mapping| mapping.price_point.is_some());
    }
    matching
}
