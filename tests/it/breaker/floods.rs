//! Revocations that come from outside, and by time alone.

use super::{
    HELD_OPEN, SITE, changes, decide_all, email, emails, event, hear, held_open, holders, limit,
    members, reasons,
};
use crate::on_both_databases;
use crate::support::instant;
use chrono::TimeDelta;
use serde_json::json;

on_both_databases! {
    fn of_a_flood_of_forged_refunds_the_excess_is_held_open_and_a_grant_in_the_same_batch_is_not_delayed(app: &TestApp) {
        members(app, 60);
        limit(app, 6);
        hear(app, "refund", 1..=50);
        hear(app, "sale", [900]);
        app.drain();
        assert_eq!(app.levels_of(&email(900)), ["gold"]);
        let (revoked, parked) = (changes(app, "revoked"), held_open(app));
        assert_eq!((revoked.len(), parked.len()), (6, 44));
        assert_eq!(changes(app, "granted").len(), 61);
        assert!(parked.iter().all(|item| item["cause"]["kind"] == "event"), "{parked:#?}");
        let number = parked[0]["email"].as_str().and_then(|email| email[6..9].parse().ok());
        let number: u32 = number.expect("a number");
        assert_eq!(parked[0]["cause"]["id"], format!("refund:{}", number + 10_000));
        let webhooks = app.webhooks();
        let refund = |webhook: &&serde_json::Value| webhook["kind"] == "refund";
        assert!(webhooks.iter().filter(refund).all(|webhook| webhook["status"] == "applied"));
        let changed = webhooks.iter().filter(refund).filter(|webhook| webhook["changes"] == 1);
        assert_eq!(changed.count(), 6, "what is held open is no change");
        // The flood goes on.
        hear(app, "refund", 51..=60);
        app.drain();
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (6, 54));
        app.is_as_the_events_say();
        decide_all(app, "release", 54);
        assert_eq!(holders(app), [email(900)].into());
    }

    fn forged_chargebacks_block_nobody_before_somebody_has_looked(app: &TestApp) {
        members(app, 10);
        app.level("silver");
        app.map(&json!({ "product_id": "502", "level": "silver" }));
        assert_eq!(app.receives(event("sale", 1).with("transaction_id", 777).with("original_id", 777).product(502).body()).status, 200);
        app.drain();
        let set = app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } }));
        assert_eq!(set.status, 200, "{set:?}");
        limit(app, 0);
        hear(app, "chargeback", 1..=10);
        app.drain();
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (0, 11));
        let access = app.access_of(&email(1));
        assert_eq!(access["blocked"], true, "the chargeback is there, and said: {access:#}");
        assert_eq!(app.levels_of(&email(1)), ["gold", "silver"]);
        assert_eq!(reasons(app, &email(1)).0, vec![json!("held_open"); 2]);
        app.is_as_the_events_say();
        decide_all(app, "release", 11);
        assert!(app.levels_of(&email(1)).is_empty() && holders(app).is_empty());
        assert_eq!(reasons(app, &email(1)).1, vec![json!("charged_back"), json!("blocked")]);
    }

    fn a_refund_and_a_later_chargeback_in_one_batch_are_held_open_together(app: &TestApp) {
        members(app, 1);
        let set = app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } }));
        assert_eq!(set.status, 200, "{set:?}");
        limit(app, 0);
        let later = event("chargeback", 1).on("2025-12-05 09:00:00");
        app.post_raw_at_once(&app.hook(), vec![event("refund", 1).on("2025-12-03 09:00:00").body(), later.body()]);
        app.drain();
        assert_eq!((held_open(app).len(), holders(app).len()), (1, 1));
        let held = app.access_of(&email(1))["levels"][0].clone();
        assert_eq!(held["since"], "2025-12-05T14:00:00Z");
        assert_eq!(held["until"], json!(null));
    }

    fn a_later_chargeback_is_held_open_in_its_turn_and_listed_once(app: &TestApp) {
        members(app, 1);
        let set = app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } }));
        assert_eq!(set.status, 200, "{set:?}");
        limit(app, 0);
        hear(app, "refund", [1]);
        app.drain();
        let first = held_open(app);
        app.clock.set(instant("2026-01-10T00:00:00Z"));
        let later = event("chargeback", 1).on("2026-01-05 09:00:00");
        assert_eq!(app.receives(later.body()).status, 200);
        app.drain();
        let second = held_open(app);
        assert_eq!((second.len(), holders(app).len()), (1, 1));
        assert_ne!(first[0]["id"], second[0]["id"]);
        assert_eq!(second[0]["cause"], json!({ "kind": "event", "id": "chargeback:10001" }));
    }

    fn ends_that_fall_due_together_are_held_open_beyond_the_limit(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold", "policy": { "duration_days": 40 } }));
        hear(app, "sale", 1..=30);
        app.drain();
        limit(app, 3);
        app.at(instant("2026-01-10T14:00:00Z"));
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (3, 27));
        let parked = held_open(app);
        let cause = json!({ "kind": "timer", "id": "2026-01-10T14:00:00+00:00" });
        assert!(parked.iter().all(|item| item["cause"] == cause), "{parked:#?}");
        let updated = changes(app, "updated");
        assert_eq!(emails(&updated), emails(&parked), "their end is not known any more, and the feed says so");
        assert!(updated.iter().all(|change| change["until"].is_null() && change["reason"] == "held_open"));
        assert_eq!(holders(app).len(), 27);
        decide_all(app, "release", 27);
        assert!(holders(app).is_empty());
    }

    fn the_window_slides(app: &TestApp) {
        members(app, 20);
        limit(app, 5);
        let start = instant("2026-01-01T00:00:00Z");
        let refund_at = |minutes: i64, members: std::ops::RangeInclusive<u32>| {
            app.clock.set(start + TimeDelta::minutes(minutes));
            hear(app, "refund", members);
            app.drain();
            (changes(app, "revoked").len(), held_open(app).len())
        };
        assert_eq!(refund_at(0, 1..=5), (5, 0));
        assert_eq!(refund_at(30, 6..=7), (5, 2));
        assert_eq!(refund_at(60, 8..=8), (5, 3), "a minute that has begun counts whole");
        assert_eq!(refund_at(61, 9..=12), (7, 5), "of five, three are held open since");
        assert_eq!(refund_at(200, 13..=17), (12, 5), "what was held open stays so");
    }

    fn with_no_limit_set_everything_is_recorded(app: &TestApp) {
        members(app, 50);
        let off = app.patch(SITE, &json!({ "max_revocations": null }));
        assert_eq!((off.status, &off.json["max_revocations"]), (200, &json!(null)));
        hear(app, "refund", 1..=50);
        app.drain();
        assert_eq!(changes(app, "revoked").len(), 50);
        assert_eq!(app.get(HELD_OPEN).json, json!({ "items": [], "next_cursor": null }));
    }
}
