//! `/sites/{site}/recomputes`: writes that touch more members than are waited for answer 202.

use super::bodies::{PRODUCT, sale};
use super::{SITE, applied, gold, problem, with_settings};
use crate::support::{Reply, TestApp};
use serde_json::json;

/// Only one member is waited for, and purchases are computed one a batch.
const SMALL: [(&str, &str); 2] =
    [("flow.inline_members_max", "1"), ("flow.batch_purchases_max", "1")];

fn three_bought(app: &TestApp) {
    for (number, name) in (1001..).zip(["dana", "eva", "finn"]) {
        applied(app, &sale(number, &format!("{name}@x.example")));
    }
}

fn holders(app: &TestApp) -> usize {
    let all = ["dana@x.example", "eva@x.example", "finn@x.example"];
    all.iter().filter(|email| app.levels_of(email) == ["gold"]).count()
}

/// The answer is 202 with a recompute that nothing was done of; then it is followed to its end.
#[track_caller]
fn followed(app: &TestApp, reply: &Reply, holders_then: usize) {
    assert_eq!(reply.status, 202, "{reply:?}");
    let recompute = reply.json["recompute"].clone();
    assert_eq!(recompute, json!({ "id": recompute["id"], "members": 3, "done": 0 }));
    let path = format!("{SITE}/recomputes/{}", recompute["id"].as_str().expect("an id"));
    let mut done = vec![];
    while done.last() != Some(&3) {
        let found = app.get(&path);
        assert_eq!((found.status, &found.json["members"]), (200, &json!(3)), "{found:?}");
        done.push(found.json["done"].as_i64().expect("a count"));
        assert!(done.len() < 20 && done.is_sorted(), "{done:?}");
        app.app.flow().recompute_batch("default").expect("worked");
    }
    assert_eq!(done.first(), Some(&0), "nothing was waited for");
    assert!(done.len() > 2, "in batches: {done:?}");
    assert_eq!(holders(app), holders_then, "finished when done equals members");
}

#[test]
fn a_mapping_over_many_members_is_made_at_once_and_followed() {
    with_settings(&SMALL, |app| {
        three_bought(app);
        app.level("gold");
        let mapping = json!({ "product_id": PRODUCT, "level": "gold" });
        let made = app.post(&format!("{SITE}/mappings"), &mapping);
        let path = made.header("location").expect("a Location").to_owned();
        assert_eq!(app.get(&path).json["version"], 1, "the mapping stands already");
        followed(app, &made, 3);
        followed(app, &app.patch(&path, &json!({ "enabled": false })), 0);
        followed(app, &app.patch(&path, &json!({ "enabled": true })), 3);
        followed(app, &app.delete(&path), 0);
        problem(&app.get(&path), 404, "not-found");
    });
}

#[test]
fn a_policy_over_many_members_is_set_at_once_and_followed() {
    with_settings(&SMALL, |app| {
        gold(app);
        three_bought(app);
        followed(app, &app.patch(SITE, &json!({ "policy": { "duration_days": 1 } })), 0);
        followed(app, &app.patch(SITE, &json!({ "policy": {} })), 3);
        let zone = app.patch(SITE, &json!({ "kartra_time_zone": "UTC" }));
        assert_eq!((zone.status, &zone.json["recompute"]["done"]), (202, &json!(0)), "{zone:?}");
        app.drain();
        assert_eq!(app.access_of("eva@x.example")["levels"][0]["since"], "2025-12-01T09:00:00Z");
    });
}

#[test]
fn ignoring_a_product_of_many_members_is_said_at_once_and_followed() {
    with_settings(&SMALL, |app| {
        three_bought(app);
        let path = format!("{SITE}/products/{PRODUCT}");
        followed(app, &app.patch(&path, &json!({ "ignored": true })), 0);
        assert_eq!(app.get(&path).json["held"], 0);
    });
}

#[test]
fn a_mapping_moved_off_a_product_of_many_members_answers_202() {
    with_settings(&SMALL, |app| {
        let path = format!("{SITE}/mappings/{}", gold(app)["id"].as_str().expect("an id"));
        three_bought(app);
        // Nobody has bought the other product: what is left to do is all on the first.
        let moved = app.patch(&path, &json!({ "product_id": 72 }));
        followed(app, &moved, 0);
    });
}

#[test]
fn a_mapping_made_while_the_site_is_disabled_is_applied_when_it_is_enabled() {
    with_settings(&[], |app| {
        three_bought(app);
        app.level("gold");
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        let mapping = json!({ "product_id": PRODUCT, "level": "gold" });
        let made = app.post(&format!("{SITE}/mappings"), &mapping);
        assert_eq!((made.status, &made.json["recompute"]["done"]), (202, &json!(0)), "{made:?}");
        app.drain();
        assert_eq!(holders(app), 0, "a disabled site applies nothing");
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        app.drain();
        assert_eq!(holders(app), 3);
        let id = made.json["recompute"]["id"].as_str().expect("an id");
        assert_eq!(app.get(&format!("{SITE}/recomputes/{id}")).json["done"], 3);
    });
}

#[test]
fn what_touches_few_members_is_done_when_it_is_answered() {
    with_settings(&SMALL, |app| {
        applied(app, &sale(1001, "dana@x.example"));
        let mapping = gold(app);
        assert_eq!(mapping["recompute"]["done"], 1);
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        let path =
            format!("{SITE}/recomputes/{}", mapping["recompute"]["id"].as_str().expect("an id"));
        assert_eq!(app.get(&path).json, mapping["recompute"]);
        assert!(app.get(&path).header("etag").is_some());
        problem(&app.get(&format!("{SITE}/recomputes/nonsense")), 404, "not-found");
        problem(&app.get("/api/v1/sites/nowhere/recomputes/x"), 404, "not-found");
    });
}
