//! Connections to an SQLite file for reads of microseconds, on the very threads that serve requests.
//!
//! Such a read costs less than handing it to another thread. It waits for nobody: not for the writer,
//! which a write-ahead log lets it read beside, nor for a place in the pool, as there is a connection
//! for each thread that reads at a time.

use super::conn::Conn;
use super::{Result, StoreError};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use thread_local::ThreadLocal;

/// How much of the file each connection keeps at hand, in KiB: the upper pages of the keys that the door
/// looks into, for a million members.
const CACHE_KIB_MAX: usize = 8 * 1024;
/// How much all of them keep, however many threads the machine runs at a time: each holds the less.
const CACHES_KIB_MAX: usize = 32 * 1024;

/// Connections that only read, to one file. Each thread has its own, which it does not wait for, and whose pages are in
/// the cache of the processor that it runs on.
#[derive(Clone)]
pub struct Readers {
    path: Arc<str>,
    /// Empty while the thread reads, and after a read that has failed.
    of_threads: Arc<ThreadLocal<Cell<Option<Conn>>>>,
}

impl Readers {
    /// None is open yet.
    pub fn of(path: &str) -> Self {
        Self { path: path.into(), of_threads: Arc::default() }
    }

    /// Reads with one statement. It fails where it would have to wait: while somebody recovers the log,
    /// for one.
    pub fn read<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let place = self.of_threads.get_or_default();
        let mut conn = place.take().map_or_else(|| self.open(), Ok)?;
        let read = work(&mut conn)?;
        // Only a connection that has done its work is kept.
        place.set(Some(conn));
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
}
