//! Edits of a site's rules: what they would make of them, and writing them.

use super::preview::Proposed;
use super::recompute::{Scope, ask};
use super::settle::{Bench, Cause, RuleBook};
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::store::conn::Conn;
use crate::store::plans::{self, Moved};
use crate::store::recomputes::{self, Recompute};
use crate::store::rules::{self, Level};
use crate::store::{Result, products, sites};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What shall be different about a site's rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Edits {
    /// Another policy of the site; `None` leaves it.
    pub policy: Option<Policy>,
    /// Levels that are new, with their names.
    pub new_levels: Vec<(String, String)>,
    /// Levels that get another name.
    pub renamed_levels: Vec<(String, String)>,
    /// Mappings that are new.
    pub new: Vec<Mapping>,
    /// Mappings that are changed, as they shall be.
    pub edited: Vec<Mapping>,
    /// Mappings that go.
    pub gone: Vec<Mapping>,
    /// Products that shall be ignored; a mapping that is new or changed ends the ignoring of any other.
    pub ignored: BTreeSet<String>,
}

impl Edits {
    /// Whether nothing shall be different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every mapping that is new, changed or goes.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.new.iter().chain(&self.edited).chain(&self.gone)
    }

    /// The rules as they would be.
    #[must_use]
    pub fn proposed(&self, bench: &Bench) -> Proposed {
        let replaced: BTreeSet<&String> = self.mappings().map(|mapping| &mapping.id).collect();
        let kept = bench.book.mappings.iter().filter(|m| !replaced.contains(&m.id));
        let mut mappings: Vec<Mapping> =
            kept.chain(&self.new).chain(&self.edited).cloned().collect();
        mappings.sort_by(|a, b| a.id.cmp(&b.id));
        let mut ignored = bench.book.ignored.clone();
        for mapping in self.new.iter().chain(&self.edited) {
            ignored.remove(&mapping.product_id);
        }
        ignored.extend(self.ignored.iter().cloned());
        let policy = self.policy.clone().unwrap_or_else(|| bench.site.policy.clone());
        Proposed { policy, book: RuleBook::new(mappings.into(), ignored) }
    }

    /// Writes them; answers what has to be computed again. `plan_id` names the plan by which somebody
    /// has seen what that will do.
    pub fn write(
        &self,
        conn: &mut Conn,
        bench: &mut Bench,
        plan_id: Option<&str>,
    ) -> Result<Vec<Recompute>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let concerned = self.products(bench);
        self.write_levels(conn, bench)?;
        let site_id = &bench.site.id;
        for mapping in &self.gone {
            rules::delete_mapping(conn, site_id, &mapping.id)?;
        }
        for mapping in &self.new {
            rules::insert_mapping(conn, site_id, mapping)?;
        }
        for mapping in &self.edited {
            rules::update_mapping(conn, site_id, mapping)?;
        }
        let ignored = self.proposed(bench).book.ignored;
        for product_id in concerned.keys() {
            products::decide(conn, site_id, product_id, ignored.contains(product_id))?;
        }
        if let Some(policy) = &self.policy {
            bench.site.policy = policy.clone();
        }
        rules_moved(conn, bench, &self.moved())?;
        let cause = |kind, id: &str| Cause::new(kind, id).seen_in(plan_id);
        if self.policy.is_some() {
            let all = Scope { product_id: None, reread_dates: false };
            return Ok(vec![ask(conn, bench, &all, &cause("settings", "site"))?]);
        }
        let recompute = |(product, by): (String, String)| {
            let scope = Scope { product_id: Some(product), reread_dates: false };
            ask(conn, bench, &scope, &cause("mapping", &by))
        };
        concerned.into_iter().map(recompute).collect()
    }

    fn write_levels(&self, conn: &mut Conn, bench: &Bench) -> Result<()> {
        let site_id = &bench.site.id;
        for (id, name) in self.new_levels.iter().cloned() {
            let (site_id, created_at) = (site_id.clone(), bench.at.naive_utc());
            rules::insert_level(conn, &Level { site_id, id, name, created_at })?;
        }
        for (id, name) in self.renamed_levels.iter().cloned() {
            if let Some(level) = rules::level(conn, site_id, &id)? {
                rules::update_level(conn, &Level { name, ..level })?;
            }
        }
        Ok(())
    }

    /// The products whose purchases are concerned, each with what changes name as the cause.
    fn products(&self, bench: &Bench) -> BTreeMap<String, String> {
        let edited: BTreeSet<&String> = self.edited.iter().map(|mapping| &mapping.id).collect();
        let before = bench.book.mappings.iter().filter(|mapping| edited.contains(&mapping.id));
        let mapped = before.chain(self.mappings());
        let mapped = mapped.map(|mapping| (mapping.product_id.clone(), mapping.id.clone()));
        self.ignored.iter().map(|id| (id.clone(), id.clone())).chain(mapped).collect()
    }

    /// What has moved once they are written.
    fn moved(&self) -> Vec<Moved> {
        let levels = self.new_levels.iter().chain(&self.renamed_levels);
        let policy = self.policy.iter().map(|_| Moved::new("settings", "policy"));
        let levels = levels.map(|(id, _)| Moved::new("level", id));
        let mappings = self.mappings().map(|mapping| Moved::new("mapping", &mapping.id));
        let ignored = self.ignored.iter().map(|id| Moved::new("product", id));
        policy.chain(levels).chain(mappings).chain(ignored).collect()
    }
}

/// Writes a site back whose rules have changed, in the transaction that changes them: every cache is told,
/// and no open plan is true any more, if what has `moved` is anything that plans are computed from.
pub fn rules_moved(conn: &mut Conn, bench: &mut Bench, moved: &[Moved]) -> Result<()> {
    bench.site.rules_version += 1;
    if !moved.is_empty() {
        recomputes::unsee(conn, &bench.site.id)?;
        if bench.site.plans_open > 0 {
            bench.site.plans_open = plans::end_open(conn, &bench.site.id, moved, bench.at)?;
        }
    }
    sites::update(conn, &bench.site)
}
