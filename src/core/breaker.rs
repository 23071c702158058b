//! How many revocations of a level pass before somebody has to look: the limit of the breaker.

use super::Instant;
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The greatest count that can be set.
pub const COUNT_MAX: u32 = 1_000_000;
/// The longest window, in minutes: a day.
pub const WINDOW_MINUTES_MAX: u32 = 1_440;

/// How many members may lose a level within a window: the larger of a count and of a share of those who
/// held it. What exceeds it is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxRevocations {
    /// So many may lose a level, however few hold it.
    #[schemars(range(min = 0, max = COUNT_MAX))]
    pub count: u32,
    /// So many of a hundred who held it may, if that is more.
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
    /// Within so many minutes.
    #[schemars(range(min = 1, max = WINDOW_MINUTES_MAX))]
    pub window_minutes: u32,
}

impl Default for MaxRevocations {
    fn default() -> Self {
        Self { count: 20, percent: 20, window_minutes: 60 }
    }
}

/// What has become of one level within a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Members who hold it now, what is held open among them.
    pub members: i64,
    /// Revocations that were recorded within the window.
    pub revoked: i64,
    /// Revocations that were held open within it.
    pub parked: i64,
}

impl MaxRevocations {
    /// How many more may lose a level, by what has become of it within the window. What is held open counts
    /// as if it had been revoked, so that a flood that goes on stays held open.
    #[must_use]
    pub fn left(&self, losses: Losses) -> i64 {
        let held = losses.members.saturating_add(losses.revoked);
        let share = held.saturating_mul(i64::from(self.percent)) / 100;
        let most = share.max(i64::from(self.count));
        most.saturating_sub(losses.revoked).saturating_sub(losses.parked).max(0)
    }

    /// The minute in which the window begins that ends at an instant, counted from the beginning of 1970. A
    /// minute that has begun counts whole.
    #[must_use]
    pub fn first_minute(&self, at: Instant) -> i64 {
        let window = TimeDelta::minutes(i64::from(self.window_minutes));
        at.checked_sub_signed(window).map_or(i64::MIN, minute)
    }

    /// What is wrong with it, by key.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let checks = [
            ("count", self.count, 0, COUNT_MAX),
            ("percent", self.percent, 0, 100),
            ("window_minutes", self.window_minutes, 1, WINDOW_MINUTES_MAX),
        ];
        let wrong = checks.into_iter().filter(|(_, value, from, to)| value < from || value > to);
        let said =
            |(key, value, from, to)| (key, format!("must be from {from} to {to}, not {value}"));
        wrong.map(said).collect()
    }
}

/// The minute that an instant lies in, counted from the beginning of 1970.
#[must_use]
pub fn minute(at: Instant) -> i64 {
    at.timestamp().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_the_count_and_the_share_may_go() {
        let limit = MaxRevocations { count: 20, percent: 20, window_minutes: 60 };
        for (members, revoked, parked, left) in [
            (0, 0, 0, 20),
            (50, 0, 0, 20),
            (100, 0, 0, 20),
            (104, 0, 0, 20),
            (105, 0, 0, 21),
            (1_000, 0, 0, 200),
            // Of those who held it when the window began: these have gone since.
            (800, 200, 0, 0),
            (990, 10, 0, 190),
            (800, 200, 300, 0),
            (80, 19, 0, 1),
            // What was held open counts, but is still held.
            (1_000, 0, 150, 50),
        ] {
            let losses = Losses { members, revoked, parked };
            assert_eq!(limit.left(losses), left, "{losses:?}");
        }
        let none = MaxRevocations { count: 0, percent: 0, window_minutes: 1 };
        assert_eq!(none.left(Losses { members: 9, revoked: 0, parked: 0 }), 0);
        let all = MaxRevocations { count: 0, percent: 100, window_minutes: 1 };
        assert_eq!(all.left(Losses { members: 5, revoked: 4, parked: 0 }), 5);
    }

    #[test]
    fn a_window_begins_with_a_whole_minute() {
        let at = |text: &str| text.parse::<Instant>().expect("an instant");
        let limit = MaxRevocations { window_minutes: 60, ..MaxRevocations::default() };
        let first = minute(at("2026-01-01T09:30:00Z"));
        assert_eq!(limit.first_minute(at("2026-01-01T10:30:00Z")), first);
        assert_eq!(limit.first_minute(at("2026-01-01T10:30:59Z")), first);
        assert_eq!(limit.first_minute(at("2026-01-01T10:31:00Z")), first + 1);
    }

    #[test]
    fn what_cannot_be_is_named_by_its_key() {
        assert_eq!(MaxRevocations::default().faults(), []);
        let wrong = MaxRevocations { count: COUNT_MAX + 1, percent: 101, window_minutes: 0 };
        let keys: Vec<&str> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["count", "percent", "window_minutes"]);
        let late = MaxRevocations { window_minutes: 1_441, ..MaxRevocations::default() };
        let fault = "must be from 1 to 1440, not 1441".to_owned();
        assert_eq!(late.faults(), [("window_minutes", fault)]);
    }
}
