//! Asks a destination whether all that is needed works, and says in words what does not.

use super::{Dispatch, Opened, sealed};
use crate::core::push::NamedLevel;
use crate::destinations::{Finding, Message, Offered, Remote};
use crate::ids;
use crate::store::Result;
use crate::store::destinations::Destination;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a test may take in all.
const TEST_SECONDS_MAX: u64 = 30;
/// The type of the message that a test sends.
const TEST: &str = "test";

impl Dispatch {
    /// Asks a destination, as it is written down, whether all that is needed works; no member is touched.
    pub async fn test(&self, destination: &Destination) -> Result<Vec<Finding>> {
        match self.open(destination) {
            Ok(opened) => Ok(self.test_opened(destination, &opened).await),
            Err(error) => self.why_not_opened(destination).ok_or(error),
        }
    }

    /// The same of a destination that is not there: nothing of it is kept.
    pub async fn test_unsaved(&self, destination: &Destination) -> Result<Vec<Finding>> {
        let opened = self.open_anew(destination, self.clock().now())?;
        Ok(self.test_opened(destination, &opened).await)
    }

    /// What a destination has that levels can be told as; where that cannot be seen, why, in words.
    pub async fn offered(
        &self,
        destination: &Destination,
    ) -> Result<std::result::Result<Offered, String>> {
        let opened = match self.open(destination) {
            Ok(opened) => opened,
            Err(error) => {
                let why = self.why_not_opened(destination).ok_or(error)?;
                return Ok(Err(why.into_iter().map(|finding| finding.detail).collect()));
            }
        };
        let named = destination.levels.iter().map(NamedLevel::remote).map(str::to_owned).collect();
        Ok(offered_by(&opened.remote, &named).await)
    }

    /// The same of what is not written down.
    pub async fn offered_by(&self, remote: &Remote) -> std::result::Result<Offered, String> {
        offered_by(remote, &BTreeSet::new()).await
    }

    async fn test_opened(&self, destination: &Destination, opened: &Opened) -> Vec<Finding> {
        let longest = Duration::from_secs(TEST_SECONDS_MAX);
        let found = tokio::time::timeout(longest, self.ask(destination, opened)).await;
        found.unwrap_or_else(|_| {
            let detail = format!(
                "The test was not over within {TEST_SECONDS_MAX} seconds. Look whether the site answers, and try again."
            );
            vec![Finding::bad("connection", detail)]
        })
    }

    async fn ask(&self, destination: &Destination, opened: &Opened) -> Vec<Finding> {
        match &opened.remote {
            Remote::Accounts(remote) => {
                let names = destination.levels.iter().map(NamedLevel::remote);
                remote.test(&names.map(str::to_owned).collect()).await
            }
            Remote::Messages(remote) => {
                let now = self.clock().now();
                let body = json!({ "type": TEST, "timestamp": now, "data": {} }).to_string();
                let id = ids::new();
                remote.test(&Message { id, timestamp: now.timestamp(), body }).await
            }
        }
    }

    /// What is wrong with a config that was right when it was written; `None` where it is not the config.
    fn why_not_opened(&self, destination: &Destination) -> Option<Vec<Finding>> {
        let now = self.clock().now();
        let config = sealed::before_edit(self.flow.sealer(), destination, now).ok()?;
        let wrong = self.try_open(&destination.kind, &config, None).err()?;
        let field = wrong.pointer.trim_start_matches('/');
        let what = if field.is_empty() { "config".to_owned() } else { format!("config.{field}") };
        Some(vec![Finding::bad("config", format!("{what}: {}.", wrong.detail))])
    }
}

/// What a destination has that levels can be told as, asked within the time of a test.
async fn offered_by(
    remote: &Remote,
    named: &BTreeSet<String>,
) -> std::result::Result<Offered, String> {
    let Remote::Accounts(accounts) = remote else { return Ok(Offered::default()) };
    let longest = Duration::from_secs(TEST_SECONDS_MAX);
    match tokio::time::timeout(longest, accounts.offered(named)).await {
        Ok(Ok(offered)) => Ok(offered),
        Ok(Err(failure)) => Err(format!("{}.", failure.to_string().trim_end_matches('.'))),
        Err(_) => Err(format!(
            "The site has not answered everything within {TEST_SECONDS_MAX} seconds. Look whether it is up, and try again."
        )),
    }
}
