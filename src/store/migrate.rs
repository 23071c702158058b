//! The schema: embedded in the binary, brought up to date at start, under a lock.

use super::conn::{Conn, Connections};
use super::{Result, StoreError};
use diesel::Connection;
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock that processes starting together queue at; the number only has to be ours.
const LOCK: i64 = 0x6c61_7463_686b_6579;

/// Runs what has not been run yet; answers the names of what it ran.
#[expect(clippy::disallowed_methods, reason = "migrations nest their own transactions in this one")]
pub fn run(connections: &Connections) -> Result<Vec<String>> {
    connections.bare(|conn| match conn {
        Conn::Sqlite(c) => {
            // Asked beside whoever writes: a command for which there is nothing to run waits for nobody.
            if !c.has_pending_migration(SQLITE).map_err(failed)? {
                return Ok(Vec::new());
            }
            // The check and the run are one: a second process waits here, then finds all done.
            c.exclusive_transaction(|c| pending(c, SQLITE))
        }
        Conn::Postgres(c) => c.transaction(|c| {
            c.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})"))?;
            pending(c, POSTGRES)
        }),
    })
}

fn pending<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> Result<Vec<String>>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let pending = conn.pending_migrations(source).map_err(failed)?;
    let mut ran = Vec::new();
    for migration in pending {
        ran.push(conn.run_migration(&migration).map_err(failed)?.to_string());
    }
    Ok(ran)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Migration(error.to_string())
}
