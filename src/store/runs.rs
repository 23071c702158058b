//! Runs over every member of a destination: each goes by pages, which are claimed like pushes, so that another process
//! goes on where one dies, and whoever has lost a claim writes nothing.

mod found;
mod reach;

pub use found::{Found, find, of_runs};
pub use reach::{after, number};

use super::conn::Conn;
use super::destinations::State;
use super::schema::{destination_runs as runs, destinations, drift, pushes, sites};
use super::{Result, StoreError, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many runs of a destination are kept, with what they have found.
const KEPT: i64 = 10;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RunKind")]
pub enum Kind {
    /// Looks how the destination differs from what is wanted.
    Observe,
    /// Looks, pushes whoever differs, and takes up what has failed.
    Repair,
    /// Pushes everybody.
    Resync,
}

impl Kind {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Repair => "repair",
            Self::Resync => "resync",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        let mut all = [Self::Observe, Self::Repair, Self::Resync].into_iter();
        let found = all.find(|kind| kind.as_str() == word);
        found.ok_or_else(|| StoreError::Corrupt(format!("the kind {word} of a run")))
    }
}

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Failed pushes are taken up.
    Retrying,
    /// Members are gone over.
    Walking,
    /// All pushes are wanted, and waited for.
    Settling,
    /// It has come to its end.
    Finished,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Walking => "walking",
            Self::Settling => "settling",
            Self::Finished => "finished",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        let mut all = [Self::Retrying, Self::Walking, Self::Settling, Self::Finished].into_iter();
        let found = all.find(|stage| stage.as_str() == word);
        found.ok_or_else(|| StoreError::Corrupt(format!("the stage {word} of a run")))
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The site.
    pub site_id: String,
    /// Opaque id; it grows with time.
    pub id: String,
    /// The destination.
    pub destination_id: String,
    /// What it is for.
    pub kind: Kind,
    /// Whether what is wanted and already there is taken over.
    pub adopts: bool,
    /// What it is at.
    pub stage: Stage,
    /// The last member that was gone over; empty before the first.
    pub reached: String,
    /// How many members were gone over …
    pub done: i64,
    /// … of how many; what is not counted yet is 0.
    pub total: i64,
    /// How often the next member was tried in vain.
    pub tries: i32,
    /// How many roles, labels or groups are missing, in all.
    pub missing: i64,
    /// How many are there that should not be.
    pub surplus: i64,
    /// How many members could not be looked at.
    pub unseen: i64,
    /// How many of its pushes had failed when it finished.
    pub failed: i64,
    /// What is to be said of it in words; `None` where nothing is.
    pub detail: Option<String>,
    /// When it was asked for.
    pub created_at: Instant,
    /// When it came to its end; `None` while it has not.
    pub finished_at: Option<Instant>,
}

impl Run {
    /// A run that begins.
    #[must_use]
    pub fn new(site_id: &str, destination_id: &str, id: String, kind: Kind, at: Instant) -> Self {
        Self {
            site_id: site_id.to_owned(),
            id,
            destination_id: destination_id.to_owned(),
            kind,
            adopts: false,
            stage: if kind == Kind::Repair { Stage::Retrying } else { Stage::Walking },
            reached: String::new(),
            done: 0,
            total: 0,
            tries: 0,
            missing: 0,
            surplus: 0,
            unseen: 0,
            failed: 0,
            detail: None,
            created_at: at,
            finished_at: None,
        }
    }

    /// How many rows it has found.
    #[must_use]
    pub fn found(&self) -> i64 {
        self.missing + self.surplus + self.unseen
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = runs, treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    site_id: String,
    id: String,
    destination_id: String,
    kind: String,
    adopts: bool,
    stage: String,
    reached: String,
    done: i64,
    total: i64,
    tries: i32,
    missing: i64,
    surplus: i64,
    unseen: i64,
    failed: i64,
    detail: Option<String>,
    created_at: NaiveDateTime,
    finished_at: Option<NaiveDateTime>,
}

impl From<&Run> for Row {
    fn from(run: &Run) -> Self {
        let run = run.clone();
        Self {
            site_id: run.site_id,
            id: run.id,
            destination_id: run.destination_id,
            kind: run.kind.as_str().to_owned(),
            adopts: run.adopts,
            stage: run.stage.as_str().to_owned(),
            reached: run.reached,
            done: run.done,
            total: run.total,
            tries: run.tries,
            missing: run.missing,
            surplus: run.surplus,
            unseen: run.unseen,
            failed: run.failed,
            detail: run.detail,
            created_at: stored(run.created_at),
            finished_at: run.finished_at.map(stored),
        }
    }
}

impl TryFrom<Row> for Run {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            kind: Kind::from_word(&row.kind)?,
            stage: Stage::from_word(&row.stage)?,
            site_id: row.site_id,
            id: row.id,
            destination_id: row.destination_id,
            adopts: row.adopts,
            reached: row.reached,
            done: row.done,
            total: row.total,
            tries: row.tries,
            missing: row.missing,
            surplus: row.surplus,
            unseen: row.unseen,
            failed: row.failed,
            detail: row.detail,
            created_at: row.created_at.and_utc(),
            finished_at: row.finished_at.map(|at| at.and_utc()),
        })
    }
}

fn read(rows: Vec<Row>) -> Result<Vec<Run>> {
    rows.into_iter().map(Run::try_from).collect()
}

/// Makes a run, and forgets the oldest of the same destination with what they have found.
pub fn insert(conn: &mut Conn, run: &Run) -> Result<()> {
    diesel::insert_into(runs::table).values(Row::from(run)).execute(conn)?;
    let of_same = runs::table
        .filter(runs::site_id.eq(&run.site_id))
        .filter(runs::destination_id.eq(&run.destination_id));
    let old: Vec<String> =
        of_same.order(runs::id.desc()).select(runs::id).offset(KEPT).load(conn)?;
    let found = drift::table.filter(drift::site_id.eq(&run.site_id));
    diesel::delete(found.filter(drift::run_id.eq_any(&old))).execute(conn)?;
    let gone = runs::table.filter(runs::site_id.eq(&run.site_id)).filter(runs::id.eq_any(&old));
    diesel::delete(gone).execute(conn)?;
    Ok(())
}

/// One, as it is now.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Run>> {
    let row = runs::table.find((site_id, id)).select(Row::as_select()).first(conn).optional()?;
    row.map(Run::try_from).transpose()
}

/// The one of a destination that has not come to its end; `None` where there is none.
pub fn open(conn: &mut Conn, site_id: &str, destination_id: &str) -> Result<Option<Run>> {
    let open = runs::table
        .filter(runs::site_id.eq(site_id))
        .filter(runs::destination_id.eq(destination_id))
        .filter(runs::finished_at.is_null());
    open.select(Row::as_select()).first(conn).optional()?.map(Run::try_from).transpose()
}

/// Those of some destinations, newest first, before an id.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    destination_ids: &[&str],
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Run>> {
    let mut query = runs::table
        .filter(runs::site_id.eq(site_id))
        .filter(runs::destination_id.eq_any(destination_ids))
        .select(Row::as_select())
        .order(runs::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(runs::id.lt(before.to_owned()));
    }
    read(query.load(conn)?)
}

/// The latest one that has looked at a destination; `None` before any.
pub fn latest_look(conn: &mut Conn, site_id: &str, destination_id: &str) -> Result<Option<Run>> {
    let latest = runs::table
        .filter(runs::site_id.eq(site_id))
        .filter(runs::destination_id.eq(destination_id))
        .filter(runs::kind.ne(Kind::Resync.as_str()))
        .order(runs::id.desc());
    latest.select(Row::as_select()).first(conn).optional()?.map(Run::try_from).transpose()
}

/// Those that can go on: nobody is at them, and their destination can be called, if they call it. At most so many,
/// those first that have waited longest.
pub fn due(conn: &mut Conn, now: Instant, limit: i64) -> Result<Vec<Run>> {
    let callable = destinations::enabled.and(destinations::state.ne(State::Broken.as_str())).and(
        destinations::paused_until
            .is_null()
            .or(destinations::paused_until.le(stored(now)).assume_not_null()),
    );
    let calls = runs::stage.eq(Stage::Walking.as_str()).and(runs::kind.ne(Kind::Resync.as_str()));
    let due = runs::table
        .inner_join(destinations::table.on(
            destinations::site_id.eq(runs::site_id).and(destinations::id.eq(runs::destination_id)),
        ))
        .filter(runs::finished_at.is_null())
        .filter(runs::stage.ne(Stage::Settling.as_str()))
        .filter(runs::claimed_until.is_null().or(runs::claimed_until.le(stored(now))))
        .filter(destinations::deleted_at.is_null())
        .filter(diesel::dsl::not(calls).or(callable))
        .filter(exists(sites::table.filter(sites::id.eq(runs::site_id)).filter(sites::enabled)));
    read(
        due.order((runs::claimed_until, runs::id))
            .limit(limit)
            .select(Row::as_select())
            .load(conn)?,
    )
}

/// Claims the next page of a run, as it was seen, for the time until an instant; answers it as it is, unless somebody
/// else has it.
pub fn claim(
    conn: &mut Conn,
    seen: &Run,
    claim: &str,
    (now, until): (Instant, Instant),
) -> Result<Option<Run>> {
    let free = runs::table
        .find((&seen.site_id, &seen.id))
        .filter(runs::finished_at.is_null())
        .filter(runs::claimed_until.is_null().or(runs::claimed_until.le(stored(now))));
    let mine = (runs::claim.eq(Some(claim)), runs::claimed_until.eq(Some(stored(until))));
    match diesel::update(free).set(mine).execute(conn)? {
        0 => Ok(None),
        _ => get(conn, &seen.site_id, &seen.id),
    }
}

/// Writes down how far a run has come, and gives its claim back, unless that has run out and somebody else has it now;
/// answers whether it was written. Until an instant it is left alone, where there is one.
pub fn go_on(conn: &mut Conn, run: &Run, claim: &str, until: Option<Instant>) -> Result<bool> {
    let mine = runs::table.find((&run.site_id, &run.id)).filter(runs::claim.eq(claim));
    let free = (runs::claim.eq(None::<String>), runs::claimed_until.eq(until.map(stored)));
    Ok(diesel::update(mine).set((Row::from(run), free)).execute(conn)? == 1)
}

/// Those that wait for their pushes, of which all are settled now.
pub fn settled(conn: &mut Conn) -> Result<Vec<Run>> {
    let open = pushes::table
        .filter(pushes::site_id.eq(runs::site_id))
        .filter(pushes::run_id.eq(runs::id.nullable()))
        .filter(pushes::run_id.is_not_null())
        .filter(pushes::next_attempt_at.is_not_null());
    let settled = runs::table
        .filter(runs::finished_at.is_null())
        .filter(runs::stage.eq(Stage::Settling.as_str()))
        .filter(diesel::dsl::not(exists(open)));
    read(settled.order(runs::id).select(Row::as_select()).load(conn)?)
}

/// Ends a run whose pushes are settled, so many of which have failed.
pub fn finish(conn: &mut Conn, run: &Run, failed: i64, now: Instant) -> Result<()> {
    let open = runs::table.find((&run.site_id, &run.id)).filter(runs::finished_at.is_null());
    let end = (
        runs::stage.eq(Stage::Finished.as_str()),
        runs::failed.eq(failed),
        runs::finished_at.eq(Some(stored(now))),
    );
    diesel::update(open).set(end).execute(conn)?;
    Ok(())
}
