//! Episodes of alarms, and the posts about them.

use super::conn::{Conn, on_backend};
use super::schema::alarms;
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// How many episodes are forgotten at once.
const FORGOTTEN_MAX: i64 = 100;

/// One episode of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = alarms, treat_none_as_default_value = false)]
pub struct Alarm {
    /// The site.
    pub site_id: String,
    /// Opaque id; it grows with time, and is the id of the message that is posted.
    pub id: String,
    /// The word of its kind.
    pub kind: String,
    /// When its cause was first seen.
    pub first_seen_at: NaiveDateTime,
    /// When its cause was seen to be gone; `None` while it is there.
    pub ended_at: Option<NaiveDateTime>,
    /// How much there was when it was looked at last.
    pub number: i64,
    /// What there was then, in one sentence.
    pub detail: String,
    /// What is posted of it, to the letter.
    pub message: String,
    /// When it is to be posted, or tried again; `None` where it is not.
    pub next_post_at: Option<NaiveDateTime>,
    /// How often it has been tried to post it.
    pub attempts: i32,
    /// Who posts it now; `None` where nobody does.
    pub claim: Option<String>,
    /// When its receiver has taken it; `None` where it has not.
    pub posted_at: Option<NaiveDateTime>,
    /// Why the last attempt failed; `None` where it did not.
    pub last_error: Option<String>,
}

/// The open alarms of a site, newest first: at most one of each kind.
pub fn open(conn: &mut Conn, site_id: &str) -> Result<Vec<Alarm>> {
    let open = alarms::table.filter(alarms::site_id.eq(site_id)).filter(alarms::ended_at.is_null());
    let mut open: Vec<Alarm> = open.select(Alarm::as_select()).load(conn)?;
    open.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(open)
}

/// The ended alarms of a site, newest first, before one.
pub fn ended(
    conn: &mut Conn,
    site_id: &str,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Alarm>> {
    let mut ended = alarms::table
        .filter(alarms::site_id.eq(site_id))
        .filter(alarms::ended_at.is_not_null())
        .select(Alarm::as_select())
        .order(alarms::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        ended = ended.filter(alarms::id.lt(before.to_owned()));
    }
    Ok(ended.load(conn)?)
}

/// Begins an episode; answers whether it did, as another process may have seen the same cause first.
pub fn begin(conn: &mut Conn, alarm: &Alarm) -> Result<bool> {
    let begun = on_backend!(conn, |c| diesel::insert_into(alarms::table)
        .values(alarm)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(begun == 1)
}

/// Notes how much there is of an open alarm.
pub fn go_on(conn: &mut Conn, site_id: &str, id: &str, number: i64, detail: &str) -> Result<()> {
    let open = alarms::table.find((site_id, id)).filter(alarms::ended_at.is_null());
    let now = (alarms::number.eq(number), alarms::detail.eq(detail));
    diesel::update(open).set(now).execute(conn)?;
    Ok(())
}

/// Ends an episode. What has not been posted of it still will be: that it was there is worth knowing.
pub fn end(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let open = alarms::table.find((site_id, id)).filter(alarms::ended_at.is_null());
    diesel::update(open).set(alarms::ended_at.eq(stored(at))).execute(conn)?;
    Ok(())
}

/// Forgets a batch of the episodes of a site that were first seen before an instant and have ended.
pub fn forget(conn: &mut Conn, site_id: &str, before: Instant) -> Result<()> {
    let oldest: Vec<(String, NaiveDateTime)> = alarms::table
        .filter(alarms::site_id.eq(site_id))
        .filter(alarms::ended_at.is_not_null())
        .select((alarms::id, alarms::first_seen_at))
        .order(alarms::id)
        .limit(FORGOTTEN_MAX)
        .load(conn)?;
    let aged = oldest.into_iter().filter(|(_, seen_at)| *seen_at < stored(before));
    let aged: Vec<String> = aged.map(|(id, _)| id).collect();
    if !aged.is_empty() {
        let gone = alarms::table.filter(alarms::site_id.eq(site_id));
        diesel::delete(gone.filter(alarms::id.eq_any(aged))).execute(conn)?;
    }
    Ok(())
}

/// Has the open alarms of a site posted that nobody has been told of, as there is somewhere to post them
/// to now.
pub fn post_open(conn: &mut Conn, site_id: &str, at: Instant) -> Result<()> {
    let untold = alarms::table
        .filter(alarms::site_id.eq(site_id))
        .filter(alarms::ended_at.is_null())
        .filter(alarms::posted_at.is_null());
    let anew = (
        alarms::next_post_at.eq(Some(stored(at))),
        alarms::attempts.eq(0),
        alarms::claim.eq(None::<String>),
    );
    diesel::update(untold).set(anew).execute(conn)?;
    Ok(())
}

/// Has nothing more posted of a site.
pub fn post_nothing(conn: &mut Conn, site_id: &str) -> Result<()> {
    let due = alarms::table
        .filter(alarms::site_id.eq(site_id))
        .filter(alarms::next_post_at.is_not_null());
    let never = (alarms::next_post_at.eq(None::<NaiveDateTime>), alarms::claim.eq(None::<String>));
    diesel::update(due).set(never).execute(conn)?;
    Ok(())
}

/// Which attempts at a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// The first one.
    First,
    /// Those after it.
    Later,
}

/// What is to be posted by now, whatever has waited longest first.
pub fn due(conn: &mut Conn, now: Instant, which: Attempts, limit: i64) -> Result<Vec<Alarm>> {
    let due = alarms::table
        .filter(alarms::next_post_at.is_not_null())
        .filter(alarms::next_post_at.le(stored(now)))
        .select(Alarm::as_select())
        .order(alarms::next_post_at)
        .limit(limit)
        .into_boxed();
    let due = match which {
        Attempts::First => due.filter(alarms::attempts.eq(0)),
        Attempts::Later => due.filter(alarms::attempts.gt(0)),
    };
    Ok(due.load(conn)?)
}

/// The kinds of all open alarms, each with its site.
pub fn open_kinds(conn: &mut Conn) -> Result<Vec<(String, String)>> {
    let open = alarms::table.filter(alarms::ended_at.is_null());
    Ok(open
        .select((alarms::site_id, alarms::kind))
        .order((alarms::site_id, alarms::kind))
        .load(conn)?)
}

/// Claims a post for the time until an instant; answers whether it was to be had. An attempt is counted
/// when it begins, so that one which ends its process is counted, too.
pub fn claim(
    conn: &mut Conn,
    alarm: &Alarm,
    claim: &str,
    now: Instant,
    until: Instant,
) -> Result<bool> {
    let due = alarms::table
        .find((&alarm.site_id, &alarm.id))
        .filter(alarms::next_post_at.le(stored(now)));
    let mine = (
        alarms::next_post_at.eq(Some(stored(until))),
        alarms::attempts.eq(alarms::attempts + 1),
        alarms::claim.eq(Some(claim)),
    );
    Ok(diesel::update(due).set(mine).execute(conn)? == 1)
}

/// What became of an attempt to post something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The receiver has taken it.
    Taken(Instant),
    /// It has not, for this reason; `None` when it is not tried again.
    Failed(String, Option<Instant>),
}

/// Notes what became of an attempt, unless the claim has run out and somebody else has it now; answers
/// whether it was noted.
pub fn note(
    conn: &mut Conn,
    site_id: &str,
    id: &str,
    claim: &str,
    posted: &Posted,
) -> Result<bool> {
    let (posted_at, next_post_at, last_error) = match posted {
        Posted::Taken(at) => (Some(stored(*at)), None, None),
        Posted::Failed(why, again_at) => (None, again_at.map(stored), Some(why.as_str())),
    };
    let mine = alarms::table.find((site_id, id)).filter(alarms::claim.eq(claim));
    let became = (
        alarms::posted_at.eq(posted_at),
        alarms::next_post_at.eq(next_post_at),
        alarms::last_error.eq(last_error),
        alarms::claim.eq(None::<String>),
    );
    Ok(diesel::update(mine).set(became).execute(conn)? == 1)
}
