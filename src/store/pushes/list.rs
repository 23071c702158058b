//! Pushes as they are listed, counted and taken up again.

use super::{Push, Status};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::schema::pushes;
use crate::store::{IN_MAX, Result, stored};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// How many pushes are looked through for one page of those of one destination.
const LOOKED_THROUGH_MAX: usize = 10_000;
/// How many of them are read at once.
const LOOKED_THROUGH_AT_ONCE: i64 = 1_000;
/// How many pushes that wait for another attempt an edit of their destination makes due at once; the others keep the
/// instant that they wait for, which is a day off at most.
const DUE_AT_ONCE_MAX: i64 = 10_000;

/// Which pushes to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those of this destination.
    pub destination_id: Option<String>,
    /// Only those before this id: the cursor.
    pub before: Option<String>,
}

impl Wanted {
    fn is(&self, push: &Push) -> bool {
        self.status.is_none_or(|status| status.as_str() == push.status)
            && self.destination_id.as_ref().is_none_or(|id| *id == push.destination_id)
            && self.before.as_ref().is_none_or(|before| push.id < *before)
    }
}

/// The pushes of a site, newest first, with a status where one is asked for; whose they are is not looked at.
fn walk(conn: &mut Conn, site_id: &str, wanted: &Wanted, limit: i64) -> Result<Vec<Push>> {
    let mut query = pushes::table
        .filter(pushes::site_id.eq(site_id.to_owned()))
        .select(Push::as_select())
        .order(pushes::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(status) = wanted.status {
        query = query.filter(pushes::status.eq(status.as_str()));
    }
    if let Some(before) = &wanted.before {
        query = query.filter(pushes::id.lt(before.clone()));
    }
    Ok(query.load(conn)?)
}

/// The pushes of a site, newest first, and the id of the last that was looked at, where more follow.
///
/// No index knows the destination beside the id: it would make every push dearer, for a list that people look at now
/// and then. So those of one destination are looked for among all, so far for one page.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    wanted: &Wanted,
    limit: i64,
) -> Result<(Vec<Push>, Option<String>)> {
    let at_once = match wanted.destination_id {
        None => limit.saturating_add(1),
        Some(_) => LOOKED_THROUGH_AT_ONCE,
    };
    let (mut found, mut looked_through) = (Vec::new(), 0);
    let mut rest = wanted.clone();
    loop {
        let batch = walk(conn, site_id, &rest, at_once)?;
        let is_all = i64::try_from(batch.len()).is_ok_and(|read| read < at_once);
        let reached = batch.last().map(|push| push.id.clone());
        looked_through += batch.len();
        found.extend(batch.into_iter().filter(|push| rest.is(push)));
        let (page, last) = cut(found, limit);
        if last.is_some() || is_all {
            return Ok((page, last));
        }
        if looked_through >= LOOKED_THROUGH_MAX {
            return Ok((page, reached));
        }
        (found, rest.before) = (page, reached);
    }
}

/// As many as a page has, and the id of the last of them, where there are more.
fn cut(mut found: Vec<Push>, limit: i64) -> (Vec<Push>, Option<String>) {
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > enough;
    found.truncate(enough);
    let last = found.last().filter(|_| more).map(|push| push.id.clone());
    (found, last)
}

/// Of the pushes of a member, and the one with an id, those that are wanted, newest first, and the id of the last,
/// where more follow. A member has one at each destination of the site.
pub fn naming(
    conn: &mut Conn,
    site_id: &str,
    (subject, id): (Option<&str>, &str),
    wanted: &Wanted,
    limit: i64,
) -> Result<(Vec<Push>, Option<String>)> {
    let mut found = match subject {
        Some(subject) => of_subject(conn, site_id, subject)?,
        None => Vec::new(),
    };
    found.extend(by_id(conn, site_id, id)?);
    found.retain(|push| wanted.is(push));
    found.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(cut(found, limit))
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
    // Sorted here: for the order of the key, SQLite would walk through all of the site.
    let mut found: Vec<Push> = found.select(Push::as_select()).load(conn)?;
    found.sort_by(|a, b| a.destination_id.cmp(&b.destination_id));
    Ok(found)
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

/// Makes what waits at a destination for another attempt due at once, but for what is under way.
pub fn make_due(conn: &mut Conn, site_id: &str, destination_id: &str, now: Instant) -> Result<()> {
    let waiting = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::destination_id.eq(destination_id))
        .filter(pushes::next_attempt_at.gt(stored(now)))
        .filter(pushes::attempts.gt(0))
        .order(pushes::next_attempt_at.desc())
        .select(pushes::subject)
        .limit(DUE_AT_ONCE_MAX);
    let subjects: Vec<String> = waiting.load(conn)?;
    for subjects in subjects.chunks(IN_MAX) {
        let free = pushes::table
            .filter(pushes::site_id.eq(site_id))
            .filter(pushes::destination_id.eq(destination_id))
            .filter(pushes::subject.eq_any(subjects))
            .filter(pushes::claim.is_null());
        diesel::update(free).set(pushes::next_attempt_at.eq(Some(stored(now)))).execute(conn)?;
    }
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

/// Pushes of a site that are tried again, at most so many: at which destination each, and since when it is wanted.
pub fn retrying(conn: &mut Conn, site_id: &str, limit: i64) -> Result<Vec<(String, Instant)>> {
    let retrying = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::status.eq(Status::Retrying.as_str()))
        .order(pushes::id)
        .select((pushes::destination_id, pushes::wanted_at))
        .limit(limit);
    let rows: Vec<(String, NaiveDateTime)> = retrying.load(conn)?;
    Ok(rows.into_iter().map(|(id, at)| (id, at.and_utc())).collect())
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
