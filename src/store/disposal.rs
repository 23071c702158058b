//! What is removed in small batches: the rows of a deleted site, and what has aged out of a feed. No
//! batch is so large that anybody has to wait for it.

use super::conn::Conn;
use super::schema::{alarm_settings, changes, hooks, keys, sites};
use super::{Result, ageing, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;

/// Rows that one batch removes from a table.
const BATCH_ROWS_MAX: i64 = 1_000;

/// The tables whose rows belong to a site, and what their keys have besides it; bodies, whose batches
/// are smaller, are apart. A table stands before those that it refers to.
const TABLES: [(&str, &str); 31] = [
    ("webhooks", "id"),
    ("event_ties", "tie, event_id"),
    ("lead_emails", "email, lead_key"),
    ("events", "id"),
    ("purchase_terms", "product_id, purchase_id, ordinal"),
    ("purchases", "id"),
    ("product_counts", "product_id"),
    ("price_point_counts", "product_id, price_point"),
    ("leads", "lead_key"),
    ("access", "member_id, level"),
    ("level_counts", "level"),
    ("level_losses", "level, minute"),
    ("daily_counts", "day, counter"),
    ("members", "id"),
    ("changes", "position"),
    ("mappings", "id"),
    ("levels", "id"),
    ("products", "product_id"),
    ("override_leads", "lead_key, override_id"),
    ("overrides", "id"),
    ("recomputes", "id"),
    ("plan_touched", "plan_id, email"),
    ("plan_members", "plan_id, email, level"),
    ("plans", "id"),
    ("keys", "id"),
    ("alarms", "id"),
    ("alarm_settings", "site_id"),
    ("drift", "run_id, subject, remote"),
    ("destination_runs", "id"),
    ("pushes", "destination_id, subject"),
    ("destinations", "id"),
];

/// Deletes a site: nobody finds it, its webhook URLs or its keys from now on, and nobody is told of it.
pub fn delete_site(conn: &mut Conn, site_id: &str, at: Instant) -> Result<()> {
    let gone = (sites::deleted_at.eq(stored(at)), sites::enabled.eq(false));
    diesel::update(sites::table.find(site_id)).set(gone).execute(conn)?;
    diesel::delete(hooks::table.filter(hooks::site_id.eq(site_id))).execute(conn)?;
    diesel::delete(keys::table.filter(keys::site_id.eq(site_id))).execute(conn)?;
    // Nothing more is posted of it.
    diesel::delete(alarm_settings::table.find(site_id)).execute(conn)?;
    Ok(())
}

/// The deleted sites whose rows are still being removed.
pub fn deleted_sites(conn: &mut Conn) -> Result<Vec<String>> {
    let deleted = sites::table.filter(sites::deleted_at.is_not_null());
    Ok(deleted.select(sites::id).order(sites::id).load(conn)?)
}

/// Whether a site of this id is still being removed.
pub fn is_being_removed(conn: &mut Conn, site_id: &str) -> Result<bool> {
    let deleted = sites::table.find(site_id).filter(sites::deleted_at.is_not_null());
    Ok(deleted.select(sites::id).first::<String>(conn).optional()?.is_some())
}

/// Takes a deleted site for the rest of the transaction, unless somebody else has it; answers whether
/// it is to be had. As with [`super::sites::lock`], rows that refer to it may come meanwhile.
fn take_deleted(conn: &mut Conn, site_id: &str) -> Result<bool> {
    let deleted = sites::table.find(site_id).filter(sites::deleted_at.is_not_null());
    let deleted = deleted.select(sites::id);
    let taken: Option<String> = match conn {
        Conn::Postgres(c) => deleted.for_no_key_update().skip_locked().first(c).optional()?,
        Conn::Sqlite(c) => deleted.first(c).optional()?,
    };
    Ok(taken.is_some())
}

/// Removes a batch of a deleted site's rows; when there are none left, the site itself, if it was
/// deleted before an instant. Answers whether anything was removed: nothing is, while another process
/// is at it. Of two at once the second would wait for the first and find the rows of its batch gone,
/// as if a table were empty, and would remove all that is left together with the site.
pub fn remove_batch(conn: &mut Conn, site_id: &str, before: Instant) -> Result<bool> {
    if !take_deleted(conn, site_id)? {
        return Ok(false);
    }
    if ageing::remove_batch(conn, site_id)? {
        return Ok(true);
    }
    for (table, key) in TABLES {
        let batch = format!("SELECT {key} FROM {table} WHERE site_id = $1 LIMIT {BATCH_ROWS_MAX}");
        let delete = format!("DELETE FROM {table} WHERE site_id = $1 AND ({key}) IN ({batch})");
        if sql_query(delete).bind::<Text, _>(site_id).execute(conn)? > 0 {
            return Ok(true);
        }
    }
    let site = sites::table.filter(sites::id.eq(site_id));
    Ok(diesel::delete(site.filter(sites::deleted_at.lt(stored(before)))).execute(conn)? > 0)
}

/// The position up to which a site's feed has aged out; 0 where nothing has.
pub fn feed_floor(conn: &mut Conn, site_id: &str) -> Result<i64> {
    let floor = sites::table.find(site_id).select(sites::feed_floor).first(conn).optional()?;
    Ok(floor.unwrap_or(0))
}

/// The sites whose oldest change was recorded before an instant. One look by the key of the feed for each
/// site.
pub fn sites_with_aged_feed(conn: &mut Conn, cutoff: Instant) -> Result<Vec<String>> {
    let cutoff = stored(cutoff);
    let unnoted = changes::recorded_at.is_null().and(changes::at.lt(cutoff));
    let aged = changes::table
        .filter(changes::site_id.eq(sites::id))
        .filter(changes::position.eq(sites::feed_floor + 1))
        .filter(changes::recorded_at.lt(cutoff).or(unnoted));
    let ids = sites::table.filter(sites::deleted_at.is_null()).filter(diesel::dsl::exists(aged));
    Ok(ids.select(sites::id).order(sites::id).load(conn)?)
}

/// Removes a batch of the changes that were recorded before an instant, oldest first, under the site's
/// lock. What counts is not their date, which an end that fired late has in the past: whoever reads along
/// would miss what was recorded a moment ago.
pub fn age_feed(conn: &mut Conn, site_id: &str, cutoff: Instant) -> Result<()> {
    let oldest: Vec<(i64, NaiveDateTime, Option<NaiveDateTime>)> = changes::table
        .filter(changes::site_id.eq(site_id))
        .order(changes::position)
        .limit(BATCH_ROWS_MAX)
        .select((changes::position, changes::at, changes::recorded_at))
        .load(conn)?;
    let aged = |at, recorded_at: Option<_>| recorded_at.unwrap_or(at) < stored(cutoff);
    let aged = oldest.into_iter().take_while(|(_, at, recorded_at)| aged(*at, *recorded_at)).last();
    let Some((floor, ..)) = aged else { return Ok(()) };
    let gone = changes::table.filter(changes::site_id.eq(site_id));
    diesel::delete(gone.filter(changes::position.le(floor))).execute(conn)?;
    diesel::update(sites::table.find(site_id)).set(sites::feed_floor.eq(floor)).execute(conn)?;
    Ok(())
}
