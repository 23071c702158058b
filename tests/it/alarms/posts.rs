//! An episode is posted once, signed, under one id, however long its receiver does not take it.

use super::receiver::{Answer, Receiver, status};
use super::{
    SITE, alarms, discards, hears_nonsense, on_both, posts_to, the_alarm, wants, watch, watch_at,
};
use crate::support::TestApp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use latchkey::alarms::worker::Worker;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// HMAC-SHA256 as RFC 2104 writes it, of this test's own.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Everything that one receiver has heard is one message, signed each time; answers how often.
#[track_caller]
fn one_message(receiver: &Receiver, secret: &str, id: &Value) -> usize {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
    let heard = receiver.heard();
    for one in &heard {
        assert_eq!(one.what, "POST /alarms");
        assert_eq!(one.body, heard[0].body, "the same to the letter");
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(one.headers["webhook-id"], *id.as_str().expect("an id"));
        let signed = format!(
            "{}.{}.{}",
            one.headers["webhook-id"], one.headers["webhook-timestamp"], one.body
        );
        let expected = format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())));
        assert_eq!(one.headers["webhook-signature"], expected);
    }
    heard.len()
}

#[track_caller]
fn post(app: &TestApp) -> Value {
    the_alarm(app)["post"].clone()
}

#[test]
fn an_episode_is_posted_once_and_the_next_episode_is_another() {
    on_both(|app| {
        let receiver = Receiver::start();
        let secret = posts_to(app, &receiver);
        let heard = hears_nonsense(app);
        watch(app);
        let alarm = the_alarm(app);
        assert_eq!(one_message(&receiver, &secret, &alarm["id"]), 1);
        let message: Value = serde_json::from_str(&receiver.heard()[0].body).expect("JSON");
        assert_eq!(
            message,
            json!({
                "type": "alarm.raised",
                "timestamp": "2026-01-01T00:01:00Z",
                "data": {
                    "site": "default", "kind": "unreadable_webhooks", "first_seen_at": "2026-01-01T00:01:00Z", "count": 1,
                    "detail": "1 webhook could not be read, since 1 January 2026, 00:00 UTC.",
                    "next_step": alarm["next_step"],
                },
            })
        );
        let timestamp = &receiver.heard()[0].headers["webhook-timestamp"];
        assert_eq!(*timestamp, app.clock.now().timestamp().to_string());
        assert_eq!(
            alarm["post"],
            json!({
                "status": "done", "attempts": 1, "next_attempt_at": null, "posted_at": "2026-01-01T00:01:00Z",
                "last_error": null,
            })
        );
        hears_nonsense(app);
        watch(app);
        assert_eq!(
            (the_alarm(app)["count"].as_i64(), receiver.heard().len()),
            (Some(2), 1),
            "more of the same"
        );
        let more = app.webhooks();
        for webhook in &more {
            discards(app, webhook["id"].as_str().expect("an id"));
        }
        assert!(more.iter().any(|webhook| webhook["id"] == *heard));
        watch(app);
        assert_eq!(receiver.heard().len(), 1, "its end is not posted");
        hears_nonsense(app);
        watch(app);
        assert_eq!(receiver.heard().len(), 2);
        assert_eq!(
            receiver.heard()[1].headers["webhook-id"],
            *the_alarm(app)["id"].as_str().expect("an id")
        );
    });
}

#[test]
fn a_receiver_that_is_down_is_told_when_it_is_back() {
    on_both(|app| {
        let receiver = Receiver::start();
        let secret = posts_to(app, &receiver);
        receiver.answers([status(500), Answer::Never, status(503), status(200)]);
        hears_nonsense(app);
        watch(app);
        let id = the_alarm(app)["id"].clone();
        let retrying = post(app);
        assert_eq!((&retrying["status"], &retrying["attempts"]), (&json!("retrying"), &json!(1)));
        assert_eq!(retrying["last_error"], "the receiver answered 500");
        let first = app.clock.now();
        watch_at(app, first + TimeDelta::milliseconds(4_999));
        assert_eq!(receiver.heard().len(), 1, "not before its time");
        watch_at(app, first + TimeDelta::milliseconds(5_500));
        assert_eq!(receiver.heard().len(), 2);
        assert!(
            post(app)["last_error"]
                .as_str()
                .is_some_and(|why| why.starts_with("the connection broke off")),
            "{}",
            post(app)
        );
        watch_at(app, app.clock.now() + TimeDelta::seconds(299));
        assert_eq!(receiver.heard().len(), 2);
        watch_at(app, app.clock.now() + TimeDelta::seconds(31));
        assert_eq!(post(app)["last_error"], "the receiver answered 503");
        watch_at(app, app.clock.now() + TimeDelta::minutes(33));
        assert_eq!(one_message(&receiver, &secret, &id), 4);
        assert_eq!(
            (&post(app)["status"], &post(app)["last_error"]),
            (&json!("done"), &Value::Null)
        );
    });
}

#[test]
fn where_nobody_listens_it_is_tried_again_too() {
    on_both(|app| {
        let receiver = Receiver::start();
        let url = receiver.url("/alarms");
        // A port that was free a moment ago.
        let closed =
            std::net::TcpListener::bind("127.0.0.3:0").expect("a port").local_addr().expect("one");
        let shown =
            wants(app, &json!({ "url": format!("http://{closed}/alarms"), "off": ["silent"] }));
        hears_nonsense(app);
        watch(app);
        assert!(
            post(app)["last_error"].as_str().is_some_and(|why| why.starts_with("no connection: ")),
            "{}",
            post(app)
        );
        let back = Receiver::start_at(closed);
        watch_at(app, app.clock.now() + TimeDelta::seconds(6));
        let secret = shown["secret"].as_str().expect("a secret");
        assert_eq!(one_message(&back, secret, &the_alarm(app)["id"]), 1);
        assert_eq!((receiver.heard().len(), back.address()), (0, closed), "{url}");
    });
}

#[test]
fn after_ten_attempts_it_has_failed_and_is_told_to_another_url() {
    on_both(|app| {
        let (receiver, other) = (Receiver::start(), Receiver::start());
        let secret = posts_to(app, &receiver);
        receiver.answers((0..20).map(|_| status(500)));
        hears_nonsense(app);
        watch(app);
        for _ in 0..20 {
            watch_at(app, app.clock.now() + TimeDelta::hours(27));
        }
        let id = the_alarm(app)["id"].clone();
        assert_eq!(one_message(&receiver, &secret, &id), 10);
        let failed = post(app);
        assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(10)));
        assert_eq!(failed["next_attempt_at"], Value::Null);
        let shown = wants(app, &json!({ "url": other.url("/alarms") }));
        assert_eq!(shown["secret"], Value::Null, "the secret stays, and is not shown again");
        watch(app);
        assert_eq!(one_message(&other, &secret, &id), 1);
        assert_eq!(post(app)["status"], "done");
    });
}

#[test]
fn a_receiver_may_ask_to_be_left_alone_for_longer() {
    on_both(|app| {
        let receiver = Receiver::start();
        posts_to(app, &receiver);
        receiver.answers([Answer::With(429, "Retry-After: 600\r\n", Vec::new())]);
        hears_nonsense(app);
        watch(app);
        let first = app.clock.now();
        watch_at(app, first + TimeDelta::seconds(599));
        assert_eq!(receiver.heard().len(), 1);
        watch_at(app, first + TimeDelta::seconds(600));
        assert_eq!((receiver.heard().len(), post(app)["status"].as_str()), (2, Some("done")));
    });
}

#[test]
fn a_receiver_that_is_gone_hears_nothing_more_until_another_url_is_set() {
    on_both(|app| {
        let (receiver, other) = (Receiver::start(), Receiver::start());
        posts_to(app, &receiver);
        receiver.answers([status(410)]);
        let heard = hears_nonsense(app);
        watch(app);
        assert_eq!(post(app)["status"], "failed");
        assert_eq!(app.get(SITE).json["alarms"]["gone_at"], "2026-01-01T00:01:00Z");
        discards(app, &heard);
        watch(app);
        hears_nonsense(app);
        watch(app);
        assert_eq!((receiver.heard().len(), post(app)["status"].as_str()), (1, Some("none")));
        let shown = wants(app, &json!({ "url": other.url("/alarms") }));
        assert_eq!(shown["gone_at"], Value::Null);
        watch(app);
        assert_eq!((receiver.heard().len(), other.heard().len()), (1, 1));
    });
}

#[test]
fn a_redirect_is_not_followed_and_is_no_success() {
    on_both(|app| {
        let receiver = Receiver::start();
        posts_to(app, &receiver);
        let answer = || Answer::With(307, "Location: /elsewhere\r\n", Vec::new());
        receiver.answers([answer()]);
        hears_nonsense(app);
        watch(app);
        assert_eq!(receiver.heard().len(), 1, "{:?}", receiver.heard());
        assert_eq!(post(app)["last_error"], "the receiver answered 307");
    });
}

#[test]
fn an_open_alarm_is_posted_when_a_url_is_set_and_not_when_it_is_taken_away() {
    on_both(|app| {
        let receiver = Receiver::start();
        hears_nonsense(app);
        watch(app);
        assert_eq!(post(app)["status"], "none");
        posts_to(app, &receiver);
        assert_eq!(post(app)["status"], "pending");
        wants(app, &json!({ "url": null }));
        watch(app);
        assert_eq!((receiver.heard().len(), post(app)["status"].as_str()), (0, Some("none")));
        wants(app, &json!({ "url": receiver.url("/alarms") }));
        watch(app);
        assert_eq!((receiver.heard().len(), post(app)["status"].as_str()), (1, Some("done")));
        wants(app, &json!({ "url": receiver.url("/alarms") }));
        watch(app);
        assert_eq!(receiver.heard().len(), 1, "whoever was told is not told again");
    });
}

#[test]
fn what_has_ended_before_it_could_be_told_is_told_all_the_same() {
    on_both(|app| {
        let receiver = Receiver::start();
        let secret = posts_to(app, &receiver);
        receiver.answers([status(500)]);
        let heard = hears_nonsense(app);
        watch(app);
        discards(app, &heard);
        watch(app);
        watch(app);
        let ended = alarms(app, "ended");
        assert_eq!(one_message(&receiver, &secret, &ended[0]["id"]), 2);
        assert_eq!(ended[0]["post"]["status"], "done");
    });
}

#[test]
fn a_receiver_that_hangs_delays_nobody_else() {
    on_both(|app| {
        let (hangs, other) = (Receiver::start(), Receiver::start());
        posts_to(app, &hangs);
        let (go, gone) = std::sync::mpsc::channel();
        hangs.answers([Answer::When(gone)]);
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "zoo" })).status, 201);
        let wanted = json!({ "alarms": { "url": other.url("/alarms") } });
        assert_eq!(app.patch("/api/v1/sites/zoo", &wanted).status, 200);
        hears_nonsense(app);
        app.post_raw(&app.hook_of("zoo"), "neither");
        app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        let alarms = app.app.alarms().clone();
        std::thread::scope(|scope| {
            scope.spawn(|| Worker::new(alarms).expect("a worker").drain().expect("watched"));
            hangs.waits_for_one();
            other.waits_for_one();
            go.send(()).expect("it still hangs");
        });
        assert_eq!((hangs.heard().len(), other.heard().len()), (1, 1));
    });
}
