//! Takes the value of `secret_key` out of a body before it is stored.
//!
//! The IPN sends its secret in clear (wire.md 2.1). Everything else of the body stays as it came, and
//! what is stored reads as what was received did: a broken body stays broken.

use super::{is_blank, is_json, multipart};
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

/// What stands in a stored body where the secret was.
pub const MASK: &str = "masked";

const KEY: &str = "secret_key";

/// The body with the value of every `secret_key` replaced by [`MASK`], in a form or in JSON.
#[must_use]
pub fn mask_secret(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    if is_json(text.trim_matches(is_blank)) {
        return mask_json(body);
    }
    match multipart::parts(body) {
        Some(parts) => mask_parts(body, parts),
        None => mask_form(body),
    }
}

fn mask_parts(body: &[u8], parts: Vec<multipart::Part>) -> Vec<u8> {
    let mut masked = Vec::with_capacity(body.len());
    let mut copied = 0;
    let secrets = parts.into_iter().filter(|part| part.name.trim() == KEY);
    for value in secrets.map(|part| part.value).filter(|value| !value.is_empty()) {
        masked.extend_from_slice(body.get(copied..value.start).unwrap_or_default());
        masked.extend_from_slice(MASK.as_bytes());
        copied = value.end;
    }
    masked.extend_from_slice(body.get(copied..).unwrap_or_default());
    masked
}

fn mask_form(body: &[u8]) -> Vec<u8> {
    let pairs = body.split(|byte| *byte == b'&').map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default();
        let is_key =
            form_urlencoded::parse(name).any(|(name, _)| name.trim_matches(is_blank) == KEY);
        match halves.next() {
            Some(value) if is_key && !value.is_empty() => [name, b"=", MASK.as_bytes()].concat(),
            _ => pair.to_vec(),
        }
    });
    pairs.collect::<Vec<_>>().join(&b'&')
}

/// Walks from text to text, and replaces the value behind each that is a key and spells
/// `secret_key`, escaped or not. Every other byte is left alone.
fn mask_json(body: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(quote) = rest.iter().position(|byte| *byte == b'"') {
        let (before, from_text) = rest.split_at(quote);
        let (text, behind) = from_text.split_at(text_len(from_text));
        masked.extend_from_slice(before);
        masked.extend_from_slice(text);
        rest = behind;
        let (colon, value) = behind.split_at(colon_len(behind));
        if colon.contains(&b':') && is_key(text) {
            let (secret, behind) = value.split_at(value_len(value));
            masked.extend_from_slice(colon);
            masked.extend_from_slice(masked_value(secret).as_bytes());
            rest = behind;
        }
    }
    masked.extend_from_slice(rest);
    masked
}

/// Whether a text in its quotes spells the key.
fn is_key(text: &[u8]) -> bool {
    // Most texts are values or other keys, and spell what they say: these need no decoding.
    if !text.contains(&b'\\') && !text.windows(KEY.len()).any(|part| part == KEY.as_bytes()) {
        return false;
    }
    decoded(text).is_some_and(|value| value.as_str().is_some_and(|key| key.trim() == KEY))
}

/// The mask for a value. What is no JSON gets a mask that is none either, so that no body becomes
/// readable by it.
fn masked_value(value: &[u8]) -> String {
    if decoded(value).is_some() { format!("\"{MASK}\"") } else { MASK.to_owned() }
}

/// A piece of JSON as [`super::read`] would read it.
fn decoded(json: &[u8]) -> Option<Value> {
    serde_json::from_str(&String::from_utf8_lossy(json)).ok()
}

/// How many bytes of white space and colons stand at the beginning.
fn colon_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !b.is_ascii_whitespace() && *b != b':').unwrap_or(bytes.len())
}

/// How many bytes the JSON value at the beginning takes, its quotes or brackets included; a list or
/// an object that is broken takes all that follows.
fn value_len(value: &[u8]) -> usize {
    if value.starts_with(b"\"") {
        return text_len(value);
    }
    if value.starts_with(b"[") || value.starts_with(b"{") {
        let mut values = Deserializer::from_slice(value).into_iter::<IgnoredAny>();
        let whole = matches!(values.next(), Some(Ok(_)));
        return if whole { values.byte_offset() } else { value.len() };
    }
    let is_end = |b: &u8| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace();
    value.iter().position(is_end).unwrap_or(value.len())
}

/// How many bytes the text at the beginning takes, its quotes included.
fn text_len(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(body: &str) -> String {
        String::from_utf8(mask_secret(body.as_bytes())).expect("still UTF-8")
    }

    #[test]
    fn a_form_keeps_every_other_byte() {
        assert_eq!(masked("a=1&secret_key=s%20e&b=%2"), "a=1&secret_key=masked&b=%2");
        assert_eq!(masked("secret%5Fkey=s"), "secret%5Fkey=masked");
        assert_eq!(masked("secret_key=&x=secret_key"), "secret_key=&x=secret_key");
    }

    #[test]
    fn json_keeps_every_other_byte() {
        assert_eq!(
            masked(r#"{"secret_key" : "a\"b,c" ,"x":1}"#),
            r#"{"secret_key" : "masked" ,"x":1}"#
        );
        assert_eq!(masked(r#"{"secret_key":12,"x":1}"#), r#"{"secret_key":"masked","x":1}"#);
        assert_eq!(
            masked(r#"{"secret_key":["a",{"b":1}] ,"x":1}"#),
            r#"{"secret_key":"masked" ,"x":1}"#
        );
        assert_eq!(masked(r#"{"secret_key":["a","x":1}"#), r#"{"secret_key":masked"#);
        assert_eq!(masked(r#"{"x":"secret_key"}"#), r#"{"x":"secret_key"}"#);
        assert_eq!(masked(r#"{"secret_key":"cut off"#), r#"{"secret_key":masked"#);
    }
}
