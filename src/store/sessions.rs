//! Sessions of the console, and links that sign in once: only the hashes of their tokens are stored.

use super::conn::Conn;
use super::schema::{sessions, sign_in_links};
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct Session {
    /// The hash of its token.
    pub token_hash: Vec<u8>,
    /// The hash of the key that it stands for.
    pub key_hash: Vec<u8>,
    /// When it began.
    pub created_at: NaiveDateTime,
    /// When it was last used, about to the minute.
    pub used_at: NaiveDateTime,
}

/// Begins a session.
pub fn insert(conn: &mut Conn, session: &Session) -> Result<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn)?;
    Ok(())
}

/// The session whose token has this hash, over or not.
pub fn by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<Session>> {
    let found = sessions::table.filter(sessions::token_hash.eq(hash)).select(Session::as_select());
    Ok(found.first(conn).optional()?)
}

/// Notes that a session was used.
pub fn used(conn: &mut Conn, hash: &[u8], at: Instant) -> Result<()> {
    let session = sessions::table.filter(sessions::token_hash.eq(hash));
    diesel::update(session).set(sessions::used_at.eq(stored(at))).execute(conn)?;
    Ok(())
}

/// Ends a session.
pub fn delete(conn: &mut Conn, hash: &[u8]) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::token_hash.eq(hash))).execute(conn)?;
    Ok(())
}

/// Removes what nobody can use any more: sessions that were not used since an instant, and links that have ended.
pub fn tidy(conn: &mut Conn, unused_since: Instant, now: Instant) -> Result<()> {
    diesel::delete(sessions::table.filter(sessions::used_at.lt(stored(unused_since))))
        .execute(conn)?;
    diesel::delete(sign_in_links::table.filter(sign_in_links::ends_at.le(stored(now))))
        .execute(conn)?;
    Ok(())
}

/// Makes a link that signs in once with a key, until an instant.
pub fn insert_link(conn: &mut Conn, hash: &[u8], key_hash: &[u8], ends_at: Instant) -> Result<()> {
    let link = (
        sign_in_links::token_hash.eq(hash),
        sign_in_links::key_hash.eq(key_hash),
        sign_in_links::ends_at.eq(stored(ends_at)),
    );
    diesel::insert_into(sign_in_links::table).values(link).execute(conn)?;
    Ok(())
}

/// Uses a link up; answers the hash of its key, or `None` where there is no such link or it has ended.
pub fn take_link(conn: &mut Conn, hash: &[u8], now: Instant) -> Result<Option<Vec<u8>>> {
    let link = sign_in_links::table.filter(sign_in_links::token_hash.eq(hash));
    let found = link.select((sign_in_links::key_hash, sign_in_links::ends_at));
    let found: Option<(Vec<u8>, NaiveDateTime)> = found.first(conn).optional()?;
    // Of two who come with one link at once, the one that removes it is let in.
    let was_there = diesel::delete(link).execute(conn)? > 0;
    let live = found.filter(|(_, ends_at)| was_there && *ends_at > stored(now));
    Ok(live.map(|(key_hash, _)| key_hash))
}
