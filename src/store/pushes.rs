//! Pushes: one row for each member and destination, with what is remembered there; and messages about something else.
//!
//! A row is written in the transaction of the change that it carries, and stays. [`want`] says that something is to be
//! carried, whatever has been carried before; [`claim`] hands it to one process for a while; [`keep`] writes down what
//! that process is about to do, and [`note`] what became of it.

mod list;
mod memory;
mod of_runs;

pub use list::{
    Wanted, by_id, failed, list, make_due, naming, number_of, of_subject, open_of_run, retry,
    retrying, waiting_since,
};
pub use memory::{Memory, Progress};
pub use of_runs::{failed_of_run, of_subjects, take_up_failed};

use super::conn::{Conn, on_backend};
use super::destinations::Destination;
use super::schema::pushes;
use super::{IN_MAX, Result, from_json, stored};
use crate::core::Instant;
use crate::core::push::Status;
use chrono::NaiveDateTime;
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text};
use diesel::upsert::excluded;
use memory::MemoryRow;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The type of a push that carries what a member holds.
pub const ACCESS: &str = "access.changed";

/// How many rows are written with one statement where the database takes several.
const ROWS_MAX: usize = 500;

/// A push.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = pushes, treat_none_as_default_value = false)]
pub struct Push {
    /// The site.
    pub site_id: String,
    /// The destination.
    pub destination_id: String,
    /// The member; of a message about something else, its own id.
    pub subject: String,
    /// Opaque id.
    pub id: String,
    /// The type of message; [`ACCESS`] for members.
    pub what: String,
    /// The member's address; `None` for messages about something else.
    pub email: Option<String>,
    /// The word of its status.
    pub status: String,
    /// The position in the feed that it has to carry …
    pub wanted: i64,
    /// … and the one that the destination has confirmed; `None` before any.
    pub confirmed: Option<i64>,
    /// How many attempts have begun since it was last wanted.
    pub attempts: i32,
    /// When it is to be sent next, or again where whoever has claimed it says no more; `None` where it is not.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// Who has claimed it; `None` where nobody has.
    pub claim: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was first wanted since it was last confirmed.
    pub wanted_at: NaiveDateTime,
    /// When it was last confirmed.
    pub done_at: Option<NaiveDateTime>,
    /// The number of the last message about the member.
    pub version: i64,
    /// What a message about something else says.
    pub message: Option<String>,
    /// What the destination calls the member; `None` while that is not known.
    pub remote_id: Option<String>,
    /// What is Latchkey's there, as JSON.
    pub owned: String,
    /// How far Latchkey has made the account.
    pub account: Option<String>,
    /// How far its owner has been welcomed.
    pub welcome: Option<String>,
    /// The member whose account goes on under this address, where there is one.
    pub moves_from: Option<String>,
    /// Whether what is wanted and already there is taken over.
    pub adopts: bool,
    /// The run that asked for it.
    pub run_id: Option<String>,
}

impl Push {
    /// A push of what a member holds, wanted now.
    #[must_use]
    pub fn of_member(
        destination: &Destination,
        id: String,
        member_id: &str,
        email: &str,
        wanted: i64,
        at: Instant,
    ) -> Self {
        Self {
            subject: member_id.to_owned(),
            email: Some(email.to_owned()),
            ..Self::new(destination, id, ACCESS, wanted, at)
        }
    }

    /// A message about something else.
    #[must_use]
    pub fn of_message(
        destination: &Destination,
        id: String,
        what: &str,
        message: String,
        at: Instant,
    ) -> Self {
        Self { message: Some(message), ..Self::new(destination, id, what, 0, at) }
    }

    fn new(destination: &Destination, id: String, what: &str, wanted: i64, at: Instant) -> Self {
        Self {
            site_id: destination.site_id.clone(),
            destination_id: destination.id.clone(),
            subject: id.clone(),
            id,
            what: what.to_owned(),
            email: None,
            status: Status::Pending.as_str().to_owned(),
            wanted,
            confirmed: None,
            attempts: 0,
            next_attempt_at: Some(stored(at)),
            claim: None,
            last_error: None,
            wanted_at: stored(at),
            done_at: None,
            version: 0,
            message: None,
            remote_id: None,
            owned: "[]".to_owned(),
            account: None,
            welcome: None,
            moves_from: None,
            adopts: false,
            run_id: None,
        }
    }

    /// What is Latchkey's there, or was told last.
    pub fn owned<T: DeserializeOwned>(&self) -> Result<T> {
        from_json("what is Latchkey's at a destination", &self.owned)
    }
}

/// Says that something is to be carried. Of a row that is there, what is remembered stays; it begins anew, unless
/// somebody has claimed it: then they see, when they are done, that more is wanted.
pub fn want(conn: &mut Conn, rows: &[Push]) -> Result<()> {
    let key = (pushes::site_id, pushes::destination_id, pushes::subject);
    let free = pushes::claim.is_null();
    let open = pushes::next_attempt_at.is_not_null();
    let anew = (
        pushes::wanted.eq(excluded(pushes::wanted)),
        pushes::wanted_at
            .eq(case_when(open, pushes::wanted_at).otherwise(excluded(pushes::wanted_at))),
        pushes::status.eq(case_when(free, excluded(pushes::status)).otherwise(pushes::status)),
        // Also where somebody has it: if they die, what is sent next says something else, under another number.
        pushes::attempts.eq(excluded(pushes::attempts)),
        pushes::next_attempt_at
            .eq(case_when(free, excluded(pushes::next_attempt_at))
                .otherwise(pushes::next_attempt_at)),
        pushes::adopts.eq(pushes::adopts.or(excluded(pushes::adopts))),
        pushes::run_id.eq(case_when(excluded(pushes::run_id).is_null(), pushes::run_id)
            .otherwise(excluded(pushes::run_id))),
    );
    match conn {
        Conn::Postgres(c) => {
            for rows in rows.chunks(ROWS_MAX) {
                let come = diesel::insert_into(pushes::table).values(rows);
                come.on_conflict(key).do_update().set(anew).execute(c)?;
            }
        }
        Conn::Sqlite(c) => {
            for row in rows {
                let come = diesel::insert_into(pushes::table).values(row);
                come.on_conflict(key).do_update().set(anew).execute(c)?;
            }
        }
    }
    Ok(())
}

/// Which pushes to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// Those that have not been tried since they were last wanted.
    First,
    /// Those that are tried again.
    Later,
}

/// Claims what is due at a destination by now, at most so much of it, for the time until an instant. An attempt is
/// counted when it begins, so that one which ends its process is counted, too. The first attempt at something gives
/// its message a new number; later ones, which say the same, keep it.
pub fn claim(
    conn: &mut Conn,
    destination: &Destination,
    which: Attempts,
    limit: i64,
    claim: &str,
    (now, until): (Instant, Instant),
) -> Result<Vec<Push>> {
    let due = pushes::table
        .filter(pushes::site_id.eq(&destination.site_id))
        .filter(pushes::destination_id.eq(&destination.id))
        .filter(pushes::next_attempt_at.le(stored(now)))
        .select(pushes::subject)
        .order(pushes::next_attempt_at)
        .limit(limit);
    let subjects: Vec<String> = match which {
        Attempts::First => due.filter(pushes::attempts.eq(0)).load(conn)?,
        Attempts::Later => due.filter(pushes::attempts.gt(0)).load(conn)?,
    };
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    // Of two who have found the same, the second finds it due no more.
    let mine = pushes::table
        .filter(pushes::site_id.eq(&destination.site_id))
        .filter(pushes::destination_id.eq(&destination.id))
        .filter(pushes::subject.eq_any(&subjects))
        .filter(pushes::next_attempt_at.le(stored(now)));
    let micros = now.timestamp_micros();
    let grown = case_when(pushes::version.ge(micros), pushes::version + 1).otherwise(micros);
    let set = (
        pushes::claim.eq(Some(claim)),
        pushes::next_attempt_at.eq(Some(stored(until))),
        pushes::attempts.eq(pushes::attempts + 1),
        pushes::version.eq(case_when(pushes::attempts.eq(0), grown).otherwise(pushes::version)),
    );
    let claimed = on_backend!(conn, |c| diesel::update(mine)
        .set(set)
        .returning(Push::as_returning())
        .get_results(c))?;
    Ok(claimed)
}

/// Claims the push of a member at the same destination beside one's own, where nobody else has; answers it.
pub fn claim_beside(
    conn: &mut Conn,
    push: &Push,
    subject: &str,
    claim: &str,
    (now, until): (Instant, Instant),
) -> Result<Option<Push>> {
    let key = (&push.site_id, &push.destination_id, subject);
    let over = pushes::next_attempt_at.le(stored(now));
    let free = pushes::table.find(key).filter(pushes::claim.is_null().or(over.assume_not_null()));
    let set = (pushes::claim.eq(Some(claim)), pushes::next_attempt_at.eq(Some(stored(until))));
    diesel::update(free).set(set).execute(conn)?;
    let mine = pushes::table.find(key).filter(pushes::claim.eq(claim));
    Ok(mine.select(Push::as_select()).first(conn).optional()?)
}

/// Those of one's own claim.
#[diesel::dsl::auto_type]
fn mine<'a>(push: &'a Push, claim: &'a str) -> _ {
    let site_id: &'a str = push.site_id.as_str();
    let destination_id: &'a str = push.destination_id.as_str();
    let subject: &'a str = push.subject.as_str();
    pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::destination_id.eq(destination_id))
        .filter(pushes::subject.eq(subject))
        .filter(pushes::claim.eq(claim))
}

/// Writes down what is remembered, before it is so, unless the claim has run out and somebody else has it now;
/// answers whether it was written.
pub fn keep<T: Serialize>(
    conn: &mut Conn,
    push: &Push,
    claim: &str,
    memory: &Memory<T>,
) -> Result<bool> {
    let row = MemoryRow::try_from(memory)?;
    Ok(diesel::update(mine(push, claim)).set(row).execute(conn)? == 1)
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has confirmed it.
    Done,
    /// It is tried again then; `attempts` is how many count.
    Again {
        /// Why.
        why: String,
        /// When.
        at: Instant,
        /// How many attempts count.
        attempts: i32,
    },
    /// It is not tried again by itself, for this reason.
    Failed(String),
}

/// Notes what became of an attempt, unless the claim has run out and somebody else has it now; answers whether it was
/// noted. Where more has been wanted since it was claimed, that begins now, or when the attempt would be repeated.
pub fn note<T: Serialize>(
    conn: &mut Conn,
    push: &Push,
    claim: &str,
    memory: Option<&Memory<T>>,
    outcome: &Outcome,
    now: Instant,
) -> Result<bool> {
    if let Some(memory) = memory {
        diesel::update(mine(push, claim)).set(MemoryRow::try_from(memory)?).execute(conn)?;
    }
    let same = pushes::wanted.eq(push.wanted).and(pushes::adopts.eq(push.adopts));
    let pending = Status::Pending.as_str();
    let now = stored(now);
    let no_claim = pushes::claim.eq(None::<String>);
    let noted = match outcome {
        Outcome::Done => diesel::update(mine(push, claim))
            .set((
                no_claim,
                pushes::status
                    .eq(case_when(same, Status::Done.as_str().into_sql::<Text>())
                        .otherwise(pending)),
                pushes::next_attempt_at
                    .eq(case_when(same, None::<NaiveDateTime>).otherwise(Some(now))),
                pushes::attempts.eq(case_when(same, pushes::attempts).otherwise(0)),
                pushes::confirmed.eq(Some(push.wanted)),
                pushes::done_at.eq(Some(now)),
                pushes::last_error.eq(None::<String>),
                pushes::moves_from
                    .eq(case_when(same, None::<String>).otherwise(pushes::moves_from)),
                pushes::adopts
                    .eq(case_when(same, false.into_sql::<Bool>()).otherwise(pushes::adopts)),
            ))
            .execute(conn)?,
        Outcome::Again { why, at, attempts } => diesel::update(mine(push, claim))
            .set((
                no_claim,
                pushes::status.eq(case_when(same, Status::Retrying.as_str().into_sql::<Text>())
                    .otherwise(pending)),
                pushes::next_attempt_at.eq(Some(stored(*at))),
                pushes::attempts
                    .eq(case_when(same, (*attempts).into_sql::<Integer>()).otherwise(0)),
                pushes::last_error.eq(Some(why)),
            ))
            .execute(conn)?,
        Outcome::Failed(why) => diesel::update(mine(push, claim))
            .set((
                no_claim,
                pushes::status
                    .eq(case_when(same, Status::Failed.as_str().into_sql::<Text>())
                        .otherwise(pending)),
                pushes::next_attempt_at
                    .eq(case_when(same, None::<NaiveDateTime>).otherwise(Some(now))),
                pushes::attempts.eq(case_when(same, pushes::attempts).otherwise(0)),
                pushes::last_error.eq(Some(why)),
            ))
            .execute(conn)?,
    };
    Ok(noted == 1)
}

/// Gives back the push of another member that was claimed beside one's own. With `taken`, its account has gone on under
/// the other address, and nothing is remembered of it here any more.
pub fn release(
    conn: &mut Conn,
    beside: &Push,
    claim: &str,
    taken: bool,
    now: Instant,
) -> Result<()> {
    if taken {
        let nothing =
            MemoryRow { remote_id: None, owned: "[]".to_owned(), account: None, welcome: None };
        diesel::update(mine(beside, claim)).set(nothing).execute(conn)?;
    }
    let settled =
        pushes::status.eq(Status::Done.as_str()).or(pushes::status.eq(Status::Failed.as_str()));
    let free = (
        pushes::claim.eq(None::<String>),
        pushes::next_attempt_at
            .eq(case_when(settled, None::<NaiveDateTime>).otherwise(Some(stored(now)))),
    );
    diesel::update(mine(beside, claim)).set(free).execute(conn)?;
    Ok(())
}

/// Notes that the account of one member goes on under the address of another, at the destinations that have it and
/// have none for the other; what is due of the first waits until an instant, so that the second comes before it.
pub fn move_account(
    conn: &mut Conn,
    site_id: &str,
    (from, to): (&str, &str),
    until: Instant,
) -> Result<()> {
    let known = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::subject.eq(from))
        .filter(pushes::remote_id.is_not_null());
    let ids: Vec<String> = known.select(pushes::destination_id).load(conn)?;
    for ids in ids.chunks(IN_MAX) {
        let to_come = pushes::table
            .filter(pushes::site_id.eq(site_id))
            .filter(pushes::subject.eq(to))
            .filter(pushes::destination_id.eq_any(ids))
            .filter(pushes::remote_id.is_null());
        diesel::update(to_come).set(pushes::moves_from.eq(Some(from))).execute(conn)?;
        let to_wait = pushes::table
            .filter(pushes::site_id.eq(site_id))
            .filter(pushes::subject.eq(from))
            .filter(pushes::destination_id.eq_any(ids))
            .filter(pushes::claim.is_null())
            .filter(pushes::next_attempt_at.is_not_null());
        let later = pushes::next_attempt_at.eq(Some(stored(until)));
        diesel::update(to_wait).set(later).execute(conn)?;
    }
    Ok(())
}
