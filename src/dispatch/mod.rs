//! Carries access to the destinations: what [`crate::flow`] has wanted is claimed, committed, sent, and noted.
//!
//! One row for each member and destination, which stays; what it carries is what is wanted at the moment of sending,
//! so that many changes become one push, their order does not matter, and a repetition does no harm.
//!
//! ```text
//!           a change, in its transaction                 a change meanwhile
//!                     │                            ┌────────────────────────────┐
//!                     ↓                            ↓                            │
//!  done ──────────→ pending ─claim→ under way ─confirmed→ done, or pending again ┘
//!                     ↑   ↑              │
//!                     │   └─ lease over ─┤  nothing noted: sent again, the same
//!                     │                  ├→ retrying    it failed, or nobody knows: by the schedule
//!                     │                  ├→ retrying    the destination takes nothing, or asks to wait: then at once
//!                     │                  └→ failed      it refuses the member, or the schedule is at its end
//!                     └──── by hand, by a resync, by the nightly run, by the next change ────┘
//! ```
//!
//! A destination that fails [five times in a row](crate::core::circuit) is `paused`, and tried again with one push; one that
//! refuses credentials is `broken` until an operator has done something, or the nightly run has found it mended.
//!
//! * [`claim`] takes what is due, and reads what it has to say; [`bring`] does it at a destination with accounts, and
//!   writes down what it is about to add before it does; [`note`] says what became of it.
//! * [`runs`] go over every member: a resync, and the comparison of what is wanted with what is there.
//! * [`tested`] asks a destination whether all that is needed works.
//! * [`worker`] does all of it in time.
//!
//! Absences that tests check: no transaction is open while something is sent; nothing is noted by whoever has lost
//! their claim; nothing is removed that Latchkey has not added; no account is made twice, and nobody is welcomed
//! twice; nothing is called done that the destination has not confirmed; no log names a person or a secret.

mod bring;
mod claim;
mod note;
pub mod runs;
pub mod sealed;
mod send;
mod tested;
pub mod worker;

pub use claim::LEASE;

use crate::clock::Clock;
use crate::core::Instant;
use crate::destinations::{Caller, KINDS, Pace, Remote, Wrong, kind};
use crate::egress::Egress;
use crate::flow::Flow;
use crate::metrics::Metrics;
use crate::store::destinations::Destination;
use crate::store::{Result, Store, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A destination that can be called, as of an edit.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The edit.
    version: i64,
    /// Until when it is called so: then a secret from before signs no more. `None` for as long as it is not edited.
    until: Option<Instant>,
    /// What calls it.
    pub(crate) remote: Remote,
    /// How many pushes may be under way at once.
    concurrency: usize,
}

/// The site of a destination, and its id.
type Key = (String, String);

/// What carries access to the destinations. Cheap to clone.
#[derive(Clone)]
pub struct Dispatch {
    flow: Arc<Flow>,
    egress: Egress,
    /// What has been opened, by site and destination: all pushes of one share its pace.
    opened: Arc<Mutex<HashMap<Key, Arc<Opened>>>>,
}

impl Dispatch {
    /// Puts it together; nothing runs until a [`worker::Worker`] does.
    #[must_use]
    pub fn new(flow: Arc<Flow>, egress: Egress) -> Self {
        flow.metrics().know_destinations(KINDS.iter().map(|kind| kind.name));
        Self { flow, egress, opened: Arc::default() }
    }

    fn store(&self) -> &Store {
        self.flow.store()
    }

    fn clock(&self) -> &Clock {
        self.flow.clock()
    }

    fn metrics(&self) -> &Metrics {
        self.flow.metrics()
    }

    /// What calls a destination with this config; says what is wrong with it.
    pub fn try_open(
        &self,
        kind_name: &str,
        config: &crate::destinations::Config,
        pace: Option<Pace>,
    ) -> std::result::Result<Remote, Wrong> {
        let kind = kind(kind_name).ok_or_else(|| Wrong::at("kind", "is no kind"))?;
        let caller = Caller::new(self.egress.clone(), pace.unwrap_or(kind.pace));
        (kind.open)(config, caller.timed_by(self.clock().clone()))
    }

    /// What calls a destination as it is written down.
    pub(crate) fn open(&self, destination: &Destination) -> Result<Arc<Opened>> {
        let key = (destination.site_id.clone(), destination.id.clone());
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock().now();
        if let Some(opened) = all.get(&key)
            && opened.version == destination.version
            && opened.until.is_none_or(|until| now < until)
        {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(self.open_anew(destination, now)?);
        all.insert(key, Arc::clone(&opened));
        Ok(opened)
    }

    /// The same for one call alone: nobody else shares its pace.
    fn open_anew(&self, destination: &Destination, now: Instant) -> Result<Opened> {
        let config = sealed::config(self.flow.sealer(), destination, now)?;
        let pace = sealed::pace(destination);
        let remote = self.try_open(&destination.kind, &config, pace).map_err(|wrong| {
            StoreError::Corrupt(format!("the config of a destination: {wrong}"))
        })?;
        let concurrency = pace.map_or(1, |pace| pace.concurrency);
        let concurrency = usize::try_from(concurrency).unwrap_or(usize::MAX);
        let until = destination.secret_before_until.filter(|until| *until > now);
        Ok(Opened { version: destination.version, until, remote, concurrency })
    }
}
