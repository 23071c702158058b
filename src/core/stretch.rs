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

    fn stretch(from: i64, until: Option<i64>) -> Stretch {
        Stretch { from: instant(from), until: until.map(instant) }
    }

    #[test]
    fn a_stretch_has_its_first_instant_and_not_its_end() {
        let hour = stretch(10, Some(20));
        let micro = chrono::TimeDelta::microseconds(1);
        assert!(hour.contains(instant(10)) && hour.contains(instant(20) - micro));
        assert!(!hour.contains(instant(10) - micro) && !hour.contains(instant(20)));
        assert!(stretch(10, None).contains(Instant::MAX_UTC));
        assert!(stretch(10, Some(10)).is_empty() && stretch(10, Some(9)).is_empty());
        assert!(!stretch(10, Some(11)).is_empty() && !stretch(10, None).is_empty());
    }

    #[test]
    fn stretches_that_touch_are_one_and_empty_ones_are_none() {
        assert_eq!(union(Vec::new()), []);
        assert_eq!(union(vec![stretch(5, Some(5)), stretch(9, Some(3))]), []);
        let touching = vec![stretch(20, None), stretch(10, Some(20)), stretch(12, Some(13))];
        assert_eq!(union(touching), [stretch(10, None)]);
        let apart = [stretch(10, Some(20)), stretch(21, Some(22))];
        assert_eq!(union(apart.to_vec()), apart);
    }

    #[test]
    fn the_next_change_is_strictly_later_and_none_where_nothing_follows() {
        let some = [stretch(10, Some(20)), stretch(30, None)];
        for (at, next) in [(9, Some(10)), (10, Some(20)), (20, Some(30)), (30, None), (99, None)] {
            assert_eq!(next_change(&some, instant(at)), next.map(instant), "{at}");
        }
        assert_eq!(next_change(&[], instant(0)), None);
    }

    #[test]
    fn no_end_is_later_than_any() {
        let (a, b) = (Some(instant(1)), Some(instant(2)));
        for (one, other, first) in
            [(a, b, a), (b, a, a), (a, None, a), (None, b, b), (None, None, None)]
        {
            assert_eq!(earlier(one, other), first);
        }
    }

    #[test]
    fn nothing_taken_leaves_all_and_everything_taken_leaves_nothing() {
        let all = vec![stretch(10, Some(20)), stretch(30, None)];
        assert_eq!(without(all.clone(), &[]), all);
        assert_eq!(without(all.clone(), &all), []);
        assert_eq!(without(Vec::new(), &all), []);
        let cut = [stretch(10, Some(12)), stretch(15, Some(20))];
        assert_eq!(without(all, &[stretch(12, Some(15)), stretch(30, None)]), cut);
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
