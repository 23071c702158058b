//! `/sites/{site}/access` and `access/check`: the hot path, asked both ways.

use super::bodies::{PRODUCT, cancellation, sale};
use super::{SITE, applied, gold, next_good_webhook_is_applied, problem, refused_at};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use serde_json::{Value, json};

/// Asks both ways, which answer alike.
#[track_caller]
fn asked(app: &TestApp, email: &str, level: &str) -> Value {
    let hot = app.get(&format!("{SITE}/access?email={email}&level={level}"));
    let check =
        app.post(&format!("{SITE}/access/check"), &json!({ "email": email, "level": level }));
    assert_eq!((hot.status, check.status), (200, 200), "{hot:?} {check:?}");
    assert_eq!(hot.json, check.json);
    hot.json
}

on_both_databases! {
    fn access_is_answered_per_level(app: &TestApp) {
        gold(app);
        app.level("silver");
        app.level("bronze");
        app.map(&json!({ "product_id": PRODUCT, "level": "silver", "policy": { "duration_days": 60 } }));
        assert_eq!(asked(app, "dana@x.example", "gold"), json!({ "allowed": false, "until": null }));
        applied(app, &sale(1001, "dana@x.example"));
        assert_eq!(asked(app, "dana@x.example", "gold"), json!({ "allowed": true, "until": null }));
        let until = json!({ "allowed": true, "until": "2026-01-30T14:00:00Z" });
        assert_eq!(asked(app, "dana@x.example", "silver"), until);
        assert_eq!(asked(app, "DANA@X.Example", "silver"), until, "addresses are in lower case");
        assert_eq!(asked(app, "dana@x.example", "bronze"), json!({ "allowed": false, "until": null }));
        assert_eq!(asked(app, "eva@x.example", "gold"), json!({ "allowed": false, "until": null }));
        applied(app, &cancellation(1002, 1001, "dana@x.example"));
        assert_eq!(asked(app, "dana@x.example", "gold"), json!({ "allowed": false, "until": null }));
    }

    fn a_late_timer_is_no_open_door(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        applied(app, &sale(1001, "dana@x.example"));
        app.clock.set(instant("2026-01-30T13:59:59.999999Z"));
        assert_eq!(asked(app, "dana@x.example", "gold")["allowed"], true);
        // Nobody fires the timer, which is due at this very instant.
        app.clock.set(instant("2026-01-30T14:00:00Z"));
        assert_eq!(asked(app, "dana@x.example", "gold"), json!({ "allowed": false, "until": null }));
        app.drain();
        assert_eq!(asked(app, "dana@x.example", "gold"), json!({ "allowed": false, "until": null }));
    }

    fn any_instant_can_be_asked_about_past_or_future(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        applied(app, &sale(1001, "dana@x.example"));
        let until = json!({ "allowed": true, "until": "2026-01-30T14:00:00Z" });
        let refused = json!({ "allowed": false, "until": null });
        for (at, answer) in [
            ("2025-12-01T13:59:59.999999Z", &refused), ("2025-12-01T14:00:00Z", &until),
            ("2026-01-01T00:00:00Z", &until), ("2026-01-30T13:59:59.999999Z", &until),
            ("2026-01-30T14:00:00Z", &refused), ("9999-12-31T23:59:59Z", &refused),
        ] {
            let hot = app.get(&format!("{SITE}/access?email=dana@x.example&level=gold&at={at}"));
            assert_eq!((hot.status, &hot.json), (200, answer), "{at}");
            let question = json!({ "email": "dana@x.example", "level": "gold", "at": at });
            assert_eq!(app.post(&format!("{SITE}/access/check"), &question).json, *answer, "{at}");
        }
        let hot = |query: &str| app.get(&format!("{SITE}/access?email=dana@x.example&{query}"));
        problem(&hot("level=gold&at=noon"), 400, "malformed");
        problem(&hot("level=silver&at=2026-01-01T00:00:00Z"), 404, "not-found");
    }

    fn a_block_closes_the_hot_path_too(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let block = app.post(&format!("{SITE}/members/dana@x.example/blocks"), &json!({}));
        assert_eq!(asked(app, "dana@x.example", "gold")["allowed"], false);
        app.delete(block.header("location").expect("a Location"));
        assert_eq!(asked(app, "dana@x.example", "gold")["allowed"], true);
    }

    fn a_question_that_cannot_be_asked_is_refused(app: &TestApp) {
        gold(app);
        let hot = format!("{SITE}/access");
        for query in [
            "", "?", "?email=dana@x.example", "?level=gold", "?email=dana&level=gold", "?email=&level=gold",
            "?email=dana@x.example&level=gold&extra=1", "?email=a@b&email=c@d&level=gold", "?email=a%20b@x&level=gold",
        ] {
            problem(&app.get(&format!("{hot}{query}")), 400, "malformed");
        }
        problem(&app.get(&format!("{hot}?email=dana@x.example&level=silver")), 404, "not-found");
        problem(&app.get("/api/v1/sites/nowhere/access?email=dana@x.example&level=gold"), 404, "not-found");
        let check = format!("{hot}/check");
        for (body, pointer) in [
            (json!({}), ""), (json!({ "email": "dana@x.example" }), ""), (json!({ "level": "gold" }), ""),
            (json!({ "email": "dana", "level": "gold" }), "/email"), (json!({ "email": null, "level": "gold" }), "/email"),
            (json!({ "email": 7, "level": "gold" }), "/email"), (json!({ "email": "a@b", "level": [] }), "/level"),
            (json!({ "email": format!("{}@x", "d".repeat(100_000)), "level": "gold" }), "/email"),
            (json!({ "email": "a@b", "level": "gold", "at": "noon" }), "/at"), (json!({ "email": "a@b", "level": "gold", "on": null }), "/on"),
        ] {
            refused_at(&app.post(&check, &body), &[pointer]);
        }
        for level in ["silver", "", "Gold", &"x".repeat(5_000)] {
            problem(&app.post(&check, &json!({ "email": "a@b", "level": level })), 404, "not-found");
        }
        next_good_webhook_is_applied(app);
    }
}
