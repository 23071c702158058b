//! Looks what a destination holds of some members.

use super::Dispatch;
use crate::core::push::wanted;
use crate::destinations::{Accounts, Failure};
use crate::store::destinations::Destination;
use crate::store::pushes::{self, Push};
use crate::store::runs::{self, Run};
use crate::store::{Result, StoreError, members};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How many members are looked at before it is written down what was seen of them.
pub(super) const MEMBERS_MAX: i64 = 50;
/// How long is looked before that …
const PAGE_SECONDS_MAX: u64 = 60;
/// … and at one member: together shorter than a claim lasts.
const MEMBER_SECONDS_MAX: u64 = 40;

/// A member who is to be looked at.
pub(super) struct Subject {
    pub(super) member_id: String,
    pub(super) email: String,
    pub(super) wanted: BTreeSet<String>,
    /// The push to the destination, as it was before the look; `None` where there has been none.
    pub(super) push: Option<Push>,
}

impl Subject {
    /// Whether what is wanted is still on its way: then nothing is to be said of what is there.
    pub(super) fn is_open(&self) -> bool {
        self.push.as_ref().is_some_and(|push| push.next_attempt_at.is_some())
    }
}

/// What was seen of a member.
pub(super) enum Seen {
    /// The destination holds this of them.
    Holds(BTreeSet<String>),
    /// Their push is open.
    Open,
    /// They cannot be looked at.
    Refused(String),
}

impl Dispatch {
    /// The next members that a run looks at, and how many it looks at in all.
    pub(super) fn subjects(
        &self,
        run: &Run,
        destination: &Destination,
    ) -> Result<(Vec<Subject>, i64)> {
        self.store().read(|conn| {
            let total = match run.total {
                0 => runs::number(conn, destination)?,
                counted => counted,
            };
            let ids = runs::after(conn, destination, &run.reached, MEMBERS_MAX)?;
            let mut held = members::recorded(conn, &run.site_id, &ids)?;
            let pushes = pushes::of_subjects(conn, destination, &ids)?;
            let mut pushes: BTreeMap<String, Push> =
                pushes.into_iter().map(|push| (push.subject.clone(), push)).collect();
            let known = members::with_ids(conn, &run.site_id, &ids)?;
            let emails: BTreeMap<String, String> =
                known.into_iter().map(|member| (member.id, member.email)).collect();
            let subject = |member_id: String| {
                let push = pushes.remove(&member_id);
                let address = push.as_ref().and_then(|push| push.email.clone());
                Subject {
                    email: emails.get(&member_id).cloned().or(address).unwrap_or_default(),
                    wanted: wanted(
                        &destination.levels,
                        &held.remove(&member_id).unwrap_or_default(),
                    ),
                    push,
                    member_id,
                }
            };
            Ok::<_, StoreError>((ids.into_iter().map(subject).collect(), total))
        })
    }
}

/// Looks at members one after the other, so that a run is one call at a time; answers what was seen of the first of
/// them, as many as there was time for, and what kept it from looking at the next one.
pub(super) async fn look(
    remote: &dyn Accounts,
    subjects: &[Subject],
) -> (Vec<Seen>, Option<Failure>) {
    let began = Instant::now();
    let mut seen = Vec::new();
    for subject in subjects {
        if began.elapsed() > Duration::from_secs(PAGE_SECONDS_MAX) {
            break;
        }
        if subject.is_open() {
            seen.push(Seen::Open);
            continue;
        }
        let longest = Duration::from_secs(MEMBER_SECONDS_MAX);
        match tokio::time::timeout(longest, holds(remote, subject)).await {
            Ok(Ok(holds)) => seen.push(Seen::Holds(holds)),
            Ok(Err(Failure::Refused(why))) => seen.push(Seen::Refused(why)),
            Ok(Err(failure)) => return (seen, Some(failure)),
            Err(_) => {
                let why = format!("it took longer than {MEMBER_SECONDS_MAX} seconds");
                return (seen, Some(Failure::Unsure(why)));
            }
        }
    }
    (seen, None)
}

/// What a destination holds of a member; nothing where they have no account.
async fn holds(remote: &dyn Accounts, subject: &Subject) -> Result<BTreeSet<String>, Failure> {
    let remote_id = subject.push.as_ref().and_then(|push| push.remote_id.as_deref());
    if let Some(remote_id) = remote_id
        && let Some(account) = remote.get(remote_id).await?
    {
        return Ok(account.holds);
    }
    Ok(remote.find(&subject.email).await?.map(|account| account.holds).unwrap_or_default())
}
