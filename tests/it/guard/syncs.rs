//! How often the real program asks its disk, counted inside it, or inside its PostgreSQL.
//!
//! What gathers while a flush takes its time shares the next one, so the count depends on how slow the disk is
//! beside everything else. Each flush here takes at least as long as on a slow disk, and everything else is far
//! from that on any machine.

use super::flushes::Flushes;
use crate::shared::kartra::{PRODUCT, Webhooks};
use crate::shared::postgres::Postgres;
use crate::shared::syncs::Syncs;
use crate::shared::{http, load};
use crate::support::Database;
use crate::support::daemon::Home;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;
use std::time::Duration;

/// How many senders there are, each of which waits for its answer.
const CONNECTIONS: usize = 64;
const WEBHOOKS: usize = 2_000;
/// What each flush takes longer than on the disk of this machine, while webhooks are stored.
const FLUSH: Duration = Duration::from_millis(100);

/// Where the flushes of a home are counted: in its program, or in its PostgreSQL.
enum Counted {
    InProgram(Syncs),
    InPostgres(Postgres),
}

impl Counted {
    fn syncs(&self) -> &Syncs {
        match self {
            Self::InProgram(syncs) => syncs,
            Self::InPostgres(postgres) => &postgres.syncs,
        }
    }
}

fn flushes_are_as_written_down(database: &str, home: &Home, counted: &Counted) {
    let daemon = match counted {
        Counted::InProgram(syncs) => home.serve_under(syncs.environment()),
        Counted::InPostgres(_) => home.serve(),
    };
    let site = "/api/v1/sites/default";
    let enabled = |enabled: bool| {
        let url = format!("{}{site}", daemon.base);
        let edit = daemon.client.patch(url).bearer_auth(crate::support::ADMIN_KEY);
        let edited = daemon.send(edit.body(json!({ "enabled": enabled }).to_string()));
        assert_eq!(edited.status, 200, "{edited:?}");
    };
    daemon.make(&format!("{site}/levels"), &json!({ "id": "gold" }));
    daemon.make(&format!("{site}/mappings"), &json!({ "product_id": PRODUCT, "level": "gold" }));
    enabled(false);

    let syncs = counted.syncs();
    let for_1_000 = |work: &dyn Fn()| {
        let before = syncs.count().expect("a count");
        work();
        (syncs.count().expect("a count") - before) * 1_000 / u64::try_from(WEBHOOKS).expect("few")
    };
    syncs.slow_down(FLUSH).expect("slowed down");
    let (webhooks, address) = (Webhooks::new(), daemon.base.trim_start_matches("http://"));
    let request = || {
        let (content_type, body) = webhooks.next();
        http::post(&daemon.hook, content_type, &body)
    };
    let stored = for_1_000(&|| {
        load::all(address, CONNECTIONS, WEBHOOKS, request).expect("all are answered 200");
    });
    syncs.slow_down(Duration::ZERO).expect("as fast as it is");
    let applied = for_1_000(&|| {
        enabled(true);
        daemon.drained();
    });
    eprintln!("flushes for 1,000 webhooks: {stored} to store them, {applied} to apply them");
    // Fewer would mean that nobody counts: a commit is a flush, and no group holds more than there are senders.
    let least = u64::try_from(1_000 / CONNECTIONS).expect("few");
    assert!(stored >= least, "{stored} flushes to store 1,000 webhooks");
    assert!(applied >= 1, "{applied} flushes to apply 1,000 webhooks");
    Flushes { stored, applied }.are_as_written_down(database);
    daemon.stop();
}

#[test]
fn flushes_at_64_connections_are_as_written_down_on_sqlite() {
    let home = Home::new(Database::sqlite());
    let counted = Counted::InProgram(Syncs::in_directory(home.path()).expect("built"));
    flushes_are_as_written_down("sqlite", &home, &counted);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "in CI nothing may be left out")]
fn flushes_at_64_connections_are_as_written_down_on_postgres() {
    // That of the other tests is flushed by all of them.
    let Some(postgres) = Postgres::start(&std::env::temp_dir()).expect("started") else {
        assert!(std::env::var("CI").is_err(), "CI runs on both databases");
        eprintln!("SKIPPED: the programs of PostgreSQL's server are not installed");
        return;
    };
    // What its writer flushes by the clock, beside all commits, says more of the clock.
    let mut conn = PgConnection::establish(&postgres.url).expect("connected");
    for statement in ["ALTER SYSTEM SET wal_writer_delay = '10s'", "SELECT pg_reload_conf()"] {
        conn.batch_execute(statement).expect("done");
    }
    // The server outlives the home: its database is dropped at the end.
    let (url, counted) = (postgres.url.clone(), Counted::InPostgres(postgres));
    flushes_are_as_written_down("postgres", &Home::new(Database::on(url)), &counted);
}
