//! API keys: only their hashes are stored.

use super::conn::Conn;
use super::schema::{keys, probes};
use super::{Result, stored};
use crate::core::Instant;
use diesel::prelude::*;

/// Makes a key.
pub fn insert(
    conn: &mut Conn,
    id: &str,
    hash: &[u8],
    name: &str,
    scopes: &str,
    at: Instant,
) -> Result<()> {
    let row = (
        keys::id.eq(id),
        keys::key_hash.eq(hash),
        keys::name.eq(name),
        keys::scopes.eq(scopes),
        keys::created_at.eq(stored(at)),
    );
    diesel::insert_into(keys::table).values(row).execute(conn)?;
    Ok(())
}

/// The scopes of the key with this hash; `None` where there is no such key.
pub fn scopes(conn: &mut Conn, hash: &[u8]) -> Result<Option<String>> {
    Ok(keys::table.filter(keys::key_hash.eq(hash)).select(keys::scopes).first(conn).optional()?)
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
