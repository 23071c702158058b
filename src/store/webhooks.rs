//! Webhooks: stored before they are applied, and the observations that they carry.

use super::conn::{Conn, on_backend};
use super::schema::webhooks;
use super::{IN_MAX, Result, StoreError, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::event::{EventId, Observation, Vouched, Witness};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WebhookStatus")]
pub enum Status {
    /// Stored, not processed yet.
    Pending,
    /// A money event of a purchase that some mapping names, whether or not access moved.
    Applied,
    /// No mapping names its product and price point.
    Held,
    /// Its event was known.
    Duplicate,
    /// An `other` event, or an ignored product.
    NoEffect,
    /// A reversal of nothing known.
    Unmatched,
    /// It holds no event.
    Unreadable,
    /// An IPN whose secret is not the site's.
    Rejected,
    /// An operator set it aside.
    Discarded,
    /// An error of ours; it is tried again.
    Failed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Applied,
        Self::Held,
        Self::Duplicate,
        Self::NoEffect,
        Self::Unmatched,
        Self::Unreadable,
        Self::Rejected,
        Self::Discarded,
        Self::Failed,
    ];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Held => "held",
            Self::Duplicate => "duplicate",
            Self::NoEffect => "no_effect",
            Self::Unmatched => "unmatched",
            Self::Unreadable => "unreadable",
            Self::Rejected => "rejected",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A webhook as intake stores it.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = webhooks)]
pub struct NewWebhook {
    /// The site that it came to.
    pub site_id: String,
    /// Its id; ids of one process are in the order of receipt.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The feed that it came by.
    pub feed: &'static str,
    /// Its first status.
    pub status: &'static str,
    /// The kind that it reads as.
    pub kind: Option<&'static str>,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// The address that it names.
    pub email: Option<String>,
    /// Why it is unreadable or rejected.
    pub reason: Option<String>,
    /// How many changes it has led to.
    pub changes: i32,
    /// The body, its secret masked.
    pub body: Vec<u8>,
    /// SHA-256 of the body as received.
    pub body_hash: Vec<u8>,
    /// A keyed MAC of the secret that it carried.
    pub secret_mac: Option<Vec<u8>>,
    /// How often processing it has failed.
    pub attempts: i32,
    /// When it is to be processed; `None` for what is not.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// How well it is vouched for, as judged at receipt.
    pub vouched: Option<i16>,
}

/// A webhook as it is listed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The feed that it came by.
    pub feed: String,
    /// What became of it.
    pub status: String,
    /// The kind that it reads as.
    pub kind: Option<String>,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// The address that it names.
    pub email: Option<String>,
    /// Why it has the status it has, where there is more to say.
    pub reason: Option<String>,
    /// How many changes it has led to.
    pub changes: i32,
    /// The event that it is an observation of.
    pub event_id: Option<String>,
}

/// A webhook with what processing needs of it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub struct Due {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The body, its secret masked.
    pub body: Vec<u8>,
    /// SHA-256 of the body as received.
    pub body_hash: Vec<u8>,
    /// A keyed MAC of the secret that it carried.
    pub secret_mac: Option<Vec<u8>>,
    /// Its status.
    pub status: String,
    /// How often processing it has failed.
    pub attempts: i32,
    /// When it is to be processed; `None` once it is.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// The event that it was an observation of.
    pub event_id: Option<String>,
    /// How well it was vouched for; `None` where nothing was judged of it, or nothing stands.
    pub vouched: Option<i16>,
}

impl Due {
    /// How well it is vouched for by a judgement that stands; `None` asks for a new one. What is an
    /// observation and due again is replayed.
    #[must_use]
    pub fn judged(&self) -> Option<i16> {
        let replayed = self.event_id.is_some() && self.next_attempt_at.is_some();
        self.vouched.filter(|_| !replayed)
    }
}

/// What processing makes of a webhook's body.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
pub struct Judged {
    /// The feed.
    pub feed: &'static str,
    /// The status.
    pub status: &'static str,
    /// The kind that it reads as.
    pub kind: Option<&'static str>,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// The address that it names.
    pub email: Option<String>,
    /// Why it is unreadable or rejected.
    pub reason: Option<String>,
    /// Processed, so not due.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// The event that it is an observation of; `None` where it is none.
    pub event_id: Option<String>,
    /// How well it is vouched for.
    pub vouched: Option<i16>,
    /// What it says.
    pub said: Option<String>,
}

/// Stores what was received.
pub fn insert(conn: &mut Conn, rows: &[NewWebhook]) -> Result<()> {
    on_backend!(conn, |c| diesel::insert_into(webhooks::table).values(rows).execute(c))?;
    Ok(())
}

/// The webhooks of a site that are due, in the order of receipt.
pub fn due(conn: &mut Conn, site_id: &str, now: Instant, limit: i64) -> Result<Vec<Due>> {
    let rows = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.le(stored(now)))
        .order((webhooks::next_attempt_at, webhooks::id))
        .limit(limit)
        .select(Due::as_select());
    Ok(rows.load(conn)?)
}

/// Some webhooks of a site with what processing needs of them.
pub fn load(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Due>> {
    let rows = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.eq_any(ids))
        .order(webhooks::id)
        .select(Due::as_select());
    Ok(rows.load(conn)?)
}

/// A site's webhooks after one, in the order of receipt.
pub fn ids_after(conn: &mut Conn, site_id: &str, after: &str, limit: i64) -> Result<Vec<Due>> {
    let rows = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.gt(after))
        .order(webhooks::id)
        .limit(limit)
        .select(Due::as_select());
    Ok(rows.load(conn)?)
}

/// When the earliest webhook of a site is due that is not yet.
pub fn next_due_at(conn: &mut Conn, site_id: &str) -> Result<Option<Instant>> {
    let earliest = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.is_not_null())
        .order((webhooks::next_attempt_at, webhooks::id))
        .select(webhooks::next_attempt_at)
        .first::<Option<NaiveDateTime>>(conn)
        .optional()?;
    Ok(earliest.flatten().map(|at| at.and_utc()))
}

/// Writes what processing made of a webhook.
pub fn judge(conn: &mut Conn, site_id: &str, id: &str, judged: &Judged) -> Result<()> {
    diesel::update(webhooks::table.find((site_id, id))).set(judged).execute(conn)?;
    Ok(())
}

/// Notes an error of ours and when to try again.
pub fn fail(
    conn: &mut Conn,
    site_id: &str,
    id: &str,
    reason: &str,
    attempts: i32,
    at: Instant,
) -> Result<()> {
    let set = (
        webhooks::status.eq(Status::Failed.as_str()),
        webhooks::reason.eq(reason),
        webhooks::attempts.eq(attempts),
        webhooks::next_attempt_at.eq(stored(at)),
    );
    // Another process may have applied it meanwhile: then it has not failed.
    let still_due = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.eq(id))
        .filter(webhooks::next_attempt_at.is_not_null());
    diesel::update(still_due).set(set).execute(conn)?;
    Ok(())
}

/// Makes a webhook due at once, to be judged and applied anew. Until then it stays the observation that
/// it was: what was judged stands.
pub fn make_due(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let set = (
        webhooks::status.eq(Status::Pending.as_str()),
        webhooks::reason.eq(None::<String>),
        webhooks::attempts.eq(0),
        webhooks::next_attempt_at.eq(stored(at)),
    );
    diesel::update(webhooks::table.find((site_id, id))).set(set).execute(conn)?;
    // Of one that is no observation nothing stands.
    let of_nothing = webhooks::table.find((site_id, id)).filter(webhooks::event_id.is_null());
    diesel::update(of_nothing).set(webhooks::vouched.eq(None::<i16>)).execute(conn)?;
    Ok(())
}

/// Sets a webhook aside: it is no observation any more.
pub fn discard(conn: &mut Conn, site_id: &str, id: &str) -> Result<()> {
    let set = (
        webhooks::status.eq(Status::Discarded.as_str()),
        webhooks::reason.eq(None::<String>),
        webhooks::next_attempt_at.eq(None::<NaiveDateTime>),
        webhooks::event_id.eq(None::<String>),
    );
    diesel::update(webhooks::table.find((site_id, id))).set(set).execute(conn)?;
    Ok(())
}

/// Gives the webhooks of some events, each with its own status, their place in the list.
pub fn set_status(conn: &mut Conn, site_id: &str, ids: &[String], status: Status) -> Result<()> {
    for ids in ids.chunks(IN_MAX) {
        diesel::update(webhooks::table)
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::id.eq_any(ids))
            .filter(webhooks::status.ne(status.as_str()))
            .set(webhooks::status.eq(status.as_str()))
            .execute(conn)?;
    }
    Ok(())
}

/// Lists the webhooks that stand for some events anew; their twins stay duplicates.
pub fn relist(conn: &mut Conn, site_id: &str, events: &[EventId], status: Status) -> Result<()> {
    let standing = [Status::Applied, Status::Held, Status::NoEffect, Status::Unmatched];
    let standing = standing.map(Status::as_str);
    for events in events.chunks(IN_MAX) {
        diesel::update(webhooks::table)
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::event_id.eq_any(events.iter().map(|id| id.0.as_str())))
            .filter(webhooks::status.eq_any(standing))
            .set(webhooks::status.eq(status.as_str()))
            .execute(conn)?;
    }
    Ok(())
}

/// Counts changes onto the webhook that led to them.
pub fn add_changes(conn: &mut Conn, site_id: &str, id: &str, count: i32) -> Result<()> {
    let set = webhooks::changes.eq(webhooks::changes + count);
    diesel::update(webhooks::table.find((site_id, id))).set(set).execute(conn)?;
    Ok(())
}

/// One observation as a row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = webhooks)]
struct WitnessRow {
    id: String,
    received_at: NaiveDateTime,
    body_hash: Vec<u8>,
    event_id: Option<String>,
    vouched: Option<i16>,
    said: Option<String>,
}

/// All observations of some events.
pub fn witnesses(
    conn: &mut Conn,
    site_id: &str,
    events: &[EventId],
) -> Result<BTreeMap<EventId, Vec<Witness>>> {
    let mut found: BTreeMap<EventId, Vec<Witness>> = BTreeMap::new();
    let ids: Vec<&str> = events.iter().map(|id| id.0.as_str()).collect();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<WitnessRow> = webhooks::table
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::event_id.eq_any(ids.iter().copied()))
            .select(WitnessRow::as_select())
            .load(conn)?;
        for row in rows {
            let Some(event_id) = row.event_id.clone() else { continue };
            found.entry(EventId(event_id)).or_default().push(witness(row)?);
        }
    }
    Ok(found)
}

fn witness(row: WitnessRow) -> Result<Witness> {
    let observation: Observation =
        from_json("a webhook's observation", row.said.as_deref().unwrap_or_default())?;
    Ok(Witness {
        webhook_id: row.id,
        received_at: row.received_at.and_utc(),
        vouched: Vouched::from_rank(row.vouched.unwrap_or(i16::MAX)),
        body_hash: hash(&row.body_hash)?,
        observation,
    })
}

/// A webhook that was read again, as the witness that it is.
pub fn witness_of(webhook: Due, observation: Observation) -> Result<Witness> {
    Ok(Witness {
        received_at: webhook.received_at.and_utc(),
        vouched: Vouched::from_rank(webhook.vouched.unwrap_or(i16::MAX)),
        body_hash: hash(&webhook.body_hash)?,
        webhook_id: webhook.id,
        observation,
    })
}

/// A SHA-256 out of a row.
pub(super) fn hash(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("a body hash".to_owned()))
}

/// An observation as the column `said` keeps it.
pub fn said(observation: &Observation) -> Result<String> {
    to_json("an observation", observation)
}

/// What a list of webhooks is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only those whose id, address, transaction or product is this.
    pub q: Option<String>,
    /// Only those before this id: the cursor.
    pub before: Option<String>,
}

/// Webhooks, newest first.
pub fn list(conn: &mut Conn, site_id: &str, filter: &Filter, limit: i64) -> Result<Vec<Webhook>> {
    let mut query = webhooks::table
        .filter(webhooks::site_id.eq(site_id.to_owned()))
        .select(Webhook::as_select())
        .order(webhooks::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(webhooks::status.eq(status.as_str()));
    }
    if let Some(q) = &filter.q {
        query = query.filter(
            webhooks::id
                .eq(q.clone())
                .or(webhooks::email.eq(q.to_lowercase()))
                .or(webhooks::transaction_id.eq(q.clone()))
                .or(webhooks::product_id.eq(q.clone())),
        );
    }
    if let Some(before) = &filter.before {
        query = query.filter(webhooks::id.lt(before.clone()));
    }
    Ok(query.load(conn)?)
}

/// One webhook with its body.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<(Webhook, Vec<u8>)>> {
    let row = webhooks::table.find((site_id, id)).select((Webhook::as_select(), webhooks::body));
    Ok(row.first(conn).optional()?)
}

/// How many webhooks of a site wait to be processed.
pub fn backlog(conn: &mut Conn, site_id: &str) -> Result<i64> {
    let waiting = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.is_not_null());
    Ok(waiting.count().get_result(conn)?)
}
