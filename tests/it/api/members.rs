//! `/sites/{site}/members`, and what they hold at any instant.

use super::bodies::{PRODUCT, cancellation, sale};
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{TestApp, instant, names};
use serde_json::json;

fn listed(app: &TestApp, query: &str) -> Vec<String> {
    let mut emails = each(&items(&app.get(&format!("{SITE}/members{query}"))), "email");
    emails.sort();
    emails
}

on_both_databases! {
    fn a_member_is_named_by_id_or_by_address(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "Dana@X.example"));
        let member = app.get(&format!("{SITE}/members/dana@x.example"));
        let id = member.json["id"].as_str().expect("an id").to_owned();
        assert_eq!(member.json, json!({
            "id": id, "email": "dana@x.example", "version": 1, "levels": ["gold"],
            "blocked": false, "blocked_levels": [], "held_purchases": 0,
            "next_change_at": null, "created_at": "2026-01-01T00:00:00Z",
        }));
        for name in [id.as_str(), "dana%40x.example", "DANA@x.example", "%20dana@x.example%20"] {
            let found = app.get(&format!("{SITE}/members/{name}"));
            assert_eq!((found.status, &found.json), (200, &member.json), "{name}");
            assert_eq!(found.header("etag"), member.header("etag"));
            assert_eq!(app.get(&format!("{SITE}/members/{name}/access")).json["id"], json!(id));
        }
        assert_eq!(items(&app.get(&format!("{SITE}/members"))), [member.json]);
    }

    fn an_address_that_nobody_has_holds_nothing(app: &TestApp) {
        let nobody = app.get(&format!("{SITE}/members/nobody@x.example"));
        assert_eq!((nobody.status, &nobody.json), (200, &json!({
            "id": null, "email": "nobody@x.example", "version": 0, "levels": [],
            "blocked": false, "blocked_levels": [], "held_purchases": 0,
            "next_change_at": null, "created_at": null,
        })));
        assert_eq!(app.access_of("nobody@x.example"), json!({
            "id": null, "email": "nobody@x.example", "at": "2026-01-01T00:00:00Z", "version": 0,
            "blocked": false, "levels": [], "considered": [], "next_change_at": null,
        }));
        assert_eq!(items(&app.get(&format!("{SITE}/members"))).len(), 0, "asking makes nobody");
    }

    fn odd_addresses_are_percent_encoded(app: &TestApp) {
        gold(app);
        let odd = [
            ("dana+meals@x.example", "dana%2Bmeals@x.example"), ("da/na@x.example", "da%2Fna@x.example"),
            ("da%na@x.example", "da%25na@x.example"), ("o'hara?#@x.example", "o'hara%3F%23@x.example"),
            ("dänä@münchen.example", "d%C3%A4n%C3%A4@m%C3%BCnchen.example"),
        ];
        for (number, (email, encoded)) in (1001..).zip(odd) {
            applied(app, &sale(number, email));
            let access = app.access_of(encoded);
            assert_eq!((&access["email"], names(&access)), (&json!(email), vec!["gold".to_owned()]));
            let hot = app.post(&format!("{SITE}/access/check"), &json!({ "email": email, "level": "gold" }));
            assert_eq!(hot.json["allowed"], true, "{email}");
        }
    }

    fn members_are_found_by_a_part_of_their_address_and_by_level(app: &TestApp) {
        gold(app);
        app.level("silver");
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &sale(1002, "da_na@y.example"));
        applied(app, &sale(1003, "eva%@y.example").with("product_id", 72));
        app.map(&json!({ "product_id": 72, "level": "silver" }));
        assert_eq!(listed(app, ""), ["da_na@y.example", "dana@x.example", "eva%@y.example"]);
        assert_eq!(listed(app, "?q=DANA"), ["dana@x.example"]);
        assert_eq!(listed(app, "?q=@y."), ["da_na@y.example", "eva%@y.example"]);
        assert_eq!(listed(app, "?q=_"), ["da_na@y.example"], "no wildcard");
        assert_eq!(listed(app, "?q=%25"), ["eva%@y.example"], "no wildcard");
        assert_eq!(listed(app, "?q=%5C"), [] as [&str; 0]);
        assert_eq!(listed(app, "?q="), listed(app, ""));
        assert_eq!(listed(app, "?level=gold"), ["da_na@y.example", "dana@x.example"]);
        assert_eq!(listed(app, "?level=silver&q=eva"), ["eva%@y.example"]);
        problem(&app.get(&format!("{SITE}/members?level=nonsense")), 404, "not-found");
    }

    fn the_whole_address_of_a_member_finds_that_member_alone(app: &TestApp) {
        gold(app);
        for (number, name) in (1001..).zip(["dana", "jordana", "eva"]) {
            applied(app, &sale(number, &format!("{name}@x.example")));
        }
        assert_eq!(listed(app, "?q=%20Dana@X.example"), ["dana@x.example"]);
        assert_eq!(listed(app, "?q=dana@x.example&level=gold"), ["dana@x.example"]);
        assert_eq!(listed(app, "?q=ana@x.example"), ["dana@x.example", "jordana@x.example"], "nobody has it");
        let newest = listed(app, "?limit=1");
        assert_eq!(newest, ["eva@x.example"]);
        let page = app.get(&format!("{SITE}/members?limit=1"));
        let behind_eva = format!("?cursor={}&q=", page.json["next_cursor"].as_str().expect("a cursor"));
        assert_eq!(listed(app, &format!("{behind_eva}dana@x.example")), ["dana@x.example"]);
        assert_eq!(listed(app, &format!("{behind_eva}eva@x.example")), [] as [&str; 0]);
    }

    fn members_are_listed_as_of_an_instant(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &cancellation(1002, 1001, "dana@x.example").with("transaction_date", "2025-12-10 09:00:00"));
        applied(app, &sale(1003, "eva@x.example").with("transaction_date", "2025-12-20 09:00:00"));
        let at = |at: &str, email: &str| {
            let found = items(&app.get(&format!("{SITE}/members?level=gold&at={at}")));
            found.iter().any(|member| member["email"] == email)
        };
        assert!(at("2025-12-05T00:00:00Z", "dana@x.example") && !at("2025-12-05T00:00:00Z", "eva@x.example"));
        assert!(!at("2025-12-25T00:00:00Z", "dana@x.example") && at("2025-12-25T00:00:00Z", "eva@x.example"));
        let then = items(&app.get(&format!("{SITE}/members?q=dana&at=2025-12-05T00:00:00Z")));
        assert_eq!((then.len(), &then[0]["levels"]), (1, &json!(["gold"])));
    }

    fn who_loses_a_level_in_december_is_one_question(app: &TestApp) {
        gold(app);
        let policy = |days: u32| json!({ "product_id": 70 + days, "level": "gold", "policy": { "duration_days": days } });
        for (number, days) in (1001..).zip([30, 60, 90, 120]) {
            app.map(&policy(days));
            applied(app, &sale(number, &format!("m{days}@x.example")).with("product_id", 70 + days));
        }
        applied(app, &sale(2001, "ever@x.example"));
        let listed = |query: &str| listed(app, &format!("?level=gold&{query}"));
        // Bought on 1 December at 14:00; 60 days later is 30 January, 90 days 1 March, 120 days 31 March.
        assert_eq!(listed("at=2026-02-01T00:00:00Z"), ["ever@x.example", "m120@x.example", "m90@x.example"]);
        assert_eq!(listed("ends_before=2026-02-01T00:00:00Z"), ["m60@x.example"]);
        assert_eq!(listed("at=2026-03-01T00:00:00Z&ends_before=2026-04-01T00:00:00Z"), ["m120@x.example", "m90@x.example"]);
        assert_eq!(listed("at=2026-03-01T00:00:00Z&ends_before=2026-03-31T14:00:00Z"), ["m90@x.example"], "exclusive");
        assert_eq!(listed("at=2025-12-15T00:00:00Z&ends_before=2026-01-01T00:00:00Z"), ["m30@x.example"], "also in the past");
        let found = items(&app.get(&format!("{SITE}/members?level=gold&at=2026-03-01T00:00:00Z&q=m90")));
        assert_eq!(found[0]["until"], "2026-03-01T14:00:00Z");
        assert_eq!(items(&app.get(&format!("{SITE}/members?level=gold&q=ever")))[0]["until"], json!(null));
        problem(&app.get(&format!("{SITE}/members?ends_before=2026-04-01T00:00:00Z")), 400, "malformed");
        problem(&app.get(&format!("{SITE}/members?level=gold&ends_before=soon")), 400, "malformed");
    }

    fn who_will_hold_a_level_is_found_also_where_the_access_of_many_changes_until_then(app: &TestApp) {
        const MANY: u64 = 1_040;
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        app.map(&json!({ "product_id": 71, "level": "gold" }));
        app.level("silver");
        app.map(&json!({ "product_id": 72, "level": "silver", "policy": { "duration_days": 60 } }));
        let email = |number: u64| format!("m{number}@x.example");
        let product = |number: u64| match number % 130 {
            0 => 71,
            1 => 72,
            _ => PRODUCT.parse::<u64>().expect("a number"),
        };
        let body = |number| sale(number, &email(number)).with("product_id", product(number)).json().into_bytes();
        let numbers: Vec<u64> = (0..MANY).map(|number| 1_300 + number).collect();
        for some in numbers.chunks(64) {
            app.post_raw_at_once(&app.hook(), some.iter().map(|number| body(*number)).collect());
        }
        app.drain();
        let walk = |query: &str, limit: usize| {
            let (mut all, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = app.get(&format!("{SITE}/members?{query}&limit={limit}{cursor}"));
                all.extend(each(&items(&page), "email"));
                pages += 1;
                let Some(next) = page.json["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            all.sort();
            (all, pages)
        };
        let of = |wanted: &dyn Fn(u64) -> bool| {
            let mut all: Vec<String> = numbers.iter().filter(|n| wanted(product(**n))).map(|n| email(*n)).collect();
            all.sort();
            all
        };
        let usual = PRODUCT.parse::<u64>().expect("a number");
        for limit in [7, 500] {
            assert_eq!(walk("level=gold&at=2026-06-01T00:00:00Z", limit).0, of(&|product| product == 71));
            assert_eq!(walk("level=silver&at=2026-01-15T00:00:00Z", limit).0, of(&|product| product == 72));
        }
        assert_eq!(walk("level=silver&at=2026-06-01T00:00:00Z", 500).0, [] as [&str; 0]);
        assert_eq!(walk("level=gold&ends_before=2026-06-01T00:00:00Z", 500).0, of(&|product| product == usual));
        // Nobody has fired an end, and more are due than are answered one by one.
        app.clock.set(instant("2026-06-01T00:00:00Z"));
        assert_eq!(walk("level=gold", 500).0, of(&|product| product == 71));
        // Of the past everybody is answered, some five hundred a page.
        let (then, pages) = walk("level=silver&at=2025-12-15T00:00:00Z", 50);
        assert_eq!((then, pages), (of(&|product| product == 72), 2));
    }

    fn a_member_is_shown_as_of_any_instant(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        applied(app, &sale(1001, "dana@x.example"));
        let shown = |query: &str| app.get(&format!("{SITE}/members/dana@x.example{query}"));
        for (at, levels, next) in [
            ("2025-12-01T13:59:59.999999Z", json!([]), json!(null)),
            ("2025-12-01T14:00:00Z", json!(["gold"]), json!("2026-01-30T14:00:00Z")),
            ("2026-01-30T14:00:00Z", json!([]), json!(null)),
        ] {
            let found = shown(&format!("?at={at}"));
            assert_eq!((&found.json["levels"], &found.json["next_change_at"]), (&levels, &next), "{at}");
            assert_eq!(found.json["id"], shown("").json["id"]);
        }
        problem(&shown("?at=noon"), 400, "malformed");
        problem(&shown("?on=2026-01-30T14:00:00Z"), 400, "malformed");
    }

    fn access_says_what_was_held_and_will_be_held_at_any_instant(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        applied(app, &sale(1001, "dana@x.example"));
        let held = |at: &str| names(&app.access_at("dana@x.example", instant(at)));
        assert_eq!(held("2025-12-01T13:59:59.999999Z"), [] as [&str; 0]);
        assert_eq!(held("2025-12-01T14:00:00Z"), ["gold"]);
        assert_eq!(held("2026-01-30T13:59:59.999999Z"), ["gold"]);
        assert_eq!(held("2026-01-30T14:00:00Z"), [] as [&str; 0], "an end is exclusive");
        let access = app.access_at("dana@x.example", instant("2025-12-24T00:00:00Z"));
        assert_eq!(access["at"], "2025-12-24T00:00:00Z");
        assert_eq!(access["levels"][0]["until"], "2026-01-30T14:00:00Z");
        assert_eq!(access["next_change_at"], "2026-01-30T14:00:00Z");
        let offset = app.get(&format!("{SITE}/members/dana@x.example/access?at=2025-12-01T09:00:00-05:00"));
        assert_eq!(offset.json["at"], "2025-12-01T14:00:00Z", "answers are in UTC");
    }

    fn access_names_every_grant_that_was_considered(app: &TestApp) {
        let mapping = gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &cancellation(1002, 1001, "dana@x.example"));
        let access = app.access_of("dana@x.example");
        let considered = &access["considered"][0];
        assert_eq!(*considered, json!({
            "level": "gold", "held": false, "reason": "canceled",
            "purchase": {
                "id": considered["purchase"]["id"], "product_id": PRODUCT, "price_point": null,
                "status": "canceled", "started_at": "2025-12-01T14:00:00Z",
            },
            "event": {
                "id": considered["event"]["id"], "kind": "cancellation", "transaction_id": "1002",
                "occurred_at": "2025-12-01T14:00:00Z",
            },
            "mapping": { "id": mapping["id"], "version": 1 }, "grant": null, "held_open": null,
            "changes_at": null,
        }));
    }

    fn who_cannot_be_a_member_is_refused(app: &TestApp) {
        gold(app);
        let long = format!("{}@x.example", "d".repeat(320));
        for path in ["", "/access", "/blocks"] {
            problem(&app.get(&format!("{SITE}/members/nonsense{path}")), 404, "not-found");
            problem(&app.get(&format!("/api/v1/sites/nowhere/members/dana@x.example{path}")), 404, "not-found");
            for odd in ["@", "dana@", "@x", "da%20na@x", "da%0Ana@x", long.as_str()] {
                problem(&app.get(&format!("{SITE}/members/{odd}{path}")), 400, "malformed");
            }
        }
        for at in ["", "now", "2026-01-01", "0", "-99999-01-01T00:00:00Z", "%2B99999-01-01T00:00:00Z"] {
            problem(&app.get(&format!("{SITE}/members/dana@x.example/access?at={at}")), 400, "malformed");
        }
        for at in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(app.get(&format!("{SITE}/members/dana@x.example/access?at={at}")).status, 200);
        }
        next_good_webhook_is_applied(app);
    }
}
