//! `/sites/{site}/members/{member}/blocks`: a door that stays shut whatever is paid.

use super::bodies::{PRODUCT, chargeback, rebill, sale};
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem, refused_at};
use crate::on_both_databases;
use crate::support::instant;
use serde_json::json;

const DANA: &str = "/api/v1/sites/default/members/dana@x.example";

on_both_databases! {
    fn a_block_on_one_level_leaves_the_others_and_survives_a_rebill(app: &TestApp) {
        gold(app);
        app.level("silver");
        app.map(&json!({ "product_id": PRODUCT, "level": "silver" }));
        applied(app, &sale(1001, "dana@x.example"));
        let made = app.post(&format!("{DANA}/blocks"), &json!({ "level": "gold", "note": "shared the key" }));
        assert_eq!((made.status, &made.json["level"]), (201, &json!("gold")), "{made:?}");
        applied(app, &rebill(1002, 1001, "dana@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), ["silver"]);
        let access = app.access_of("dana@x.example");
        assert_eq!(access["blocked"], false, "only one level is blocked");
        let reasons = access["considered"].as_array().expect("grants").clone();
        assert!(reasons.iter().any(|c| c["level"] == "gold" && c["reason"] == "blocked"), "{access:#}");
        assert_eq!(items(&app.get(&format!("{DANA}/blocks"))), [json!({
            "id": made.json["id"], "level": "gold", "begun_at": "2026-01-01T00:00:00Z", "until": null,
            "by": "operator", "transaction_id": null, "note": "shared the key",
        })]);
        let location = made.header("location").expect("a Location").to_owned();
        assert_eq!(app.delete(&location).status, 204);
        assert_eq!(app.levels_of("dana@x.example"), ["gold", "silver"]);
        assert_eq!(items(&app.get(&format!("{DANA}/blocks"))).len(), 0);
        problem(&app.delete(&location), 404, "not-found");
    }

    fn a_block_on_all_levels_ends_at_its_end(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let made = app.post(&format!("{DANA}/blocks"), &json!({ "level": null, "until": "2026-01-05T00:00:00Z" }));
        assert_eq!((made.status, &made.json["level"]), (201, &json!(null)));
        let access = app.access_of("dana@x.example");
        assert_eq!((&access["blocked"], &access["levels"]), (&json!(true), &json!([])));
        assert_eq!(access["next_change_at"], "2026-01-05T00:00:00Z");
        app.at(instant("2026-01-04T23:59:59Z"));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        app.at(instant("2026-01-05T00:00:00Z"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        assert_eq!(items(&app.get(&format!("{DANA}/blocks"))).len(), 0);
    }

    fn what_a_chargeback_blocks_is_lifted_by_an_operator(app: &TestApp) {
        app.patch(SITE, &json!({ "policy": { "on_chargeback": "block" } }));
        gold(app);
        app.level("silver");
        app.map(&json!({ "product_id": 72, "level": "silver" }));
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "dana@x.example").with("product_id", 72));
        applied(app, &chargeback(1003, 1001, "dana@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0], "not even what was paid for");
        let blocks = items(&app.get(&format!("{DANA}/blocks")));
        assert_eq!((each(&blocks, "by"), each(&blocks, "transaction_id")), (vec!["chargeback".into()], vec!["1003".into()]));
        app.at(instant("2026-01-02T00:00:00Z"));
        let block = blocks[0]["id"].as_str().expect("an id").replace(':', "%3A");
        assert_eq!(app.delete(&format!("{DANA}/blocks/{block}")).status, 204);
        assert_eq!(app.levels_of("dana@x.example"), ["silver"]);
        assert_eq!(items(&app.get(&format!("{DANA}/blocks"))).len(), 0);
    }

    fn blocks_are_listed_newest_first_in_pages(app: &TestApp) {
        app.level("gold");
        for day in 1..=3 {
            app.clock.set(instant(&format!("2026-01-0{day}T00:00:00Z")));
            app.post(&format!("{DANA}/blocks"), &json!({ "note": day.to_string() }));
        }
        let first = app.get(&format!("{DANA}/blocks?limit=2"));
        assert_eq!(each(&items(&first), "note"), ["3", "2"]);
        let cursor = first.json["next_cursor"].as_str().expect("a cursor");
        let last = app.get(&format!("{DANA}/blocks?limit=2&cursor={cursor}"));
        assert_eq!((each(&items(&last), "note"), &last.json["next_cursor"]), (vec!["1".to_owned()], &json!(null)));
    }

    fn what_cannot_be_a_block_is_refused(app: &TestApp) {
        gold(app);
        for (body, pointer) in [
            (json!({ "level": "silver" }), "/level"), (json!({ "level": 1 }), "/level"),
            (json!({ "until": "2026-01-01T00:00:00Z" }), "/until"), (json!({ "until": "never" }), "/until"),
            (json!({ "note": "x".repeat(2_001) }), "/note"), (json!({ "levels": ["gold"] }), "/levels"),
        ] {
            refused_at(&app.post(&format!("{DANA}/blocks"), &body), &[pointer]);
        }
        problem(&app.delete(&format!("{DANA}/blocks/nonsense")), 404, "not-found");
        assert_eq!(items(&app.get(&format!("{DANA}/blocks"))).len(), 0);
        next_good_webhook_is_applied(app);
    }
}
