//! From the rules that there are to those of a file: what differs, whom it concerns, and bringing it about.

use super::as_they_are;
use super::file::{Key, RulesFile, key_of};
use crate::api::mappings::end_ignoring;
use crate::core::mapping::Mapping;
use crate::flow::preview::{Proposed, Step, preview};
use crate::flow::recompute::{Scope, ask};
use crate::flow::settle::{Bench, Cause, RuleBook};
use crate::flow::{Flow, FlowError};
use crate::store::conn::Conn;
use crate::store::recomputes::{self, Recompute};
use crate::store::rules::{self, Level};
use crate::store::sites::{self, Busy};
use crate::store::{members, overrides};
use indicatif::ProgressBar;
use std::collections::{BTreeMap, BTreeSet};

/// What differs between the rules that there are and those of a file.
#[derive(Debug, Default)]
pub struct Difference {
    /// Whether the site's policy differs.
    pub policy: bool,
    /// Levels that are new, with their names.
    pub new_levels: Vec<(String, String)>,
    /// Levels that get another name.
    pub renamed_levels: Vec<(String, String)>,
    /// Levels that the file does not name.
    pub gone_levels: Vec<String>,
    /// Mappings that are new.
    pub new: Vec<Mapping>,
    /// Mappings that are switched, or get another policy.
    pub edited: Vec<Mapping>,
    /// Mappings that the file does not name.
    pub gone: Vec<Mapping>,
}

impl Difference {
    /// Compares what there is with what is wanted. New mappings get their ids, edited ones the next version.
    fn between(is: &RulesFile, wanted: &RulesFile) -> Self {
        let mut old: BTreeMap<Key, &Mapping> = is.mappings.iter().map(|m| (key_of(m), m)).collect();
        let mut difference = Self { policy: is.policy != wanted.policy, ..Self::default() };
        for mapping in &wanted.mappings {
            let written = |id, version| Mapping { id, version, ..mapping.clone() };
            match old.remove(&key_of(mapping)) {
                None => difference.new.push(written(crate::ids::new(), 1)),
                Some(before) => {
                    let (enabled, policy) = (before.enabled, &before.policy);
                    if (enabled, policy) != (mapping.enabled, &mapping.policy) {
                        difference.edited.push(written(before.id.clone(), before.version + 1));
                    }
                }
            }
        }
        difference.gone = old.into_values().cloned().collect();
        for (id, name) in &wanted.levels {
            match is.levels.get(id) {
                None => difference.new_levels.push((id.clone(), name.clone())),
                Some(old) if old != name => {
                    difference.renamed_levels.push((id.clone(), name.clone()));
                }
                Some(_) => {}
            }
        }
        let gone = is.levels.keys().filter(|id| !wanted.levels.contains_key(*id));
        difference.gone_levels = gone.cloned().collect();
        difference
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        !self.policy && self.levels() + self.mappings() == 0
    }

    /// How many levels differ.
    pub fn levels(&self) -> usize {
        self.new_levels.len() + self.renamed_levels.len() + self.gone_levels.len()
    }

    /// How many mappings differ.
    pub fn mappings(&self) -> usize {
        self.new.len() + self.edited.len() + self.gone.len()
    }

    fn of_mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.new.iter().chain(&self.edited).chain(&self.gone)
    }

    /// The rules as they would be.
    fn proposed(&self, bench: &Bench, wanted: &RulesFile) -> Proposed {
        let replaced: BTreeSet<&String> = self.of_mappings().map(|mapping| &mapping.id).collect();
        let kept = bench.book.mappings.iter().filter(|m| !replaced.contains(&m.id));
        let mappings = kept.chain(&self.new).chain(&self.edited).cloned().collect();
        let mut ignored = bench.book.ignored.clone();
        for mapping in self.new.iter().chain(&self.edited) {
            ignored.remove(&mapping.product_id);
        }
        Proposed { policy: wanted.policy.clone(), book: RuleBook { mappings, ignored } }
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
        let proposed = difference.proposed(bench, wanted);
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
        let asked = write(conn, bench, &difference, wanted)?;
        Ok::<_, FlowError>((difference, asked))
    })?;
    let total = asked.iter().map(|recompute| recompute.members).sum();
    let mut worked = true;
    let waits = loop {
        // Read after a batch that found nothing, too: a daemon beside us may just have done the rest.
        let open = flow.store().read(|conn| open_ones(conn, site, &asked))?;
        let left: i64 = open.iter().map(|recompute| recompute.members - recompute.done).sum();
        show_progress(bar, total - left, total);
        if open.is_empty() || !worked {
            break !open.is_empty();
        }
        worked = flow.recompute_batch(site, Busy::Wait)?;
    };
    let kept_levels = remove_levels(flow, site, &difference.gone_levels)?;
    Ok(Applied { difference, members: total, waits, kept_levels })
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

/// Writes the rules; answers what has to be computed again.
fn write(
    conn: &mut Conn,
    bench: &mut Bench,
    difference: &Difference,
    wanted: &RulesFile,
) -> Result<Vec<Recompute>, FlowError> {
    let site_id = bench.site.id.clone();
    for (id, name) in difference.new_levels.iter().cloned() {
        let (site_id, created_at) = (site_id.clone(), bench.at.naive_utc());
        rules::insert_level(conn, &Level { site_id, id, name, created_at })?;
    }
    for (id, name) in difference.renamed_levels.iter().cloned() {
        if let Some(level) = rules::level(conn, &site_id, &id)? {
            rules::update_level(conn, &Level { name, ..level })?;
        }
    }
    for mapping in &difference.gone {
        rules::delete_mapping(conn, &site_id, &mapping.id)?;
    }
    for mapping in &difference.new {
        rules::insert_mapping(conn, &site_id, mapping)?;
        end_ignoring(conn, bench, mapping)?;
    }
    for mapping in &difference.edited {
        rules::update_mapping(conn, &site_id, mapping)?;
        end_ignoring(conn, bench, mapping)?;
    }
    if difference.policy {
        bench.site.policy = wanted.policy.clone();
        bench.site.rules_version += 1;
        sites::update(conn, &bench.site)?;
        let all = Scope { product_id: None, reread_dates: false };
        return Ok(vec![ask(conn, bench, &all, &Cause::new("settings", "site"))?]);
    }
    if difference.mappings() > 0 {
        sites::touch_rules(conn, &site_id)?;
    }
    let products: BTreeMap<&String, &Mapping> =
        difference.of_mappings().map(|mapping| (&mapping.product_id, mapping)).collect();
    let mut asked = Vec::new();
    for (product, mapping) in products {
        let scope = Scope { product_id: Some(product.clone()), reread_dates: false };
        asked.push(ask(conn, bench, &scope, &Cause::new("mapping", &mapping.id))?);
    }
    Ok(asked)
}

/// Removes levels that nothing names any more; answers the others.
fn remove_levels(flow: &Flow, site: &str, gone: &[String]) -> Result<Vec<String>, FlowError> {
    let mut kept = Vec::new();
    for id in gone {
        let in_use = flow.under_lock(site, |conn, bench| {
            let mapped = bench.book.mappings.iter().any(|mapping| &mapping.level == id);
            let held = members::count_by_level(conn, site, std::slice::from_ref(id))?;
            let held = held.into_iter().any(|(_, members)| members > 0);
            if mapped || held || overrides::any_of_level(conn, site, id, bench.at)? {
                return Ok::<_, FlowError>(true);
            }
            rules::delete_level(conn, site, id)?;
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
