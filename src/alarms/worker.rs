//! What looks, posts and beats in time: one thread, on which calls are under way beside each other.

use super::Alarms;
use super::look::Well;
use super::post::Claimed;
use crate::egress::{Answer, CallError};
use crate::store::Result;
use crate::store::alarms::Attempts;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How many first attempts at a post may be under way at once …
const FIRST_CALLS_MAX: usize = 64;
/// … how many later ones: receivers that hang keep no first word from another …
const LATER_CALLS_MAX: usize = 16;
/// … and how many heartbeats.
const HEARTBEATS_MAX: usize = 64;
/// How long between two looks for what is due.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A call under way.
#[derive(Debug)]
enum Call {
    Post(Box<Claimed>),
    Heartbeat(Well),
}

type Done = (Call, Result<Answer, CallError>);

/// One worker. Any number may run, in any number of processes.
pub struct Worker {
    alarms: Alarms,
    runtime: Runtime,
    calls: JoinSet<Done>,
    /// Room for calls of each sort; a call gives its place back however it ends.
    first: Arc<Semaphore>,
    later: Arc<Semaphore>,
    heartbeats: Arc<Semaphore>,
    /// The sites that are well, and of which nobody has been told yet.
    well: VecDeque<Well>,
}

impl Worker {
    /// Makes one; nothing happens until it is told to.
    pub fn new(alarms: Alarms) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let room = |calls| Arc::new(Semaphore::new(calls));
        Ok(Self {
            alarms,
            runtime,
            calls: JoinSet::new(),
            first: room(FIRST_CALLS_MAX),
            later: room(LATER_CALLS_MAX),
            heartbeats: room(HEARTBEATS_MAX),
            well: VecDeque::new(),
        })
    }

    /// Works until the program stops. A call that is under way then is cut: what is not noted is sent again
    /// by whoever comes next.
    pub fn run(mut self, mut closing: watch::Receiver<bool>) {
        while !*closing.borrow() {
            // A panic ends one turn, never the worker.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            match turn {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "alarms could not be looked after"),
                Err(_) => tracing::error!("a panic while alarms were looked after; see above"),
            }
            let (calls, runtime) = (&mut self.calls, &self.runtime);
            let done = runtime.block_on(async {
                tokio::select! {
                    _ = closing.changed() => None,
                    () = tokio::time::sleep(POLL_EVERY) => None,
                    Some(done) = calls.join_next() => done.ok(),
                }
            });
            self.note(done);
        }
        // A name that is being looked up is not waited for.
        self.runtime.shutdown_background();
    }

    /// Looks if it is time, and works until nothing is due: for tests, which never sleep to wait.
    pub fn drain(&mut self) -> Result<()> {
        while self.turn()? || !self.calls.is_empty() {
            let done = self.runtime.block_on(self.calls.join_next());
            self.note(done.and_then(std::result::Result::ok));
        }
        Ok(())
    }

    /// Looks if it is time, and begins what is due; answers whether anything was begun.
    pub fn turn(&mut self) -> Result<bool> {
        if let Some(well) = self.alarms.look()? {
            // Whoever was not called until now is called of the new look, if at all.
            self.well = well.into();
        }
        let before = self.calls.len();
        for (which, room) in [(Attempts::First, &self.first), (Attempts::Later, &self.later)] {
            for claimed in self.alarms.claim(which, room.available_permits())? {
                let (egress, place) = (self.alarms.egress().clone(), place_in(room));
                let call = async move {
                    let _place = place;
                    let answer = egress.post(&claimed.to, claimed.message.clone()).await;
                    (Call::Post(Box::new(claimed)), answer)
                };
                self.calls.spawn_on(call, self.runtime.handle());
            }
        }
        while self.heartbeats.available_permits() > 0
            && let Some(well) = self.well.pop_front()
        {
            self.beat(well);
        }
        Ok(self.calls.len() > before)
    }

    fn beat(&mut self, well: Well) {
        let site_id = &well.site_id;
        match self.alarms.heartbeat_url(&well) {
            Ok(url) => {
                let (egress, place) = (self.alarms.egress().clone(), place_in(&self.heartbeats));
                let call = async move {
                    let _place = place;
                    let answer = egress.get(&url).await;
                    (Call::Heartbeat(well), answer)
                };
                self.calls.spawn_on(call, self.runtime.handle());
            }
            Err(error) => tracing::error!(site_id, %error, "a heartbeat URL cannot be read"),
        }
    }

    /// Notes what became of a call; `None` where none has ended, or one has panicked.
    fn note(&mut self, done: Option<Done>) {
        match done {
            None => {}
            Some((Call::Post(claimed), answer)) => {
                if let Err(error) = self.alarms.note(&claimed, answer) {
                    // Its claim runs out, and it is sent again.
                    tracing::error!(%error, "what became of an alarm could not be noted");
                }
            }
            Some((Call::Heartbeat(Well { site_id, .. }), answer)) => {
                let why = match answer {
                    Ok(answer) if answer.is_success() => return,
                    Ok(answer) => format!("the answer was {}", answer.status),
                    Err(error) => error.to_string(),
                };
                tracing::warn!(site_id, why, "a heartbeat was not taken");
            }
        }
    }
}

/// A place for a call; whoever asks has seen that there is one.
fn place_in(room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).try_acquire_owned().ok()
}
