//! The levels that a member holds, as they stand beside the address: what the door needs, in the one row
//! that it reads. The table `access` has the same, for everybody else.

use super::members::Member;
use super::stored;
use crate::core::Instant;
use crate::core::access::Held;
use chrono::NaiveDateTime;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Whether a level is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Whether it is.
    pub is_held: bool,
    /// Its end; `None` where none is known, or it is not held.
    pub until: Option<Instant>,
}

/// The end of each level, or that none is known.
type Ends<'a> = BTreeMap<Cow<'a, str>, Option<NaiveDateTime>>;

/// Levels as they are stored.
fn text(levels: &[Held]) -> String {
    let ends: BTreeMap<&str, Option<NaiveDateTime>> =
        levels.iter().map(|held| (held.level.as_str(), held.until.map(stored))).collect();
    // Names and instants can always be written.
    serde_json::to_string(&ends).unwrap_or_default()
}

/// Whether a level is held, by a stored text; `None` where it cannot be read.
pub(super) fn access(text: &str, level: &str) -> Option<Access> {
    let ends: Ends<'_> = serde_json::from_str(text).ok()?;
    let end = ends.get(level);
    Some(Access { is_held: end.is_some(), until: end.and_then(|end| *end).map(|at| at.and_utc()) })
}

impl Member {
    /// Takes what the member holds as of this version; answers whether that was not written yet.
    pub fn hold(&mut self, levels: &[Held]) -> bool {
        let held = text(levels);
        let is_new = self.held != held || self.held_version != self.version;
        self.held = held;
        self.held_version = self.version;
        is_new
    }

    /// Whether the door is right where the member holds these levels. Of another version nothing that stands beside
    /// the address counts: a process of an older release records access without it.
    #[must_use]
    pub fn is_held_as(&self, levels: &[Held]) -> bool {
        let ends: Option<Ends<'_>> = serde_json::from_str(&self.held).ok();
        let expected =
            levels.iter().map(|held| (held.level.as_str().into(), held.until.map(stored)));
        self.held_version != self.version || ends == Some(expected.collect())
    }
}
