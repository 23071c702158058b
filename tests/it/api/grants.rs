//! `/sites/{site}/members/{member}/grants`: a level by hand, whatever billing says.

use super::bodies::{refund, sale};
use super::{SITE, applied, gold, next_good_webhook_is_applied, problem, refused_at};
use crate::on_both_databases;
use crate::support::instant;
use serde_json::{Value, json};

const DANA: &str = "/api/v1/sites/default/members/dana@x.example";

on_both_databases! {
    fn a_manual_grant_gives_the_level_until_it_is_deleted(app: &TestApp) {
        app.level("gold");
        let made = app.post(&format!("{DANA}/grants"), &json!({ "level": "gold", "note": "a guest" }));
        let id = made.json["id"].as_str().expect("an id").to_owned();
        assert_eq!((made.status, &made.json), (201, &json!({
            "id": id, "level": "gold", "begun_at": "2026-01-01T00:00:00Z", "until": null, "note": "a guest",
        })));
        let location = made.header("location").expect("a Location").to_owned();
        assert!(location.ends_with(&format!("/grants/{id}")), "{location}");
        let access = app.access_of("dana@x.example");
        assert_eq!((&access["levels"][0]["level"], &access["levels"][0]["since"]),
            (&json!("gold"), &json!("2026-01-01T00:00:00Z")));
        let considered = &access["considered"][0];
        assert_eq!((&considered["reason"], &considered["grant"]), (&json!("manual"), &json!(id)));

        app.at(instant("2026-02-01T00:00:00Z"));
        assert_eq!(app.delete(&location).status, 204);
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let then = app.access_at("dana@x.example", instant("2026-01-31T00:00:00Z"));
        assert_eq!(crate::support::names(&then), ["gold"], "what it gave before stays told");
        problem(&app.delete(&location), 404, "not-found");
        let told: Vec<Value> = app.changes().iter().map(|c| json!([c["what"], c["cause"]])).collect();
        let cause = json!({ "kind": "override", "id": id });
        assert_eq!(told, [json!(["granted", cause]), json!(["revoked", cause])]);
    }

    fn a_manual_grant_ends_at_its_end(app: &TestApp) {
        app.level("gold");
        let until = "2026-01-08T00:00:00.000001Z";
        let made = app.post(&format!("{DANA}/grants"), &json!({ "level": "gold", "until": until }));
        assert_eq!((made.status, &made.json["until"]), (201, &json!(until)));
        assert_eq!(app.access_of("dana@x.example")["levels"][0]["until"], until);
        app.at(instant("2026-01-08T00:00:00Z"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        app.at(instant(until));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        let last = app.changes().pop().expect("a change");
        assert_eq!((&last["what"], &last["cause"]["kind"], &last["at"]), (&json!("revoked"), &json!("timer"), &json!(until)));
    }

    fn what_is_decided_by_hand_stays_with_the_address_when_nothing_else_is_known_of_the_person(app: &TestApp) {
        gold(app);
        app.level("silver");
        let of_lead = |number: u64, email: &str| sale(number, email).with("lead_id", 77);
        let discard = |webhook: String| {
            let done = app.post(&format!("{SITE}/webhooks/{webhook}/discard"), &json!({}));
            assert_eq!(done.status, 200, "{done:?}");
            app.drain();
        };
        let first = applied(app, &of_lead(1001, "dana@x.example"));
        assert_eq!(app.post(&format!("{DANA}/grants"), &json!({ "level": "silver" })).status, 201);
        assert_eq!(app.post(&format!("{DANA}/blocks"), &json!({ "level": "gold" })).status, 201);
        discard(first);
        assert_eq!(app.levels_of("dana@x.example"), ["silver"], "the grant has no purchase to go with");
        let blocks = app.get(&format!("{DANA}/blocks")).json;
        assert_eq!(blocks["items"].as_array().expect("blocks").len(), 1, "{blocks}");
        app.is_as_the_events_say();

        // Whoever comes back under another address takes along what was decided about them.
        let moved = applied(app, &of_lead(1002, "new@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        assert_eq!(app.levels_of("new@x.example"), ["silver"], "gold is still blocked");
        app.is_as_the_events_say();

        discard(moved);
        assert_eq!(app.levels_of("new@x.example"), [] as [&str; 0]);
        assert_eq!(app.levels_of("dana@x.example"), ["silver"], "it was made at this address");
        app.is_as_the_events_say();
    }

    fn a_level_goes_only_with_the_last_thing_that_gives_it(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let made = app.post(&format!("{DANA}/grants"), &json!({ "level": "gold" }));
        applied(app, &refund(1002, 1001, "dana@x.example"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        app.delete(made.header("location").expect("a Location"));
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
    }

    fn a_grant_for_an_odd_address_is_deleted_where_its_location_says(app: &TestApp) {
        app.level("gold");
        let made = app.post(&format!("{SITE}/members/da%2Fna%2Bx@x.example/grants"), &json!({ "level": "gold" }));
        assert_eq!(app.levels_of("da%2Fna%2Bx@x.example"), ["gold"]);
        let location = made.header("location").expect("a Location").to_owned();
        problem(&app.delete(&location.replace("da%2Fna", "eva")), 404, "not-found");
        problem(&app.delete(&location.replace("/grants/", "/blocks/")), 404, "not-found");
        assert_eq!(app.delete(&location).status, 204, "{location}");
    }

    fn what_cannot_be_a_grant_is_refused(app: &TestApp) {
        gold(app);
        let grants = format!("{DANA}/grants");
        let over = "x".repeat(2_001);
        for (body, pointer) in [
            (json!({}), ""), (json!({ "level": null }), "/level"), (json!({ "level": "silver" }), "/level"),
            (json!({ "level": ["gold"] }), "/level"), (json!({ "level": "gold", "until": "soon" }), "/until"),
            (json!({ "level": "gold", "until": 7 }), "/until"),
            (json!({ "level": "gold", "until": "2026-01-01T00:00:00Z" }), "/until"),
            (json!({ "level": "gold", "until": "2025-01-01T00:00:00Z" }), "/until"),
            (json!({ "level": "gold", "until": "+99999-01-01T00:00:00Z" }), "/until"),
            (json!({ "level": "gold", "note": over }), "/note"), (json!({ "level": "gold", "note": "a\u{0}" }), "/note"),
            (json!({ "level": "gold", "note": 1 }), "/note"), (json!({ "level": "gold", "forever": true }), "/forever"),
        ] {
            println!("{body:.100}");
            refused_at(&app.post(&grants, &body), &[pointer]);
        }
        let good = json!({ "level": "gold" });
        problem(&app.post(&format!("{SITE}/members/nonsense/grants"), &good), 404, "not-found");
        problem(&app.post(&format!("{SITE}/members/da%20na@x/grants"), &good), 400, "malformed");
        problem(&app.post("/api/v1/sites/nowhere/members/dana@x.example/grants", &good), 404, "not-found");
        problem(&app.delete(&format!("{grants}/nonsense")), 404, "not-found");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        next_good_webhook_is_applied(app);
    }
}
