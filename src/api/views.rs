//! What answers look like: the shapes that several routes share.

use crate::core::Instant;
use crate::core::access::{Answer, Block, Considered};
use crate::core::event::Kind;
use crate::core::grant::Reason;
use crate::core::purchase::Status;
use crate::store::recomputes::Recompute;
use crate::web::answer::Resource;
use schemars::JsonSchema;
use serde::Serialize;

/// Access as the contract shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Access")]
pub struct AccessView {
    /// The member's id; null for an address that nobody has.
    pub id: Option<String>,
    /// The address.
    pub email: String,
    /// The instant that was asked about.
    pub at: Instant,
    /// Grows with every recorded step of access.
    pub version: i64,
    /// Whether every level is blocked.
    pub blocked: bool,
    /// The levels held.
    pub levels: Vec<LevelView>,
    /// Every grant that was considered, also those that give nothing.
    pub considered: Vec<ConsideredView>,
    /// When the answer will next change by time alone; null where it will not.
    pub next_change_at: Option<Instant>,
}

/// A level that is held.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HeldLevel")]
pub struct LevelView {
    /// The level.
    pub level: String,
    /// The beginning of the unbroken stretch.
    pub since: Instant,
    /// Its end; null where none is known.
    pub until: Option<Instant>,
    /// The grants that give it.
    pub grants: Vec<ConsideredView>,
}

/// One grant that was considered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ConsideredGrant")]
pub struct ConsideredView {
    /// The level that it would give; null for a purchase that is held.
    level: Option<String>,
    /// Whether it gives the level at the instant asked about.
    held: bool,
    /// Why it does, or does not.
    #[schemars(with = "Reason")]
    reason: &'static str,
    /// The purchase behind it; null for a manual grant.
    purchase: Option<PurchaseView>,
    /// The event that decided; null where none did.
    event: Option<EventView>,
    /// The mapping; null for a manual grant, and for a purchase that is held.
    mapping: Option<MappingRef>,
    /// The id of the manual grant; null for a purchase.
    grant: Option<String>,
    /// The id of what holds the level open; null for all else.
    held_open: Option<String>,
    /// When this grant will next change by time alone; null where it will not.
    changes_at: Option<Instant>,
}

/// One order or one subscription, as a grant names it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PurchaseOfGrant")]
struct PurchaseView {
    /// Its id.
    id: String,
    /// What was bought: Kartra's product id.
    product_id: String,
    /// The price point; null where Kartra names none.
    price_point: Option<String>,
    /// Where the purchase stands.
    #[schemars(with = "Status")]
    status: &'static str,
    /// When it started.
    started_at: Instant,
}

/// The event that decided a grant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "EventOfGrant")]
struct EventView {
    /// Its id.
    id: String,
    /// What kind of event it is.
    kind: Kind,
    /// Kartra's id of the transaction.
    transaction_id: Option<String>,
    /// When it occurred.
    occurred_at: Instant,
}

/// The mapping of a grant.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "MappingOfGrant")]
struct MappingRef {
    /// Its id.
    id: String,
    /// Its version: the mapping may have been edited since.
    version: i64,
}

impl AccessView {
    /// An answer about a member as it is shown.
    pub fn of(id: Option<String>, email: String, version: i64, answer: &Answer) -> Self {
        let considered: Vec<ConsideredView> =
            answer.considered.iter().map(ConsideredView::of).collect();
        let grants = |level: &str| {
            let gives = |c: &&ConsideredView| c.held && c.level.as_deref() == Some(level);
            considered.iter().filter(gives).cloned().collect()
        };
        let levels = answer.levels.iter().map(|held| LevelView {
            level: held.level.clone(),
            since: held.since,
            until: held.until,
            grants: grants(&held.level),
        });
        Self {
            id,
            email,
            at: answer.at,
            version,
            blocked: answer.blocked,
            levels: levels.collect(),
            next_change_at: answer.next_change_at,
            considered,
        }
    }
}

impl ConsideredView {
    /// A grant as it is shown.
    pub fn of(considered: &Considered) -> Self {
        Self {
            level: considered.level.clone(),
            held: considered.held,
            reason: considered.reason.as_str(),
            purchase: considered.purchase.as_ref().map(|purchase| PurchaseView {
                id: purchase.id.0.clone(),
                product_id: purchase.product_id.clone(),
                price_point: purchase.price_point.clone(),
                status: purchase.status.as_str(),
                started_at: purchase.started_at,
            }),
            event: considered.event.as_ref().map(|event| EventView {
                id: event.id.0.clone(),
                kind: event.kind,
                transaction_id: event.transaction_id.clone(),
                occurred_at: event.occurred_at,
            }),
            mapping: considered
                .mapping
                .as_ref()
                .map(|(id, version)| MappingRef { id: id.clone(), version: *version }),
            grant: considered.override_id.clone(),
            held_open: considered.held_open_id.clone(),
            changes_at: considered.changes_at,
        }
    }
}

/// A block as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Block")]
pub struct BlockView {
    /// Its id, to lift it by.
    pub id: String,
    /// The level; null blocks every level.
    pub level: Option<String>,
    /// When it began.
    pub begun_at: Instant,
    /// When it ends; null for good.
    pub until: Option<Instant>,
    /// Who blocks: an `operator`, or a `chargeback` whose policy says so.
    #[schemars(extend("enum" = ["operator", "chargeback"]))]
    pub by: &'static str,
    /// The chargeback's transaction; null for an operator's block.
    pub transaction_id: Option<String>,
    /// What the operator wrote beside it; null where nothing.
    pub note: Option<String>,
}

impl From<&Block> for BlockView {
    fn from(block: &Block) -> Self {
        Self {
            id: block.id.clone(),
            level: block.level.clone(),
            begun_at: block.stretch.from,
            until: block.stretch.until,
            by: if block.chargeback.is_some() { "chargeback" } else { "operator" },
            transaction_id: block
                .chargeback
                .as_ref()
                .and_then(|event| event.transaction_id.clone()),
            note: block.note.clone(),
        }
    }
}

/// How far a recompute got.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Recompute")]
pub struct RecomputeView {
    /// Its id, to follow it by.
    pub id: String,
    /// How many members are concerned.
    pub members: i64,
    /// How many of them are done.
    pub done: i64,
}

impl Resource for RecomputeView {}

impl From<&Recompute> for RecomputeView {
    fn from(recompute: &Recompute) -> Self {
        Self { id: recompute.id.clone(), members: recompute.members, done: recompute.done }
    }
}
