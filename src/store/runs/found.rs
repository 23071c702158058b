//! What runs have found to differ.

use crate::core::drift::What;
use crate::store::conn::Conn;
use crate::store::schema::{drift, members};
use crate::store::{Result, StoreError};
use diesel::prelude::*;

/// Something that differs at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The run that has found it.
    pub run_id: String,
    /// The member.
    pub subject: String,
    /// The member's address; `None` where they are gone.
    pub email: Option<String>,
    /// What the destination calls the thing; empty for a member who could not be looked at.
    pub remote: String,
    /// How it differs.
    pub what: What,
    /// Why the member could not be looked at; `None` where they were.
    pub detail: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = drift, treat_none_as_default_value = false)]
struct Row<'a> {
    site_id: &'a str,
    run_id: &'a str,
    subject: &'a str,
    remote: &'a str,
    what: &'a str,
    detail: Option<&'a str>,
}

/// Writes down what a run has found, each thing once.
pub fn find(conn: &mut Conn, site_id: &str, found: &[Found]) -> Result<()> {
    for one in found {
        let row = Row {
            site_id,
            run_id: &one.run_id,
            subject: &one.subject,
            remote: &one.remote,
            what: one.what.as_str(),
            detail: one.detail.as_deref(),
        };
        diesel::insert_into(drift::table).values(row).execute(conn)?;
    }
    Ok(())
}

type Listed = (String, String, String, String, Option<String>, Option<String>);

/// What some runs have found, by run, member and thing, after one of them.
pub fn of_runs(
    conn: &mut Conn,
    site_id: &str,
    run_ids: &[String],
    after: Option<(&str, &str, &str)>,
    limit: i64,
) -> Result<Vec<Found>> {
    let with_email =
        members::table.on(members::site_id.eq(drift::site_id).and(members::id.eq(drift::subject)));
    let mut query = drift::table
        .left_join(with_email)
        .filter(drift::site_id.eq(site_id.to_owned()))
        .filter(drift::run_id.eq_any(run_ids.to_vec()))
        .order((drift::run_id, drift::subject, drift::remote))
        .select((
            drift::run_id,
            drift::subject,
            drift::remote,
            drift::what,
            drift::detail,
            members::email.nullable(),
        ))
        .limit(limit)
        .into_boxed();
    if let Some((run_id, subject, remote)) = after {
        let (run_id, subject) = (run_id.to_owned(), subject.to_owned());
        let in_member = drift::subject.eq(subject.clone()).and(drift::remote.gt(remote.to_owned()));
        let in_run = drift::run_id.eq(run_id.clone()).and(drift::subject.gt(subject).or(in_member));
        query = query.filter(drift::run_id.gt(run_id).or(in_run));
    }
    let rows: Vec<Listed> = query.load(conn)?;
    let found = rows.into_iter().map(|(run_id, subject, remote, what, detail, email)| {
        let what = What::from_word(&what)
            .ok_or_else(|| StoreError::Corrupt(format!("the drift {what}")))?;
        Ok(Found { run_id, subject, email, remote, what, detail })
    });
    found.collect()
}
