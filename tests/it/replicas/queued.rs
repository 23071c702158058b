//! A site that is held by somebody for a while: who comes behind them decides by what they find then,
//! and nobody else has to wait.

use crate::support::daemon::until;
use crate::support::{ADMIN_KEY, Database, Ipn, TestApp, instant};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use latchkey::flow::Flow;
use latchkey::store::sites::Busy;
use serde_json::{Value, json};
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

fn waits_for_a_turn<'a>(scope: &'a Scope<'a, '_>, flow: &'a Flow) -> ScopedJoinHandle<'a, bool> {
    scope.spawn(|| flow.turn(Busy::Wait).expect("a turn"))
}

#[test]
fn who_waited_while_another_fired_an_end_does_not_hide_the_next_one() {
    let Some(database) = Database::postgres() else { return };
    let first = TestApp::start(database);
    let second = first.beside();
    assert_eq!(first.patch(SITE, &json!({"kartra_time_zone": "UTC"})).status, 200);
    first.level("gold");
    let policy = json!({"on_cancellation": "period_end"});
    first.map(&json!({"product_id": "501", "level": "gold", "policy": policy}));
    let paid = |kind: &str, id: u32, who: &str| {
        let ipn = Ipn::new(kind, id).of(&format!("{who}@example.com"));
        ipn.subscription(format!("9{}", who.len()))
    };
    // Ann's access ends on 8 January, and Berta's on 12 January.
    for (who, id, days) in [("ann", 1, 7), ("berta", 3, 11)] {
        let sale = paid("sale", id, who).with("rebill_circle", days).on("2026-01-01 00:00:00");
        first.receives(sale.body());
        first.receives(paid("cancellation", id + 1, who).on("2026-01-01 00:00:00").body());
    }
    first.drain();
    // Somebody buys between the two ends, and Berta pays again after hers.
    first.clock.set(instant("2026-01-09T00:00:00Z"));
    first.receives(paid("sale", 5, "clara-c").on("2026-01-09 00:00:00").body());
    first.clock.set(instant("2026-01-15T00:00:00Z"));
    let rebill = paid("rebill", 6, "berta").with("rebill_circle", 30).on("2026-01-15 00:00:00");
    first.receives(rebill.body());
    for app in [&first, &second] {
        app.clock.set(instant("2026-01-16T00:00:00Z"));
    }

    let holder = Holder::of(&first, "default");
    std::thread::scope(|scope| {
        // Both have seen Ann's end. The first one fires it, and the second one waits for that.
        let fires = waits_for_a_turn(scope, first.app.flow());
        waiting(&first, 1);
        let comes_after = waits_for_a_turn(scope, second.app.flow());
        waiting(&first, 2);
        holder.release();
        assert!(fires.join().expect("no panic") && comes_after.join().expect("no panic"));
    });
    second.drain();

    let told: Vec<(Value, Value, Value, Value)> = first
        .changes()
        .into_iter()
        .filter(|change| change["at"].as_str() >= Some("2026-01-02"))
        .map(|c| {
            (c["email"].clone(), c["what"].clone(), c["cause"]["kind"].clone(), c["at"].clone())
        })
        .collect();
    let row = |who: &str, what: &str, cause: &str, at: &str| {
        (json!(format!("{who}@example.com")), json!(what), json!(cause), json!(at))
    };
    let just_before = "2026-01-11T23:59:59.999999Z";
    let expected = [
        row("ann", "revoked", "timer", "2026-01-08T00:00:00Z"),
        row("clara-c", "granted", "event", just_before),
        row("berta", "revoked", "timer", "2026-01-12T00:00:00Z"),
        row("berta", "granted", "event", "2026-01-16T00:00:00Z"),
    ];
    assert_eq!(told, expected);
    first.is_as_the_events_say();
    drop(second);
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
