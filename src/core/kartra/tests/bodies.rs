//! Whole bodies: which feed, whatever the content type says, and what is neither.

use super::{
    Feed, Kind, Unreadable, ipn, json, multipart, object, outbound, read, sale_fields, sale_with,
    says, why_not,
};
use crate::core::kartra::JSON_DEPTH_MAX;

#[test]
fn the_body_alone_tells_the_feed() {
    // `read` is never told a content type: JSON posted as a form and a form posted as JSON are these.
    assert_eq!(read(outbound("buy_product", sale_fields()).as_bytes()).feed, Feed::Outbound);
    assert_eq!(read(ipn(&sale_fields()).as_bytes()).feed, Feed::Ipn);
    // Somebody may forward the variables of an IPN as JSON.
    let mut fields = sale_fields();
    fields.insert("secret_key".to_owned(), json!("s"));
    let reading = read(json!(fields).to_string().as_bytes());
    assert_eq!((reading.feed, reading.secret.as_deref()), (Feed::Ipn, Some("s")));
    assert_eq!(reading.says, read(ipn(&fields).as_bytes()).says);
}

#[test]
fn space_and_byte_order_marks_around_a_body_change_nothing() {
    for body in [outbound("buy_product", sale_fields()), ipn(&sale_fields())] {
        let bare = read(body.as_bytes());
        for (before, after) in
            [("\u{feff}", ""), ("\n\t ", "\r\n"), ("\u{feff} \r\n", " "), (" \u{feff}", "")]
        {
            assert_eq!(read(format!("{before}{body}{after}").as_bytes()), bare, "{before:?}");
        }
    }
}

#[test]
fn an_empty_body_says_so() {
    for body in ["", " ", "\r\n", "\u{feff}"] {
        assert_eq!(why_not(body), Unreadable::Empty, "{body:?}");
    }
}

#[test]
fn what_is_neither_json_nor_a_form_says_so() {
    for body in [
        "hello",
        "12",
        "null",
        "[]",
        "[{\"action\":\"buy_product\"}]",
        "\"text\"",
        "{",
        "{\"action\":\"buy_product\"",
        "{\"action\":\"buy_product\"} trailing",
        "{'action':'buy_product'}",
        "<xml a=\"b\"/>",
        "a b c=d",
        "=",
        "GET / HTTP/1.1\r\nHost: a=b",
    ] {
        assert_eq!(why_not(body), Unreadable::NeitherJsonNorForm, "{body}");
    }
}

#[test]
fn nesting_has_a_limit_that_is_counted_outside_of_text() {
    let nested = |depth: usize| {
        let mut fields = sale_fields();
        fields.insert("extra".to_owned(), json!("[[{{".repeat(200)));
        let body = outbound("buy_product", fields);
        let inner = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        body.replacen('{', &format!("{{\"unknown\":{inner},"), 1)
    };
    assert_eq!(says(nested(JSON_DEPTH_MAX)).kind, Kind::Sale);
    assert_eq!(why_not(nested(JSON_DEPTH_MAX + 1)), Unreadable::TooDeep);
    assert_eq!(why_not("[".repeat(1_000_000)), Unreadable::TooDeep);
    assert_eq!(why_not("{\"a\":".repeat(200_000)), Unreadable::TooDeep);
}

#[test]
fn of_a_repeated_key_the_last_counts_in_either_feed() {
    let form = format!("product_id=1&{}&product_id=2", ipn(&sale_fields()));
    assert_eq!(says(form).product_id.as_deref(), Some("2"));
    let twice = outbound("buy_product", sale_fields())
        .replace("\"product_id\":558001", "\"product_id\":1,\"product_id\":2");
    assert_eq!(says(twice).product_id.as_deref(), Some("2"));
}

#[test]
fn unknown_keys_and_odd_types_harm_nothing() {
    let plain = says(outbound("buy_product", sale_fields()));
    let mut fields = sale_fields();
    fields.extend(object(json!({
        "failed_reattempt_number": 2, "": "", "transaction_tax": [], "hosts": [{ "a": [1] }],
    })));
    let lead =
        json!({ "id": ["1"], "email": { "of": 1 }, "custom_fields": [{ "field_value": [] }] });
    let body = json!({
        "lead": lead, "action": "buy_product", "version": 3,
        "action_details": { "transaction_details": fields, "list": 1 },
    });
    assert_eq!(says(body.to_string()), plain);
    for odd in [json!(null), json!([]), json!("text"), json!(7)] {
        let body = json!({ "lead": odd, "action": "assign_tag", "action_details": odd });
        assert_eq!(says(body.to_string()).kind, Kind::Other, "{odd}");
        let money = json!({ "lead": odd, "action": "buy_product", "action_details": odd });
        let why = Unreadable::Without("transaction_id");
        assert_eq!(why_not(money.to_string()), why, "{odd}");
    }
}

#[test]
fn an_object_that_comes_as_json_in_text_is_read_too() {
    let details = json!({ "transaction_details": json!(sale_fields()).to_string() }).to_string();
    let lead = json!({ "email": "p@example.com" }).to_string();
    let body = json!({ "lead": lead, "action": "buy_product", "action_details": details });
    let said = says(body.to_string());
    assert_eq!(said.product_id.as_deref(), Some("558001"));
    assert_eq!(said.person.profile_email.as_deref(), Some("p@example.com"));
}

#[test]
fn bytes_that_are_no_utf_8_spoil_names_only() {
    let mut form = ipn(&sale_fields()).into_bytes();
    form.extend(b"&product_name=Caf\xe9&lead_city=%E9%ff%");
    let said = says(form);
    assert_eq!(said.product_name.as_deref(), Some("Caf\u{fffd}"));
    assert_eq!(said.product_id.as_deref(), Some("558001"));
    let body = outbound("buy_product", sale_with("product_name", json!("Caf#")));
    let latin = body.bytes().map(|b| if b == b'#' { 0xe9 } else { b }).collect::<Vec<_>>();
    assert_eq!(says(latin).product_name.as_deref(), Some("Caf\u{fffd}"));
}

#[test]
fn a_percent_sign_that_encodes_nothing_stays_itself() {
    let form = format!("{}&product_name=100%+Pure%2&lead_city=%zz", ipn(&sale_fields()));
    assert_eq!(says(form).product_name.as_deref(), Some("100% Pure%2"));
    let form = format!("&&{}&&a&=b", ipn(&sale_fields())).replace("&=b", "");
    assert_eq!(says(form).product_id.as_deref(), Some("558001"));
}

#[test]
fn a_form_in_parts_reads_as_the_same_form_in_pairs() {
    let mut fields = sale_with("product_name", json!("a=b&c%20d --Edge \"quoted\" Ω"));
    fields.insert("secret_key".to_owned(), json!("s"));
    fields.insert("vendor_tracking_link".to_owned(), json!(""));
    let in_pairs = read(ipn(&fields).as_bytes());
    let in_parts = multipart(&fields);
    let bare_ends = in_parts.replace("\r\n", "\n");
    let more_headers =
        in_parts.replace("\r\n\r\n", "\r\nContent-Type: text/plain; name=\"other\"\r\n\r\n");
    let unquoted = in_parts.replace("name=\"product_id\"", "name=product_id");
    let upper = in_parts.replace("Content-Disposition", "CONTENT-DISPOSITION");
    let marked = format!("\u{feff}\r\n{in_parts}");
    for body in [in_parts, bare_ends, more_headers, unquoted, upper, marked] {
        assert_eq!(read(body.as_bytes()), in_pairs, "{body}");
    }
}

#[test]
fn a_form_in_parts_that_is_broken_is_no_form() {
    let whole = multipart(&sale_fields());
    for body in [
        whole.replace("--Edge--", ""),
        whole.replace("form-data", "attachment"),
        whole.replace("name=\"lead_id\"", "filename=\"lead_id\""),
        whole.replace("\r\n\r\n", "\r\n"),
        whole.replace("Edge", &"e".repeat(71)),
        "--\r\na=b".to_owned(),
    ] {
        assert_eq!(why_not(&body), Unreadable::NeitherJsonNorForm, "{body}");
    }
}
