//! Pushes as they are listed, counted and taken up again.

use super::{Push, Status};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::schema::pushes;
use crate::store::{Result, stored};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// Which pushes to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those of this destination.
    pub destination_id: Option<&'a str>,
    /// Only those of this address.
    pub email: Option<&'a str>,
}

/// The pushes of a site, newest first, before an id.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    wanted: &Wanted<'_>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Push>> {
    let mut query = pushes::table
        .filter(pushes::site_id.eq(site_id.to_owned()))
        .select(Push::as_select())
        .order(pushes::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(status) = wanted.status {
        query = query.filter(pushes::status.eq(status.as_str()));
    }
    if let Some(destination_id) = wanted.destination_id {
        query = query.filter(pushes::destination_id.eq(destination_id.to_owned()));
    }
    if let Some(email) = wanted.email {
        query = query.filter(pushes::email.eq(email.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(pushes::id.lt(before.to_owned()));
    }
    Ok(query.load(conn)?)
}

/// The push with an id.
pub fn by_id(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Push>> {
    let found = pushes::table.filter(pushes::site_id.eq(site_id)).filter(pushes::id.eq(id));
    Ok(found.select(Push::as_select()).first(conn).optional()?)
}

/// The pushes of a member.
pub fn of_subject(conn: &mut Conn, site_id: &str, subject: &str) -> Result<Vec<Push>> {
    let found =
        pushes::table.filter(pushes::site_id.eq(site_id)).filter(pushes::subject.eq(subject));
    Ok(found.order(pushes::destination_id).select(Push::as_select()).load(conn)?)
}

/// Takes a push up again at once, unless it is under way; with `welcome`, its owner is welcomed again, whatever went
/// out before.
pub fn retry(conn: &mut Conn, push: &Push, welcome: bool, now: Instant) -> Result<()> {
    let key = (&push.site_id, &push.destination_id, &push.subject);
    if welcome {
        let again = pushes::welcome.eq(None::<String>);
        diesel::update(pushes::table.find(key)).set(again).execute(conn)?;
    }
    let free = pushes::table.find(key).filter(pushes::claim.is_null());
    let anew = (
        pushes::status.eq(Status::Pending.as_str()),
        pushes::attempts.eq(0),
        pushes::next_attempt_at.eq(Some(stored(now))),
    );
    diesel::update(free).set(anew).execute(conn)?;
    Ok(())
}

/// The failed pushes of a site: how many, at most so many, and since when the first of them is wanted.
pub fn failed(conn: &mut Conn, site_id: &str, limit: i64) -> Result<Option<(i64, Instant)>> {
    let failed = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::status.eq(Status::Failed.as_str()))
        .order(pushes::id)
        .select(pushes::wanted_at)
        .limit(limit);
    let since: Vec<NaiveDateTime> = failed.load(conn)?;
    let number = i64::try_from(since.len()).unwrap_or(i64::MAX);
    Ok(since.into_iter().min().map(|first| (number, first.and_utc())))
}

/// How many pushes of a site have a status, at most so many.
pub fn number_of(conn: &mut Conn, site_id: &str, status: Status, limit: i64) -> Result<i64> {
    let of_status = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::status.eq(status.as_str()))
        .select(pushes::id)
        .order(pushes::id)
        .limit(limit);
    let ids: Vec<String> = of_status.load(conn)?;
    Ok(i64::try_from(ids.len()).unwrap_or(i64::MAX))
}

/// How many pushes that a run asked for are not settled.
pub fn open_of_run(conn: &mut Conn, site_id: &str, run_id: &str) -> Result<i64> {
    let open = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::run_id.eq(run_id))
        .filter(pushes::next_attempt_at.is_not_null());
    Ok(open.count().get_result(conn)?)
}

/// Since when the oldest push that waits at a destination has been due; `None` where none waits.
pub fn waiting_since(
    conn: &mut Conn,
    site_id: &str,
    destination_id: &str,
) -> Result<Option<Instant>> {
    let waiting = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::destination_id.eq(destination_id))
        .filter(pushes::next_attempt_at.is_not_null())
        .filter(pushes::attempts.eq(0));
    let first = waiting.order(pushes::next_attempt_at).select(pushes::wanted_at);
    Ok(first.first::<NaiveDateTime>(conn).optional()?.map(|at| at.and_utc()))
}
