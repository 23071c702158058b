//! What answers look like: the shapes that several routes share.

use crate::core::Instant;
use crate::core::access::{Answer, Block, Considered};
use crate::core::event::Kind;
use crate::store::recomputes::Recompute;
use crate::web::answer::Resource;
use serde::Serialize;

/// Access as the contract shows it.
#[derive(Debug, Serialize)]
pub struct AccessView {
    /// The member; `None` for an address that nobody has.
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
    /// Every grant that was considered.
    pub considered: Vec<ConsideredView>,
    /// When the answer will next change by time alone.
    pub next_change_at: Option<Instant>,
}

/// A level that is held.
#[derive(Debug, Serialize)]
pub struct LevelView {
    /// The level.
    pub level: String,
    /// The beginning of the unbroken stretch.
    pub since: Instant,
    /// Its end; `None` where none is known.
    pub until: Option<Instant>,
    /// The grants that give it.
    pub grants: Vec<ConsideredView>,
}

/// One grant that was considered.
#[derive(Debug, Clone, Serialize)]
pub struct ConsideredView {
    level: Option<String>,
    held: bool,
    reason: &'static str,
    purchase: Option<PurchaseView>,
    event: Option<EventView>,
    mapping: Option<MappingRef>,
    grant: Option<String>,
    changes_at: Option<Instant>,
}

#[derive(Debug, Clone, Serialize)]
struct PurchaseView {
    id: String,
    product_id: String,
    price_point: Option<String>,
    status: &'static str,
    started_at: Instant,
}

#[derive(Debug, Clone, Serialize)]
struct EventView {
    id: String,
    kind: Kind,
    transaction_id: Option<String>,
    occurred_at: Instant,
}

#[derive(Debug, Clone, Serialize)]
struct MappingRef {
    id: String,
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
    fn of(considered: &Considered) -> Self {
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
            changes_at: considered.changes_at,
        }
    }
}

/// A block as it is shown.
#[derive(Debug, Serialize)]
pub struct BlockView {
    /// Its id, to lift it by.
    pub id: String,
    /// The level; `None` blocks every level.
    pub level: Option<String>,
    /// When it began.
    pub begun_at: Instant,
    /// When it ends; `None` for good.
    pub until: Option<Instant>,
    /// `operator` or `chargeback`.
    pub by: &'static str,
    /// The chargeback's transaction.
    pub transaction_id: Option<String>,
    /// What the operator wrote beside it.
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
#[derive(Debug, Clone, Serialize)]
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
