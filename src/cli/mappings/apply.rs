//! From the rules that there are to those of a file: what differs, whom it concerns, and bringing it about.

use super::as_they_are;
use super::file::{Key, RulesFile, key_of};
use crate::core::mapping::Mapping;
use crate::flow::edits::{Edits, rules_moved};
use crate::flow::preview::{Step, preview};
use crate::flow::{Flow, FlowError};
use crate::store::conn::Conn;
use crate::store::plans::Moved;
use crate::store::recomputes::{self, Recompute};
use crate::store::sites::Busy;
use crate::store::{destinations, held_open, level_counts, overrides, rules};
use indicatif::ProgressBar;
use std::collections::BTreeMap;

/// What differs between the rules that there are and those of a file.
#[derive(Debug, Default)]
pub struct Difference {
    /// What is written at once.
    pub edits: Edits,
    /// Levels that the file does not name: they go once nothing names them any more.
    pub gone_levels: Vec<String>,
}

impl Difference {
    /// Compares what there is with what is wanted. New mappings get their ids, edited ones the next version.
    fn between(is: &RulesFile, wanted: &RulesFile) -> Self {
        let mut old: BTreeMap<Key, &Mapping> = is.mappings.iter().map(|m| (key_of(m), m)).collect();
        let policy = (is.policy != wanted.policy).then(|| wanted.policy.clone());
        let mut edits = Edits { policy, ..Edits::default() };
        for mapping in &wanted.mappings {
            let written = |id, version| Mapping { id, version, ..mapping.clone() };
            match old.remove(&key_of(mapping)) {
                None => edits.new.push(written(crate::ids::new(), 1)),
                Some(before) => {
                    let (enabled, policy) = (before.enabled, &before.policy);
                    if (enabled, policy) != (mapping.enabled, &mapping.policy) {
                        edits.edited.push(written(before.id.clone(), before.version + 1));
                    }
                }
            }
        }
        edits.gone = old.into_values().cloned().collect();
        for (id, name) in &wanted.levels {
            let named = (id.clone(), name.clone());
            match is.levels.get(id) {
                None => edits.new_levels.push(named),
                Some(old) if old != name => edits.renamed_levels.push(named),
                Some(_) => {}
            }
        }
        let gone = is.levels.keys().filter(|id| !wanted.levels.contains_key(*id));
        Self { edits, gone_levels: gone.cloned().collect() }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.gone_levels.is_empty()
    }
}

/// What a file would change.
#[derive(Debug)]
pub struct Plan {
    /// Of the rules.
    pub difference: Difference,
    /// Of the members, by address.
    pub steps: Vec<Step>,
}

/// Computes what a file would change; nothing is changed.
pub fn plan(
    flow: &Flow,
    site: &str,
    wanted: &RulesFile,
    bar: &ProgressBar,
) -> Result<Plan, FlowError> {
    let (difference, proposed) = flow.on_snapshot(site, |conn, bench| {
        let difference = Difference::between(&as_they_are(conn, bench)?, wanted);
        let proposed = difference.edits.proposed(bench);
        Ok::<_, FlowError>((difference, proposed))
    })?;
    let mut steps = Vec::new();
    preview(flow, site, &proposed, |page, progress| {
        steps.extend(page);
        show_progress(bar, progress.done, progress.total);
    })?;
    steps.sort_by(|a, b| (&a.email, &a.level).cmp(&(&b.email, &b.level)));
    Ok(Plan { difference, steps })
}

/// What was brought about.
#[derive(Debug)]
pub struct Applied {
    /// Of the rules.
    pub difference: Difference,
    /// Members who were computed again.
    pub members: i64,
    /// Whether that is still to be done: a disabled site is worked on when it is enabled.
    pub waits: bool,
    /// Levels that the file does not name, and that grants or blocks still do.
    pub kept_levels: Vec<String>,
    /// Levels of members that are held open now: more would have been revoked than `max_revocations` allows.
    pub held_open: i64,
}

/// Brings a site to what a file says: the rules at once, then the members, batch by batch.
pub fn apply(
    flow: &Flow,
    site: &str,
    wanted: &RulesFile,
    bar: &ProgressBar,
) -> Result<Applied, FlowError> {
    let (difference, asked) = flow.under_lock(site, |conn, bench| {
        let difference = Difference::between(&as_they_are(conn, bench)?, wanted);
        let asked = difference.edits.write(conn, bench, None)?;
        Ok::<_, FlowError>((difference, asked))
    })?;
    let total = asked.iter().map(|recompute| recompute.members).sum();
    let (mut worked, mut sees_to) = (true, true);
    let waits = loop {
        // Read after a batch that found nothing, too: a daemon beside us may just have done the rest.
        let open = flow.store().read(|conn| open_ones(conn, site, &asked))?;
        let left: i64 = open.iter().map(|recompute| recompute.members - recompute.done).sum();
        show_progress(bar, total - left, total);
        if open.is_empty() || !worked {
            break !open.is_empty();
        }
        worked = flow.recompute_batch(site, Busy::Wait)?;
        sees_to = sees_to && flow.see_to(site);
    };
    let kept_levels = remove_levels(flow, site, &difference.gone_levels)?;
    let held_open = flow.store().read(|conn| held_open::count(conn, site))?;
    Ok(Applied { difference, members: total, waits, kept_levels, held_open })
}

fn open_ones(
    conn: &mut Conn,
    site: &str,
    asked: &[Recompute],
) -> Result<Vec<Recompute>, FlowError> {
    let mut open = Vec::new();
    for recompute in asked {
        let now = recomputes::get(conn, site, &recompute.id)?;
        open.extend(now.filter(|recompute| recompute.finished_at.is_none()));
    }
    Ok(open)
}

/// Removes levels that nothing names any more; answers the others.
fn remove_levels(flow: &Flow, site: &str, gone: &[String]) -> Result<Vec<String>, FlowError> {
    let mut kept = Vec::new();
    for id in gone {
        let in_use = flow.under_lock(site, |conn, bench| {
            let mapped = bench.book.mappings.iter().any(|mapping| &mapping.level == id);
            let held = level_counts::of(conn, site, std::slice::from_ref(id))?;
            let held = held.into_values().any(|members| members > 0);
            if mapped
                || held
                || overrides::any_of_level(conn, site, id, bench.at)?
                || destinations::names_level(conn, site, id)?
            {
                return Ok::<_, FlowError>(true);
            }
            rules::delete_level(conn, site, id)?;
            rules_moved(conn, bench, &[Moved::new("level", id)])?;
            Ok(false)
        })?;
        kept.extend(in_use.then(|| id.clone()));
    }
    Ok(kept)
}

fn show_progress(bar: &ProgressBar, done: i64, total: i64) {
    bar.set_length(u64::try_from(total).unwrap_or_default());
    bar.set_position(u64::try_from(done.min(total)).unwrap_or_default());
}
