//! The IPN's `secret_key`: judged at receipt and again at a replay, and never stored in clear.

use super::bodies::{Body, refund, sale};
use super::{SITE, gold, next_good_webhook_is_applied};
use crate::on_both_databases;
use crate::support::TestApp;
use latchkey::flow::rebuild;
use serde_json::{Value, json};

const SECRET: &str = "ipn s&cret=\u{e9}%1 EXAMPLE";

fn set(app: &TestApp, secret: &Value) {
    let set = app.patch(SITE, &json!({ "ipn_secret": secret }));
    assert_eq!(
        (set.status, &set.json["ipn_secret_set"]),
        (200, &json!(!secret.is_null())),
        "{set:?}"
    );
    assert!(
        set.json.get("ipn_secret").is_none() && !set.text.contains("EXAMPLE"),
        "it is write-only"
    );
}

/// Posts a body; answers its reading and the webhook as the API shows it.
fn posted(app: &TestApp, body: impl Into<Vec<u8>>) -> (String, Value) {
    let reply = app.receives(body);
    assert_eq!(reply.status, 200, "{reply:?}");
    let id = reply.json["webhook_id"].as_str().expect("an id");
    let shown = app.get(&format!("{SITE}/webhooks/{id}")).json;
    (reply.json["reading"].as_str().expect("a reading").to_owned(), shown)
}

fn replayed(app: &TestApp, webhook: &Value) -> Value {
    let id = webhook["id"].as_str().expect("an id");
    app.post(&format!("{SITE}/webhooks/{id}/replay"), &json!({})).json["status"].clone()
}

fn dana(number: u64) -> Body {
    sale(number, "dana@x.example")
}

on_both_databases! {
    fn with_a_secret_set_only_its_holder_is_believed(app: &TestApp) {
        gold(app);
        set(app, &json!(SECRET));
        let wrong = "rejected: its secret_key is not the site's IPN secret";
        let missing = "rejected: it carries no secret_key, and the site has an IPN secret";
        for (secret, expected) in [(Some("wrong"), wrong), (Some(""), missing), (None, missing), (Some("ipn"), wrong)] {
            let (reading, shown) = posted(app, dana(1001).form(secret));
            assert_eq!((reading.as_str(), &shown["status"]), (expected, &json!("rejected")));
            assert_eq!(shown["reason"], expected.replace("rejected: ", ""));
        }
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0], "who is rejected moves nothing");
        let (reading, shown) = posted(app, dana(1001).form(Some(SECRET)));
        assert_eq!((reading.as_str(), &shown["feed"]), ("sale", &json!("ipn")));
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        assert_eq!(posted(app, refund(1002, 1001, "dana@x.example").json()).0, "refund", "outbound has no secret");
        next_good_webhook_is_applied(app);
    }

    fn the_secret_is_masked_in_what_is_stored(app: &TestApp) {
        gold(app);
        set(app, &json!(SECRET));
        let flat = Value::from(dana(1001).flat(Some("s3cret-EXAMPLE"))).to_string();
        let bodies = [
            dana(1001).form(Some(SECRET)), dana(1001).form(Some("s3cret-EXAMPLE")), flat.clone(),
            flat.replace("secret_key", "secret\\u005fkey"), flat.replace("\"s3cret-EXAMPLE\"", "[\"x\",\"s3cret-EXAMPLE\"]"),
            flat.replace("\"s3cret-EXAMPLE\"", "{\"a\":{\"b\":\"s3cret-EXAMPLE\"}}"),
            "secret%5Fkey=s3cret-EXAMPLE&a=b".to_owned(), "a=b&secret_key=1&secret_key=s3cret-EXAMPLE".to_owned(),
            "{\"secret_key\":\"s3cret-EXAMPLE".to_owned(), "{\"lead\":{\"secret_key\":\"s3cret-EXAMPLE\"}}".to_owned(),
            "\u{feff}{\"secret_key\":\"s3cret-EXAMPLE\"}".to_owned(),
        ];
        for body in bodies {
            let (_, shown) = posted(app, body.clone());
            let text = shown["body"].as_str().expect("text");
            assert!(text.contains("masked") && !text.contains("EXAMPLE"), "{body} is stored as {text}");
        }
        let (_, shown) = posted(app, dana(1001).form(Some(SECRET)));
        let masked = dana(1001).form(Some("masked"));
        assert_eq!(shown["body"], masked, "every other byte stays");
        next_good_webhook_is_applied(app);
    }

    fn a_mistyped_secret_loses_nothing(app: &TestApp) {
        gold(app);
        set(app, &json!("mistyped"));
        let (_, webhook) = posted(app, dana(1001).form(Some(SECRET)));
        assert_eq!(webhook["status"], "rejected");
        assert_eq!(replayed(app, &webhook), "rejected", "still");
        set(app, &json!(format!(" {SECRET} ")));
        assert_eq!(replayed(app, &webhook), "applied", "judged again, though the secret was masked");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
        set(app, &json!("another"));
        assert_eq!(app.levels_of("dana@x.example"), ["gold"], "what was judged stands");
        assert_eq!(replayed(app, &webhook), "rejected", "until it is replayed");
        assert_eq!(app.levels_of("dana@x.example"), [] as [&str; 0]);
        set(app, &json!(null));
        assert_eq!(replayed(app, &webhook), "applied");
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn what_was_judged_stands_until_a_replay_is_judged_anew(app: &TestApp) {
        gold(app);
        set(app, &json!(SECRET));
        let (_, ipn) = posted(app, dana(1001).form(Some(SECRET)));
        posted(app, sale(1001, "erin@x.example").json());
        app.drain();
        let of_both = || (app.levels_of("dana@x.example"), app.levels_of("erin@x.example"));
        let (gold, nothing) = (vec!["gold".to_owned()], Vec::new());
        assert_eq!(of_both(), (gold.clone(), nothing.clone()), "the IPN is vouched for better");
        assert_eq!(app.patch(SITE, &json!({"enabled": false})).status, 200);
        assert_eq!(replayed(app, &ipn), "pending", "a disabled site applies nothing");
        let found = rebuild::check(app.app.flow(), "default");
        assert_eq!(found.expect("checked"), [], "rebuild --check");
        // A third one that tells of the event is applied before the replay is.
        set(app, &json!("another"));
        assert_eq!(app.patch(SITE, &json!({"enabled": true})).status, 200);
        let (_, third) = posted(app, sale(1001, "finn@x.example").json());
        let third = third["id"].as_str().expect("an id").to_owned();
        app.app.flow().apply_now("default", &[third]).expect("applied");
        assert_eq!(of_both(), (gold.clone(), nothing.clone()));
        let found = rebuild::check(app.app.flow(), "default");
        assert_eq!(found.expect("checked"), [], "rebuild --check");
        app.drain();
        let id = ipn["id"].as_str().expect("an id");
        assert_eq!(app.get(&format!("{SITE}/webhooks/{id}")).json["status"], "rejected");
        assert_eq!(app.levels_of("dana@x.example"), nothing, "it is judged anew");
    }

    fn without_a_secret_every_ipn_is_taken(app: &TestApp) {
        gold(app);
        for (number, secret) in (1001..).zip([None, Some("any"), Some("")]) {
            assert_eq!(posted(app, dana(number).form(secret)).0, "sale");
        }
        app.drain();
        assert_eq!(app.levels_of("dana@x.example"), ["gold"]);
    }

    fn each_site_has_a_secret_of_its_own(app: &TestApp) {
        gold(app);
        set(app, &json!(SECRET));
        app.post("/api/v1/sites", &json!({ "id": "second" }));
        let reply = app.post_raw(&app.hook_of("second"), dana(1001).form(Some("wrong")));
        assert_eq!(reply.json["reading"], "sale", "no secret is set there");
        assert_eq!(app.get("/api/v1/sites/second").json["ipn_secret_set"], false);
        next_good_webhook_is_applied(app);
    }
}
