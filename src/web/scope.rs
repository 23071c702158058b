//! What a key may do, as an order and as types that a handler's signature names.

use serde::{Deserialize, Serialize};

/// What a key may do; each contains those before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
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

/// A scope as a type, so that a handler's signature says what it asks for.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($name:ident)*) => {$(
        #[doc = concat!("Asks for the scope `", stringify!($name), "`.")]
        pub struct $name;
        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}
needs!(Read Support Manage Admin);
