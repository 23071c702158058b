//! Sends one push, and says what became of it.

use super::bring::{Beside, Bring, Cut, Memory};
use super::claim::{Claimed, Said};
use crate::core::Instant;
use crate::core::push::Told;
use crate::destinations::{Accounts, Failure, Remote};
use crate::store::pushes::{self, Push};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long one push may take in all: shorter than its claim lasts.
const PUSH_SECONDS_MAX: u64 = 100;

/// What became of a push.
pub(super) struct Sent {
    pub(super) claimed: Claimed,
    pub(super) became: Became,
    /// What is remembered from now on; `None` where nothing has changed.
    pub(super) memory: Option<Remembered>,
    /// What became of the account of the address before.
    pub(super) beside: Beside,
}

/// What is remembered of a member at a destination.
pub(super) enum Remembered {
    Account(Memory),
    Told(pushes::Memory<Vec<Told>>),
}

/// What became of an attempt.
pub(super) enum Became {
    /// The destination has confirmed it.
    Confirmed,
    /// It has not.
    Failed(Failure),
    /// It was not tried: it has to wait until then.
    Waits(Instant),
    /// Somebody else has the claim.
    Lost,
    /// Our own store failed: the claim runs out, and it is sent again.
    Store(StoreError),
}

/// Sends a push that was claimed.
pub(super) async fn send(store: Store, claimed: Claimed) -> Sent {
    let opened = std::sync::Arc::clone(&claimed.opened);
    let (became, memory, beside) = match (&opened.remote, &claimed.said) {
        (Remote::Accounts(remote), Said::Wanted(wanted, before)) => {
            account(remote.as_ref(), &store, &claimed, wanted, before.as_deref()).await
        }
        (Remote::Messages(remote), Said::Told(told, message)) => match remote.tell(message).await {
            Ok(()) => {
                let memory = pushes::Memory { owned: told.clone(), ..pushes::Memory::default() };
                (Became::Confirmed, Some(Remembered::Told(memory)), Beside::Left)
            }
            Err(failure) => (Became::Failed(failure), None, Beside::Left),
        },
        (Remote::Messages(remote), Said::Message(message)) => match remote.tell(message).await {
            Ok(()) => (Became::Confirmed, None, Beside::Left),
            Err(failure) => (Became::Failed(failure), None, Beside::Left),
        },
        (_, Said::Later(at)) => (Became::Waits(*at), None, Beside::Left),
        // A destination keeps its kind, so its pushes say what it can be told.
        _ => {
            let why = "this kind of destination cannot be told this".to_owned();
            (Became::Failed(Failure::Refused(why)), None, Beside::Left)
        }
    };
    Sent { claimed, became, memory, beside }
}

/// Brings one account in line.
async fn account(
    remote: &dyn Accounts,
    store: &Store,
    claimed: &Claimed,
    wanted: &BTreeSet<String>,
    before: Option<&Push>,
) -> (Became, Option<Remembered>, Beside) {
    let mut bring = match Bring::new(remote, store, claimed, wanted, before) {
        Ok(bring) => bring,
        Err(error) => return (Became::Store(error), None, Beside::Left),
    };
    let longest = Duration::from_secs(PUSH_SECONDS_MAX);
    let became = match tokio::time::timeout(longest, bring.run()).await {
        Ok(Ok(())) => Became::Confirmed,
        Ok(Err(Cut::Failure(failure))) => Became::Failed(failure),
        Ok(Err(Cut::Lost)) => Became::Lost,
        Ok(Err(Cut::Store(error))) => Became::Store(error),
        Err(_) => {
            let why = format!("it took longer than {PUSH_SECONDS_MAX} seconds in all");
            Became::Failed(Failure::Unsure(why))
        }
    };
    (became, Some(Remembered::Account(bring.memory)), bring.beside)
}
