//! The difference of two answers: what is recorded, and pushed.

use super::Instant;
use super::access::Held;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a level is gone of which no grant is left to say more: its mapping is gone, or its purchases have
/// moved to another address.
pub const NOTHING_GIVES_IT: &str = "nothing_gives_it";

/// A step of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ChangeKind")]
pub enum What {
    /// The level was not held, and is.
    Granted,
    /// The level was held, and is not.
    Revoked,
    /// The level is held as before, its end moved.
    Updated,
}

impl What {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Updated => "updated",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The level.
    pub level: String,
    /// What happened to it.
    pub what: What,
    /// Its end from now on; `None` where no end is known, and for what was revoked.
    pub until: Option<Instant>,
}

/// What differs between what was recorded and what is held now, by level.
#[must_use]
pub fn differences(recorded: &[Held], now: &[Held]) -> Vec<Difference> {
    let before: BTreeMap<&str, &Held> = recorded.iter().map(|h| (h.level.as_str(), h)).collect();
    let after: BTreeMap<&str, &Held> = now.iter().map(|h| (h.level.as_str(), h)).collect();
    let revoked = before
        .keys()
        .filter(|level| !after.contains_key(*level))
        .map(|level| Difference { level: (*level).to_owned(), what: What::Revoked, until: None });
    let given = after.iter().filter_map(|(level, held)| {
        let what = match before.get(level) {
            None => What::Granted,
            Some(known) if known.until != held.until => What::Updated,
            Some(_) => return None,
        };
        Some(Difference { level: (*level).to_owned(), what, until: held.until })
    });
    revoked.chain(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(level: &str, until: Option<i64>) -> Held {
        let until = until.and_then(|second| Instant::from_timestamp(second, 0));
        Held { level: level.to_owned(), since: Instant::UNIX_EPOCH, until }
    }

    #[test]
    fn only_what_moved_is_a_difference() {
        let before = [held("gold", None), held("silver", None), held("tin", Some(5))];
        let after = [held("gold", None), held("tin", None), held("zinc", Some(9))];
        let found: Vec<_> =
            differences(&before, &after).into_iter().map(|d| (d.level, d.what)).collect();
        let expected = [("silver", What::Revoked), ("tin", What::Updated), ("zinc", What::Granted)];
        assert_eq!(found, expected.map(|(level, what)| (level.to_owned(), what)));
    }

    #[test]
    fn a_difference_carries_the_new_end_and_a_revocation_none() {
        let (ends, lasts) = (held("gold", Some(9)), held("gold", None));
        for (before, after, what, until) in [
            (vec![], vec![ends.clone()], What::Granted, ends.until),
            (vec![], vec![lasts.clone()], What::Granted, None),
            (vec![ends.clone()], vec![], What::Revoked, None),
            (vec![ends.clone()], vec![lasts.clone()], What::Updated, None),
            (vec![lasts.clone()], vec![ends.clone()], What::Updated, ends.until),
        ] {
            let expected = Difference { level: "gold".to_owned(), what, until };
            assert_eq!(differences(&before, &after), [expected], "{before:?} {after:?}");
        }
    }

    #[test]
    fn nothing_against_nothing_and_the_same_against_itself_are_no_difference() {
        assert_eq!(differences(&[], &[]), []);
        let same = [held("tin", Some(5)), held("gold", None)];
        let mut turned = same.clone();
        turned.reverse();
        assert_eq!(differences(&same, &turned), []);
        // Where it began is no step of access: only its end is.
        let begun_later =
            Held { since: Instant::UNIX_EPOCH + chrono::TimeDelta::days(1), ..held("gold", None) };
        assert_eq!(differences(&[held("gold", None)], &[begun_later]), []);
    }
}
