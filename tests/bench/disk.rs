//! What reaches the disk: counted where it is written, so that nobody has to guess when it will be told.

use super::database::Database;
use super::load::count;
use super::server::Server;
use diesel::sql_types::Double;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use std::cell::RefCell;
use std::ops::{Add, Sub};

/// The disk under a server and its database, which nobody else uses meanwhile.
pub enum Disk<'a> {
    /// SQLite writes in the server's own process.
    Sqlite(&'a Server),
    /// PostgreSQL writes in processes of its own, which are counted if it is the benchmark's own.
    Postgres(&'a Database, RefCell<PgConnection>),
}

/// What was written up to an instant, or between two.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Bytes: of all files on SQLite, of the write-ahead log on PostgreSQL.
    pub bytes: f64,
    /// How often anything was asked to be on disk; `None` where nobody counts.
    pub syncs: Option<f64>,
}

impl Written {
    /// Nothing; fsyncs of it are counted where those of the others are.
    pub const NOTHING: Self = Self { bytes: 0.0, syncs: Some(0.0) };

    fn with(self, other: Self, op: impl Fn(f64, f64) -> f64) -> Self {
        let syncs = self.syncs.zip(other.syncs).map(|(one, two)| op(one, two));
        Self { bytes: op(self.bytes, other.bytes), syncs }
    }
}

impl Add for Written {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |one, two| one + two)
    }
}

impl Sub for Written {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, |one, two| one - two)
    }
}

#[derive(QueryableByName)]
struct Log {
    #[diesel(sql_type = Double)]
    bytes: f64,
}

impl<'a> Disk<'a> {
    /// The disk under a server.
    pub fn of(database: &'a Database, server: &'a Server) -> anyhow::Result<Self> {
        Ok(match database.server_url() {
            None => Self::Sqlite(server),
            Some(url) => Self::Postgres(database, RefCell::new(PgConnection::establish(url)?)),
        })
    }

    /// What has been written so far.
    pub fn written(&self) -> anyhow::Result<Written> {
        match self {
            Self::Sqlite(server) => Ok(Written {
                bytes: server.process().written_bytes()?,
                syncs: Some(count(server.syncs.count()?)),
            }),
            Self::Postgres(database, conn) => {
                // Its statistics come late; where its log ends is known at every moment.
                let log =
                    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes";
                let log: Log = sql_query(log).get_result(&mut *conn.borrow_mut())?;
                let syncs = match database {
                    Database::Postgres(own) => Some(count(own.syncs.count()?)),
                    _ => None,
                };
                Ok(Written { bytes: log.bytes, syncs })
            }
        }
    }

    /// What the bytes are.
    pub fn bytes_of(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "bytes written",
            Self::Postgres(..) => "bytes of write-ahead log",
        }
    }
}
