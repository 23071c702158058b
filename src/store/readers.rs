//! Connections to an SQLite file for reads of microseconds, on the very threads that serve requests.
//!
//! Such a read costs less than handing it to another thread. It waits for nobody: not for the writer,
//! which a write-ahead log lets it read beside, nor for a place in the pool, as there is a connection
//! for each thread that reads at a time.

use super::conn::Conn;
use super::{Result, StoreError};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much of the file each connection keeps at hand, in KiB: the upper pages of the keys that the door
/// looks into, for a million members.
const CACHE_KIB_MAX: usize = 8 * 1024;
/// How much all of them keep, however many threads the machine runs at a time: each holds the less.
const CACHES_KIB_MAX: usize = 32 * 1024;

/// Connections that only read, to one file.
#[derive(Clone)]
pub struct Readers {
    path: Arc<str>,
    idle: Arc<Mutex<Vec<Conn>>>,
}

impl Readers {
    /// None is open yet.
    pub fn of(path: &str) -> Self {
        Self { path: path.into(), idle: Arc::default() }
    }

    /// Reads with one statement. It fails where it would have to wait: while somebody recovers the log,
    /// for one.
    pub fn read<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        // In a statement of its own: nothing is read, nor opened, while the list is locked.
        let idle = self.idle().pop();
        let mut conn = idle.map_or_else(|| self.open(), Ok)?;
        let read = work(&mut conn)?;
        // Only a connection that has done its work is kept.
        self.idle().push(conn);
        Ok(read)
    }

    fn open(&self) -> Result<Conn> {
        let unavailable =
            |error: diesel::ConnectionError| StoreError::Unavailable(error.to_string());
        let mut conn = SqliteConnection::establish(&self.path).map_err(unavailable)?;
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cache_kib = CACHE_KIB_MAX.min(CACHES_KIB_MAX / threads);
        conn.batch_execute(&format!(
            "PRAGMA busy_timeout = 0; PRAGMA query_only = ON; PRAGMA cache_size = -{cache_kib};"
        ))?;
        Ok(Conn::Sqlite(conn))
    }

    /// A panic while it was held leaves nothing half done.
    fn idle(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
