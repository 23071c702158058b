//! Takes the value of `secret_key` out of a body before it is stored.
//!
//! The IPN sends its secret in clear (wire.md 2.1). Everything else of the body stays as it came.

/// What stands in a stored body where the secret was.
pub const MASK: &str = "masked";

const KEY: &str = "secret_key";

/// The longest spelling of the key in JSON: every character escaped, between quotes.
const KEY_BYTES_MAX: usize = KEY.len() * "\\u0000".len() + 2;

/// The body with the value of every `secret_key` replaced by [`MASK`], in a form or in JSON.
#[must_use]
pub fn mask_secret(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let begun = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    if begun.starts_with(['{', '[', '"']) { mask_json(body) } else { mask_form(body) }
}

fn mask_form(body: &[u8]) -> Vec<u8> {
    let pairs = body.split(|byte| *byte == b'&').map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default();
        let is_key = form_urlencoded::parse(name).any(|(name, _)| name.trim() == KEY);
        match halves.next() {
            Some(value) if is_key && !value.is_empty() => [name, b"=", MASK.as_bytes()].concat(),
            _ => pair.to_vec(),
        }
    });
    pairs.collect::<Vec<_>>().join(&b'&')
}

/// Replaces the value behind each `"secret_key":`, however the key is escaped, and leaves every other
/// byte alone.
fn mask_json(body: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        let (before, quoted) = rest.split_at(at);
        masked.extend_from_slice(before);
        let (taken, value) = quoted.split_at(key_len(quoted).unwrap_or(1));
        masked.extend_from_slice(taken);
        rest = value;
        let value_at =
            rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b':').unwrap_or(rest.len());
        let (colon, value) = rest.split_at(value_at);
        if taken.len() > 1 && colon.contains(&b':') {
            let (_, behind) = value.split_at(value_len(value));
            masked.extend_from_slice(colon);
            masked.extend_from_slice(format!("\"{MASK}\"").as_bytes());
            rest = behind;
        }
    }
    masked.extend_from_slice(rest);
    masked
}

/// How many bytes the key takes that begins with this quote; `None` where it is another string.
fn key_len(quoted: &[u8]) -> Option<usize> {
    let near = quoted.get(..KEY_BYTES_MAX).unwrap_or(quoted);
    let literal = near.get(..value_len(near))?;
    let key: String = serde_json::from_slice(literal).ok()?;
    (key == KEY).then_some(literal.len())
}

/// How many bytes the JSON value at the beginning takes: a string with its quotes, a list or an object
/// with all that is in it, any other scalar up to what ends it. What is cut off goes to the end.
fn value_len(value: &[u8]) -> usize {
    let plain = !matches!(value.first(), Some(b'"' | b'[' | b'{'));
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in value.iter().copied().enumerate() {
        if plain {
            if matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace() {
                return at;
            }
            continue;
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 && !in_string && !escaped {
            return at + 1;
        }
    }
    value.len()
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
        assert_eq!(masked(r#"{"x":"secret_key"}"#), r#"{"x":"secret_key"}"#);
        assert_eq!(masked(r#"{"secret_key":"cut off"#), r#"{"secret_key":"masked""#);
    }
}
