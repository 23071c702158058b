//! Tells operators what they would have to look for: what looks wrong at a site is an alarm, from when it is
//! first seen until it is gone.
//!
//! ```text
//!                    every minute, one process
//!  webhooks, purchases, members ─→ look ─→ [alarms] ─→ post: claimed, committed, sent, noted
//!                                    └──→ heartbeat, while nothing is open and the flow is well
//! ```
//!
//! * [`look`] asks, site by site, what is an alarm, and writes down what begins, goes on and ends.
//! * [`post`] makes a message, and sends it; [`worker`] does both in time.
//!
//! Absences that tests check: no transaction is open while something is sent; no alarm cuts anybody; no
//! message, log or label names a person or a secret; no look is on the way of a webhook, and none costs more
//! the larger a site is; an episode is posted under one id, however often it is tried.

pub mod look;
pub mod post;
pub mod worker;

use crate::clock::Clock;
use crate::core::alarm::Kind;
use crate::core::signature::{self, SECRET_BYTES_MIN};
use crate::egress::Egress;
use crate::flow::Flow;
use crate::metrics::Metrics;
use crate::secrets::{self, Sealer, SecretError};
use crate::store::{Store, StoreError};
use std::sync::Arc;

/// What looks for alarms and tells of them. Cheap to clone.
#[derive(Clone)]
pub struct Alarms {
    flow: Arc<Flow>,
    egress: Egress,
}

impl Alarms {
    /// Puts them together; nothing runs until a [`worker::Worker`] does.
    #[must_use]
    pub fn new(flow: Arc<Flow>, egress: Egress) -> Self {
        flow.metrics().know_alarms(&Kind::ALL.map(Kind::as_str));
        Self { flow, egress }
    }

    /// The client of every call that goes out.
    #[must_use]
    pub fn egress(&self) -> &Egress {
        &self.egress
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

    /// Opens a text that a site has sealed.
    fn open(&self, what: Sealed, site_id: &str, sealed: &[u8]) -> Result<String, StoreError> {
        what.open(self.flow.sealer(), site_id, sealed)
    }
}

/// What a site keeps sealed for its alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// Where alarms are posted to.
    Url,
    /// What they are signed with.
    Secret,
    /// What is called while all is well.
    HeartbeatUrl,
}

impl Sealed {
    fn purpose(self, site_id: &str) -> String {
        let what = match self {
            Self::Url => "alarm URL",
            Self::Secret => "alarm secret",
            Self::HeartbeatUrl => "heartbeat URL",
        };
        format!("{what} of {site_id}")
    }

    /// Seals a text for a site.
    pub fn seal(self, sealer: &Sealer, site_id: &str, text: &str) -> Result<Vec<u8>, StoreError> {
        sealer.seal(&self.purpose(site_id), text.as_bytes()).map_err(corrupt)
    }

    /// Opens it again.
    pub fn open(self, sealer: &Sealer, site_id: &str, sealed: &[u8]) -> Result<String, StoreError> {
        let opened = sealer.open(&self.purpose(site_id), sealed).map_err(corrupt)?;
        Ok(String::from_utf8_lossy(&opened).into_owned())
    }
}

/// A new secret that alarms are signed with.
pub fn new_secret() -> Result<String, StoreError> {
    Ok(signature::written(&secrets::random::<SECRET_BYTES_MIN>().map_err(corrupt)?))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn corrupt(error: SecretError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
