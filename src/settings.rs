//! What the operator decides: read once at start, checked whole, then passed on by value.
//!
//! Defaults compiled in from `config/default.toml` < `config/local.toml` or `--config FILE` < environment
//! `LATCHKEY__SECTION__KEY` (and `…__KEY_FILE` for secrets) < flags.
//!
//! Invariants: no setting is read anywhere else; no key is ignored, a misspelt one least of all; no error and no `Debug`
//! shows a secret; no limit is zero but for the numbers of workers, where zero has a meaning.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;

pub use self::error::SettingsError;
use self::layers::Layers;

mod error;
mod keys;
mod layers;
mod values;

/// The file that is read, when it exists, where no `--config` names another.
const LOCAL_FILE: &str = "config/local.toml";

/// Every setting. `config/default.toml` says more about each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directory of the SQLite database, the sealing key and the first admin key. It may not exist yet.
    pub data_dir: PathBuf,
    /// The main listener.
    pub server: Server,
    /// The listener of `/metrics` alone.
    #[serde(default)]
    pub metrics: Metrics,
    /// Where everything is kept.
    pub database: Database,
    /// Access for automation.
    #[serde(default)]
    pub admin: Admin,
    /// The key that seals what is secret in the database.
    #[serde(default)]
    pub secrets: Secrets,
    /// Where outgoing calls may go.
    pub egress: Egress,
    /// Limits of the way from the request to the commit.
    pub intake: Intake,
    /// Limits of the way from the commit to access and pushes.
    pub flow: Flow,
    /// How long the bodies of webhooks are kept.
    pub webhooks: Webhooks,
    /// How long the feed of changes is kept.
    pub feed: Feed,
    /// What is written to stderr.
    pub log: Log,
}

/// The main listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address to listen on. Port 0 lets the system choose.
    #[serde(deserialize_with = "values::address")]
    pub bind: SocketAddr,
    /// Base of the URLs that are shown, without a slash at its end. Absent: made from the address, see [`Server::base_url`].
    #[serde(default, deserialize_with = "values::public_url")]
    pub public_url: Option<String>,
    /// Ranges whose headers are believed that name the client. Empty: nobody's.
    #[serde(deserialize_with = "values::cidr_list")]
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that serve requests. 0: one for each core.
    pub workers: usize,
    /// Open connections, all threads together.
    pub connections_max: usize,
    /// Seconds that a stop waits for requests under way.
    pub shutdown_seconds: u64,
}

/// The listener of `/metrics` alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Address to listen on. Absent: `/metrics` is on the main listener and asks for a key.
    #[serde(default, deserialize_with = "values::optional_address")]
    pub bind: Option<SocketAddr>,
}

/// Where everything is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://path`, `postgres://…` or `postgresql://…`. Secret, as the latter two hold a password.
    #[serde(deserialize_with = "values::database_url")]
    pub url: SecretString,
    /// Open connections, but for the one that listens to PostgreSQL.
    pub connections_max: u32,
    /// Seconds that a process which has stopped keeps its locks on PostgreSQL; `config/default.toml` says what a Unix
    /// socket leaves out.
    #[serde(deserialize_with = "values::lease_seconds")]
    pub lease_seconds: u32,
}

/// Access for automation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// An admin key to accept besides those in the database; never empty. Absent: only those count.
    pub key: Option<SecretString>,
}

/// The key that seals what is secret in the database.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 32 bytes in base64, not decoded here; never empty. Absent: the one in `data_dir`, made on the first start.
    pub key: Option<SecretString>,
}

/// Where outgoing calls may go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Ranges that may be reached although they are not public. Empty: none.
    #[serde(deserialize_with = "values::cidr_list")]
    pub allow: Vec<IpNet>,
}

/// Limits of the way from the request to the commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    /// Webhooks that wait for their commit.
    pub queue_rows_max: usize,
    /// Webhooks in one commit.
    pub batch_rows_max: usize,
    /// Bytes of bodies in one commit; a single body always fits.
    pub batch_bytes_max: usize,
    /// Seconds that a sender may take for its body.
    pub body_seconds_max: u64,
}

/// What becomes of a plan that shows what a new version of this program would do to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrades {
    /// It waits for an operator, unless nobody's access would move.
    Ask,
    /// It is applied as soon as it is ready.
    Apply,
}

/// Limits of the way from the commit to access and pushes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Workers that apply what was received; 0 means one for each core.
    pub workers: usize,
    /// Webhooks in one transaction.
    pub batch_webhooks_max: u32,
    /// Timers in one transaction.
    pub batch_timers_max: u32,
    /// Purchases read again in one transaction.
    pub batch_purchases_max: u32,
    /// Milliseconds between two looks for work that nobody announced.
    pub poll_ms: u64,
    /// Members that a write of the API recomputes before it answers.
    pub inline_members_max: u32,
    /// What becomes of a plan that shows what a new version of this program would do.
    #[serde(deserialize_with = "values::upgrades")]
    pub upgrades: Upgrades,
}

/// What was received.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Days that the body of a webhook is kept; 0 keeps it for ever.
    pub bodies_kept_days: u32,
}

/// The feed of changes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Days that a change is kept; 0 keeps it for ever.
    pub kept_days: u32,
    /// Seconds of silence after which a stream of the feed says that it still lives.
    pub heartbeat_seconds: u64,
}

/// What is written to stderr.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The least important kind of line that is still written, for Latchkey itself; libraries stay at `info`.
    #[serde(deserialize_with = "values::log_level")]
    pub level: LogLevel,
    /// Absent: `Pretty` on a terminal, else `Json`.
    #[serde(default, deserialize_with = "values::log_format")]
    pub format: Option<LogFormat>,
}

/// The least important kind of line that is still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed and will not come right by itself.
    Error,
    /// Something failed and is tried again, or looks wrong.
    Warn,
    /// What the program does, in outline.
    Info,
    /// What the program does, step by step.
    Debug,
    /// Everything.
    Trace,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one JSON object a line.
    Json,
}

impl Settings {
    /// Reads the settings of this process. `config_file` is what `--config` named, and has to exist then; `overrides`
    /// are the flags as `("server.bind", "127.0.0.1:9000")`, lists separated by commas.
    pub fn load(
        config_file: Option<&Path>,
        overrides: &[(String, String)],
    ) -> Result<Self, SettingsError> {
        Self::load_from(config_file, Path::new(LOCAL_FILE), std::env::vars_os(), overrides)
    }

    /// The same with the place of the local file and the environment given, so that a test depends on neither.
    pub fn load_from(
        config_file: Option<&Path>,
        local_file: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[(String, String)],
    ) -> Result<Self, SettingsError> {
        let mut layers = Layers::of_defaults()?;
        match config_file {
            Some(path) => layers.add_file(path)?,
            None => layers.add_file_if_exists(local_file)?,
        }
        layers.add_environment(environment)?;
        layers.add_overrides(overrides)?;
        layers.let_database_follow_data_dir();
        layers.into_settings()
    }
}

impl Server {
    /// Base of the URLs that are shown, without a slash at its end: `public_url`, else made from the address that
    /// was really bound. An address that means "every interface" is shown as loopback, which a browser here can open.
    #[must_use]
    pub fn base_url(&self, bound: SocketAddr) -> String {
        let shown = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", SocketAddr::new(shown, bound.port())))
    }
}

#[cfg(test)]
mod tests;
