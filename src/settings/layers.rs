//! The layers, lowest first. Each is flattened to keys and judged by itself, so that an error can name its place; the
//! crate `config` then merges what is left into the structs.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, FileFormat, Format, Value, ValueKind};

use super::{
    Settings, SettingsError,
    keys::{self, ENVIRONMENT_PREFIX, FILE_SUFFIX, Key, Kind},
};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const DEFAULTS_ORIGIN: &str = "the defaults";

/// What all layers so far say, the later ones having won. Every value knows its origin.
pub(super) struct Layers(BTreeMap<&'static str, Value>);

impl Layers {
    pub(super) fn of_defaults() -> Result<Self, SettingsError> {
        let mut layers = Self(BTreeMap::new());
        layers.add_toml(DEFAULTS, DEFAULTS_ORIGIN)?;
        Ok(layers)
    }

    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let text =
            fs::read_to_string(path).map_err(|source| unreadable("--config", path, source))?;
        self.add_toml(&text, &path.display().to_string())
    }

    pub(super) fn add_file_if_exists(&mut self, path: &Path) -> Result<(), SettingsError> {
        match fs::read_to_string(path) {
            Ok(text) => self.add_toml(&text, &path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(unreadable("the search for settings", path, source)),
        }
    }

    /// Variables without the prefix are somebody else's, except those that only lack an underscore to be ours.
    pub(super) fn add_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), SettingsError> {
        let mut given: BTreeMap<&'static str, String> = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|_| !value.is_empty()) else { continue };
            if !name.starts_with(ENVIRONMENT_PREFIX) {
                is_foreign(name)?;
                continue;
            }
            let origin = format!("the environment variable {name}");
            let (key, is_file) = key_of_variable(name, &origin)?;
            let value = if is_file {
                content_of(name, Path::new(&value))?
            } else {
                value.into_string().map_err(|_| wrong(key.path, &origin, "it is not UTF-8"))?
            };
            if let Some(first) = given.insert(key.path, name.to_owned()) {
                return Err(SettingsError::GivenTwice {
                    key: key.path,
                    first,
                    second: name.to_owned(),
                });
            }
            self.add_text(key, &value, &origin)?;
        }
        Ok(())
    }

    pub(super) fn add_overrides(
        &mut self,
        overrides: &[(String, String)],
    ) -> Result<(), SettingsError> {
        for (path, value) in overrides {
            let key = keys::find(path).ok_or_else(|| unknown(path, "the flags", str::to_owned))?;
            self.add_text(key, value, "the flags")?;
        }
        Ok(())
    }

    /// Whoever moves the data directory and says nothing about the database means both.
    pub(super) fn let_database_follow_data_dir(&mut self) {
        let is_default = |key| self.0.get(key).and_then(Value::origin) == Some(DEFAULTS_ORIGIN);
        if is_default("data_dir") || !is_default("database.url") {
            return;
        }
        if let Some(Value { kind: ValueKind::String(directory), .. }) = self.0.get("data_dir") {
            let url = format!("sqlite://{}/latchkey.db", directory.trim_end_matches('/'));
            let origin = self.origin_of("data_dir").to_owned();
            self.0.insert("database.url", Value::new(Some(&origin), url));
        }
    }

    pub(super) fn into_settings(self) -> Result<Settings, SettingsError> {
        let mut builder = Config::builder();
        for (path, value) in &self.0 {
            builder =
                builder.set_override(*path, value.clone()).map_err(|error| self.explain(error))?;
        }
        let merged = builder.build().map_err(|error| self.explain(error))?;
        merged.try_deserialize().map_err(|error| self.explain(error))
    }

    fn add_toml(&mut self, text: &str, origin: &str) -> Result<(), SettingsError> {
        let table = FileFormat::Toml
            .parse(Some(&origin.to_owned()), text)
            .map_err(|error| not_toml(error.as_ref(), text, origin))?;
        for (path, value) in flatten(table) {
            let key = keys::find(&path).ok_or_else(|| unknown(&path, origin, str::to_owned))?;
            check(key, &value.kind).map_err(|problem| wrong(key.path, origin, &problem))?;
            self.0.insert(key.path, value);
        }
        Ok(())
    }

    /// Adds what the environment or a flag says, where everything is text.
    fn add_text(
        &mut self,
        key: &'static Key,
        text: &str,
        origin: &str,
    ) -> Result<(), SettingsError> {
        let kind = match key.kind {
            Kind::Text | Kind::Secret => ValueKind::from(text),
            Kind::Whole(_) => {
                text.trim().parse::<i64>().map_or_else(|_| ValueKind::from(text), ValueKind::from)
            }
            Kind::List => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                ValueKind::from(entries.map(str::to_owned).collect::<Vec<_>>())
            }
        };
        check(key, &kind).map_err(|problem| wrong(key.path, origin, &problem))?;
        self.0.insert(key.path, Value::new(Some(&origin.to_owned()), kind));
        Ok(())
    }

    fn origin_of(&self, path: &str) -> &str {
        self.0.get(path).and_then(Value::origin).unwrap_or(DEFAULTS_ORIGIN)
    }

    /// Says in our words what `config` says in its own, which may repeat the value.
    fn explain(&self, error: ConfigError) -> SettingsError {
        let (key, problem) = match error {
            ConfigError::At { error, key: Some(key), .. } => (key, error.to_string()),
            ConfigError::Type { key: Some(key), expected, .. } => {
                (key, format!("{expected} is expected"))
            }
            ConfigError::NotFound(key) => (key, "it is missing".to_owned()),
            other => ("(unnamed)".to_owned(), other.to_string()),
        };
        wrong(&key, self.origin_of(&key), &problem)
    }
}

/// Whether a variable is somebody else's: one that was meant for us is not passed over in silence.
fn is_foreign(name: &str) -> Result<(), SettingsError> {
    match keys::meant_by(name) {
        None => Ok(()),
        Some(meant) => Err(SettingsError::MisspeltVariable { name: name.to_owned(), meant }),
    }
}

/// The key that a variable sets, and whether the variable names a file that holds the value.
fn key_of_variable(name: &str, origin: &str) -> Result<(&'static Key, bool), SettingsError> {
    let named = |name: &str| keys::KEYS.iter().find(|key| keys::variable(key.path) == name);
    if let Some(key) = named(name) {
        return Ok((key, false));
    }
    match name.strip_suffix(FILE_SUFFIX).and_then(named) {
        Some(key) if key.kind == Kind::Secret => Ok((key, true)),
        Some(key) => {
            Err(wrong(key.path, origin, "only a secret is read from a file; set the value itself"))
        }
        None => {
            let path =
                name.trim_start_matches(ENVIRONMENT_PREFIX).to_lowercase().replace("__", ".");
            Err(unknown(&path, origin, keys::variable))
        }
    }
}

fn content_of(variable: &str, path: &Path) -> Result<String, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| unreadable(variable, path, source))?;
    Ok(text.trim().to_owned())
}

/// The leaves, each under its whole path. An empty table counts as a leaf unless it is a section, lest `[sever]` alone
/// go unseen.
fn flatten(table: config::Map<String, Value>) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    let mut rest: Vec<(String, Value)> = table.into_iter().collect();
    while let Some((path, value)) = rest.pop() {
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => {
                rest.extend(
                    inner.into_iter().map(|(name, value)| (format!("{path}.{name}"), value)),
                );
            }
            ValueKind::Table(_) if keys::is_section(&path) => {}
            _ => leaves.push((path, value)),
        }
    }
    // The reader keeps no order, and the same mistakes should be told in the same order.
    leaves.sort_by(|(one, _), (other, _)| one.cmp(other));
    leaves
}

/// `config` itself would take `true` for 1 and -2.5 for 0.
fn check(key: &Key, value: &ValueKind) -> Result<(), String> {
    match (key.kind, value) {
        (Kind::Text | Kind::Secret, ValueKind::String(text)) if text.trim().is_empty() => {
            Err("it is empty; remove it to leave it unset".to_owned())
        }
        (Kind::Text | Kind::Secret, ValueKind::String(_)) => Ok(()),
        (Kind::Text | Kind::Secret, _) => Err("a text is expected, in quotes".to_owned()),
        (Kind::Whole(least), ValueKind::I64(number))
            if u64::try_from(*number).is_ok_and(|n| n >= least) =>
        {
            Ok(())
        }
        (Kind::Whole(least), _) => Err(format!("a whole number is expected, at least {least}")),
        (Kind::List, ValueKind::Array(entries)) => {
            let texts = entries.iter().all(|entry| matches!(entry.kind, ValueKind::String(_)));
            if texts { Ok(()) } else { Err("each entry must be a text, in quotes".to_owned()) }
        }
        (Kind::List, _) => Err("a list is expected, like [\"10.0.0.0/8\"]".to_owned()),
    }
}

fn wrong(key: &str, origin: &str, problem: &str) -> SettingsError {
    SettingsError::WrongValue {
        key: key.to_owned(),
        origin: origin.to_owned(),
        problem: problem.to_owned(),
    }
}

fn unknown(path: &str, origin: &str, spelt: impl Fn(&str) -> String) -> SettingsError {
    SettingsError::UnknownKey {
        key: path.to_owned(),
        origin: origin.to_owned(),
        advice: keys::advise(path, spelt),
    }
}

fn unreadable(asked_by: &str, path: &Path, source: io::Error) -> SettingsError {
    SettingsError::Unreadable { asked_by: asked_by.to_owned(), path: PathBuf::from(path), source }
}

/// The reader's own message would show the line, and the line may hold a secret.
fn not_toml(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    text: &str,
    origin: &str,
) -> SettingsError {
    let error = error.downcast_ref::<toml::de::Error>();
    let before = error
        .and_then(toml::de::Error::span)
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let problem = error.map_or("a number is out of range", toml::de::Error::message);
    SettingsError::NotToml {
        origin: origin.to_owned(),
        line: before.matches('\n').count() + 1,
        problem: problem.to_owned(),
    }
}
