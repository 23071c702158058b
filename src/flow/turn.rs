//! One turn of a worker: a batch of each kind for each site that has something due.

use super::settle::Bench;
use super::{Flow, locked, process, recompute, timers};
use crate::core::{Instant, schedule};
use crate::metrics::Work;
use crate::store::conn::Conn;
use crate::store::sites::{self, Busy};
use crate::store::webhooks;
use crate::store::{Result, members, recomputes};
use chrono::TimeDelta;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

impl Flow {
    /// Works until nothing is due: for tests and commands, which never sleep to wait.
    pub fn drain(&self) -> Result<()> {
        while self.turn(Busy::Wait)? {}
        Ok(())
    }

    /// One batch of each kind for each site that has something due and nobody at it; answers whether
    /// there was anything to do.
    ///
    /// A site that fails keeps no other from its turn: its error is answered when all had theirs.
    pub fn turn(&self, busy: Busy) -> Result<bool> {
        let now = self.clock.now();
        let (mut worked, mut failed) = (false, None);
        for site_id in self.store.read(|conn| sites::with_work(conn, now))? {
            let Some(_turn) = self.take(&site_id) else { continue };
            match self.turn_of(&site_id, busy) {
                Ok(more) => worked |= more,
                Err(error) => {
                    tracing::error!(site_id, %error, "a turn of this site failed");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(worked || self.tidy()?),
        }
    }

    /// Takes a site for one worker of this process; `None` while another one has it.
    pub(super) fn take(&self, site_id: &str) -> Option<Taken<'_>> {
        let new = locked(&self.taken).insert(site_id.to_owned());
        new.then(|| Taken { taken: &self.taken, site_id: site_id.to_owned() })
    }

    /// What came first goes first: neither does a late end take away what a payment received before
    /// it had prolonged, nor does a payment hide an end that was before it. An end that cannot be
    /// applied keeps nothing else waiting.
    fn turn_of(&self, site_id: &str, busy: Busy) -> Result<bool> {
        let now = self.clock.now();
        let due = self.store.read(|conn| due_work(conn, site_id, now))?;
        let end_first = due.end.filter(|end| due.webhook.is_none_or(|webhook| *end <= webhook));
        let mut fired = Ok(false);
        let mut until = due.end.map_or(now, |end| end - TimeDelta::microseconds(1));
        if end_first.is_some() {
            until = now;
            fired = self.fire_timers(site_id, due.webhook.unwrap_or(now), busy);
            if matches!(fired, Ok(true)) {
                return Ok(true);
            }
        }
        let applied = due.webhook.is_some() && self.apply_due(site_id, until, busy)?;
        let recomputed = due.recompute && self.recompute_batch(site_id, busy)?;
        fired.map(|fired| fired || applied || recomputed)
    }

    /// Fires a batch of the timers that were due by an instant; answers whether any fired. When the batch fails, each member is
    /// tried alone, so that one keeps no other from their end.
    fn fire_timers(&self, site_id: &str, until: Instant, busy: Busy) -> Result<bool> {
        let limit = i64::from(self.limits.batch_timers_max);
        let batch = self.batch(Work::Timers, site_id, busy, |conn, bench| {
            timers::fire(conn, bench, until, limit)
        });
        let Err(error) = batch else {
            return Ok(batch?.is_some_and(|fired| fired > 0));
        };
        for member in self.store.read(|conn| members::due(conn, site_id, until, limit))? {
            let alone = self.batch(Work::Timers, site_id, busy, |conn, bench| {
                timers::fire_one(conn, bench, &member).map(|()| 1)
            });
            if let Err(error) = alone {
                let member_id = &member.id;
                tracing::error!(site_id, member_id, %error, "an end could not be applied");
            }
        }
        Err(error)
    }

    /// Works one batch of a recompute; answers whether there was one.
    pub fn recompute_batch(&self, site_id: &str, busy: Busy) -> Result<bool> {
        let limit = i64::from(self.limits.batch_purchases_max);
        let mut open = false;
        self.batch(Work::Recompute, site_id, busy, |conn, bench| {
            let held = recompute::batch(conn, bench, limit)?;
            open = held.is_some();
            Ok(held.unwrap_or(0))
        })?;
        Ok(open)
    }

    /// Applies a batch of the webhooks that were due by an instant; answers whether the site was to be
    /// had.
    fn apply_due(&self, site_id: &str, until: Instant, busy: Busy) -> Result<bool> {
        let limit = i64::from(self.limits.batch_webhooks_max);
        let due = self.store.read(|conn| webhooks::due(conn, site_id, until, limit))?;
        self.apply(site_id, due, Some(until), busy)
    }

    /// Applies some webhooks at once, whether or not they are due.
    pub fn apply_now(&self, site_id: &str, ids: &[String]) -> Result<()> {
        let due = self.store.read(|conn| webhooks::load(conn, site_id, ids))?;
        self.apply(site_id, due, None, Busy::Wait).map(drop)
    }

    /// Applies some webhooks that were due by an instant. When the batch fails, each is tried alone,
    /// and what fails alone is noted as failed and tried again later.
    fn apply(
        &self,
        site_id: &str,
        due: Vec<webhooks::Due>,
        until: Option<Instant>,
        busy: Busy,
    ) -> Result<bool> {
        let ids: Vec<(String, i32)> = due.into_iter().map(|w| (w.id, w.attempts)).collect();
        let all: Vec<String> = ids.iter().map(|(id, _)| id.clone()).collect();
        let reason = match self.attempt(site_id, &all, until, busy) {
            Ok(had) => return Ok(had),
            Err(reason) => reason,
        };
        if !all.is_empty() {
            tracing::warn!(
                site_id,
                reason,
                "a batch could not be applied; each webhook is tried alone"
            );
        }
        for (id, attempts) in ids {
            if let Err(reason) = self.attempt(site_id, std::slice::from_ref(&id), until, busy) {
                tracing::error!(site_id, webhook_id = id, reason, "a webhook could not be applied");
                let attempts = attempts.saturating_add(1);
                let next = schedule::next_attempt_at(self.clock.now(), attempts.unsigned_abs());
                self.store
                    .write(|conn| webhooks::fail(conn, site_id, &id, &reason, attempts, next))?;
            }
        }
        Ok(true)
    }

    /// Applies some webhooks in one transaction; answers whether the site was to be had. A panic is
    /// an error like any other.
    fn attempt(
        &self,
        site_id: &str,
        ids: &[String],
        until: Option<Instant>,
        busy: Busy,
    ) -> Result<bool, String> {
        let work = || {
            self.batch(Work::Webhooks, site_id, busy, |conn, bench| {
                bench.at = as_of(conn, bench, until)?;
                // Read under the lock: another process may have applied them meanwhile.
                let due = webhooks::load(conn, site_id, ids)?;
                let due: Vec<webhooks::Due> =
                    due.into_iter().filter(|w| w.next_attempt_at.is_some()).collect();
                let held = due.len();
                process::apply(conn, &self.sealer, bench, due).map(|()| held)
            })
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(applied)) => Ok(applied.is_some()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.metrics.failed(Work::Webhooks);
                Err("a panic; the log says where".to_owned())
            }
        }
    }

    /// Works one batch as [`Flow::enabled_under_lock`] and notes how it went; `run` answers how many
    /// things the batch held. A batch that found nothing to do is not noted.
    fn batch(
        &self,
        work: Work,
        site_id: &str,
        busy: Busy,
        run: impl FnOnce(&mut Conn, &mut Bench) -> Result<usize>,
    ) -> Result<Option<usize>> {
        let began = std::time::Instant::now();
        let done = self.enabled_under_lock(site_id, busy, run);
        match &done {
            Ok(Some(held @ 1..)) => self.metrics.worked(work, *held, began.elapsed()),
            Ok(_) => {}
            Err(_) => self.metrics.failed(work),
        }
        done
    }
}

/// The instant as of which webhooks that were due by another are answered: now, but before the next
/// end, which has its own. It is read under the lock: whoever slept since they looked for work would
/// answer as of an instant that is over, and record again what another process has ended since.
fn as_of(conn: &mut Conn, bench: &Bench, until: Option<Instant>) -> Result<Instant> {
    let Some(until) = until else { return Ok(bench.at) };
    let end = members::next_due_at(conn, &bench.site.id)?;
    let end = end.filter(|end| until < *end && *end <= bench.at);
    Ok(end.map_or(bench.at, |end| end - TimeDelta::microseconds(1)))
}

/// A site that a worker of this process is at, until it is dropped.
pub(super) struct Taken<'a> {
    taken: &'a Mutex<HashSet<String>>,
    site_id: String,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        locked(self.taken).remove(&self.site_id);
    }
}

/// What a site has that is due.
struct Due {
    /// The earliest end.
    end: Option<Instant>,
    /// The webhook that waits longest.
    webhook: Option<Instant>,
    /// Whether a recompute is open.
    recompute: bool,
}

fn due_work(conn: &mut Conn, site_id: &str, now: Instant) -> Result<Due> {
    let end = members::next_due_at(conn, site_id)?.filter(|at| *at <= now);
    let webhook = webhooks::next_due_at(conn, site_id)?.filter(|at| *at <= now);
    Ok(Due { end, webhook, recompute: recomputes::next(conn, site_id)?.is_some() })
}
