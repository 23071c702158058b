//! Takes the value of `secret_key` out of a body before it is stored.
//!
//! The IPN sends its secret in clear (wire.md 2.1). Everything else of the body stays as it came.

/// What stands in a stored body where the secret was.
pub const MASK: &str = "masked";

const KEY: &str = "secret_key";

/// The body with the value of every `secret_key` replaced by [`MASK`], in a form or in JSON.
#[must_use]
pub fn mask_secret(body: &[u8]) -> Vec<u8> {
    if body.trim_ascii_start().starts_with(b"{") { mask_json(body) } else { mask_form(body) }
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

/// Replaces the scalar behind each `"secret_key":`, and leaves every other byte alone.
fn mask_json(body: &[u8]) -> Vec<u8> {
    let needle = format!("\"{KEY}\"");
    let mut masked = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(found) = rest.windows(needle.len()).position(|w| w == needle.as_bytes()) {
        let (before, after) = rest.split_at(found + needle.len());
        masked.extend_from_slice(before);
        rest = after;
        let value_at =
            rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b':').unwrap_or(rest.len());
        let (colon, value) = rest.split_at(value_at);
        if !colon.contains(&b':') {
            continue;
        }
        let (_, behind) = value.split_at(scalar_len(value));
        masked.extend_from_slice(colon);
        masked.extend_from_slice(format!("\"{MASK}\"").as_bytes());
        rest = behind;
    }
    masked.extend_from_slice(rest);
    masked
}

/// How many bytes the JSON scalar at the beginning takes, its quotes included.
fn scalar_len(value: &[u8]) -> usize {
    let mut bytes = value.iter().copied().enumerate();
    if value.first() != Some(&b'"') {
        return bytes
            .find(|(_, b)| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace())
            .map_or(value.len(), |(at, _)| at);
    }
    let mut escaped = false;
    for (at, byte) in bytes.skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
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
