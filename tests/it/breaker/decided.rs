//! What operators decide, one by one and by other means.

use super::{
    HELD_OPEN, SITE, changes, decide_all, email, event, hear, held_open, holders, limit, members,
    reasons,
};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use serde_json::{Value, json};

/// Three who have been refunded and hold gold open.
fn three_held_open(app: &TestApp) -> Vec<Value> {
    members(app, 3);
    limit(app, 0);
    hear(app, "refund", 1..=3);
    app.drain();
    let mut parked = held_open(app);
    parked.sort_by_key(|item| item["email"].to_string());
    assert_eq!(parked.len(), 3);
    parked
}

fn decide(app: &TestApp, item: &Value, decision: &str) -> u16 {
    let id = item["id"].as_str().expect("an id");
    app.post(&format!("{HELD_OPEN}/{id}/{decision}"), &json!({})).status
}

on_both_databases! {
    fn one_that_is_released_goes_and_the_others_stay(app: &TestApp) {
        let parked = three_held_open(app);
        app.clock.set(instant("2026-01-02T00:00:00Z"));
        assert_eq!(decide(app, &parked[0], "release"), 204);
        assert_eq!(holders(app), [email(2), email(3)].into());
        let revoked = changes(app, "revoked");
        assert_eq!(revoked.len(), 1);
        assert_eq!(revoked[0]["cause"], json!({ "kind": "breaker", "id": parked[0]["id"] }));
        assert_eq!((&revoked[0]["reason"], &revoked[0]["at"]), (&json!("refunded"), &json!("2026-01-02T00:00:00Z")));
        assert_eq!(decide(app, &parked[0], "release"), 404, "it is decided");
        assert_eq!(decide(app, &parked[0], "discard"), 404);
        assert_eq!(held_open(app).len(), 2);
        // While it was held open, the level was there.
        let then = app.access_at(&email(1), instant("2026-01-01T12:00:00Z"));
        assert_eq!(then["levels"][0]["grants"][0]["reason"], "held_open");
    }

    fn one_that_is_discarded_is_kept_by_a_manual_grant_that_ends_like_any_other(app: &TestApp) {
        let parked = three_held_open(app);
        app.clock.set(instant("2026-01-02T00:00:00Z"));
        assert_eq!(decide(app, &parked[1], "discard"), 204);
        assert_eq!((holders(app).len(), held_open(app).len()), (3, 2));
        let access = app.access_of(&email(2));
        assert_eq!(access["levels"][0]["since"], "2025-12-01T14:00:00Z", "unbroken: {access:#}");
        let kept = access["levels"][0]["grants"][0].clone();
        assert_eq!(kept["reason"], "manual");
        assert!(changes(app, "revoked").is_empty() && changes(app, "updated").is_empty());
        let path = format!("{SITE}/members/{}/grants/{}", email(2), kept["grant"].as_str().expect("an id"));
        assert_eq!(app.delete(&path).status, 204);
        assert_eq!(holders(app), [email(1), email(3)].into());
        assert_eq!(changes(app, "revoked")[0]["cause"]["kind"], "override", "an operator has seen to it");
    }

    fn what_is_discarded_is_kept_also_where_a_chargeback_blocks_the_member(app: &TestApp) {
        members(app, 2);
        let set = app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } }));
        assert_eq!(set.status, 200, "{set:?}");
        limit(app, 0);
        hear(app, "chargeback", 1..=2);
        app.drain();
        decide_all(app, "discard", 2);
        assert_eq!((holders(app).len(), held_open(app).len()), (2, 0));
        let access = app.access_of(&email(1));
        assert_eq!((&access["blocked"], reasons(app, &email(1)).0), (&json!(false), vec![json!("manual")]));
    }

    fn an_operator_s_block_takes_what_is_held_open_and_is_never_stopped(app: &TestApp) {
        three_held_open(app);
        for number in 1..=3 {
            let block = json!({ "level": "gold", "until": "2026-02-01T00:00:00Z" });
            let made = app.post(&format!("{SITE}/members/{}/blocks", email(number)), &block);
            assert_eq!(made.status, 201, "{made:?}");
        }
        assert!(holders(app).is_empty());
        assert_eq!(reasons(app, &email(1)), (vec![], vec![json!("refunded"), json!("blocked")]));
        assert_eq!(held_open(app).len(), 3, "nobody has decided about it");
        app.at(instant("2026-02-01T00:00:00Z"));
        assert_eq!(holders(app).len(), 3, "the block is over, the question is not");
    }

    fn a_payment_that_comes_ends_what_was_held_open(app: &TestApp) {
        three_held_open(app);
        let rebill = event("rebill", 2).with("transaction_id", 20_002).on("2025-12-28 09:00:00");
        assert_eq!(app.receives(rebill.body()).status, 200);
        app.drain();
        assert_eq!(held_open(app).len(), 2);
        assert_eq!(reasons(app, &email(2)).0, vec![json!("active")]);
        assert_eq!(app.access_of(&email(2))["considered"].as_array().map(Vec::len), Some(1));
        // From then on it is as if nothing had been: the next refund is held open anew.
        let again = event("refund", 2).with("transaction_id", 20_003).on("2025-12-29 09:00:00");
        assert_eq!(app.receives(again.with("transaction_parent_id", 20_002).body()).status, 200);
        app.drain();
        assert_eq!((held_open(app).len(), holders(app).len()), (3, 3));
    }

    fn what_is_held_open_after_the_call_stays(app: &TestApp) {
        let parked = three_held_open(app);
        let up_to = app.app.change("default", |conn, bench| {
            Ok(latchkey::flow::held_open::ask_for_all(conn, bench, latchkey::flow::held_open::Decision::Release)?)
        }).expect("asked");
        assert_eq!(up_to.members, 3);
        // Before any of it is worked off, one more is held open.
        hear(app, "sale", [4]);
        app.app.flow().apply_now("default", &ids_that_wait(app)).expect("applied");
        hear(app, "refund", [4]);
        app.app.flow().apply_now("default", &ids_that_wait(app)).expect("applied");
        assert_eq!(held_open(app).len(), 4);
        app.drain();
        let left = held_open(app);
        assert_eq!((left.len(), &left[0]["email"]), (1, &json!(email(4))));
        assert_ne!(left[0]["id"], parked[0]["id"]);
        assert_eq!(holders(app), [email(4)].into());
        let path = format!("{SITE}/recomputes/{}", up_to.id);
        assert_eq!(app.get(&path).json["done"], 3);
    }

    fn what_is_held_open_moves_with_its_lead(app: &TestApp) {
        three_held_open(app);
        let moved = json!({
            "lead": { "id": lead_of(1), "email": "new@x.example" },
            "action": "assign_tag", "action_details": { "tag": { "tag_name": "vip" } },
        });
        assert_eq!(app.receives(moved.to_string()).status, 200);
        app.drain();
        let emails = crate::breaker::emails(&held_open(app));
        assert!(emails.contains("new@x.example"), "{emails:?}");
        assert_eq!(app.levels_of("new@x.example"), ["gold"]);
        app.is_as_the_events_say();
        for item in held_open(app) {
            assert_eq!(decide(app, &item, "release"), 204);
        }
        assert!(holders(app).is_empty());
    }

    fn the_timeline_and_a_rebuild_know_what_is_held_open(app: &TestApp) {
        let parked = three_held_open(app);
        let rebuilt = latchkey::flow::rebuild::rebuild(app.app.flow(), "default", |_, _, _| {});
        rebuilt.expect("rebuilt");
        assert_eq!((held_open(app).len(), holders(app).len()), (3, 3), "it is not lost, nor doubled");
        assert!(changes(app, "revoked").is_empty());
        app.clock.set(instant("2026-01-02T00:00:00Z"));
        assert_eq!(decide(app, &parked[0], "release"), 204);
        let found = app.get(&format!("{SITE}/members/{}/timeline?limit=500", email(1)));
        let items = found.json["items"].as_array().expect("items").clone();
        let steps: Vec<&Value> = items.iter().map(|item| &item["override"]).filter(|o| !o.is_null()).collect();
        let note = "event refund:10001 would have revoked it";
        let step = |step: &str| json!({ "what": "held_open", "step": step, "level": "gold", "until": null, "note": note });
        assert_eq!(steps, [&step("began"), &step("ended")]);
    }
}

/// The webhooks that have not been applied yet.
fn ids_that_wait(app: &TestApp) -> Vec<String> {
    let webhooks = app.webhooks().into_iter().filter(|webhook| webhook["status"] == "pending");
    webhooks.map(|webhook| webhook["id"].as_str().expect("an id").to_owned()).collect()
}

/// The lead id that the IPNs of a member carry.
fn lead_of(number: u32) -> u32 {
    email(number).bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
}
