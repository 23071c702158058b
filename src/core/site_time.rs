//! Kartra's naive dates in a site's time zone.
//!
//! Kartra calls its times "EST" and never says whether that is fixed or observes daylight saving
//! (wire.md 1.8, unknown), so the zone is a setting of the site.

use super::Instant;
use chrono::{Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The instant that a naive date names: the earlier one of an ambiguous hour, and for a skipped
/// hour the instant at which the clock jumped.
#[must_use]
pub fn instant_of(date: NaiveDateTime, zone: Tz) -> Instant {
    match zone.from_local_datetime(&date) {
        LocalResult::Single(at) => at.with_timezone(&Utc),
        LocalResult::Ambiguous(earlier, later) => earlier.min(later).with_timezone(&Utc),
        LocalResult::None => jump_over(date, zone),
    }
}

/// The first instant whose local time is past a date that the zone's clock never showed.
fn jump_over(date: NaiveDateTime, zone: Tz) -> Instant {
    // No zone is a day away from UTC, and no zone jumps twice within two days.
    let utc = Utc.from_utc_datetime(&date);
    let instant = |micros| utc + Duration::microseconds(micros);
    let (mut before, mut after) = (-DAY_MICROS, DAY_MICROS);
    while after - before > 1 {
        let middle = i64::midpoint(before, after);
        if instant(middle).with_timezone(&zone).naive_local() > date {
            after = middle;
        } else {
            before = middle;
        }
    }
    instant(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    fn new_york(text: &str) -> String {
        let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").expect("a date");
        instant_of(date, chrono_tz::America::New_York).to_rfc3339()
    }

    #[test]
    fn winter_and_summer_differ() {
        assert_eq!(new_york("2025-01-15 12:00:00"), "2025-01-15T17:00:00+00:00");
        assert_eq!(new_york("2025-07-15 12:00:00"), "2025-07-15T16:00:00+00:00");
    }

    #[test]
    fn an_ambiguous_hour_is_the_earlier_instant() {
        assert_eq!(new_york("2025-11-02 01:30:00"), "2025-11-02T05:30:00+00:00");
    }

    #[test]
    fn a_skipped_hour_is_the_instant_of_the_jump() {
        assert_eq!(new_york("2025-03-09 02:00:00"), "2025-03-09T07:00:00+00:00");
        assert_eq!(new_york("2025-03-09 02:59:59"), "2025-03-09T07:00:00+00:00");
    }

    #[test]
    fn a_skipped_day_is_the_instant_of_the_jump() {
        // Samoa went from 29 to 31 December 2011.
        let date = NaiveDate::from_ymd_opt(2011, 12, 30).and_then(|d| d.and_hms_opt(10, 0, 0));
        let at = instant_of(date.expect("a date"), chrono_tz::Pacific::Apia);
        assert_eq!(at.to_rfc3339(), "2011-12-30T10:00:00+00:00");
    }

    #[test]
    fn what_the_clock_showed_is_read_back_and_time_never_runs_backwards() {
        let zones = [
            chrono_tz::America::New_York,
            chrono_tz::Australia::Lord_Howe,
            chrono_tz::Asia::Kathmandu,
            chrono_tz::Pacific::Apia,
            chrono_tz::Europe::Dublin,
            chrono_tz::EST,
            chrono_tz::UTC,
        ];
        for zone in zones {
            let start = NaiveDate::from_ymd_opt(2011, 1, 1).and_then(|d| d.and_hms_opt(0, 7, 0));
            let start = start.expect("a date");
            let mut earlier = instant_of(start, zone);
            for quarter in 1..i64::from(2 * 366 * 24 * 4) {
                let date = start + Duration::minutes(15 * quarter);
                let at = instant_of(date, zone);
                // An hour that came twice is read once, so the next one follows an hour later.
                assert!(at >= earlier, "{date} in {zone}");
                let shown = at.with_timezone(&zone).naive_local();
                let skipped = zone.from_local_datetime(&date) == LocalResult::None;
                assert!(shown == date || skipped && shown > date, "{date} in {zone}");
                earlier = at;
            }
        }
    }
}
