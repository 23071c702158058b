//! Tokens that say who calls, signed with a secret that both sides know (JWT, RFC 7519, with HS256).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use std::fmt;

/// What tokens are made with.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    id: String,
    secret: Vec<u8>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// Reads a key that is written as its id, a colon, and its secret in hexadecimal digits; `None` where it is none.
    #[must_use]
    pub fn from_written(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once(':')?;
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
        let secret = bytes_of_hex(secret).filter(|secret| is_id && !secret.is_empty())?;
        Some(Self { id: id.to_owned(), secret })
    }

    /// A token for an audience; when it is issued and when it expires are in whole seconds since 1970.
    #[must_use]
    pub fn token(&self, audience: &str, issued_at: i64, expires_at: i64) -> String {
        let header = json!({ "alg": "HS256", "kid": self.id, "typ": "JWT" });
        let claims = json!({ "aud": audience, "exp": expires_at, "iat": issued_at });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = sign(&self.secret, &signed);
        format!("{signed}.{signature}")
    }
}

/// The signature of the first two parts of a token.
fn sign(secret: &[u8], signed: &str) -> String {
    // HMAC takes a key of any length, so this never fails; an empty signature would match nothing.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(secret) else {
        return String::new();
    };
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// The bytes that hexadecimal digits stand for; `None` where they are none.
fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok());
    let digits = digits.collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_of_rfc_7515_comes_out() {
        let secret = URL_SAFE_NO_PAD.decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                      eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        assert_eq!(sign(&secret.unwrap(), signed), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_names_its_key_its_audience_and_its_time() {
        let key = TokenKey::from_written("6413ab:00ff7F").unwrap();
        let token = key.token("/admin/", 1_767_225_600, 1_767_225_900);
        let parts: Vec<&str> = token.split('.').collect();
        let read = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(read(parts[0]), r#"{"alg":"HS256","kid":"6413ab","typ":"JWT"}"#);
        assert_eq!(read(parts[1]), r#"{"aud":"/admin/","exp":1767225900,"iat":1767225600}"#);
        let signed = format!("{}.{}", parts[0], parts[1]);
        assert_eq!(parts[2], sign(&[0x00, 0xff, 0x7f], &signed));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn a_key_is_an_id_a_colon_and_pairs_of_hexadecimal_digits() {
        for no_key in ["", ":", "id:", ":00", "id:0", "id:0g", "id:+1", "id", "i d:00", "id:00:00"]
        {
            assert_eq!(TokenKey::from_written(no_key), None, "{no_key}");
        }
        let shown = format!("{:?}", TokenKey::from_written("id:61").unwrap());
        assert_eq!(shown, "TokenKey", "its secret is never shown");
    }
}
