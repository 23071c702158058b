//! What an account at a destination is short of, and has too much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a destination differs from what is wanted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DriftKind")]
pub enum What {
    /// It is wanted, and not there.
    Missing,
    /// It is not wanted, and there, and Latchkey has added it.
    Surplus,
    /// Nobody knows: the account could not be looked at.
    Unseen,
}

impl What {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Surplus => "surplus",
            Self::Unseen => "unseen",
        }
    }

    /// What a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Missing, Self::Surplus, Self::Unseen].into_iter().find(|what| what.as_str() == word)
    }
}

/// How an account that `holds` this differs from what is wanted: what is not ours is nobody's business.
#[must_use]
pub fn differences(
    wanted: &BTreeSet<String>,
    owned: &BTreeSet<String>,
    holds: &BTreeSet<String>,
) -> Vec<(What, String)> {
    let missing = wanted.difference(holds).map(|name| (What::Missing, name.clone()));
    let ours = owned.intersection(holds).filter(|name| !wanted.contains(*name));
    missing.chain(ours.map(|name| (What::Surplus, name.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_and_not_there_is_missing_and_only_what_is_ours_can_be_too_much() {
        let set =
            |names: &str| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        for (wanted, owned, holds, expected) in [
            ("a b", "", "", vec![(What::Missing, "a"), (What::Missing, "b")]),
            ("a", "a", "a x", vec![]),
            ("a", "a b", "b x", vec![(What::Missing, "a"), (What::Surplus, "b")]),
            // What was there before stays unsaid, and so does what somebody else has taken away.
            ("", "", "a x", vec![]),
            ("", "a", "x", vec![]),
        ] {
            let found = differences(&set(wanted), &set(owned), &set(holds));
            let found: Vec<(What, &str)> =
                found.iter().map(|(what, name)| (*what, name.as_str())).collect();
            assert_eq!(found, expected, "{wanted} | {owned} | {holds}");
        }
    }
}
