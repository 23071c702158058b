//! Compares what the site answers about the invented members with what it should.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::expect::Question;
use super::site::Site;
use crate::core::Instant as Moment;
use crate::simulate::{Level, accesses, addresses};

/// No more differences are shown, however many there are.
const SHOWN_MAX: usize = 20;
/// Who differs is asked about again for so long: a change of rules may still be worked off …
const ASKED_AGAIN_FOR: Duration = Duration::from_secs(2);
/// … with this much between.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// One level of one address that is held otherwise than it should be.
#[derive(Debug)]
struct Difference {
    email: String,
    level: String,
    expected: Option<Level>,
    answered: Option<Level>,
}

/// What came of the comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    site: String,
    members: usize,
    /// Those members about whom the site answers otherwise.
    differing: Vec<u32>,
    differences: usize,
    /// The first differences, by member, address and level.
    shown: BTreeMap<(u32, String, String), Difference>,
}

/// Asks about every member over some connections; about who differs, again for a while.
pub async fn compare(
    site: &Site,
    question: Question,
    at: Option<Moment>,
    connections: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Comparison> {
    let members: Vec<u32> = (0..question.plan.members).collect();
    let count = members.len();
    let question = Arc::new(question);
    bar.set_length(question.plan.members.into());
    let mut found = pass(site, &question, at, members, connections, bar).await?;
    bar.finish_and_clear();
    let began = Instant::now();
    while !found.differing.is_empty() && began.elapsed() < ASKED_AGAIN_FOR {
        sleep(ASKED_AGAIN_AFTER).await;
        let hidden = ProgressBar::hidden();
        found = pass(site, &question, at, found.differing, connections, &hidden).await?;
    }
    found.differing.sort_unstable();
    Ok(Comparison { site: site.id.clone(), members: count, ..found })
}

/// Asks about some members, once.
async fn pass(
    site: &Site,
    question: &Arc<Question>,
    at: Option<Moment>,
    members: Vec<u32>,
    connections: u32,
    bar: &ProgressBar,
) -> anyhow::Result<Comparison> {
    let members: Arc<[u32]> = members.into();
    let step = usize::try_from(connections.max(1))?;
    let mut workers = JoinSet::new();
    for first in 0..step {
        let (site, question) = (site.clone(), Arc::clone(question));
        let (members, bar) = (Arc::clone(&members), bar.clone());
        workers.spawn(async move {
            let mut found = Comparison::default();
            for member in members.iter().skip(first).step_by(step) {
                let differences = differences(&site, &question, at, *member).await?;
                found.add(*member, differences);
                bar.inc(1);
            }
            anyhow::Ok(found)
        });
    }
    let mut all = Comparison::default();
    while let Some(found) = workers.join_next().await {
        all.join(found??);
    }
    Ok(all)
}

/// How the answers about one member differ. Without an instant, the site answers for now, from what it has recorded,
/// and says when that is.
async fn differences(
    site: &Site,
    question: &Question,
    at: Option<Moment>,
    member: u32,
) -> anyhow::Result<Vec<Difference>> {
    let Question { plan, rules, received_at, .. } = question;
    let mut found = Vec::new();
    for email in addresses(plan, member) {
        let answered = site.access(&email, at).await?;
        let should = accesses(plan, member, rules, *received_at, answered.at);
        let should = should.into_iter().find(|access| access.email == email);
        let expected = by_name(should.map(|access| access.levels).unwrap_or_default());
        let answered = by_name(answered.levels);
        let levels: BTreeSet<&String> = expected.keys().chain(answered.keys()).collect();
        let differ =
            levels.into_iter().filter(|level| expected.get(*level) != answered.get(*level));
        found.extend(differ.map(|level| Difference {
            email: email.clone(),
            level: level.clone(),
            expected: expected.get(level).cloned(),
            answered: answered.get(level).cloned(),
        }));
    }
    Ok(found)
}

fn by_name(levels: Vec<Level>) -> BTreeMap<String, Level> {
    levels.into_iter().map(|level| (level.level.clone(), level)).collect()
}

impl Comparison {
    /// Whether every member holds what they should.
    pub fn is_equal(&self) -> bool {
        self.differing.is_empty()
    }

    fn add(&mut self, member: u32, differences: Vec<Difference>) {
        if !differences.is_empty() {
            self.differing.push(member);
        }
        for difference in differences {
            self.differences += 1;
            let key = (member, difference.email.clone(), difference.level.clone());
            self.show(key, difference);
        }
    }

    fn join(&mut self, other: Self) {
        self.differing.extend(other.differing);
        self.differences += other.differences;
        for (key, difference) in other.shown {
            self.show(key, difference);
        }
    }

    fn show(&mut self, key: (u32, String, String), difference: Difference) {
        self.shown.insert(key, difference);
        if self.shown.len() > SHOWN_MAX {
            self.shown.pop_last();
        }
    }

    /// In words.
    pub fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (site, members, differing) = (&self.site, self.members, self.differing.len());
        if self.is_equal() {
            return writeln!(
                out,
                "Checked: the site {site} answers what it should about all {members} members."
            );
        }
        writeln!(
            out,
            "Checked: about {differing} of {members} members, the site {site} answers something else."
        )?;
        for Difference { email, level, expected, answered } in self.shown.values() {
            let (expected, answered) = (in_words(expected.as_ref()), in_words(answered.as_ref()));
            writeln!(out, "  {email}, {level}: expected {expected}, answered {answered}")?;
        }
        let more = self.differences - self.shown.len();
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
        Ok(())
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let bounds = |level: &Level| json!({"since": level.since, "until": level.until});
        let shown = self.shown.values().map(|d| {
            json!({
                "email": d.email,
                "level": d.level,
                "expected": d.expected.as_ref().map(bounds),
                "answered": d.answered.as_ref().map(bounds),
            })
        });
        json!({
            "site": self.site,
            "equal": self.is_equal(),
            "members": self.members,
            "differing": self.differing.len(),
            "differences": self.differences,
            "shown": shown.collect::<Vec<_>>(),
        })
    }
}

fn in_words(level: Option<&Level>) -> String {
    let Some(level) = level else { return "nothing".to_owned() };
    let of = |at: Moment| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    match level.until {
        Some(until) => format!("since {} until {}", of(level.since), of(until)),
        None => format!("since {} with no known end", of(level.since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(number: usize) -> Difference {
        Difference {
            email: format!("{number:03}@example.com"),
            level: "gold".to_owned(),
            expected: None,
            answered: Some(Level {
                level: "gold".to_owned(),
                since: "2026-01-02T03:04:05Z".parse().expect("an instant"),
                until: "2026-02-02T03:04:05Z".parse().ok(),
            }),
        }
    }

    #[test]
    fn the_first_differences_are_shown_and_the_others_are_counted() {
        let mut all =
            Comparison { site: "default".to_owned(), members: 99, ..Comparison::default() };
        // As two connections find them, none in order.
        for remainder in [1, 0] {
            let mut found = Comparison::default();
            for member in (0..SHOWN_MAX + 5).rev().filter(|member| member % 2 == remainder) {
                found.add(u32::try_from(member).expect("few"), vec![difference(member)]);
            }
            found.add(1_000, Vec::new());
            all.join(found);
        }
        let mut out = Vec::new();
        all.print(&mut out).expect("printed");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), SHOWN_MAX + 2, "{text}");
        assert_eq!(
            lines[0],
            "Checked: about 25 of 99 members, the site default answers something else."
        );
        assert_eq!(
            lines[1],
            "  000@example.com, gold: expected nothing, answered since 2026-01-02T03:04:05Z until 2026-02-02T03:04:05Z"
        );
        assert!(lines[SHOWN_MAX].starts_with("  019@example.com, "), "{text}");
        assert_eq!(lines[SHOWN_MAX + 1], "  and 5 more");
        let json = all.json();
        assert_eq!((&json["differing"], &json["differences"]), (&json!(25), &json!(25)));
        assert_eq!(json["shown"].as_array().map(Vec::len), Some(SHOWN_MAX));
    }
}
