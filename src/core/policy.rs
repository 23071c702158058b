//! What each kind of event does to the access that a mapping gives.

use super::Instant;
use chrono::{Datelike, Months, TimeDelta};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The longest period that a policy may name, in days: a hundred years.
pub const PERIOD_DAYS_MAX: u32 = 36_500;
/// The longest billing period in months.
pub const PERIOD_MONTHS_MAX: u32 = 1_200;

/// A policy as it is written: only the keys that are set. What a mapping leaves out comes from its
/// site, and what the site leaves out is the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether a trial already gives access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// What a failed payment does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_payment_failed: Option<OnPaymentFailed>,
    /// What a cancellation does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_cancellation: Option<OnCancellation>,
    /// What a refund does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_refund: Option<OnRefund>,
    /// What a partial refund does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_partial_refund: Option<OnPartialRefund>,
    /// What a chargeback does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_chargeback: Option<OnChargeback>,
    /// Days after the term's start at which access ends whatever else happens; `null` means none,
    /// even where the site sets one.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = PERIOD_DAYS_MAX))]
    pub duration_days: Option<Option<u32>>,
    /// How far one payment reaches where Kartra does not say; `null` means that this is unknown.
    #[serde(default, deserialize_with = "written", skip_serializing_if = "Option::is_none")]
    pub billing_period: Option<Option<BillingPeriod>>,
}

/// Tells a written `null` from an absent key.
fn written<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Whether a trial already gives access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// It does.
    #[default]
    Grant,
    /// A term that begins trialing gives nothing until its first rebill.
    Wait,
}

/// What a failed payment does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPaymentFailed {
    /// Nothing.
    #[default]
    Keep,
    /// Access ends this many days after the failure; 0 suspends at once.
    GraceDays(
        /// How many days after the failure.
        #[schemars(range(max = PERIOD_DAYS_MAX))]
        u32,
    ),
}

/// What a cancellation does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCancellation {
    /// Access ends at once.
    #[default]
    Revoke,
    /// Access ends where it is paid through; at once if that is unknown or past.
    PeriodEnd,
    /// Nothing.
    Keep,
}

/// What a refund does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRefund {
    /// Access ends at once.
    #[default]
    Revoke,
    /// Access ends at once, but not when what is refunded is a payment before the latest.
    RevokeIfLatestPayment,
    /// Nothing.
    Keep,
}

/// What a partial refund does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPartialRefund {
    /// Nothing.
    #[default]
    Keep,
    /// Access ends at once.
    Revoke,
    /// Access ends once the partial refunds reach this share of the payments, in percent.
    RevokeAtPercent(
        /// The share, in percent.
        #[schemars(range(min = 1, max = 100))]
        u32,
    ),
}

/// What a chargeback does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnChargeback {
    /// Access ends at once.
    #[default]
    Revoke,
    /// Access ends at once, and the member holds no level until an operator lifts the block.
    Block,
    /// Nothing.
    Keep,
}

/// How far one payment reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BillingPeriod {
    /// Days of 24 hours.
    Days(
        /// How many days.
        #[schemars(range(min = 1, max = PERIOD_DAYS_MAX))]
        u32,
    ),
    /// Calendar months in UTC; 31 January and one month is the last of February.
    Months(
        /// How many months.
        #[schemars(range(min = 1, max = PERIOD_MONTHS_MAX))]
        u32,
    ),
}

/// A policy with every key decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// See [`Policy::trial`].
    pub trial: Trial,
    /// See [`Policy::on_payment_failed`].
    pub on_payment_failed: OnPaymentFailed,
    /// See [`Policy::on_cancellation`].
    pub on_cancellation: OnCancellation,
    /// See [`Policy::on_refund`].
    pub on_refund: OnRefund,
    /// See [`Policy::on_partial_refund`].
    pub on_partial_refund: OnPartialRefund,
    /// See [`Policy::on_chargeback`].
    pub on_chargeback: OnChargeback,
    /// `None` where access has no set duration.
    pub duration_days: Option<u32>,
    /// `None` where only Kartra tells how far a payment reaches.
    pub billing_period: Option<BillingPeriod>,
}

impl Policy {
    /// This policy with what it leaves out taken from the site's, then from the defaults.
    #[must_use]
    pub fn over(&self, site: &Self) -> Terms {
        Terms {
            trial: self.trial.or(site.trial).unwrap_or_default(),
            on_payment_failed: self
                .on_payment_failed
                .or(site.on_payment_failed)
                .unwrap_or_default(),
            on_cancellation: self.on_cancellation.or(site.on_cancellation).unwrap_or_default(),
            on_refund: self.on_refund.or(site.on_refund).unwrap_or_default(),
            on_partial_refund: self
                .on_partial_refund
                .or(site.on_partial_refund)
                .unwrap_or_default(),
            on_chargeback: self.on_chargeback.or(site.on_chargeback).unwrap_or_default(),
            duration_days: self.duration_days.or(site.duration_days).flatten(),
            billing_period: self.billing_period.or(site.billing_period).flatten(),
        }
    }

    /// What is out of range, as (key, what to do).
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut check = |key, value: u32, from: u32, to: u32| {
            if !(from..=to).contains(&value) {
                faults.push((key, format!("must be from {from} to {to}, not {value}")));
            }
        };
        if let Some(OnPaymentFailed::GraceDays(days)) = self.on_payment_failed {
            check("on_payment_failed/grace_days", days, 0, PERIOD_DAYS_MAX);
        }
        if let Some(OnPartialRefund::RevokeAtPercent(percent)) = self.on_partial_refund {
            check("on_partial_refund/revoke_at_percent", percent, 1, 100);
        }
        if let Some(Some(days)) = self.duration_days {
            check("duration_days", days, 1, PERIOD_DAYS_MAX);
        }
        match self.billing_period.flatten() {
            Some(BillingPeriod::Days(days)) => {
                check("billing_period/days", days, 1, PERIOD_DAYS_MAX);
            }
            Some(BillingPeriod::Months(months)) => {
                check("billing_period/months", months, 1, PERIOD_MONTHS_MAX);
            }
            None => {}
        }
        faults
    }
}

impl BillingPeriod {
    /// The instant one period after another; `None` past the end of the calendar.
    #[must_use]
    pub fn after(self, start: Instant) -> Option<Instant> {
        match self {
            Self::Days(days) => days_after(start, i64::from(days)),
            Self::Months(months) => in_calendar(start.checked_add_months(Months::new(months))?),
        }
    }
}

/// The instant a number of days of 24 hours after another; `None` past the end of the calendar.
#[must_use]
pub fn days_after(start: Instant, days: i64) -> Option<Instant> {
    in_calendar(start.checked_add_signed(TimeDelta::try_days(days)?)?)
}

/// The calendar ends with the last year of four digits: RFC 3339 writes no other, and SQLite, which
/// keeps instants as text, would take a longer one for the past.
fn in_calendar(at: Instant) -> Option<Instant> {
    (at.year() <= 9_999).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn policy(json: &str) -> Policy {
        serde_json::from_str(json).expect("a policy")
    }

    #[test]
    fn a_mapping_overrides_its_site_and_null_means_none() {
        let site = policy(r#"{"duration_days":30,"on_refund":"keep","trial":"wait"}"#);
        let terms = policy(r#"{"duration_days":null,"on_refund":"revoke"}"#).over(&site);
        assert_eq!(terms.duration_days, None);
        assert_eq!(terms.on_refund, OnRefund::Revoke);
        assert_eq!(terms.trial, Trial::Wait);
        assert_eq!(terms.on_cancellation, OnCancellation::Revoke);
        assert_eq!(Policy::default().over(&site).duration_days, Some(30));
    }

    #[test]
    fn a_policy_is_written_as_it_was_read() {
        for json in [
            "{}",
            r#"{"duration_days":null}"#,
            r#"{"on_payment_failed":{"grace_days":7},"billing_period":{"months":1}}"#,
            r#"{"on_partial_refund":{"revoke_at_percent":50}}"#,
        ] {
            assert_eq!(serde_json::to_string(&policy(json)).expect("JSON"), json);
        }
    }

    fn at(year: i32, month: u32, day: u32) -> Instant {
        Utc.with_ymd_and_hms(year, month, day, 8, 0, 0).single().expect("an instant")
    }

    #[test]
    fn months_are_clamped_to_their_ends() {
        for (start, months, after) in [
            (at(2025, 1, 31), 1, at(2025, 2, 28)),
            (at(2024, 1, 31), 1, at(2024, 2, 29)),
            (at(2024, 1, 31), 2, at(2024, 3, 31)),
            (at(2024, 2, 29), 12, at(2025, 2, 28)),
            (at(2024, 12, 31), 2, at(2025, 2, 28)),
            (at(2025, 3, 9), 0, at(2025, 3, 9)),
        ] {
            assert_eq!(BillingPeriod::Months(months).after(start), Some(after), "{start} {months}");
        }
    }

    #[test]
    fn a_day_is_24_hours_whatever_the_clocks_of_a_place_do() {
        for (start, days, after) in [
            (at(2025, 3, 8), 2, at(2025, 3, 10)),
            (at(2024, 2, 28), 1, at(2024, 2, 29)),
            (at(2025, 11, 1), 0, at(2025, 11, 1)),
        ] {
            assert_eq!(BillingPeriod::Days(days).after(start), Some(after), "{start} {days}");
            assert_eq!(days_after(start, i64::from(days)), Some(after));
        }
    }

    #[test]
    fn past_the_last_year_of_four_digits_no_instant_is_known() {
        let eve = at(9999, 12, 30);
        assert_eq!(days_after(eve, 1), Some(at(9999, 12, 31)));
        assert_eq!(days_after(eve, 2), None);
        assert_eq!(BillingPeriod::Days(2).after(eve), None);
        assert_eq!(BillingPeriod::Months(1).after(eve), None);
        for days in [3_000_000, i64::MAX] {
            assert_eq!(days_after(at(2025, 3, 4), days), None, "{days}");
        }
    }

    #[test]
    fn only_what_is_documented_is_a_policy() {
        for json in [
            r#"{"on_refund":"rewoke"}"#,
            r#"{"on_refunds":"revoke"}"#,
            r#"{"trial":true}"#,
            r#"{"on_payment_failed":{"grace_days":-1}}"#,
            r#"{"on_payment_failed":{"grace_days":1.5}}"#,
            r#"{"on_payment_failed":{"grace_days":1,"days":2}}"#,
            r#"{"on_payment_failed":"grace_days"}"#,
            r#"{"billing_period":{"days":1,"months":1}}"#,
            r#"{"billing_period":{"weeks":1}}"#,
            r#"{"duration_days":"30"}"#,
        ] {
            assert!(serde_json::from_str::<Policy>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_named_and_its_bounds_are_not() {
        for (json, fault) in [
            (r#"{"on_payment_failed":{"grace_days":0}}"#, None),
            (r#"{"on_payment_failed":{"grace_days":36500}}"#, None),
            (r#"{"on_payment_failed":{"grace_days":36501}}"#, Some("on_payment_failed/grace_days")),
            (r#"{"on_partial_refund":{"revoke_at_percent":1}}"#, None),
            (r#"{"on_partial_refund":{"revoke_at_percent":100}}"#, None),
            (
                r#"{"on_partial_refund":{"revoke_at_percent":101}}"#,
                Some("on_partial_refund/revoke_at_percent"),
            ),
            (r#"{"duration_days":null}"#, None),
            (r#"{"duration_days":1}"#, None),
            (r#"{"duration_days":0}"#, Some("duration_days")),
            (r#"{"billing_period":{"days":0}}"#, Some("billing_period/days")),
            (r#"{"billing_period":{"months":1200}}"#, None),
            (r#"{"billing_period":{"months":1201}}"#, Some("billing_period/months")),
            (r#"{"trial":"wait","on_chargeback":"block"}"#, None),
        ] {
            let faults: Vec<_> = policy(json).faults().into_iter().map(|(key, _)| key).collect();
            assert_eq!(faults, fault.into_iter().collect::<Vec<_>>(), "{json}");
        }
    }

    #[test]
    fn what_nobody_sets_is_the_bold_value_of_the_norm() {
        let terms = Policy::default().over(&Policy::default());
        assert_eq!(
            terms,
            Terms {
                trial: Trial::Grant,
                on_payment_failed: OnPaymentFailed::Keep,
                on_cancellation: OnCancellation::Revoke,
                on_refund: OnRefund::Revoke,
                on_partial_refund: OnPartialRefund::Keep,
                on_chargeback: OnChargeback::Revoke,
                duration_days: None,
                billing_period: None,
            }
        );
    }
}
