//! `/sites/{site}/members/{member}/timeline`: everything that happened to a person, oldest first.

use super::bodies::{PRODUCT, cancellation, sale, tagged};
use super::paging::walk;
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use serde_json::{Value, json};

const DANA: &str = "/api/v1/sites/default/members/dana@x.example/timeline";

fn timeline(app: &TestApp, email: &str) -> Vec<Value> {
    walk(app, &format!("{SITE}/members/{email}/timeline"), 500)
}

/// When each thing happened, and what kind it is of, in few words.
fn told(items: &[Value]) -> Vec<String> {
    let one = |item: &Value| {
        let what = match item["kind"].as_str().expect("a kind") {
            "webhook" => &item["webhook"]["status"],
            "event" => &item["event"]["kind"],
            "override" => &item["override"]["step"],
            _ => &item["change"]["what"],
        };
        let words = [&item["at"], &item["kind"], what].map(|word| word.as_str().expect("a word"));
        words.join(" ")
    };
    items.iter().map(one).collect()
}

/// Dana buys, is tagged, is given Silver by hand for a while, and cancels.
fn a_year(app: &TestApp) -> Value {
    gold(app);
    app.level("silver");
    applied(app, &sale(1001, "dana@x.example"));
    applied(app, &sale(2001, "eva@x.example"));
    app.at(instant("2026-01-02T00:00:00Z"));
    applied(app, &tagged("dana@x.example"));
    app.at(instant("2026-01-03T00:00:00Z"));
    let asked = json!({ "level": "silver", "until": "2026-01-09T00:00:00Z", "note": "sorry" });
    let given = app.post(&format!("{SITE}/members/dana@x.example/grants"), &asked);
    app.post(&format!("{SITE}/members/eva@x.example/blocks"), &json!({}));
    app.at(instant("2026-01-04T00:00:00Z"));
    assert_eq!(app.delete(given.header("location").expect("a Location")).status, 204);
    app.at(instant("2026-01-05T00:00:00Z"));
    let ended = cancellation(1002, 1001, "dana@x.example");
    applied(app, &ended.with("transaction_date", "2026-01-04 19:00:00"));
    given.json
}

on_both_databases! {
    fn everything_that_happened_to_a_person_is_told_oldest_first(app: &TestApp) {
        let given = a_year(app);
        let all = timeline(app, "dana@x.example");
        assert_eq!(told(&all), [
            "2025-12-01T14:00:00Z event sale",
            "2026-01-01T00:00:00Z webhook applied",
            "2026-01-01T00:00:00Z change granted",
            "2026-01-02T00:00:00Z webhook no_effect",
            "2026-01-02T00:00:00Z event other",
            "2026-01-03T00:00:00Z override began",
            "2026-01-03T00:00:00Z change granted",
            "2026-01-04T00:00:00Z override ended",
            "2026-01-04T00:00:00Z change revoked",
            "2026-01-05T00:00:00Z webhook applied",
            "2026-01-05T00:00:00Z event cancellation",
            "2026-01-05T00:00:00Z change revoked",
        ]);
        let webhooks = app.webhooks();
        let received = webhooks.iter().find(|webhook| webhook["transaction_id"] == "1001").expect("the sale");
        assert_eq!(all[0], json!({
            "at": "2025-12-01T14:00:00Z", "kind": "event", "id": "sale:1001",
            "event": {
                "kind": "sale", "transaction_id": "1001", "product_id": PRODUCT, "price_point": null,
                "purchase": "order:558001:1001", "email": "dana@x.example",
            },
        }));
        assert_eq!(all[1], json!({
            "at": "2026-01-01T00:00:00Z", "kind": "webhook", "id": received["id"], "webhook": received,
        }));
        let change = &app.changes()[0];
        assert_eq!(all[2], json!({
            "at": "2026-01-01T00:00:00Z", "kind": "change", "id": "1", "change": change,
        }));
        assert_eq!(all[7], json!({
            "at": "2026-01-04T00:00:00Z", "kind": "override", "id": given["id"],
            "override": {
                "what": "grant", "step": "ended", "level": "silver", "until": "2026-01-09T00:00:00Z",
                "note": "sorry",
            },
        }));
        let by_id = app.get(&format!("{SITE}/members/dana@x.example")).json["id"].clone();
        assert_eq!(timeline(app, by_id.as_str().expect("an id")), all);
        assert_eq!(told(&timeline(app, "eva@x.example")), [
            "2025-12-01T14:00:00Z event sale",
            "2026-01-01T00:00:00Z webhook applied",
            "2026-01-01T00:00:00Z change granted",
            "2026-01-03T00:00:00Z override began",
            "2026-01-03T00:00:00Z change revoked",
        ]);
        assert_eq!(timeline(app, "nobody@x.example"), [] as [Value; 0]);
    }

    fn a_timeline_is_walked_in_pages_of_every_size(app: &TestApp) {
        a_year(app);
        // Much at one instant: events of one date, webhooks of one receipt, and what they lead to.
        for number in [1010, 1011, 1012, 9, 99, 100_000] {
            app.receives(sale(number, "dana@x.example").json());
            app.receives(sale(number, "dana@x.example").with("product_name", "Menus").json());
        }
        app.drain();
        for _ in 0..3 {
            app.post(&format!("{SITE}/members/dana@x.example/blocks"), &json!({ "level": "silver" }));
        }
        let all = walk(app, DANA, 500);
        assert!(all.len() >= 12 + 6 + 12 + 3, "{}", all.len());
        let at = each(&all, "at");
        assert!(at.is_sorted(), "{at:?}");
        for limit in 1..=all.len() + 1 {
            assert_eq!(walk(app, DANA, limit), all, "in pages of {limit}");
        }
        let from_the_end: Vec<Value> = all.iter().rev().cloned().collect();
        for limit in 1..=all.len() + 1 {
            let newest_first = format!("{DANA}?order=newest_first");
            assert_eq!(walk(app, &newest_first, limit), from_the_end, "from the end, in pages of {limit}");
        }
        assert_eq!(walk(app, &format!("{DANA}?order=oldest_first"), 500), all);
    }

    fn what_waits_or_was_set_aside_is_told_where_it_names_the_person(app: &TestApp) {
        gold(app);
        let sold = applied(app, &sale(1003, "dana@x.example"));
        assert_eq!(app.post(&format!("{SITE}/webhooks/{sold}/discard"), &json!({})).status, 200);
        app.at(instant("2026-01-02T00:00:00Z"));
        app.receives(sale(1004, "dana@x.example").json());
        app.receives(sale(1005, "eva@x.example").json());
        let told = told(&timeline(app, "dana@x.example"));
        let webhooks: Vec<&str> = told.iter().filter(|one| one.contains("webhook")).map(String::as_str).collect();
        assert_eq!(webhooks, ["2026-01-01T00:00:00Z webhook discarded", "2026-01-02T00:00:00Z webhook pending"]);
        assert!(told.iter().all(|one| !one.contains("event")), "what is discarded is no event: {told:?}");
    }

    fn a_lead_that_moves_on_leaves_behind_what_it_did_under_the_old_address(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let lead = sale(1001, "dana@x.example").value()["lead"]["id"].clone();
        app.at(instant("2026-01-02T00:00:00Z"));
        let mut moved = tagged("dana@new.example").value();
        moved["lead"]["id"] = lead;
        app.receives(moved.to_string());
        app.drain();
        assert_eq!(told(&timeline(app, "dana@x.example")), [
            "2025-12-01T14:00:00Z event sale",
            "2026-01-01T00:00:00Z webhook applied",
            "2026-01-01T00:00:00Z change granted",
            "2026-01-02T00:00:00Z change revoked",
        ]);
        assert_eq!(told(&timeline(app, "dana@new.example")), [
            "2025-12-01T14:00:00Z event sale",
            "2026-01-01T00:00:00Z webhook applied",
            "2026-01-02T00:00:00Z webhook no_effect",
            "2026-01-02T00:00:00Z event other",
            "2026-01-02T00:00:00Z change granted",
        ]);
    }

    fn a_timeline_shows_no_bodies_and_refuses_what_is_no_question(app: &TestApp) {
        a_year(app);
        let whole = app.get(&format!("{DANA}?limit=500"));
        assert!(whole.status == 200 && !whole.text.contains("body"), "{whole:?}");
        problem(&app.get(&format!("{SITE}/members/nonsense/timeline")), 404, "not-found");
        problem(&app.get("/api/v1/sites/nowhere/members/dana@x.example/timeline"), 404, "not-found");
        for odd in ["@", "dana@", "da%20na@x", "da%0Ana@x"] {
            problem(&app.get(&format!("{SITE}/members/{odd}/timeline")), 400, "malformed");
        }
        for query in ["limit=0", "limit=501", "limit=x", "cursor=", "cursor=x", "cursor=WyIiXQ", "at=2026-01-01T00:00:00Z",
            "order=", "order=newest",
            // ["",""], ["\u0000","a"], and an instant of the year -200000.
            "cursor=WyIiLCIiXQ", "cursor=WyJcdTAwMDAiLCJhIl0", "cursor=WyItMjAwMDAwLTAxLTAxVDAwOjAwOjAwIiwiYSJd"] {
            problem(&app.get(&format!("{DANA}?{query}")), 400, "malformed");
        }
        // Places that no page has given: ["2026-01-01T00:00:00", …] with "", "z", "9" and "3x".
        for forged in ["WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiIl0", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwieiJd",
            "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiOSJd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiM3giXQ"] {
            let page = items(&app.get(&format!("{DANA}?cursor={forged}")));
            assert!(each(&page, "at").iter().all(|at| at.as_str() >= "2026-01-01"), "{page:?}");
        }
        // The beginning, as whoever looks from outside is given it.
        let beginning = "WyIwMDAxLTAxLTAxVDAwOjAwOjAwIiwiMCJd";
        assert_eq!(items(&app.get(&format!("{DANA}?cursor={beginning}"))), items(&app.get(DANA)));
        next_good_webhook_is_applied(app);
    }
}
