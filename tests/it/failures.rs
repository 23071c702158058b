//! What happens when the database itself says no, brought about by triggers in it: a webhook that
//! cannot be applied waits and is tried again, and nothing else waits with it.

use crate::on_both_databases;
use crate::support::{Ipn, TestApp, instant};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::sql_types::{Integer, Nullable, Timestamp};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use latchkey::store::StoreError;
use latchkey::store::conn::Conn;
use latchkey::store::sites::Busy;
use serde_json::{Value, json};

/// What the trigger says; an operator has to find it again.
const CAUSE: &str = "the test broke this on purpose";
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);
/// The pauses between attempts in seconds, as long as they grow, and once more.
const PAUSES: [i64; 9] = [1, 5, 30, 120, 600, 1_800, 7_200, 21_600, 21_600];

/// Lets the database refuse whatever `operation` (as in `INSERT ON events`) does to a row of which
/// `condition` is true.
fn refuse(app: &TestApp, operation: &str, condition: &str) {
    let table = operation.rsplit(' ').next().expect("a table");
    sql(app, |conn| match conn {
        Conn::Sqlite(_) => format!(
            "CREATE TRIGGER refuse BEFORE {operation} WHEN {condition} \
             BEGIN SELECT RAISE(ABORT, '{CAUSE}'); END"
        ),
        Conn::Postgres(_) => format!(
            "CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION '{CAUSE}'; END $$; \
             CREATE TRIGGER refuse BEFORE {operation} FOR EACH ROW WHEN ({condition}) \
             EXECUTE FUNCTION refuse_{table}()"
        ),
    });
}

/// Removes the cause again.
fn relent(app: &TestApp, table: &str) {
    sql(app, |conn| match conn {
        Conn::Sqlite(_) => "DROP TRIGGER refuse".to_owned(),
        Conn::Postgres(_) => format!("DROP FUNCTION refuse_{table} CASCADE"),
    });
}

fn sql(app: &TestApp, statement: impl Fn(&Conn) -> String) {
    let done = app.app.store().write(|conn| {
        let statement = statement(conn);
        Ok::<_, StoreError>(conn.batch_execute(&statement)?)
    });
    done.expect("done");
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Nullable<Timestamp>)]
    next_attempt_at: Option<NaiveDateTime>,
}

/// How often a webhook has been tried, and when it will be again.
fn waiting(app: &TestApp, id: &str) -> (i32, Option<DateTime<Utc>>) {
    let rows = app.app.store().read(|conn| {
        let query = format!("SELECT attempts, next_attempt_at FROM webhooks WHERE id = '{id}'");
        Ok::<_, StoreError>(sql_query(query).load::<Waiting>(conn)?)
    });
    let row = rows.expect("read").pop().expect("a row");
    (row.attempts, row.next_attempt_at.map(|at| at.and_utc()))
}

/// Sends the sale of somebody; answers the webhook's id.
fn sale(app: &TestApp, number: u32) -> String {
    let sale = Ipn::new("sale", number).of(&format!("buyer-{number}@example.com"));
    let reply = app.receives(sale.on("2025-12-31 00:00:00").body());
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

fn webhook(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/api/v1/sites/default/webhooks/{id}")).json
}

fn gold_for_501(app: &TestApp) {
    app.level("gold");
    app.map(&json!({"product_id": "501", "level": "gold"}));
}

fn holds(app: &TestApp, number: u32) -> bool {
    !app.levels_of(&format!("buyer-{number}@example.com")).is_empty()
}

on_both_databases! {
    fn one_bad_webhook_stops_no_other_in_its_batch(app: &TestApp) {
        gold_for_501(app);
        refuse(app, "INSERT ON events", "NEW.id LIKE '%3'");
        let ids: Vec<String> = (1..=5).map(|number| sale(app, number)).collect();
        app.drain();
        for (number, id) in (1..=5).zip(&ids) {
            let webhook = webhook(app, id);
            let bad = number == 3;
            assert_eq!(webhook["status"], if bad { "failed" } else { "applied" }, "{webhook}");
            assert_eq!(webhook["changes"], i32::from(!bad), "{webhook}");
            assert_eq!(holds(app, number), !bad, "buyer {number}");
        }
        let failed = webhook(app, &ids[2]);
        assert!(failed["reason"].as_str().is_some_and(|why| why.contains(CAUSE)), "{failed}");
        let listed = app.get("/api/v1/sites/default/webhooks?status=failed");
        assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1), "{listed:?}");
        relent(app, "events");
        app.at(app.clock.now() + TimeDelta::seconds(1));
        assert!(holds(app, 3));
    }

    fn a_failed_webhook_is_tried_again_with_growing_pauses_until_it_succeeds(app: &TestApp) {
        gold_for_501(app);
        refuse(app, "INSERT ON events", "NEW.id LIKE '%3'");
        let id = sale(app, 3);
        app.drain();
        for (pause, tried) in PAUSES.into_iter().zip(1..) {
            let now = app.clock.now();
            let next = now + TimeDelta::seconds(pause);
            assert_eq!(waiting(app, &id), (tried, Some(next)), "attempt {tried}");
            app.at(next - MICROSECOND);
            assert_eq!(waiting(app, &id), (tried, Some(next)), "it waits for its turn");
            app.at(next);
        }
        assert_eq!(webhook(app, &id)["status"], "failed");
        relent(app, "events");
        let (_, next) = waiting(app, &id);
        app.at(next.expect("it is never given up"));
        let applied = webhook(app, &id);
        assert_eq!((&applied["status"], &applied["reason"]), (&json!("applied"), &Value::Null));
        assert_eq!(waiting(app, &id).1, None);
        // Late as it was, the purchase counts from its own date.
        let access = app.access_of("buyer-3@example.com");
        assert_eq!(access["levels"][0]["since"], "2025-12-31T05:00:00Z", "{access:#}");
    }

    fn a_replay_tries_a_failed_webhook_at_once(app: &TestApp) {
        gold_for_501(app);
        refuse(app, "INSERT ON events", "NEW.id LIKE '%3'");
        let id = sale(app, 3);
        app.drain();
        let replay = format!("/api/v1/sites/default/webhooks/{id}/replay");
        let again = app.post(&replay, &json!({}));
        assert_eq!((again.status, &again.json["status"]), (200, &json!("failed")), "{again:?}");
        relent(app, "events");
        let again = app.post(&replay, &json!({}));
        assert_eq!((again.status, &again.json["status"]), (200, &json!("applied")), "{again:?}");
        assert!(holds(app, 3));
    }

    fn an_end_that_cannot_be_recorded_keeps_no_other_end_and_no_webhook_waiting(app: &TestApp) {
        app.level("gold");
        app.map(&json!({"product_id": "501", "level": "gold", "policy": {"duration_days": 5}}));
        (1..=4).for_each(|number| drop(sale(app, number)));
        app.drain();
        refuse(app, "UPDATE ON members", "NEW.email = 'buyer-2@example.com'");
        app.clock.set(instant("2026-01-09T00:00:00Z"));
        app.receives(Ipn::new("sale", 5).of("buyer-5@example.com").body());
        let turn = app.app.flow().turn(Busy::Wait);
        assert!(turn.as_ref().is_err_and(|error| error.to_string().contains(CAUSE)), "{turn:?}");
        let revoked = |app: &TestApp| {
            let changes = app.changes().into_iter().filter(|change| change["what"] == "revoked");
            let rows = changes.map(|change| {
                assert_eq!(change["at"], "2026-01-05T05:00:00Z", "its own instant: {change}");
                change["email"].as_str().expect("an address").to_owned()
            });
            rows.collect::<Vec<_>>()
        };
        let others = ["buyer-1@example.com", "buyer-3@example.com", "buyer-4@example.com"];
        let mut ended = revoked(app);
        ended.sort();
        assert_eq!(ended, others);
        assert!(holds(app, 5), "the webhook was applied in the same turn");
        assert!(!holds(app, 2), "what is not recorded is computed all the same");
        relent(app, "members");
        app.drain();
        assert_eq!(revoked(app).len(), 4);
    }

    fn an_end_that_cannot_be_recorded_is_tried_again_with_growing_pauses_and_nothing_waits_with_it(
        app: &TestApp
    ) {
        app.level("gold");
        app.map(&json!({"product_id": "501", "level": "gold", "policy": {"duration_days": 5}}));
        (1..=2).for_each(|number| drop(sale(app, number)));
        app.drain();
        refuse(app, "UPDATE ON members", "NEW.email = 'buyer-2@example.com'");
        let turn = || app.app.flow().turn(Busy::Skip);
        let first = instant("2026-01-09T00:00:00Z");
        let mut now = first;
        for pause in [1, 2, 4, 8, 16] {
            app.clock.set(now);
            let failed = turn();
            assert!(failed.as_ref().is_err_and(|e| e.to_string().contains(CAUSE)), "{failed:?}");
            assert!(!turn().expect("a turn"), "it is left alone for a while");
            now += TimeDelta::seconds(pause);
            app.clock.set(now - MICROSECOND);
            assert!(!turn().expect("a turn"), "for {pause} seconds");
        }
        assert!(!holds(app, 1), "the other end has fired");
        app.clock.set(now);
        assert!(turn().is_err());
        // Neither a webhook nor the end of somebody else waits for it.
        let late = Ipn::new("sale", 3).of("buyer-3@example.com").on("2026-01-03 19:00:45");
        assert_eq!(app.receives(late.body()).status, 200);
        assert!(turn().expect("a turn"));
        assert!(holds(app, 3));
        app.clock.set(first + TimeDelta::seconds(45));
        assert!(turn().expect("a turn"));
        let last = app.changes().pop().expect("a change");
        assert_eq!((&last["email"], &last["what"]), (&json!("buyer-3@example.com"), &json!("revoked")));
        relent(app, "members");
        assert!(!turn().expect("a turn"), "the pause is not over yet");
        app.clock.set(now + TimeDelta::seconds(32));
        assert!(turn().expect("a turn"));
        let last = app.changes().pop().expect("a change");
        assert_eq!((&last["email"], &last["at"]), (&json!("buyer-2@example.com"), &json!("2026-01-05T05:00:00Z")));
    }

    fn a_site_that_fails_keeps_no_other_site_waiting(app: &TestApp) {
        gold_for_501(app);
        let made = app.post("/api/v1/sites", &json!({"id": "a-broken-one"}));
        assert_eq!(made.status, 201, "{made:?}");
        let hook = app.hook_of("a-broken-one");
        refuse(app, "UPDATE ON webhooks", "NEW.site_id = 'a-broken-one'");
        let lost = Ipn::new("sale", 1).of("buyer-1@example.com").on("2025-12-31 00:00:00");
        assert_eq!(app.post_raw(&hook, lost.body()).status, 200);
        sale(app, 2);
        // Not even the failure can be noted: the turn says so, and goes on to the other site.
        let turn = app.app.flow().turn(Busy::Wait);
        assert!(turn.as_ref().is_err_and(|error| error.to_string().contains(CAUSE)), "{turn:?}");
        assert!(holds(app, 2));
        relent(app, "webhooks");
        app.drain();
        let found = app.get("/api/v1/sites/a-broken-one/webhooks?status=held");
        assert_eq!(found.json["items"].as_array().map(Vec::len), Some(1), "{found:?}");
    }

    fn what_cannot_be_stored_is_not_answered_200(app: &TestApp) {
        gold_for_501(app);
        refuse(app, "INSERT ON webhooks", "NEW.transaction_id = '3'");
        let body = Ipn::new("sale", 3).of("buyer-3@example.com").body();
        let reply = app.receives(body.clone());
        assert_eq!(reply.status, 503, "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert!(reply.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
        assert_eq!(app.webhooks(), Vec::<Value>::new());
        sale(app, 2);
        relent(app, "webhooks");
        assert_eq!(app.receives(body).status, 200);
        app.drain();
        assert!(holds(app, 2) && holds(app, 3));
    }
}
