//! The only room that knows diesel: one file a noun, the same statements for both databases.
//!
//! Functions take a connection that is inside a transaction, which [`Store::read`] and
//! [`Store::write`] open. Nothing in here decides anything about access: rows in, values out.

pub mod ageing;
pub mod alarm_settings;
pub mod alarms;
pub mod bodies;
pub mod changes;
mod checkpoint;
pub mod conn;
pub mod connection;
pub mod counts;
pub mod daily_counts;
pub mod destinations;
pub mod disposal;
pub mod door;
pub mod dues;
pub mod events;
mod gate;
pub mod held;
pub mod held_open;
pub mod keys;
pub mod leases;
pub mod level_counts;
pub mod members;
pub mod migrate;
pub mod observations;
pub mod overrides;
pub mod plans;
pub mod product_counts;
pub mod products;
pub mod purchases;
pub mod pushes;
mod readers;
pub mod recomputes;
pub mod rules;
pub mod runs;
mod schema;
pub mod search;
pub mod sessions;
mod sets;
pub mod sites;
pub mod standing;
pub mod timeline;
pub mod waiting;
pub mod wakeup;
pub mod watch;
pub mod webhooks;
mod writer;

use crate::core::Instant;
use conn::{Conn, Connections, DatabaseUrl};
use std::path::Path;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `database.url` cannot be read.
    #[error("{0}")]
    Url(String),
    /// No connection could be had.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// SQLite is too old to be trusted with a write-ahead log.
    #[error(
        "SQLite {0} can corrupt a database when a checkpoint meets a commit; build Latchkey with the \
         SQLite that it bundles (without LIBSQLITE3_SYS_USE_PKG_CONFIG)"
    )]
    UnsoundSqlite(String),
    /// A migration failed.
    #[error("the database could not be brought up to date: {0}")]
    Migration(String),
    /// The database refused a statement.
    #[error("the database refused: {0}")]
    Database(#[from] diesel::result::Error),
    /// A newer version of this program works on the site.
    #[error("a newer version of Latchkey has taken over this site; this one only reads it")]
    Overtaken,
    /// A row holds what this program never writes.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}

/// How many values one list of a statement holds: SQLite's limit is 32,766 variables.
const IN_MAX: usize = 1_000;

/// What a store function answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database.
#[derive(Clone)]
pub struct Store {
    connections: Connections,
}

impl Store {
    /// Opens the database that `url` names, making the directory of an SQLite file if it is missing.
    pub fn open(url: &str, connections_max: u32) -> Result<Self> {
        let url = DatabaseUrl::parse(url)?;
        if let DatabaseUrl::Sqlite(path) = &url
            && let Some(parent) = Path::new(path).parent().filter(|p| !p.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent).map_err(|error| {
                StoreError::Unavailable(format!("{} cannot be made: {error}", parent.display()))
            })?;
        }
        // Before libpq does: it would have OpenSSL tidy up while the program ends, when other threads may still be closing
        // their connections. That is the likely reason why a program that had stopped was now and then ended by a signal.
        openssl_sys::init();
        let connections = Connections::open(url, connections_max)?;
        if let Some(version) = connections.sqlite_version()?.filter(|v| !is_sound(v)) {
            return Err(StoreError::UnsoundSqlite(version));
        }
        Ok(Self { connections })
    }

    /// The same database with a lease of so many seconds: that long, a transaction that writes may
    /// stand still before PostgreSQL takes it back, whether it is between two statements or in the
    /// middle of an answer that nobody reads. Over a Unix socket PostgreSQL sees only the former: an
    /// answer that is not read there is waited for.
    #[must_use]
    pub fn with_lease(self, seconds: u32) -> Self {
        Self { connections: self.connections.with_lease(seconds) }
    }

    /// Where the wake-ups of other processes can be heard; `None` on SQLite.
    #[must_use]
    pub fn wakeups(&self) -> Option<wakeup::Wakeups> {
        self.connections.wakeups()
    }

    /// Brings the schema up to date; answers the names of the migrations that were run.
    pub fn migrate(&self) -> Result<Vec<String>> {
        migrate::run(&self.connections)
    }

    /// Reads on one snapshot. The error is the caller's own, so that it can say no as well as fail.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.connections.read(work)
    }

    /// Reads with one statement, which is a snapshot of its own and needs no transaction; it may be run
    /// more than once.
    pub fn read_one<T>(&self, work: impl Fn(&mut Conn) -> Result<T>) -> Result<T> {
        self.connections.read_one(work)
    }

    /// Reads with one statement at once, on a thread that must not wait; `None` where that cannot be,
    /// and [`Store::read_one`] elsewhere has to do.
    pub fn read_at_once<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Option<T> {
        self.connections.read_at_once(work)
    }

    /// Writes in one transaction; an error, the caller's own included, leaves nothing of it.
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.connections.write(work)
    }

    /// Does what the next transaction that writes would have to do before it begins, unless there is one already; it
    /// never fails. For those who have answered, and have nobody waiting now.
    pub fn make_room(&self) {
        self.connections.make_room();
    }
}

/// Whether a version of SQLite has the repair of the WAL-reset bug, which came after 3.51.2.
fn is_sound(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    parts > vec![3, 51, 2]
}

/// An instant as the databases keep it.
fn stored(at: Instant) -> chrono::NaiveDateTime {
    at.naive_utc()
}

/// JSON that this program wrote, or the complaint that it is not.
fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
}

/// A value as JSON.
fn to_json<T: serde::Serialize>(what: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::is_sound;

    #[test]
    fn an_sqlite_with_the_wal_reset_bug_is_refused() {
        for unsound in ["3.40.1", "3.51", "3.51.0", "3.51.2", "", "nonsense"] {
            assert!(!is_sound(unsound), "{unsound}");
        }
        for sound in ["3.51.3", "3.51.10", "3.53.0", "4.0.0"] {
            assert!(is_sound(sound), "{sound}");
        }
    }
}
