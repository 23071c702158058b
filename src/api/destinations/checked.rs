//! What callers write about a destination, looked at before it is written down.

use super::shapes::{
    CALLS_PER_SECOND_MAX, CONCURRENCY_MAX, Create, Edit, EditLimits, LEVELS_MAX, kind_of, kinds,
};
use crate::app::App;
use crate::core::push::NamedLevel;
use crate::destinations::webhook::MessageType;
use crate::destinations::{Config, Kind, Remote, kind};
use crate::dispatch::sealed::{self, SECRET, SECRET_BEFORE};
use crate::flow::settle::Bench;
use crate::ids;
use crate::store::conn::Conn;
use crate::store::destinations::{Destination, State};
use crate::store::pushes::ACCESS;
use crate::store::rules;
use crate::web::extract::{Object, name_fault};
use crate::web::problem::{Fault, Problem};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How large a config may be, in bytes of JSON.
const CONFIG_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with something that was written, place by place.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn note(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), detail: detail.into() });
    }

    fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

/// The destination that a body asks for, and the secret that was made for it.
pub(super) fn made(
    app: &App,
    conn: &mut Conn,
    bench: &Bench,
    body: Create,
) -> Result<(Destination, Option<String>), Problem> {
    let Create { kind: kind_name, name, enabled, config, levels, limits } = body;
    let kind = kind_called(&kind_name)?;
    let mut faults = Faults::default();
    if let Some(fault) = name_fault(&name) {
        faults.note("/name", fault);
    }
    if kind.names_levels && levels.is_empty() {
        faults.note("/levels", "must name at least one level, and what it is called there");
    }
    let levels = levels_of(conn, bench, kind, levels, &mut faults)?;
    let limits = limits.map(|Object(limits)| limits).unwrap_or_default();
    check_limits(limits, &mut faults);
    faults.done()?;
    let mut destination = Destination {
        site_id: bench.site.id.clone(),
        id: ids::new(),
        kind: kind_name,
        name,
        enabled,
        config: "{}".to_owned(),
        secrets: None,
        levels,
        types: Vec::new(),
        calls_per_second: None,
        concurrency: None,
        state: State::Ok,
        detail: None,
        down_since: None,
        failures: 0,
        paused_until: None,
        secret_before_until: None,
        next_drift_at: None,
        version: 1,
        created_at: bench.at,
    };
    limit(&mut destination, limits);
    refuse_earlier_secret(&config)?;
    let secret = put_config(app, &mut destination, kind, config)?;
    Ok((destination, secret))
}

/// What a body makes of a destination, and the secret that was made for it.
pub(super) fn edited(
    app: &App,
    conn: &mut Conn,
    bench: &Bench,
    before: &Destination,
    body: Edit,
) -> Result<(Destination, Option<String>), Problem> {
    let Edit { name, enabled, config, levels, limits } = body;
    let kind = kind_of(before)?;
    let mut destination = Destination { version: before.version + 1, ..before.clone() };
    let mut faults = Faults::default();
    if let Some(fault) = name.as_deref().and_then(name_fault) {
        faults.note("/name", fault);
    }
    if let Some(levels) = levels {
        destination.levels = levels_of(conn, bench, kind, levels, &mut faults)?;
    }
    let limits = match limits {
        None => EditLimits::default(),
        Some(None) => EditLimits { calls_per_second: Some(None), concurrency: Some(None) },
        Some(Some(Object(limits))) => limits,
    };
    check_limits(limits, &mut faults);
    faults.done()?;
    limit(&mut destination, limits);
    destination.name = name.unwrap_or(destination.name);
    if enabled == Some(true) || config.is_some() {
        // Whatever kept it from being called may be over. That it is, only an answer can say.
        destination.is_tried_again(bench.at);
    }
    destination.enabled = enabled.unwrap_or(destination.enabled);
    let Some(config) = config else { return Ok((destination, None)) };
    refuse_earlier_secret(&config)?;
    let mut whole = sealed::before_edit(app.sealer(), before, bench.at)?;
    if config.contains_key(SECRET) {
        // Another secret is given, or asked for: the one before is not to be used any longer.
        whole.remove(SECRET_BEFORE);
        destination.secret_before_until = None;
    }
    merge(&mut whole, config);
    let secret = put_config(app, &mut destination, kind, whole)?;
    Ok((destination, secret))
}

/// What calls a destination that is not there yet. What it would sign with is made where none is given.
pub(super) fn opened(app: &App, kind_name: &str, mut config: Config) -> Result<Remote, Problem> {
    let kind = kind_called(kind_name)?;
    refuse_earlier_secret(&config)?;
    make_secret(kind, &mut config)?;
    open(app, kind, &config)
}

fn kind_called(name: &str) -> Result<&'static Kind, Problem> {
    kind(name).ok_or_else(|| {
        let detail = format!("must be one of {}", kinds().join(", "));
        Problem::invalid_at("/kind", detail)
    })
}

/// Makes what messages are signed with, where that is needed and not given.
fn make_secret(kind: &Kind, config: &mut Config) -> Result<Option<String>, Problem> {
    let lacks_one = kind.is_signed && config.get(SECRET).is_none_or(Value::is_null);
    let secret = lacks_one.then(sealed::new_secret).transpose()?;
    if let Some(secret) = &secret {
        config.insert(SECRET.to_owned(), secret.clone().into());
    }
    Ok(secret)
}

/// What calls a destination of a kind with this config.
fn open(app: &App, kind: &Kind, config: &Config) -> Result<Remote, Problem> {
    if serde_json::to_vec(config).unwrap_or_default().len() > CONFIG_BYTES_MAX {
        let detail = format!("must be at most {CONFIG_BYTES_MAX} bytes of JSON");
        return Err(Problem::invalid_at("/config", detail));
    }
    let opened = app.dispatch().try_open(kind.name, config, None);
    opened.map_err(|wrong| Problem::invalid_at(format!("/config{}", wrong.pointer), wrong.detail))
}

/// The levels that a body names, as far as they can be.
fn levels_of(
    conn: &mut Conn,
    bench: &Bench,
    kind: &Kind,
    levels: Vec<Object<NamedLevel>>,
    faults: &mut Faults,
) -> Result<Vec<NamedLevel>, Problem> {
    if levels.len() > LEVELS_MAX {
        faults.note("/levels", format!("must name at most {LEVELS_MAX} levels"));
        return Ok(Vec::new());
    }
    if levels.is_empty() {
        return Ok(Vec::new());
    }
    let there = rules::level_names(conn, &bench.site.id)?;
    let levels: Vec<NamedLevel> = levels.into_iter().map(|Object(level)| level).collect();
    let mut named = BTreeSet::new();
    for (index, NamedLevel { level, remote }) in levels.iter().enumerate() {
        let pointer = |field: &str| format!("/levels/{index}/{field}");
        if !there.contains_key(level) {
            faults.note(pointer("level"), "There is no such level. Make it first.");
        } else if !named.insert(level) {
            faults.note(pointer("level"), "The level is named above already.");
        }
        match remote.as_deref() {
            None if kind.names_levels => {
                faults.note(pointer("remote"), "must say what the destination calls the level");
            }
            Some(remote) => {
                if let Some(fault) = name_fault(remote) {
                    faults.note(pointer("remote"), fault);
                }
            }
            None => {}
        }
    }
    Ok(levels)
}

fn check_limits(limits: EditLimits, faults: &mut Faults) {
    let all = [
        ("calls_per_second", limits.calls_per_second, CALLS_PER_SECOND_MAX),
        ("concurrency", limits.concurrency, CONCURRENCY_MAX),
    ];
    for (field, written, max) in all {
        if written.flatten().is_some_and(|number| !(1..=max).contains(&number)) {
            faults.note(format!("/limits/{field}"), format!("must be from 1 to {max}"));
        }
    }
}

/// Takes over the limits that were written.
fn limit(destination: &mut Destination, limits: EditLimits) {
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    if let Some(written) = limits.calls_per_second {
        destination.calls_per_second = written.map(number);
    }
    if let Some(written) = limits.concurrency {
        destination.concurrency = written.map(number);
    }
}

/// What was signed with before is kept by rotating a secret, and not written.
fn refuse_earlier_secret(config: &Config) -> Result<(), Problem> {
    if config.contains_key(SECRET_BEFORE) {
        let detail = "cannot be written: POST …/rotate-secret keeps the secret before for a while";
        return Err(Problem::invalid_at(format!("/config/{SECRET_BEFORE}"), detail));
    }
    Ok(())
}

/// Merges as RFC 7396 has it.
fn merge(into: &mut Config, patch: Config) {
    for (field, value) in patch {
        match value {
            Value::Null => {
                into.remove(&field);
            }
            Value::Object(patch) => {
                let mut inner = match into.remove(&field) {
                    Some(Value::Object(inner)) => inner,
                    _ => Map::new(),
                };
                merge(&mut inner, patch);
                into.insert(field, Value::Object(inner));
            }
            value => {
                into.insert(field, value);
            }
        }
    }
}

/// Puts a config where a destination keeps it, if the destination can be called with it; answers the secret that was
/// made for it.
fn put_config(
    app: &App,
    destination: &mut Destination,
    kind: &Kind,
    mut config: Config,
) -> Result<Option<String>, Problem> {
    let secret = make_secret(kind, &mut config)?;
    destination.types = types_of(&open(app, kind, &config)?);
    // What is null is not there: an answer shows it no more than what was never written.
    config.retain(|_, value| !value.is_null());
    sealed::put(app.sealer(), destination, config)?;
    Ok(secret)
}

/// What a destination is told of.
fn types_of(remote: &Remote) -> Vec<String> {
    match remote {
        Remote::Accounts(_) => vec![ACCESS.to_owned()],
        Remote::Messages(messages) => {
            let all = MessageType::ALL.map(MessageType::as_str).into_iter();
            all.filter(|what| messages.wants(what)).map(str::to_owned).collect()
        }
    }
}
