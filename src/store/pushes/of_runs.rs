//! Pushes as runs over every member see them.

use super::{Push, Status};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::destinations::Destination;
use crate::store::schema::pushes;
use crate::store::{IN_MAX, Result, stored};
use diesel::prelude::*;

/// The pushes of some members to a destination; those who have none are left out.
pub fn of_subjects(
    conn: &mut Conn,
    destination: &Destination,
    subjects: &[String],
) -> Result<Vec<Push>> {
    let mut found = Vec::new();
    for subjects in subjects.chunks(IN_MAX) {
        let theirs = pushes::table
            .filter(pushes::site_id.eq(&destination.site_id))
            .filter(pushes::destination_id.eq(&destination.id))
            .filter(pushes::subject.eq_any(subjects));
        found.extend(theirs.select(Push::as_select()).load::<Push>(conn)?);
    }
    Ok(found)
}

/// Takes up again at once what has failed at a destination, at most so much of it; answers how much it was.
pub fn take_up_failed(
    conn: &mut Conn,
    destination: &Destination,
    limit: i64,
    now: Instant,
) -> Result<usize> {
    let failed = pushes::table
        .filter(pushes::site_id.eq(&destination.site_id))
        .filter(pushes::destination_id.eq(&destination.id))
        .filter(pushes::status.eq(Status::Failed.as_str()))
        .filter(pushes::claim.is_null());
    let subjects: Vec<String> =
        failed.order(pushes::id).limit(limit).select(pushes::subject).load(conn)?;
    let anew = (
        pushes::status.eq(Status::Pending.as_str()),
        pushes::attempts.eq(0),
        pushes::next_attempt_at.eq(Some(stored(now))),
    );
    let mut taken = 0;
    for subjects in subjects.chunks(IN_MAX) {
        let still = failed.filter(pushes::subject.eq_any(subjects));
        taken += diesel::update(still).set(anew).execute(conn)?;
    }
    Ok(taken)
}

/// How many pushes that a run asked for have failed.
pub fn failed_of_run(conn: &mut Conn, site_id: &str, run_id: &str) -> Result<i64> {
    let failed = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::status.eq(Status::Failed.as_str()))
        .filter(pushes::run_id.eq(run_id));
    Ok(failed.count().get_result(conn)?)
}
