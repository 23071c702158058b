//! `/sites/{site}/test-purchase`.

use super::bodies::{PRODUCT, sale};
use super::{SITE, applied, gold, items, problem, refused_at};
use crate::on_both_databases;
use crate::support::{Reply, TestApp, instant};
use serde_json::{Value, json};

fn buy(app: &TestApp, body: &Value) -> Reply {
    app.post(&format!("{SITE}/test-purchase"), body)
}

/// A test purchase; answers what is said of it, and its webhook.
#[track_caller]
fn bought(app: &TestApp, body: &Value) -> (Value, Value) {
    let reply = buy(app, body);
    assert_eq!(reply.status, 200, "{reply:?}");
    let id = reply.json["webhook_id"].as_str().expect("an id");
    let webhook = app.get(&format!("{SITE}/webhooks/{id}"));
    assert_eq!(webhook.status, 200, "{webhook:?}");
    (reply.json, webhook.json)
}

fn list(app: &TestApp, path: &str) -> Vec<Value> {
    items(&app.get(&format!("{SITE}/{path}")))
}

on_both_databases! {
    fn it_says_what_would_come_of_a_purchase(app: &TestApp) {
        app.post(&format!("{SITE}/levels"), &json!({ "id": "gold", "name": "The gold club" }));
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 30 } }));
        let (said, _) = bought(app, &json!({ "product_id": PRODUCT.parse::<u64>().expect("a number"), "email": " Dana@X.example" }));
        assert!(said["took_ms"].is_u64(), "{said}");
        assert_eq!(said, json!({
            "test": true, "webhook_id": said["webhook_id"], "reading": "sale", "would_be": "applied",
            "would_give": [{ "level": "gold", "name": "The gold club", "until": "2026-01-31T00:00:00Z" }],
            "email": "dana@x.example", "product_id": PRODUCT, "price_point": "1", "took_ms": said["took_ms"],
        }));
    }

    fn nothing_at_all_has_to_be_said(app: &TestApp) {
        gold(app);
        let post = |body: Option<&'static str>| {
            app.request("POST", &format!("{SITE}/test-purchase"), |request| {
                let request = request.bearer_auth(crate::support::ADMIN_KEY);
                match body {
                    Some(body) => request.body(body),
                    None => request,
                }
            })
        };
        for body in [None, Some("{}")] {
            let said = post(body).json;
            assert_eq!(said, json!({
                "test": true, "webhook_id": said["webhook_id"], "reading": "sale", "would_be": "held", "would_give": [],
                "email": "test-purchase@example.com", "product_id": "test-purchase", "price_point": "1",
                "took_ms": said["took_ms"],
            }));
        }
    }

    fn it_goes_by_the_mappings_and_products_of_now(app: &TestApp) {
        let asked = json!({ "product_id": PRODUCT, "price_point": "yearly" });
        let outcome = || {
            let (said, _) = bought(app, &asked);
            let levels = said["would_give"].as_array().expect("levels").iter();
            (said["would_be"].clone(), levels.map(|level| level["level"].clone()).collect::<Vec<_>>())
        };
        applied(app, &sale(1001, "dana@x.example"));
        assert_eq!(outcome(), (json!("held"), vec![]));
        let product = format!("{SITE}/products/{PRODUCT}");
        assert_eq!(app.patch(&product, &json!({ "ignored": true })).status, 200);
        assert_eq!(outcome(), (json!("no_effect"), vec![]));
        app.level("gold");
        app.level("silver");
        app.map(&json!({ "product_id": PRODUCT, "level": "silver", "price_point": "monthly" }));
        assert_eq!(outcome(), (json!("held"), vec![]));
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "price_point": "yearly" }));
        assert_eq!(outcome(), (json!("applied"), vec![json!("gold")]));
    }

    fn it_is_listed_as_what_it_is_with_a_body_that_says_so(app: &TestApp) {
        let (said, webhook) = bought(app, &json!({ "product_id": 7 }));
        let body: Value = serde_json::from_str(webhook["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!((&body["action"], &body["latchkey"]["test"]), (&json!("buy_product"), &json!(true)));
        let transaction = &body["action_details"]["transaction_details"];
        assert_eq!(transaction["transaction_date"], "2025-12-31 19:00:00", "now, on the clock of the account");
        assert_eq!(webhook, json!({
            "id": said["webhook_id"], "received_at": "2026-01-01T00:00:00Z", "feed": "test", "status": "discarded",
            "kind": "sale", "transaction_id": transaction["transaction_id"], "product_id": "7",
            "email": "test-purchase@example.com", "reason": "a test purchase, which is never applied", "changes": 0,
            "body": webhook["body"],
        }));
        assert_eq!(list(app, "webhooks?q=test-purchase@example.com").len(), 1);
        assert_eq!(list(app, "webhooks?status=discarded").len(), 1);
    }

    fn nothing_of_it_lasts(app: &TestApp) {
        gold(app);
        app.level("silver");
        app.map(&json!({ "product_id": 7, "level": "silver" }));
        let config = json!({ "url": "https://doors.example.com/latchkey" });
        let door = json!({ "kind": "webhook", "name": "The door", "config": config });
        assert_eq!(app.post(&format!("{SITE}/destinations"), &door).status, 201);
        applied(app, &sale(1001, "dana@x.example"));
        let seen = |app: &TestApp| {
            let lists = ["members", "products", "changes", "pushes", "alarms"].map(|path| list(app, path));
            (lists, app.get(&format!("{SITE}/stats")).json, app.access_of("dana@x.example"))
        };
        let before = seen(app);
        let asked = [
            json!({}), json!({ "product_id": PRODUCT }), json!({ "product_id": 7, "email": "dana@x.example" }),
            json!({ "product_id": 8, "email": "dana@x.example" }),
        ];
        for asked in asked {
            bought(app, &asked);
        }
        app.drain();
        assert_eq!(seen(app), before);
        assert_eq!(app.levels_of("test-purchase@example.com"), [""; 0]);
        let timeline = list(app, "members/dana@x.example/timeline");
        assert!(timeline.iter().all(|item| !item.to_string().contains("test-")), "{timeline:?}");
    }

    fn it_can_never_be_made_to_count(app: &TestApp) {
        gold(app);
        let (said, webhook) = bought(app, &json!({ "product_id": PRODUCT }));
        let path = format!("{SITE}/webhooks/{}", said["webhook_id"].as_str().expect("an id"));
        for act in ["replay", "restore"] {
            let refused = app.post(&format!("{path}/{act}"), &json!({}));
            problem(&refused, 409, "conflict");
            assert!(refused.json["detail"].as_str().expect("words").contains("test purchase"), "{refused:?}");
        }
        assert_eq!(app.post(&format!("{path}/discard"), &json!({})).status, 200);
        app.at(instant("2026-01-02T00:00:00Z"));
        let now = app.get(&path).json;
        assert_eq!((&now["status"], &now["feed"]), (&webhook["status"], &webhook["feed"]));
        assert_eq!(app.levels_of("test-purchase@example.com"), [""; 0]);
        latchkey::flow::rebuild::rebuild(app.app.flow(), "default", |_, _, _| {}).expect("rebuilt");
        assert_eq!((list(app, "members").len(), list(app, "changes").len()), (0, 0));
    }

    fn it_is_no_word_of_kartras(app: &TestApp) {
        bought(app, &json!({}));
        let connection = app.get(SITE).json["connection"].clone();
        assert_eq!(connection["state"], "waiting_for_first_webhook", "{connection}");
        assert_eq!((&connection["last_webhook_at"], &connection["feeds_seen"]), (&json!(null), &json!([])));
    }

    fn a_disabled_site_tells_it_too_and_applies_nothing_later(app: &TestApp) {
        gold(app);
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        let (said, _) = bought(app, &json!({ "product_id": PRODUCT }));
        assert_eq!(said["would_be"], "applied");
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        app.drain();
        assert_eq!(app.levels_of("test-purchase@example.com"), [""; 0]);
    }

    fn what_cannot_be_bought_is_refused_and_stores_nothing(app: &TestApp) {
        refused_at(&buy(app, &json!({ "email": "nobody" })), &["/email"]);
        refused_at(&buy(app, &json!({ "email": null })), &["/email"]);
        refused_at(&buy(app, &json!({ "product_id": 0 })), &["/product_id"]);
        refused_at(&buy(app, &json!({ "price_point": "" })), &["/price_point"]);
        refused_at(&buy(app, &json!({ "surprise": 1 })), &["/surprise"]);
        problem(&app.post("/api/v1/sites/nowhere/test-purchase", &json!({})), 404, "not-found");
        let made = app.post("/api/v1/keys", &json!({ "name": "x", "scopes": ["support"] }));
        let key = made.json["key"].as_str().expect("a key").to_owned();
        let asked = app.request("POST", &format!("{SITE}/test-purchase"), |request| request.bearer_auth(&key));
        problem(&asked, 403, "forbidden");
        assert_eq!(app.webhooks(), [serde_json::Value::Null; 0]);
    }
}
