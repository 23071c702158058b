//! Whether Kartra talks to a site, and what it talks about. Each look is a few steps in an index,
//! however long the log is.

use super::conn::Conn;
use super::schema::{purchases, webhooks};
use super::webhooks::Status;
use super::{Result, stored};
use crate::core::Instant;
use chrono::{NaiveDateTime, TimeDelta};
use diesel::dsl::{exists, max, min};
use diesel::prelude::*;

/// What comes before the names of all purchases that a subscription names, and after those of all
/// others (`order:…`), in whatever order a database keeps texts.
const BEFORE_SUBSCRIPTIONS: &str = "s";

/// When a site last received something by a feed.
pub fn last_by(conn: &mut Conn, site_id: &str, feed: &str) -> Result<Option<Instant>> {
    let last: Option<NaiveDateTime> = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::feed.eq(feed))
        .select(max(webhooks::received_at))
        .get_result(conn)?;
    Ok(last.map(|at| at.and_utc()))
}

/// The longest pause that a webhook has ended which a site received from an instant on, also where it
/// began before; `None` where no such pause is longer than `least`.
///
/// The log is walked in strides of `least`, so the steps are bounded by the time, not by the rows:
/// of any two strides one gets further than `least`.
pub fn longest_gap(
    conn: &mut Conn,
    site_id: &str,
    feeds: &[&str],
    from: Instant,
    least: TimeDelta,
) -> Result<Option<TimeDelta>> {
    let mut longest = None;
    let just_before = stored(from) - TimeDelta::microseconds(1);
    let mut here =
        match last_within(conn, site_id, feeds, stored(Instant::UNIX_EPOCH), just_before)? {
            None => first_after(conn, site_id, feeds, just_before)?,
            before => before,
        };
    while let Some(at) = here {
        here = last_within(conn, site_id, feeds, at, at + least)?;
        if here.is_none() {
            here = first_after(conn, site_id, feeds, at)?;
            longest = longest.max(here.map(|next| next - at));
        }
    }
    Ok(longest)
}

fn first_after(
    conn: &mut Conn,
    site_id: &str,
    feeds: &[&str],
    after: NaiveDateTime,
) -> Result<Option<NaiveDateTime>> {
    let mut first: Option<NaiveDateTime> = None;
    for feed in feeds {
        let of_feed: Option<NaiveDateTime> = webhooks::table
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::feed.eq(feed))
            .filter(webhooks::received_at.gt(after))
            .select(min(webhooks::received_at))
            .get_result(conn)?;
        first = first.into_iter().chain(of_feed).min();
    }
    Ok(first)
}

fn last_within(
    conn: &mut Conn,
    site_id: &str,
    feeds: &[&str],
    after: NaiveDateTime,
    until: NaiveDateTime,
) -> Result<Option<NaiveDateTime>> {
    let mut last: Option<NaiveDateTime> = None;
    for feed in feeds {
        let of_feed: Option<NaiveDateTime> = webhooks::table
            .filter(webhooks::site_id.eq(site_id))
            .filter(webhooks::feed.eq(feed))
            .filter(webhooks::received_at.gt(after))
            .filter(webhooks::received_at.le(until))
            .select(max(webhooks::received_at))
            .get_result(conn)?;
        last = last.max(of_feed);
    }
    Ok(last)
}

/// Whether a site has purchases that a subscription names.
pub fn has_subscriptions(conn: &mut Conn, site_id: &str) -> Result<bool> {
    let named = purchases::table
        .filter(purchases::site_id.eq(site_id))
        .filter(purchases::id.gt(BEFORE_SUBSCRIPTIONS));
    Ok(diesel::select(exists(named)).get_result(conn)?)
}

/// Whether a site holds purchases at an instant.
pub fn holds(conn: &mut Conn, site_id: &str, at: Instant) -> Result<bool> {
    let at = stored(at);
    let held = purchases::table
        .filter(purchases::site_id.eq(site_id))
        .filter(purchases::held_from.is_not_null())
        .filter(purchases::held_from.le(at))
        .filter(purchases::held_until.is_null().or(purchases::held_until.gt(at)));
    Ok(diesel::select(exists(held)).get_result(conn)?)
}

/// Whether a site has rejected webhooks that nobody has replayed or discarded.
pub fn has_rejected(conn: &mut Conn, site_id: &str) -> Result<bool> {
    let rejected = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::status.eq(Status::Rejected.as_str()));
    Ok(diesel::select(exists(rejected)).get_result(conn)?)
}
