//! The rules of a site as a file that people write: read with a line and a key for each fault.
//!
//! A mapping is recognised by what makes it one (product, price point, level, window), so that the file names
//! no ids and fits another site as well.

use crate::core::Instant;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::web::extract::{KartraId, Moment, name_fault, slug_fault};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::{Spanned, Value};

/// What stands for a written `null`, which TOML has not.
pub const NONE: &str = "none";

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RulesFile {
    /// The site's policy.
    pub policy: Policy,
    /// The levels, by id, with their names.
    pub levels: BTreeMap<String, String>,
    /// The mappings; their ids are empty and their versions 0.
    pub mappings: Vec<Mapping>,
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct FileFault {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `mappings.level`; empty where the file is no TOML.
    pub key: String,
    /// What to do.
    pub detail: String,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.key.is_empty() { "" } else { ": " };
        write!(f, "line {}: {}{colon}{}", self.line, self.key, self.detail)
    }
}

type Written = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    policy: Written,
    #[serde(default)]
    levels: Vec<Level>,
    #[serde(default)]
    mappings: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    id: Spanned<String>,
    name: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    product_id: Spanned<Value>,
    price_point: Option<Spanned<Value>>,
    level: Spanned<String>,
    #[serde(default = "enabled")]
    enabled: bool,
    purchased_from: Option<Spanned<Value>>,
    purchased_before: Option<Spanned<Value>>,
    #[serde(default)]
    policy: Written,
}

fn enabled() -> bool {
    true
}

/// Reads a file; every fault of it at once, where it is TOML.
pub fn read(text: &str) -> Result<RulesFile, Vec<FileFault>> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let detail = error.message().to_owned();
        vec![FileFault { line: line_of(text, at), key: String::new(), detail }]
    })?;
    let mut reading = Reading { text, faults: Vec::new() };
    let file = reading.document(document);
    if reading.faults.is_empty() { Ok(file) } else { Err(reading.faults) }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

struct Reading<'a> {
    text: &'a str,
    faults: Vec<FileFault>,
}

impl Reading<'_> {
    fn note(&mut self, at: usize, key: &str, detail: impl Into<String>) {
        let (line, key, detail) = (line_of(self.text, at), key.to_owned(), detail.into());
        self.faults.push(FileFault { line, key, detail });
    }

    fn document(&mut self, document: Document) -> RulesFile {
        let mut file =
            RulesFile { policy: self.policy("policy", document.policy), ..RulesFile::default() };
        for level in document.levels {
            self.level(level, &mut file.levels);
        }
        let mut seen = BTreeSet::new();
        for entry in document.mappings {
            let at = entry.product_id.span().start;
            let Some(mapping) = self.mapping(entry, &file.levels) else { continue };
            if !seen.insert(key_of(&mapping)) {
                let detail = "another mapping has the same product, price point, level and window";
                self.note(at, "mappings", detail);
            }
            file.mappings.push(mapping);
        }
        file
    }

    fn level(&mut self, level: Level, levels: &mut BTreeMap<String, String>) {
        let at = level.id.span().start;
        let id = level.id.into_inner();
        if let Some(fault) = slug_fault(&id) {
            self.note(at, "levels.id", fault);
        }
        let name_at = level.name.as_ref().map_or(at, |name| name.span().start);
        let name = level.name.map_or_else(|| id.clone(), Spanned::into_inner);
        if let Some(fault) = name_fault(&name) {
            self.note(name_at, "levels.name", fault);
        }
        if levels.insert(id, name).is_some() {
            self.note(at, "levels.id", "another level has the same id");
        }
    }

    fn mapping(&mut self, entry: Entry, levels: &BTreeMap<String, String>) -> Option<Mapping> {
        let at = entry.level.span().start;
        if !levels.contains_key(entry.level.get_ref()) {
            self.note(
                at,
                "mappings.level",
                "there is no such level in this file; add it under [[levels]]",
            );
        }
        let before_at = entry.purchased_before.as_ref().map(|before| before.span().start);
        let product_id = self.id("mappings.product_id", entry.product_id);
        let price_point = entry.price_point.map(|id| self.id("mappings.price_point", id));
        let from = entry.purchased_from.map(|at| self.moment("mappings.purchased_from", at));
        let before = entry.purchased_before.map(|at| self.moment("mappings.purchased_before", at));
        let (from, before) = (from.flatten(), before.flatten());
        if let (Some(from), Some(before), Some(at)) = (from, before, before_at)
            && from >= before
        {
            self.note(at, "mappings.purchased_before", "must be later than purchased_from");
        }
        Some(Mapping {
            id: String::new(),
            version: 0,
            product_id: product_id?,
            price_point: price_point.flatten(),
            level: entry.level.into_inner(),
            enabled: entry.enabled,
            purchased_from: from,
            purchased_before: before,
            policy: self.policy("mappings.policy", entry.policy),
        })
    }

    fn id(&mut self, key: &str, written: Spanned<Value>) -> Option<String> {
        let at = written.span().start;
        let read = KartraId::try_from(json(written.into_inner()));
        read.map_err(|fault| self.note(at, key, fault)).ok().map(|id| id.0)
    }

    fn moment(&mut self, key: &str, written: Spanned<Value>) -> Option<Instant> {
        let at = written.span().start;
        let text = match written.into_inner() {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let read = Moment::try_from(text);
        read.map_err(|fault| self.note(at, key, fault)).ok().map(|moment| moment.0)
    }

    fn policy(&mut self, under: &str, written: Written) -> Policy {
        let mut all = serde_json::Map::new();
        for (key, value) in written {
            let at = key.span().start;
            let (key, value) = (key.into_inner(), json(value.into_inner()));
            let value = if value == NONE { serde_json::Value::Null } else { value };
            let alone = serde_json::Map::from_iter([(key.clone(), value.clone())]);
            match serde_json::from_value::<Policy>(alone.into()) {
                Err(error) => self.note(at, &format!("{under}.{key}"), error.to_string()),
                Ok(policy) => {
                    for (name, fault) in policy.faults() {
                        self.note(at, &format!("{under}.{}", name.replace('/', ".")), fault);
                    }
                    all.insert(key, value);
                }
            }
        }
        serde_json::from_value(all.into()).unwrap_or_default()
    }
}

/// What makes a mapping the one that it is.
pub type Key = (String, Option<String>, String, Option<Instant>, Option<Instant>);

/// What makes a mapping the one that it is.
pub fn key_of(mapping: &Mapping) -> Key {
    (
        mapping.product_id.clone(),
        mapping.price_point.clone(),
        mapping.level.clone(),
        mapping.purchased_from,
        mapping.purchased_before,
    )
}

/// A value of TOML as JSON; an instant becomes its text.
fn json(value: Value) -> serde_json::Value {
    match value {
        Value::String(text) => text.into(),
        Value::Integer(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Boolean(value) => value.into(),
        Value::Datetime(at) => at.to_string().into(),
        Value::Array(values) => values.into_iter().map(json).collect(),
        Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}
