//! What sends in time: one thread that claims and notes, beside which what was claimed is under way.

use super::Dispatch;
use super::runs::Runs;
use super::send::{Sent, send};
use crate::core::circuit;
use crate::store::Result;
use crate::store::destinations::{self, Destination};
use crate::store::pushes::Attempts;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How many first attempts may be under way at once …
const FIRST_MAX: usize = 256;
/// … and how many later ones: what was not taken before keeps nothing fresh waiting.
const LATER_MAX: usize = 64;
/// How long between two looks for what is due, where nobody says that there is something.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// One worker. Any number may run, in any number of processes.
pub struct Worker {
    dispatch: Dispatch,
    runtime: Runtime,
    under_way: JoinSet<Sent>,
    runs: Runs,
    /// How many pushes are under way at each destination.
    busy: HashMap<String, Arc<AtomicUsize>>,
    /// Room for attempts of each sort; a push gives its place back however it ends.
    first: Arc<Semaphore>,
    later: Arc<Semaphore>,
}

impl Worker {
    /// Makes one; nothing happens until it is told to.
    pub fn new(dispatch: Dispatch) -> std::io::Result<Self> {
        // Calls go on while the thread that claims and notes is at the database.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let room = |pushes| Arc::new(Semaphore::new(pushes));
        Ok(Self {
            dispatch,
            runtime,
            under_way: JoinSet::new(),
            runs: Runs::default(),
            busy: HashMap::new(),
            first: room(FIRST_MAX),
            later: room(LATER_MAX),
        })
    }

    /// Works until the program stops. A push that is under way then is cut: what is not noted is sent again by whoever
    /// comes next, once its claim has run out.
    pub fn run(mut self, mut closing: watch::Receiver<bool>) {
        let mut feeds = self.dispatch.flow.feeds();
        while !*closing.borrow() {
            feeds.mark_unchanged();
            // A panic ends one turn, never the worker.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            match turn {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "pushes could not be looked after"),
                Err(_) => tracing::error!("a panic while pushes were looked after; see above"),
            }
            let (under_way, runs, runtime) = (&mut self.under_way, &mut self.runs, &self.runtime);
            let done = runtime.block_on(async {
                tokio::select! {
                    _ = closing.changed() => None,
                    _ = feeds.changed() => None,
                    () = tokio::time::sleep(POLL_EVERY) => None,
                    Some(done) = under_way.join_next() => Some(done),
                    () = runs.next_end() => None,
                }
            });
            if let Some(done) = done {
                self.settle(done.ok());
            }
        }
        // A name that is being looked up is not waited for.
        self.runtime.shutdown_background();
    }

    /// Works until nothing is due: for tests, which never sleep to wait.
    pub fn drain(&mut self) -> Result<()> {
        while self.turn()? || !self.under_way.is_empty() || !self.runs.is_idle() {
            let (under_way, runs) = (&mut self.under_way, &mut self.runs);
            if under_way.is_empty() && runs.is_idle() {
                continue;
            }
            let any_run = !runs.is_idle();
            let done = self.runtime.block_on(async {
                tokio::select! {
                    Some(done) = under_way.join_next() => Some(done),
                    () = runs.next_end(), if any_run => None,
                    else => None,
                }
            });
            if let Some(done) = done {
                self.settle(done.ok());
            }
        }
        Ok(())
    }

    /// Goes on with runs, and begins what is due; answers whether anything was done.
    pub fn turn(&mut self) -> Result<bool> {
        let ran = self.runs.turn(&self.dispatch, self.runtime.handle())?;
        let now = self.dispatch.clock().now();
        let due = self.dispatch.store().read_one(|conn| destinations::with_due(conn, now))?;
        let mut began = false;
        for destination in due {
            let (site_id, destination_id) = (&destination.site_id, &destination.id);
            match self.begin(&destination) {
                Ok(any) => began |= any,
                // One destination that cannot be read keeps no other from being called.
                Err(error) => {
                    tracing::error!(site_id, destination_id, %error, "a destination cannot be called");
                }
            }
        }
        Ok(began || ran)
    }

    /// Begins what is due at a destination, as far as there is room; answers whether there was anything.
    fn begin(&mut self, destination: &Destination) -> Result<bool> {
        let mut free = self.free_at(destination)?;
        let mut began = false;
        for (which, room) in [(Attempts::First, &self.first), (Attempts::Later, &self.later)] {
            let claimed =
                self.dispatch.claim(destination, which, free.min(room.available_permits()))?;
            free = free.saturating_sub(claimed.len());
            began |= !claimed.is_empty();
            for claimed in claimed {
                let (store, place) = (self.dispatch.store().clone(), place_in(room));
                let busy = Busy::one_more(self.busy.entry(destination.id.clone()).or_default());
                let under_way = async move {
                    let _places = (place, busy);
                    send(store, claimed).await
                };
                self.under_way.spawn_on(under_way, self.runtime.handle());
            }
        }
        Ok(began)
    }

    /// How many more pushes may be under way at a destination. One that was failing is tried with one.
    fn free_at(&self, destination: &Destination) -> Result<usize> {
        let busy = self.busy.get(&destination.id).map_or(0, |busy| busy.load(Ordering::Relaxed));
        let is_tried = circuit::is_open(destination.failures);
        let most = if is_tried { 1 } else { self.dispatch.open(destination)?.concurrency };
        Ok(most.saturating_sub(busy))
    }

    /// Notes what became of a push, and of all others that have come to an end by now.
    fn settle(&mut self, done: Option<Sent>) {
        let mut sent: Vec<Sent> = done.into_iter().collect();
        while let Some(done) = self.under_way.try_join_next() {
            sent.extend(done.ok());
        }
        if let Err(error) = self.dispatch.note(&sent) {
            // Their claims run out, and they are sent again.
            tracing::error!(%error, "what became of pushes could not be noted");
        }
    }
}

/// A push under way at a destination, for as long as this lives.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place for a push; whoever asks has seen that there is one.
fn place_in(room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_owned().ok()
}
