//! What a key may do, as an order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a key may do; each contains those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything but bodies.
    Read,
    /// Also bodies, overrides, replay and discard.
    Support,
    /// Also mappings, levels, products and destinations.
    Manage,
    /// Also sites, keys and erasing.
    Admin,
}

impl Scope {
    /// Every scope, the widest last.
    pub const ALL: [Self; 4] = [Self::Read, Self::Support, Self::Manage, Self::Admin];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Support => "support",
            Self::Manage => "manage",
            Self::Admin => "admin",
        }
    }

    /// The scope that a word names; `None` where it names none.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// The scopes in words that are separated by spaces; words that are none are passed over.
    #[must_use]
    pub fn all_in(words: &str) -> Vec<Self> {
        let named = |scope: &Self| words.split(' ').any(|word| word == scope.as_str());
        Self::ALL.into_iter().filter(named).collect()
    }

    /// The widest of the scopes in words; `None` where there is none.
    #[must_use]
    pub fn widest(words: &str) -> Option<Self> {
        Self::all_in(words).pop()
    }

    /// Scopes as words that are separated by spaces.
    #[must_use]
    pub fn words(scopes: &[Self]) -> String {
        let words: Vec<&str> =
            Self::ALL.into_iter().filter(|s| scopes.contains(s)).map(Self::as_str).collect();
        words.join(" ")
    }
}
