//! What webhooks say: those that are due, and the observations that the others are.

use super::conn::Conn;
use super::schema::webhooks;
use super::webhooks::{RESTORED, Status};
use super::{IN_MAX, Result, StoreError, from_json, sets, stored, to_json};
use crate::core::Instant;
use crate::core::event::{EventId, Observation, Vouched, Witness};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Nullable, SmallInt, Text, Timestamp};
use std::collections::BTreeMap;

/// A webhook with what processing needs of it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub struct Due {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The feed that it came by.
    pub feed: String,
    /// SHA-256 of the body as received.
    pub body_hash: Vec<u8>,
    /// A keyed MAC of the secret that it carried.
    pub secret_mac: Option<Vec<u8>>,
    /// Its status.
    pub status: String,
    /// Why it has the status it has, where there is more to say.
    pub reason: Option<String>,
    /// How often processing it has failed.
    pub attempts: i32,
    /// When it is to be processed; `None` once it is.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// The event that it was an observation of.
    pub event_id: Option<String>,
    /// How well it was vouched for; `None` where nothing was judged of it, or nothing stands.
    pub vouched: Option<i16>,
    /// What it said when it was read last; `None` where it said nothing, or was not read yet.
    pub said: Option<String>,
}

impl Due {
    /// How well it is vouched for by a judgement that stands; `None` asks for a new one. What is an
    /// observation and due again is replayed.
    #[must_use]
    pub fn judged(&self) -> Option<i16> {
        let replayed = self.event_id.is_some() && self.next_attempt_at.is_some();
        self.vouched.filter(|_| !replayed)
    }

    /// Whether an operator has restored it, and it was not applied since.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        self.next_attempt_at.is_some() && reason.starts_with(RESTORED)
    }

    /// What it said when it was read last; `None` where it said nothing, or was not read yet.
    pub fn says(&self) -> Result<Option<Observation>> {
        self.said.as_deref().map(|said| from_json("a webhook's observation", said)).transpose()
    }
}

/// What processing makes of a webhook.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
pub struct Judged {
    /// Which webhook.
    #[diesel(skip_update)]
    pub id: String,
    /// How many changes it has led to this time.
    #[diesel(skip_update)]
    pub changes: i32,
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

/// The webhooks of a site that are due, in the order of receipt, and how often each has failed.
pub fn due(conn: &mut Conn, site_id: &str, now: Instant, limit: i64) -> Result<Vec<(String, i32)>> {
    let rows = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.le(stored(now)))
        .order((webhooks::next_attempt_at, webhooks::id))
        .limit(limit)
        .select((webhooks::id, webhooks::attempts));
    Ok(rows.load(conn)?)
}

/// Some webhooks of a site with what processing needs of them, in the order of receipt.
pub fn load(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Due>> {
    let mut found: Vec<Due> = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows = webhooks::table
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::id.eq_any(ids))
            .select(Due::as_select());
        found.extend(rows.load(conn)?);
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// A site's webhooks after one, in the order of receipt.
pub fn after(conn: &mut Conn, site_id: &str, after: &str, limit: i64) -> Result<Vec<Due>> {
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

/// Writes what became of some webhooks, as a set.
pub fn judge(conn: &mut Conn, site_id: &str, judged: &[Judged]) -> Result<()> {
    match conn {
        Conn::Sqlite(c) => {
            for one in judged {
                let changes = webhooks::changes.eq(webhooks::changes + one.changes);
                let row = webhooks::table.find((site_id, &one.id));
                diesel::update(row).set((one, changes)).execute(c)?;
            }
        }
        Conn::Postgres(c) => judge_as_set(c, site_id, judged)?,
    }
    Ok(())
}

fn judge_as_set(conn: &mut PgConnection, site_id: &str, judged: &[Judged]) -> Result<()> {
    const COLUMNS: [&str; 11] = [
        "feed",
        "status",
        "kind",
        "transaction_id",
        "product_id",
        "email",
        "reason",
        "next_attempt_at",
        "event_id",
        "vouched",
        "said",
    ];
    macro_rules! array {
        ($judged:ident, $column:ident) => {
            $judged.iter().map(|one| &one.$column).collect::<Vec<_>>()
        };
    }
    for judged in judged.chunks(sets::SET_ROWS_MAX) {
        diesel::sql_query(sets::update("webhooks", &COLUMNS, Some("changes")))
            .bind::<Text, _>(site_id)
            .bind::<Array<Text>, _>(array!(judged, id))
            .bind::<Array<Text>, _>(array!(judged, feed))
            .bind::<Array<Text>, _>(array!(judged, status))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, kind))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, transaction_id))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, product_id))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, email))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, reason))
            .bind::<Array<Nullable<Timestamp>>, _>(array!(judged, next_attempt_at))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, event_id))
            .bind::<Array<Nullable<SmallInt>>, _>(array!(judged, vouched))
            .bind::<Array<Nullable<Text>>, _>(array!(judged, said))
            .bind::<Array<Integer>, _>(array!(judged, changes))
            .execute(conn)?;
    }
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
            .filter(webhooks::status.ne(status.as_str()))
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

/// A webhook as the witness that it is, by what it says and how well that is vouched for.
pub fn witness_of(webhook: &Due, vouched: Vouched, observation: Observation) -> Result<Witness> {
    Ok(Witness {
        received_at: webhook.received_at.and_utc(),
        vouched,
        body_hash: hash(&webhook.body_hash)?,
        webhook_id: webhook.id.clone(),
        observation,
    })
}

/// A SHA-256 out of a row.
pub(super) fn hash(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("a body hash".to_owned()))
}

/// What a webhook said when it was read last; `None` where it said nothing.
pub fn heard(said: Option<&str>) -> Result<Option<Observation>> {
    said.map(|said| from_json("a webhook's observation", said)).transpose()
}

/// An observation as the column `said` keeps it.
pub fn said(observation: &Observation) -> Result<String> {
    to_json("an observation", observation)
}
