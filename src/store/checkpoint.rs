//! When the pages of SQLite's write-ahead log are carried into its file: between two transactions, few at a time.
//!
//! Left to itself SQLite does so inside a COMMIT, once the log holds four times as many: whoever waits for that
//! commit waits for all of it.

use super::Result;
use super::conn::Conn;
use diesel::sql_types::Integer;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

/// Keeps a connection that writes from doing it inside its commits.
pub(super) const LEFT_TO_US: &str = "PRAGMA wal_autocheckpoint = 0";
/// How many pages the log gathers before they are carried over: a mebibyte. Fewer cost more flushes for each
/// webhook, more make a longer pause.
const PAGES_MAX: i32 = 256;

#[derive(QueryableByName)]
struct Log {
    /// Pages in the log; -1 before it is used.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// How many of them stand in the file as well.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// Carries the log over if it has gathered enough. It waits for nobody: what somebody still reads from the log stays
/// there until the next time, and so does all of it where the file cannot be written to.
pub(super) fn make_room(conn: &mut Conn) {
    if let Err(error) = carry_over(conn) {
        tracing::warn!(%error, "the log of the database could not be carried into its file, and grows");
    }
}

fn carry_over(conn: &mut Conn) -> Result<()> {
    let log: Log = sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(conn)?;
    if log.log - log.checkpointed >= PAGES_MAX {
        sql_query("PRAGMA wal_checkpoint(PASSIVE)").execute(conn)?;
    }
    Ok(())
}
