//! `/livez` and `/readyz`.

use super::{gold, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::TestApp;
use chrono::{NaiveDateTime, TimeDelta};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Timestamp;
use latchkey::store::conn::Conn;
use std::collections::BTreeSet;
use std::time::Instant;

#[derive(QueryableByName)]
struct Probed {
    #[diesel(sql_type = Timestamp)]
    at: NaiveDateTime,
}

/// When the probe says that it was committed.
fn probed_at(app: &TestApp) -> Option<NaiveDateTime> {
    let look = |conn: &mut Conn| {
        Ok(diesel::sql_query("SELECT at FROM probes").get_result::<Probed>(conn).optional()?)
    };
    app.app.store().read(look).expect("read").map(|probed| probed.at)
}

fn sql(app: &TestApp, statement: &str) {
    app.app.store().write(|conn| Ok(conn.batch_execute(statement)?)).expect(statement);
}

on_both_databases! {
    fn both_answer_without_a_key(app: &TestApp) {
        for (path, text) in [("/livez", "ok\n"), ("/readyz", "ready\n")] {
            let reply = app.request("GET", path, |request| request);
            assert_eq!((reply.status, reply.text.as_str()), (200, text));
            let head = app.request("HEAD", path, |request| request);
            assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
            for method in ["POST", "DELETE"] {
                let refused = app.request(method, path, |request| request);
                problem(&refused, 405, "method-not-allowed");
                assert_eq!(refused.header("allow"), Some("GET, HEAD"));
            }
        }
    }

    fn readyz_commits_a_probe_at_most_once_a_second(app: &TestApp) {
        let began = Instant::now();
        let mut probes = BTreeSet::new();
        let first = app.clock.now();
        for _ in 0..30 {
            assert_eq!(app.request("GET", "/readyz", |request| request).status, 200);
            probes.insert(probed_at(app).expect("a probe was committed"));
            app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        }
        assert!(probes.contains(&first.naive_utc()), "the first question probes");
        let seconds = usize::try_from(began.elapsed().as_secs()).expect("seconds");
        assert!(probes.len() <= seconds + 1, "{} probes in {seconds} s", probes.len());
        assert!(probes.len() < 30, "answers are shared");
    }

    fn a_database_that_takes_no_commit_is_not_ready_but_alive(app: &TestApp) {
        gold(app);
        sql(app, "ALTER TABLE probes RENAME TO probes_gone");
        let reply = app.request("GET", "/readyz", |request| request);
        problem(&reply, 503, "unavailable");
        assert!(reply.header("retry-after").is_some());
        assert!(reply.json["detail"].as_str().expect("words").contains("look at its disk"));
        assert_eq!(app.request("GET", "/livez", |request| request).status, 200);
        sql(app, "ALTER TABLE probes_gone RENAME TO probes");
        let deadline = Instant::now();
        while app.request("GET", "/readyz", |request| request).status != 200 {
            assert!(deadline.elapsed().as_secs() < 30, "ready again when the answer has aged");
        }
        next_good_webhook_is_applied(app);
    }
}
