//! Bodies of webhooks age out in small batches. What was read of them stays, and all that follows from it.

use crate::support::{Database, Ipn, Reply, START, TestApp, instant, unreadable};
use chrono::{DateTime, TimeDelta, Utc};
use latchkey::flow::rebuild;
use latchkey::store::sites::Busy;
use latchkey::store::{StoreError, ageing, webhooks};
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";
const KEPT: TimeDelta = TimeDelta::days(30);

/// Runs a story on both databases, with bodies that are kept for 30 days and one webhook a batch.
fn on_both(story: fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let settings = [("webhooks.bodies_kept_days", "30"), ("flow.batch_webhooks_max", "1")];
        let app = TestApp::start_with(database, &settings);
        app.level("gold");
        app.map(&json!({"product_id": "501", "level": "gold"}));
        story(&app);
        app.is_as_the_events_say();
    }
}

fn sale(app: &TestApp, number: u32) -> String {
    receive(app, Ipn::new("sale", number).of("dana@x.example").body())
}

fn receive(app: &TestApp, body: impl Into<Vec<u8>>) -> String {
    let reply = app.receives(body);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

fn shown(app: &TestApp, id: &str) -> Value {
    let found = app.get(&format!("{SITE}/webhooks/{id}"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

fn act(app: &TestApp, id: &str, what: &str) -> Reply {
    app.post(&format!("{SITE}/webhooks/{id}/{what}"), &json!({}))
}

/// Whether a webhook's body is shown, or said to have aged out.
#[track_caller]
fn has_body(app: &TestApp, id: &str) -> bool {
    let shown = shown(app, id);
    let (body, aged_out) = (shown.get("body").is_some(), shown.get("body_aged_out"));
    assert_eq!(aged_out, (!body).then_some(&json!(true)), "{shown}");
    body
}

/// Stores webhooks that nobody can read, before all others, and without a turn of the flow.
fn store_unreadable(app: &TestApp, count: usize, received_at: DateTime<Utc>) {
    let at = received_at.naive_utc();
    let rows: Vec<_> =
        (0..count).map(|number| unreadable("default", &format!("00{number:05}"), at)).collect();
    let stored = app.app.store().write(|conn| webhooks::insert(conn, &rows));
    stored.expect("stored");
}

/// How many of those still have a body.
fn bodies_left(app: &TestApp, count: usize) -> usize {
    let has = |number: &usize| {
        let id = format!("00{number:05}");
        let body = app.app.store().read(|conn| latchkey::store::bodies::get(conn, "default", &id));
        body.expect("read").is_some()
    };
    (0..count).filter(has).count()
}

#[test]
fn a_body_is_kept_for_its_days_and_then_gone_from_every_answer() {
    on_both(|app| {
        let first = sale(app, 1);
        app.at(instant(START) + TimeDelta::hours(1));
        let second = sale(app, 2);
        app.at(instant(START) + KEPT);
        assert!(has_body(app, &first) && has_body(app, &second));
        app.at(instant(START) + KEPT + TimeDelta::minutes(1));
        assert!(!has_body(app, &first) && has_body(app, &second), "the second is an hour younger");
        let aged = shown(app, &first);
        assert_eq!((&aged["status"], &aged["transaction_id"]), (&json!("applied"), &json!("1")));
        let read = json!({ "name": "reader", "scopes": ["read"] });
        let key = app.post("/api/v1/keys", &read).json["key"].as_str().expect("a key").to_owned();
        for id in [&first, &second] {
            let path = format!("{SITE}/webhooks/{id}");
            let seen = app.request("GET", &path, |ask| ask.bearer_auth(&key)).json;
            let said = ["body", "body_aged_out"].map(|field| seen.get(field));
            assert_eq!(said, [None, None], "who may see no body is not told of any");
        }
    });
}

#[test]
fn what_was_read_of_a_body_counts_when_it_is_replayed_restored_and_rebuilt_without() {
    on_both(|app| {
        let id = sale(app, 1);
        app.drain();
        let (applied, access) = (shown(app, &id), app.access_of("dana@x.example"));
        app.at(instant(START) + KEPT + TimeDelta::days(1));
        assert!(!has_body(app, &id));
        let replayed = act(app, &id, "replay");
        assert_eq!((replayed.status, &replayed.json["status"]), (200, &json!("applied")));
        assert_eq!(act(app, &id, "discard").json["status"], "discarded");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let restored = act(app, &id, "restore");
        assert_eq!((restored.status, &restored.json["status"]), (200, &json!("applied")));
        rebuild::rebuild(app.app.flow(), "default", |_, _, _| {}).expect("rebuilt");
        assert_eq!(rebuild::check(app.app.flow(), "default").expect("checked"), []);
        let now = app.access_of("dana@x.example");
        assert_eq!(
            (&now["levels"], &now["considered"]),
            (&access["levels"], &access["considered"])
        );
        for field in ["kind", "feed", "transaction_id", "product_id", "email", "reason"] {
            assert_eq!(shown(app, &id)[field], applied[field], "{field}");
        }
    });
}

#[test]
fn a_replay_of_what_never_could_be_read_says_that_its_body_has_aged_out() {
    on_both(|app| {
        let secret = app.patch(SITE, &json!({ "ipn_secret": "right" }));
        assert_eq!(secret.status, 200, "{secret:?}");
        let ids = [receive(app, "{"), sale(app, 1)];
        app.drain();
        let status = |id: &str| shown(app, id)["status"].clone();
        assert_eq!([status(&ids[0]), status(&ids[1])], ["unreadable", "rejected"]);
        app.at(instant(START) + KEPT + TimeDelta::days(1));
        for id in &ids {
            assert!(!has_body(app, id));
            let replayed = act(app, id, "replay").json;
            let said = (&replayed["status"], &replayed["reason"]);
            assert_eq!(said, (&json!("unreadable"), &json!("its body has aged out")));
        }
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
    });
}

#[test]
fn what_is_still_due_keeps_its_body_until_it_is_applied_and_keeps_no_other() {
    on_both(|app| {
        app.patch(SITE, &json!({ "enabled": false }));
        let waits = sale(app, 1);
        let other = receive(app, "{");
        app.at(instant(START) + KEPT + TimeDelta::days(1));
        assert!(has_body(app, &waits) && !has_body(app, &other));
        // It is read from its body all the same.
        app.patch(SITE, &json!({ "enabled": true }));
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        app.at(app.clock.now() + TimeDelta::hours(1));
        assert!(!has_body(app, &waits), "an hour later it has been looked at again");
    });
}

#[test]
fn many_bodies_age_out_in_bounded_batches_beside_a_backlog() {
    on_both(|app| {
        store_unreadable(app, 250, instant(START) - KEPT - TimeDelta::days(1));
        for number in 1..=4 {
            sale(app, number);
        }
        let turn = || assert!(app.app.flow().turn(Busy::Skip).expect("a turn"));
        let left = |status: &str| {
            app.webhooks().iter().filter(|webhook| webhook["status"] == status).count()
        };
        turn();
        assert_eq!((left("pending"), bodies_left(app, 250)), (3, 150));
        turn();
        let goes_first = "a second has to pass while work waits";
        assert_eq!((left("pending"), bodies_left(app, 250)), (2, 150), "{goes_first}");
        app.clock.set(app.clock.now() + TimeDelta::seconds(1));
        turn();
        assert_eq!((left("pending"), bodies_left(app, 250)), (1, 50));
        app.at(app.clock.now() + TimeDelta::seconds(1));
        assert_eq!(bodies_left(app, 250), 0);
    });
}

#[test]
fn several_processes_age_the_bodies_of_one_site_at_once_and_none_fails() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("webhooks.bodies_kept_days", "30")]);
        store_unreadable(&app, 2_000, instant(START) - KEPT - TimeDelta::days(1));
        let cutoff = instant(START) - KEPT;
        let age = || {
            let mut reached = String::new();
            let step = |reached: &str| {
                app.app.store().write(|conn| ageing::age_bodies(conn, "default", reached, cutoff))
            };
            while let Some(next) = step(&reached)? {
                reached = next;
            }
            Ok::<_, StoreError>(())
        };
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(age)).collect();
            for one in all {
                one.join().expect("no panic").expect("aged");
            }
        });
        assert_eq!(bodies_left(&app, 2_000), 0);
    }
}
