//! One connection type for both databases, and how transactions begin and end.

#![expect(missing_docs, reason = "what diesel's macros make cannot be documented here")]

use super::readers::Readers;
use super::wakeup::Wakeups;
use super::writer::Writers;
use super::{Result, StoreError};
use diesel::connection::{AnsiTransactionManager as Manager, SimpleConnection, TransactionManager};
use diesel::r2d2::{ManageConnection, Pool, PooledConnection};
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a caller waits for a free connection before the store counts as unavailable.
const CHECKOUT_SECONDS_MAX: u64 = 10;
/// How long a connection to SQLite waits for another process. The one that writes waits at a gate instead.
const BUSY_MS_MAX: u32 = 10_000;

/// The lease where nobody sets another, in seconds.
const LEASE_SECONDS: u32 = 10;
/// The longest lease, a day: PostgreSQL counts it in milliseconds and takes no more than 24 days.
const LEASE_SECONDS_MAX: u32 = 86_400;

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// Pastes the same expression into both arms, for the few statements that the enum cannot carry:
/// inserting a Vec, and `on_conflict`.
macro_rules! on_backend {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::conn::Conn::Postgres($c) => $body,
            $crate::store::conn::Conn::Sqlite($c) => $body,
        }
    };
}
pub(crate) use on_backend;

/// Which database a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://path`.
    Sqlite(String),
    /// `postgres://…`, passed to libpq as it is.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `database.url`.
    pub fn parse(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err(StoreError::Url("sqlite:// needs a path behind it".to_owned()));
            }
            return Ok(Self::Sqlite(path.to_owned()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let hint = "database.url must begin with sqlite:// or postgres://";
        Err(StoreError::Url(hint.to_owned()))
    }

    /// The file that holds it all; `None` where a server does.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    fn open(&self) -> std::result::Result<Conn, diesel::r2d2::Error> {
        let failed = diesel::r2d2::Error::ConnectionError;
        match self {
            Self::Sqlite(path) => open_sqlite(path).map(Conn::Sqlite),
            Self::Postgres(url) => {
                let mut conn = PgConnection::establish(url).map_err(failed)?;
                // Every statement goes by a key. A plan that was made while a table was small, and is
                // kept with its statement, would read all of it once it is large.
                let settings = "SET TIME ZONE 'UTC'; SET synchronous_commit = on; \
                                SET enable_seqscan = off; SET client_min_messages = warning;";
                conn.batch_execute(settings).map_err(diesel::r2d2::Error::QueryError)?;
                Ok(Conn::Postgres(conn))
            }
        }
    }
}

/// The path of a file that stands beside an SQLite file: one, by whatever link the other is reached.
#[must_use]
pub fn beside(database: &str, suffix: &str) -> PathBuf {
    let file = std::fs::canonicalize(database).unwrap_or_else(|_| PathBuf::from(database));
    let mut path = file.into_os_string();
    path.push(suffix);
    PathBuf::from(path)
}

/// Opens a connection to an SQLite file.
pub(super) fn open_sqlite(
    path: &str,
) -> std::result::Result<SqliteConnection, diesel::r2d2::Error> {
    let opened = SqliteConnection::establish(path);
    let mut conn = opened.map_err(diesel::r2d2::Error::ConnectionError)?;
    // FULL: what was answered 200 survives a power cut, not only a crash.
    let settings = format!(
        "PRAGMA busy_timeout = {BUSY_MS_MAX}; PRAGMA journal_mode = WAL; \
         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
    );
    conn.batch_execute(&settings).map_err(diesel::r2d2::Error::QueryError)?;
    Ok(conn)
}

impl ManageConnection for DatabaseUrl {
    type Connection = Conn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> std::result::Result<Conn, Self::Error> {
        self.open()
    }

    fn is_valid(&self, conn: &mut Conn) -> std::result::Result<(), Self::Error> {
        sql_query("SELECT 1").execute(conn).map(|_| ()).map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        on_backend!(conn, |c| diesel::r2d2::R2D2Connection::is_broken(c))
    }
}

/// The connections of one database.
#[derive(Clone)]
pub struct Connections {
    pool: Pool<DatabaseUrl>,
    /// SQLite has one writer at a time anyway. `None` for PostgreSQL.
    writer: Option<Arc<Writers>>,
    /// Beside the pool, for reads that wait for nobody. `None` for PostgreSQL.
    readers: Option<Readers>,
    /// Where they lead to.
    url: Arc<DatabaseUrl>,
    /// The lease of a transaction that writes, in seconds.
    lease_seconds: u32,
    /// How such a transaction begins on PostgreSQL.
    begin_with_lease: Arc<str>,
}

/// A process that stops in the middle of a transaction keeps its locks no longer than its lease:
/// PostgreSQL ends its session, and what it wakes up to is an error. Its session may be idle by then,
/// or still be sending rows that nobody takes; the latter is ended by the kernel of the server, which
/// only does so over TCP: on a Unix socket the second setting is ignored.
///
/// Statements over sets are planned for the set and the table that there are: what fits one row and an
/// empty table takes a thousand times as long for a batch and a large one.
fn begin_with_lease(seconds: u32) -> Arc<str> {
    format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{seconds}s'; \
         SET LOCAL tcp_user_timeout = '{seconds}s'; \
         SET LOCAL plan_cache_mode = 'force_custom_plan'"
    )
    .into()
}

impl Connections {
    /// Opens a pool; fails when not even one connection can be made.
    pub fn open(url: DatabaseUrl, connections_max: u32) -> Result<Self> {
        let (readers, writer) = match &url {
            DatabaseUrl::Sqlite(path) => {
                (Some(Readers::of(path)), Some(Arc::new(Writers::to(path))))
            }
            DatabaseUrl::Postgres(_) => (None, None),
        };
        let to = Arc::new(url.clone());
        let pool = Pool::builder()
            .max_size(connections_max)
            // None is opened ahead of its use: a command that ends while a connection is being made
            // in the background dies in the clean-up of OpenSSL, after its work is done.
            .min_idle(Some(0))
            .connection_timeout(Duration::from_secs(CHECKOUT_SECONDS_MAX))
            // Whoever takes one sees with their first statement whether it still lives.
            .test_on_check_out(false)
            .build(url)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let begin_with_lease = begin_with_lease(LEASE_SECONDS);
        Ok(Self { pool, writer, readers, url: to, lease_seconds: LEASE_SECONDS, begin_with_lease })
    }

    /// The same connections with a lease of so many seconds.
    pub(super) fn with_lease(self, seconds: u32) -> Self {
        let lease_seconds = seconds.min(LEASE_SECONDS_MAX);
        Self { lease_seconds, begin_with_lease: begin_with_lease(lease_seconds), ..self }
    }

    /// Where the wake-ups of other processes can be heard; `None` on SQLite.
    pub(super) fn wakeups(&self) -> Option<Wakeups> {
        Wakeups::of(&self.url, self.lease_seconds)
    }

    /// The version of SQLite that is linked; `None` on PostgreSQL.
    pub(super) fn sqlite_version(&self) -> Result<Option<String>> {
        let Some(_) = &self.writer else { return Ok(None) };
        let versions: Vec<SqliteVersion> = self.bare(|conn| {
            Ok(sql_query("SELECT sqlite_version() AS version").load::<SqliteVersion>(conn)?)
        })?;
        Ok(versions.into_iter().next().map(|row| row.version))
    }

    /// Runs reads on one snapshot.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let begin = match &*self.url {
            DatabaseUrl::Sqlite(_) => "BEGIN",
            DatabaseUrl::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Transaction::of(&mut *self.begun(begin)?).run(work)
    }

    /// Reads with one statement, which is a snapshot of its own. It may be run again, where the first
    /// connection turns out to be dead.
    pub fn read_one<T>(&self, work: impl Fn(&mut Conn) -> Result<T>) -> Result<T> {
        self.on_a_live_one(|conn| work(conn)).map(|(_, read)| read)
    }

    /// The same at once, on this thread and without waiting for anybody; `None` where that cannot be: on
    /// PostgreSQL, which is a network away, and at moments when SQLite would have to wait.
    pub fn read_at_once<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Option<T> {
        let read = self.readers.as_ref()?.read(work);
        read.inspect_err(|error| tracing::debug!(%error, "a read at once has to be done again"))
            .ok()
    }

    /// Runs a transaction that writes. Nothing of it remains when it fails.
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.writer {
            Some(writer) => writer.write(work),
            None => Transaction::of(&mut *self.begun(&self.begin_with_lease)?).run(work),
        }
    }

    /// Does what the next transaction would have to do first, unless there is one already.
    pub fn make_room(&self) {
        if let Some(writer) = &self.writer {
            writer.make_room();
        }
    }

    /// Runs something outside any transaction, as migrations need it.
    pub(super) fn bare<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let work = || work(&mut *self.checkout()?);
        match &self.writer {
            Some(writer) => writer.paused(work),
            None => work(),
        }
    }

    /// A connection on which a transaction has begun. Through diesel's own counting, as its inserts of
    /// many rows open savepoints.
    fn begun(&self, begin: &str) -> Result<PooledConnection<DatabaseUrl>> {
        let begun = self.on_a_live_one(|conn| {
            Ok(on_backend!(conn, |c| Manager::begin_transaction_sql(c, begin))?)
        });
        begun.map(|(conn, ())| conn)
    }

    /// Does something that leaves no trace where it fails, on a connection that lives: PostgreSQL closes
    /// those that are idle when it is restarted, and each of them tells with its first statement, after
    /// which the pool lets go of it.
    fn on_a_live_one<T>(
        &self,
        first: impl Fn(&mut Conn) -> Result<T>,
    ) -> Result<(PooledConnection<DatabaseUrl>, T)> {
        for _ in 0..self.pool.max_size() {
            let mut conn = self.checkout()?;
            match first(&mut conn) {
                Err(_) if is_dead(&mut conn) => {}
                done => return Ok((conn, done?)),
            }
        }
        let mut conn = self.checkout()?;
        let done = first(&mut conn)?;
        Ok((conn, done))
    }

    fn checkout(&self) -> Result<PooledConnection<DatabaseUrl>> {
        self.pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

#[derive(QueryableByName)]
struct SqliteVersion {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Whether a connection that has failed is gone. What is asked here also tells diesel, which does not
/// see it where a statement could not even be prepared; and so the pool lets go of it.
fn is_dead(conn: &mut Conn) -> bool {
    conn.batch_execute("SELECT 1").is_err()
}

/// A transaction that has begun; dropped without a commit, by error or by panic, it is rolled back.
pub(super) struct Transaction<'a> {
    conn: &'a mut Conn,
    committed: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn of(conn: &'a mut Conn) -> Self {
        Self { conn, committed: false }
    }

    pub(super) fn run<T, E: From<StoreError>>(
        mut self,
        work: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = work(&mut self)?;
        on_backend!(&mut *self.conn, |c| Manager::commit_transaction(c))
            .map_err(StoreError::from)?;
        self.committed = true;
        Ok(done)
    }
}

impl Deref for Transaction<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.conn
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // A failed ROLLBACK means that the connection is gone, and the transaction with it.
            let _ = on_backend!(&mut *self.conn, |c| Manager::rollback_transaction(c));
        }
    }
}
