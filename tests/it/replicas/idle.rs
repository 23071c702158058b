//! PostgreSQL is restarted, or an administrator ends its sessions: whoever asks next notices nothing.

use crate::support::{Database, Ipn, TestApp};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use latchkey::store::StoreError;
use std::sync::Barrier;

/// As many connections as the pool has by default.
const CONNECTIONS: usize = 8;

/// Takes every connection of the pool at once, so that afterwards each of them is open and idle.
fn open_all(app: &TestApp) {
    let all = Barrier::new(CONNECTIONS);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let read = app.app.store().read(|_| {
                    all.wait();
                    Ok::<_, StoreError>(())
                });
                read.expect("read");
            });
        }
    });
}

/// Ends every session on the database of a test but the one that does it.
fn end_all_sessions(app: &TestApp) {
    let mut conn = PgConnection::establish(&app.database_url).expect("the database");
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    conn.batch_execute(end).expect("ended");
}

#[test]
fn sessions_that_are_ended_while_they_are_idle_cost_nobody_an_answer() {
    let Some(database) = Database::postgres() else { return };
    let app = TestApp::start(database);
    app.level("gold");
    app.map(&serde_json::json!({ "product_id": "501", "level": "gold" }));
    let hook = app.hook();
    let sale = |number| Ipn::new("sale", number).of("dana@example.com").on("2025-12-31 00:00:00");
    let door = "/api/v1/sites/default/access?email=dana@example.com&level=gold";
    open_all(&app);
    end_all_sessions(&app);
    assert_eq!(app.get(door).json["allowed"], false, "one statement");
    open_all(&app);
    end_all_sessions(&app);
    assert_eq!(app.get("/api/v1/sites/default").status, 200, "a transaction that reads");
    open_all(&app);
    end_all_sessions(&app);
    assert_eq!(app.post_raw(&hook, sale(1).body()).status, 200, "one that writes");
    open_all(&app);
    end_all_sessions(&app);
    app.drain();
    assert_eq!(app.get(door).json["allowed"], true);
}
