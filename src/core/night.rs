//! The hour at which what is quiet by day is looked over.

use super::Instant;
use super::site_time::instant_of;
use chrono::{Days, NaiveTime, TimeDelta};
use chrono_tz::Tz;

/// The hour of the night, by the clocks of a zone.
const HOUR: u32 = 3;
/// How long after it the last one begins, in seconds: what begins together would be in each other's way.
const SPREAD_SECONDS: u32 = 3_600;

/// The next night after an instant, at three o'clock in a zone and up to an hour later, the same for the same number.
#[must_use]
pub fn next_night(after: Instant, zone: Tz, number: u32) -> Instant {
    let three = NaiveTime::from_hms_opt(HOUR, 0, 0).unwrap_or_default();
    let spread = TimeDelta::seconds(i64::from(number % SPREAD_SECONDS));
    let today = after.with_timezone(&zone).date_naive();
    // A skipped hour moves a night, by an hour at most: of three days one is always still to come.
    let nights = (0..3).filter_map(|days| today.checked_add_days(Days::new(days)));
    let mut nights = nights.map(|date| instant_of(date.and_time(three), zone) + spread);
    nights.find(|night| *night > after).unwrap_or(after + TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Europe};

    fn instant(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_is_at_three_by_the_clocks_of_the_site_and_up_to_an_hour_later() {
        for (after, zone, number, night) in [
            ("2026-01-10T07:59:59Z", America::New_York, 0, "2026-01-10T08:00:00Z"),
            // One that has come is over.
            ("2026-01-10T08:00:00Z", America::New_York, 0, "2026-01-11T08:00:00Z"),
            ("2026-01-10T08:00:00Z", America::New_York, 3_599, "2026-01-10T08:59:59Z"),
            ("2026-01-10T08:00:00Z", America::New_York, 7_200, "2026-01-11T08:00:00Z"),
            // By summer's clocks, from the night on which they change.
            ("2026-03-08T00:00:00Z", America::New_York, 60, "2026-03-08T07:01:00Z"),
            // Three o'clock is skipped here: the clocks show four then.
            ("2026-03-28T12:00:00Z", Europe::Helsinki, 0, "2026-03-29T01:00:00Z"),
        ] {
            assert_eq!(next_night(instant(after), zone, number), instant(night), "{after} {zone}");
        }
    }
}
