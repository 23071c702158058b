//! A site that is held by somebody for a while: who comes behind them decides by what they find then,
//! and nobody else has to wait.

use crate::support::daemon::until;
use crate::support::{ADMIN_KEY, Database, Ipn, TestApp};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use latchkey::store::sites::Busy;
use serde_json::json;
use std::thread::{Scope, ScopedJoinHandle};

const SITE: &str = "/api/v1/sites/default";
/// More writes at the same time than a process has connections.
const WRITES: usize = 12;
/// How many webhooks come to another site meanwhile.
const PROBES: usize = 40;

/// Somebody who is at a site until this is dropped.
pub struct Holder(PgConnection);

impl Holder {
    /// Locks a site as the program does.
    pub fn of(app: &TestApp, site: &str) -> Self {
        let mut conn = PgConnection::establish(&app.database_url).expect("the database");
        let lock = format!("BEGIN; SELECT id FROM sites WHERE id = '{site}' FOR NO KEY UPDATE");
        conn.batch_execute(&lock).expect("locked");
        Self(conn)
    }

    /// Lets the site go.
    pub fn release(mut self) {
        self.0.batch_execute("COMMIT").expect("released");
    }
}

/// Waits until so many sessions wait for a lock.
fn waiting(app: &TestApp, sessions: i64) {
    let statement = "SELECT count(*) AS count FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("those who wait for the site", || {
        (super::count(app.app.store(), statement) == sessions).then_some(())
    });
}

/// Starts many writes to the default site at the same time; answers their statuses in the end.
fn writes<'a>(scope: &'a Scope<'a, '_>, app: &TestApp) -> ScopedJoinHandle<'a, Vec<u16>> {
    let url = format!("http://{}{SITE}/levels", app.address());
    scope.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let writes = (0..WRITES).map(|number| {
                let write = client.post(&url).bearer_auth(ADMIN_KEY);
                write.body(json!({"id": format!("level-{number}")}).to_string()).send()
            });
            let answers = futures_util::future::join_all(writes).await;
            answers.into_iter().map(|reply| reply.expect("an answer").status().as_u16()).collect()
        })
    })
}

#[test]
fn writers_of_a_site_that_somebody_holds_take_no_other_site_its_connections() {
    let Some(database) = Database::postgres() else { return };
    let app = TestApp::start(database);
    let made = app.post("/api/v1/sites", &json!({"id": "other"}));
    assert_eq!(made.status, 201, "{made:?}");
    let hook = app.hook_of("other");
    let holder = Holder::of(&app, "default");
    std::thread::scope(|scope| {
        let written = writes(scope, &app);
        waiting(&app, 1);
        for number in 0..PROBES {
            let sale = Ipn::new("sale", number + 1).of("ann@example.com");
            let reply = app.post_raw(&hook, sale.body());
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(app.app.flow().turn(Busy::Skip).expect("a turn"));
            let id = reply.json["webhook_id"].as_str().expect("an id");
            let shown = app.get(&format!("/api/v1/sites/other/webhooks/{id}"));
            assert_eq!(shown.json["status"], "held", "{shown:?}");
        }
        waiting(&app, 1);
        holder.release();
        assert_eq!(written.join().expect("no panic"), [201; WRITES]);
    });
    let levels = app.get(&format!("{SITE}/levels")).json["items"].as_array().map(Vec::len);
    assert_eq!(levels, Some(WRITES));
}
