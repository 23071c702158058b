//! `/sites/{site}/mappings`: a mapping reaches the purchases of before it, too.

use super::bodies::{PRODUCT, cancellation, sale};
use super::{SITE, applied, gold, honours_etags, items, made, problem, write_if};
use crate::on_both_databases;
use crate::support::TestApp;
use serde_json::{Value, json};

fn path_of(mapping: &Value) -> String {
    format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"))
}

on_both_databases! {
    fn a_mapping_is_made_read_edited_and_deleted(app: &TestApp) {
        app.level("gold");
        let reply = app.post(&format!("{SITE}/mappings"), &json!({
            "product_id": 558_001, "price_point": 77, "level": "gold", "enabled": false,
            "purchased_from": "2025-01-01T01:00:00+01:00", "purchased_before": "2026-01-01T00:00:00Z",
            "policy": { "on_cancellation": "period_end", "billing_period": { "months": 1 } },
        }));
        let mapping = made(app, &reply);
        assert_eq!(mapping, json!({
            "id": mapping["id"], "product_id": "558001", "price_point": "77", "level": "gold",
            "enabled": false, "purchased_from": "2025-01-01T00:00:00Z",
            "purchased_before": "2026-01-01T00:00:00Z",
            "policy": { "on_cancellation": "period_end", "billing_period": { "months": 1 } },
            "version": 1, "recompute": mapping["recompute"],
        }));
        let path = path_of(&mapping);
        assert_eq!(reply.header("location"), Some(path.as_str()));

        let edited = app.patch(&path, &json!({ "price_point": null, "purchased_from": null, "enabled": true }));
        assert_eq!(edited.status, 200, "{edited:?}");
        let now = app.get(&path).json;
        assert_eq!(now, json!({
            "id": mapping["id"], "product_id": "558001", "price_point": null, "level": "gold",
            "enabled": true, "purchased_from": null, "purchased_before": "2026-01-01T00:00:00Z",
            "policy": { "on_cancellation": "period_end", "billing_period": { "months": 1 } }, "version": 2,
        }));
        let policy = json!({ "trial": "wait", "duration_days": null });
        assert_eq!(app.patch(&path, &json!({ "policy": policy })).json["policy"], policy, "replaced whole");
        assert_eq!(app.patch(&path, &json!({ "policy": null })).json["policy"], json!({}));
        assert_eq!(items(&app.get(&format!("{SITE}/mappings"))), [app.get(&path).json]);

        assert_eq!(app.delete(&path).status, 204);
        problem(&app.get(&path), 404, "not-found");
        problem(&app.patch(&path, &json!({ "enabled": true })), 404, "not-found");
        problem(&app.delete(&path), 404, "not-found");
    }

    fn mappings_are_found_by_product_and_by_whether_it_was_seen(app: &TestApp) {
        app.level("gold");
        applied(app, &sale(1001, "dana@x.example"));
        let ids: Vec<Value> = [PRODUCT.to_string(), "9".to_owned(), "10".to_owned()]
            .iter()
            .map(|product| app.map(&json!({ "product_id": product, "level": "gold" }))["id"].clone())
            .collect();
        let found = |query: &str| -> Vec<Value> {
            items(&app.get(&format!("{SITE}/mappings?{query}"))).iter().map(|mapping| mapping["id"].clone()).collect()
        };
        assert_eq!(found("seen=true"), ids[..1]);
        assert_eq!(found("seen=false"), [ids[2].clone(), ids[1].clone()]);
        assert_eq!(found("product_id=9"), ids[1..2]);
        assert_eq!(found("product_id=9&seen=true"), Vec::<Value>::new());
        let page = app.get(&format!("{SITE}/mappings?seen=false&limit=1")).json;
        let cursor = page["next_cursor"].as_str().expect("a next page");
        assert_eq!(found(&format!("seen=false&limit=1&cursor={cursor}")), ids[1..2]);
        problem(&app.get(&format!("{SITE}/mappings?seen=perhaps")), 400, "malformed");
    }

    fn a_mapping_honours_etags(app: &TestApp) {
        app.level("silver");
        let path = path_of(&gold(app));
        honours_etags(app, &path, &json!({ "level": "silver" }));
        problem(&write_if(app, "DELETE", &path, "\"another\"", &json!(null)), 412, "changed-since");
        assert_eq!(app.get(&path).status, 200);
    }

    fn a_purchase_from_before_the_mapping_gets_the_level_with_its_own_dates(app: &TestApp) {
        let id = applied(app, &sale(1001, "dana@x.example"));
        let status = || app.get(&format!("{SITE}/webhooks/{id}")).json["status"].clone();
        assert_eq!(status(), "held");
        let mapping = gold(app);
        let recompute = &mapping["recompute"];
        assert_eq!((&recompute["members"], &recompute["done"]), (&json!(1), &json!(1)));
        let access = app.access_of("dana@x.example");
        let level = &access["levels"][0];
        assert_eq!((&level["level"], &level["since"]), (&json!("gold"), &json!("2025-12-01T14:00:00Z")));
        assert_eq!(status(), "applied");

        assert_eq!(app.delete(&path_of(&mapping)).status, 204);
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0], "what the mapping gave goes with it");
        assert_eq!(status(), "held");
        let whats: Vec<Value> = app.changes().iter().map(|c| json!([c["what"], c["cause"]])).collect();
        let cause = json!({ "kind": "mapping", "id": mapping["id"] });
        assert_eq!(whats, [json!(["granted", cause]), json!(["revoked", cause])]);
    }

    fn disabling_a_mapping_takes_the_level_and_enabling_gives_it_back(app: &TestApp) {
        let path = path_of(&gold(app));
        applied(app, &sale(1001, "dana@x.example"));
        for (enabled, levels) in [(false, vec![]), (true, vec!["gold"])] {
            assert_eq!(app.patch(&path, &json!({ "enabled": enabled })).status, 200);
            assert_eq!(app.levels_of("dana@x.example"), levels);
        }
    }

    fn moving_a_mapping_to_another_product_reaches_the_purchases_of_both(app: &TestApp) {
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "eva@x.example").with("product_id", 72));
        let path = path_of(&gold(app));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        assert_eq!(app.patch(&path, &json!({ "product_id": 72 })).json["product_id"], "72");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        assert_eq!(app.levels_of("eva@x.example"), ["gold"]);
    }

    fn moving_a_mapping_to_another_level_moves_the_members(app: &TestApp) {
        app.level("silver");
        applied(app, &sale(1001, "dana@x.example"));
        let path = path_of(&gold(app));
        app.patch(&path, &json!({ "level": "silver" }));
        assert_eq!(app.levels_of("dana@x.example"), ["silver"]);
    }

    fn a_mapping_that_names_the_price_point_replaces_one_that_names_none(app: &TestApp) {
        gold(app);
        app.level("yearly");
        let yearly = app.map(&json!({ "product_id": PRODUCT, "price_point": "pp-y", "level": "yearly" }));
        applied(app, &sale(1001, "dana@x.example").with("product_price_point", "pp-y"));
        applied(app, &sale(1002, "eva@x.example").with("product_price_point", "pp-m"));
        applied(app, &sale(1003, "finn@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), ["yearly"]);
        assert_eq!(app.levels_of("eva@x.example"), ["gold"]);
        assert_eq!(app.levels_of("finn@x.example"), ["gold"]);
        app.delete(&path_of(&yearly));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn one_product_may_give_many_levels_and_a_window_asks_for_the_start(app: &TestApp) {
        gold(app);
        app.level("early");
        app.level("late");
        let early = json!({ "product_id": PRODUCT, "level": "early", "purchased_before": "2025-12-01T14:00:01Z" });
        let late = json!({ "product_id": PRODUCT, "level": "late", "purchased_from": "2025-12-01T14:00:01Z" });
        app.map(&early);
        app.map(&late);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "eva@x.example").with("transaction_date", "2025-12-01 09:00:01"));
        assert_eq!(app.levels_of("dana@x.example"), ["early", "gold"]);
        assert_eq!(app.levels_of("eva@x.example"), ["gold", "late"]);
    }

    fn the_policy_of_a_mapping_goes_before_the_policy_of_the_site(app: &TestApp) {
        app.patch(SITE, &json!({ "policy": { "on_cancellation": "keep" } }));
        let path = path_of(&gold(app));
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &cancellation(1002, 1001, "dana@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"], "kept by the site's policy");
        app.patch(&path, &json!({ "policy": { "on_cancellation": "revoke" } }));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
    }

    fn the_address_of_the_edit_page_names_the_product(app: &TestApp) {
        app.level("gold");
        let base = "https://app.kartra.com/products/edit/";
        for (number, product) in (71_u64..).zip(["", "/", "?tab=pricing", "#details", "/general?x=1"]) {
            let mapping = app.map(&json!({ "product_id": format!("{base}{number}{product}"), "level": "gold" }));
            assert_eq!(mapping["product_id"], number.to_string());
            applied(app, &sale(number, &format!("m{number}@x.example")).with("product_id", number));
            assert_eq!(app.levels_of(&format!("m{number}@x.example")), ["gold"]);
        }
        let path = path_of(&gold_of(app, "1"));
        let moved = app.patch(&path, &json!({ "product_id": format!("{base}2") }));
        assert_eq!(moved.json["product_id"], "2");
    }
}

fn gold_of(app: &TestApp, product: &str) -> Value {
    app.map(&json!({ "product_id": product, "level": "gold" }))
}
