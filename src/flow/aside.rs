//! What a process leaves alone for a while, so that it does not turn in circles: the ends that could
//! not be applied, and the sites that it could not work on. Nothing else waits with them, and nothing is
//! left alone for good.

use super::locked;
use crate::core::Instant;
use crate::core::stretch::earlier;
use chrono::TimeDelta;
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

/// The ids of members whose ends could not be applied.
pub(super) type Passed = BTreeSet<String>;

/// The pauses between attempts at an end that cannot be applied: the first, and the longest.
const END_PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::seconds(1), TimeDelta::minutes(5));
/// The pauses between looks at a site that is somebody else's, or that fails: the first, and the longest.
const SITE_PAUSES: (TimeDelta, TimeDelta) =
    (TimeDelta::milliseconds(20), TimeDelta::milliseconds(1_280));

/// A pause, each twice as long as the one before it.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: TimeDelta,
}

impl Pause {
    /// The pause that begins now. One that has been over for longer than it lasted is forgotten.
    fn after(last: Option<Self>, now: Instant, (first, longest): (TimeDelta, TimeDelta)) -> Self {
        let last = last.filter(|last| now <= last.until + last.length);
        let length = last.map_or(first, |last| (last.length * 2).min(longest));
        Self { until: now + length, length }
    }
}

/// What is left alone at each site.
#[derive(Default)]
pub(super) struct Asides(Mutex<HashMap<String, Aside>>);

#[derive(Default)]
struct Aside {
    /// Whose ends could not be applied, and until when they are left alone.
    members: Passed,
    ends: Option<Pause>,
    /// Until when nobody looks at the site by themselves.
    site: Option<Pause>,
}

impl Asides {
    /// The members whose ends are left alone now.
    pub(super) fn members(&self, site_id: &str, now: Instant) -> Passed {
        let state = locked(&self.0);
        let aside = state.get(site_id).filter(|aside| aside.ends.is_some_and(|p| now < p.until));
        aside.map(|aside| aside.members.clone()).unwrap_or_default()
    }

    /// Leaves the ends of some members alone, for longer each time.
    pub(super) fn pass(&self, site_id: &str, members: Passed, now: Instant) {
        let mut state = locked(&self.0);
        let aside = state.entry(site_id.to_owned()).or_default();
        aside.members = members;
        aside.ends = Some(Pause::after(aside.ends, now, END_PAUSES));
    }

    /// Notes that a site could not be worked on, for longer each time.
    pub(super) fn rest(&self, site_id: &str, now: Instant) {
        let mut state = locked(&self.0);
        let aside = state.entry(site_id.to_owned()).or_default();
        aside.site = Some(Pause::after(aside.site, now, SITE_PAUSES));
    }

    /// When to look at a site again by oneself whose next end, but for those left alone, is at an
    /// instant; `None` for no reason to.
    pub(super) fn look_at(
        &self,
        site_id: &str,
        end: Option<Instant>,
        now: Instant,
    ) -> Option<Instant> {
        let state = locked(&self.0);
        let Some(aside) = state.get(site_id) else { return end };
        let over = aside.ends.map(|pause| pause.until).filter(|until| now < *until);
        let next = earlier(end, over)?;
        Some(aside.site.map_or(next, |pause| next.max(pause.until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(member: &str) -> Passed {
        Passed::from([member.to_owned()])
    }

    #[test]
    fn an_end_that_fails_again_and_again_is_tried_ever_more_rarely_but_never_given_up() {
        let (asides, mut now) = (Asides::default(), Instant::UNIX_EPOCH);
        let pauses: Vec<i64> = (0..11)
            .map(|_| {
                asides.pass("a", passed("m"), now);
                let until = asides.look_at("a", None, now).expect("a next attempt");
                let pause = until - now;
                assert_eq!(asides.members("a", until - TimeDelta::microseconds(1)), passed("m"));
                now = until;
                assert_eq!(asides.members("a", now), Passed::new(), "it is tried again");
                pause.num_seconds()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        // Long after the last failure the next one is the first.
        now += TimeDelta::hours(1);
        asides.pass("a", passed("m"), now);
        assert_eq!(asides.look_at("a", None, now), Some(now + TimeDelta::seconds(1)));
    }

    #[test]
    fn a_site_that_cannot_be_worked_on_is_looked_at_ever_more_rarely_and_no_other_with_it() {
        let (asides, mut now) = (Asides::default(), Instant::UNIX_EPOCH);
        let end = Some(now);
        let pauses: Vec<i64> = (0..9)
            .map(|_| {
                asides.rest("a", now);
                let until = asides.look_at("a", end, now).expect("a next look");
                let pause = until - now;
                now = until;
                pause.num_milliseconds()
            })
            .collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1_280, 1_280, 1_280]);
        assert_eq!(asides.look_at("b", end, now), end, "another site is looked at in time");
        assert_eq!(asides.look_at("a", None, now), None, "nothing is due there");
        let later = now + TimeDelta::days(1);
        assert_eq!(asides.look_at("a", Some(later), now), Some(later));
    }

    #[test]
    fn the_next_end_of_somebody_else_is_not_left_alone() {
        let (asides, now) = (Asides::default(), Instant::UNIX_EPOCH);
        asides.pass("a", passed("m"), now);
        let soon = now + TimeDelta::milliseconds(3);
        assert_eq!(asides.look_at("a", Some(soon), now), Some(soon));
    }
}
