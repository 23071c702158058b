//! The only caller of now.
//!
//! Everything else is given a [`Clock`], so that tests can turn its hands. Instants are whole
//! microseconds, the finest that both databases keep.

use crate::core::Instant;
use chrono::{DurationRound, TimeDelta};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Microseconds since 1970 that a test has set; `None` for the machine's own time.
    set: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that only moves when it is told to.
    #[must_use]
    pub fn manual(start: Instant) -> Self {
        Self { set: Some(Arc::new(AtomicI64::new(start.timestamp_micros()))) }
    }

    /// Now, in whole microseconds.
    #[expect(clippy::disallowed_methods, reason = "this is the place that may ask for the time")]
    #[must_use]
    pub fn now(&self) -> Instant {
        if let Some(micros) = &self.set {
            instant(micros.load(Ordering::SeqCst))
        } else {
            let now = chrono::Utc::now();
            now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
        }
    }

    /// Sets a manual clock; the machine's clock stays as it is.
    pub fn set(&self, to: Instant) {
        if let Some(micros) = &self.set {
            micros.store(to.timestamp_micros(), Ordering::SeqCst);
        }
    }
}

fn instant(micros: i64) -> Instant {
    Instant::from_timestamp_micros(micros).unwrap_or(Instant::UNIX_EPOCH)
}
