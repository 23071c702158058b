//! Judges a token as Ghost does, by code of its own.

use super::http::{Answer, Request};
use crate::support::hmac::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// How long a token may be good for, in seconds.
const SECONDS_MAX: i64 = 300;

/// Judges the token of a request, made with a key that is an id, a colon and a secret in hexadecimal digits.
pub fn check(request: &Request, key: &str, now: i64) -> Result<(), Answer> {
    let unauthorized = |why: &str| Err(Answer::refusal(401, "UnauthorizedError", why, ""));
    let invalid = |why: &str| unauthorized(&format!("Invalid token: {why}"));
    let Some(header) = request.headers.get("authorization") else {
        return Err(Answer::refusal(403, "NoPermissionError", "Authorization failed", ""));
    };
    let Some(token) = header.strip_prefix("Ghost ") else {
        return unauthorized("Authorization header format is \"Authorization: Ghost [token]\"");
    };
    let (id, secret) = key.split_once(':').expect("a key");
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts.as_slice() else { return invalid("jwt malformed") };
    let (Some(head_says), Some(says)) = (read(head), read(claims)) else {
        return invalid("jwt malformed");
    };
    if head_says["kid"] != id {
        return unauthorized("Unknown Admin API Key");
    }
    if head_says["alg"] != "HS256" {
        return invalid("invalid algorithm");
    }
    let expected = hmac(&bytes(secret), format!("{head}.{claims}").as_bytes());
    if URL_SAFE_NO_PAD.decode(signature).ok() != Some(expected) {
        return invalid("invalid signature");
    }
    if !says["aud"].as_str().is_some_and(|aud| aud.trim_matches('/').ends_with("admin")) {
        return invalid("jwt audience invalid");
    }
    let (Some(issued), Some(expires)) = (says["iat"].as_i64(), says["exp"].as_i64()) else {
        return invalid("iat required when maxAge is specified");
    };
    if expires <= now {
        return invalid("jwt expired");
    }
    if issued + SECONDS_MAX <= now || expires - issued > SECONDS_MAX {
        return invalid("maxAge exceeded");
    }
    Ok(())
}

fn read(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}
