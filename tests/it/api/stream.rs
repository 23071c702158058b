//! The feed as Server-Sent Events, and what it no longer keeps.

use super::bodies::sale;
use super::{SITE, applied, each, gold, items, problem, raw, with_settings};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Database, Listener, TestApp, instant};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use latchkey::store::StoreError;
use serde_json::json;

/// A listener to the feed of the default site.
fn listen(app: &TestApp, key: &str, query: &str, last: Option<i64>) -> Listener {
    Listener::new(&raw::address(app), key, &format!("{SITE}/changes{query}"), last)
}

/// Somebody buys: one change.
fn buys(app: &TestApp, number: u64) {
    applied(app, &sale(number, &format!("m{number}@x.example")));
}

on_both_databases! {
    fn a_stream_tells_what_was_recorded_and_then_what_is_being_recorded(app: &TestApp) {
        gold(app);
        buys(app, 1);
        buys(app, 2);
        let mut listener = listen(app, ADMIN_KEY, "", None);
        let mut heard = vec![listener.event(), listener.event()];
        buys(app, 3);
        heard.push(listener.event());
        let listed = app.changes();
        assert_eq!(heard.iter().map(|(_, change)| change.clone()).collect::<Vec<_>>(), listed);
        assert_eq!(heard.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    }

    fn whoever_comes_back_misses_nothing_and_gets_nothing_twice(app: &TestApp) {
        gold(app);
        (1..=250).for_each(|number| {
            app.receives(sale(number, &format!("m{number}@x.example")).json());
        });
        app.drain();
        let (mut heard, mut last) = (Vec::new(), None);
        for stops_after in [1, 99, 100, 7, 43] {
            // What the header says goes before the query.
            let mut listener = listen(app, ADMIN_KEY, "?after=3", last.or(Some(0)));
            for _ in 0..stops_after {
                heard.push(listener.event().0);
            }
            last = heard.last().copied();
        }
        assert_eq!(heard, (1..=250).collect::<Vec<i64>>());
    }

    fn a_stream_ends_with_its_key_and_with_its_site(app: &TestApp) {
        let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] })).json;
        let mut with_key = listen(app, made["key"].as_str().expect("a key"), "", None);
        let mut of_site = listen(app, ADMIN_KEY, "", None);
        assert_eq!(app.delete(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap())).status, 204);
        with_key.hears_the_end();
        assert_eq!(app.delete(&format!("{SITE}?confirm=default")).status, 204);
        of_site.hears_the_end();
    }

    fn a_stream_ends_when_its_key_expires(app: &TestApp) {
        let asked = json!({ "name": "reader", "scopes": ["read"], "expires_at": "2026-01-02T00:00:00Z" });
        let made = app.post("/api/v1/keys", &asked).json;
        let mut listener = listen(app, made["key"].as_str().expect("a key"), "", None);
        gold(app);
        buys(app, 1);
        assert_eq!(listener.event().0, 1);
        app.clock.set(instant("2026-01-02T00:00:00Z"));
        listener.hears_the_end();
    }

    fn a_stream_that_cannot_be_is_refused(app: &TestApp) {
        let ask = |path: &str, last: Option<&'static str>| {
            app.request("GET", path, |request| {
                let request = request.bearer_auth(ADMIN_KEY).header("accept", "text/event-stream");
                match last {
                    Some(last) => request.header("last-event-id", last),
                    None => request,
                }
            })
        };
        problem(&ask(&format!("{SITE}/changes"), Some("latest")), 400, "malformed");
        problem(&ask(&format!("{SITE}/changes?after=x"), None), 400, "malformed");
        problem(&ask("/api/v1/sites/nowhere/changes", None), 404, "not-found");
    }
}

#[test]
fn a_silent_stream_says_that_it_lives_and_a_stop_ends_it() {
    let app = TestApp::start_with(Database::sqlite(), &[("feed.heartbeat_seconds", "1")]);
    let mut listener = listen(&app, ADMIN_KEY, "", None);
    assert_eq!(listener.until(": "), "open");
    assert_eq!(listener.until(": "), "still here");
    drop(app);
    listener.hears_the_end();
}

/// An end is dated at its own instant, and kept from when it was recorded: whoever read along all the time
/// misses no end, however long the site was disabled.
#[test]
fn what_was_recorded_a_moment_ago_has_not_aged_out_whatever_its_date() {
    with_settings(&[("feed.kept_days", "30")], |app| {
        gold(app);
        let until = app.clock.now() + TimeDelta::days(5);
        let grant = json!({ "level": "gold", "until": until });
        let made = app.post(&format!("{SITE}/members/dana@x.example/grants"), &grant);
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(each(&app.changes(), "id"), ["1"]);
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        let enabled_at = app.clock.now() + TimeDelta::days(60);
        app.at(enabled_at);
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        app.drain();
        app.at(enabled_at + TimeDelta::minutes(2));
        let missed = items(&app.get(&format!("{SITE}/changes?after=1")));
        assert_eq!(each(&missed, "what"), ["revoked"]);
        assert_eq!(missed[0]["at"], "2026-01-06T00:00:00Z", "dated at its own instant");
        app.at(enabled_at + TimeDelta::days(30));
        assert_eq!(each(&app.changes(), "id"), ["2"], "kept to the day");
        app.at(enabled_at + TimeDelta::days(30) + TimeDelta::minutes(2));
        problem(&app.get(&format!("{SITE}/changes?after=1")), 410, "gone");
    });
}

/// What was recorded before it was noted when: its date counts.
#[test]
fn a_change_of_which_only_the_date_is_known_ages_by_it() {
    with_settings(&[("feed.kept_days", "30")], |app| {
        gold(app);
        buys(app, 1);
        buys(app, 2);
        let forget = "UPDATE changes SET recorded_at = NULL";
        let done = app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(forget)?));
        done.expect("forgotten");
        app.at(app.clock.now() + TimeDelta::days(30));
        assert_eq!(app.changes().len(), 2, "kept to the day");
        app.at(app.clock.now() + TimeDelta::minutes(2));
        problem(&app.get(&format!("{SITE}/changes?after=1")), 410, "gone");
    });
}

#[test]
fn what_has_aged_out_is_gone_and_is_said_to_be() {
    with_settings(&[("feed.kept_days", "400")], |app| {
        gold(app);
        buys(app, 1);
        buys(app, 2);
        app.at(app.clock.now() + TimeDelta::days(400));
        assert_eq!(app.changes().len(), 2, "kept to the day");
        app.at(app.clock.now() + TimeDelta::minutes(2));
        buys(app, 3);
        assert_eq!(
            each(&app.changes(), "id"),
            ["3"],
            "whoever names no position gets what there is"
        );
        problem(&app.get(&format!("{SITE}/changes?after=0")), 410, "gone");
        problem(&app.get(&format!("{SITE}/changes?after=1")), 410, "gone");
        let on = items(&app.get(&format!("{SITE}/changes?after=2")));
        assert_eq!(each(&on, "id"), ["3"], "who has read up to there has missed nothing");
        let stale = app.request("GET", &format!("{SITE}/changes"), |request| {
            let request = request.bearer_auth(ADMIN_KEY).header("accept", "text/event-stream");
            request.header("last-event-id", "1")
        });
        problem(&stale, 410, "gone");
        assert_eq!(listen(app, ADMIN_KEY, "", Some(2)).event().0, 3);
    });
}
