//! Stretches of time, and what remains of some when others are taken away.

use super::Instant;
use serde::{Deserialize, Serialize};

/// From an instant on, until another one that is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Its first instant.
    pub from: Instant,
    /// Its end, exclusive; `None` where no end is known.
    pub until: Option<Instant>,
}

impl Stretch {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Whether it holds no instant at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }
}

/// The earlier of two ends, where no end is later than any.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (end, None) | (None, end) => end,
    }
}

/// The same instants in as few stretches as possible, in order; stretches that touch are one.
#[must_use]
pub fn union(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|stretch| !stretch.is_empty());
    stretches.sort_by_key(|stretch| stretch.from);
    let mut joined: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match joined.last_mut() {
            Some(last) if last.until.is_none_or(|until| stretch.from <= until) => {
                last.until = match (last.until, stretch.until) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => joined.push(stretch),
        }
    }
    joined
}

/// What remains of the stretches without those in `taken`; both as [`union`] leaves them.
#[must_use]
pub fn without(stretches: Vec<Stretch>, taken: &[Stretch]) -> Vec<Stretch> {
    taken.iter().fold(stretches, |left, hole| left.into_iter().flat_map(|s| cut(s, hole)).collect())
}

/// What lies before a hole, and what lies behind it.
fn cut(stretch: Stretch, hole: &Stretch) -> impl Iterator<Item = Stretch> {
    let before = Stretch { from: stretch.from, until: earlier(stretch.until, Some(hole.from)) };
    let behind =
        hole.until.map(|end| Stretch { from: stretch.from.max(end), until: stretch.until });
    [Some(before), behind].into_iter().flatten().filter(|part| !part.is_empty())
}

/// The next instant after `at` at which membership in the stretches changes.
#[must_use]
pub fn next_change(stretches: &[Stretch], at: Instant) -> Option<Instant> {
    let ends = stretches.iter().flat_map(|stretch| [Some(stretch.from), stretch.until]);
    ends.flatten().filter(|end| *end > at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instant(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).expect("in the calendar")
    }

    fn some_stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let one = (0..20i64, proptest::option::of(0..20i64))
            .prop_map(|(from, until)| Stretch { from: instant(from), until: until.map(instant) });
        proptest::collection::vec(one, 0..6)
    }

    fn inside(stretches: &[Stretch], at: Instant) -> bool {
        stretches.iter().any(|stretch| stretch.contains(at))
    }

    proptest! {
        #[test]
        fn union_and_without_keep_exactly_the_right_instants(a in some_stretches(), b in some_stretches()) {
            let joined = union(a.clone());
            let left = without(joined.clone(), &union(b.clone()));
            for second in -1..22 {
                let at = instant(second);
                prop_assert_eq!(inside(&joined, at), inside(&a, at));
                prop_assert_eq!(inside(&left, at), inside(&a, at) && !inside(&b, at));
            }
            for pair in joined.windows(2) {
                prop_assert!(pair[0].until.is_some_and(|until| until < pair[1].from));
            }
        }
    }
}
