//! One turn of a worker: a batch of each kind for each site that has something due.

use super::aside::Passed;
use super::process::Reread;
use super::settle::Bench;
use super::{Flow, process, recompute, timers};
use crate::core::{Instant, schedule};
use crate::metrics::Work;
use crate::store::conn::Conn;
use crate::store::sites::{self, Busy};
use crate::store::{Result, StoreError, observations, recomputes, webhooks};
use chrono::{NaiveDateTime, TimeDelta};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Flow {
    /// Works until nothing is due: for tests and commands, which never sleep to wait.
    pub fn drain(&self) -> Result<()> {
        while self.turn(Busy::Wait)? | self.plan_turn()? {}
        Ok(())
    }

    /// One batch of each kind for each site that has something due and nobody at it; answers whether
    /// there was anything to do.
    ///
    /// A site that fails keeps no other from its turn: its error is answered when all had theirs.
    pub fn turn(&self, busy: Busy) -> Result<bool> {
        let now = self.clock.now();
        let (mut worked, mut failed) = (false, None);
        let due = self.store.read(|conn| sites::with_work(conn, now, self.core.version))?;
        self.health.keep(&due);
        for site_id in self.turns.in_order(due) {
            let Some(_turn) = self.turns.take(&site_id) else { continue };
            let turn = self.turn_of(&site_id, busy);
            self.health.note(&site_id, turn.is_ok());
            match turn {
                Ok(Found::Work) => worked = true,
                Ok(Found::Nothing) => {}
                Ok(Found::Busy) => self.asides.rest(&site_id, now),
                Err(error) => {
                    self.asides.rest(&site_id, now);
                    tracing::error!(site_id, %error, "a turn of this site failed");
                    failed = Some(error);
                }
            }
        }
        let tidied = self.tidy(worked || failed.is_some());
        match failed {
            Some(error) => Err(error),
            None => Ok(tidied? || worked),
        }
    }

    /// A turn of one site, for whoever works at it for long and in batches: on PostgreSQL, workers leave a site to
    /// whoever is at it, and so this is called after each batch. On SQLite they have a turn of their own in between.
    ///
    /// Answers whether it went well. What has failed is for the workers, who try it again after growing pauses.
    pub fn see_to(&self, site_id: &str) -> bool {
        if !self.can_listen() {
            return true;
        }
        let Some(_turn) = self.turns.take(site_id) else { return true };
        let turn = || {
            let site = self.store.read(|conn| sites::get(conn, site_id))?;
            if site.is_some_and(|site| site.enabled) {
                self.turn_of(site_id, Busy::Skip)?;
            }
            Ok::<_, StoreError>(())
        };
        match catch_unwind(AssertUnwindSafe(turn)) {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(site_id, %error, "a turn of this site failed");
                false
            }
            // What it was has been told already.
            Err(_) => false,
        }
    }

    /// What came first goes first: neither does a late end take away what a payment received before
    /// it had prolonged, nor does a payment hide an end that was before it. An end that cannot be
    /// applied keeps nothing else waiting. A site that is somebody else's gets nothing more in this
    /// turn: what was seen of it may be over.
    fn turn_of(&self, site_id: &str, busy: Busy) -> Result<Found> {
        let now = self.clock.now();
        let mut passed = self.passed(site_id, now, busy);
        let due = self.store.read(|conn| due_work(conn, site_id, now, &passed))?;
        let mut failed = None;
        if due.end_first() {
            match self.fire_timers(site_id, due.webhook.unwrap_or(now), &passed, busy)? {
                Fired::Busy => return Ok(Found::Busy),
                // If somebody else has fired what was seen, there may be more to see.
                Fired::All => return Ok(Found::Work),
                Fired::AllBut(members, error) => {
                    self.asides.pass(site_id, members.clone(), now);
                    passed = members;
                    failed = Some(error);
                }
            }
        }
        if due.webhook.is_some() && !self.apply_due(site_id, now, &passed, busy)? {
            return failed.map_or(Ok(Found::Busy), Err);
        }
        let recompute = due.recompute && self.recompute_after_ends(site_id, &passed, busy)?;
        let worked = due.webhook.is_some() || recompute;
        failed.map_or(Ok(if worked { Found::Work } else { Found::Nothing }), Err)
    }

    /// Whether an end has come that goes before whatever is done at a site now. Those of a disabled site
    /// wait, and so do those after a webhook that waits.
    pub(super) fn is_behind(&self, conn: &mut Conn, bench: &Bench) -> Result<bool> {
        let passed = self.asides.members(&bench.site.id, bench.at);
        let due = due_work(conn, &bench.site.id, bench.at, &passed)?;
        Ok(bench.site.enabled && due.end_first())
    }

    /// Fires the ends of a site that go before whatever is done at it now, batch by batch. An end that
    /// cannot be applied keeps nobody waiting.
    pub(super) fn catch_up(&self, site_id: &str) -> Result<()> {
        loop {
            let now = self.clock.now();
            let passed = self.asides.members(site_id, now);
            let due = self.store.read(|conn| due_work(conn, site_id, now, &passed))?;
            if !due.end_first() {
                return Ok(());
            }
            match self.fire_timers(site_id, due.webhook.unwrap_or(now), &passed, Busy::Wait)? {
                Fired::All => {}
                Fired::Busy => return Ok(()),
                Fired::AllBut(members, error) => {
                    tracing::error!(site_id, %error, "ends could not be applied; they are passed over");
                    self.asides.pass(site_id, members, now);
                }
            }
        }
    }

    /// The members whose ends are left alone for now; whoever waits wants everything done.
    fn passed(&self, site_id: &str, now: Instant, busy: Busy) -> Passed {
        match busy {
            Busy::Wait => Passed::new(),
            Busy::Skip => self.asides.members(site_id, now),
        }
    }

    /// Fires a batch of the timers that were due by an instant. When the batch fails, every member who
    /// is due is tried alone, so that one keeps no other from their end.
    fn fire_timers(
        &self,
        site_id: &str,
        until: Instant,
        passed: &Passed,
        busy: Busy,
    ) -> Result<Fired> {
        let limit = i64::from(self.limits.batch_timers_max);
        let batch = self.batch(Work::Timers, site_id, busy, |conn, bench| {
            timers::fire(conn, bench, until, passed, limit)
        });
        let error = match batch {
            Ok(None) => return Ok(Fired::Busy),
            Ok(Some(_)) => return Ok(Fired::All),
            Err(error) => error,
        };
        let mut passed = passed.clone();
        loop {
            let due = self.store.read(|conn| timers::due(conn, site_id, until, &passed, limit))?;
            if due.is_empty() {
                return Ok(Fired::AllBut(passed, error));
            }
            for member in due {
                let alone = self.batch(Work::Timers, site_id, busy, |conn, bench| {
                    timers::fire_one(conn, bench, &member).map(|()| 1)
                });
                match alone {
                    Ok(None) => return Ok(Fired::Busy),
                    Ok(Some(_)) => {}
                    Err(error) => {
                        let member_id = &member.id;
                        tracing::error!(site_id, member_id, %error, "an end could not be applied");
                        passed.insert(member.id);
                    }
                }
            }
        }
    }

    /// Works one batch of a recompute; answers whether there was one.
    pub fn recompute_batch(&self, site_id: &str, busy: Busy) -> Result<bool> {
        self.recompute(site_id, busy, |_, _| Ok(false))
    }

    /// As [`Flow::recompute_batch`], but an end that is due goes first, as it would be hidden.
    fn recompute_after_ends(&self, site_id: &str, passed: &Passed, busy: Busy) -> Result<bool> {
        self.recompute(site_id, busy, |conn, bench| Ok(first_end(conn, bench, passed)?.is_some()))
    }

    fn recompute(
        &self,
        site_id: &str,
        busy: Busy,
        waits: impl FnOnce(&mut Conn, &Bench) -> Result<bool>,
    ) -> Result<bool> {
        let limit = i64::from(self.limits.batch_purchases_max);
        let mut open = false;
        self.batch(Work::Recompute, site_id, busy, |conn, bench| {
            if waits(conn, bench)? {
                open = true;
                return Ok(0);
            }
            let held = recompute::batch(conn, bench, limit)?;
            open = held.is_some();
            Ok(held.unwrap_or(0))
        })?;
        Ok(open)
    }

    /// Applies a batch of the webhooks that are due before the first end that has not been passed over;
    /// answers whether the site was to be had.
    fn apply_due(&self, site_id: &str, now: Instant, passed: &Passed, busy: Busy) -> Result<bool> {
        let limit = i64::from(self.limits.batch_webhooks_max);
        let due = self.store.read(|conn| observations::due(conn, site_id, now, limit))?;
        self.apply(site_id, due, Some(passed), busy)
    }

    /// Applies some webhooks at once, whether or not they are due.
    pub fn apply_now(&self, site_id: &str, ids: &[String]) -> Result<()> {
        let due = self.store.read(|conn| observations::load(conn, site_id, ids))?;
        let due = due.into_iter().map(|webhook| (webhook.id, webhook.attempts)).collect();
        self.apply(site_id, due, None, Busy::Wait).map(drop)
    }

    /// Applies some webhooks, each given with how often it has failed: those that are due before the first end that has not been passed over,
    /// or all of them where no end is asked for. When the batch fails, each is tried alone, and what
    /// fails alone is noted as failed and tried again later.
    fn apply(
        &self,
        site_id: &str,
        due: Vec<(String, i32)>,
        passed: Option<&Passed>,
        busy: Busy,
    ) -> Result<bool> {
        let all: Vec<String> = due.iter().map(|(id, _)| id.clone()).collect();
        let reason = match self.attempt(site_id, &all, passed, busy) {
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
        for (id, attempts) in due {
            if let Err(reason) = self.attempt(site_id, std::slice::from_ref(&id), passed, busy) {
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
        passed: Option<&Passed>,
        busy: Busy,
    ) -> Result<bool, String> {
        let work = || {
            self.batch(Work::Webhooks, site_id, busy, |conn, bench| {
                // Read under the lock, both: another process may have fired and applied meanwhile.
                // Whoever went by what they saw before would answer as of an instant that is over,
                // or over an end that has not been.
                let end = passed.map_or(Ok(None), |passed| first_end(conn, bench, passed))?;
                if let Some(end) = end {
                    bench.at = end - TimeDelta::microseconds(1);
                }
                let mut due = observations::load(conn, site_id, ids)?;
                due.retain(|w| w.next_attempt_at.is_some_and(|at| comes_before(at, end)));
                let held = due.len();
                process::apply(conn, &self.sealer, bench, &due, Reread::Asked).map(|()| held)
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

/// What a worker finds at a site.
enum Found {
    /// Something to do, which has been done.
    Work,
    /// Nothing, or nothing any more.
    Nothing,
    /// Somebody else.
    Busy,
}

/// What became of the ends that were due.
enum Fired {
    /// The site was not to be had.
    Busy,
    /// A batch of them has fired.
    All,
    /// An error kept some from being applied, which are passed over now. All others have fired.
    AllBut(Passed, StoreError),
}

/// The first end that has come and has not been passed over.
fn first_end(conn: &mut Conn, bench: &Bench, passed: &Passed) -> Result<Option<Instant>> {
    Ok(timers::next(conn, &bench.site.id, passed)?.filter(|end| *end <= bench.at))
}

/// Whether a webhook that was due at an instant goes before an end.
fn comes_before(due_at: NaiveDateTime, end: Option<Instant>) -> bool {
    end.is_none_or(|end| due_at.and_utc() < end)
}

/// What a site has that is due.
struct Due {
    /// The earliest end, but for those that are passed over.
    end: Option<Instant>,
    /// The webhook that waits longest.
    webhook: Option<Instant>,
    /// Whether a recompute is open.
    recompute: bool,
}

impl Due {
    /// Whether an end is due, and no webhook was before it.
    fn end_first(&self) -> bool {
        self.end.is_some_and(|end| self.webhook.is_none_or(|webhook| end <= webhook))
    }
}

fn due_work(conn: &mut Conn, site_id: &str, now: Instant, passed: &Passed) -> Result<Due> {
    let end = timers::next(conn, site_id, passed)?.filter(|at| *at <= now);
    let webhook = observations::next_due_at(conn, site_id)?.filter(|at| *at <= now);
    Ok(Due { end, webhook, recompute: recomputes::next(conn, site_id)?.is_some() })
}
