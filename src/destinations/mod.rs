//! The membership sites that access is carried to: one file a kind.
//!
//! A kind takes values and returns outcomes. It knows no database, no member and no schedule: what is wanted, what
//! is remembered and when it is tried again is [`crate::dispatch`]'s. A destination either keeps accounts
//! ([`Accounts`]), which are brought in line, or is told ([`Messages`]). A new kind is one file, and one line in
//! [`KINDS`].
//!
//! Absences that tests check: nothing is called but through [`Caller`], and so through the one client that goes
//! out; no kind touches what it was not told to; no outcome names a secret.

mod caller;
pub mod ghost;
mod offered;
pub mod webhook;
pub mod wordpress;

pub use caller::Caller;
pub use offered::{Offer, Offered};

use async_trait::async_trait;
use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use std::collections::BTreeSet;

/// Every kind there is.
pub const KINDS: [&Kind; 3] = [&webhook::KIND, &wordpress::KIND, &ghost::KIND];

/// The kind with a name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

/// What operators write down for a destination: an object whose fields each kind knows.
pub type Config = Map<String, Value>;

/// One kind of destination.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the API and in the database.
    pub name: &'static str,
    /// Reads what operators wrote down, secrets included, and makes what calls the destination.
    pub open: fn(&Config, Caller) -> Result<Remote, Wrong>,
    /// The fields of its [`Config`] that are never shown.
    pub secrets: &'static [&'static str],
    /// Whether messages to it are signed with a secret that Latchkey makes.
    pub is_signed: bool,
    /// Whether each level is told under a name of the destination's own.
    pub names_levels: bool,
    /// How fast it is called where operators say nothing else.
    pub pace: Pace,
    /// What operators write down, for the API document.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// How fast a destination is called by one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Calls in a second.
    pub calls_per_second: u32,
    /// Pushes under way at once.
    pub concurrency: u32,
}

/// Something in a [`Config`] that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Wrong {
    /// Where it stands in the config, as a JSON pointer.
    pub pointer: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl Wrong {
    /// Something wrong at a field.
    pub fn at(field: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{field}"), detail: detail.into() }
    }
}

/// Reads a config whose fields a kind knows.
fn read<T: DeserializeOwned>(config: &Config) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(Value::Object(config.clone())).map_err(|error| {
        let pointer = error.path().iter().map(pointer_part).collect();
        Wrong { pointer, detail: error.into_inner().to_string() }
    })
}

/// One step of a JSON pointer.
fn pointer_part(segment: &Segment) -> String {
    match segment {
        Segment::Map { key: name } | Segment::Enum { variant: name } => {
            format!("/{}", name.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Seq { index } => format!("/{index}"),
        Segment::Unknown => String::new(),
    }
}

/// A destination that can be called.
pub enum Remote {
    /// It keeps accounts, which are brought in line.
    Accounts(Box<dyn Accounts>),
    /// It is told.
    Messages(Box<dyn Messages>),
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accounts(_) => "Accounts",
            Self::Messages(_) => "Messages",
        })
    }
}

/// An account as a destination shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What the destination calls it.
    pub remote_id: String,
    /// Its address as the destination has it, trimmed and lower case.
    pub email: String,
    /// Every role, label or group that it holds, whoever gave it.
    pub holds: BTreeSet<String>,
    /// Why it must not be touched; `None` where it may be.
    pub untouchable: Option<String>,
}

/// What does not come about at a destination; each says why, in words that are shown to operators, with the
/// destination's own where it has any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It takes no call of ours until an operator has done something: credentials, rights, it is gone.
    #[error("{0}")]
    Stopped(String),
    /// It asks to be left alone for so many seconds.
    #[error("{why}")]
    Busy {
        /// What it said.
        why: String,
        /// For how long; `None` where it does not say.
        seconds: Option<i64>,
    },
    /// It could not be reached: nothing of the call has arrived.
    #[error("{0}")]
    Unreached(String),
    /// It did not do it, or nobody knows whether it did: no answer, an error of its own, an answer that is none.
    #[error("{0}")]
    Unsure(String),
    /// It refuses this member, and would again.
    #[error("{0}")]
    Refused(String),
}

/// A destination that keeps accounts.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The account with an address; `None` where there is none.
    async fn find(&self, email: &str) -> Result<Option<Account>, Failure>;

    /// The account with an id; `None` where there is none any more.
    async fn get(&self, remote_id: &str) -> Result<Option<Account>, Failure>;

    /// Makes an account that holds this and nothing else of ours; called once it is known that there is none. One
    /// that is there all the same is answered as it is, and not made twice.
    async fn make(&self, email: &str, holds: &BTreeSet<String>) -> Result<Account, Failure>;

    /// Whether the mail that lets the owner of a new account in is asked for with a call of its own
    /// ([`Accounts::welcome`]); where not, making an account sends it.
    fn welcomes_apart(&self) -> bool;

    /// Has the destination send its own mail by which the owner of a new account gets in.
    async fn welcome(&self, account: &Account) -> Result<(), Failure>;

    /// Adds and removes this, leaves everything else, and answers the account as it is afterwards, in the words of
    /// the destination. What is there already is added, and what is not there is removed.
    async fn write(
        &self,
        account: &Account,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<Account, Failure>;

    /// Gives an account another address; refused where that is another account's.
    async fn rename(&self, account: &Account, email: &str) -> Result<Account, Failure>;

    /// Looks whether all that is needed works: credentials, rights, and these names of roles, labels or groups.
    async fn test(&self, remotes: &BTreeSet<String>) -> Vec<Finding>;

    /// What it has that levels can be told as. Where it lists nothing itself, these names are looked for, too.
    async fn offered(&self, named: &BTreeSet<String>) -> Result<Offered, Failure>;
}

/// One message, the same at every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, the same at every attempt.
    pub id: String,
    /// The second of this attempt, since 1970.
    pub timestamp: i64,
    /// What it says.
    pub body: String,
}

/// A destination that is told.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Whether it wants to be told of things of a type.
    fn wants(&self, what: &str) -> bool;

    /// Tells it.
    async fn tell(&self, message: &Message) -> Result<(), Failure>;

    /// Sends it a message that says nothing, and sees whether it is taken.
    async fn test(&self, message: &Message) -> Vec<Finding>;
}

/// One thing that a test has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `config`, `connection`, `credentials`, `rights`, `names`, `message`.
    pub what: &'static str,
    /// Whether it is as it has to be.
    pub ok: bool,
    /// What was found, in words; where it is not ok, what to do about it.
    pub detail: String,
}

impl Finding {
    /// Something that is as it has to be.
    pub fn good(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, ok: true, detail: detail.into() }
    }

    /// Something that is not.
    pub fn bad(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, ok: false, detail: detail.into() }
    }
}
