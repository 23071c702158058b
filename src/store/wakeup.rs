//! The wake-up between the processes that share one PostgreSQL: at most one `NOTIFY` a transaction,
//! delivered with its commit and only then. SQLite has one process that serves, which rings its own
//! bell.
//!
//! Nothing depends on it but latency: who hears nothing polls.

use super::conn::{Conn, DatabaseUrl};
use super::{Result, StoreError};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};

/// The one channel of all processes; each listens to those of its own database only.
const CHANNEL: &str = "latchkey_moved";
/// How many wake-ups one look takes in; the next look takes the rest.
const HEARD_MAX: usize = 10_000;
/// How libpq makes the connection, unless the URL says otherwise: it gives up a server that does not
/// answer, and notices one that is gone without a word, though it never sends anything itself.
const CONNECTING: [(&str, &str); 4] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
];

/// Tells the other processes, in words of the caller, once this transaction is committed.
pub fn send(conn: &mut Conn, words: &str) -> Result<()> {
    if let Conn::Postgres(c) = conn {
        let notify = sql_query("SELECT pg_notify($1, $2)");
        notify.bind::<Text, _>(CHANNEL).bind::<Text, _>(words).execute(c)?;
    }
    Ok(())
}

/// Where the wake-ups of a database can be heard.
#[derive(Debug, Clone)]
pub struct Wakeups {
    url: String,
    lease_seconds: u32,
}

impl Wakeups {
    /// Of a database; `None` for SQLite, which has none.
    pub(super) fn of(url: &DatabaseUrl, lease_seconds: u32) -> Option<Self> {
        match url {
            DatabaseUrl::Sqlite(_) => None,
            DatabaseUrl::Postgres(url) => Some(Self { url: connecting(url), lease_seconds }),
        }
    }

    /// Listens, on a connection outside the pool. Whatever is committed from now on is heard; what
    /// was before is not.
    pub fn listen(&self) -> Result<Ear> {
        let unavailable =
            |error: diesel::ConnectionError| StoreError::Unavailable(error.to_string());
        let mut conn = PgConnection::establish(&self.url).map_err(unavailable)?;
        // PostgreSQL keeps what some listener has not read, for all of them in one place: one that has
        // stopped is ended once its socket is full, rather than waited for.
        let lease = format!("SET tcp_user_timeout = '{}s'", self.lease_seconds);
        conn.batch_execute(&lease)?;
        conn.batch_execute(&format!("LISTEN {CHANNEL}"))?;
        Ok(Ear(conn))
    }
}

/// A connection that listens.
pub struct Ear(PgConnection);

impl Ear {
    /// What has been said since the last look, in the words of each sender; an error when the
    /// connection is gone. It does not wait: diesel shows no socket to wait on.
    pub fn heard(&mut self) -> Result<Vec<String>> {
        let heard = self.0.notifications_iter().take(HEARD_MAX);
        heard.map(|said| Ok(said?.payload)).collect()
    }
}

/// A URL with [`CONNECTING`], where it does not say so itself.
fn connecting(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in CONNECTING {
        let asked = [format!("?{name}="), format!("&{name}=")];
        if !asked.iter().any(|asked| url.contains(asked)) {
            let mark = match url.ends_with(['?', '&']) {
                true => "",
                false if url.contains('?') => "&",
                false => "?",
            };
            url = format!("{url}{mark}{name}={value}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::connecting;

    #[test]
    fn what_the_url_says_of_the_connection_stays() {
        let url = connecting("postgres://a@b/c?keepalives_idle=60&connect_timeout=1");
        let expected = "postgres://a@b/c?keepalives_idle=60&connect_timeout=1\
                        &keepalives_interval=5&keepalives_count=3";
        assert_eq!(url, expected);
        assert!(connecting("postgres://a@b/c?").starts_with("postgres://a@b/c?connect_timeout=5&"));
        let url = connecting("postgres://a@b/c");
        assert!(url.starts_with("postgres://a@b/c?connect_timeout=5&keepalives_idle=10&"), "{url}");
    }
}
