//! Where access is carried to.

use super::conn::Conn;
use super::schema::{destination_runs, destinations, drift, pushes, sites};
use super::{Result, StoreError, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::circuit::FAILURES_MAX;
use crate::core::push::NamedLevel;
use chrono::NaiveDateTime;
use diesel::dsl::{count_star, exists};
use diesel::prelude::*;

/// How many rows of a deleted destination are removed at once.
const REMOVED_MAX: i64 = 1_000;

/// How a destination stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is called.
    Ok,
    /// It is left alone for a while, and tried again by itself.
    Paused,
    /// It takes no call of ours until an operator has done something.
    Broken,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Paused, Self::Broken];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Paused => "paused",
            Self::Broken => "broken",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| StoreError::Corrupt(format!("the state {word} of a destination")))
    }
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The site.
    pub site_id: String,
    /// Opaque id; it grows with time.
    pub id: String,
    /// The name of its kind.
    pub kind: String,
    /// A name to show.
    pub name: String,
    /// Whether anything is sent; what is wanted is kept meanwhile.
    pub enabled: bool,
    /// What operators wrote down, as JSON.
    pub config: String,
    /// What of it is secret, sealed JSON; `None` where nothing is.
    pub secrets: Option<Vec<u8>>,
    /// The levels that it is told of; for a kind that is told levels under their own names, none means all.
    pub levels: Vec<NamedLevel>,
    /// The types of messages that it wants.
    pub types: Vec<String>,
    /// Calls in a second; `None` where its kind decides.
    pub calls_per_second: Option<i32>,
    /// Pushes under way at once; `None` where its kind decides.
    pub concurrency: Option<i32>,
    /// How it stands …
    pub state: State,
    /// … and why; `None` where all is well.
    pub detail: Option<String>,
    /// Since when it is not ok; `None` where it is.
    pub down_since: Option<Instant>,
    /// How many attempts have failed since one succeeded.
    pub failures: i32,
    /// Until when it is left alone; `None` where it is not, or for good.
    pub paused_until: Option<Instant>,
    /// Until when messages are signed with the secret before, too.
    pub secret_before_until: Option<Instant>,
    /// When it is next compared with what is wanted.
    pub next_drift_at: Option<Instant>,
    /// Grows with every edit.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
}

impl Destination {
    /// It is well: it is called again, and nothing is held against it.
    pub fn is_up(&mut self) {
        (self.state, self.detail, self.failures) = (State::Ok, None, 0);
        (self.down_since, self.paused_until) = (None, None);
    }

    /// It is not, for this reason, and is left alone until an instant; for good where there is none.
    pub fn is_down(&mut self, why: &str, until: Option<Instant>, now: Instant) {
        self.detail = Some(why.to_owned());
        self.down_since = self.down_since.or(Some(now));
        match until {
            None => (self.state, self.paused_until) = (State::Broken, None),
            Some(_) if self.state == State::Broken => {}
            Some(_) => {
                self.state = State::Paused;
                self.paused_until = self.paused_until.max(until);
            }
        }
    }

    /// It is tried again at once, with one push at a time where it was failing: if it answers, all is well, and else it
    /// is left alone as before.
    pub fn is_tried_again(&mut self, now: Instant) {
        match self.state {
            State::Ok => return,
            State::Paused => {}
            State::Broken => {
                self.state = State::Paused;
                self.failures = self.failures.max(FAILURES_MAX);
            }
        }
        self.paused_until = Some(now);
    }

    /// Whether it wants messages of a type.
    #[must_use]
    pub fn wants(&self, what: &str) -> bool {
        self.types.iter().any(|wanted| wanted == what)
    }

    /// Whether a change of a level concerns it. One that names no level is told of all of them.
    #[must_use]
    pub fn is_told_of(&self, level: &str) -> bool {
        self.levels.is_empty() || self.levels.iter().any(|named| named.level == level)
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = destinations, treat_none_as_null = true, treat_none_as_default_value = false)]
struct Row {
    site_id: String,
    id: String,
    kind: String,
    name: String,
    enabled: bool,
    config: String,
    secrets: Option<Vec<u8>>,
    levels: String,
    types: String,
    calls_per_second: Option<i32>,
    concurrency: Option<i32>,
    state: String,
    detail: Option<String>,
    down_since: Option<NaiveDateTime>,
    failures: i32,
    paused_until: Option<NaiveDateTime>,
    secret_before_until: Option<NaiveDateTime>,
    next_drift_at: Option<NaiveDateTime>,
    version: i64,
    created_at: NaiveDateTime,
}

impl TryFrom<Row> for Destination {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            site_id: row.site_id,
            id: row.id,
            kind: row.kind,
            name: row.name,
            enabled: row.enabled,
            config: row.config,
            secrets: row.secrets,
            levels: from_json("the levels of a destination", &row.levels)?,
            types: from_json("the types of a destination", &row.types)?,
            calls_per_second: row.calls_per_second,
            concurrency: row.concurrency,
            state: State::from_word(&row.state)?,
            detail: row.detail,
            down_since: row.down_since.map(|at| at.and_utc()),
            failures: row.failures,
            paused_until: row.paused_until.map(|at| at.and_utc()),
            secret_before_until: row.secret_before_until.map(|at| at.and_utc()),
            next_drift_at: row.next_drift_at.map(|at| at.and_utc()),
            version: row.version,
            created_at: row.created_at.and_utc(),
        })
    }
}

impl TryFrom<&Destination> for Row {
    type Error = StoreError;

    fn try_from(destination: &Destination) -> Result<Self> {
        let of = destination.clone();
        Ok(Self {
            site_id: of.site_id,
            id: of.id,
            kind: of.kind,
            name: of.name,
            enabled: of.enabled,
            config: of.config,
            secrets: of.secrets,
            levels: to_json("the levels of a destination", &of.levels)?,
            types: to_json("the types of a destination", &of.types)?,
            calls_per_second: of.calls_per_second,
            concurrency: of.concurrency,
            state: of.state.as_str().to_owned(),
            detail: of.detail,
            down_since: of.down_since.map(stored),
            failures: of.failures,
            paused_until: of.paused_until.map(stored),
            secret_before_until: of.secret_before_until.map(stored),
            next_drift_at: of.next_drift_at.map(stored),
            version: of.version,
            created_at: stored(of.created_at),
        })
    }
}

/// Those that have not been deleted.
#[diesel::dsl::auto_type]
fn standing() -> _ {
    destinations::table.filter(destinations::deleted_at.is_null())
}

fn read(rows: Vec<Row>) -> Result<Vec<Destination>> {
    rows.into_iter().map(Destination::try_from).collect()
}

/// Makes one.
pub fn insert(conn: &mut Conn, destination: &Destination) -> Result<()> {
    diesel::insert_into(destinations::table).values(Row::try_from(destination)?).execute(conn)?;
    count(conn, &destination.site_id)
}

/// Notes how many a site has.
fn count(conn: &mut Conn, site_id: &str) -> Result<()> {
    let number: i64 =
        standing().filter(destinations::site_id.eq(site_id)).count().get_result(conn)?;
    diesel::update(sites::table.find(site_id)).set(sites::destinations.eq(number)).execute(conn)?;
    Ok(())
}

/// Writes what operators decide about one back whole.
pub fn update(conn: &mut Conn, destination: &Destination) -> Result<()> {
    let row = Row::try_from(destination)?;
    let key = (&destination.site_id, &destination.id);
    diesel::update(destinations::table.find(key)).set(row).execute(conn)?;
    Ok(())
}

/// Deletes one: nobody finds it from now on, and nothing more is sent to it. What was added there stays there.
pub fn delete(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let gone = (destinations::deleted_at.eq(stored(at)), destinations::enabled.eq(false));
    diesel::update(destinations::table.find((site_id, id))).set(gone).execute(conn)?;
    count(conn, site_id)
}

/// One, as it is now.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Destination>> {
    let row = standing().find((site_id, id)).select(Row::as_select()).first(conn).optional()?;
    row.map(Destination::try_from).transpose()
}

/// One, kept from other writers until the end of the transaction.
pub fn lock(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Destination>> {
    let one = standing().find((site_id, id));
    let row: Option<Row> = match conn {
        Conn::Postgres(c) => {
            one.select(Row::as_select()).for_no_key_update().first(c).optional()?
        }
        Conn::Sqlite(c) => one.select(Row::as_select()).first(c).optional()?,
    };
    row.map(Destination::try_from).transpose()
}

/// Those of a site, newest first, before an id.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Destination>> {
    let mut query = standing()
        .filter(destinations::site_id.eq(site_id))
        .select(Row::as_select())
        .order(destinations::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(destinations::id.lt(before.to_owned()));
    }
    read(query.load(conn)?)
}

/// Every one of a site.
pub fn of_site(conn: &mut Conn, site_id: &str) -> Result<Vec<Destination>> {
    let all = standing().filter(destinations::site_id.eq(site_id)).order(destinations::id);
    read(all.select(Row::as_select()).load(conn)?)
}

/// Whether a destination of a site names a level.
pub fn names_level(conn: &mut Conn, site_id: &str, level: &str) -> Result<bool> {
    let all = of_site(conn, site_id)?;
    Ok(all.iter().any(|one| one.levels.iter().any(|named| named.level == level)))
}

/// How many destinations that are enabled stand each way, site by site.
pub fn standings(conn: &mut Conn) -> Result<Vec<(String, State, i64)>> {
    let enabled = standing().filter(destinations::enabled);
    let counted = enabled.group_by((destinations::site_id, destinations::state)).select((
        destinations::site_id,
        destinations::state,
        count_star(),
    ));
    let rows: Vec<(String, String, i64)> = counted.load(conn)?;
    let read = |(site_id, word, count): (String, String, i64)| {
        Ok((site_id, State::from_word(&word)?, count))
    };
    rows.into_iter().map(read).collect()
}

/// Those of all sites that may be called now and have something due. One look into an index for each.
pub fn with_due(conn: &mut Conn, now: Instant) -> Result<Vec<Destination>> {
    let of_mine =
        pushes::site_id.eq(destinations::site_id).and(pushes::destination_id.eq(destinations::id));
    let due = pushes::next_attempt_at.le(stored(now));
    // Said as each index is said, so that it is used.
    let first = pushes::table.filter(of_mine).filter(due).filter(pushes::attempts.eq(0));
    let later = pushes::table.filter(of_mine).filter(due).filter(pushes::attempts.gt(0));
    let callable = standing()
        .filter(destinations::enabled)
        .filter(destinations::state.ne(State::Broken.as_str()))
        .filter(destinations::paused_until.is_null().or(destinations::paused_until.le(stored(now))))
        .filter(exists(first).or(exists(later)))
        .filter(exists(
            sites::table.filter(sites::id.eq(destinations::site_id)).filter(sites::enabled),
        ));
    read(callable.order(destinations::id).select(Row::as_select()).load(conn)?)
}

/// Those that are to be compared with what is wanted by now, or of which it is not said yet when.
pub fn with_drift_due(conn: &mut Conn, now: Instant) -> Result<Vec<Destination>> {
    let due = standing()
        .filter(destinations::enabled)
        .filter(
            destinations::next_drift_at.is_null().or(destinations::next_drift_at.le(stored(now))),
        )
        .filter(exists(
            sites::table.filter(sites::id.eq(destinations::site_id)).filter(sites::enabled),
        ));
    read(due.order(destinations::id).select(Row::as_select()).load(conn)?)
}

/// Notes how one stands, unless an operator has edited it since it was read as `version`.
pub fn stands(conn: &mut Conn, now: &Destination) -> Result<()> {
    let same = destinations::table
        .find((&now.site_id, &now.id))
        .filter(destinations::version.eq(now.version));
    let stands = (
        destinations::state.eq(now.state.as_str()),
        destinations::detail.eq(&now.detail),
        destinations::down_since.eq(now.down_since.map(stored)),
        destinations::failures.eq(now.failures),
        destinations::paused_until.eq(now.paused_until.map(stored)),
        destinations::next_drift_at.eq(now.next_drift_at.map(stored)),
    );
    diesel::update(same).set(stands).execute(conn)?;
    Ok(())
}

/// Those of a site that take nothing, or have taken nothing since an instant: since when each.
pub fn down(conn: &mut Conn, site_id: &str, since: Instant) -> Result<Vec<Instant>> {
    let broken = destinations::state.eq(State::Broken.as_str());
    let down: Vec<Option<NaiveDateTime>> = standing()
        .filter(destinations::site_id.eq(site_id))
        .filter(destinations::enabled)
        .filter(broken.or(destinations::down_since.le(stored(since)).assume_not_null()))
        .filter(destinations::down_since.is_not_null())
        .select(destinations::down_since)
        .load(conn)?;
    Ok(down.into_iter().flatten().map(|at| at.and_utc()).collect())
}

/// Whether anything is left of deleted ones.
pub fn any_deleted(conn: &mut Conn) -> Result<bool> {
    let gone = destinations::table.filter(destinations::deleted_at.is_not_null());
    Ok(gone.select(destinations::id).first::<String>(conn).optional()?.is_some())
}

/// Removes a batch of what is left of deleted ones; answers whether there was any.
pub fn remove_batch(conn: &mut Conn) -> Result<bool> {
    let gone = destinations::table.filter(destinations::deleted_at.is_not_null());
    let gone = gone.select((destinations::site_id, destinations::id)).order(destinations::id);
    let Some((site_id, id)) = gone.first::<(String, String)>(conn).optional()? else {
        return Ok(false);
    };
    let theirs = pushes::table
        .filter(pushes::site_id.eq(&site_id))
        .filter(pushes::destination_id.eq(&id))
        .select(pushes::subject)
        .limit(REMOVED_MAX);
    let subjects: Vec<String> = theirs.load(conn)?;
    if !subjects.is_empty() {
        let batch = pushes::table
            .filter(pushes::site_id.eq(&site_id))
            .filter(pushes::destination_id.eq(&id))
            .filter(pushes::subject.eq_any(&subjects));
        diesel::delete(batch).execute(conn)?;
        return Ok(true);
    }
    let runs = destination_runs::table
        .filter(destination_runs::site_id.eq(&site_id))
        .filter(destination_runs::destination_id.eq(&id));
    let run_ids: Vec<String> = runs.select(destination_runs::id).load(conn)?;
    let found = drift::table.filter(drift::site_id.eq(&site_id));
    diesel::delete(found.filter(drift::run_id.eq_any(&run_ids))).execute(conn)?;
    diesel::delete(runs).execute(conn)?;
    diesel::delete(destinations::table.find((&site_id, &id))).execute(conn)?;
    Ok(true)
}
