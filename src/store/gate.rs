//! Where processes that write to one SQLite file wait for each other, so that they take turns.
//!
//! SQLite lets in whoever asks at the right moment. A process that writes without a pause, as a rebuild does beside the
//! daemon, has begun its next transaction long before those who wait look again, and they wait for minutes. So nobody
//! asks SQLite who has not come through the gate, and who asks holds it until they are let in: whoever has just written
//! finds it taken, and waits behind them.

use super::conn::{Conn, beside, on_backend};
use super::{Result, StoreError};
use diesel::connection::AnsiTransactionManager as Manager;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Result as IoResult};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

/// What is added to the name of the database for the name of the gate.
const SUFFIX: &str = ".turn";
/// How long whoever waits does so before they look again.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long one waits at the gate before one goes without, and then for SQLite, to which somebody may write who knows
/// of no gate.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// What SQLite says while somebody else writes. Diesel has no kind of error for it.
const LOCKED: &str = "database is locked";
/// The part of a file's mode that says who may read and write it.
const MODE: u32 = 0o666;

/// The gate of one file, as one process has it open.
pub(super) struct Gate {
    /// `None` where there can be none: then SQLite alone decides who writes.
    file: Option<File>,
    /// How long one waits here: not at all any more behind somebody who has stopped here, until they are gone.
    patience: Duration,
}

impl Gate {
    /// The gate of a database, made if there is none.
    pub(super) fn of(database: &str) -> Self {
        let path = beside(database, SUFFIX);
        let file = open(&path, database).inspect_err(|error| {
            let file = path.display();
            tracing::warn!(%file, %error, "processes that write to the database take no turns");
        });
        Self { file: file.ok(), patience: WAIT_MAX }
    }

    /// Begins a transaction that writes, as soon as it is this process's turn.
    pub(super) fn begin(&mut self, conn: &mut Conn) -> Result<()> {
        let turn = self.wait();
        // Deferred would take the write lock in the middle, and fail there instead of waiting.
        let begin = "BEGIN IMMEDIATE";
        let begun = until_free(|| on_backend!(conn, |c| Manager::begin_transaction_sql(c, begin)));
        drop(turn);
        begun
    }

    /// Waits for the gate; `None` where one goes without.
    fn wait(&mut self) -> Option<Turn<'_>> {
        let file = self.file.as_ref()?;
        let ends = Instant::now() + self.patience;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.patience = WAIT_MAX;
                    return Some(Turn(file));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < ends => {
                    std::thread::sleep(LOOK_EVERY);
                }
                Err(error) => {
                    if !self.patience.is_zero() {
                        tracing::warn!(%error, "writes to the database wait for no other process's turn");
                    }
                    self.patience = Duration::ZERO;
                    return None;
                }
            }
        }
    }
}

/// Opens the gate. It is made for whoever the database is for, as SQLite makes what stands beside it: a command that
/// somebody else runs must not shut out the daemon.
fn open(path: &Path, database: &str) -> IoResult<File> {
    let of = std::fs::metadata(database)?;
    // Nothing that stands there already is given away, nor written to.
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            let given = file
                .set_permissions(Permissions::from_mode(of.mode() & MODE))
                .and_then(|()| fchown(&file, Some(of.uid()), Some(of.gid())));
            if let Err(error) = given {
                let file = path.display();
                tracing::warn!(%file, %error, "the file could not be made for the owner of the database");
            }
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => File::open(path),
        Err(error) => Err(error),
    }
}

/// The gate, held until this is dropped.
struct Turn<'a>(&'a File);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // What cannot be let go of goes when the file is closed; until then the others wait their longest.
        let _ = self.0.unlock();
    }
}

/// Begins, as soon as nobody else writes.
fn until_free(mut begin: impl FnMut() -> diesel::QueryResult<()>) -> Result<()> {
    let ends = Instant::now() + WAIT_MAX;
    loop {
        match begin() {
            Err(error) if is_locked(&error) && Instant::now() < ends => {
                std::thread::sleep(LOOK_EVERY);
            }
            done => return done.map_err(StoreError::from),
        }
    }
}

fn is_locked(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, told) if told.message() == LOCKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(5);

    fn database() -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("latchkey.db");
        std::fs::write(&database, "").expect("a file");
        let database = database.to_str().expect("UTF-8").to_owned();
        (directory, database)
    }

    fn hurried(database: &str) -> Gate {
        Gate { patience: MOMENT, ..Gate::of(database) }
    }

    #[test]
    fn one_is_let_in_at_a_time_and_nobody_waits_twice_for_who_has_stopped_there() {
        let (_directory, database) = database();
        let (mut one, mut other) = (hurried(&database), hurried(&database));
        let held = one.wait();
        assert!(held.is_some());
        assert!(other.wait().is_none());
        assert_eq!(other.patience, Duration::ZERO);
        assert!(other.wait().is_none(), "at once");
        drop(held);
        assert!(other.wait().is_some());
        assert_eq!(other.patience, WAIT_MAX, "as long as before");
        assert!(one.wait().is_some(), "let go of");
    }

    #[test]
    fn a_database_has_one_gate_by_whatever_link_it_is_reached() {
        let (directory, database) = database();
        let link = directory.path().join("link.db");
        std::os::unix::fs::symlink(&database, &link).expect("a link");
        let mut one = hurried(&database);
        let mut other = hurried(link.to_str().expect("UTF-8"));
        let _held = one.wait().expect("free");
        assert!(other.wait().is_none());
    }

    #[test]
    fn whoever_may_write_to_the_database_may_wait_at_its_gate() {
        let (_directory, database) = database();
        let group = Permissions::from_mode(0o660);
        std::fs::set_permissions(&database, group).expect("a file of ours");
        let gate = Gate::of(&database);
        let made = gate.file.as_ref().map(|file| file.metadata().expect("a file"));
        assert_eq!(made.map(|made| made.mode() & 0o777), Some(0o660));
    }

    #[test]
    fn where_no_gate_can_be_made_nobody_waits() {
        let mut gate = Gate::of("/nowhere/latchkey.db");
        assert!(gate.file.is_none() && gate.wait().is_none());
    }
}
