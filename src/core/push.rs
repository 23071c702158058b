//! What a push carries: what a destination should hold of a member, and what has to be added and removed there.
//!
//! Only what Latchkey has added is ever removed: that is what `owned` remembers.

use super::Instant;
use super::access::Held;
use super::change::{Difference, What, differences};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where a push stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PushStatus")]
pub enum Status {
    /// It waits for its first attempt, or is under way.
    Pending,
    /// An attempt has failed, and it is tried again.
    Retrying,
    /// The destination has confirmed it.
    Done,
    /// It is not tried again by itself before the nightly run.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Retrying, Self::Done, Self::Failed];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The status that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A level that a destination is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedLevel {
    /// The level.
    pub level: String,
    /// What the destination calls it: a role, a label, a group. Signed webhooks are told the level itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl NamedLevel {
    /// What the destination calls it.
    #[must_use]
    pub fn remote(&self) -> &str {
        self.remote.as_deref().unwrap_or(&self.level)
    }
}

/// What a destination should hold of a member who holds some levels.
#[must_use]
pub fn wanted(levels: &[NamedLevel], held: &[Held]) -> BTreeSet<String> {
    let held = |named: &&NamedLevel| held.iter().any(|held| held.level == named.level);
    levels.iter().filter(held).map(|named| named.remote().to_owned()).collect()
}

/// What is to be done at an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// What is wanted and not there.
    pub add: BTreeSet<String>,
    /// What is Latchkey's, there, and not wanted.
    pub remove: BTreeSet<String>,
    /// What is Latchkey's afterwards.
    pub owned: BTreeSet<String>,
}

impl Step {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// What is to be done at an account that `holds` this, so that it holds what is wanted: what is `owned` and not wanted
/// goes, and nothing else does. With `adopts`, what is wanted and already there becomes Latchkey's.
#[must_use]
pub fn step(
    wanted: &BTreeSet<String>,
    owned: &BTreeSet<String>,
    holds: &BTreeSet<String>,
    adopts: bool,
) -> Step {
    let add: BTreeSet<String> = wanted.difference(holds).cloned().collect();
    let theirs = owned.intersection(holds);
    let remove = theirs.filter(|name| !wanted.contains(*name)).cloned().collect();
    let stays = wanted.iter().filter(|name| adopts || owned.contains(*name));
    let owned = stays.chain(&add).cloned().collect();
    Step { add, remove, owned }
}

/// What an account that does something else than it said is short of, and has too much, in words; `None` where it holds
/// what it should.
#[must_use]
pub fn unconfirmed(step: &Step, holds: &BTreeSet<String>) -> Option<String> {
    let short: Vec<&str> = step.add.difference(holds).map(String::as_str).collect();
    let over: Vec<&str> = step.remove.intersection(holds).map(String::as_str).collect();
    let said = |what: &str, names: Vec<&str>| match names.as_slice() {
        [] => None,
        names => Some(format!("{what} {}", names.join(", "))),
    };
    let parts = [said("still lacks", short), said("still has", over)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty())
        .then(|| format!("the destination took it, but its answer {}", parts.join(" and ")))
}

/// The number of a member's next message: it only grows, also where what was counted before is lost, as after a
/// restore from a backup.
#[must_use]
pub fn next_version(last: i64, now: Instant) -> i64 {
    now.timestamp_micros().max(last.saturating_add(1))
}

/// What a message says of a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The level.
    pub level: String,
    /// Since when it is held.
    pub since: Instant,
    /// Until when; `None` where no end is known.
    pub until: Option<Instant>,
}

impl From<&Held> for Told {
    fn from(held: &Held) -> Self {
        Self { level: held.level.clone(), since: held.since, until: held.until }
    }
}

impl From<&Told> for Held {
    fn from(told: &Told) -> Self {
        Self { level: told.level.clone(), since: told.since, until: told.until }
    }
}

/// What `access.changed` says: all levels of a member, and what has come, gone and moved since the destination last
/// confirmed a message.
#[must_use]
pub fn access_changed(
    site_id: &str,
    email: &str,
    version: i64,
    before: &[Told],
    now: &[Told],
) -> Value {
    let held = |told: &[Told]| told.iter().map(Held::from).collect::<Vec<_>>();
    let steps = differences(&held(before), &held(now));
    let of = |what: What| {
        let of_kind = steps.iter().filter(|step| step.what == what);
        of_kind.map(|step: &Difference| step.level.clone()).collect::<Vec<_>>()
    };
    json!({
        "site": site_id, "email": email, "version": version, "levels": now,
        "granted": of(What::Granted), "revoked": of(What::Revoked), "updated": of(What::Updated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_what_is_ours_is_ever_removed() {
        for (wanted, owned, holds, adopts, add, remove, after) in [
            // Nothing is there, and nothing was ours.
            ("a b", "", "", false, "a b", "", "a b"),
            // What was there before stays theirs, and stays when it is not wanted any more.
            ("a b", "", "a x", false, "b", "", "b"),
            ("", "b", "a b x", false, "", "b", ""),
            // Somebody has taken ours away: it is added again, or forgotten.
            ("a", "a", "x", false, "a", "", "a"),
            ("", "a", "x", false, "", "", ""),
            // Taken over: it is ours from now on.
            ("a b", "", "a x", true, "b", "", "a b"),
            ("a", "a", "a", false, "", "", "a"),
        ] {
            let found = step(&set(wanted), &set(owned), &set(holds), adopts);
            let expected = Step { add: set(add), remove: set(remove), owned: set(after) };
            assert_eq!(found, expected, "{wanted} | {owned} | {holds}");
        }
    }

    #[test]
    fn an_answer_that_says_something_else_confirms_nothing() {
        let asked = Step { add: set("a b"), remove: set("c d"), owned: set("a b") };
        assert_eq!(unconfirmed(&asked, &set("a b x")), None);
        let said = "the destination took it, but its answer still lacks b and still has c";
        assert_eq!(unconfirmed(&asked, &set("a c")).as_deref(), Some(said));
    }

    #[test]
    fn a_version_only_grows_whatever_the_clock_does() {
        let now = Instant::from_timestamp_micros(1_000).unwrap();
        assert_eq!(next_version(0, now), 1_000);
        assert_eq!(next_version(1_000, now), 1_001);
        assert_eq!(next_version(5_000, now), 5_001);
    }

    #[test]
    fn a_message_says_all_levels_and_what_has_moved_since_the_last_one() {
        let at = |second| Instant::from_timestamp(second, 0).unwrap();
        let told = |level: &str, until: Option<i64>| Told {
            level: level.to_owned(),
            since: at(1),
            until: until.map(at),
        };
        let before = [told("gold", None), told("silver", None)];
        let now = [told("silver", Some(9)), told("tin", None)];
        assert_eq!(
            access_changed("site", "ada@example.com", 7, &before, &now),
            json!({
                "site": "site", "email": "ada@example.com", "version": 7,
                "levels": [
                    {"level": "silver", "since": "1970-01-01T00:00:01Z", "until": "1970-01-01T00:00:09Z"},
                    {"level": "tin", "since": "1970-01-01T00:00:01Z", "until": null},
                ],
                "granted": ["tin"], "revoked": ["gold"], "updated": ["silver"],
            })
        );
    }
}
