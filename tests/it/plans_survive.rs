//! Plans belong to nobody: two operators who plan from the same state, processes that compute the same plan,
//! and one that is killed in the middle of it.

use crate::support::daemon::{Daemon, Home, until};
use crate::support::{ADMIN_KEY, Database, Ipn, Reply, TestApp};
use latchkey::store::sites::Busy;
use serde_json::{Value, json};
use std::sync::Barrier;

const SITE: &str = "/api/v1/sites/default";
/// Buyers of the product that plans are about.
const MEMBERS: usize = 60;
/// How often two operators meet.
const ROUNDS: usize = 8;

fn apply(app: &TestApp, path: &str) -> Reply {
    app.request("POST", &format!("{path}/apply"), |request| request.bearer_auth(ADMIN_KEY))
}

fn two_operators(app: &TestApp) {
    app.level("gold");
    app.receives(Ipn::new("sale", 1).of("dana@x.example").body());
    app.drain();
    let mapping = app.map(&json!({ "product_id": "501", "level": "gold" }));
    let id = mapping["id"].as_str().expect("an id");
    let beside = app.beside();
    for round in 0..ROUNDS {
        let plan = |app: &TestApp, days: usize| {
            let change = json!({ "op": "update_mapping", "id": id, "mapping": { "policy": { "duration_days": days } } });
            let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": [change] }));
            assert_eq!(made.status, 202, "{made:?}");
            made.header("location").expect("a Location").to_owned()
        };
        let plans = [plan(app, 100 + round), plan(&beside, 200 + round)];
        app.drain();
        let together = Barrier::new(2);
        let answers: Vec<Reply> = std::thread::scope(|scope| {
            let both = [(app, &plans[0]), (&beside, &plans[1])].map(|(app, plan)| {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    apply(app, plan)
                })
            });
            both.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        let won = answers.iter().position(|answer| answer.status == 200).expect("one wins");
        let lost = &answers[1 - won];
        assert_eq!(lost.status, 409, "one alone: {lost:?}");
        assert_eq!(lost.json["moved"], json!([{ "what": "mapping", "id": id, "level": null }]));
        let days = [100 + round, 200 + round][won];
        let now = app.get(&format!("{SITE}/mappings/{id}")).json;
        assert_eq!(
            (&now["policy"]["duration_days"], &now["version"]),
            (&json!(days), &json!(round + 2))
        );
    }
    app.is_as_the_events_say();
    drop(beside);
}

#[test]
fn of_two_operators_one_wins_and_the_other_is_told_why_on_sqlite() {
    two_operators(&TestApp::start(Database::sqlite()));
}

#[test]
fn of_two_operators_one_wins_and_the_other_is_told_why_on_postgres() {
    if let Some(database) = Database::postgres() {
        two_operators(&TestApp::start(database));
    }
}

#[test]
fn processes_that_compute_the_same_plan_count_nobody_twice() {
    let Some(database) = Database::postgres() else { return };
    let app = TestApp::start_with(database, &[("flow.batch_purchases_max", "1")]);
    let beside = app.beside();
    app.level("gold");
    for number in 1..=MEMBERS {
        app.receives(Ipn::new("sale", number).of(&format!("m{number}@x.example")).body());
    }
    app.drain();
    let change =
        json!({ "op": "create_mapping", "mapping": { "product_id": "501", "level": "gold" } });
    let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": [change] }));
    let plan = made.header("location").expect("a Location").to_owned();
    std::thread::scope(|scope| {
        for app in [&app, &beside] {
            scope.spawn(|| while app.app.flow().plan_turn().expect("a step") {});
        }
    });
    let shown = app.get(&plan).json;
    let count = i64::try_from(MEMBERS).expect("a count");
    assert_eq!(
        (&shown["state"], &shown["gains"], &shown["done"]),
        (&json!("ready"), &json!(count), &json!(count))
    );
    assert_eq!(apply(&beside, &plan).status, 200);
    app.is_as_the_events_say();
    drop(beside);
}

#[test]
fn a_plan_survives_the_death_of_its_process_before_and_after_it_is_applied_on_sqlite() {
    killed(Home::new(Database::sqlite()));
}

#[test]
fn a_plan_survives_the_death_of_its_process_before_and_after_it_is_applied_on_postgres() {
    if let Some(database) = Database::postgres() {
        killed(Home::new(database));
    }
}

fn killed(mut home: Home) {
    home.set("FLOW__BATCH_PURCHASES_MAX", "1");
    home.set("FLOW__INLINE_MEMBERS_MAX", "1");
    let daemon = home.serve();
    daemon.make(&format!("{SITE}/levels"), &json!({ "id": "gold" }));
    let mapping = json!({ "product_id": "501", "level": "gold" });
    let mapping = daemon.make(&format!("{SITE}/mappings"), &mapping);
    for number in 1..=MEMBERS {
        daemon.receives(Ipn::new("sale", number).of(&format!("m{number}@example.com")).body());
    }
    daemon.drained();
    let change = json!({ "op": "delete_mapping", "id": mapping["id"] });
    let plan = accepted(&daemon, &format!("{SITE}/plans"), &json!({ "changes": [change] }));
    let plan = format!("{SITE}/plans/{}", plan["id"].as_str().expect("an id"));
    let daemon = dies_when(daemon, &home, "the middle of the plan", |daemon| {
        let shown = daemon.get(&plan).json;
        shown["state"] == "computing" && shown["done"].as_u64().is_some_and(|done| done > 0)
    });
    let shown = until("a plan that is ready", || {
        let shown = daemon.get(&plan).json;
        (shown["state"] == "ready").then_some(shown)
    });
    assert_eq!((&shown["losses"], &shown["total"]), (&json!(MEMBERS), &json!(MEMBERS)), "{shown}");
    assert_eq!(holders(&daemon), MEMBERS, "nothing has happened yet");

    let applied = accepted(&daemon, &format!("{plan}/apply"), &Value::Null);
    assert_eq!(applied["state"], "applied");
    let recompute =
        format!("{SITE}/recomputes/{}", applied["recompute"]["id"].as_str().expect("an id"));
    let daemon = dies_when(daemon, &home, "the middle of the recompute", |daemon| {
        daemon.get(&recompute).json["done"].as_u64().is_some_and(|done| done > 0)
    });
    until("the end of the recompute", || {
        let shown = daemon.get(&recompute).json;
        (shown["done"] == shown["members"]).then_some(())
    });
    assert_eq!(holders(&daemon), 0);
    daemon.stop();
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// Asks for what comes about by and by.
fn accepted(daemon: &Daemon, path: &str, body: &Value) -> Value {
    let request = daemon.client.post(format!("{}{path}", daemon.base)).bearer_auth(ADMIN_KEY);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = daemon.send(request.body(body));
    assert_eq!(reply.status, 202, "{reply:?}");
    reply.json
}

/// Kills a daemon at a moment, and starts the next one.
fn dies_when(
    mut daemon: Daemon,
    home: &Home,
    when: &str,
    is_there: impl Fn(&Daemon) -> bool,
) -> Daemon {
    until(when, || is_there(&daemon).then_some(()));
    daemon.child.kill().expect("killed");
    daemon.ended();
    home.serve()
}

fn holders(daemon: &Daemon) -> usize {
    daemon.all(&format!("{SITE}/members?level=gold")).len()
}

#[test]
fn what_was_seen_counts_only_while_the_rules_are_those_that_were_seen() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let small = [("flow.inline_members_max", "1"), ("flow.batch_purchases_max", "1")];
        let app = TestApp::start_with(database, &small);
        assert_eq!(
            app.patch(SITE, &json!({ "max_revocations": { "count": 0, "percent": 0 } })).status,
            200
        );
        app.level("gold");
        let mapping = app.map(&json!({ "product_id": "501", "level": "gold" }));
        for number in 1..=6 {
            app.receives(Ipn::new("sale", number).of(&format!("m{number}@x.example")).body());
        }
        app.drain();
        let plan = |change: &Value| {
            let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": [change] }));
            let path = made.header("location").expect("a Location").to_owned();
            while app.app.flow().plan_turn().expect("a step") {}
            path
        };
        let gone = plan(&json!({ "op": "delete_mapping", "id": mapping["id"] }));
        let applied = apply(&app, &gone);
        assert_eq!(
            (applied.status, &applied.json["recompute"]["done"]),
            (202, &json!(0)),
            "{applied:?}"
        );
        // Two of six are done when somebody edits the rules without having looked.
        let flow = app.app.flow();
        (0..2).for_each(|_| assert!(flow.recompute_batch("default", Busy::Wait).expect("a batch")));
        let other = plan(&json!({ "op": "create_level", "level": { "id": "tin" } }));
        assert_eq!(apply(&app, &other).status, 409, "an earlier change is still being computed");
        assert_eq!(app.patch(SITE, &json!({ "policy": { "trial": "wait" } })).status, 202);
        app.drain();
        let held_open =
            app.get(&format!("{SITE}/held-open")).json["items"].as_array().map(Vec::len);
        let holders =
            (1..=6).filter(|n| app.levels_of(&format!("m{n}@x.example")) == ["gold"]).count();
        assert_eq!((held_open, holders), (Some(4), 4));
        app.is_as_the_events_say();
    }
}
