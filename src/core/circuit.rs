//! How long a destination that keeps failing is left alone, so that one which is down is not called for each of its
//! members, and gets up again without a crowd at its door.

use chrono::TimeDelta;

/// How many attempts in a row have to fail before a destination is left alone.
pub const FAILURES_MAX: i32 = 5;
/// How long it is left alone then, in seconds; each further failure doubles it …
const PAUSE_SECONDS: i64 = 30;
/// … up to this.
const PAUSE_SECONDS_MAX: i64 = 900;

/// Whether a destination with so many failures in a row is tried with one push at a time.
#[must_use]
pub fn is_open(failures: i32) -> bool {
    failures >= FAILURES_MAX
}

/// How long a destination is left alone after so many failures in a row; `None` while it is not.
#[must_use]
pub fn pause(failures: i32) -> Option<TimeDelta> {
    let over = failures.checked_sub(FAILURES_MAX).filter(|over| *over >= 0)?;
    let doubled = 1_i64.checked_shl(over.unsigned_abs()).filter(|_| over < 16);
    let seconds = doubled.map_or(PAUSE_SECONDS_MAX, |times| PAUSE_SECONDS.saturating_mul(times));
    Some(TimeDelta::seconds(seconds.min(PAUSE_SECONDS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_left_alone_from_the_fifth_failure_on_and_longer_each_time() {
        let seconds = |failures| pause(failures).map(|pause| pause.num_seconds());
        assert_eq!([seconds(0), seconds(4)], [None, None]);
        assert_eq!([seconds(5), seconds(6), seconds(9)], [Some(30), Some(60), Some(480)]);
        assert_eq!([seconds(10), seconds(40), seconds(i32::MAX)], [Some(900); 3]);
    }
}
