//! A lease also ends for a process that PostgreSQL is still sending rows to: its session is not idle,
//! but it is in the middle of an answer that nobody takes.

use super::{count, home_of_replicas};
use crate::support::daemon::until;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use latchkey::store::conn::Conn;
use latchkey::store::sites::{self, Busy};
use latchkey::store::{Store, StoreError};
use std::sync::mpsc;

/// More than any socket holds: a gigabyte, a row at a time.
const ROWS: &str = "SELECT repeat('x', 100000) AS text FROM generate_series(1, 10000)";
/// Seconds: long enough for a slow machine to see what happens meanwhile.
const LEASE_SECONDS: u32 = 3;
/// The sessions that have locked a site and cannot send on.
const SENDING: &str = "SELECT count(*) AS count FROM pg_stat_activity AS session \
                       JOIN pg_locks AS site USING (pid) \
                       WHERE session.datname = current_database() AND session.state = 'active' \
                       AND session.wait_event = 'ClientWrite' AND site.granted \
                       AND site.relation = 'sites'::regclass AND site.mode = 'RowShareLock'";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Locks the default site, asks for more rows than anybody holds, and takes one; goes on when it is
/// told to, and answers how that ends.
fn stop_reading(store: &Store, go_on: &mpsc::Receiver<()>) -> Result<usize, StoreError> {
    store.write(|conn| {
        sites::lock(conn, "default", Busy::Wait)?.expect("the site");
        let Conn::Postgres(conn) = conn else { panic!("SQLite has no lease") };
        let mut rows = sql_query(ROWS).load_iter::<Row, PgRowByRowLoadingMode>(conn)?;
        assert_eq!(rows.next().expect("a row")?.text.len(), 100_000);
        go_on.recv().expect("told");
        rows.try_fold(1, |read, row| row.map(|_| read + 1)).map_err(StoreError::from)
    })
}

#[test]
fn a_process_that_takes_no_more_rows_keeps_its_site_no_longer_than_its_lease() {
    let Some(home) = home_of_replicas() else { return };
    home.serve().stop();
    let (held, other) = (home.store().with_lease(LEASE_SECONDS), home.store());
    let held = &held;
    let over_tcp = "SELECT count(inet_server_addr()) AS count";
    if count(&other, over_tcp) == 0 {
        eprintln!("SKIPPED: PostgreSQL is reached by a Unix socket, which knows no such end");
        return;
    }
    let take =
        || other.write(|conn| sites::lock(conn, "default", Busy::Skip)).expect("read").map(drop);
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let reader = scope.spawn(move || stop_reading(held, &told));
        until("a session that cannot send on", || (count(&other, SENDING) == 1).then_some(()));
        until("the end of the lease", take);
        tell.send(()).expect("told");
        let ended = reader.join().expect("no panic");
        assert!(ended.is_err(), "it read {ended:?} rows and committed");
    });
}
