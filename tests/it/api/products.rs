//! `/sites/{site}/products`.

use super::bodies::{PRODUCT, cancellation, sale};
use super::{
    SITE, applied, each, gold, honours_etags, items, next_good_webhook_is_applied, problem,
    refused_at,
};
use crate::console::support::Console;
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, START, TestApp, instant};
use chrono::TimeDelta;
use latchkey::store::products::{self, Product, Status};
use serde_json::{Value, json};

fn product(app: &TestApp) -> Value {
    app.get(&format!("{SITE}/products/{PRODUCT}")).json
}

fn with_status(app: &TestApp, status: &str) -> Vec<String> {
    each(&items(&app.get(&format!("{SITE}/products?status={status}"))), "product_id")
}

on_both_databases! {
    fn a_product_appears_with_the_first_money_event_and_counts_what_is_held(app: &TestApp) {
        assert_eq!(items(&app.get(&format!("{SITE}/products"))).len(), 0);
        applied(app, &sale(1001, "dana@x.example").with("product_price_point", "pp-a"));
        app.at(instant("2026-01-02T00:00:00Z"));
        let eva = sale(1002, "eva@x.example").with("transaction_date", "2025-12-02 09:00:00");
        applied(app, &eva.with("product_price_point", "pp-b"));
        applied(app, &sale(1003, "finn@x.example").with("product_price_point", "pp-b"));
        assert_eq!(product(app), json!({
            "product_id": PRODUCT, "name": "Meal plans", "status": "unmapped",
            "held": 3, "oldest_held_at": "2025-12-01T14:00:00Z", "purchases": 3,
            "price_points": [
                { "price_point": "pp-a", "purchases": 1 }, { "price_point": "pp-b", "purchases": 2 },
            ],
            "mappings": [],
            "first_seen_at": "2026-01-01T00:00:00Z", "last_seen_at": "2026-01-02T00:00:00Z",
        }));
        applied(app, &cancellation(1004, 1003, "finn@x.example"));
        assert_eq!(product(app)["held"], 2, "what is over is held no more");
        gold(app);
        let mapped = product(app);
        assert_eq!(mapped["mappings"], app.get(&format!("{SITE}/mappings")).json["items"]);
        assert_eq!((&mapped["status"], &mapped["held"]), (&json!("mapped"), &json!(0)));
        assert_eq!(mapped["oldest_held_at"], json!(null));
    }

    fn an_ignored_product_holds_nothing_until_it_is_mapped(app: &TestApp) {
        let path = format!("{SITE}/products/{PRODUCT}");
        let id = applied(app, &sale(1001, "dana@x.example"));
        let status = || app.get(&format!("{SITE}/webhooks/{id}")).json["status"].clone();
        assert_eq!(status(), "held");
        let ignored = app.patch(&path, &json!({ "ignored": true }));
        assert_eq!((ignored.status, &ignored.json["status"]), (200, &json!("ignored")));
        assert_eq!((&ignored.json["held"], &product(app)["held"]), (&json!(0), &json!(0)));
        assert_eq!(status(), "no_effect");
        assert_eq!(app.patch(&path, &json!({ "ignored": true })).status, 200, "said twice");
        let again = app.patch(&path, &json!({ "ignored": false }));
        assert_eq!((&again.json["status"], &again.json["held"]), (&json!("unmapped"), &json!(1)));
        assert_eq!(status(), "held");

        app.patch(&path, &json!({ "ignored": true }));
        gold(app);
        assert_eq!(product(app)["status"], "mapped", "mapping it ends the ignoring");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        problem(&app.patch(&path, &json!({ "ignored": true })), 409, "conflict");
        assert_eq!(product(app)["status"], "mapped");
    }

    fn products_are_listed_by_status(app: &TestApp) {
        for (number, product) in (1..).zip([71, 72, 73]) {
            applied(app, &sale(number, "dana@x.example").with("product_id", product));
        }
        app.level("gold");
        app.map(&json!({ "product_id": 72, "level": "gold", "enabled": false }));
        app.patch(&format!("{SITE}/products/73"), &json!({ "ignored": true }));
        assert_eq!(with_status(app, "unmapped"), ["71"]);
        assert_eq!(with_status(app, "mapped"), ["72"]);
        assert_eq!(with_status(app, "ignored"), ["73"]);
        // A mapping of what nobody has bought yet decides about it ahead, and one that goes decides nothing any more.
        let ahead = app.map(&json!({ "product_id": "74", "level": "gold" }));
        applied(app, &sale(74, "dana@x.example").with("product_id", 74));
        assert_eq!(with_status(app, "mapped"), ["74", "72"]);
        let path = format!("{SITE}/mappings/{}", ahead["id"].as_str().expect("an id"));
        let gone = app.request("DELETE", &path, |request| request.bearer_auth(ADMIN_KEY));
        assert!(gone.status < 300, "{gone:?}");
        assert_eq!(with_status(app, "unmapped"), ["74", "71"]);
        assert_eq!(with_status(app, "mapped"), ["72"]);
        problem(&app.get(&format!("{SITE}/products?status=loved")), 400, "malformed");
    }

    fn products_are_found_by_a_part_of_their_name_or_id(app: &TestApp) {
        for (number, name) in (71..).zip(["Meal plans", "Kettle bells", "100% <b>Yoga</b>"]) {
            let sale = sale(number, "dana@x.example").with("product_id", number);
            applied(app, &sale.with("product_name", name));
        }
        let found = |q: &str| each(&items(&app.get(&format!("{SITE}/products?q={q}"))), "product_id");
        for (q, products) in [("MEAL", vec!["71"]), ("72", vec!["72"]), ("7", vec!["73", "72", "71"]), ("%25", vec!["73"]), ("zen", vec![])] {
            assert_eq!(found(q), products, "{q}");
        }
        assert_eq!(found("l&status=mapped"), Vec::<String>::new());
        // The whole id of one finds that one alone, where a part finds others as well.
        applied(app, &sale(74, "dana@x.example").with("product_id", 7).with("product_name", "71 soups"));
        assert_eq!((found("7"), found("71")), (vec!["7".to_owned()], vec!["71".to_owned()]));
        assert_eq!((found("7&status=unmapped"), found("7&status=mapped")), (vec!["7".to_owned()], vec![]));
        assert_eq!(found("7&limit=1"), ["7"]);
        assert_eq!(found("l&status=unmapped&limit=1"), ["72"]);
    }

    fn a_part_that_few_of_very_many_products_have_is_found_page_by_page(app: &TestApp) {
        // The oldest few, behind as many others as are looked through for one page.
        const FEW: i64 = 3;
        const LOOKED_THROUGH: i64 = 20_000;
        let product = |number: i64| {
            let at = (instant(START) + TimeDelta::seconds(number)).naive_utc();
            Product {
                site_id: "default".to_owned(),
                product_id: (700_000 + number).to_string(),
                name: Some(if number < FEW { "Yoga" } else { "Soups" }.to_owned()),
                named_at: None,
                status: Status::Unmapped.as_str().to_owned(),
                first_seen_at: at,
                last_seen_at: at,
            }
        };
        let all: Vec<Product> = (0..FEW + LOOKED_THROUGH).map(product).collect();
        let stored = app.app.store().write(|conn| {
            all.chunks(500).try_for_each(|some| products::replace(conn, "default", some))
        });
        stored.expect("stored");

        let page = |query: &str| {
            let page = app.get(&format!("{SITE}/products?{query}"));
            let next = page.json["next_cursor"].as_str().map(str::to_owned);
            (each(&items(&page), "product_id"), next)
        };
        let (found, next) = page("q=yoga");
        assert_eq!(found, [] as [&str; 0], "so many are looked through, and no more");
        let behind = next.expect("a cursor to go on");
        let (found, next) = page(&format!("q=yoga&limit=2&cursor={behind}"));
        assert_eq!(found, ["700002", "700001"]);
        let (found, next) = page(&format!("q=yoga&limit=2&cursor={}", next.expect("a cursor")));
        assert_eq!((found, next), (vec!["700000".to_owned()], None));
        assert_eq!(page("q=700000"), (vec!["700000".to_owned()], None), "its whole id finds it at once");
        assert_eq!(page("limit=1").0, ["720002"], "whatever has no part is not looked through");

        let console = Console::sign_in(app);
        let first = console.get("/sites/default/products?q=yoga");
        assert!(first.says("No product so far") && !first.says("No product here"), "{}", first.text());
        let (to_next, _) = first.html.split_once("\" rel=\"next\"").expect("a link to go on");
        let (_, next) = to_next.rsplit_once("href=\"").expect("its address");
        let next = console.get(&next.replace("&#38;", "&").replace("&amp;", "&"));
        for number in [700_000, 700_001, 700_002] {
            assert!(next.html.contains(&format!("new.{number}.level")), "{}", next.text());
        }
        assert!(!next.says("No product"), "{}", next.text());
    }

    fn a_product_honours_etags(app: &TestApp) {
        applied(app, &sale(1001, "dana@x.example"));
        honours_etags(app, &format!("{SITE}/products/{PRODUCT}"), &json!({ "ignored": true }));
    }

    fn a_wrong_edit_of_a_product_is_refused(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let path = format!("{SITE}/products/{PRODUCT}");
        for (body, pointer) in [
            (json!({ "ignored": "yes" }), "/ignored"), (json!({ "ignored": null }), "/ignored"),
            (json!({ "ignored": 1 }), "/ignored"), (json!({ "name": "x" }), "/name"), (json!([true, 1]), ""),
        ] {
            refused_at(&app.patch(&path, &body), &[pointer]);
        }
        for unknown in ["1", "nonsense", "558001%20", &"9".repeat(5_000)] {
            problem(&app.get(&format!("{SITE}/products/{unknown}")), 404, "not-found");
            problem(&app.patch(&format!("{SITE}/products/{unknown}"), &json!({ "ignored": true })), 404, "not-found");
        }
        next_good_webhook_is_applied(app);
    }
}
