//! The feed: every recorded step of access, at the site's position, without gaps.

use super::Result;
use super::conn::Conn;
use super::schema::changes;
use super::sets::insert_set;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamp};

/// One recorded step of access.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
pub struct Change {
    /// The site.
    pub site_id: String,
    /// Its position in the site's feed.
    pub position: i64,
    /// When access took this step: that of an end is its own instant, however late it was recorded.
    pub at: NaiveDateTime,
    /// The member.
    pub member_id: String,
    /// The member's address at that time.
    pub email: String,
    /// The level.
    pub level: String,
    /// `granted`, `revoked` or `updated`.
    pub what: String,
    /// The level's end from then on.
    pub until: Option<NaiveDateTime>,
    /// What led to it.
    pub cause_kind: String,
    /// Which one.
    pub cause_id: String,
    /// The reason code.
    pub reason: String,
    /// When it was recorded; `None` for what was recorded before this was noted: then `at` counts.
    pub recorded_at: Option<NaiveDateTime>,
}

/// Appends to the feed.
pub fn insert(conn: &mut Conn, rows: &[Change]) -> Result<()> {
    insert_set!(conn, changes, rows, {
        site_id: Text,
        position: BigInt,
        at: Timestamp,
        member_id: Text,
        email: Text,
        level: Text,
        what: Text,
        until: Nullable<Timestamp>,
        cause_kind: Text,
        cause_id: Text,
        reason: Text,
        recorded_at: Nullable<Timestamp>,
    });
    Ok(())
}

/// Changes after a position, oldest first.
pub fn after(conn: &mut Conn, site_id: &str, position: i64, limit: i64) -> Result<Vec<Change>> {
    let rows = changes::table
        .filter(changes::site_id.eq(site_id))
        .filter(changes::position.gt(position))
        .order(changes::position)
        .limit(limit);
    Ok(rows.select(Change::as_select()).load(conn)?)
}

/// The newest changes of one member, oldest first.
pub fn newest_of_member(
    conn: &mut Conn,
    site_id: &str,
    member_id: &str,
    limit: i64,
) -> Result<Vec<Change>> {
    let rows = changes::table
        .filter(changes::site_id.eq(site_id))
        .filter(changes::member_id.eq(member_id))
        .order(changes::position.desc())
        .limit(limit);
    let mut newest: Vec<Change> = rows.select(Change::as_select()).load(conn)?;
    newest.reverse();
    Ok(newest)
}

/// Changes of some members that one of some causes led to, oldest first. The members are few: their changes are
/// looked through.
pub fn caused_by(
    conn: &mut Conn,
    site_id: &str,
    member_ids: &[String],
    causes: &[String],
    limit: i64,
) -> Result<Vec<Change>> {
    let rows = changes::table
        .filter(changes::site_id.eq(site_id))
        .filter(changes::member_id.eq_any(member_ids))
        .filter(changes::cause_kind.eq_any(["event", "discard", "restore"]))
        .filter(changes::cause_id.eq_any(causes))
        .order(changes::position)
        .limit(limit);
    Ok(rows.select(Change::as_select()).load(conn)?)
}
