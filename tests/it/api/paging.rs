//! Every list is read in pages: each item once, in order, and the last page says that it is.

mod filled;

use super::{SITE, each, items, next_good_webhook_is_applied, problem};
use crate::on_both_databases;
use crate::support::{Database, TestApp};
use filled::five_of_everything;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A list: its address, a key of its items, and what that holds in two of them, in the order in which they come.
type List = (String, &'static str, [&'static str; 2]);

/// Every list that is walked here, where there are [`five_of_everything`].
fn lists(app: &TestApp) -> Vec<List> {
    let of_newest = |list: &str, key: &str| {
        let newest = items(&app.get(&format!("{SITE}/{list}?limit=1")));
        each(&newest, key).remove(0)
    };
    let planned = format!("{SITE}/plans/{}/members", of_newest("plans", "id"));
    let destination = of_newest("runs", "destination");
    vec![
        ("/api/v1/sites".to_owned(), "id", ["s4", "s8"]),
        ("/api/v1/keys".to_owned(), "name", ["k4", "k8"]),
        (format!("{SITE}/products"), "product_id", ["85", "81"]),
        (format!("{SITE}/products?status=unmapped"), "product_id", ["85", "81"]),
        (format!("{SITE}/products?q=MEAL"), "product_id", ["85", "81"]),
        (format!("{SITE}/levels"), "id", ["l4", "l8"]),
        (format!("{SITE}/mappings"), "level", ["l4", "l8"]),
        (format!("{SITE}/mappings?product_id=70"), "level", ["l4", "l8"]),
        (format!("{SITE}/plans"), "changes", ["p4", "p8"]),
        (planned.clone(), "email", ["m1@", "m5@"]),
        (format!("{planned}?what=gain"), "email", ["m1@", "m5@"]),
        (format!("{planned}?q=X.EXAMPLE"), "email", ["m1@", "m5@"]),
        (format!("{SITE}/members"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/members?level=gold"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/members?q=X.EXAMPLE"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/members?q=m&level=gold"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/members/m1@x.example/blocks"), "note", ["5", "1"]),
        (format!("{SITE}/webhooks"), "transaction_id", ["1005", "1001"]),
        (format!("{SITE}/webhooks?status=applied"), "transaction_id", ["1005", "1001"]),
        (format!("{SITE}/webhooks?q=558001"), "transaction_id", ["1005", "1001"]),
        (format!("{SITE}/webhooks?q=558001&status=applied"), "transaction_id", ["1005", "1001"]),
        (format!("{SITE}/changes"), "email", ["m1@", "m5@"]),
        (format!("{SITE}/alarms"), "kind", ["silent", "held_purchases"]),
        (format!("{SITE}/destinations"), "name", ["d4", "d8"]),
        (format!("{SITE}/pushes"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/pushes?status=pending"), "email", ["m5@", "m1@"]),
        (format!("{SITE}/runs"), "created_at", ["2026-01-05", "2026-01-01"]),
        (
            format!("{SITE}/runs?destination={destination}"),
            "created_at",
            ["2026-01-05", "2026-01-01"],
        ),
    ]
}

/// Lists that are walked where they are filled, as that takes a story of its own: in `alarms/kinds.rs`,
/// `alarms/overdue.rs`, `breaker/listed.rs`, `runs/compared.rs` and `api/timeline.rs`.
fn walked_elsewhere() -> [String; 5] {
    [
        format!("{SITE}/alarms?state=ended"),
        format!("{SITE}/subscriptions/overdue"),
        format!("{SITE}/held-open"),
        format!("{SITE}/drift"),
        format!("{SITE}/members/m1@x.example/timeline"),
    ]
}

/// The addresses of all lists that have pages.
fn addresses(app: &TestApp) -> Vec<String> {
    let here = lists(app).into_iter().map(|(address, ..)| address);
    here.chain(walked_elsewhere()).collect()
}

/// Whether an address is of a path of the document, in which names in braces stand for anything.
fn is_of(address: &str, path: &str) -> bool {
    let address = address.trim_start_matches("/api/v1").split('?').next().unwrap_or_default();
    let asked: Vec<&str> = address.split('/').collect();
    let named: Vec<&str> = path.split('/').collect();
    let fits = |(asked, named): (&&str, &&str)| named.starts_with('{') || asked == named;
    asked.len() == named.len() && asked.iter().zip(&named).all(fits)
}

// What the document says does not depend on the database: one is enough.
#[test]
fn no_list_that_has_pages_is_left_out() {
    let app = TestApp::start(Database::sqlite());
    five_of_everything(&app);
    let document = app.get("/api/v1/openapi.json").json;
    let cursor = json!({ "$ref": "#/components/parameters/cursor" });
    let has_pages = |methods: &Value| {
        let parameters = methods["get"]["parameters"].as_array();
        parameters.is_some_and(|parameters| parameters.contains(&cursor))
    };
    let paths = document["paths"].as_object().expect("paths").iter();
    let paths = paths.filter(|(_, methods)| has_pages(methods));
    let with_pages: BTreeSet<&str> = paths.map(|(path, _)| path.as_str()).collect();
    let addresses = addresses(&app);
    let path_of = |address: &String| {
        let path = with_pages.iter().find(|path| is_of(address, path));
        *path.unwrap_or_else(|| panic!("{address} is no list that has pages"))
    };
    assert_eq!(addresses.iter().map(path_of).collect::<BTreeSet<_>>(), with_pages);
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

on_both_databases! {
    fn every_list_is_walked_in_pages_of_every_size(app: &TestApp) {
        five_of_everything(app);
        for (path, key, [earlier, later]) in lists(app) {
            let all = walk(app, &path, 500);
            assert!(all.len() >= 5, "{path}: {}", all.len());
            for limit in 1..=all.len() + 1 {
                assert_eq!(walk(app, &path, limit), all, "{path} in pages of {limit}");
            }
            let keys = each(&all, key);
            let place = |wanted: &str| keys.iter().position(|found| found.contains(wanted));
            assert!(place(earlier).is_some() && place(earlier) < place(later), "{path}: {keys:?}");
            let once: BTreeSet<String> = all.iter().map(Value::to_string).collect();
            assert_eq!(once.len(), all.len(), "{path}: each item once");
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
        five_of_everything(app);
        // Cursors of the right shape that no list has given: base64 of ["…"] and ["…","…"].
        let forged = [
            "W10", "WyIiXQ", "WyJhIl0", "WyJcdTAwMDAiXQ", "WyJcdTAwMDAiLCJhIl0", "WyJhIiwiYiJd", "WzEsMl0",
            "WyItMjAwMDAwLTAxLTAxVDAwOjAwOjAwIiwiYSJd", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiXHUwMDAwIl0", "e30",
        ];
        for path in addresses(app) {
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
