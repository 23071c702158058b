//! 503 with `Retry-After`: a webhook that could not be stored is never answered 200.

use super::bodies::sale;
use super::concurrency::all_at_once;
use super::{gold, next_good_webhook_is_applied, problem, raw, with_settings};
use crate::on_both_databases;
use crate::support::TestApp;
use diesel::connection::SimpleConnection;
use latchkey::store::conn::Conn;

/// Runs SQL on the store, as somebody with a shell on the database would.
fn sql(app: &TestApp, statement: &str) {
    let run = |conn: &mut Conn| Ok(conn.batch_execute(statement)?);
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
            Ok(all_at_once(&address, &hook, &bodies, 6))
        };
        let answers = app.app.store().write(lock).expect("locked").finish();
        let refused: Vec<_> = answers.iter().filter(|reply| reply.status == 503).collect();
        let stored: Vec<_> = answers.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!((refused.len(), stored.len()), (6, 2));
        for reply in refused {
            problem(reply, 503, "unavailable");
            assert!(reply.header("retry-after").is_some());
            assert!(reply.json["detail"].as_str().expect("words").contains("in flight"));
        }
        assert_eq!(app.webhooks().len(), 2, "what is answered 200 is stored, and nothing else");
        next_good_webhook_is_applied(app);
    });
}
