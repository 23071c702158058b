//! Bodies that no Kartra sends: always the documented answer, and the next good webhook is applied.

use super::bodies::sale;
use super::gold;
use crate::on_both_databases;
use crate::support::{Reply, TestApp};
use serde_json::{Value, json};
use std::path::Path;

const NEITHER: &str = "unreadable: neither a JSON object nor a form";

/// Posts a body; it is stored and answered 200 with a reading.
#[track_caller]
fn reading_of(app: &TestApp, body: &[u8]) -> String {
    let reply: Reply = app.receives(body);
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    assert_eq!(reply.status, 200, "{shown}: {reply:?}");
    let stored = &app.webhooks()[0];
    assert_eq!(stored["id"], reply.json["webhook_id"], "{shown}");
    reply.json["reading"].as_str().expect("a reading").to_owned()
}

/// The next good webhook is applied.
#[track_caller]
fn still_applies(app: &TestApp, number: u64) {
    let email = format!("good{number}@x.example");
    assert_eq!(reading_of(app, sale(900_000 + number, &email).json().as_bytes()), "sale");
    app.drain();
    assert_eq!(app.levels_of(&email), ["gold"], "after odd body {number}");
}

on_both_databases! {
    fn what_is_neither_json_nor_form_is_unreadable_and_harms_nothing(app: &TestApp) {
        gold(app);
        let empty = "unreadable: the body is empty";
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"".to_vec(), empty),
            (b" \r\n\t ".to_vec(), empty),
            ("\u{feff}".into(), empty),
            (b"{".to_vec(), NEITHER),
            (b"}".to_vec(), NEITHER),
            (b"[]".to_vec(), NEITHER),
            (b"[{\"action\":\"buy_product\"}]".to_vec(), NEITHER),
            (b"\"text\"".to_vec(), NEITHER),
            (b"null".to_vec(), NEITHER),
            (b"17".to_vec(), NEITHER),
            (b"{\"action\":\"buy_product\"".to_vec(), NEITHER),
            (b"{\"a\":1}{\"b\":2}".to_vec(), NEITHER),
            (b"{\"a\":\"\\ud800\"}".to_vec(), NEITHER),
            (b"<!DOCTYPE html><html><body class=\"x\">403</body></html>".to_vec(), NEITHER),
            (b"<?xml version=\"1.0\"?><a b=\"c\"/>".to_vec(), NEITHER),
            ((0..=255).collect(), NEITHER),
            (vec![0; 4096], NEITHER),
            (vec![0xff; 4096], NEITHER),
            (b"\x1f\x8b\x08\x00\x00=\x00".to_vec(), NEITHER),
            (b"hello kartra".to_vec(), NEITHER),
            ("[".repeat(500_000).into(), "unreadable: JSON nested deeper than 64"),
            ("{\"a\":".repeat(100_000).into(), "unreadable: JSON nested deeper than 64"),
        ];
        for (number, (body, reading)) in (1..).zip(cases) {
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert_eq!(reading_of(app, &body), reading, "{number}: {shown}");
            assert_eq!(app.webhooks()[0]["status"], "unreadable", "{number}: {shown}");
            still_applies(app, number);
        }
    }

    fn what_can_be_read_is_read_whatever_surrounds_it(app: &TestApp) {
        gold(app);
        let latin_1 = |text: String| text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
        let jose = |number| sale(number, "dana@x.example").with("product_name", "Men\u{fa} \u{e9}");
        let cases: Vec<Vec<u8>> = vec![
            latin_1(jose(1001).json()),
            latin_1(jose(1002).form(None)),
            format!("\u{feff}{}", sale(1003, "dana@x.example").json()).into(),
            format!("\r\n {} \n", sale(1004, "dana@x.example").json()).into(),
            format!("{}\r\n", sale(1005, "dana@x.example").form(None)).into(),
            format!("&&{}&&", sale(1006, "dana@x.example").form(None)).into(),
        ];
        for (number, body) in (1..).zip(cases) {
            assert_eq!(reading_of(app, &body), "sale", "{number}");
            still_applies(app, number);
        }
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn wrong_types_everywhere_are_answered_200(app: &TestApp) {
        gold(app);
        let odd = [
            json!(null), json!([]), json!({}), json!([1, [2]]), json!({ "a": { "b": 1 } }), json!(true),
            json!(false), json!(-1), json!(1.5), json!(u64::MAX), json!(1e300), json!(""), json!("\u{0}"),
            json!("a\u{0}b\u{1b}[31m"), json!("0000-00-00 00:00:00"), json!("9999-12-31 23:59:59"),
            json!("9".repeat(200)), json!("\u{202e}\u{1f40d}"), json!("'; DROP TABLE webhooks; --"),
        ];
        let good = sale(1001, "dana@x.example").with("trial", 1).with("trial_period", 7)
            .with("rebill_circle", 30).with("installments", 3).with("payments_left", 2)
            .with("transaction_subscription_pay_number", 1).with("product_price_point", "pp")
            .with("transaction_internal_subscription_id", 77).with("original_id", 1)
            .with("transaction_parent_id", 2);
        let details = good.value()["action_details"]["transaction_details"].clone();
        for key in details.as_object().expect("an object").keys() {
            for value in &odd {
                let reading = reading_of(app, good.clone().with(key, value.clone()).json().as_bytes());
                let documented = reading == "sale" || reading.starts_with("unreadable: a money event without ");
                assert!(documented, "{key} = {value}: {reading}");
            }
            app.drain();
        }
        still_applies(app, 1);
    }

    fn wrong_types_of_the_whole_are_answered_200(app: &TestApp) {
        gold(app);
        for value in [json!(null), json!([]), json!(7), json!("text"), json!("{\"a\":"), json!({})] {
            for path in ["/lead", "/action", "/action_details", "/action_details/transaction_details"] {
                let mut body = sale(1001, "dana@x.example").value();
                *body.pointer_mut(path).expect("there") = value.clone();
                let reading = reading_of(app, body.to_string().as_bytes());
                let documented = ["sale", "other"].contains(&reading.as_str())
                    || reading.starts_with("unreadable: a money event without ");
                assert!(documented, "{path} = {value}: {reading}");
            }
        }
        app.drain();
        still_applies(app, 1);
    }

    fn ids_and_addresses_that_are_too_long_to_be_any(app: &TestApp) {
        gold(app);
        let longest = "7".repeat(255);
        assert_eq!(reading_of(app, sale(1, "dana@x.example").with("transaction_id", longest).json().as_bytes()), "sale");
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        let keys = ["transaction_id", "product_id", "product_price_point", "lead_id", "original_id"];
        for (number, key) in (1..).zip(keys) {
            for bytes in [256, 100_000] {
                let body = sale(1001, "dana@x.example").with(key, "7".repeat(bytes)).json();
                let reading = reading_of(app, body.as_bytes());
                assert_eq!(reading, format!("unreadable: {key} is longer than 255 bytes"));
            }
            still_applies(app, number);
        }
        // An address that cannot be one is none; the lead id still says who it is.
        let endless = format!("{}@x.example", "d".repeat(100_000));
        let mut body: Value = sale(1002, "eva@x.example").with("lead_email", endless.clone()).value();
        body["lead"]["email"] = json!(endless);
        assert_eq!(reading_of(app, body.to_string().as_bytes()), "sale");
        app.drain();
        assert_eq!(app.webhooks()[0]["email"], json!(null));
    }

    fn what_belongs_to_the_inbound_api_gives_and_takes_nothing(app: &TestApp) {
        gold(app);
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/inbound");
        let files = std::fs::read_dir(samples).expect("the samples").map(|file| file.expect("a file").path());
        let bodies: Vec<Vec<u8>> = files.map(|path| std::fs::read(path).expect("a sample")).collect();
        let products = app.get("/api/v1/sites/default/products").json;
        for body in &bodies {
            assert_eq!(reading_of(app, body), "other");
        }
        app.drain();
        for webhook in app.webhooks() {
            assert_eq!(webhook["status"], "no_effect", "{webhook}");
        }
        assert_eq!(app.get("/api/v1/sites/default/products").json, products, "nothing is discovered");
        assert_eq!(app.get("/api/v1/sites/default/members").json["items"], json!([]));
        assert_eq!(app.changes(), [] as [Value; 0]);
        still_applies(app, 1);
    }
}
