//! What may be an alarm at a site: each look goes by an index, and counts no further than
//! [`COUNTED_MAX`].

use super::conn::Conn;
use super::schema::{members, overrides, purchases, webhooks};
use super::webhooks::Status;
use super::{Result, destinations, pushes, stored};
use crate::core::Instant;
use crate::core::alarm::{COUNTED_MAX, Cause};
use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;

/// A cause, of so many instants since when each thing is there.
fn cause(since: &[NaiveDateTime]) -> Option<Cause> {
    let first = since.iter().min()?;
    let number = i64::try_from(since.len()).unwrap_or(COUNTED_MAX);
    Some(Cause { number, since: first.and_utc() })
}

/// Purchases that have been held since an instant, or longer, and still are.
pub fn held(conn: &mut Conn, site_id: &str, since: Instant, now: Instant) -> Result<Option<Cause>> {
    let held = || {
        purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::held_from.is_not_null())
            .filter(purchases::held_from.le(stored(since)))
            .select(purchases::held_from)
    };
    // Those with no known end, and those whose end is to come, are two stretches of the index.
    let endless = held().filter(purchases::held_until.is_null());
    let mut found: Vec<Option<NaiveDateTime>> =
        endless.order(purchases::held_from).limit(COUNTED_MAX).load(conn)?;
    let left = COUNTED_MAX - i64::try_from(found.len()).unwrap_or(COUNTED_MAX);
    let ending = held().filter(purchases::held_until.gt(stored(now)));
    let ending: Vec<Option<NaiveDateTime>> =
        ending.order(purchases::held_until).limit(left).load(conn)?;
    found.extend(ending);
    Ok(cause(&found.into_iter().flatten().collect::<Vec<_>>()))
}

/// Webhooks of a status; an alarm when the oldest of them was received by an instant.
pub fn webhooks(
    conn: &mut Conn,
    site_id: &str,
    status: Status,
    by: Instant,
) -> Result<Option<Cause>> {
    let received: Vec<NaiveDateTime> = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::status.eq(status.as_str()))
        .order(webhooks::id)
        .select(webhooks::received_at)
        .limit(COUNTED_MAX)
        .load(conn)?;
    Ok(cause(&received).filter(|cause| cause.since <= by))
}

/// Destinations that refuse us, or have taken nothing since an instant.
pub fn destinations_down(conn: &mut Conn, site_id: &str, since: Instant) -> Result<Option<Cause>> {
    let down = destinations::down(conn, site_id, since)?;
    Ok(cause(&down.into_iter().map(stored).collect::<Vec<_>>()))
}

/// Pushes that have failed.
pub fn pushes_failed(conn: &mut Conn, site_id: &str) -> Result<Option<Cause>> {
    let failed = pushes::failed(conn, site_id, COUNTED_MAX)?;
    Ok(failed.map(|(number, since)| Cause { number, since }))
}

/// Ends of access that were due by an instant and have not been applied.
pub fn late_ends(conn: &mut Conn, site_id: &str, by: Instant) -> Result<Option<Cause>> {
    let late: Vec<Option<NaiveDateTime>> = members::table
        .filter(members::site_id.eq(site_id))
        .filter(members::next_change_at.is_not_null())
        .filter(members::next_change_at.le(stored(by)))
        .order(members::next_change_at)
        .select(members::next_change_at)
        .limit(COUNTED_MAX)
        .load(conn)?;
    Ok(cause(&late.into_iter().flatten().collect::<Vec<_>>()))
}

/// Levels of members that are held open until an operator decides.
pub fn held_open(conn: &mut Conn, site_id: &str) -> Result<Option<Cause>> {
    let open: Vec<Option<NaiveDateTime>> = overrides::table
        .filter(overrides::site_id.eq(site_id))
        .filter(overrides::held_open_number.is_not_null())
        .filter(overrides::ended_at.is_null())
        .order(overrides::held_open_number)
        .select(overrides::held_open_at)
        .limit(COUNTED_MAX)
        .load(conn)?;
    Ok(cause(&open.into_iter().flatten().collect::<Vec<_>>()))
}

/// Subscriptions whose payment was expected by an instant and has not come.
pub fn overdue(conn: &mut Conn, site_id: &str, by: Instant) -> Result<Option<Cause>> {
    let due: Vec<Option<NaiveDateTime>> = purchases::table
        .filter(purchases::site_id.eq(site_id))
        .filter(purchases::payment_due_at.is_not_null())
        .filter(purchases::payment_due_at.le(stored(by)))
        .order(purchases::payment_due_at)
        .select(purchases::payment_due_at)
        .limit(COUNTED_MAX)
        .load(conn)?;
    Ok(cause(&due.into_iter().flatten().collect::<Vec<_>>()))
}

/// Whether a site has webhooks that were to be applied by an instant, or that failed by an error of ours.
pub fn is_stuck(conn: &mut Conn, site_id: &str, by: Instant) -> Result<bool> {
    let of_site = || webhooks::table.filter(webhooks::site_id.eq(site_id));
    let late = of_site().filter(webhooks::next_attempt_at.le(stored(by)));
    let failed = of_site().filter(webhooks::status.eq(Status::Failed.as_str()));
    Ok(diesel::select(exists(late).or(exists(failed))).get_result(conn)?)
}
