//! What nobody waits for: removing the rows of deleted sites and destinations, and what has aged out: changes of
//! the feeds, and bodies of webhooks; and what an upgrade leaves to be worked out.

use super::{Flow, locked};
use crate::core::Instant;
use crate::store::sites::Busy;
use crate::store::{Result, ageing, destinations, disposal, sites};
use chrono::TimeDelta;
use std::collections::HashMap;
use std::time::{self, Duration};

/// How long between two looks for something to tidy up, where nobody asked for one.
const TIDY_EVERY: TimeDelta = TimeDelta::minutes(1);

/// How long between two batches of it while there is other work, or a site that fails: nobody waits for
/// it, but it comes to its turn.
const BESIDE_WORK_EVERY: TimeDelta = TimeDelta::seconds(1);

/// How many times as long as a batch has taken the workers rest after it: whatever is stored meanwhile has the disk to
/// itself nine tenths of the time, as far as this process goes, however much there is to tidy up.
const RESTS: u32 = 9;

/// The longest rest: a batch that had to wait for somebody does not put off all others for hours.
const REST_MAX: Duration = Duration::from_secs(5);

/// How long after its deletion a site may still be known somewhere, with a webhook on its way: a row
/// of a site that is gone cannot be stored, and the group that it is in has to be taken apart.
const DOORS_CLOSE_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// How long a walk over the bodies of a site goes on from where it came to. After that it begins anew, as
/// what was walked past because it was still due may have been applied.
const WALK_ANEW_EVERY: TimeDelta = TimeDelta::hours(1);

/// When there was something to tidy up; nothing is known where somebody asks for a look.
#[derive(Default)]
pub(super) struct Tidied {
    /// The last look.
    looked_at: Option<Instant>,
    /// The last look that found nothing.
    nothing_at: Option<Instant>,
    /// How far the bodies of each site have been walked.
    walks: HashMap<String, Walk>,
    /// How long the last batch took, until a worker rests from it.
    took: Option<Duration>,
    /// Until when the workers rest from it.
    rests_until: Option<time::Instant>,
}

/// How far the bodies of a site have been walked.
#[derive(Debug, Clone)]
struct Walk {
    /// All up to this webhook have aged out, or have been walked past.
    reached: String,
    /// When to look whether the next one has aged.
    look_at: Instant,
    /// When to begin anew.
    anew_at: Instant,
}

impl Walk {
    fn beginning(now: Instant) -> Self {
        Self { reached: String::new(), look_at: now, anew_at: now + WALK_ANEW_EVERY }
    }
}

impl Tidied {
    /// Whether it is too early for another look.
    fn is_enough(&self, now: Instant, beside_work: bool) -> bool {
        let within = |at: Option<Instant>, pause| at.is_some_and(|at| now < at + pause);
        !self.rest_left().is_zero()
            || within(self.nothing_at, TIDY_EVERY)
            || (beside_work && within(self.looked_at, BESIDE_WORK_EVERY))
    }

    /// Rests from the last batch, if there was one since the last rest.
    fn rest(&mut self) {
        if let Some(took) = self.took.take() {
            let rest = took.saturating_mul(RESTS).min(REST_MAX);
            self.rests_until = time::Instant::now().checked_add(rest);
        }
    }

    /// How much of the rest is left.
    fn rest_left(&self) -> Duration {
        let now = time::Instant::now();
        self.rests_until.map(|until| until.saturating_duration_since(now)).unwrap_or_default()
    }
}

impl Flow {
    /// Lets the workers rest from what they have tidied up, if they have; answers how long they still do. Whoever
    /// drains never does.
    pub(super) fn rest_from_tidying(&self) -> Duration {
        let mut tidied = locked(&self.tidied);
        tidied.rest();
        tidied.rest_left()
    }

    /// Asks that what there is to tidy up be looked for at once.
    pub fn tidy_soon(&self) {
        *locked(&self.tidied) = Tidied::default();
        self.wake();
    }

    /// Tidies up a batch of each kind, now and then, and more rarely beside other work; answers whether
    /// anything was done.
    pub(super) fn tidy(&self, beside_work: bool) -> Result<bool> {
        let now = self.clock.now();
        {
            let mut last = locked(&self.tidied);
            if last.is_enough(now, beside_work) {
                return Ok(false);
            }
            last.looked_at = Some(now);
        }
        let began = time::Instant::now();
        let tidied = self.remove_deleted_sites(now)?
            | self.age_feeds(now)?
            | self.age_bodies(now)?
            | self.tidy_plans(now)?
            | self.remove_deleted_destinations()?
            | self.ask_for_dues()?;
        let mut last = locked(&self.tidied);
        last.nothing_at = (!tidied).then_some(now);
        last.took = tidied.then(|| began.elapsed());
        Ok(tidied)
    }

    fn remove_deleted_sites(&self, now: Instant) -> Result<bool> {
        let mut removed = false;
        for site_id in self.store.read(disposal::deleted_sites)? {
            let Some(_turn) = self.turns.take(&site_id) else { continue };
            let before = now - DOORS_CLOSE_WITHIN;
            removed |= self.store.write(|conn| disposal::remove_batch(conn, &site_id, before))?;
        }
        Ok(removed)
    }

    fn remove_deleted_destinations(&self) -> Result<bool> {
        let any = self.store.read(destinations::any_deleted)?;
        Ok(any && self.store.write(destinations::remove_batch)?)
    }

    fn age_feeds(&self, now: Instant) -> Result<bool> {
        let Some(kept) = self.limits.feed_kept_days else { return Ok(false) };
        let Some(cutoff) = now.checked_sub_signed(days(kept)) else { return Ok(false) };
        let aged = self.store.read(|conn| disposal::sites_with_aged_feed(conn, cutoff))?;
        let mut worked = false;
        for site_id in &aged {
            let done = self.at_bench(
                site_id,
                Busy::Skip,
                |_| true,
                |conn, bench| disposal::age_feed(conn, &bench.site.id, cutoff),
            )?;
            worked |= done.is_some();
        }
        Ok(worked)
    }

    fn age_bodies(&self, now: Instant) -> Result<bool> {
        let Some(kept) = self.limits.bodies_kept_days.map(days) else { return Ok(false) };
        let mut worked = false;
        for site_id in self.store.read(sites::ids)? {
            let walk = locked(&self.tidied).walks.get(&site_id).cloned();
            let walk = walk.filter(|walk| now < walk.anew_at).unwrap_or(Walk::beginning(now));
            if now < walk.look_at {
                continue;
            }
            let (walk, removed) = self.walk_bodies(&site_id, walk, now, kept)?;
            worked |= removed;
            locked(&self.tidied).walks.insert(site_id, walk);
        }
        Ok(worked)
    }

    /// One step of a walk over the bodies of a site: a batch of them, or a look that finds none aged.
    /// Answers how far it has come, and whether there was a batch.
    fn walk_bodies(
        &self,
        site_id: &str,
        walk: Walk,
        now: Instant,
        kept: TimeDelta,
    ) -> Result<(Walk, bool)> {
        let Some(cutoff) = now.checked_sub_signed(kept) else { return Ok((walk, false)) };
        let first = |conn: &mut _| ageing::first_received_at(conn, site_id, &walk.reached);
        let received_at = self.store.read(first)?.map(|at| at.and_utc());
        if received_at.is_some_and(|at| at < cutoff) {
            let age = |conn: &mut _| ageing::age_bodies(conn, site_id, &walk.reached, cutoff);
            if let Some(reached) = self.store.write(age)? {
                return Ok((Walk { reached, ..walk }, true));
            }
        }
        // Nothing ages before the next one does, and what comes meanwhile ages later still.
        let ages_at = received_at.and_then(|at| at.checked_add_signed(kept));
        let look_at = ages_at.unwrap_or(walk.anew_at);
        Ok((Walk { look_at, ..walk }, false))
    }
}

fn days(count: u32) -> TimeDelta {
    TimeDelta::days(i64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rested once from a batch that took so long; answers how much of the rest is left.
    fn rested_from(took: Duration) -> (Tidied, Duration) {
        let mut tidied = Tidied { took: Some(took), ..Tidied::default() };
        tidied.rest();
        let left = tidied.rest_left();
        (tidied, left)
    }

    #[test]
    fn after_a_batch_nothing_is_tidied_up_for_much_longer_than_it_took() {
        let took = Duration::from_secs(1);
        let now = chrono::DateTime::UNIX_EPOCH;
        let drained = Tidied { took: Some(took), ..Tidied::default() };
        assert!(!drained.is_enough(now, false), "who drains does not rest");
        let (mut tidied, left) = rested_from(took);
        assert!(tidied.is_enough(now, false) && left > took && left <= took * RESTS);
        tidied.rests_until = None;
        tidied.rest();
        assert!(!tidied.is_enough(now, false), "one batch, one rest");
    }

    #[test]
    fn after_a_batch_that_had_to_wait_for_long_the_rest_is_no_longer_than_the_longest() {
        let (_, left) = rested_from(Duration::from_hours(1));
        assert!(left > Duration::ZERO && left <= REST_MAX);
    }
}
