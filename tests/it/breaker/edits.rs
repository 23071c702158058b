//! Changes of rules that would take a level from many.

use super::{
    HELD_OPEN, SITE, changes, decide_all, emails, hear, held_open, holders, limit, members, reasons,
};
use crate::on_both_databases;
use crate::support::ADMIN_KEY;
use serde_json::json;

on_both_databases! {
    fn of_a_deleted_mapping_only_so_many_lose_and_the_rest_is_held_open(app: &TestApp) {
        let mapping = members(app, 40);
        limit(app, 5);
        let id = mapping["id"].as_str().expect("an id");
        assert_eq!(app.delete(&format!("{SITE}/mappings/{id}")).status, 204);

        let (revoked, parked) = (changes(app, "revoked"), held_open(app));
        assert_eq!((revoked.len(), parked.len()), (5, 35));
        assert_eq!(holders(app), emails(&parked), "nobody is lost, and nobody is both");
        assert!(emails(&parked).is_disjoint(&emails(&revoked)));
        for item in &parked {
            let cause = json!({ "kind": "mapping", "id": id });
            let expected = json!({
                "id": item["id"], "email": item["email"], "level": "gold", "held_open_at": app.clock.now(),
                "cause": cause,
            });
            assert_eq!(*item, expected);
        }
        let who = parked[0]["email"].as_str().expect("an address");
        let access = app.access_of(who);
        assert_eq!(access["levels"][0]["grants"][0]["reason"], "held_open", "{access:#}");
        assert_eq!(access["considered"][0]["held_open"], parked[0]["id"]);
        app.is_as_the_events_say();

        decide_all(app, "release", 35);
        assert!(holders(app).is_empty() && held_open(app).is_empty());
        let released = changes(app, "revoked").split_off(5);
        assert_eq!(emails(&released), emails(&parked));
        assert!(released.iter().all(|change| change["cause"]["kind"] == "breaker"), "{released:#?}");
        assert!(released.iter().all(|change| change["reason"] == "nothing_gives_it"));
        decide_all(app, "release", 0);
    }

    fn by_default_a_fifth_of_those_who_hold_it_may_go_within_an_hour(app: &TestApp) {
        let mapping = members(app, 120);
        let id = mapping["id"].as_str().expect("an id");
        assert_eq!(app.delete(&format!("{SITE}/mappings/{id}")).status, 204);
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (24, 96));
    }

    fn of_a_stricter_policy_the_excess_is_held_open_and_released_it_is_as_the_policy_says(app: &TestApp) {
        members(app, 30);
        limit(app, 4);
        let lenient = app.patch(SITE, &json!({ "policy": { "on_refund": "keep" } }));
        assert_eq!(lenient.status, 200, "{lenient:?}");
        hear(app, "refund", 1..=20);
        app.drain();
        assert_eq!(holders(app).len(), 30);
        let strict = app.patch(SITE, &json!({ "policy": {} }));
        assert_eq!(strict.status, 200, "{strict:?}");
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (4, 16));
        assert!(held_open(app).iter().all(|item| item["cause"]["kind"] == "settings"));
        let who = held_open(app)[0]["email"].as_str().expect("an address").to_owned();
        assert_eq!(reasons(app, &who), (vec![json!("held_open")], vec![json!("refunded")]));
        assert_eq!(app.access_of(&who)["levels"][0]["since"], "2025-12-01T14:00:00Z", "unbroken");
        decide_all(app, "release", 16);
        assert_eq!(holders(app).len(), 10);
        assert_eq!(reasons(app, &who), (vec![], vec![json!("refunded")]));
    }

    fn a_mapping_that_is_made_again_ends_what_was_held_open(app: &TestApp) {
        let mapping = members(app, 12);
        limit(app, 0);
        let id = mapping["id"].as_str().expect("an id");
        assert_eq!(app.delete(&format!("{SITE}/mappings/{id}")).status, 204);
        assert_eq!(held_open(app).len(), 12);
        let policy = json!({ "duration_days": 365 });
        app.map(&json!({ "product_id": "501", "level": "gold", "policy": policy }));
        assert!(held_open(app).is_empty(), "nothing is left to decide");
        assert_eq!(holders(app).len(), 12);
        let access = app.access_of("buyer-001@x.example");
        assert_eq!(access["levels"][0]["until"], "2026-12-01T14:00:00Z", "the end is known again");
        assert_eq!(access["levels"][0]["since"], "2025-12-01T14:00:00Z");
        assert_eq!(access["considered"].as_array().map(Vec::len), Some(1), "{access:#}");
        assert!(changes(app, "revoked").is_empty());
    }

    fn a_level_that_many_are_moved_to_is_given_at_once_while_the_old_one_is_held_open(app: &TestApp) {
        let mapping = members(app, 10);
        app.level("silver");
        limit(app, 2);
        let path = format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"));
        assert_eq!(app.patch(&path, &json!({ "level": "silver" })).status, 200);
        let silver = changes(app, "granted").into_iter().filter(|change| change["level"] == "silver");
        assert_eq!((silver.count(), changes(app, "revoked").len(), held_open(app).len()), (10, 2, 8));
        let refused = app.delete(&format!("{SITE}/levels/gold"));
        assert_eq!(refused.status, 409, "what is held open still has the level");
        assert_eq!(app.get(HELD_OPEN).json["next_cursor"], json!(null));
    }

    fn the_same_edit_in_a_plan_that_somebody_has_seen_and_applied_is_held_back_by_nothing(app: &TestApp) {
        let mapping = members(app, 12);
        limit(app, 0);
        let change = json!({ "op": "delete_mapping", "id": mapping["id"] });
        let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": [change] }));
        let plan = made.header("location").expect("a Location").to_owned();
        app.drain();
        assert_eq!(app.get(&plan).json["losses"], 12);
        let applied = app.request("POST", &format!("{plan}/apply"), |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!(applied.status, 200, "{applied:?}");
        assert_eq!((changes(app, "revoked").len(), held_open(app).len()), (12, 0));
    }
}
