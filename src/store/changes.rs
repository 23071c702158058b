//! The feed: every recorded step of access, at the site's position, without gaps.

use super::conn::{Conn, on_backend};
use super::schema::changes;
use super::{INSERT_MAX, Result};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// One recorded step of access.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = changes)]
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
    for rows in rows.chunks(INSERT_MAX) {
        on_backend!(conn, |c| diesel::insert_into(changes::table).values(rows).execute(c))?;
    }
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

/// Changes of one member after a position, oldest first.
pub fn of_member(
    conn: &mut Conn,
    site_id: &str,
    member_id: &str,
    position: i64,
    limit: i64,
) -> Result<Vec<Change>> {
    let rows = changes::table
        .filter(changes::site_id.eq(site_id))
        .filter(changes::member_id.eq(member_id))
        .filter(changes::position.gt(position))
        .order(changes::position)
        .limit(limit);
    Ok(rows.select(Change::as_select()).load(conn)?)
}
