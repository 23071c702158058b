//! `/sites/{site}/webhooks`: as they came, and what an operator does with them.

use super::bodies::{PRODUCT, cancellation, sale, tagged};
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{Reply, TestApp, instant};
use latchkey::store::webhooks;
use serde_json::json;

fn found(app: &TestApp, query: &str) -> Vec<String> {
    each(&items(&app.get(&format!("{SITE}/webhooks{query}"))), "id")
}

fn act(app: &TestApp, id: &str, what: &str) -> Reply {
    app.post(&format!("{SITE}/webhooks/{id}/{what}"), &json!({}))
}

on_both_databases! {
    fn a_webhook_is_shown_with_its_body(app: &TestApp) {
        gold(app);
        let body = sale(1001, "dana@x.example").json();
        let id = app.receives(body.clone()).json["webhook_id"].as_str().expect("an id").to_owned();
        app.drain();
        let reply = app.get(&format!("{SITE}/webhooks/{id}"));
        let shown = json!({
            "id": id, "received_at": "2026-01-01T00:00:00Z", "feed": "outbound", "status": "applied",
            "kind": "sale", "transaction_id": "1001", "product_id": PRODUCT, "email": "dana@x.example",
            "reason": null, "changes": 1, "body": body,
        });
        assert_eq!((reply.status, &reply.json), (200, &shown));
        assert!(reply.header("etag").is_some());
        let mut listed = shown;
        listed.as_object_mut().expect("an object").remove("body");
        assert_eq!(app.webhooks(), [listed], "a list has no bodies");
    }

    fn a_body_that_is_no_text_is_shown_in_base64(app: &TestApp) {
        let id = app.receives(b"\xff\xfe=\x00".to_vec()).json["webhook_id"].as_str().expect("an id").to_owned();
        let shown = app.get(&format!("{SITE}/webhooks/{id}")).json;
        assert_eq!((&shown["body_base64"], shown.get("body")), (&json!("//49AA=="), None));
    }

    fn webhooks_are_listed_by_status_and_by_what_they_name(app: &TestApp) {
        gold(app);
        let applied_one = applied(app, &sale(1001, "dana@x.example"));
        let twin = applied(app, &sale(1001, "dana@x.example"));
        let held = applied(app, &sale(1002, "eva@x.example").with("product_id", 72));
        let unmatched = applied(app, &cancellation(1004, 1003, "finn@x.example"));
        let no_effect = applied(app, &tagged("dana@x.example"));
        let unreadable = app.receives("{").json["webhook_id"].as_str().expect("an id").to_owned();
        let pending = app.receives(sale(1009, "gil@x.example").json()).json["webhook_id"].as_str().expect("an id").to_owned();
        let discarded = applied(app, &sale(1008, "hal@x.example"));
        assert_eq!(act(app, &discarded, "discard").json["status"], "discarded");
        for (status, ids) in [
            ("held", vec![&held]), ("duplicate", vec![&twin]),
            ("unmatched", vec![&unmatched]), ("no_effect", vec![&no_effect]), ("unreadable", vec![&unreadable]),
            ("discarded", vec![&discarded]), ("rejected", vec![]), ("failed", vec![]), ("pending", vec![]),
            ("applied", vec![&pending, &applied_one]),
        ] {
            assert_eq!(found(app, &format!("?status={status}")), ids.into_iter().cloned().collect::<Vec<_>>(), "{status}");
        }
        assert_eq!(found(app, "?q=dana@x.example"), [no_effect.clone(), twin.clone(), applied_one.clone()]);
        assert_eq!(found(app, "?q=DANA@X.example&status=duplicate"), [twin]);
        for query in ["1002", "72", held.as_str()] {
            assert_eq!(found(app, &format!("?q={query}")), [held.as_str()], "{query}");
        }
        assert_eq!(found(app, "?q=nobody"), [] as [&str; 0]);
        problem(&app.get(&format!("{SITE}/webhooks?status=lost")), 400, "malformed");
    }

    fn what_names_an_address_is_read_in_pages_whatever_became_of_it(app: &TestApp) {
        gold(app);
        let mut ids = Vec::new();
        for number in 1001..=1004 {
            ids.push(applied(app, &sale(number, "dana@x.example")));
            applied(app, &sale(number + 100, "eva@x.example"));
            ids.push(applied(app, &tagged("dana@x.example")));
            let discarded = applied(app, &sale(number + 200, "dana@x.example"));
            assert_eq!(act(app, &discarded, "discard").json["status"], "discarded");
            ids.push(discarded);
        }
        ids.reverse();
        for limit in [1, 2, 5, 11, 12, 13] {
            let (mut walked, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app.get(&format!("{SITE}/webhooks?q=dana@x.example&limit={limit}{cursor}"));
                walked.extend(each(&items(&page), "id"));
                let Some(next) = page.json["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(walked, ids, "in pages of {limit}");
        }
    }

    fn a_replay_changes_nothing_that_was_applied_already(app: &TestApp) {
        gold(app);
        let id = applied(app, &sale(1001, "dana@x.example"));
        let changes = app.changes();
        let before = app.get(&format!("{SITE}/webhooks/{id}")).json;
        let replayed = act(app, &id, "replay");
        assert_eq!((replayed.status, &replayed.json["status"]), (200, &json!("applied")));
        assert_eq!(app.get(&format!("{SITE}/webhooks/{id}")).json, before);
        assert_eq!(app.changes(), changes);
        let unreadable = app.receives("{").json["webhook_id"].as_str().expect("an id").to_owned();
        assert_eq!(act(app, &unreadable, "replay").json["status"], "unreadable");
    }

    fn what_is_discarded_counts_no_more_until_it_is_restored(app: &TestApp) {
        gold(app);
        let id = applied(app, &sale(1001, "dana@x.example"));
        let discarded = act(app, &id, "discard");
        assert_eq!((discarded.status, &discarded.json["status"]), (200, &json!("discarded")));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let last = app.changes().pop().expect("a change");
        assert_eq!(last["cause"], json!({ "kind": "discard", "id": id }));
        assert_eq!(act(app, &id, "discard").status, 200, "said twice");
        problem(&act(app, &id, "replay"), 409, "conflict");
        let restored = act(app, &id, "restore");
        assert_eq!((restored.status, &restored.json["status"]), (200, &json!("applied")));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        let last = app.changes().pop().expect("a change");
        assert_eq!((&last["what"], &last["cause"]), (&json!("granted"), &json!({ "kind": "restore", "id": id })));
        let read = app.get(&format!("{SITE}/webhooks/{id}/reading")).json;
        assert_eq!(read["changes"], json!(app.changes()), "granted, revoked, and granted again");
        assert_eq!((&restored.json["reason"], &restored.json["changes"]), (&json!(null), &json!(3)));
        problem(&act(app, &id, "restore"), 409, "conflict");
        // On a disabled site it waits, and the cause with it.
        act(app, &id, "discard");
        app.patch(SITE, &json!({ "enabled": false }));
        let waits = act(app, &id, "restore").json;
        assert_eq!((&waits["status"], &waits["reason"]), (&json!("pending"), &json!("an operator restored it")));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        // So it does where applying it fails, however often; of another one only the error is said.
        let other = app.receives(sale(1002, "eva@x.example").json()).json["webhook_id"].as_str().expect("an id").to_owned();
        let now = app.clock.now();
        let reason_after = |id: &str, error: &str| {
            app.app.store().write(|conn| webhooks::fail(conn, "default", id, error, 1, now)).expect("noted");
            let shown = app.get(&format!("{SITE}/webhooks/{id}")).json;
            assert_eq!(shown["status"], "failed");
            shown["reason"].as_str().expect("a reason").to_owned()
        };
        for error in ["no room", "no time"] {
            assert_eq!(reason_after(&id, error), format!("an operator restored it; {error}"));
            assert_eq!(reason_after(&other, error), error);
        }
        app.patch(SITE, &json!({ "enabled": true }));
        app.drain();
        let changes = app.changes();
        let last = changes.iter().rfind(|change| change["email"] == "dana@x.example").expect("a change");
        assert_eq!((&last["what"], &last["cause"]["kind"]), (&json!("granted"), &json!("restore")));
    }

    fn what_is_rejected_is_listed_by_what_it_claims_and_is_no_observation(app: &TestApp) {
        gold(app);
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "right" })).status, 200);
        let claimed = sale(1001, "dana@x.example");
        let id = app.receives(claimed.form(Some("wrong"))).json["webhook_id"].as_str().expect("an id").to_owned();
        app.drain();
        let rejected = json!({
            "status": "rejected", "feed": "ipn", "kind": "sale", "transaction_id": "1001", "product_id": PRODUCT,
            "email": "dana@x.example", "changes": 0,
        });
        let is_shown = || {
            let shown = app.get(&format!("{SITE}/webhooks/{id}")).json;
            for (field, value) in rejected.as_object().expect("an object") {
                assert_eq!(&shown[field], value, "{field}");
            }
        };
        is_shown();
        for query in ["?q=dana@x.example", "?q=DANA@x.example&status=rejected", "?q=1001", "?q=1001&status=rejected"] {
            assert_eq!(found(app, query), [id.as_str()], "{query}");
        }
        assert_eq!(found(app, "?q=dana@x.example&status=discarded"), [] as [&str; 0]);
        let read = app.get(&format!("{SITE}/webhooks/{id}/reading")).json;
        assert_eq!((&read["says"], &read["event"], &read["changes"]), (&json!(null), &json!(null), &json!([])));
        assert_eq!(act(app, &id, "replay").json["status"], "rejected");
        is_shown();
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let today = &app.get(&format!("{SITE}/stats?days=1")).json["days"][0];
        let counts = ["webhooks", "money_webhooks"].map(|count| &today[count]);
        assert_eq!(counts, [&json!(1), &json!(0)], "it came, and claims money without being believed");
        app.is_as_the_events_say();
    }

    fn discarding_one_of_two_twins_leaves_the_event_standing(app: &TestApp) {
        gold(app);
        let first = applied(app, &sale(1001, "dana@x.example"));
        let reply = app.receives(sale(1001, "dana@x.example").form(None));
        app.drain();
        let second = reply.json["webhook_id"].as_str().expect("an id");
        let status = |id: &str| app.get(&format!("{SITE}/webhooks/{id}")).json["status"].clone();
        assert_eq!((status(&first), status(second)), (json!("applied"), json!("duplicate")));
        act(app, &first, "discard");
        assert_eq!((status(&first), status(second)), (json!("discarded"), json!("applied")));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        act(app, second, "discard");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
    }

    fn a_webhook_discarded_before_it_was_applied_never_is(app: &TestApp) {
        gold(app);
        let id = app.receives(sale(1001, "dana@x.example").json()).json["webhook_id"].as_str().expect("an id").to_owned();
        act(app, &id, "discard");
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        act(app, &id, "restore");
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn a_replay_keeps_the_date_of_receipt(app: &TestApp) {
        gold(app);
        let id = applied(app, &sale(1001, "dana@x.example").without("transaction_date"));
        app.at(instant("2026-02-01T00:00:00Z"));
        assert_eq!(act(app, &id, "replay").json["received_at"], "2026-01-01T00:00:00Z");
        assert_eq!(app.access_of("dana@x.example")["levels"][0]["since"], "2026-01-01T00:00:00Z");
    }

    fn a_webhook_that_is_not_there_is_404(app: &TestApp) {
        gold(app);
        app.post("/api/v1/sites", &json!({ "id": "second" }));
        let id = applied(app, &sale(1001, "dana@x.example"));
        for path in [format!("{SITE}/webhooks/nonsense"), format!("/api/v1/sites/second/webhooks/{id}"),
            format!("/api/v1/sites/nowhere/webhooks/{id}"), format!("{SITE}/webhooks/{}", "9".repeat(5_000))] {
            problem(&app.get(&path), 404, "not-found");
            for what in ["replay", "discard", "restore"] {
                problem(&app.post(&format!("{path}/{what}"), &json!({})), 404, "not-found");
            }
        }
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        next_good_webhook_is_applied(app);
    }
}
