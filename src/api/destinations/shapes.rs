//! What destinations look like, coming and going.

use crate::core::Instant;
use crate::core::push::NamedLevel;
use crate::destinations::{Config, Finding, KINDS};
use crate::dispatch::sealed;
use crate::secrets::Sealer;
use crate::store::destinations::{Destination, State};
use crate::store::{Result as Stored, StoreError};
use crate::web::answer::Resource;
use crate::web::extract::{self, Object};
use crate::web::shapes::Name;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The most calls in a second that a destination may be given.
pub(super) const CALLS_PER_SECOND_MAX: u32 = 10_000;
/// The most pushes under way at once that a destination may be given.
pub(super) const CONCURRENCY_MAX: u32 = 64;
/// How many levels a destination names at most.
pub(super) const LEVELS_MAX: usize = 1_000;
/// The names of the kinds.
pub(super) fn kinds() -> [&'static str; KINDS.len()] {
    KINDS.map(|kind| kind.name)
}

/// What each kind asks for.
pub(super) fn config_of_a_kind(generator: &mut SchemaGenerator) -> Schema {
    let all = KINDS.map(|kind| (kind.schema)(generator));
    json_schema!({ "anyOf": all })
}

/// A part of it, or what is shown of it.
fn some_config(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

/// A destination as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Destination")]
pub(in crate::api) struct DestinationView {
    /// Its id.
    pub id: String,
    /// Its kind.
    #[schemars(extend("enum" = kinds()))]
    kind: String,
    /// What people call it.
    name: String,
    /// Whether anything is sent; what is wanted meanwhile is sent once it is enabled.
    enabled: bool,
    /// What its kind needs to call it, without its secrets.
    #[schemars(schema_with = "some_config")]
    config: Config,
    /// Which secrets it has.
    secrets_set: Vec<&'static str>,
    /// The levels that it is told of. A signed webhook that names none is told of all of them.
    levels: Vec<DestinationLevel>,
    /// How fast it is called.
    limits: LimitsView,
    /// How it stands: `ok`; `paused` is left alone for a while and tried again by itself; `broken` takes no call
    /// until somebody has done something. One that is not `ok` and is edited is tried again, and is `ok` once it has
    /// answered.
    #[schemars(extend("enum" = State::ALL.map(State::as_str)))]
    state: &'static str,
    /// Why it is not `ok`, in words; null where it is.
    detail: Option<String>,
    /// Until when it is left alone; null where it is not, or for good. Where this is over and the state is still
    /// `paused`, it has not been called since.
    paused_until: Option<Instant>,
    /// Until when messages are signed with the secret before, too; null where they are not.
    secret_before_until: Option<Instant>,
    /// Grows with every edit.
    version: i64,
    /// When it was made.
    created_at: Instant,
}

/// A level that a destination is told of.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct DestinationLevel {
    /// The level.
    level: String,
    /// What the destination calls it: a role, a label; null where it is told the level itself.
    remote: Option<String>,
}

/// How fast a destination is called by each process.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "DestinationLimits")]
struct LimitsView {
    /// Calls in a second; null where its kind decides.
    calls_per_second: Option<i32>,
    /// Pushes under way at once; null where its kind decides.
    concurrency: Option<i32>,
}

impl Resource for DestinationView {
    fn decided(&self) -> Option<Value> {
        Some(json!([self.id, self.version]))
    }
}

impl DestinationView {
    /// A destination as it is now.
    pub(super) fn of(sealer: &Sealer, destination: &Destination, now: Instant) -> Stored<Self> {
        let level = |NamedLevel { level, remote }: NamedLevel| DestinationLevel { level, remote };
        let secrets_set = sealed::secrets_set(sealer, destination, now)?;
        let Destination { id, kind, name, levels, detail, .. } = destination.clone();
        Ok(Self {
            config: sealed::shown(destination)?,
            secrets_set,
            id,
            kind,
            name,
            enabled: destination.enabled,
            levels: levels.into_iter().map(level).collect(),
            limits: LimitsView {
                calls_per_second: destination.calls_per_second,
                concurrency: destination.concurrency,
            },
            state: destination.state.as_str(),
            detail,
            paused_until: destination.paused_until,
            secret_before_until: destination.secret_before_until.filter(|until| *until > now),
            version: destination.version,
            created_at: destination.created_at,
        })
    }
}

/// A destination with the secret that was made for it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WrittenDestination")]
pub(in crate::api) struct Written {
    #[serde(flatten)]
    pub destination: DestinationView,
    /// What its messages are signed with; only there when it has just been made, and in no other answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What a new destination shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateDestination")]
pub struct Create {
    /// Its kind, which stays.
    #[schemars(extend("enum" = kinds()))]
    pub(super) kind: String,
    /// What people call it.
    #[schemars(with = "Name")]
    pub(super) name: String,
    /// Whether anything is sent; what is wanted meanwhile is sent once it is enabled.
    #[serde(default = "enabled")]
    pub(super) enabled: bool,
    /// What its kind needs to call it.
    #[schemars(schema_with = "config_of_a_kind")]
    pub(super) config: Config,
    /// The levels that it is told of, each once, which have to be there. WordPress and Ghost need at least one, each
    /// with `remote`; a signed webhook that names none is told of all of them.
    #[serde(default)]
    #[schemars(length(max = LEVELS_MAX))]
    pub(super) levels: Vec<Object<NamedLevel>>,
    /// How fast it is called; null leaves that to its kind.
    #[serde(default)]
    pub(super) limits: Option<Object<EditLimits>>,
}

fn enabled() -> bool {
    true
}

/// How fast a destination shall be called by each process.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditDestinationLimits")]
pub struct EditLimits {
    /// Calls in a second; null leaves that to its kind.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(with = "Option<u32>", range(min = 1, max = CALLS_PER_SECOND_MAX))]
    pub(super) calls_per_second: Option<Option<u32>>,
    /// Pushes under way at once; null leaves that to its kind.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(with = "Option<u32>", range(min = 1, max = CONCURRENCY_MAX))]
    pub(super) concurrency: Option<Option<u32>>,
}

/// What shall change about a destination.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditDestination")]
pub struct Edit {
    /// What people call it.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Name")]
    pub(super) name: Option<String>,
    /// Whether anything is sent.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "bool")]
    pub(super) enabled: Option<bool>,
    /// What shall change of what its kind needs: what is not named stays, secrets too, and null removes. A secret that
    /// Latchkey makes is made anew where it is removed.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(schema_with = "some_config")]
    pub(super) config: Option<Config>,
    /// The levels that it is told of from now on, all of them; `POST …/resync` brings everybody in line with them.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Vec<NamedLevel>", length(max = LEVELS_MAX))]
    pub(super) levels: Option<Vec<Object<NamedLevel>>>,
    /// How fast it is called; null leaves that to its kind.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) limits: Option<Option<Object<EditLimits>>>,
}

/// How the secret of a destination is to be changed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotateDestinationSecret")]
pub struct Rotate {
    /// For how many hours messages are signed with the secret before, too.
    #[schemars(range(min = 0, max = super::acts::OVERLAP_HOURS_MAX))]
    #[serde(default = "overlap_hours")]
    pub(super) overlap_hours: i64,
}

fn overlap_hours() -> i64 {
    super::acts::OVERLAP_HOURS
}

impl Default for Rotate {
    fn default() -> Self {
        Self { overlap_hours: overlap_hours() }
    }
}

/// The new secret of a destination.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RotatedDestinationSecret")]
pub(in crate::api) struct Rotated {
    /// What messages are signed with from now on; no other answer shows it.
    pub(super) secret: String,
    /// Until when they are signed with the secret before, too; null where they are not.
    pub(super) previous_ends_at: Option<Instant>,
}

/// What a test of a destination has found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestedDestination")]
pub(in crate::api) struct Tested {
    /// Whether all is as it has to be.
    pub(super) ok: bool,
    /// What was looked at.
    pub(super) findings: Vec<FindingView>,
}

/// One thing that a test has looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub(super) struct FindingView {
    /// What was looked at: `config`, `connection`, `credentials`, `rights`, `names` of roles or labels, `message`.
    what: &'static str,
    /// Whether it is as it has to be.
    ok: bool,
    /// What was found, in words; where it is not ok, what to do about it.
    detail: String,
}

impl Tested {
    /// What was found.
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        let ok = findings.iter().all(|finding| finding.ok);
        Self { ok, findings: findings.into_iter().map(FindingView::from).collect() }
    }
}

impl From<Finding> for FindingView {
    fn from(Finding { what, ok, detail }: Finding) -> Self {
        Self { what, ok, detail }
    }
}

/// The kind of a destination that is there.
pub(super) fn kind_of(destination: &Destination) -> Stored<&'static crate::destinations::Kind> {
    let found = crate::destinations::kind(&destination.kind);
    found.ok_or_else(|| StoreError::Corrupt(format!("the kind {}", destination.kind)))
}
