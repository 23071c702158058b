//! What falls due by time alone: grace, period ends, durations, overrides.
//!
//! Each end is applied at its own instant and in order, also when the daemon slept over it: the
//! member is answered at the instant that was due, not at the one of waking.

use super::aside::Passed;
use super::record::record_members;
use super::settle::{Bench, Cause};
use super::told::Told;
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::members::Member;
use crate::store::{Result, members};
use std::collections::BTreeMap;

/// The members who are due by an instant, earliest first, but for those that are passed over.
pub(super) fn due(
    conn: &mut Conn,
    site_id: &str,
    until: Instant,
    passed: &Passed,
    limit: i64,
) -> Result<Vec<Member>> {
    let over = i64::try_from(passed.len()).unwrap_or(i64::MAX);
    let mut due = members::due(conn, site_id, until, limit.saturating_add(over))?;
    due.retain(|member| !passed.contains(&member.id));
    due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(due)
}

/// The next end of a site, but for those that are passed over.
pub(super) fn next(conn: &mut Conn, site_id: &str, passed: &Passed) -> Result<Option<Instant>> {
    if passed.is_empty() {
        return members::next_due_at(conn, site_id);
    }
    let over = i64::try_from(passed.len()).unwrap_or(i64::MAX);
    let coming = members::coming(conn, site_id, over.saturating_add(1))?;
    let next = coming.into_iter().find(|member| !passed.contains(&member.id));
    Ok(next.and_then(|member| member.next_change_at).map(|end| end.and_utc()))
}

/// Fires what is due until `now`, earliest first, at most `limit` members, but for those that are
/// passed over; answers how many it were.
pub(super) fn fire(
    conn: &mut Conn,
    bench: &mut Bench,
    now: Instant,
    passed: &Passed,
    limit: i64,
) -> Result<usize> {
    let due = due(conn, &bench.site.id, now, passed, limit)?;
    let count = due.len();
    let mut by_instant: BTreeMap<Instant, BTreeMap<String, Cause>> = BTreeMap::new();
    for member in due {
        if let Some(at) = member.next_change_at.map(|at| at.and_utc()) {
            let cause = Cause::new("timer", at.to_rfc3339());
            by_instant.entry(at).or_default().insert(member.email, cause);
        }
    }
    // A member whose next end also lies in the past comes up again in the next batch; the later
    // instants of this one wait for that, so that the feed stays in order.
    let mut next_of_fired: Option<Instant> = None;
    for (at, concerned) in by_instant {
        if next_of_fired.is_some_and(|next| next < at) {
            break;
        }
        let emails: Vec<String> = concerned.keys().cloned().collect();
        bench.at = at;
        record_members(conn, bench, &concerned, &mut Told::default())?;
        for member in members::with_emails(conn, &bench.site.id, &emails)? {
            let next = member.next_change_at.map(|at| at.and_utc());
            next_of_fired = crate::core::stretch::earlier(next_of_fired, next);
        }
    }
    Ok(count)
}

/// Fires the end of one member, unless somebody has fired or moved it since it was seen.
pub(super) fn fire_one(conn: &mut Conn, bench: &mut Bench, seen: &Member) -> Result<()> {
    // Read under the lock: recorded as of an end that is no more, access would go back in time.
    let member = members::get(conn, &seen.site_id, &seen.id)?;
    let member = member.filter(|member| member.next_change_at == seen.next_change_at);
    if let Some(member) = member
        && let Some(at) = member.next_change_at.map(|at| at.and_utc())
    {
        bench.at = at;
        let cause = Cause::new("timer", at.to_rfc3339());
        let concerned = BTreeMap::from([(member.email.clone(), cause)]);
        record_members(conn, bench, &concerned, &mut Told::default())?;
    }
    Ok(())
}
