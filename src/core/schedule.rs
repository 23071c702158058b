//! The pauses between attempts at a webhook that failed by an error of ours.

use super::Instant;
use chrono::TimeDelta;

/// The pauses in seconds; after the last one it is tried again at that distance for good, so that
/// nothing is ever given up.
const PAUSES_SECONDS: [i64; 8] = [1, 5, 30, 120, 600, 1_800, 7_200, 21_600];

/// When to try again after a number of failed attempts, counted from 1.
#[must_use]
pub fn next_attempt_at(failed_at: Instant, attempts: u32) -> Instant {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = PAUSES_SECONDS.len() - 1;
    let pause = PAUSES_SECONDS.get(index.min(last)).copied().unwrap_or_default();
    failed_at + TimeDelta::seconds(pause)
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
}
