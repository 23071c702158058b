//! What nobody waits for: removing the rows of deleted sites, and what has aged out of the feeds.

use super::{Flow, locked};
use crate::core::Instant;
use crate::store::sites::Busy;
use crate::store::{Result, disposal};
use chrono::TimeDelta;

/// How long between two looks for something to tidy up, where nobody asked for one.
const TIDY_EVERY: TimeDelta = TimeDelta::minutes(1);

/// How long between two batches of it while there is other work, or a site that fails: nobody waits for
/// it, but it comes to its turn.
const BESIDE_WORK_EVERY: TimeDelta = TimeDelta::seconds(1);

/// How long after its deletion a site may still be known somewhere, with a webhook on its way: a row
/// of a site that is gone cannot be stored, and the group that it is in has to be taken apart.
const DOORS_CLOSE_WITHIN: TimeDelta = TimeDelta::minutes(1);

/// When there was something to tidy up; nothing is known where somebody asks for a look.
#[derive(Default)]
pub(super) struct Tidied {
    /// The last look.
    looked_at: Option<Instant>,
    /// The last look that found nothing.
    nothing_at: Option<Instant>,
}

impl Tidied {
    /// Whether it is too early for another look.
    fn is_enough(&self, now: Instant, beside_work: bool) -> bool {
        let within = |at: Option<Instant>, pause| at.is_some_and(|at| now < at + pause);
        within(self.nothing_at, TIDY_EVERY)
            || (beside_work && within(self.looked_at, BESIDE_WORK_EVERY))
    }
}

impl Flow {
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
        let tidied = self.remove_deleted_sites(now)? | self.age_feeds(now)?;
        locked(&self.tidied).nothing_at = (!tidied).then_some(now);
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

    fn age_feeds(&self, now: Instant) -> Result<bool> {
        let Some(kept) = self.limits.feed_kept_days else { return Ok(false) };
        let cutoff = now - TimeDelta::days(i64::from(kept));
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
}
