//! What operators write down for a signed webhook.

use super::{SECRET, Told, open};
use latchkey::destinations::webhook::MessageType;
use latchkey::destinations::{Wrong, kind};
use serde_json::{Value, json};

const URL: &str = "https://hooks.example.com/in";

fn wrong(config: &Value) -> Wrong {
    open(config).expect_err("refused")
}

#[test]
fn what_cannot_be_is_named_where_it_stands() {
    let secret = "must be whsec_ and the base64 of 24 to 64 bytes";
    let private = "must not lead to an address of this machine or of a private network, unless egress.allow in the \
                   configuration names it: two lines in config/local.toml, [egress] and allow = [\"127.0.0.0/8\"], say so of this machine";
    for (config, pointer, detail) in [
        (json!({}), "", "missing field `url`"),
        (
            json!({ "url": "hooks.example.com" }),
            "/url",
            "must be whole, such as https://hooks.example.com/latchkey",
        ),
        (
            json!({ "url": "ftp://hooks.example.com" }),
            "/url",
            "must begin with https:// or http://",
        ),
        (
            json!({ "url": "https://me:it@hooks.example.com" }),
            "/url",
            "must name no user and no password",
        ),
        (json!({ "url": "http://192.168.0.1/in" }), "/url", private),
        (json!({ "url": "http://0x7f000002/in" }), "/url", private),
        (json!({ "url": "http://[::1]/in" }), "/url", private),
        (json!({ "url": URL, "secret": "whsec_short" }), "/secret", secret),
        (json!({ "url": URL, "secret": SECRET, "secret_before": "x" }), "/secret_before", secret),
    ] {
        let expected = Wrong { pointer: pointer.to_owned(), detail: detail.to_owned() };
        assert_eq!(wrong(&config), expected, "{config}");
    }
    for (config, pointer) in [
        (json!({ "url": URL, "types": ["access.changed", "access.gone"] }), "/types/1"),
        (json!({ "url": URL, "types": "access.changed" }), "/types"),
        (json!({ "url": 5 }), "/url"),
        (json!({ "url": URL, "secrets": [] }), "/secrets"),
        (json!({ "url": URL, "a/b~c.d": 1 }), "/a~1b~0c.d"),
    ] {
        assert_eq!(wrong(&config).pointer, pointer, "{config}");
    }
}

#[test]
fn it_is_told_of_the_types_that_it_names_and_of_all_where_it_names_none() {
    let all = [
        MessageType::AccessChanged,
        MessageType::EmailChanged,
        MessageType::ProductDiscovered,
        MessageType::AlarmRaised,
    ];
    let names = ["access.changed", "member.email_changed", "product.discovered", "alarm.raised"];
    assert_eq!(all.map(MessageType::as_str), names);
    for types in [json!({}), json!({ "types": null })] {
        let told = Told::with(&types);
        assert!(names.iter().all(|name| told.messages.wants(name)), "{types}");
    }
    for wanted in names {
        let told = Told::with(&json!({ "types": [wanted] }));
        for name in names {
            assert_eq!(told.messages.wants(name), name == wanted, "{name} of {wanted}");
        }
    }
    let told = Told::with(&json!({ "types": [] }));
    assert!(!names.iter().any(|name| told.messages.wants(name)));
}

#[test]
fn its_secrets_are_never_shown() {
    let webhook = kind("webhook").expect("a kind");
    assert_eq!(webhook.secrets, ["secret", "secret_before"]);
    assert!(webhook.is_signed && !webhook.names_levels);
}
