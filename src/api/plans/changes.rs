//! From the changes of a plan to the edits that it would write: each is looked at against the rules as those
//! before it leave them, and every fault is told with its place.

use super::shapes::{Change, Op};
use crate::api::mappings::{self, faults, policy_of, taken, twin};
use crate::core::mapping::Mapping;
use crate::flow::edits::Edits;
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::{products, rules};
use crate::web::extract::{self, Object};
use crate::web::problem::{Fault, Problem};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Changes in one plan.
pub const CHANGES_MAX: usize = 1_000;

/// Reads the changes of a plan.
pub fn edits(
    conn: &mut Conn,
    bench: &Bench,
    changes: Vec<Object<Change>>,
) -> Result<Edits, Problem> {
    if changes.is_empty() || changes.len() > CHANGES_MAX {
        let detail = format!("must name 1 to {CHANGES_MAX} changes");
        return Err(Problem::invalid_at("/changes", detail));
    }
    let mut rules = Rules::of(bench);
    let mut found = Vec::new();
    for (place, Object(change)) in changes.into_iter().enumerate() {
        for fault in rules.take(conn, change)? {
            let pointer = format!("/changes/{place}{}", fault.pointer);
            found.push(Fault { pointer, detail: fault.detail });
        }
    }
    if found.is_empty() { Ok(rules.edits()) } else { Err(Problem::invalid(found)) }
}

/// The rules as the changes so far leave them.
struct Rules<'a> {
    bench: &'a Bench,
    mappings: BTreeMap<String, Mapping>,
    ignored: BTreeSet<String>,
    edits: Edits,
}

type Faults = Vec<Fault>;

impl<'a> Rules<'a> {
    fn of(bench: &'a Bench) -> Self {
        let mappings = bench.book.mappings.iter().map(|m| (m.id.clone(), m.clone())).collect();
        Self { bench, mappings, ignored: bench.book.ignored.clone(), edits: Edits::default() }
    }

    /// Takes one more change; answers what is wrong with it.
    fn take(&mut self, conn: &mut Conn, change: Change) -> Result<Faults, Problem> {
        let extra = surplus(&change);
        if !extra.is_empty() {
            return Ok(extra);
        }
        match change.op {
            Op::CreateMapping => self.create_mapping(conn, change.mapping),
            Op::UpdateMapping => self.update_mapping(conn, change.id, change.mapping),
            Op::DeleteMapping => Ok(self.delete_mapping(change.id)),
            Op::SetPolicy => Ok(self.set_policy(change.policy)),
            Op::CreateLevel => self.create_level(conn, change.level),
            Op::IgnoreProduct => self.ignore_product(conn, change.product_id.map(|id| id.0)),
        }
    }

    fn create_mapping(
        &mut self,
        conn: &mut Conn,
        written: Option<serde_json::Value>,
    ) -> Result<Faults, Problem> {
        match read::<mappings::Create>("/mapping", written).and_then(|asked| {
            asked.into_mapping().map_err(|problem| under("/mapping", problem.errors))
        }) {
            Ok(mapping) => self.put(conn, mapping),
            Err(faults) => Ok(faults),
        }
    }

    fn update_mapping(
        &mut self,
        conn: &mut Conn,
        id: Option<String>,
        written: Option<serde_json::Value>,
    ) -> Result<Faults, Problem> {
        let before = match self.existing(id) {
            Ok(before) => before,
            Err(faults) => return Ok(faults),
        };
        match read::<mappings::Edit>("/mapping", written)
            .and_then(|edit| edit.on(&before).map_err(|problem| under("/mapping", problem.errors)))
        {
            Ok(mapping) => self.put(conn, mapping),
            Err(faults) => Ok(faults),
        }
    }

    fn existing(&self, id: Option<String>) -> Result<Mapping, Faults> {
        let id = id.ok_or_else(|| fault("/id", "is missing: name the mapping"))?;
        let found = self.mappings.get(&id).cloned();
        found.ok_or_else(|| fault("/id", "There is no such mapping. Look at the list of mappings."))
    }

    fn put(&mut self, conn: &mut Conn, mapping: Mapping) -> Result<Faults, Problem> {
        let has_level = self.has_level(conn, &mapping.level)?;
        let mut found = faults(&mapping, has_level);
        let twin = twin(&mapping, self.mappings.values()).map(|twin| self.told_of(twin));
        found.extend(twin.map(|detail| Fault { pointer: String::new(), detail }));
        if found.is_empty() {
            self.ignored.remove(&mapping.product_id);
            self.mappings.insert(mapping.id.clone(), mapping);
        }
        Ok(under("/mapping", found))
    }

    /// What to say of a mapping that is there already: by its id only where it was there before this plan, for what the
    /// plan itself makes cannot be looked up.
    fn told_of(&self, twin: &Mapping) -> String {
        if self.bench.book.mappings.iter().any(|mapping| mapping == twin) {
            return taken(twin);
        }
        "Another change of this plan makes a mapping with the same product, price point, level and window. \
         Leave one of them out."
            .to_owned()
    }

    fn has_level(&self, conn: &mut Conn, level: &str) -> Result<bool, Problem> {
        let is_new = self.edits.new_levels.iter().any(|(id, _)| id == level);
        Ok(is_new || rules::level(conn, &self.bench.site.id, level)?.is_some())
    }

    fn delete_mapping(&mut self, id: Option<String>) -> Faults {
        match self.existing(id) {
            Ok(mapping) => {
                self.mappings.remove(&mapping.id);
                Vec::new()
            }
            Err(faults) => faults,
        }
    }

    fn set_policy(
        &mut self,
        written: Option<Option<Object<crate::core::policy::Policy>>>,
    ) -> Faults {
        let Some(written) = written else {
            return fault(
                "/policy",
                "is missing: an object, or null for the policy that sets nothing",
            );
        };
        let policy = policy_of(written);
        let wrong = policy.faults().into_iter();
        let wrong = wrong.map(|(key, detail)| Fault { pointer: format!("/policy/{key}"), detail });
        let wrong: Faults = wrong.collect();
        if wrong.is_empty() {
            self.edits.policy = Some(policy);
        }
        wrong
    }

    fn create_level(
        &mut self,
        conn: &mut Conn,
        level: Option<Object<crate::api::levels::Create>>,
    ) -> Result<Faults, Problem> {
        let Some(Object(level)) = level else {
            return Ok(fault("/level", "is missing: an object with an id and perhaps a name"));
        };
        match level.checked() {
            Err(faults) => Ok(under("/level", faults)),
            Ok((id, _)) if self.has_level(conn, &id)? => {
                let detail = "There is a level with this id already. Choose another id.";
                Ok(fault("/level/id", detail))
            }
            Ok(level) => {
                self.edits.new_levels.push(level);
                Ok(Vec::new())
            }
        }
    }

    fn ignore_product(&mut self, conn: &mut Conn, id: Option<String>) -> Result<Faults, Problem> {
        let Some(id) = id else {
            return Ok(fault("/product_id", "is missing: name the product"));
        };
        if products::with_ids(conn, &self.bench.site.id, std::slice::from_ref(&id))?.is_empty() {
            let detail = "There is no such product. Look at the list of products.";
            return Ok(fault("/product_id", detail));
        }
        if self.mappings.values().any(|mapping| mapping.enabled && mapping.product_id == id) {
            let detail = "The product has an enabled mapping. Disable or delete it before, in this plan or apart.";
            return Ok(fault("/product_id", detail));
        }
        self.ignored.insert(id);
        Ok(Vec::new())
    }

    /// What differs from the rules that there are.
    fn edits(self) -> Edits {
        let Self { bench, mappings, ignored, mut edits } = self;
        let old: BTreeMap<&String, &Mapping> =
            bench.book.mappings.iter().map(|mapping| (&mapping.id, mapping)).collect();
        let stays = |mapping: &&&Mapping| !mappings.contains_key(&mapping.id);
        edits.gone = old.values().filter(stays).copied().cloned().collect();
        for (id, mapping) in mappings {
            match old.get(&id) {
                None => edits.new.push(mapping),
                Some(before) if **before != mapping => {
                    // However many changes there were, it is one edit.
                    edits.edited.push(Mapping { version: before.version + 1, ..mapping });
                }
                Some(_) => {}
            }
        }
        let mapped: BTreeSet<String> = edits
            .new
            .iter()
            .chain(&edits.edited)
            .map(|mapping| mapping.product_id.clone())
            .collect();
        // What is ignored already stays so, unless a mapping here would end that.
        edits.ignored = &ignored - &(&bench.book.ignored - &mapped);
        edits.policy = edits.policy.filter(|policy| *policy != bench.site.policy);
        edits
    }
}

/// What a change says that its op has no use for.
fn surplus(change: &Change) -> Faults {
    let has = [
        ("/id", change.id.is_some(), matches!(change.op, Op::UpdateMapping | Op::DeleteMapping)),
        (
            "/mapping",
            change.mapping.is_some(),
            matches!(change.op, Op::CreateMapping | Op::UpdateMapping),
        ),
        ("/policy", change.policy.is_some(), change.op == Op::SetPolicy),
        ("/level", change.level.is_some(), change.op == Op::CreateLevel),
        ("/product_id", change.product_id.is_some(), change.op == Op::IgnoreProduct),
    ];
    let surplus = has.into_iter().filter(|(_, is_there, has_use)| *is_there && !has_use);
    surplus.flat_map(|(key, ..)| fault(key, "is of no use to this op: leave it out")).collect()
}

/// What is written under a key, or what is wrong with it and where.
fn read<T: DeserializeOwned>(key: &str, written: Option<serde_json::Value>) -> Result<T, Faults> {
    let written = written.ok_or_else(|| fault(key, "is missing: an object"))?;
    extract::read_value(written).map_err(|fault| under(key, vec![fault]))
}

fn fault(pointer: &str, detail: &str) -> Faults {
    vec![Fault { pointer: pointer.to_owned(), detail: detail.to_owned() }]
}

/// Faults of a part, with their place in the whole.
fn under(key: &str, faults: Faults) -> Faults {
    let place = |fault: Fault| Fault { pointer: format!("{key}{}", fault.pointer), ..fault };
    faults.into_iter().map(place).collect()
}
