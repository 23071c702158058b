//! Brings one account in line. What must not be done twice, and what has to be ours afterwards, is written down before
//! it is done: whoever comes after a crash finds what was begun.

use super::claim::Claimed;
use crate::core::push::{step, unconfirmed};
use crate::destinations::{Account, Accounts, Failure};
use crate::store::pushes::{self, Progress, Push};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;

/// What is remembered of an account.
pub(super) type Memory = pushes::Memory<BTreeSet<String>>;

/// What keeps an account from being brought in line.
#[derive(Debug)]
pub(super) enum Cut {
    /// The destination.
    Failure(Failure),
    /// Somebody else has the claim now, and nothing more is done here.
    Lost,
    /// Our own store.
    Store(StoreError),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What is written down while a push is under way.
#[derive(Clone)]
pub(super) struct Ledger {
    pub(super) store: Store,
    pub(super) push: Push,
    pub(super) claim: String,
}

impl Ledger {
    /// Writes down what is about to be so.
    async fn keep(&self, memory: &Memory) -> Result<(), Cut> {
        let (ledger, memory) = (self.clone(), memory.clone());
        let written = tokio::task::spawn_blocking(move || {
            ledger.store.write(|conn| pushes::keep(conn, &ledger.push, &ledger.claim, &memory))
        });
        match written.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Err(error)) => Err(Cut::Store(error)),
            // Either somebody else has it, or the program is stopping and nothing was written.
            Ok(Ok(false)) | Err(_) => Err(Cut::Lost),
        }
    }
}

/// What was done about the account of the address before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// It goes on under this address.
    Taken,
    /// It stays where it is.
    Left,
}

/// The work on one account.
pub(super) struct Bring<'a> {
    pub(super) remote: &'a dyn Accounts,
    pub(super) ledger: Ledger,
    pub(super) email: &'a str,
    pub(super) wanted: &'a BTreeSet<String>,
    pub(super) adopts: bool,
    /// What is remembered, kept up to date whatever happens.
    pub(super) memory: Memory,
    /// The push of the address before, whose account may go on, and what is remembered of that.
    pub(super) before: Option<(&'a Push, Memory)>,
    /// What was done about it.
    pub(super) beside: Beside,
}

impl<'a> Bring<'a> {
    pub(super) fn new(
        remote: &'a dyn Accounts,
        store: &Store,
        claimed: &'a Claimed,
        wanted: &'a BTreeSet<String>,
        before: Option<&'a Push>,
    ) -> Result<Self, StoreError> {
        let push = &claimed.push;
        let (claim, memory) = (claimed.claim.clone(), Memory::of(push)?);
        let before = before.map(|before| Ok::<_, StoreError>((before, Memory::of(before)?)));
        Ok(Self {
            remote,
            ledger: Ledger { store: store.clone(), push: push.clone(), claim },
            email: push.email.as_deref().unwrap_or_default(),
            wanted,
            adopts: push.adopts,
            memory,
            before: before.transpose()?,
            beside: Beside::Left,
        })
    }

    /// Does it; afterwards the destination has confirmed that the account holds what is wanted.
    pub(super) async fn run(&mut self) -> Result<(), Cut> {
        let Some(account) = self.account().await? else {
            // Nobody needs an account who holds nothing.
            self.memory.remote_id = None;
            self.memory.owned.clear();
            return Ok(());
        };
        self.memory.remote_id = Some(account.remote_id.clone());
        self.write(&account).await?;
        self.welcome(&account).await
    }

    /// The account: the one that is known, the one with the address, the one of the address before, or a new one.
    async fn account(&mut self) -> Result<Option<Account>, Cut> {
        if let Some(remote_id) = &self.memory.remote_id
            && let Some(account) = self.remote.get(remote_id).await?
        {
            return Ok(Some(account));
        }
        if let Some(account) = self.remote.find(self.email).await? {
            let is_of_before = self
                .before
                .as_ref()
                .is_some_and(|(_, before)| before.remote_id.as_ref() == Some(&account.remote_id));
            match self.memory.account {
                // It has the address already: it was given to it, and that was not noted.
                _ if is_of_before => self.take_over(),
                // It was made, and that was not noted.
                Some(Progress::Begun) => self.memory.account = Some(Progress::Done),
                _ => {}
            }
            return Ok(Some(account));
        }
        if let Some(account) = self.renamed().await? {
            return Ok(Some(account));
        }
        if self.wanted.is_empty() {
            return Ok(None);
        }
        self.made().await.map(Some)
    }

    /// Takes what is remembered of the account of the address before.
    fn take_over(&mut self) {
        if let Some((_, before)) = &self.before {
            self.memory = before.clone();
            self.beside = Beside::Taken;
        }
    }

    /// The account of the address before, under this address; `None` where there is none that may be renamed.
    async fn renamed(&mut self) -> Result<Option<Account>, Cut> {
        let Some((_, before)) = &self.before else { return Ok(None) };
        let Some(remote_id) = &before.remote_id else { return Ok(None) };
        let Some(account) = self.remote.get(remote_id).await? else { return Ok(None) };
        if account.untouchable.is_some() {
            return Ok(None);
        }
        match self.remote.rename(&account, self.email).await {
            Ok(renamed) => {
                self.take_over();
                Ok(Some(renamed))
            }
            Err(Failure::Refused(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A new account, which holds what is wanted and nothing else of ours.
    async fn made(&mut self) -> Result<Account, Cut> {
        self.memory.account = Some(Progress::Begun);
        self.memory.owned.clone_from(self.wanted);
        self.ledger.keep(&self.memory).await?;
        match self.remote.make(self.email, self.wanted).await {
            Ok(account) => {
                self.memory.account = Some(Progress::Done);
                Ok(account)
            }
            Err(failure) => {
                // Where nobody knows, it stays begun: an account that is found then is ours.
                if !matches!(failure, Failure::Unsure(_)) {
                    self.memory.account = None;
                    self.memory.owned.clear();
                }
                Err(failure.into())
            }
        }
    }

    /// Adds what is wanted and not there, and removes what is ours and not wanted.
    async fn write(&mut self, account: &Account) -> Result<(), Cut> {
        let step = step(self.wanted, &self.memory.owned, &account.holds, self.adopts);
        if step.is_empty() {
            self.memory.owned = step.owned;
            return Ok(());
        }
        if let Some(why) = &account.untouchable {
            return Err(Failure::Refused(why.clone()).into());
        }
        if !step.add.is_subset(&self.memory.owned) {
            self.memory.owned.extend(step.add.iter().cloned());
            self.ledger.keep(&self.memory).await?;
        }
        let mut written = self.remote.write(account, &step.add, &step.remove).await?;
        // What is not ours any more is never looked at again, so that it is gone has to be seen, and not only heard.
        if !step.remove.is_empty()
            && let Some(seen) = self.remote.get(&account.remote_id).await?
        {
            written = seen;
        }
        if let Some(why) = unconfirmed(&step, &written.holds) {
            return Err(Failure::Unsure(why).into());
        }
        self.memory.owned = step.owned;
        Ok(())
    }

    /// Lets the owner of an account that Latchkey has made in, once. Where nobody knows whether that went out, it is
    /// not sent again by itself.
    async fn welcome(&mut self, account: &Account) -> Result<(), Cut> {
        let is_new = self.memory.account == Some(Progress::Done) && self.memory.welcome.is_none();
        if !is_new {
            return Ok(());
        }
        if !self.remote.welcomes_apart() {
            self.memory.welcome = Some(Progress::Done);
            return Ok(());
        }
        self.memory.welcome = Some(Progress::Begun);
        self.ledger.keep(&self.memory).await?;
        match self.remote.welcome(account).await {
            Ok(()) => {
                self.memory.welcome = Some(Progress::Done);
                Ok(())
            }
            Err(Failure::Unsure(_)) => {
                tracing::warn!(
                    site_id = self.ledger.push.site_id,
                    push_id = self.ledger.push.id,
                    "nobody knows whether a new account's owner was welcomed; it is not done again by itself"
                );
                Ok(())
            }
            Err(failure) => {
                self.memory.welcome = None;
                Err(failure.into())
            }
        }
    }
}
