//! The pauses between attempts: at a webhook that failed by an error of ours, and at a message that its
//! receiver did not take.

use super::Instant;
use chrono::TimeDelta;

/// The pauses in seconds; after the last one it is tried again at that distance for good, so that
/// nothing is ever given up.
const PAUSES_SECONDS: [i64; 8] = [1, 5, 30, 120, 600, 1_800, 7_200, 21_600];

/// The pauses in seconds before the second and each later attempt at a message, as Standard Webhooks has
/// them: 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. After the last one it has failed.
const MESSAGE_PAUSES_SECONDS: [i64; 9] =
    [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// A pause is longer by up to one part in so many, so that what failed together does not come together.
const JITTER_PART: i64 = 10;

/// The longest that a receiver may ask to wait, in seconds.
const ASKED_SECONDS_MAX: i64 = 86_400;

/// When to try again after a number of failed attempts, counted from 1.
#[must_use]
pub fn next_attempt_at(failed_at: Instant, attempts: u32) -> Instant {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = PAUSES_SECONDS.len() - 1;
    let pause = PAUSES_SECONDS.get(index.min(last)).copied().unwrap_or_default();
    failed_at + TimeDelta::seconds(pause)
}

/// When to send a message again after a number of failed attempts, counted from 1; `None` after the last.
/// `jitter` spreads the pauses, 0 least and 255 most; `asked_seconds` is what the receiver asked to be
/// waited (`Retry-After`), which may make a pause longer and never shorter.
#[must_use]
pub fn next_sending_at(
    failed_at: Instant,
    attempts: u32,
    jitter: u8,
    asked_seconds: Option<i64>,
) -> Option<Instant> {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let pause = TimeDelta::seconds(*MESSAGE_PAUSES_SECONDS.get(index)?);
    let spread = TimeDelta::milliseconds(
        pause.num_milliseconds() / JITTER_PART * i64::from(jitter) / i64::from(u8::MAX),
    );
    let asked = TimeDelta::seconds(asked_seconds.unwrap_or_default().clamp(0, ASKED_SECONDS_MAX));
    Some(failed_at + (pause + spread).max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_never_end() {
        let start = Instant::UNIX_EPOCH;
        let pauses: Vec<_> = (1..12).map(|n| next_attempt_at(start, n) - start).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&TimeDelta::seconds(21_600)));
    }

    #[test]
    fn each_attempt_has_its_pause_and_the_number_of_attempts_has_no_limit() {
        let start = Instant::UNIX_EPOCH;
        let pause = |attempts| (next_attempt_at(start, attempts) - start).num_seconds();
        for (attempts, seconds) in [
            (0, 1),
            (1, 1),
            (2, 5),
            (3, 30),
            (4, 120),
            (5, 600),
            (6, 1_800),
            (7, 7_200),
            (8, 21_600),
            (9, 21_600),
            (u32::MAX, 21_600),
        ] {
            assert_eq!(pause(attempts), seconds, "{attempts}");
        }
    }

    #[test]
    fn a_message_is_sent_ten_times_by_the_schedule_of_standard_webhooks_and_then_no_more() {
        let start = Instant::UNIX_EPOCH;
        let pause = |attempts, jitter| {
            next_sending_at(start, attempts, jitter, None).map(|at| (at - start).num_milliseconds())
        };
        let minutes =
            [(2, 5), (3, 30), (4, 120), (5, 300), (6, 600), (7, 840), (8, 1_200), (9, 1_440)];
        assert_eq!((pause(1, 0), pause(1, 255)), (Some(5_000), Some(5_500)));
        for (attempts, minutes) in minutes {
            assert_eq!(pause(attempts, 0), Some(minutes * 60_000), "{attempts}");
            assert_eq!(pause(attempts, 255), Some(minutes * 66_000), "{attempts}, spread");
        }
        assert_eq!((pause(10, 0), pause(u32::MAX, 0)), (None, None));
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_of_up_to_a_day_and_for_no_shorter_one() {
        let start = Instant::UNIX_EPOCH;
        let seconds =
            |asked| (next_sending_at(start, 2, 0, Some(asked)).unwrap() - start).num_seconds();
        assert_eq!(seconds(301), 301);
        assert_eq!([seconds(0), seconds(-7), seconds(299)], [300; 3]);
        assert_eq!([seconds(86_400), seconds(86_401), seconds(i64::MAX)], [86_400; 3]);
    }
}
