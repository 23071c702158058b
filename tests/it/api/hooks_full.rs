//! 503 with `Retry-After`: a webhook that could not be stored is never answered 200.

use super::bodies::sale;
use super::concurrency::all_at_once;
use super::{gold, next_good_webhook_is_applied, problem, raw, with_settings};
use crate::on_both_databases;
use crate::support::TestApp;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use latchkey::store::StoreError;
use latchkey::store::conn::Conn;

/// Runs SQL on the store, as somebody with a shell on the database would.
fn sql(app: &TestApp, statement: &str) {
    let run = |conn: &mut Conn| Ok::<_, StoreError>(conn.batch_execute(statement)?);
    app.app.store().write(run).expect(statement);
}

on_both_databases! {
    fn a_store_that_fails_is_503_and_the_next_webhook_is_stored(app: &TestApp) {
        gold(app);
        let hook = app.hook();
        for number in 1..=3 {
            sql(app, "ALTER TABLE webhooks RENAME TO webhooks_gone");
            for _ in 0..3 {
                let refused = app.post_raw(&hook, sale(1001, "dana@x.example").json());
                problem(&refused, 503, "unavailable");
                let after = refused.header("retry-after").and_then(|s| s.parse::<u32>().ok());
                assert!(after.is_some_and(|seconds| seconds > 0), "{refused:?}");
                assert!(refused.json["detail"].as_str().expect("words").contains("Send it again"));
            }
            sql(app, "ALTER TABLE webhooks_gone RENAME TO webhooks");
            next_good_webhook_is_applied(app);
            assert_eq!(app.webhooks().len(), number, "what was refused is not stored");
        }
    }
}

/// With room for one webhook in the queue and one in a commit, of many at once some are refused.
#[test]
fn more_in_flight_than_the_bound_is_503_and_the_rest_is_stored() {
    let small = [("intake.queue_rows_max", "1"), ("intake.batch_rows_max", "1")];
    with_settings(&small, |app| {
        gold(app);
        let (address, hook) = (raw::address(app), app.hook());
        // The door is known before the table is held.
        app.request("GET", &hook, |request| request);
        let bodies: Vec<String> =
            (1..=8).map(|n| sale(n, &format!("m{n}@x.example")).json()).collect();
        // While somebody else holds the table, nothing is committed: one webhook waits in the
        // committer, one in the queue, and there is no room for more.
        let lock = |conn: &mut Conn| {
            if let Conn::Postgres(conn) = conn {
                conn.batch_execute("LOCK TABLE webhooks IN EXCLUSIVE MODE")?;
            }
            Ok::<_, StoreError>(all_at_once(&address, &hook, &bodies, 6))
        };
        let answers = app.app.store().write(lock).expect("locked").finish();
        let refused: Vec<_> = answers.iter().filter(|reply| reply.status == 503).collect();
        let counted =
            format!("latchkey_webhooks_refused_total{{reason=\"queue_full\"}} {}\n", refused.len());
        assert!(app.get("/metrics").text.contains(&counted), "{counted}");
        let stored: Vec<_> = answers.iter().filter(|reply| reply.status == 200).collect();
        // One, where the committer had not taken the first before the last was refused.
        assert!((1..=2).contains(&stored.len()), "{answers:?}");
        assert_eq!(refused.len() + stored.len(), bodies.len());
        for reply in refused {
            problem(reply, 503, "unavailable");
            assert!(reply.header("retry-after").is_some());
            assert!(reply.json["detail"].as_str().expect("words").contains("in flight"));
        }
        assert_eq!(
            app.webhooks().len(),
            stored.len(),
            "what is answered 200 is stored, and nothing else"
        );
        next_good_webhook_is_applied(app);
    });
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// In how many transactions the webhooks were stored; only PostgreSQL remembers.
fn transactions(app: &TestApp) -> Option<i64> {
    let count = |conn: &mut Conn| {
        let Conn::Postgres(conn) = conn else { return Ok::<_, StoreError>(None) };
        let query = diesel::sql_query("SELECT count(DISTINCT xmin::text) AS count FROM webhooks");
        Ok(Some(query.get_result::<Counted>(conn)?.count))
    };
    app.app.store().read(count).expect("counted")
}

/// What gathers while one group commits is the next group: no timer, and not one commit a webhook.
#[test]
fn what_gathers_during_a_commit_is_committed_together() {
    let bounds = [("intake.queue_rows_max", "40"), ("intake.batch_rows_max", "20")];
    with_settings(&bounds, |app| {
        gold(app);
        let (address, hook) = (raw::address(app), app.hook());
        app.request("GET", &hook, |request| request);
        let bodies: Vec<String> =
            (1..=80).map(|n| sale(n, &format!("m{n}@x.example")).json()).collect();
        let lock = |conn: &mut Conn| {
            if let Conn::Postgres(conn) = conn {
                conn.batch_execute("LOCK TABLE webhooks IN EXCLUSIVE MODE")?;
            }
            // The committer holds at most 20 and the queue 40: at least 20 of 80 are refused, and
            // when they are, the queue has been full.
            Ok::<_, StoreError>(all_at_once(&address, &hook, &bodies, 20))
        };
        let answers = app.app.store().write(lock).expect("locked").finish();
        let stored = answers.iter().filter(|reply| reply.status == 200).count();
        let refused = answers.iter().filter(|reply| reply.status == 503).count();
        assert_eq!((stored + refused, app.webhooks().len()), (80, stored));
        assert!(stored >= 41, "all that was in the queue is stored: {stored}");
        if let Some(transactions) = transactions(app) {
            assert!(transactions <= 5, "{stored} webhooks took {transactions} commits");
        }
        app.drain();
        assert_eq!(app.changes().len(), stored);
        next_good_webhook_is_applied(app);
    });
}
