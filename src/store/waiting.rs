//! What waits at a site: for a person, to be applied, or to be carried. Each number is read off an index, and none is
//! counted further than [`COUNTED_MAX`].

use super::conn::Conn;
use super::schema::{alarms, level_counts, levels, webhooks};
use super::{Result, destinations, observations, pushes};
use crate::core::Instant;
use crate::core::alarm::COUNTED_MAX;
use crate::core::push::Status as PushStatus;
use crate::store::webhooks::Status;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::BTreeMap;

/// How much waits, and since when the oldest of it does; `None` where nothing waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How much, at most [`COUNTED_MAX`].
    pub number: i64,
    /// Since when.
    pub since: Option<Instant>,
}

/// Webhooks that wait to be applied, those that have failed among them.
pub fn webhooks(conn: &mut Conn, site_id: &str) -> Result<Backlog> {
    let waiting = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.is_not_null())
        .order((webhooks::next_attempt_at, webhooks::id))
        .select(webhooks::id)
        .limit(COUNTED_MAX);
    let number = number(waiting.load::<String>(conn)?.len());
    // Each failure moves when it is due; it has waited since it was received.
    let failed: Option<NaiveDateTime> = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::status.eq(Status::Failed.as_str()))
        .order(webhooks::id)
        .select(webhooks::received_at)
        .first(conn)
        .optional()?;
    let due = observations::next_due_at(conn, site_id)?;
    let since = failed.map(|at| at.and_utc()).into_iter().chain(due).min();
    Ok(Backlog { number, since })
}

/// Pushes that no destination has confirmed and that are not given up, and since when the oldest of those that wait for
/// their first attempt is wanted; then those of them whose last attempt has failed, and since when the oldest is.
/// What nobody means to send, because its destination is not enabled, is counted and has no age.
pub fn pushes(conn: &mut Conn, site_id: &str) -> Result<(Backlog, Backlog)> {
    let pending = pushes::number_of(conn, site_id, PushStatus::Pending, COUNTED_MAX)?;
    let retrying = pushes::retrying(conn, site_id, COUNTED_MAX)?;
    let mut since = None;
    let mut retrying_since = None;
    for destination in destinations::of_site(conn, site_id)?.iter().filter(|one| one.enabled) {
        let waiting = pushes::waiting_since(conn, site_id, &destination.id)?;
        since = since.into_iter().chain(waiting).min();
        let of_it = retrying.iter().filter(|(id, _)| *id == destination.id).map(|(_, at)| *at);
        retrying_since = of_it.chain(retrying_since).min();
    }
    let retrying = number(retrying.len());
    Ok((
        Backlog { number: (pending + retrying).min(COUNTED_MAX), since },
        Backlog { number: retrying, since: retrying_since },
    ))
}

/// How many alarms of a site are open.
pub fn alarms(conn: &mut Conn, site_id: &str) -> Result<i64> {
    let open = alarms::table.filter(alarms::site_id.eq(site_id)).filter(alarms::ended_at.is_null());
    Ok(open.count().get_result(conn)?)
}

/// A level, and how many members hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLevel {
    /// The level.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How many hold it.
    pub members: i64,
}

/// The levels that most members hold, at most so many; where there is room for them, also those that nobody holds.
pub fn levels(conn: &mut Conn, site_id: &str, limit: i64) -> Result<Vec<HeldLevel>> {
    let most = level_counts::table
        .filter(level_counts::site_id.eq(site_id))
        .filter(level_counts::members.gt(0))
        .order((level_counts::members.desc(), level_counts::level))
        .select((level_counts::level, level_counts::members))
        .limit(limit);
    let most: Vec<(String, i64)> = most.load(conn)?;
    let ids: Vec<&str> = most.iter().map(|(id, _)| id.as_str()).collect();
    let named = levels::table
        .filter(levels::site_id.eq(site_id))
        .filter(levels::id.eq_any(ids))
        .select((levels::id, levels::name));
    let mut names: BTreeMap<String, String> =
        named.load::<(String, String)>(conn)?.into_iter().collect();
    let held = |(id, members): (String, i64)| {
        let name = names.remove(&id).unwrap_or_else(|| id.clone());
        HeldLevel { id, name, members }
    };
    let mut found: Vec<HeldLevel> = most.into_iter().map(held).collect();
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    if found.len() < enough {
        for level in super::rules::list_levels(conn, site_id, None, limit)? {
            if found.len() < enough && !found.iter().any(|held| held.id == level.id) {
                found.push(HeldLevel { id: level.id, name: level.name, members: 0 });
            }
        }
    }
    Ok(found)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(COUNTED_MAX)
}
