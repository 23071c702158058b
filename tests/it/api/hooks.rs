//! `POST /hooks/kartra/{token}`: the table of answers, row by row.

use super::bodies::{
    Body, PRODUCT, cancellation, chargeback, partial_refund, payment_failed, rebill, refund, sale,
    tagged,
};
use super::{SITE, problem};
use crate::on_both_databases;
use serde_json::json;

const MIB: usize = 1024 * 1024;

/// A JSON body of exactly this many bytes.
fn of_size(body: &Body, bytes: usize) -> Vec<u8> {
    let mut body = body.json().into_bytes();
    body.resize(bytes, b' ');
    body
}

/// An object nested this deep.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

on_both_databases! {
    fn each_kind_is_answered_200_with_its_reading(app: &TestApp) {
        let kinds = [
            ("sale", sale(1001, "dana@x.example")),
            ("rebill", rebill(1002, 1001, "dana@x.example")),
            ("payment_failed", payment_failed(1003, 1001, "dana@x.example")),
            ("partial_refund", partial_refund(1004, 1001, "dana@x.example")),
            ("cancellation", cancellation(1005, 1001, "dana@x.example")),
            ("refund", refund(1006, 1001, "dana@x.example")),
            ("chargeback", chargeback(1007, 1001, "dana@x.example")),
            ("other", tagged("dana@x.example")),
        ];
        for (kind, body) in kinds {
            for (feed, sent) in [("outbound", body.json()), ("outbound", body.strings()), ("ipn", body.form(None))] {
                let reply = app.receives(sent);
                assert_eq!(reply.status, 200, "{kind}: {reply:?}");
                let stored = &app.webhooks()[0];
                let answer = json!({ "webhook_id": stored["id"], "reading": kind });
                // A form of nothing but a person's name is an `other` as well.
                assert_eq!((&reply.json, stored["kind"].as_str()), (&answer, Some(kind)));
                assert_eq!(stored["status"], "pending", "applied afterwards");
                if !(kind == "other" && feed == "ipn") {
                    assert_eq!(stored["feed"], feed);
                }
                if kind == "other" {
                    break;
                }
            }
        }
    }

    fn a_money_event_without_transaction_product_or_person_is_unreadable(app: &TestApp) {
        let sale = sale(1001, "dana@x.example");
        let nobody = |body: Body| body.without("lead_id").without("lead_email");
        let mut nameless = nobody(sale.clone()).value();
        nameless["lead"] = json!({});
        let cases = [
            (sale.clone().without("transaction_id").json(), "a money event without transaction_id"),
            (sale.clone().with("transaction_id", "N/A").json(), "a money event without transaction_id"),
            (sale.clone().with("product_id", 0).form(None), "a money event without product_id"),
            (nameless.to_string(), "a money event without a person: neither lead id nor e-mail"),
            (nobody(sale).form(None), "a money event without a person: neither lead id nor e-mail"),
        ];
        for (body, why) in cases {
            let reply = app.receives(body.clone());
            assert_eq!(reply.status, 200, "{body}");
            assert_eq!(reply.json["reading"], format!("unreadable: {why}"), "{body}");
            let stored = &app.webhooks()[0];
            assert_eq!((&stored["status"], &stored["reason"]), (&json!("unreadable"), &json!(why)));
            assert_eq!(stored["kind"], json!(null));
        }
    }

    fn json_nested_64_deep_is_read_and_65_deep_is_unreadable(app: &TestApp) {
        let reply = app.receives(nested(64));
        assert_eq!((reply.status, reply.json["reading"].as_str()), (200, Some("other")));
        let reply = app.receives(nested(65));
        let reading = Some("unreadable: JSON nested deeper than 64");
        assert_eq!((reply.status, reply.json["reading"].as_str()), (200, reading));
    }

    fn a_body_of_exactly_1_mib_is_stored_and_one_byte_more_is_413(app: &TestApp) {
        let reply = app.receives(of_size(&sale(1001, "dana@x.example"), MIB));
        assert_eq!((reply.status, reply.json["reading"].as_str()), (200, Some("sale")));
        let reply = app.receives(of_size(&sale(1002, "dana@x.example"), MIB + 1));
        problem(&reply, 413, "too-large");
        assert_eq!(app.webhooks().len(), 1, "what is too large is not stored");
    }

    fn an_unknown_token_is_404_and_nothing_is_stored(app: &TestApp) {
        for path in ["/hooks/kartra/nonsense", "/hooks/kartra/%00", "/hooks/kartra/%FF"] {
            problem(&app.post_raw(path, sale(1001, "dana@x.example").json()), 404, "not-found");
            problem(&app.request("GET", path, |request| request), 404, "not-found");
        }
        let hook = app.hook();
        let other = format!("{}x", &hook[..hook.len() - 1]);
        if other != hook {
            problem(&app.post_raw(&other, sale(1001, "dana@x.example").json()), 404, "not-found");
        }
        assert_eq!(app.webhooks(), [] as [serde_json::Value; 0]);
    }

    fn a_get_answers_200_with_one_line_of_plain_text(app: &TestApp) {
        let reply = app.request("GET", &app.hook(), |request| request);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(reply.text.lines().count(), 1, "{}", reply.text);
        assert!(reply.text.ends_with('\n') && reply.text.len() > 20, "{}", reply.text);
        let head = app.request("HEAD", &app.hook(), |request| request);
        assert_eq!((head.status, head.text.as_str()), (200, ""), "who only looks whether it is there");
    }

    fn other_methods_are_405_with_what_is_allowed(app: &TestApp) {
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
            let reply = app.request(method, &app.hook(), |request| request.body("{}"));
            problem(&reply, 405, "method-not-allowed");
            assert_eq!(reply.header("allow"), Some("GET, HEAD, POST"), "{method}");
        }
        assert_eq!(app.webhooks().len(), 0);
    }

    fn the_content_type_decides_nothing(app: &TestApp) {
        let types = [
            "application/json", "application/json; charset=iso-8859-1", "text/plain",
            "application/x-www-form-urlencoded", "application/octet-stream", "text/html",
            "multipart/form-data; boundary=x", "image/png", "nonsense", "a/b; c", "",
        ];
        let hook = app.hook();
        for (number, content_type) in (2001..).step_by(2).zip(types) {
            let bodies =
                [sale(number, "dana@x.example").json(), sale(number + 1, "dana@x.example").form(None)];
            for body in bodies {
                let reply = app.request("POST", &hook, |request| {
                    request.header("content-type", content_type).body(body)
                });
                assert_eq!(reply.status, 200, "{content_type}: {reply:?}");
                assert_eq!(reply.json["reading"], "sale", "{content_type}");
            }
        }
        assert_eq!(app.webhooks().len(), types.len() * 2);
    }

    fn a_disabled_site_stores_and_does_not_apply_until_enabled(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold" }));
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).json["enabled"], false);
        let reply = app.receives(sale(1001, "dana@x.example").json());
        assert_eq!((reply.status, reply.json["reading"].as_str()), (200, Some("sale")));
        app.drain();
        assert_eq!(app.webhooks()[0]["status"], "pending");
        let id = reply.json["webhook_id"].as_str().expect("an id");
        let replayed = app.post(&format!("{SITE}/webhooks/{id}/replay"), &json!({}));
        assert!(replayed.status < 500, "{replayed:?}");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0], "a replay applies nothing either");
        assert_eq!(app.get(SITE).json["connection"]["state"], "disabled");

        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).json["enabled"], true);
        app.drain();
        assert_eq!(app.webhooks()[0]["status"], "applied");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }
}
