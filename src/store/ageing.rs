//! The bodies of webhooks age out in the order of receipt, in batches so small that nobody waits for one.
//! No site's lock is needed, as access never comes from a body that was read: what was read stays.

use super::bodies::{length, within};
use super::conn::Conn;
use super::schema::{bodies, webhooks};
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::BTreeMap;

/// Bodies that one batch removes.
const BATCH_ROWS_MAX: i64 = 100;

/// Bytes of bodies that one batch removes; a single body always fits. Each page of a long body is freed by
/// itself.
const BATCH_BYTES_MAX: i64 = 1024 * 1024;

/// When the webhook of the first body after one was received; `None` where there is none. One look by key.
pub fn first_received_at(
    conn: &mut Conn,
    site_id: &str,
    after: &str,
) -> Result<Option<NaiveDateTime>> {
    let Some((first, _)) = batch_after(conn, site_id, after, 1)?.pop() else { return Ok(None) };
    let webhook = webhooks::table.find((site_id, first)).select(webhooks::received_at);
    // A body that belongs to no webhook is as old as can be.
    Ok(Some(webhook.first(conn).optional()?.unwrap_or(NaiveDateTime::MIN)))
}

/// Removes a batch of the bodies after one whose webhooks were received before an instant; answers how far it
/// came, or `None` where the first of them was received later. What is still due keeps its body and is
/// walked past, and so is what another process is at.
pub fn age_bodies(
    conn: &mut Conn,
    site_id: &str,
    after: &str,
    cutoff: Instant,
) -> Result<Option<String>> {
    let batch = bounded(batch_after(conn, site_id, after, BATCH_ROWS_MAX)?);
    let received = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.eq_any(&batch))
        .select((webhooks::id, webhooks::received_at));
    let received: BTreeMap<String, NaiveDateTime> =
        received.load::<(String, NaiveDateTime)>(conn)?.into_iter().collect();
    let is_aged = |id: &String| received.get(id).is_none_or(|at| *at < stored(cutoff));
    let aged: Vec<String> = batch.into_iter().take_while(is_aged).collect();
    let known: Vec<&String> = aged.iter().filter(|id| received.contains_key(*id)).collect();
    let mut gone = settled(conn, site_id, &known)?;
    gone.extend(aged.iter().filter(|id| !received.contains_key(*id)).cloned());
    remove(conn, site_id, &gone)?;
    Ok(aged.into_iter().next_back())
}

/// Removes a batch of the bodies of a site that is gone; answers whether there were any.
pub(super) fn remove_batch(conn: &mut Conn, site_id: &str) -> Result<bool> {
    let batch = bounded(batch_after(conn, site_id, "", BATCH_ROWS_MAX)?);
    Ok(remove(conn, site_id, &batch)? > 0)
}

fn remove(conn: &mut Conn, site_id: &str, webhook_ids: &[String]) -> Result<usize> {
    let of_site = bodies::table.filter(bodies::site_id.eq(site_id));
    Ok(diesel::delete(of_site.filter(bodies::webhook_id.eq_any(webhook_ids))).execute(conn)?)
}

/// The bodies after one, in the order of receipt, with their lengths in bytes; none is read for that.
fn batch_after(
    conn: &mut Conn,
    site_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>> {
    let batch = bodies::table
        .filter(bodies::site_id.eq(site_id))
        .filter(bodies::webhook_id.gt(after))
        .order(bodies::webhook_id)
        .limit(limit)
        .select((bodies::webhook_id, length()));
    Ok(batch.load(conn)?)
}

/// As many bodies, from the first on, as one batch may remove.
fn bounded(mut batch: Vec<(String, i64)>) -> Vec<String> {
    batch.truncate(within(batch.iter().map(|(_, length)| *length), BATCH_BYTES_MAX));
    batch.into_iter().map(|(id, _)| id).collect()
}

/// Those of some webhooks that are not due. They cannot become due before the end of the transaction;
/// those that somebody else is at are left out.
fn settled(conn: &mut Conn, site_id: &str, ids: &[&String]) -> Result<Vec<String>> {
    let settled = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.eq_any(ids.iter().copied()))
        .filter(webhooks::next_attempt_at.is_null())
        .select(webhooks::id);
    Ok(match conn {
        Conn::Postgres(c) => settled.for_no_key_update().skip_locked().load(c)?,
        Conn::Sqlite(c) => settled.load(c)?,
    })
}
