//! The one connection that writes to SQLite: when the log is carried into the file, whom that keeps waiting, and how it
//! takes turns with those of other processes.

use super::{Fresh, site, webhook};
use crate::support::daemon::until;
use crate::support::{Database, instant};
use diesel::sql_types::Integer;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use latchkey::store::{Store, StoreError, webhooks};
use std::fs::TryLockError;

/// A group of webhooks that fill more than this many bytes.
const ROWS: usize = 16;
const GROUP_BYTES: u64 = 64 * 1024;
/// So many groups fill several logs.
const GROUPS: usize = 100;
/// A mebibyte, and what two groups add to it.
const LOG_BYTES_MAX: u64 = 2 * 1024 * 1024;

fn store_group(store: &Store, name: &str) {
    let at = instant("2026-01-01T00:00:00Z").naive_utc();
    let body = || vec![b'x'; usize::try_from(GROUP_BYTES).expect("few") / ROWS];
    let rows: Vec<_> =
        (0..ROWS).map(|row| webhook("default", &format!("{name}-{row}"), body(), at)).collect();
    store.write(|conn| webhooks::insert(conn, &rows)).expect("stored");
}

fn log_bytes(fresh: &Fresh) -> u64 {
    let file = fresh.url().replace("sqlite://", "") + "-wal";
    std::fs::metadata(file).expect("a log").len()
}

/// How many pages stand in the log alone.
fn pages_to_carry(fresh: &Fresh) -> i32 {
    #[derive(diesel::QueryableByName)]
    struct Log {
        #[diesel(sql_type = Integer)]
        log: i32,
        #[diesel(sql_type = Integer)]
        checkpointed: i32,
    }
    let mut conn =
        SqliteConnection::establish(&fresh.url().replace("sqlite://", "")).expect("open");
    // A connection that has read nothing yet knows of no log.
    diesel::sql_query("SELECT 1 FROM sites").execute(&mut conn).expect("read");
    let log: Log =
        diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(&mut conn).expect("a log");
    log.log - log.checkpointed
}

#[test]
fn the_log_is_carried_into_the_file_a_mebibyte_at_a_time() {
    let fresh = Fresh::new(Database::sqlite());
    let store = fresh.migrated();
    site(&store, "default");
    store.make_room();
    for group in 0..GROUPS {
        store_group(&store, &group.to_string());
        let bytes = log_bytes(&fresh);
        assert!(bytes <= LOG_BYTES_MAX, "{bytes} bytes of log after group {group}");
    }
    let file = std::fs::metadata(fresh.url().replace("sqlite://", "")).expect("the file").len();
    let stored = GROUP_BYTES * u64::try_from(GROUPS).expect("few");
    assert!(file > stored - 2 * LOG_BYTES_MAX, "{file} bytes of {stored} are in the file");
}

#[test]
fn what_somebody_reads_hinders_nobody_who_writes_and_is_carried_over_later() {
    let fresh = Fresh::new(Database::sqlite());
    let store = fresh.migrated();
    site(&store, "default");
    let read = store.read(|conn| {
        let seen = webhooks::get(conn, "default", "0-0")?;
        for group in 0..GROUPS {
            store_group(&store, &group.to_string());
        }
        let still = webhooks::get(conn, "default", "0-0")?;
        Ok::<_, StoreError>((seen.is_none(), still.is_none()))
    });
    assert_eq!(read.expect("read"), (true, true), "it sees one moment");
    assert!(pages_to_carry(&fresh) > 1_000, "{}", pages_to_carry(&fresh));
    store.make_room();
    assert_eq!(pages_to_carry(&fresh), 0);
}

#[test]
fn whoever_makes_room_waits_for_nobody_who_writes() {
    let fresh = Fresh::new(Database::sqlite());
    let store = fresh.migrated();
    let written = store.write(|conn| {
        // It would wait for itself.
        store.make_room();
        Ok::<_, StoreError>(latchkey::store::sites::list(conn, None, 1)?.len())
    });
    assert_eq!(written.expect("written"), 0);
}

#[test]
fn whoever_writes_without_a_pause_lets_another_process_in_between() {
    const ROUNDS: usize = 20;
    let fresh = Fresh::new(Database::sqlite());
    let daemon = fresh.migrated();
    site(&daemon, "default");
    let rebuild = fresh.open();
    for round in 0..ROUNDS {
        let name = format!("daemon-{round}");
        std::thread::scope(|scope| {
            let batch = rebuild.write(|_| {
                scope.spawn(|| store_group(&daemon, &name));
                until_somebody_waits(&fresh);
                Ok::<_, StoreError>(())
            });
            batch.expect("committed");
            let id = format!("{name}-0");
            let next = rebuild.write(|conn| webhooks::get(conn, "default", &id));
            assert!(next.expect("read").is_some(), "round {round}: the rebuild went first again");
        });
    }
}

#[test]
fn a_command_that_has_no_migration_to_run_waits_for_nobody() {
    let fresh = Fresh::new(Database::sqlite());
    let daemon = fresh.migrated();
    // It would wait for itself, for as long as the store waits, and then give up.
    let ran = daemon.write(|_| fresh.open().migrate());
    assert_eq!(ran.expect("beside a writer"), [""; 0]);
}

/// Returns once a process stands at the gate.
fn until_somebody_waits(fresh: &Fresh) {
    let path = fresh.url().replace("sqlite://", "") + ".turn";
    let gate = std::fs::File::open(path).expect("a gate");
    until("somebody at the gate", || {
        let tried = gate.try_lock();
        if tried.is_ok() {
            gate.unlock().expect("ours");
        }
        matches!(tried, Err(TryLockError::WouldBlock)).then_some(())
    });
}
