//! Signs what is sent, as Standard Webhooks 1.0.0 has it: whoever holds the secret can tell that a message
//! is ours, whole, and not an old one sent again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// What stands before the base64 of a secret.
pub const SECRET_PREFIX: &str = "whsec_";
/// How many bytes a secret has at least …
pub const SECRET_BYTES_MIN: usize = 24;
/// … and at most.
pub const SECRET_BYTES_MAX: usize = 64;

/// The header with the id of a message, the same over all attempts at it.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the second at which an attempt was made.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// A text that is no secret of Standard Webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {SECRET_PREFIX} and the base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")]
pub struct NoSecret;

/// What messages are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads a secret as it is written down: `whsec_` and base64.
    pub fn from_secret(secret: &str) -> Result<Self, NoSecret> {
        let bytes = secret.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let fits = |bytes: &Vec<u8>| (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
        bytes.filter(fits).map(Self).ok_or(NoSecret)
    }

    /// The signature of a message, as its header carries it; `timestamp` is in whole seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        // HMAC takes a key of any length, so this never fails; an empty signature would match nothing.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A secret as it is written down, out of bytes that nobody can guess.
#[must_use]
pub fn written(bytes: &[u8]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_of_standard_webhooks_comes_out() {
        let key = SigningKey::from_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_prefix_and_from_24_to_64_bytes() {
        for (length, fits) in [(23, false), (24, true), (64, true), (65, false), (0, false)] {
            let secret = written(&vec![7; length]);
            assert_eq!(SigningKey::from_secret(&secret).is_ok(), fits, "{length} bytes");
        }
        for no_secret in ["", "whsec_", "whsec_not base64!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(SigningKey::from_secret(no_secret), Err(NoSecret), "{no_secret}");
        }
        assert!(!format!("{:?}", SigningKey(b"abc".to_vec())).contains("97"), "never shown");
    }
}
