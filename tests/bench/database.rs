//! The databases that are measured: a fresh one each time.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the throwaway PostgreSQL listens, as for the tests.
const POSTGRES: &str = "LATCHKEY_TEST_POSTGRES";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A kind of database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A server, as its administrator reaches it.
    Postgres(String),
}

impl Database {
    /// PostgreSQL; `None`, loudly, where no server is named.
    #[expect(clippy::disallowed_methods, reason = "whoever starts this says where the server is")]
    pub fn postgres() -> Option<Self> {
        let server = std::env::var(POSTGRES).ok();
        if server.is_none() {
            eprintln!(
                "NOT MEASURED on PostgreSQL: set {POSTGRES} to the URL of a server of your own"
            );
        }
        server.map(Self::Postgres)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// The URL of a fresh one; a file of it lies in `directory`.
    pub fn fresh(&self, directory: &Path) -> anyhow::Result<Fresh> {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        match self {
            Self::Sqlite => {
                let url = format!("sqlite://{}/{number}.db", directory.display());
                Ok(Fresh { url, dropped: None })
            }
            Self::Postgres(server) => {
                let name = format!("latchkey_bench_{}_{number}", std::process::id());
                PgConnection::establish(server)?
                    .batch_execute(&format!("CREATE DATABASE {name}"))?;
                let (base, query) = server.split_once('?').unwrap_or((server, ""));
                let base = base.rsplit_once('/').map_or(base, |(base, _)| base);
                let mark = if query.is_empty() { "" } else { "?" };
                let url = format!("{base}/{name}{mark}{query}");
                Ok(Fresh { url, dropped: Some((server.clone(), name)) })
            }
        }
    }
}

/// One database, gone with this value.
pub struct Fresh {
    /// Its URL.
    pub url: String,
    dropped: Option<(String, String)>,
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
