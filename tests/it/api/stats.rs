//! `/sites/{site}/stats` and `/stats`.

use super::bodies::{PRODUCT, refund, sale, tagged};
use super::{SITE, applied, gold, problem, with_settings};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use chrono::TimeDelta;
use serde_json::{Value, json};

fn stats(app: &TestApp, days: u32) -> Value {
    let found = app.get(&format!("{SITE}/stats?days={days}"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

fn day(day: &str, [webhooks, money_webhooks, granted, revoked]: [u32; 4]) -> Value {
    json!({
        "day": day, "webhooks": webhooks, "money_webhooks": money_webhooks, "granted": granted, "revoked": revoked,
    })
}

/// Stores something that is not applied yet.
fn stored(app: &TestApp, body: impl Into<Vec<u8>>) {
    assert_eq!(app.receives(body).status, 200);
}

on_both_databases! {
    fn what_comes_and_what_it_does_is_counted_on_its_day_in_utc(app: &TestApp) {
        gold(app);
        app.clock.set(instant("2026-01-01T23:59:59.999999Z"));
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1001, "dana@x.example"));
        app.clock.set(instant("2026-01-02T00:00:00Z"));
        applied(app, &sale(1002, "eva@x.example"));
        applied(app, &refund(1003, 1001, "dana@x.example"));
        applied(app, &tagged("dana@x.example"));
        stored(app, "neither JSON nor a form");
        // A mapping that reaches back grants today, whatever the date of the purchase.
        app.clock.set(instant("2026-01-04T12:00:00Z"));
        app.level("silver");
        app.map(&json!({ "product_id": PRODUCT, "level": "silver" }));
        app.drain();
        assert_eq!(stats(app, 5)["days"], json!([
            day("2025-12-31", [0, 0, 0, 0]),
            day("2026-01-01", [2, 2, 1, 0]),
            day("2026-01-02", [4, 2, 1, 1]),
            day("2026-01-03", [0, 0, 0, 0]),
            day("2026-01-04", [0, 0, 1, 0]),
        ]));
        assert_eq!(stats(app, 1)["days"], json!([day("2026-01-04", [0, 0, 1, 0])]));
        let usual = app.get(&format!("{SITE}/stats")).json;
        assert_eq!(usual["days"].as_array().expect("days").len(), 14);
        assert_eq!((&usual["at"], &usual["sites"]), (&json!("2026-01-04T12:00:00Z"), &json!(1)));
        for wrong in ["0", "91", "-1", "x", ""] {
            problem(&app.get(&format!("{SITE}/stats?days={wrong}")), 400, "malformed");
        }
        assert_eq!(stats(app, 90)["days"].as_array().expect("days").len(), 90);
    }

    fn what_is_judged_again_or_set_aside_is_not_counted_again(app: &TestApp) {
        gold(app);
        let id = applied(app, &sale(1001, "dana@x.example"));
        for act in ["replay", "discard", "restore"] {
            assert_eq!(app.post(&format!("{SITE}/webhooks/{id}/{act}"), &json!({})).status, 200);
            app.drain();
        }
        // What the discarding took away, the restoring gave back.
        assert_eq!(stats(app, 1)["days"], json!([day("2026-01-01", [1, 1, 2, 1])]));
    }

    fn what_several_processes_store_is_counted_together(app: &TestApp) {
        gold(app);
        let beside = app.beside();
        for (number, process) in [app, &beside, app, &beside, &beside].into_iter().enumerate() {
            let number = u64::try_from(number).expect("few");
            stored(process, sale(1001 + number, &format!("buyer{number}@x.example")).json());
        }
        app.drain();
        assert_eq!(stats(app, 1), stats(&beside, 1));
        assert_eq!(stats(app, 1)["days"], json!([day("2026-01-01", [5, 5, 5, 0])]));
    }

    fn what_waits_for_a_person_is_counted(app: &TestApp) {
        app.at(instant("2026-01-01T10:00:00Z"));
        let nothing = stats(app, 1)["waiting"].clone();
        assert!(nothing.as_object().expect("counts").values().all(|n| *n == json!(0) || n.is_null()), "{nothing}");
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "eva@x.example").with("product_id", 7));
        applied(app, &refund(1003, 999, "finn@x.example"));
        stored(app, "neither JSON nor a form");
        stored(app, "nor is this");
        app.at(instant("2026-01-03T10:00:00Z"));
        app.app.alarms().look().expect("a look");
        assert_eq!(stats(app, 1)["waiting"], json!({
            "held_purchases": 2, "held_since": "2025-12-01T14:00:00Z", "unmatched_webhooks": 1,
            "unreadable_webhooks": 2, "rejected_webhooks": 0, "held_open": 0, "failed_pushes": 0,
            "open_alarms": stats(app, 1)["waiting"]["open_alarms"],
        }));
        assert!(stats(app, 1)["waiting"]["open_alarms"].as_i64() >= Some(3), "held, unmatched, unreadable");
        gold(app);
        assert_eq!(stats(app, 1)["waiting"]["held_purchases"], 1, "one is mapped");
    }

    fn levels_are_told_with_their_members_those_that_most_hold_first(app: &TestApp) {
        gold(app);
        app.level("silver");
        app.map(&json!({ "product_id": 7, "level": "silver" }));
        app.level("bronze");
        applied(app, &sale(1001, "dana@x.example").with("product_id", 7));
        applied(app, &sale(1002, "eva@x.example").with("product_id", 7));
        applied(app, &sale(1003, "eva@x.example"));
        let level = |id: &str, members: u32| json!({ "site": "default", "level": id, "name": id, "members": members });
        assert_eq!(stats(app, 1)["levels"], json!([level("silver", 2), level("gold", 1), level("bronze", 0)]));
    }

    fn lag_is_how_long_the_oldest_has_waited(app: &TestApp) {
        gold(app);
        let none = json!({ "count": 0, "oldest_at": null, "oldest_seconds": 0 });
        assert_eq!(stats(app, 1)["lag"], json!({ "webhooks": none, "pushes": none, "retrying": none }));
        let config = json!({ "url": "https://doors.example.com/latchkey", "types": ["access.changed"] });
        let asked = json!({ "kind": "webhook", "name": "The door", "config": config });
        let made = app.post(&format!("{SITE}/destinations"), &asked);
        assert_eq!(made.status, 201, "{made:?}");
        stored(app, sale(1001, "dana@x.example").json());
        app.clock.set(instant("2026-01-01T00:00:07Z"));
        stored(app, sale(1002, "eva@x.example").json());
        assert_eq!(stats(app, 1)["lag"]["webhooks"], json!({
            "count": 2, "oldest_at": "2026-01-01T00:00:00Z", "oldest_seconds": 7,
        }));
        // Nothing carries pushes in this test.
        app.drain();
        app.clock.set(instant("2026-01-01T00:01:07Z"));
        let pushed = json!({ "count": 2, "oldest_at": "2026-01-01T00:00:07Z", "oldest_seconds": 60 });
        assert_eq!(stats(app, 1)["lag"], json!({ "webhooks": none, "pushes": pushed, "retrying": none }));
        let path = format!("{SITE}/destinations/{}", made.json["id"].as_str().expect("an id"));
        assert_eq!(app.patch(&path, &json!({ "enabled": false })).status, 200);
        let lag = stats(app, 1)["lag"]["pushes"].clone();
        assert_eq!(lag, json!({ "count": 2, "oldest_at": null, "oldest_seconds": 0 }), "nobody means to send them");
    }

    fn all_sites_that_a_key_opens_are_taken_together(app: &TestApp) {
        gold(app);
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "club" })).status, 201);
        applied(app, &sale(1001, "dana@x.example"));
        let hook = app.hook_of("club");
        for number in [1001, 1002] {
            assert_eq!(app.post_raw(&hook, sale(number, "eva@x.example").json()).status, 200);
        }
        app.drain();
        let all = app.get("/api/v1/stats?days=1").json;
        assert_eq!((&all["sites"], &all["days"]), (&json!(2), &json!([day("2026-01-01", [3, 3, 1, 0])])));
        assert_eq!(all["waiting"]["held_purchases"], 2);
        assert_eq!(all["levels"][0]["site"], "default");
        let of_club = app.post("/api/v1/keys", &json!({ "name": "x", "scopes": ["read"], "site": "club" }));
        let key = of_club.json["key"].as_str().expect("a key").to_owned();
        let seen = app.request("GET", "/api/v1/stats?days=1", |request| request.bearer_auth(&key));
        assert_eq!(seen.json, app.get("/api/v1/sites/club/stats?days=1").json);
        assert_eq!(seen.json["days"], json!([day("2026-01-01", [2, 2, 0, 0])]));
    }
}

#[test]
fn a_day_is_told_of_when_what_it_counts_has_aged_out() {
    with_settings(&[("feed.kept_days", "1"), ("webhooks.bodies_kept_days", "1")], |app| {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        app.at(instant("2026-01-01T00:00:00Z") + TimeDelta::days(3));
        assert_eq!(app.changes(), [serde_json::Value::Null; 0], "the change is gone");
        assert_eq!(stats(app, 4)["days"][0], day("2026-01-01", [1, 1, 1, 0]));
    });
}
