//! API keys: only their hashes are stored.

use super::conn::Conn;
use super::schema::{keys, probes};
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// What is known of a key; the key itself is not.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = keys)]
pub struct Key {
    /// Its id, to revoke it by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do: scopes, separated by spaces.
    pub scopes: String,
    /// The one site that it opens; `None` opens all.
    pub site_id: Option<String>,
    /// When it was made.
    pub created_at: NaiveDateTime,
    /// When it ends; `None` never.
    pub expires_at: Option<NaiveDateTime>,
    /// When it was last used, about to the minute; `None` until it first is.
    pub last_used_at: Option<NaiveDateTime>,
}

/// Makes a key.
pub fn insert(conn: &mut Conn, key: &Key, hash: &[u8]) -> Result<()> {
    diesel::insert_into(keys::table).values((key, keys::key_hash.eq(hash))).execute(conn)?;
    Ok(())
}

/// The key with this hash.
pub fn by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<Key>> {
    let found = keys::table.filter(keys::key_hash.eq(hash)).select(Key::as_select());
    Ok(found.first(conn).optional()?)
}

/// One key.
pub fn get(conn: &mut Conn, id: &str) -> Result<Option<Key>> {
    Ok(keys::table.find(id).select(Key::as_select()).first(conn).optional()?)
}

/// Keys, newest first, before an id: those of one site, or all.
pub fn list(
    conn: &mut Conn,
    site_id: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Key>> {
    let mut query =
        keys::table.select(Key::as_select()).order(keys::id.desc()).limit(limit).into_boxed();
    if let Some(site_id) = site_id {
        query = query.filter(keys::site_id.eq(site_id.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(keys::id.lt(before.to_owned()));
    }
    Ok(query.load(conn)?)
}

/// Revokes a key; answers whether it was there.
pub fn delete(conn: &mut Conn, id: &str) -> Result<bool> {
    Ok(diesel::delete(keys::table.find(id)).execute(conn)? > 0)
}

/// Notes that a key was used.
pub fn used(conn: &mut Conn, id: &str, at: Instant) -> Result<()> {
    diesel::update(keys::table.find(id)).set(keys::last_used_at.eq(stored(at))).execute(conn)?;
    Ok(())
}

/// Whether there is any key yet.
pub fn any(conn: &mut Conn) -> Result<bool> {
    Ok(keys::table.select(keys::id).first::<String>(conn).optional()?.is_some())
}

/// Commits a probe: whoever asks for readiness learns whether a commit reaches the disk.
pub fn probe(conn: &mut Conn, at: Instant) -> Result<()> {
    let at = probes::at.eq(stored(at));
    if diesel::update(probes::table.find(1)).set(at).execute(conn)? == 0 {
        diesel::insert_into(probes::table).values((probes::id.eq(1), at)).execute(conn)?;
    }
    Ok(())
}
