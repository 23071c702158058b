//! The one connection of this process that writes to an SQLite file, and the queue before it.

use super::conn::{Conn, Transaction, open_sqlite};
use super::gate::Gate;
use super::{Result, StoreError, checkpoint};
use diesel::connection::SimpleConnection;
use parking_lot::FairMutex;

/// How much of the file the connection keeps at hand, in KiB: the keys that batches look into, for a site of a
/// million members.
const CACHE_KIB_MAX: u32 = 16 * 1024;

/// The threads that write. They queue here in the order in which they come, rather than at SQLite, for the one
/// connection that writes: any other one would have forgotten all pages that it had read, as somebody else has written
/// since.
pub(super) struct Writers {
    path: Box<str>,
    place: FairMutex<Option<Writer>>,
}

impl Writers {
    /// To a file, which need not be there yet.
    pub(super) fn to(path: &str) -> Self {
        Self { path: path.into(), place: FairMutex::default() }
    }

    /// Runs a transaction that writes. Nothing of it remains when it fails.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut place = self.place.lock();
        // Out of its place while it works: a connection that cannot even begin is not put back, nor is one
        // that a panic has left in the middle of something.
        let mut writer = place.take().map_or_else(|| Writer::to(&self.path), Ok)?;
        // Where nobody has had the time for it since the last transaction.
        checkpoint::make_room(&mut writer.conn);
        writer.gate.begin(&mut writer.conn)?;
        let done = Transaction::of(&mut writer.conn).run(work);
        *place = Some(writer);
        done
    }

    /// Does what the next transaction would have to do first, unless there is one already.
    pub(super) fn make_room(&self) {
        let Some(mut place) = self.place.try_lock() else { return };
        if let Some(writer) = place.as_mut() {
            checkpoint::make_room(&mut writer.conn);
        }
    }

    /// Keeps all of them waiting for as long as something else writes.
    pub(super) fn paused<T>(&self, work: impl FnOnce() -> T) -> T {
        let _place = self.place.lock();
        work()
    }
}

/// The connection, and where it waits for those of other processes.
struct Writer {
    conn: Conn,
    gate: Gate,
}

impl Writer {
    fn to(path: &str) -> Result<Self> {
        let opened = open_sqlite(path);
        let mut conn = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // Whoever waits for another process does so at the gate.
        let settings = format!("PRAGMA cache_size = -{CACHE_KIB_MAX}; PRAGMA busy_timeout = 0;");
        conn.batch_execute(&format!("{settings} {}", checkpoint::LEFT_TO_US))?;
        Ok(Self { conn: Conn::Sqlite(conn), gate: Gate::of(path) })
    }
}
