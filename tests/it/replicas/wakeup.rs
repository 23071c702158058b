//! One process wakes another: what is stored here is worked there at once, what is recorded there is
//! read here at once, whatever becomes of the connections by which they hear. Whoever should be woken
//! here would look by itself only after the test.

use super::{count, home_of_replicas, settled};
use crate::support::daemon::{Daemon, Home, until};
use crate::support::{ADMIN_KEY, Database, Ipn, Listener, TestApp};
use latchkey::store::Store;
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";
/// An hour: for the length of a test, never.
const NEVER_MS: &str = "3600000";
/// How often something is told: more often than a process looks when it starts.
const TIMES: usize = 6;
/// How often a connection is ended.
const CUTS: usize = 12;
/// The sessions that listen.
const LISTENING: &str = "FROM pg_stat_activity WHERE datname = current_database() \
                         AND query LIKE 'LISTEN %' AND state = 'idle'";

/// A home whose daemons never look by themselves.
fn home() -> Option<Home> {
    let mut home = home_of_replicas()?;
    home.set("FLOW__POLL_MS", NEVER_MS);
    Some(home)
}

/// A process beside a daemon that takes webhooks and works on nothing.
fn front_of(home: &Home) -> TestApp {
    let data = home.path().join("data").display().to_string();
    let front = TestApp::start_with(
        Database::sqlite(),
        &[("data_dir", &data), ("database.url", &home.url())],
    );
    front.level("gold");
    front.map(&json!({"product_id": "501", "level": "gold"}));
    front
}

fn sale(number: usize) -> Vec<u8> {
    Ipn::new("sale", number + 1).of(&format!("buyer-{number}@example.com")).body()
}

/// How many sessions listen.
fn listening(store: &Store) -> i64 {
    count(store, &format!("SELECT count(*) AS count {LISTENING}"))
}

/// Somebody buys through the front; nobody but the worker applies it.
fn is_applied_by_another(front: &TestApp, number: usize) {
    let id = front.receives(sale(number)).json["webhook_id"].as_str().expect("an id").to_owned();
    let path = format!("{SITE}/webhooks/{id}");
    until("the other process", || (front.get(&path).json["status"] == "applied").then_some(()));
}

#[test]
fn what_one_process_stores_wakes_the_workers_of_another() {
    let Some(home) = home() else { return };
    let worker = home.serve_as("worker");
    let front = front_of(&home);
    (0..TIMES).for_each(|number| is_applied_by_another(&front, number));
    // So does what a change of rules leaves to do, and a site that is enabled.
    let off = front.patch(SITE, &json!({"enabled": false}));
    assert_eq!(off.status, 200, "{off:?}");
    let late = front.receives(sale(TIMES)).json["webhook_id"].as_str().expect("an id").to_owned();
    assert_eq!(front.patch(SITE, &json!({"enabled": true})).status, 200);
    let late = format!("{SITE}/webhooks/{late}");
    until("the other process", || (front.get(&late).json["status"] == "applied").then_some(()));
    worker.stop();
}

#[test]
fn what_one_process_records_reaches_a_reader_of_another() {
    let Some(database) = Database::postgres() else { return };
    let writer = TestApp::start(database);
    let reader = writer.beside();
    writer.level("gold");
    writer.map(&json!({"product_id": "501", "level": "gold"}));
    let address = reader.address();
    let mut listener = Listener::new(address, ADMIN_KEY, &format!("{SITE}/changes"), None);
    for number in 0..TIMES {
        writer.receives(sale(number));
        writer.drain();
        let (_, change) = listener.event();
        assert_eq!(change["email"], format!("buyer-{number}@example.com"));
    }
}

#[test]
fn a_connection_that_is_ended_again_and_again_is_made_again_and_nothing_is_left() {
    let Some(home) = home() else { return };
    let worker = home.serve_as("worker");
    let front = front_of(&home);
    let store = home.store();
    let of_worker = format!("{LISTENING} AND application_name = 'worker'");
    let pid = || {
        let found =
            count(&store, &format!("SELECT coalesce(max(pid), 0)::bigint AS count {of_worker}"));
        (found > 0).then_some(found)
    };
    let hook = front.hook();
    let sending = |round: usize| (0..20).map(|number| sale(round * 20 + number)).collect();
    for round in 0..CUTS {
        let before = until("a listener", pid);
        home.sql(&format!("SELECT pg_terminate_backend({before})"));
        // Told while nobody hears it.
        front.post_raw_at_once(&hook, sending(round));
        until("another listener", || pid().filter(|pid| *pid != before));
    }
    settled(&store);
    assert_eq!(front.changes().len(), 20 * CUTS, "everything was applied");
    assert_eq!(listening(&store), 2, "one of each process");
    (0..TIMES).for_each(|number| is_applied_by_another(&front, 20 * CUTS + number));
    let log = worker.log();
    let said = |what: &str| log.matches(what).count();
    assert_eq!(said("other processes are not heard"), CUTS, "{log}");
    assert_eq!(said("other processes are heard again"), CUTS, "{log}");
    // And it stops while it has just lost the connection.
    home.sql(&format!("SELECT pg_terminate_backend({})", pid().expect("a listener")));
    worker.stop();
}

/// How many threads of a process listen.
fn listeners(daemon: &Daemon) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.child.id())).expect("threads");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task.ok()?).ok()).filter(|name| name.trim() == "listener").count()
}

#[test]
fn each_process_that_serves_has_one_listener_and_one_on_sqlite_has_none() {
    let alone = Home::new(Database::sqlite());
    let daemon = alone.serve();
    assert_eq!(listeners(&daemon), 0);
    daemon.stop();
    let Some(home) = home() else { return };
    let store = home.store();
    let daemons = ["first", "second"].map(|name| home.serve_as(name));
    until("both", || (listening(&store) == 2).then_some(()));
    for (daemon, name) in daemons.iter().zip(["first", "second"]) {
        assert_eq!(listeners(daemon), 1);
        let of = format!("SELECT count(*) AS count {LISTENING} AND application_name = '{name}'");
        assert_eq!(count(&store, &of), 1);
    }
    daemons.into_iter().for_each(Daemon::stop);
    until("nobody", || (listening(&store) == 0).then_some(()));
}

#[test]
fn a_process_that_has_stopped_keeps_no_other_from_telling() {
    let Some(mut home) = home() else { return };
    // Long enough for a slow machine to see what happens meanwhile.
    home.set("DATABASE__LEASE_SECONDS", "3");
    let store = home.store();
    if count(&store, "SELECT count(inet_server_addr()) AS count") == 0 {
        eprintln!("SKIPPED: PostgreSQL is reached by a Unix socket, which is waited for");
        return;
    }
    let worker = home.serve_as("worker");
    until("a listener", || (listening(&store) == 1).then_some(()));
    worker.signal("STOP");
    // More than its socket holds: PostgreSQL keeps the rest until it is heard, or nobody listens.
    let flood = "SELECT pg_notify('latchkey_moved', number || repeat('x', 7000)) \
                 FROM generate_series(1, 3000) AS number";
    home.sql(flood);
    let kept = "SELECT (pg_notification_queue_usage() * 1e9)::bigint AS count";
    assert!(count(&store, kept) > 0, "nothing is kept for it");
    until("the end of its session", || (listening(&store) == 0).then_some(()));
    worker.signal("CONT");
    let front = front_of(&home);
    (0..TIMES).for_each(|number| is_applied_by_another(&front, number));
    worker.stop();
}
