//! `/sites/{site}/changes`: the feed, oldest first.

use super::bodies::{cancellation, sale};
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, TestApp, instant};
use serde_json::json;

fn ids(app: &TestApp, query: &str) -> Vec<String> {
    each(&items(&app.get(&format!("{SITE}/changes{query}"))), "id")
}

on_both_databases! {
    fn a_change_says_what_when_and_why(app: &TestApp) {
        gold(app);
        app.clock.set(instant("2026-01-02T03:04:05Z"));
        applied(app, &sale(1001, "dana@x.example"));
        let change = app.changes().pop().expect("a change");
        let event = app.access_of("dana@x.example")["considered"][0]["event"]["id"].clone();
        assert_eq!(change, json!({
            "id": 1, "at": "2026-01-02T03:04:05Z", "email": "dana@x.example", "level": "gold",
            "what": "granted", "until": null, "cause": { "kind": "event", "id": event }, "reason": "active",
        }));
    }

    fn the_feed_is_read_from_any_position_and_has_no_gaps(app: &TestApp) {
        gold(app);
        assert_eq!(ids(app, ""), [] as [&str; 0]);
        for number in 1..=5 {
            applied(app, &sale(1000 + number, &format!("m{number}@x.example")));
        }
        applied(app, &cancellation(1009, 1001, "m1@x.example"));
        assert_eq!(ids(app, ""), ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(ids(app, "?after=0"), ids(app, ""));
        assert_eq!(ids(app, "?after=4"), ["5", "6"]);
        assert_eq!(ids(app, "?after=2&limit=2"), ["3", "4"]);
        assert_eq!(ids(app, "?after=6"), [] as [&str; 0]);
        let whats = each(&app.changes(), "what");
        assert_eq!(whats.last().map(String::as_str), Some("revoked"), "oldest first");
    }

    fn the_end_of_a_level_that_moves_is_an_update(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        app.patch(SITE, &json!({ "policy": { "duration_days": 60 } }));
        let change = app.changes().pop().expect("a change");
        assert_eq!((&change["what"], &change["until"]), (&json!("updated"), &json!("2026-01-30T14:00:00Z")));
    }

    fn positions_are_each_sites_own(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        app.post("/api/v1/sites", &json!({ "id": "second" }));
        app.post("/api/v1/sites/second/levels", &json!({ "id": "gold" }));
        app.post("/api/v1/sites/second/members/eva@x.example/grants", &json!({ "level": "gold" }));
        let second = items(&app.get("/api/v1/sites/second/changes"));
        assert_eq!((each(&second, "id"), each(&second, "email")), (vec!["1".to_owned()], vec!["eva@x.example".to_owned()]));
        assert_eq!(ids(app, ""), ["1"]);
    }

    fn a_position_that_the_feed_has_never_reached_is_gone(app: &TestApp) {
        gold(app);
        let beyond = |query: &str, last: i64| {
            let refused = app.get(&format!("{SITE}/changes?{query}"));
            problem(&refused, 410, "gone");
            let words = format!("Read the members anew, then go on from {last}.");
            assert!(refused.json["detail"].as_str().expect("words").ends_with(&words), "{refused:?}");
        };
        assert_eq!(ids(app, "?after=0"), [] as [&str; 0]);
        beyond("after=1", 0);
        applied(app, &sale(1001, "dana@x.example"));
        assert_eq!(ids(app, "?after=1"), [] as [&str; 0], "whoever has read it all waits for more");
        for query in ["after=2".to_owned(), "cursor=2".to_owned(), format!("after={}", i64::MAX)] {
            beyond(&query, 1);
        }
        let stream = app.request("GET", &format!("{SITE}/changes"), |request| {
            let request = request.bearer_auth(ADMIN_KEY).header("accept", "text/event-stream");
            request.header("last-event-id", "2")
        });
        problem(&stream, 410, "gone");
    }

    fn a_question_to_the_feed_that_cannot_be_read_is_refused(app: &TestApp) {
        gold(app);
        for query in ["after=x", "after=-1", "cursor=-1", "after=1.5", "after=", "after=99999999999999999999", "limit=0", "limit=501", "limit=-1", "cursor=x", "before=1"] {
            problem(&app.get(&format!("{SITE}/changes?{query}")), 400, "malformed");
        }
        problem(&app.get("/api/v1/sites/nowhere/changes"), 404, "not-found");
        next_good_webhook_is_applied(app);
    }
}
