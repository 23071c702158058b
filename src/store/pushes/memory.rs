//! What is remembered of a member at a destination.

use super::Push;
use crate::store::schema::pushes;
use crate::store::{Result, StoreError, to_json};
use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How far something that must not be done twice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has been begun, and whether it came about is not known.
    Begun,
    /// It is done.
    Done,
}

impl Progress {
    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
        }
    }

    /// Reads what a row says.
    pub fn of(word: Option<&str>) -> Result<Option<Self>> {
        match word {
            None => Ok(None),
            Some("begun") => Ok(Some(Self::Begun)),
            Some("done") => Ok(Some(Self::Done)),
            Some(word) => Err(StoreError::Corrupt(format!("the progress {word} of a push"))),
        }
    }
}

/// What is remembered of a member at a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory<T> {
    /// What the destination calls the member; `None` while that is not known.
    pub remote_id: Option<String>,
    /// What is Latchkey's there, or was told last.
    pub owned: T,
    /// How far Latchkey has made the account; `None` where it has not.
    pub account: Option<Progress>,
    /// How far its owner has been welcomed; `None` where they have not.
    pub welcome: Option<Progress>,
}

impl<T: DeserializeOwned> Memory<T> {
    /// What a row remembers.
    pub fn of(push: &Push) -> Result<Self> {
        Ok(Self {
            remote_id: push.remote_id.clone(),
            owned: push.owned()?,
            account: Progress::of(push.account.as_deref())?,
            welcome: Progress::of(push.welcome.as_deref())?,
        })
    }
}

/// The columns that hold a memory.
#[derive(AsChangeset)]
#[diesel(table_name = pushes, treat_none_as_null = true)]
pub(super) struct MemoryRow {
    pub(super) remote_id: Option<String>,
    pub(super) owned: String,
    pub(super) account: Option<&'static str>,
    pub(super) welcome: Option<&'static str>,
}

impl<T: Serialize> TryFrom<&Memory<T>> for MemoryRow {
    type Error = StoreError;

    fn try_from(memory: &Memory<T>) -> Result<Self> {
        Ok(Self {
            remote_id: memory.remote_id.clone(),
            owned: to_json("what is Latchkey's at a destination", &memory.owned)?,
            account: memory.account.map(Progress::as_str),
            welcome: memory.welcome.map(Progress::as_str),
        })
    }
}
