//! What wakes the workers of a process.

use super::locked;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bell that every worker hears, also one that was busy while it rang.
#[derive(Default)]
pub(super) struct Bell {
    /// How often it has rung.
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    /// Rings it.
    pub(super) fn ring(&self) {
        let mut rung = locked(&self.rung);
        *rung = rung.wrapping_add(1);
        self.changed.notify_all();
    }

    /// How often it has rung so far.
    pub(super) fn rung(&self) -> u64 {
        *locked(&self.rung)
    }

    /// Waits until it has rung more often than was heard, or for `longest`; answers how often it has
    /// rung by then.
    pub(super) fn wait(&self, heard: u64, longest: Duration) -> u64 {
        let rung = locked(&self.rung);
        let waited = self.changed.wait_timeout_while(rung, longest, |rung| *rung == heard);
        let (rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung
    }
}
