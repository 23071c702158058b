//! From a stored webhook to recorded access: the loop, and the way to work on a site.
//!
//! * [`process`] reads and judges webhooks; [`timers`] fires what falls due; [`recompute`] works off
//!   what a change of rules left behind; [`rebuild`] does everything again, and [`check`] only compares.
//! * All of them end in [`settle`], which is the one path to access.
//! * [`preview`] tells what other rules would change, and writes nothing; [`plans`] are previews that are kept
//!   until somebody applies them, and [`edits`] writes rules.
//! * [`breaker`] stops a flood of revocations there, and [`held_open`] does what an operator then decides.
//! * [`pushes`] says, in the same transaction, which destinations have to carry a change.
//! * [`listener`] hears what other processes on the same database have done, and rings the bell.
//!
//! Absences that tests check: no change is recorded outside a site's lock; no transaction here ever
//! waits for anything but the database; no batch is larger than its limit; one webhook that fails
//! never keeps another from being applied; no transaction tells the other processes more than once, and
//! nothing but latency depends on their hearing it.

mod aside;
mod bell;
mod breaker;
pub mod check;
mod dues;
pub mod edits;
mod fold;
mod health;
pub mod held_open;
mod link;
mod listener;
pub mod past;
pub mod plans;
pub mod preview;
pub mod process;
mod pushes;
mod queues;
mod readdress;
pub mod rebuild;
pub mod recompute;
mod record;
pub mod settle;
pub mod silence;
mod tidy;
mod timers;
mod told;
mod turn;
mod turns;
mod upgrade;

pub use listener::Moved;
pub(crate) use record::Dossier;

use crate::clock::Clock;
use crate::core::Instant;
use crate::core::grant::Core;
use crate::core::stretch::earlier;
use crate::metrics::Metrics;
use crate::secrets::Sealer;
use crate::store::conn::Conn;
use crate::store::sites::{Busy, Site};
use crate::store::{Result, Store, StoreError, products, rules, sites};
use aside::Asides;
use bell::Bell;
use health::Health;
use queues::Queues;
use settle::{Bench, Cause, RuleBook, Touched};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidy::Tidied;
use tokio::sync::watch;
use turns::Turns;

/// The shortest pause before the loop looks again by itself: an end that is due is not always to be
/// had, as another process may be at its site.
const AGAIN_MIN: Duration = Duration::from_millis(20);

/// How long a writer waits for the others of its site before the site counts as unavailable: a stopped
/// process that is at it loses it within its lease, and then it goes on.
const QUEUE_MAX: Duration = Duration::from_secs(30);

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
    /// How many days the body of a webhook is kept; `None` for ever.
    pub bodies_kept_days: Option<u32>,
    /// How many days a change is kept in the feed; `None` for ever.
    pub feed_kept_days: Option<u32>,
    /// Whether what a new version of the core would do is done without asking.
    pub apply_upgrades: bool,
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

/// Which rules of a site: when the site was made, as its id may have been another's before, and the
/// version.
type Edition = (Instant, i64);

/// The flow of one process.
pub struct Flow {
    store: Store,
    clock: Clock,
    sealer: Sealer,
    metrics: Metrics,
    limits: Limits,
    core: Core,
    /// Whether the sites that an older core worked on have been taken over.
    taken_over: AtomicBool,
    /// The rules of each site, as of a version that every batch checks.
    books: Mutex<HashMap<String, (Edition, Arc<RuleBook>)>>,
    turns: Turns,
    /// What this process leaves alone for a while.
    asides: Asides,
    /// The writers that wait for a site.
    queues: Queues,
    tidied: Mutex<Tidied>,
    bell: Bell,
    /// The name of this process among those on the same database.
    process: String,
    /// Tells readers of feeds that there may be more to read.
    feeds: watch::Sender<u64>,
    /// How the last turns went.
    health: Health,
}

impl Flow {
    /// Puts a flow together; nothing runs until [`Flow::run`].
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        sealer: Sealer,
        metrics: Metrics,
        limits: Limits,
        core: Core,
    ) -> Self {
        Self {
            store,
            clock,
            sealer,
            metrics,
            limits,
            core,
            taken_over: AtomicBool::new(false),
            books: Mutex::default(),
            turns: Turns::default(),
            asides: Asides::default(),
            queues: Queues::default(),
            tidied: Mutex::default(),
            bell: Bell::default(),
            process: crate::ids::new(),
            feeds: watch::Sender::new(0),
            health: Health::default(),
        }
    }

    /// Wakes the workers: there is something to do.
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// Works until `stop` says so: what is due at once, then waits for the bell, the next end, or
    /// the poll, whichever comes first. Any number of workers may run beside each other, in any
    /// number of processes: each site is worked by one of them at a time.
    pub fn run(&self, stop: &dyn Fn() -> bool) {
        let mut heard = self.bell.rung();
        while !stop() {
            // A panic ends one turn, never the flow.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(Busy::Skip)));
            match turn.unwrap_or_else(|_| Err(StoreError::Corrupt("a panic; see above".to_owned())))
            {
                Ok(true) => {
                    self.rest_from_tidying();
                    continue;
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "a turn of the flow failed; it is tried again");
                }
            }
            let longest = Duration::from_millis(self.limits.poll_ms);
            let wait = self.until_next_end().map_or(longest, |end| end.max(AGAIN_MIN).min(longest));
            let rest = self.rest_from_tidying();
            let wait = if rest.is_zero() { wait } else { wait.min(rest) };
            heard = self.bell.wait(heard, wait);
        }
    }

    /// How long until the next end of any site; `None` where the store cannot tell or knows none.
    fn until_next_end(&self) -> Option<Duration> {
        let now = self.clock.now();
        let until = self.store.read(|conn| self.next_end(conn, now)).ok().flatten()? - now;
        Some(until.to_std().unwrap_or_default())
    }

    /// When the next end of any enabled site is to be fired, or to be tried again.
    fn next_end(&self, conn: &mut Conn, now: Instant) -> Result<Option<Instant>> {
        let mut next = None;
        for site_id in sites::enabled(conn, self.core.version)? {
            let passed = self.asides.members(&site_id, now);
            let end = timers::next(conn, &site_id, &passed)?;
            next = earlier(next, self.asides.look_at(&site_id, end, now));
        }
        Ok(next)
    }

    /// Computes again what something touched, in the transaction that `cause` it.
    pub fn settle(&self, conn: &mut Conn, bench: &mut Bench, touched: Touched) -> Result<usize> {
        settle::settle(conn, bench, touched)
    }

    /// Works on a site under its lock, in one transaction; an error leaves nothing of it. Ends that are
    /// due by then have fired before: each is told with its own instant and cause, not with those of
    /// this work.
    pub fn under_lock<T, E: From<FlowError> + From<StoreError>>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut work = Some(work);
        loop {
            let done = self.at_bench(
                site_id,
                Busy::Wait,
                |_| true,
                |conn, bench| {
                    if self.is_behind(conn, bench)? {
                        return Ok::<_, E>(None);
                    }
                    work.take().map(|work| work(conn, bench)).transpose()
                },
            )?;
            match done {
                None => return Err(FlowError::NoSite.into()),
                Some(Some(done)) => return Ok(done),
                Some(None) => self.catch_up(site_id)?,
            }
        }
    }

    /// As [`Flow::under_lock`], unless the site is disabled, gone, or somebody else's for now: then
    /// nothing is done, and the answer is `None`.
    fn enabled_under_lock<T>(
        &self,
        site_id: &str,
        busy: Busy,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T>,
    ) -> Result<Option<T>> {
        self.at_bench(site_id, busy, |site| site.enabled, work)
    }

    /// Sets up a site under its lock and works on it, if it is to be had and `fits`; one that a newer core works
    /// on is not to be had any more. Once that is committed, the readers of its feed are told, and the other
    /// processes what has moved.
    fn at_bench<T, E: From<StoreError>>(
        &self,
        site_id: &str,
        busy: Busy,
        fits: impl FnOnce(&Site) -> bool,
        work: impl FnOnce(&mut Conn, &mut Bench) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        // Whoever waits for a site does so before they take a connection.
        let _place = match busy {
            Busy::Wait => Some(self.place(site_id)?),
            Busy::Skip => None,
        };
        let (mut moved, mut held_open) = (false, 0);
        let done = self.store.write(|conn| match self.bench(conn, site_id, Some(busy))? {
            Some(bench) if bench.site.core_version > self.core.version => match busy {
                Busy::Wait => Err(StoreError::Overtaken.into()),
                Busy::Skip => Ok(None),
            },
            Some(mut bench) if fits(&bench.site) => {
                upgrade::take_over(conn, &mut bench)?;
                let position = bench.site.feed_position;
                let done = work(conn, &mut bench)?;
                moved = bench.site.feed_position != position;
                held_open = bench.held_open();
                bench.count_recorded(conn)?;
                self.tell(conn, Moved { work: bench.has_made_work(), feed: moved })?;
                Ok(Some(done))
            }
            _ => Ok(None),
        });
        if moved {
            self.move_feeds();
        }
        if done.is_ok() {
            self.metrics.held_open(held_open);
        }
        done
    }

    /// The place at the head of those in this process who want to write to a site.
    fn place(&self, site_id: &str) -> Result<queues::Place<'_>> {
        let busy = || StoreError::Unavailable(format!("too many write to the site {site_id}"));
        self.queues.join(site_id, QUEUE_MAX).ok_or_else(busy)
    }

    /// Tells the readers of feeds in this process.
    fn move_feeds(&self) {
        self.feeds.send_modify(|moves| *moves = moves.wrapping_add(1));
    }

    /// Changes whenever something has been recorded in a feed, by this process, or by another one
    /// that is heard.
    pub fn feeds(&self) -> watch::Receiver<u64> {
        self.feeds.subscribe()
    }

    /// Looks at a site on one snapshot, without its lock.
    pub fn on_snapshot<T, E: From<FlowError> + From<StoreError>>(
        &self,
        site_id: &str,
        work: impl FnOnce(&mut Conn, &Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        self.store.read(|conn| match self.bench(conn, site_id, None)? {
            Some(bench) => work(conn, &bench),
            None => Err(FlowError::NoSite.into()),
        })
    }

    /// Sets up a site; with `lock`, under its lock.
    fn bench(&self, conn: &mut Conn, site_id: &str, lock: Option<Busy>) -> Result<Option<Bench>> {
        let site = match lock {
            Some(busy) => sites::lock(conn, site_id, busy)?,
            None => sites::get(conn, site_id)?,
        };
        let Some(site) = site else {
            return Ok(None);
        };
        let book = self.book(conn, &site)?;
        Ok(Some(Bench::new(site, book, self.core, self.clock.now())))
    }

    /// The rules of a site: from the cache, where its version is still the site's.
    fn book(&self, conn: &mut Conn, site: &sites::Site) -> Result<Arc<RuleBook>> {
        let edition = (site.created_at, site.rules_version);
        if let Some((read, book)) = locked(&self.books).get(&site.id)
            && *read == edition
        {
            return Ok(Arc::clone(book));
        }
        let mappings = rules::mappings(conn, &site.id)?.into();
        let book = Arc::new(RuleBook::new(mappings, products::ignored(conn, &site.id)?));
        // A bench is set up before its transaction changes anything, so only what was committed
        // ever gets in here.
        locked(&self.books).insert(site.id.clone(), (edition, Arc::clone(&book)));
        Ok(book)
    }

    /// Whether the last turn of this process at a site succeeded, as far as it had any.
    pub fn is_well_at(&self, site_id: &str) -> bool {
        self.health.is_well_at(site_id)
    }

    /// The name of this process among those on the same database.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// The store, for reads that are no part of the flow.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What is counted and timed.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
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

/// These locks guard values that are whole at every moment, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cause of what an operator does to a member.
#[must_use]
pub fn by_override(id: &str) -> Cause {
    Cause::new("override", id)
}
