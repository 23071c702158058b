//! Several processes on one PostgreSQL, killed, stopped and told different things, and still one
//! truth; how they wake each other; and what a command of the shell does beside a daemon on SQLite.

mod beside;
mod crowd;
mod edits;
mod fair;
mod idle;
mod judge;
mod lease;
mod load;
mod notice;
pub mod queued;
mod reader;
mod remove;
mod survive;
mod together;
mod told;
mod wakeup;

use crate::support::Database;
use crate::support::daemon::{Daemon, Home, until};
use chrono::{DateTime, Utc};
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use latchkey::clock::Clock;
use latchkey::store::{Store, StoreError};

/// The lease of the processes of these tests, in seconds: the shortest there is.
const LEASE_SECONDS: &str = "1";

/// How often it is looked whether a statement of a stopped process has ended.
const STATEMENT_LOOKS: usize = 1_000;

/// The machine's time, which is the processes' too.
fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// A home on PostgreSQL with a short lease; `None` where there is no PostgreSQL.
fn home_of_replicas() -> Option<Home> {
    let mut home = Home::new(Database::postgres()?);
    home.set("DATABASE__LEASE_SECONDS", LEASE_SECONDS);
    Some(home)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many rows a statement counts, as `count`.
fn count(store: &Store, statement: &str) -> i64 {
    let rows = store
        .read(|conn| Ok::<_, StoreError>(sql_query(statement).load::<Count>(conn)?))
        .expect("read");
    rows.first().expect("a row").count
}

/// How many webhooks wait to be applied.
pub fn unapplied(store: &Store) -> i64 {
    count(store, "SELECT count(*) AS count FROM webhooks WHERE next_attempt_at IS NOT NULL")
}

/// How many recomputes are not finished.
fn open_recomputes(store: &Store) -> i64 {
    count(store, "SELECT count(*) AS count FROM recomputes WHERE finished_at IS NULL")
}

/// Waits until nothing is left to do.
fn settled(store: &Store) {
    until("the end of all work", || (unapplied(store) + open_recomputes(store) == 0).then_some(()));
}

/// How many transactions of a process are at a site and in a state. They have locked it, as intake has
/// not, though its rows refer to it, and have looked for ends or for recomputes.
fn at_a_site(store: &Store, name: &str, state: &str) -> i64 {
    let statement = format!(
        "SELECT count(DISTINCT session.pid) AS count FROM pg_stat_activity AS session \
         JOIN pg_locks AS site ON site.pid = session.pid \
         JOIN pg_locks AS work ON work.pid = session.pid \
         WHERE session.datname = current_database() AND session.application_name = '{name}' \
         AND session.state = '{state}' \
         AND site.relation = 'sites'::regclass AND site.mode = 'RowShareLock' AND site.granted \
         AND work.relation IN ('members'::regclass, 'recomputes'::regclass)"
    );
    count(store, &statement)
}

/// How many of them stand idle, as those of a process that has stopped do.
fn idle_at_a_site(store: &Store, name: &str) -> i64 {
    at_a_site(store, name, "idle in transaction")
}

/// Stops a process in the middle of a transaction that has locked a site.
fn stop_at_a_site(daemon: &Daemon, name: &str, store: &Store) {
    until("a moment within a transaction", || {
        daemon.signal("STOP");
        // The statement under way still ends, unless the disk or somebody else keeps it: then another
        // moment is as good. After it, the session of a process that stands is idle.
        let ended = (0..STATEMENT_LOOKS).any(|_| at_a_site(store, name, "active") == 0);
        let caught = ended && (0..3).all(|_| idle_at_a_site(store, name) > 0);
        if !caught {
            daemon.signal("CONT");
        }
        caught.then_some(())
    });
}

/// Waits until a stopped process has lost its transaction.
fn lease_over(store: &Store, name: &str) {
    until("the end of the lease", || (idle_at_a_site(store, name) == 0).then_some(()));
}
