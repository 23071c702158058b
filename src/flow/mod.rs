//! From a stored webhook to recorded access: the loop, and the way to work on a site.
//!
//! * [`process`] reads and judges webhooks; [`timers`] fires what falls due; [`recompute`] works off
//!   what a change of rules left behind; [`rebuild`] does everything again, or only compares.
//! * All of them end in [`settle`], which is the one path to access.
//!
//! Absences that tests check: no change is recorded outside a site's lock; no transaction here ever
//! waits for anything but the database; no batch is larger than its limit; one webhook that fails
//! never keeps another from being applied.

mod fold;
pub mod past;
pub mod process;
pub mod rebuild;
pub mod recompute;
mod record;
pub mod settle;
mod timers;

pub(crate) use record::Dossier;

use crate::clock::Clock;
use crate::core::stretch::earlier;
use crate::core::{Instant, schedule};
use crate::secrets::Sealer;
use crate::store::conn::Conn;
use crate::store::webhooks::Due;
use crate::store::{Result, Store, StoreError, members, recomputes, rules, sites, webhooks};
use settle::{Bench, Cause, RuleBook, Touched};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How large batches may grow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Webhooks in one transaction.
    pub batch_webhooks_max: u32,
    /// Members whose ends are applied in one transaction.
    pub batch_timers_max: u32,
    /// Purchases that are computed again in one transaction.
    pub batch_purchases_max: u32,
    /// The longest pause before the loop looks again by itself, in milliseconds.
    pub poll_ms: u64,
}

/// What keeps work on a site from being done.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// There is no such site.
    #[error("there is no such site")]
    NoSite,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The flow of one process.
pub struct Flow {
    store: Store,
    clock: Clock,
    sealer: Sealer,
    limits: Limits,
    /// The rules of each site, as of a version that every batch checks.
    books: Mutex<HashMap<String, (i64, Arc<RuleBook>)>>,
    bell: Bell,
}

/// Wakes the loop.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Flow {
    /// Puts a flow together; nothing runs until [`Flow::run`].
    #[must_use]
    pub fn new(store: Store, clock: Clock, sealer: Sealer, limits: Limits) -> Self {
        Self { store, clock, sealer, limits, books: Mutex::default(), bell: Bell::default() }
    }

    /// Wakes the loop: there is something to do.
    pub fn wake(&self) {
        *locked(&self.bell.rung) = true;
        self.bell.changed.notify_all();
    }

    /// Works until `stop` says so: what is due at once, then waits for the bell, the next end, or
    /// the poll, whichever comes first.
    pub fn run(&self, stop: &dyn Fn() -> bool) {
        while !stop() {
            // A panic ends one turn, never the flow.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            match turn.unwrap_or_else(|_| Err(StoreError::Corrupt("a panic; see above".to_owned())))
            {
                Ok(true) => {}
                Ok(false) => self.rest(Duration::from_millis(self.limits.poll_ms)),
                Err(error) => {
                    tracing::error!(%error, "a turn of the flow failed; it is tried again");
                    self.rest(Duration::from_millis(self.limits.poll_ms));
                }
            }
        }
    }

    fn rest(&self, longest: Duration) {
        let wait = self.until_next_due().map_or(longest, |due| due.min(longest));
        let rung = locked(&self.bell.rung);
        let waited = self.bell.changed.wait_timeout_while(rung, wait, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    /// How long until the next end of any site; `None` where the store cannot tell or knows none.
    fn until_next_due(&self) -> Option<Duration> {
        let until = self.store.read(next_end).ok().flatten()? - self.clock.now();
        Some(until.to_std().unwrap_or_default())
    }

    /// One batch of each kind for each enabled site; answers whether there was anything to do.
    ///
    /// A site that fails keeps no other from its turn: its error is answered when all had theirs.
    pub fn turn(&self) -> Result<bool> {
        let (mut worked, mut failed) = (false, None);
        for site_id in self.store.read(sites::enabled)? {
            match self.turn_of(&site_id) {
                Ok(more) => worked |= more,
                Err(error) => {
                    tracing::error!(site_id, %error, "a turn of this site failed");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(worked), Err)
    }

    /// Works until nothing is due: for tests and commands, which never sleep to wait.
    pub fn drain(&self) -> Result<()> {
        while self.turn()? {}
        Ok(())
    }

    fn turn_of(&self, site_id: &str) -> Result<bool> {
        let now = self.clock.now();
        let (timers, webhooks, recompute) = self.store.read(|conn| due_work(conn, site_id, now))?;
        // Ends that are due come first, so that no event overtakes them; but ends that cannot be
        // applied keep no event waiting.
        let fired = if timers { self.fire_timers(site_id, now) } else { Ok(false) };
        if matches!(fired, Ok(true)) {
            return Ok(true);
        }
        if webhooks {
            self.apply_due(site_id, now)?;
        }
        if recompute {
            self.recompute_batch(site_id)?;
        }
        fired.map(|fired| fired || webhooks || recompute)
    }

    /// Fires a batch of timers; answers whether any fired. When the batch fails, each member is
    /// tried alone, so that one keeps no other from their end.
    fn fire_timers(&self, site_id: &str, now: Instant) -> Result<bool> {
        let limit = i64::from(self.limits.batch_timers_max);
        let batch =
            self.enabled_under_lock(site_id, |conn, bench| timers::fire(conn, bench, now, limit));
        let Err(error) = batch else {
            return Ok(batch?.is_some_and(|fired| fired > 0));
        };
        for member in self.store.read(|conn| members::due(conn, site_id, now, limit))? {
            let alone = self
                .enabled_under_lock(site_id, |conn, bench| timers::fire_one(conn, bench, &member));
            if let Err(error) = alone {
                let member_id = &member.id;
                tracing::error!(site_id, member_id, %error, "an end could not be applied");
            }
        }
        Err(error)
    }

    /// Works one batch of a recompute; answers whether there was one.
    pub fn recompute_batch(&self, site_id: &str) -> Result<bool> {
        let limit = i64::from(self.limits.batch_purchases_max);
        let worked =
            self.enabled_under_lock(site_id, |conn, bench| recompute::batch(conn, bench, limit))?;
        Ok(worked.unwrap_or(false))
    }

    /// Applies a batch of webhooks. When it fails, each is tried alone, and what fails alone is
    /// noted as failed and tried again later.
    fn apply_due(&self, site_id: &str, now: Instant) -> Result<()> {
        let limit = i64::from(self.limits.batch_webhooks_max);
        let due = self.store.read(|conn| webhooks::due(conn, site_id, now, limit))?;
        self.apply(site_id, due)
    }

    /// Applies some webhooks at once, whether or not they are due.
    pub fn apply_now(&self, site_id: &str, ids: &[String]) -> Result<()> {
        let due = self.store.read(|conn| webhooks::load(conn, site_id, ids))?;
        self.apply(site_id, due)
    }

    fn apply(&self, site_id: &str, due: Vec<Due>) -> Result<()> {
        let ids: Vec<(String, i32)> = due.into_iter().map(|w| (w.id, w.attempts)).collect();
        let all: Vec<String> = ids.iter().map(|(id, _)| id.clone()).collect();
        let Err(reason) = self.attempt(site_id, &all) else {
            return Ok(());
        };
        if !all.is_empty() {
            tracing::warn!(
                site_id,
                reason,
                "a batch could not be applied; each webhook is tried alone"
            );
        }
        for (id, attempts) in ids {
            if let Err(reason) = self.attempt(site_id, std::slice::from_ref(&id)) {
                tracing::error!(site_id, webhook_id = id, reason, "a webhook could not be applied");
                let attempts = attempts.saturating_add(1);
                let next = schedule::next_attempt_at(self.clock.now(), attempts.unsigned_abs());
                self.store
                    .write(|conn| webhooks::fail(conn, site_id, &id, &reason, attempts, next))?;
            }
        }
        Ok(())
    }

    /// Applies some webhooks in one transaction; a panic in it is an error like any other.
    fn attempt(&self, site_id: &str, ids: &[String]) -> Result<(), String> {
        let work = || {
            self.enabled_under_lock(site_id, |conn, bench| {
                // Read under the lock: another process may have applied them meanwhile.
                let due = webhooks::load(conn, site_id, ids)?;
                let due = due.into_iter().filter(|w| w.next_attempt_at.is_some()).collect();
                process::apply(conn, &self.sealer, bench, due)
            })
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("a panic; the log says where".to_owned()),
        }
    }

    /// Computes again what something touched, in the transaction that `cause` it.
    pub fn settle(&self, conn: &mut Conn, bench: &mut Bench, touched: Touched) -> Result<usize> {
        settle::settle(conn, bench, touched)
    }

    /// Works on a site under its lock, in one transaction; an error leaves nothing of it.
    pub fn under_lock<T, E: From<FlowError> + From<StoreError>>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        self.store.write(|conn| match self.bench(conn, site_id, true)? {
            Some(mut bench) => work(conn, &mut bench),
            None => Err(FlowError::NoSite.into()),
        })
    }

    /// As [`Flow::under_lock`], unless the site is disabled or gone: then nothing is done.
    fn enabled_under_lock<T>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T>,
    ) -> Result<Option<T>> {
        self.store.write(|conn| match self.bench(conn, site_id, true)? {
            Some(mut bench) if bench.site.enabled => work(conn, &mut bench).map(Some),
            _ => Ok(None),
        })
    }

    /// Looks at a site on one snapshot, without its lock.
    pub fn on_snapshot<T, E: From<FlowError> + From<StoreError>>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        self.store.read(|conn| match self.bench(conn, site_id, false)? {
            Some(bench) => work(conn, &bench),
            None => Err(FlowError::NoSite.into()),
        })
    }

    fn bench(&self, conn: &mut Conn, site_id: &str, lock: bool) -> Result<Option<Bench>> {
        let site = if lock { sites::lock(conn, site_id)? } else { sites::get(conn, site_id)? };
        let Some(site) = site else {
            return Ok(None);
        };
        let book = self.book(conn, &site)?;
        Ok(Some(Bench { site, book, at: self.clock.now() }))
    }

    /// The rules of a site: from the cache, where its version is still the site's.
    fn book(&self, conn: &mut Conn, site: &sites::Site) -> Result<Arc<RuleBook>> {
        if let Some((version, book)) = locked(&self.books).get(&site.id)
            && *version == site.rules_version
        {
            return Ok(Arc::clone(book));
        }
        let mappings = rules::mappings(conn, &site.id)?;
        let book = Arc::new(RuleBook { mappings, ignored: rules::ignored(conn, &site.id)? });
        // A bench is set up before its transaction changes anything, so only what was committed
        // ever gets in here.
        locked(&self.books).insert(site.id.clone(), (site.rules_version, Arc::clone(&book)));
        Ok(book)
    }

    /// The rules of a site as they stand inside a transaction that has just changed them.
    pub fn reread_book(&self, conn: &mut Conn, bench: &mut Bench) -> Result<()> {
        let mappings = rules::mappings(conn, &bench.site.id)?;
        bench.book =
            Arc::new(RuleBook { mappings, ignored: rules::ignored(conn, &bench.site.id)? });
        Ok(())
    }

    /// The store, for reads that are no part of the flow.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock that everything goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What seals stored secrets.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

/// The next end of any enabled site.
fn next_end(conn: &mut Conn) -> Result<Option<Instant>> {
    let mut next = None;
    for site_id in sites::enabled(conn)? {
        next = earlier(next, members::next_due_at(conn, &site_id)?);
    }
    Ok(next)
}

/// Which work a site has: ends, webhooks, a recompute.
fn due_work(conn: &mut Conn, site_id: &str, now: Instant) -> Result<(bool, bool, bool)> {
    let ends = members::next_due_at(conn, site_id)?.is_some_and(|at| at <= now);
    let webhooks = webhooks::next_due_at(conn, site_id)?.is_some_and(|at| at <= now);
    Ok((ends, webhooks, recomputes::next(conn, site_id)?.is_some()))
}

/// These locks guard values that are whole at every moment, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cause of what an operator does to a member.
#[must_use]
pub fn by_override(id: &str) -> Cause {
    Cause::new("override", id)
}
