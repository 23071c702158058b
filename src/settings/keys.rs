//! The list of keys. It exists besides the structs because a layer is judged by itself: only there is it still known
//! which file or variable a key came from, and how the text of a variable is to be read. A test holds the list, the
//! structs and `config/default.toml` together.

/// What may be written for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text that may also come from a file which the environment names.
    Secret,
    /// A whole number, at least this.
    Whole(u64),
    /// A list of texts; separated by commas in the environment and in flags.
    List,
}

/// A setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Section and name, as in `server.bind`; some have no section.
    pub path: &'static str,
    pub kind: Kind,
}

pub(super) const KEYS: &[Key] = &[
    key("data_dir", Kind::Text),
    key("server.bind", Kind::Text),
    key("server.public_url", Kind::Text),
    key("server.trusted_proxies", Kind::List),
    key("server.workers", Kind::Whole(0)),
    key("server.connections_max", Kind::Whole(1)),
    key("server.shutdown_seconds", Kind::Whole(1)),
    key("metrics.bind", Kind::Text),
    key("database.url", Kind::Secret),
    key("database.connections_max", Kind::Whole(1)),
    key("database.lease_seconds", Kind::Whole(1)),
    key("admin.key", Kind::Secret),
    key("secrets.key", Kind::Secret),
    key("egress.allow", Kind::List),
    key("intake.queue_rows_max", Kind::Whole(1)),
    key("intake.batch_rows_max", Kind::Whole(1)),
    key("intake.batch_bytes_max", Kind::Whole(1)),
    key("intake.body_seconds_max", Kind::Whole(1)),
    key("flow.workers", Kind::Whole(0)),
    key("flow.batch_webhooks_max", Kind::Whole(1)),
    key("flow.batch_timers_max", Kind::Whole(1)),
    key("flow.batch_purchases_max", Kind::Whole(1)),
    key("flow.poll_ms", Kind::Whole(1)),
    key("flow.inline_members_max", Kind::Whole(1)),
    key("flow.upgrades", Kind::Text),
    key("webhooks.bodies_kept_days", Kind::Whole(0)),
    key("feed.kept_days", Kind::Whole(0)),
    key("feed.heartbeat_seconds", Kind::Whole(1)),
    key("log.level", Kind::Text),
    key("log.format", Kind::Text),
];

/// Two underscores set our variables apart from those that others make up, such as the `LATCHKEY_PORT` that
/// Kubernetes sets for a service of this name.
pub(super) const ENVIRONMENT_PREFIX: &str = "LATCHKEY__";

/// What is common to our variables and to those that only look like ours.
const NEAR_PREFIX: &str = "LATCHKEY_";

/// The end of a variable that names a file.
pub(super) const FILE_SUFFIX: &str = "_FILE";

const fn key(path: &'static str, kind: Kind) -> Key {
    Key { path, kind }
}

pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| section_of(key.path) == Some(name))
}

/// The variable that sets this key: `LATCHKEY__SERVER__BIND`.
pub(super) fn variable(path: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// The variable of ours that is meant by one which is not read, because underscores are missing or too many in it;
/// `None` for what others make up.
pub(super) fn meant_by(name: &str) -> Option<String> {
    let rest = name.strip_prefix(NEAR_PREFIX)?;
    let written = words(name);
    for key in KEYS {
        let variable = variable(key.path);
        if words(&variable) == written {
            return Some(variable);
        }
        let of_file = format!("{variable}{FILE_SUFFIX}");
        if key.kind == Kind::Secret && words(&of_file) == written {
            return Some(of_file);
        }
    }
    // Nobody else parts names like this: a key that does not exist is told of once the beginning is right.
    rest.contains("__").then(|| format!("{ENVIRONMENT_PREFIX}{}", rest.to_uppercase()))
}

/// The words of a variable, whatever parts them.
fn words(variable: &str) -> Vec<String> {
    let words = variable.split('_').filter(|word| !word.is_empty());
    words.map(str::to_uppercase).collect()
}

/// What to do about a key that does not exist; `spelt` turns a path into what is written at that place.
pub(super) fn advise(unknown: &str, spelt: impl Fn(&str) -> String) -> String {
    let name = unknown.rsplit('.').next().unwrap_or(unknown);
    let section = unknown.split('.').next().filter(|section| is_section(section));
    let candidates: Vec<_> = match section {
        Some(section) => list(&spelt, |path| section_of(path) == Some(section)),
        None => list(&spelt, |path| path.rsplit('.').next() == Some(name)),
    };
    match (section, candidates.is_empty()) {
        (Some(section), _) => {
            format!("Correct or remove it; `{section}` has: {}", candidates.join(", "))
        }
        (None, false) => format!("Perhaps this is meant: {}", candidates.join(", ")),
        (None, true) => {
            format!("Correct or remove it; there are: {}", list(&spelt, |_| true).join(", "))
        }
    }
}

fn section_of(path: &str) -> Option<&str> {
    path.split_once('.').map(|(section, _)| section)
}

fn list(spelt: impl Fn(&str) -> String, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    KEYS.iter().filter(|key| wanted(key.path)).map(|key| spelt(key.path)).collect()
}
