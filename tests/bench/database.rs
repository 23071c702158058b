//! The databases that are measured: a fresh one each time.

use super::load::count;
use super::process::Process;
use super::shared::postgres::Postgres;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Double;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a PostgreSQL listens that is to be measured instead of one that the benchmark starts.
const POSTGRES: &str = "LATCHKEY_TEST_POSTGRES";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A kind of database.
pub enum Database {
    /// A file.
    Sqlite,
    /// A server of the benchmark's own.
    Postgres(Postgres),
    /// A server that somebody has named, by the URL of its administrator.
    PostgresAt(String),
}

impl Database {
    /// PostgreSQL: the server that is named, else one of its own in this directory; `None`, loudly, where there
    /// is neither.
    #[expect(clippy::disallowed_methods, reason = "whoever starts this says where the server is")]
    pub fn postgres(directory: &Path) -> anyhow::Result<Option<Self>> {
        if let Ok(url) = std::env::var(POSTGRES) {
            eprintln!(
                "fsyncs of PostgreSQL are NOT COUNTED: {POSTGRES} names a server of somebody's"
            );
            return Ok(Some(Self::PostgresAt(url)));
        }
        let own = Postgres::start(directory)?;
        if own.is_none() {
            eprintln!(
                "NOT MEASURED on PostgreSQL: its programs initdb and postgres are not installed. Install the \
                 package postgresql, or set {POSTGRES} to the URL of a server that nobody else uses."
            );
        }
        Ok(own.map(Self::Postgres))
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) | Self::PostgresAt(_) => "PostgreSQL",
        }
    }

    /// The server, as its administrator reaches it; `None` for SQLite.
    pub fn server_url(&self) -> Option<&str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(own) => Some(&own.url),
            Self::PostgresAt(url) => Some(url),
        }
    }

    /// The first process of the server; `None` where none of it is the benchmark's own.
    pub fn process(&self) -> Option<Process> {
        match self {
            Self::Postgres(own) => Some(Process(own.id())),
            Self::Sqlite | Self::PostgresAt(_) => None,
        }
    }

    /// The URL of a fresh one; a file of it lies in `directory`.
    pub fn fresh(&self, directory: &Path) -> anyhow::Result<Fresh> {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        match self.server_url() {
            None => {
                let url = format!("sqlite://{}/{number}.db", directory.display());
                Ok(Fresh { url, dropped: None })
            }
            Some(server) => {
                let name = format!("latchkey_bench_{}_{number}", std::process::id());
                PgConnection::establish(server)?
                    .batch_execute(&format!("CREATE DATABASE {name}"))?;
                let (base, query) = server.split_once('?').unwrap_or((server, ""));
                let base = base.rsplit_once('/').map_or(base, |(base, _)| base);
                let mark = if query.is_empty() { "" } else { "?" };
                let url = format!("{base}/{name}{mark}{query}");
                Ok(Fresh { url, dropped: Some((server.to_owned(), name)) })
            }
        }
    }
}

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = Double)]
    bytes: f64,
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = Double)]
    number: f64,
}

/// One database, gone with this value.
pub struct Fresh {
    /// Its URL.
    pub url: String,
    dropped: Option<(String, String)>,
}

impl Fresh {
    /// Bytes that it takes.
    pub fn bytes(&self) -> anyhow::Result<f64> {
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            return Ok(count(std::fs::metadata(path)?.len()));
        }
        let size = sql_query("SELECT pg_database_size(current_database())::float8 AS bytes");
        Ok(size.get_result::<Size>(&mut PgConnection::establish(&self.url)?)?.bytes)
    }

    /// How many rows one of its tables has.
    pub fn rows(&self, table: &str) -> anyhow::Result<f64> {
        let rows =
            sql_query(format!("SELECT CAST(COUNT(*) AS DOUBLE PRECISION) AS number FROM {table}"));
        let rows: Rows = match self.url.strip_prefix("sqlite://") {
            Some(path) => rows.get_result(&mut SqliteConnection::establish(path)?)?,
            None => rows.get_result(&mut PgConnection::establish(&self.url)?)?,
        };
        Ok(rows.number)
    }

    /// Has PostgreSQL look how large its tables have become, as it does by itself within a minute or so.
    pub fn look(&self) -> anyhow::Result<()> {
        if self.dropped.is_some() {
            PgConnection::establish(&self.url)?.batch_execute("ANALYZE")?;
        }
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.dropped
            && let Ok(mut conn) = PgConnection::establish(server)
        {
            // A database that is left behind is in nobody's way: its name is its own.
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
