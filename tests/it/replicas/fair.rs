//! Fifty sites, one of them with a long backlog: it delays no other by more than a batch.

use crate::support::daemon::until;
use crate::support::{Database, Ipn, TestApp};
use latchkey::flow::rebuild;
use latchkey::secrets::body_hash;
use latchkey::store::StoreError;
use latchkey::store::sites::Busy;
use latchkey::store::webhooks::{self, NewWebhook};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many sites there are.
const SITES: usize = 50;
/// The one that is behind: some are listed before it, and some after it.
const BEHIND: usize = 25;
/// Those that somebody buys on while the other one is at work.
const PROBED: [usize; 4] = [0, BEHIND - 1, BEHIND + 1, SITES - 1];
/// By how many webhooks it is behind.
const BACKLOG: i64 = 50_000;
/// How many of them are stored with one statement.
const ROWS: i64 = 500;
/// How many webhooks make a batch.
const BATCH: i64 = 64;

#[test]
fn a_backlog_of_one_site_delays_no_other_by_more_than_a_batch_on_sqlite() {
    is_fair(Database::sqlite());
}

#[test]
fn a_backlog_of_one_site_delays_no_other_by_more_than_a_batch_on_postgres() {
    if let Some(database) = Database::postgres() {
        is_fair(database);
    }
}

fn is_fair(database: Database) {
    let app = TestApp::start_with(database, &[("flow.batch_webhooks_max", &BATCH.to_string())]);
    let hooks: Vec<String> = (0..SITES).map(|number| open(&app, number)).collect();
    store_backlog(&app);
    step_by_step(&app, &hooks);
    with_a_worker(&app, &hooks);
    for number in [0, BEHIND, SITES - 1] {
        let found = rebuild::check(app.app.flow(), &site(number)).expect("checked");
        assert_eq!(found, [], "rebuild --check of {}", site(number));
    }
}

fn site(number: usize) -> String {
    format!("site-{number:02}")
}

/// A site where product 501 gives gold; answers the path of its webhook URL.
fn open(app: &TestApp, number: usize) -> String {
    let site = site(number);
    let path = format!("/api/v1/sites/{site}");
    for (path, body) in [
        ("/api/v1/sites".to_owned(), json!({"id": site})),
        (format!("{path}/levels"), json!({"id": "gold"})),
        (format!("{path}/mappings"), json!({"product_id": "501", "level": "gold"})),
    ] {
        let made = app.post(&path, &body);
        assert_eq!(made.status, 201, "{made:?}");
    }
    app.hook_of(&site)
}

/// Stores sales of many buyers as intake does, but without a request for each.
fn store_backlog(app: &TestApp) {
    let now = app.clock.now().naive_utc();
    let row = |number: i64| {
        let body = Ipn::new("sale", number + 1).of(&format!("buyer-{number}@example.com")).body();
        NewWebhook {
            site_id: site(BEHIND),
            id: format!("backlog-{number:06}"),
            received_at: now,
            feed: "ipn",
            status: "pending",
            kind: Some("sale"),
            transaction_id: Some((number + 1).to_string()),
            product_id: Some("501".to_owned()),
            email: Some(format!("buyer-{number}@example.com")),
            reason: None,
            changes: 0,
            body_hash: body_hash(&body).to_vec(),
            body,
            secret_mac: None,
            attempts: 0,
            next_attempt_at: Some(now),
            vouched: Some(3),
            said: None,
        }
    };
    for first in (0..BACKLOG).step_by(usize::try_from(ROWS).expect("a number")) {
        let rows: Vec<NewWebhook> = (first..first + ROWS).map(row).collect();
        let stored = app.app.store().write(|conn| webhooks::insert(conn, &rows));
        stored.expect("stored");
    }
    assert_eq!(left(app), BACKLOG);
}

/// How many webhooks of the site behind are not applied yet.
fn left(app: &TestApp) -> i64 {
    let counted = app.app.store().read(|conn| webhooks::backlog(conn, &site(BEHIND)));
    counted.expect("counted")
}

/// Somebody buys on a site; answers their webhook.
fn buys(app: &TestApp, hooks: &[String], number: usize, transaction: usize) -> String {
    let sale = Ipn::new("sale", transaction).of("ann@example.com");
    let reply = app.post_raw(&hooks[number], sale.body());
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

fn is_applied(app: &TestApp, number: usize, webhook: &str) -> bool {
    let listed = app.app.store().read(|conn| {
        Ok::<_, StoreError>(webhooks::get(conn, &site(number), webhook)?.expect("it is stored"))
    });
    listed.expect("read").status == "applied"
}

/// Turn by turn: what comes to any other site is applied within the turn, which has one batch of the
/// site that is behind.
fn step_by_step(app: &TestApp, hooks: &[String]) {
    assert!(app.app.flow().turn(Busy::Wait).expect("a turn"));
    for number in PROBED {
        let webhook = buys(app, hooks, number, 1);
        let before = left(app);
        assert!(app.app.flow().turn(Busy::Wait).expect("a turn"));
        assert!(is_applied(app, number, &webhook), "{} waits", site(number));
        assert_eq!(before - left(app), BATCH, "and the backlog goes on by a batch");
    }
    // All of them at once, too.
    let bought: Vec<(usize, String)> = (0..SITES)
        .filter(|number| *number != BEHIND)
        .map(|number| (number, buys(app, hooks, number, 2)))
        .collect();
    let before = left(app);
    assert!(app.app.flow().turn(Busy::Wait).expect("a turn"));
    assert_eq!(before - left(app), BATCH);
    for (number, webhook) in bought {
        assert!(is_applied(app, number, &webhook), "{} waits", site(number));
    }
}

/// One real worker, who is at the backlog all the time: whatever comes to another site is applied
/// long before the backlog is.
fn with_a_worker(app: &TestApp, hooks: &[String]) {
    let before = left(app);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flow = app.app.flow();
        scope.spawn(|| flow.run(&|| stop.load(Ordering::SeqCst)));
        let _stop = Stop(&stop);
        for number in PROBED {
            let webhook = buys(app, hooks, number, 3);
            until("its turn", || is_applied(app, number, &webhook).then_some(()));
        }
        let done = before - left(app);
        assert!(done > 0, "the worker was at the backlog, too");
        assert!(done < BACKLOG / 2, "the other sites waited for {done} of the backlog");
    });
}

/// Stops the worker, however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
