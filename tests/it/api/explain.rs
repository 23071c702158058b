//! `/sites/{site}/members/{member}/explain` and `/sites/{site}/webhooks/{id}/reading`: why, and what came of what.

use super::bodies::{PRODUCT, cancellation, payment_failed, rebill, sale, tagged};
use super::{SITE, applied, gold, problem};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use chrono::TimeDelta;
use latchkey::store::changes::{self, Change};
use serde_json::{Value, json};

fn explained(app: &TestApp, query: &str) -> Value {
    let found = app.get(&format!("{SITE}/members/dana@x.example/explain{query}"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

fn reading(app: &TestApp, webhook: &str) -> Value {
    let found = app.get(&format!("{SITE}/webhooks/{webhook}/reading"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

on_both_databases! {
    fn access_is_explained_in_sentences_grant_by_grant_and_over_time(app: &TestApp) {
        gold(app);
        assert_eq!(app.patch(&format!("{SITE}/levels/gold"), &json!({ "name": "The Club" })).status, 200);
        applied(app, &sale(1001, "dana@x.example"));
        app.at(instant("2026-01-02T00:00:00Z"));
        let access = app.access_of("dana@x.example");
        assert_eq!(explained(app, ""), json!({
            "id": access["id"], "email": "dana@x.example", "at": "2026-01-02T00:00:00Z",
            "sentences": [
                "On 2 January 2026 at 00:00 UTC, dana@x.example has The Club.",
                "The Club counts from 1 December 2025, with no known end, because purchase 1001 was paid on 1 December 2025; \
                 nothing else gives The Club.",
            ],
            "considered": [{ "because": "purchase 1001 was paid on 1 December 2025", "grant": access["considered"][0] }],
            "history": [{
                "level": "gold",
                "stretches": [{ "since": "2025-12-01T14:00:00Z", "until": null }],
                // The webhook came a month after the sale.
                "let_in": [{ "from": "2026-01-01T00:00:00Z", "until": null,
                    "cause": { "kind": "event", "id": "sale:1001" } }],
            }],
            "recorded_from": null,
        }));
    }

    fn the_history_of_a_level_shows_where_it_was_not_held(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &cancellation(1002, 1001, "dana@x.example").with("transaction_date", "2025-12-10 09:00:00"));
        applied(app, &rebill(1003, 1001, "dana@x.example").with("transaction_date", "2025-12-20 09:00:00"));
        let cause = |id: &str| json!({ "kind": "event", "id": id });
        let history = explained(app, "")["history"].clone();
        let given = json!([
            { "since": "2025-12-01T14:00:00Z", "until": "2025-12-10T14:00:00Z" },
            { "since": "2025-12-20T14:00:00Z", "until": null },
        ]);
        assert_eq!(history[0]["stretches"], given);
        // All three came in January, one after the other.
        let now = "2026-01-01T00:00:00Z";
        assert_eq!(history[0]["let_in"], json!([
            { "from": now, "until": now, "cause": cause("sale:1001") },
            { "from": now, "until": null, "cause": cause("rebill:1003") },
        ]));
        let then = explained(app, "?at=2025-12-15T00:00:00Z");
        assert_eq!(then["history"], history, "it is of all time, whatever instant is asked about");
        assert_eq!(then["at"], "2025-12-15T00:00:00Z");
        assert_eq!(then["sentences"][0], "On 15 December 2025 at 00:00 UTC, dana@x.example has no level.");
        assert_eq!(then["considered"][0]["because"], "purchase 1001 was cancelled");
    }

    fn when_the_door_was_open_is_told_beside_what_todays_rules_say_of_then(app: &TestApp) {
        let id = applied(app, &sale(1001, "dana@x.example"));
        app.at(instant("2026-01-05T00:00:00Z"));
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold" }));
        app.drain();
        let cause = app.changes()[0]["cause"].clone();
        assert_eq!(cause["kind"], "mapping");
        let history = explained(app, "")["history"][0].clone();
        assert_eq!(history["stretches"], json!([{ "since": "2025-12-01T14:00:00Z", "until": null }]));
        assert_eq!(history["let_in"], json!([{ "from": "2026-01-05T00:00:00Z", "until": null, "cause": cause }]));
        // What is not theirs by what is known today was theirs at the door all the same.
        app.at(instant("2026-01-06T00:00:00Z"));
        let discarded = app.post(&format!("{SITE}/webhooks/{id}/discard"), &json!({}));
        assert_eq!(discarded.status, 200, "{discarded:?}");
        let first = json!({ "from": "2026-01-05T00:00:00Z", "until": "2026-01-06T00:00:00Z", "cause": cause });
        assert_eq!(explained(app, "")["history"],
            json!([{ "level": "gold", "stretches": [], "let_in": [first] }]));
        // What comes to an end and begins anew is recorded as it happens.
        app.at(instant("2026-01-07T00:00:00Z"));
        let (since, until) = ("2026-01-07T00:00:00Z", "2026-02-01T00:00:00Z");
        let asked = json!({ "level": "gold", "until": until, "note": "sorry" });
        assert_eq!(app.post(&format!("{SITE}/members/dana@x.example/grants"), &asked).status, 201);
        let given = explained(app, "");
        assert_eq!(given["history"][0]["stretches"], json!([{ "since": since, "until": until }]));
        let let_in = &given["history"][0]["let_in"];
        assert_eq!((&let_in[0], &let_in[1]["from"], &let_in[1]["until"]), (&first, &json!(since), &Value::Null));
        assert_eq!(let_in[1]["cause"]["kind"], "override");
        assert_eq!(given["considered"][0]["manual"],
            json!({ "begun_at": since, "until": until, "note": "sorry" }));
        let sentences = given["sentences"].to_string();
        assert!(!sentences.contains("sorry"), "what operators wrote for each other is not passed on: {sentences}");
    }

    fn of_very_many_steps_the_newest_are_told_and_since_when(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let member = app.access_of("dana@x.example")["id"].as_str().expect("an id").to_owned();
        let began = app.clock.now();
        let step = |position: i64| Change {
            site_id: "default".to_owned(),
            position,
            at: (began + TimeDelta::minutes(position)).naive_utc(),
            member_id: member.clone(),
            email: "dana@x.example".to_owned(),
            level: "gold".to_owned(),
            what: if position % 2 == 0 { "revoked" } else { "granted" }.to_owned(),
            until: None,
            cause_kind: "override".to_owned(),
            cause_id: position.to_string(),
            reason: "manual".to_owned(),
            recorded_at: None,
        };
        // The first of all is the sale's own; these are as many as are looked through.
        let steps: Vec<Change> = (2..=1_001).map(step).collect();
        app.app.store().write(|conn| changes::insert(conn, &steps)).expect("recorded");
        let told = explained(app, "");
        let let_in = told["history"][0]["let_in"].as_array().expect("a list");
        let first = json!({ "from": null, "until": "2026-01-01T00:02:00Z", "cause": null });
        let last = json!({ "from": "2026-01-01T16:41:00Z", "until": null, "cause": { "kind": "override", "id": "1001" } });
        assert_eq!((let_in.len(), let_in.first(), let_in.last()), (501, Some(&first), Some(&last)));
        assert_eq!(told["recorded_from"], "2026-01-01T00:02:00Z", "what was before is not told");
    }

    fn of_nobody_there_is_nothing_to_explain(app: &TestApp) {
        gold(app);
        let nobody = explained(app, "");
        assert_eq!((&nobody["id"], &nobody["considered"], &nobody["history"]), (&Value::Null, &json!([]), &json!([])));
        assert_eq!(nobody["sentences"][1], "No purchase that could give a level, and no manual grant, is known of dana@x.example.");
        problem(&app.get(&format!("{SITE}/members/nonsense/explain")), 404, "not-found");
        problem(&app.get(&format!("{SITE}/members/dana@x.example/explain?level=gold")), 400, "malformed");
    }

    fn a_webhook_says_what_was_read_of_it_and_what_it_led_to(app: &TestApp) {
        gold(app);
        let sold = sale(1001, "dana@x.example").with("product_price_point", 3);
        let id = applied(app, &sold);
        let twin = applied(app, &sold.with("product_name", "Menus"));
        let member = app.access_of("dana@x.example")["id"].clone();
        let expected = json!({
            "webhook": id,
            "says": {
                "kind": "sale", "name": null, "transaction_id": "1001",
                "lead_id": sale(1, "dana@x.example").value()["lead"]["id"].to_string(),
                "transaction_email": "dana@x.example", "profile_email": "dana@x.example", "product_id": PRODUCT,
                "product_name": "Meal plans", "price_point": "3", "subscription_id": null, "original_id": null,
                "parent_id": null, "amount": "29.00", "date": "2025-12-01T09:00:00", "trial": null, "trial_period": null,
                "rebill_circle": null, "installments": null, "payments_left": null, "pay_number": null,
            },
            "event": {
                "id": "sale:1001", "kind": "sale", "occurred_at": "2025-12-01T14:00:00Z",
                "purchase": "order:558001:1001", "told_by": [id, twin],
            },
            "member": { "id": member, "email": "dana@x.example" },
            "changes": app.changes(),
        });
        assert_eq!(reading(app, &id), expected);
        let of_twin = reading(app, &twin);
        assert_eq!((&of_twin["says"]["product_name"], &of_twin["event"]), (&json!("Menus"), &expected["event"]));
    }

    fn what_a_discarded_webhook_led_to_is_told_with_what_its_discarding_led_to(app: &TestApp) {
        gold(app);
        let id = applied(app, &sale(1001, "dana@x.example"));
        assert_eq!(app.post(&format!("{SITE}/webhooks/{id}/discard"), &json!({})).status, 200);
        let read = reading(app, &id);
        assert_eq!((&read["event"], &read["member"]), (&Value::Null, &Value::Null));
        assert_eq!(read["says"]["transaction_id"], "1001");
        assert_eq!(read["changes"], json!(app.changes()), "granted, and revoked");
    }

    fn what_moves_nobody_or_cannot_be_read_leads_to_nothing(app: &TestApp) {
        gold(app);
        let tag = applied(app, &tagged("dana@x.example"));
        let read = reading(app, &tag);
        assert_eq!((&read["says"]["name"], &read["event"]["purchase"]), (&json!("give_tag"), &Value::Null));
        assert_eq!((&read["member"]["email"], &read["changes"]), (&json!("dana@x.example"), &json!([])));
        let failed = applied(app, &payment_failed(1003, 1002, "eva@x.example"));
        let read = reading(app, &failed);
        assert_eq!(read["event"]["purchase"], "order:558001:1002", "it waits for its first payment");
        assert_eq!(read["changes"], json!([]));
        let odd = app.receives("{").json["webhook_id"].as_str().expect("an id").to_owned();
        assert_eq!(reading(app, &odd), json!({
            "webhook": odd, "says": null, "event": null, "member": null, "changes": [],
        }));
        problem(&app.get(&format!("{SITE}/webhooks/nonsense/reading")), 404, "not-found");
    }
}
