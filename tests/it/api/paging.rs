//! Every list is read in pages: each item once, in order, and the last page says that it is.

use super::bodies::sale;
use super::{SITE, applied, each, gold, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use serde_json::{Value, json};

/// Every list that has pages, with the key of an item and whether it is newest first.
fn lists() -> Vec<(String, &'static str, bool)> {
    vec![
        ("/api/v1/sites".to_owned(), "id", true),
        (format!("{SITE}/products"), "product_id", true),
        (format!("{SITE}/products?status=unmapped"), "product_id", true),
        (format!("{SITE}/products?q=MEAL"), "product_id", true),
        (format!("{SITE}/levels"), "id", true),
        (format!("{SITE}/mappings"), "level", true),
        (format!("{SITE}/members"), "email", true),
        (format!("{SITE}/members?level=gold"), "email", true),
        (format!("{SITE}/members?q=X.EXAMPLE"), "email", true),
        (format!("{SITE}/members?q=m&level=gold"), "email", true),
        (format!("{SITE}/members/m1@x.example/blocks"), "note", true),
        (format!("{SITE}/webhooks"), "transaction_id", true),
        (format!("{SITE}/webhooks?status=applied"), "transaction_id", true),
        (format!("{SITE}/webhooks?q=558001"), "transaction_id", true),
        (format!("{SITE}/webhooks?q=558001&status=applied"), "transaction_id", true),
        (format!("{SITE}/changes"), "email", false),
        (format!("{SITE}/destinations"), "name", true),
        (format!("{SITE}/pushes"), "email", true),
        (format!("{SITE}/pushes?status=pending"), "email", true),
    ]
}

/// Reads a list to its end in pages of `limit`.
pub fn walk(app: &TestApp, path: &str, limit: usize) -> Vec<Value> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    let mut cursor = String::new();
    for _ in 0..50 {
        let page = app.get(&format!("{path}{joint}limit={limit}{cursor}"));
        let found = items(&page);
        assert!(found.len() <= limit, "{path}");
        all.extend(found.iter().cloned());
        let Some(next) = page.json["next_cursor"].as_str() else {
            assert_eq!(page.json["next_cursor"], Value::Null);
            return all;
        };
        assert_eq!(found.len(), limit, "{path}: a page before the last is full");
        cursor = format!("&cursor={next}");
    }
    panic!("{path}: the list has no end");
}

/// Five of everything, a day apart but for two of the same instant.
fn five_of_everything(app: &TestApp) {
    gold(app);
    let destination = |name: String, what: &str| {
        let config = json!({ "url": "https://a.example/in", "types": [what] });
        let asked = json!({ "kind": "webhook", "name": name, "config": config });
        assert_eq!(app.post(&format!("{SITE}/destinations"), &asked).status, 201);
    };
    destination("first".to_owned(), "access.changed");
    for number in 1_u64..=5 {
        if number != 4 {
            app.at(instant(&format!("2026-01-0{number}T12:00:00.5Z")));
        }
        app.post("/api/v1/sites", &json!({ "id": format!("s{}", 9 - number) }));
        app.level(&format!("l{}", 9 - number));
        destination(format!("d{}", 9 - number), "alarm.raised");
        app.map(&json!({ "product_id": 70, "level": format!("l{}", 9 - number) }));
        applied(app, &sale(1000 + number, &format!("m{number}@x.example")));
        applied(
            app,
            &sale(2000 + number, &format!("m{number}@x.example")).with("product_id", 80 + number),
        );
        let blocks = format!("{SITE}/members/m1@x.example/blocks");
        app.post(&blocks, &json!({ "level": "l8", "note": number.to_string() }));
    }
}

on_both_databases! {
    fn every_list_is_walked_in_pages_of_every_size(app: &TestApp) {
        five_of_everything(app);
        for (path, key, newest_first) in lists() {
            let all = walk(app, &path, 500);
            assert!(all.len() >= 5, "{path}: {}", all.len());
            for limit in 1..=all.len() + 1 {
                assert_eq!(walk(app, &path, limit), all, "{path} in pages of {limit}");
            }
            let mut keys = each(&all, key);
            let count = keys.len();
            if newest_first {
                keys.reverse();
            }
            let place = |wanted: &str| keys.iter().position(|found| found.contains(wanted));
            let (early, late) = match key {
                "id" | "level" if path.contains("sites/") => ("l8", "l4"),
                "id" => ("s8", "s4"),
                "product_id" => ("81", "85"),
                "email" => ("m1@", "m5@"),
                "note" => ("1", "5"),
                "name" => ("d8", "d4"),
                _ => ("1001", "1005"),
            };
            assert!(place(early) < place(late), "{path}: {keys:?}");
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), count, "{path}: each item once");
        }
    }

    fn a_page_has_50_items_unless_it_is_said_otherwise(app: &TestApp) {
        for number in 0..51 {
            app.level(&format!("l{number}"));
        }
        let page = app.get(&format!("{SITE}/levels"));
        assert_eq!(items(&page).len(), 50);
        let cursor = page.json["next_cursor"].as_str().expect("a cursor");
        let last = app.get(&format!("{SITE}/levels?cursor={cursor}"));
        assert_eq!((items(&last).len(), &last.json["next_cursor"]), (1, &json!(null)));
    }

    fn a_page_that_cannot_be_is_refused(app: &TestApp) {
        gold(app);
        // Cursors of the right shape that no list has given: base64 of ["…"] and ["…","…"].
        let forged = [
            "W10", "WyIiXQ", "WyJhIl0", "WyJcdTAwMDAiXQ", "WyJcdTAwMDAiLCJhIl0", "WyJhIiwiYiJd", "WzEsMl0",
            "WyItMjAwMDAwLTAxLTAxVDAwOjAwOjAwIiwiYSJd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiXHUwMDAwIl0", "e30",
        ];
        for (path, ..) in lists() {
            let joint = if path.contains('?') { '&' } else { '?' };
            for query in ["limit=0", "limit=-1", "limit=501", "limit=x", "limit=", "limit=1.0", "limit=99999999999999999999",
                "limit=1&limit=2", "page=2", "offset=1", "cursor=x", "cursor=%21", "cursor="] {
                problem(&app.get(&format!("{path}{joint}{query}")), 400, "malformed");
            }
            for cursor in forged {
                let reply = app.get(&format!("{path}{joint}cursor={cursor}"));
                if reply.status != 200 {
                    problem(&reply, 400, "malformed");
                }
            }
            let reply = app.get(&format!("{path}{joint}cursor=WyJcdTAwMDAiLCJhIl0"));
            problem(&reply, 400, "malformed");
            for limit in [1, 500] {
                assert_eq!(app.get(&format!("{path}{joint}limit={limit}")).status, 200, "{path}");
            }
        }
        next_good_webhook_is_applied(app);
    }
}
