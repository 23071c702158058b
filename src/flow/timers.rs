//! What falls due by time alone: grace, period ends, durations, overrides.
//!
//! Each end is applied at its own instant and in order, also when the daemon slept over it: the
//! member is answered at the instant that was due, not at the one of waking.

use super::record::record_members;
use super::settle::{Bench, Cause};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::members::Member;
use crate::store::{Result, members};
use std::collections::BTreeMap;

/// Fires what is due until `now`, earliest first, at most `limit` members; answers how many it were.
pub(super) fn fire(conn: &mut Conn, bench: &mut Bench, now: Instant, limit: i64) -> Result<usize> {
    let due = members::due(conn, &bench.site.id, now, limit)?;
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
        record_members(conn, bench, &concerned)?;
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
        record_members(conn, bench, &BTreeMap::from([(member.email.clone(), cause)]))?;
    }
    Ok(())
}
