//! A fresh database for each test: an SQLite file, or a database of its own on the PostgreSQL that
//! `tests/run` has started.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the throwaway PostgreSQL listens.
const POSTGRES: &str = "LATCHKEY_TEST_POSTGRES";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// One database, gone with this value.
#[derive(Debug)]
pub enum Database {
    /// A file in the test's own directory.
    Sqlite,
    /// A database of its own.
    Postgres {
        /// The server, as its administrator reaches it.
        server: String,
        /// The database on it.
        name: String,
    },
}

impl Database {
    /// A fresh SQLite database.
    pub fn sqlite() -> Self {
        Self::Sqlite
    }

    /// A fresh PostgreSQL database; `None`, loudly, where there is no server and it is no CI.
    #[expect(clippy::disallowed_methods, reason = "tests/run says where the server is")]
    pub fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var(POSTGRES) else {
            assert!(
                std::env::var("CI").is_err(),
                "{POSTGRES} is not set: CI runs on both databases"
            );
            eprintln!("SKIPPED on PostgreSQL: {POSTGRES} is not set; tests/run sets it");
            return None;
        };
        Some(Self::on(server))
    }

    /// A fresh database on a PostgreSQL server, as its administrator reaches it.
    pub fn on(server: String) -> Self {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("latchkey_{}_{number}", std::process::id());
        execute(&server, &format!("CREATE DATABASE {name}"));
        Self::Postgres { server, name }
    }

    /// Its URL; `directory` is the test's own.
    pub fn url(&self, directory: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}/latchkey.db", directory.display()),
            Self::Postgres { server, name } => {
                let (server, query) = server.split_once('?').unwrap_or((server, ""));
                let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
                format!("{base}/{name}{}{query}", if query.is_empty() { "" } else { "?" })
            }
        }
    }
}

fn execute(server: &str, statement: &str) {
    let mut conn = PgConnection::establish(server).expect("the test's PostgreSQL");
    conn.batch_execute(statement).expect("done");
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            // Whoever is still connected is a server that is stopping anyway.
            execute(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
