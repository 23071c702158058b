//! Takes what is due at a destination, and reads what it has to say.

use super::{Dispatch, Opened};
use crate::core::Instant;
use crate::core::push::{Told, access_changed, wanted};
use crate::destinations::{Message, Remote};
use crate::ids;
use crate::store::conn::Conn;
use crate::store::destinations::Destination;
use crate::store::pushes::{self, ACCESS, Attempts, Push};
use crate::store::{Result, StoreError, members};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long a claim lasts: longer than any push, so that whoever is at it is never joined by another.
pub const LEASE: TimeDelta = TimeDelta::seconds(120);

/// How long a push waits whose account is still under way for the address before.
const BESIDE_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// A push that this process has claimed, and what it has to say.
pub(super) struct Claimed {
    /// The row, as it was claimed.
    pub(super) push: Push,
    /// Who has claimed it.
    pub(super) claim: String,
    /// The destination, as it stood then.
    pub(super) destination: Destination,
    /// What calls it.
    pub(super) opened: Arc<Opened>,
    /// What it says.
    pub(super) said: Said,
}

/// What a push says.
pub(super) enum Said {
    /// What the member should hold there, and the push of the member whose account goes on under this address.
    Wanted(BTreeSet<String>, Option<Box<Push>>),
    /// All levels of the member, and the message about them.
    Told(Vec<Told>, Message),
    /// A message about something else.
    Message(Message),
    /// Nothing: the account under the address before is still under way.
    Later(Instant),
}

impl Dispatch {
    /// Claims what is due at a destination, at most so much of it.
    pub(super) fn claim(
        &self,
        destination: &Destination,
        which: Attempts,
        limit: usize,
    ) -> Result<Vec<Claimed>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // Opened before it is claimed: what cannot be opened costs no attempt.
        let opened = self.open(destination)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let now = self.clock().now();
        let claim = ids::new();
        let said = self.store().write(|conn| {
            let span = (now, now + LEASE);
            let claimed = pushes::claim(conn, destination, which, limit, &claim, span)?;
            let subjects: Vec<String> = claimed
                .iter()
                .filter(|push| push.what == ACCESS)
                .map(|push| push.subject.clone())
                .collect();
            let mut recorded = members::recorded(conn, &destination.site_id, &subjects)?;
            let mut all = Vec::new();
            for push in claimed {
                let held = recorded.remove(&push.subject).unwrap_or_default();
                let said = match (&opened.remote, push.what.as_str()) {
                    (Remote::Accounts(_), ACCESS) => {
                        let wanted = wanted(&destination.levels, &held);
                        beside(conn, destination, &push, wanted, &claim, now)?
                    }
                    (Remote::Messages(_), ACCESS) => {
                        let told = held.iter().filter(|held| destination.is_told_of(&held.level));
                        let told: Vec<Told> = told.map(Told::from).collect();
                        let message = about_access(&push, &told, now)?;
                        Said::Told(told, message)
                    }
                    _ => Said::Message(Message {
                        id: push.id.clone(),
                        timestamp: now.timestamp(),
                        body: push.message.clone().unwrap_or_default(),
                    }),
                };
                all.push((push, said));
            }
            Ok::<_, StoreError>(all)
        })?;
        let of = |(push, said)| Claimed {
            push,
            claim: claim.clone(),
            destination: destination.clone(),
            opened: Arc::clone(&opened),
            said,
        };
        Ok(said.into_iter().map(of).collect())
    }
}

/// What a push says at a destination with accounts, with the push of the address before, where there is one whose
/// account can go on: its owner has nothing else there.
fn beside(
    conn: &mut Conn,
    destination: &Destination,
    push: &Push,
    wanted_here: BTreeSet<String>,
    claim: &str,
    now: Instant,
) -> Result<Said> {
    let Some(from) = push.moves_from.as_deref().filter(|_| push.remote_id.is_none()) else {
        return Ok(Said::Wanted(wanted_here, None));
    };
    let Some(before) = pushes::claim_beside(conn, push, from, claim, (now, now + LEASE))? else {
        return Ok(Said::Later(now + BESIDE_AGAIN));
    };
    let held = members::recorded(conn, &push.site_id, &[from.to_owned()])?;
    let held = held.into_values().next().unwrap_or_default();
    if before.remote_id.is_none() || !wanted(&destination.levels, &held).is_empty() {
        pushes::release(conn, &before, claim, false, now)?;
        return Ok(Said::Wanted(wanted_here, None));
    }
    Ok(Said::Wanted(wanted_here, Some(Box::new(before))))
}

/// The message about what a member holds: the same at every attempt, and under the same id, until more is wanted.
fn about_access(push: &Push, told: &[Told], now: Instant) -> Result<Message> {
    let before: Vec<Told> = push.owned()?;
    let email = push.email.as_deref().unwrap_or_default();
    let data = access_changed(&push.site_id, email, push.version, &before, told);
    let timestamp = push.wanted_at.and_utc().to_rfc3339_opts(SecondsFormat::Micros, true);
    let body = json!({ "type": ACCESS, "timestamp": timestamp, "data": data }).to_string();
    Ok(Message { id: format!("{}.{}", push.id, push.version), timestamp: now.timestamp(), body })
}
