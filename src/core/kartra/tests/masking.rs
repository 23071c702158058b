//! The secret never reaches the database, and its absence changes nothing else.

use super::{
    Map, Value, ipn, json, mask_secret, multipart, outbound, read, sale_fields, sale_with,
};

const SECRET: &str = "hush";

fn masked(body: &str) -> String {
    String::from_utf8(mask_secret(body.as_bytes())).expect("still UTF-8")
}

fn with_secret() -> Map<String, Value> {
    sale_with("secret_key", json!(SECRET))
}

#[test]
fn a_secret_that_can_be_read_is_masked_however_it_is_written() {
    let json = json!(with_secret()).to_string();
    let form = ipn(&with_secret());
    let escaped = json.replace("secret_key", "secret\\u005fkey");
    let encoded = form.replace("secret_key", "%73ecret%5fkey");
    let parts = multipart(&with_secret());
    for body in [json, form, escaped, encoded, parts] {
        for before in ["", "\u{feff}", "\u{feff}\u{feff}", "\u{a0}", "\u{b}\n"] {
            let body = format!("{before}{body}");
            assert_eq!(read(body.as_bytes()).secret.as_deref(), Some(SECRET), "{body}");
            let masked = masked(&body);
            assert!(!masked.contains(SECRET), "{masked}");
            assert_eq!(read(masked.as_bytes()).says, read(body.as_bytes()).says, "{masked}");
        }
    }
}

#[test]
fn every_secret_of_a_body_is_masked_also_where_none_is_read() {
    for (body, expected) in [
        (
            r#"{"a":{"secret_key":"hush"},"secret_key":"hush"}"#,
            r#"{"a":{"secret_key":"masked"},"secret_key":"masked"}"#,
        ),
        (r#"{"secret_key":{"x":["hush"]},"x":1}"#, r#"{"secret_key":"masked","x":1}"#),
        (r#"{"secret_key":["hush"}"#, r#"{"secret_key":masked"#),
        (r#"{"secret_key":hush,"x":1}"#, r#"{"secret_key":masked,"x":1}"#),
        (r#"{"secret_key":-12.5e3,"x":1}"#, r#"{"secret_key":"masked","x":1}"#),
        (r#"[{"secret_key":"hush"}]"#, r#"[{"secret_key":"masked"}]"#),
        (r#"{"secret_key":"hush" broken"#, r#"{"secret_key":"masked" broken"#),
        ("secret_key=hush&a=1&secret_key=hush", "secret_key=masked&a=1&secret_key=masked"),
    ] {
        assert_eq!(masked(body), expected);
    }
}

#[test]
fn a_body_without_a_secret_stays_as_it_came() {
    let says_key = sale_with("product_name", json!("\"secret_key\":\"x\" secret_key=y"));
    for body in [
        ipn(&sale_fields()),
        outbound("buy_product", says_key.clone()),
        ipn(&says_key),
        r#"{"a":["secret_key",":","x"]}"#.to_owned(),
        "not & = a body {\"".to_owned(),
        String::new(),
    ] {
        assert_eq!(masked(&body), body);
    }
    let bytes = b"a=\xff\xfe&b=%\x00";
    assert_eq!(mask_secret(bytes), bytes);
}
