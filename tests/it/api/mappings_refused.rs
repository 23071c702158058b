//! Mappings that cannot be: refused with the place that is wrong, and nothing has changed.

use super::bodies::PRODUCT;
use super::{SITE, gold, items, next_good_webhook_is_applied, problem, refused_at};
use crate::on_both_databases;
use serde_json::{Value, json};

/// A good mapping with something else in it.
fn with(key: &str, value: Value) -> Value {
    let mut mapping = json!({ "product_id": 7, "level": "gold" });
    mapping[key] = value;
    mapping
}

/// What no key of a mapping takes, with the place that the answer names.
fn wrong() -> Vec<(Value, &'static str)> {
    let mut cases = vec![
        (with("level", json!("silver")), "/level"),
        (with("level", json!(null)), "/level"),
        (with("level", json!("x".repeat(100_000))), "/level"),
        (with("enabled", json!("true")), "/enabled"),
        (with("colour", json!("red")), "/colour"),
        (with("version", json!(2)), "/version"),
        (with("id", json!("x")), "/id"),
        (with("policy", json!([])), "/policy"),
        (with("policy", json!({ "trial": "maybe" })), "/policy/trial"),
        (with("policy", json!({ "nonsense": 1 })), "/policy/nonsense"),
        (with("policy", json!({ "duration_days": 0 })), "/policy/duration_days"),
        (with("policy", json!({ "billing_period": { "weeks": 2 } })), "/policy/billing_period"),
    ];
    let ids = [
        json!(0),
        json!("0"),
        json!(""),
        json!(" "),
        json!(-7),
        json!(1.5),
        json!(true),
        json!([7]),
        json!({ "id": 7 }),
        json!("9".repeat(256)),
        json!("a\u{7}b"),
        json!("a\u{0}b"),
    ];
    for id in ids {
        cases.push((with("product_id", id.clone()), "/product_id"));
        cases.push((with("price_point", id), "/price_point"));
    }
    cases.push((with("product_id", json!(null)), "/product_id"));
    for address in
        ["https://app.kartra.com/products/edit/", "https://app.kartra.com/products", "7 8"]
    {
        cases.push((with("product_id", json!(address)), "/product_id"));
    }
    for key in ["purchased_from", "purchased_before"] {
        let pointer = if key == "purchased_from" { "/purchased_from" } else { "/purchased_before" };
        for at in [
            "",
            "yesterday",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00",
            "-9999-01-01T00:00:00Z",
            "+99999-01-01T00:00:00Z",
            "-200000-01-01T00:00:00Z",
        ] {
            cases.push((with(key, json!(at)), pointer));
        }
        cases.push((with(key, json!(1_767_225_600)), pointer));
    }
    cases
}

on_both_databases! {
    fn what_cannot_be_a_mapping_is_refused_on_post_and_patch(app: &TestApp) {
        let mapping = gold(app);
        let path = format!("{SITE}/mappings/{}", mapping["id"].as_str().expect("an id"));
        let before = app.get(&path).json;
        for (body, pointer) in wrong() {
            println!("{body:.200}");
            refused_at(&app.post(&format!("{SITE}/mappings"), &body), &[pointer]);
            refused_at(&app.patch(&path, &body), &[pointer]);
        }
        for body in [json!({ "level": "gold" }), json!({ "product_id": 7 }), json!({}), json!([])] {
            refused_at(&app.post(&format!("{SITE}/mappings"), &body), &[""]);
        }
        assert_eq!(items(&app.get(&format!("{SITE}/mappings"))), [before]);
        next_good_webhook_is_applied(app);
    }

    fn a_window_that_ends_before_it_begins_is_refused(app: &TestApp) {
        gold(app);
        let at = "2026-01-01T00:00:00Z";
        let mut mapping = with("purchased_from", json!(at));
        mapping["purchased_before"] = json!(at);
        refused_at(&app.post(&format!("{SITE}/mappings"), &mapping), &["/purchased_before"]);
        mapping["level"] = json!("silver");
        mapping["policy"] = json!({ "duration_days": 36_501 });
        let all = ["/level", "/purchased_before", "/policy/duration_days"];
        refused_at(&app.post(&format!("{SITE}/mappings"), &mapping), &all);
        next_good_webhook_is_applied(app);
    }

    fn a_duplicate_is_refused_with_the_one_that_is_there(app: &TestApp) {
        let first = gold(app);
        let id = first["id"].as_str().expect("an id");
        app.level("silver");
        let other = app.map(&json!({ "product_id": PRODUCT, "level": "silver", "enabled": false }));
        let twin = app.post(&format!("{SITE}/mappings"), &json!({
            "product_id": PRODUCT, "level": "gold", "enabled": false, "policy": { "trial": "wait" },
        }));
        problem(&twin, 409, "conflict");
        assert!(twin.json["detail"].as_str().expect("words").contains(id), "{twin:?}");
        let other = format!("{SITE}/mappings/{}", other["id"].as_str().expect("an id"));
        problem(&app.patch(&other, &json!({ "level": "gold" })), 409, "conflict");
        assert_eq!(app.get(&other).json["version"], 1);
        for different in [
            json!({ "product_id": PRODUCT, "level": "gold", "price_point": "pp" }),
            json!({ "product_id": PRODUCT, "level": "gold", "purchased_from": "2026-01-01T00:00:00Z" }),
            json!({ "product_id": PRODUCT, "level": "gold", "purchased_before": "2026-01-01T00:00:00Z" }),
        ] {
            app.map(&different);
            problem(&app.post(&format!("{SITE}/mappings"), &different), 409, "conflict");
        }
        next_good_webhook_is_applied(app);
    }
}
