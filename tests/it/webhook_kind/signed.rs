//! What arrives: one message, signed with every secret that there is.

use super::{SECRET, Told, message};
use crate::alarms::receiver::Heard;
use crate::support::hmac::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use latchkey::destinations::{Failure, Message};
use serde_json::json;

/// Another secret, of the most bytes that one may have.
fn other_secret() -> String {
    format!("whsec_{}", STANDARD.encode([0xA5; 64]))
}

/// The signature that a request has to carry for a secret.
fn expected(heard: &Heard, secret: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("base64");
    let (id, timestamp) = (&heard.headers["webhook-id"], &heard.headers["webhook-timestamp"]);
    let signed = format!("{id}.{timestamp}.{}", heard.body);
    format!("v1,{}", STANDARD.encode(hmac(&key, signed.as_bytes())))
}

#[test]
fn the_published_vector_of_standard_webhooks_arrives() {
    let told = Told::start();
    assert_eq!(told.tell(&message()), Ok(()));
    let heard = told.receiver.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].what, "POST /in?a=b");
    assert_eq!(heard[0].body, r#"{"test": 2432232314}"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ] {
        assert_eq!(heard[0].headers[name], value, "{name}");
    }
}

#[test]
fn a_message_is_the_same_at_every_attempt_but_for_its_time() {
    let told = Told::start();
    let first = Message { body: "{\"ü\":\"\\n\"}".to_owned(), ..message() };
    let second = Message { timestamp: first.timestamp + 5, ..first.clone() };
    assert_eq!((told.tell(&first), told.tell(&second)), (Ok(()), Ok(())));
    let heard = told.receiver.heard();
    assert_eq!(heard[0].body, heard[1].body);
    assert_eq!(heard[0].headers["webhook-id"], heard[1].headers["webhook-id"]);
    for heard in &heard {
        assert_eq!(heard.headers["webhook-signature"], expected(heard, SECRET));
    }
    assert_ne!(heard[0].headers["webhook-signature"], heard[1].headers["webhook-signature"]);
}

#[test]
fn while_a_secret_is_being_changed_both_sign_the_new_one_first() {
    let told = Told::with(&json!({ "secret": other_secret(), "secret_before": SECRET }));
    assert_eq!(told.tell(&message()), Ok(()));
    let heard = &told.receiver.heard()[0];
    let both = format!("{} {}", expected(heard, &other_secret()), expected(heard, SECRET));
    assert_eq!(heard.headers["webhook-signature"], both);
}

#[test]
fn without_a_secret_nothing_is_sent() {
    let told = Told::with(&json!({ "secret": null }));
    let expected = "there is no secret to sign messages with";
    assert_eq!(told.tell(&message()), Err(Failure::Stopped(expected.to_owned())));
    assert_eq!(told.receiver.heard(), []);
}
