//! What an edit of a destination has changed so that everybody has to be brought in line with it: left to itself, a
//! destination is only told of members whose access changes.

use super::Destination;
use std::collections::BTreeMap;

/// Why everybody is to be resynced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is another place.
    Address,
    /// It is told of other levels, or of the same by other names.
    Levels,
}

impl Changed {
    /// What an edit has changed; `None` where nobody has to be told anew.
    pub fn between(before: &Destination, after: &Destination) -> Option<Self> {
        if before.place() != after.place() {
            return Some(Self::Address);
        }
        (told(before) != told(after) || tiers(before) != tiers(after)).then_some(Self::Levels)
    }

    /// What stands for it in an address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Levels => "levels",
        }
    }

    /// What a word in an address stands for.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Address, Self::Levels].into_iter().find(|changed| changed.word() == word)
    }

    /// What the operator is told.
    pub fn why(self) -> &'static str {
        match self {
            Self::Address => {
                "The address has changed. What members had at the one before is not known at the new one: until you resync everybody, it is only told of those whose access changes next."
            }
            Self::Levels => {
                "The levels have changed. Until you resync everybody, only members whose access changes next are told by the new ones: all others keep there what they have."
            }
        }
    }
}

/// The levels, whatever their order, with what each is called there.
fn told(destination: &Destination) -> BTreeMap<&str, Option<&str>> {
    let told = destination.levels.iter();
    told.map(|told| (told.level.as_str(), told.remote.as_deref())).collect()
}

/// The free tiers that come with labels; a kind without them has none.
fn tiers(destination: &Destination) -> Option<&serde_json::Value> {
    destination.config.get("tiers").filter(|tiers| !tiers.is_null())
}
