//! What an operator is told of without asking: the kinds of alarms, from when on each begins, and what to
//! do about it.
//!
//! An alarm is an episode: it begins when its cause is first seen, and ends when the cause is gone. What
//! is said of it names no person.

use super::Instant;
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much is counted of a cause: nobody works through more by hand, and a look has to cost the same
/// however much there is.
pub const COUNTED_MAX: i64 = 1_000;

/// What an alarm is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AlarmKind")]
pub enum Kind {
    /// Purchases are held for longer than `held_hours`: who paid has nothing.
    HeldPurchases,
    /// Reversals of nothing known have waited for longer than `unmatched_hours`.
    UnmatchedWebhooks,
    /// Webhooks could not be read.
    UnreadableWebhooks,
    /// IPNs came with another secret than the site's.
    RejectedWebhooks,
    /// Nothing has come for longer than usual.
    Silent,
    /// Ends of access are due for longer than `timers_late_minutes`, and not applied.
    TimersLate,
    /// Revocations are held for an operator's yes.
    BreakerOpen,
    /// Payments of subscriptions are missing for longer than `overdue_days`.
    SubscriptionsOverdue,
    /// Destinations take nothing: they refuse us, or have failed for a while.
    DestinationsDown,
    /// Pushes have failed and are not tried again by themselves: somebody has what they should not, or lacks it.
    PushesFailed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::HeldPurchases,
        Self::UnmatchedWebhooks,
        Self::UnreadableWebhooks,
        Self::RejectedWebhooks,
        Self::Silent,
        Self::TimersLate,
        Self::BreakerOpen,
        Self::SubscriptionsOverdue,
        Self::DestinationsDown,
        Self::PushesFailed,
    ];

    /// The word for it in the API, the database and the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeldPurchases => "held_purchases",
            Self::UnmatchedWebhooks => "unmatched_webhooks",
            Self::UnreadableWebhooks => "unreadable_webhooks",
            Self::RejectedWebhooks => "rejected_webhooks",
            Self::Silent => "silent",
            Self::TimersLate => "timers_late",
            Self::BreakerOpen => "breaker_open",
            Self::SubscriptionsOverdue => "subscriptions_overdue",
            Self::DestinationsDown => "destinations_down",
            Self::PushesFailed => "pushes_failed",
        }
    }

    /// The kind that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What there is, in one sentence.
    #[must_use]
    pub fn detail(self, cause: Cause) -> String {
        let one = cause.number == 1;
        let things = |one_of: &str, many: &str| match cause.number {
            1 => format!("1 {one_of}"),
            COUNTED_MAX.. => format!("At least {COUNTED_MAX} {many}"),
            number => format!("{number} {many}"),
        };
        let said = match self {
            Self::HeldPurchases => things("purchase is held", "purchases are held"),
            Self::UnmatchedWebhooks => {
                things("reversal is of nothing known", "reversals are of nothing known")
            }
            Self::UnreadableWebhooks => {
                things("webhook could not be read", "webhooks could not be read")
            }
            Self::RejectedWebhooks => {
                things("IPN was rejected for its secret", "IPNs were rejected for their secret")
            }
            Self::Silent => "No webhook has come for longer than usual".to_owned(),
            Self::TimersLate => things(
                "end of access is due and not applied",
                "ends of access are due and not applied",
            ),
            Self::BreakerOpen => {
                things("level of a member is held open", "levels of members are held open")
            }
            Self::SubscriptionsOverdue => {
                things("subscription has not been paid", "subscriptions have not been paid")
            }
            Self::DestinationsDown => things("destination is down", "destinations are down"),
            Self::PushesFailed => things("push has failed", "pushes have failed"),
        };
        let since = cause.since.format("%-d %B %Y, %H:%M UTC");
        match self {
            Self::Silent => format!("{said}; the last one came on {since}."),
            _ if one => format!("{said}, since {since}."),
            _ => format!("{said}, the first since {since}."),
        }
    }

    /// What to do about it, in words.
    #[must_use]
    pub fn next_step(self) -> &'static str {
        match self {
            Self::HeldPurchases => {
                "Somebody has paid and has nothing yet. Look at the products with the status unmapped, or with a price \
                 point that no mapping names: map them to levels, or ignore them."
            }
            Self::UnmatchedWebhooks => {
                "Look at the webhooks with the status unmatched. Where a sale was missed, look for it in Kartra; what \
                 is of no interest here, discard."
            }
            Self::UnreadableWebhooks => {
                "Look at the webhooks with the status unreadable and their reasons. Replay them when what sent them is \
                 mended, or discard them."
            }
            Self::RejectedWebhooks => {
                "Set ipn_secret to the secret of the notification in Kartra, then replay the webhooks with the status \
                 rejected. Discard those that are not Kartra's."
            }
            Self::Silent => {
                "Look in Kartra whether the Outbound API and the IPN still name webhook_url, and whether this address \
                 can be reached from outside."
            }
            Self::TimersLate => {
                "Look at the log of the server for ends that could not be applied. Until they are, reads work them out \
                 anew: nobody gets in by a late end."
            }
            Self::BreakerOpen => {
                "More would have been revoked than max_revocations allows. Look at held-open for what is held and why, \
                 then release it or discard it."
            }
            Self::SubscriptionsOverdue => {
                "Nobody has lost access. Look at the overdue subscriptions: where Kartra shows a payment or an end, its \
                 webhook was missed; add an IPN with webhook_url where none is set."
            }
            Self::DestinationsDown => {
                "Look at the destinations that are paused or broken: detail says what they answer. Test them once that is \
                 mended; what is wanted there is kept and sent then."
            }
            Self::PushesFailed => {
                "Look at the pushes with the status failed: last_error has the words of the destination. Retry them when \
                 its cause is mended; the nightly run does so, too."
            }
        }
    }
}

/// What a look has found of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// How many things, at most [`COUNTED_MAX`]; never 0.
    pub number: i64,
    /// Since when the first of them is there; for silence, when it was last spoken.
    pub since: Instant,
}

/// From when on things are an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "AlarmThresholds")]
pub struct Thresholds {
    /// Hours for which a purchase may be held.
    pub held_hours: u32,
    /// Hours for which a reversal may wait for what it reverses.
    pub unmatched_hours: u32,
    /// Minutes for which an end may be due without being applied.
    pub timers_late_minutes: u32,
    /// Days for which the payment of a subscription may be missing.
    pub overdue_days: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { held_hours: 24, unmatched_hours: 1, timers_late_minutes: 15, overdue_days: 3 }
    }
}

impl Thresholds {
    /// The longest of each, a year of days: longer than that nothing is watched.
    pub const DAYS_MAX: u32 = 366;

    /// What is held since then, or before, is an alarm.
    #[must_use]
    pub fn held_since(&self, now: Instant) -> Instant {
        now - TimeDelta::hours(i64::from(self.held_hours))
    }

    /// What is unmatched since then, or before, is an alarm.
    #[must_use]
    pub fn unmatched_since(&self, now: Instant) -> Instant {
        now - TimeDelta::hours(i64::from(self.unmatched_hours))
    }

    /// What was due then, or before, is late.
    #[must_use]
    pub fn late_since(&self, now: Instant) -> Instant {
        now - TimeDelta::minutes(i64::from(self.timers_late_minutes))
    }

    /// A payment that was due then, or before, is overdue.
    #[must_use]
    pub fn overdue_since(&self, now: Instant) -> Instant {
        now - TimeDelta::days(i64::from(self.overdue_days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_word_and_the_database_reads_it_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert!(kind.next_step().ends_with('.'), "{kind:?}");
        }
        assert_eq!(Kind::from_word("nonsense"), None);
    }

    #[test]
    fn what_there_is_is_told_in_one_sentence() {
        let since = "2026-03-01T05:00:00.5Z".parse().unwrap();
        let of = |kind: Kind, number| kind.detail(Cause { number, since });
        assert_eq!(
            of(Kind::HeldPurchases, 1),
            "1 purchase is held, since 1 March 2026, 05:00 UTC."
        );
        assert_eq!(
            of(Kind::HeldPurchases, 12),
            "12 purchases are held, the first since 1 March 2026, 05:00 UTC."
        );
        assert_eq!(
            of(Kind::UnreadableWebhooks, COUNTED_MAX),
            "At least 1000 webhooks could not be read, the first since 1 March 2026, 05:00 UTC."
        );
        assert_eq!(
            of(Kind::Silent, 1),
            "No webhook has come for longer than usual; the last one came on 1 March 2026, 05:00 UTC."
        );
    }
}
