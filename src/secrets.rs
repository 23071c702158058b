//! Sealing what has to be read again, and hashing what only has to be recognised.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// The length of the sealing key in bytes.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Random bytes behind a webhook URL: 192 bits.
const HOOK_TOKEN_BYTES: usize = 24;
const CONSOLE_TOKEN_BYTES: usize = 32;
/// Random bytes behind an API key: 256 bits.
const API_KEY_BYTES: usize = 32;
/// Random bytes behind a password that nobody keeps: 256 bits.
const PASSWORD_BYTES: usize = 32;

/// What can go wrong with secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The sealing key is not 32 bytes in base64.
    #[error("secrets.key must be {KEY_BYTES} bytes in base64")]
    Key,
    /// Something sealed cannot be opened: it was sealed with another key, or damaged.
    #[error(
        "a stored secret cannot be opened with this secrets.key: was data_dir or the key exchanged?"
    )]
    Sealed,
    /// The machine gave no randomness.
    #[error("the system gave no random bytes: {0}")]
    Randomness(String),
}

/// Seals and opens stored secrets with the key that lives outside the database.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    mac_key: [u8; KEY_BYTES],
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Takes the key as the settings or the key file hold it.
    pub fn from_base64(key: &str) -> Result<Self, SecretError> {
        let bytes = STANDARD.decode(key.trim()).map_err(|_| SecretError::Key)?;
        let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| SecretError::Key)?;
        let mac_key = Sha256::new().chain_update(bytes).chain_update(b"latchkey mac").finalize();
        Ok(Self { cipher: XChaCha20Poly1305::new(&bytes.into()), mac_key: mac_key.into() })
    }

    /// Seals a secret for a purpose; it opens only for the same purpose.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SecretError> {
        let nonce = random::<NONCE_BYTES>()?;
        let payload = Payload { msg: secret, aad: purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| SecretError::Sealed)?].concat())
    }

    /// Opens what [`Sealer::seal`] made.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES).ok_or(SecretError::Sealed)?;
        let payload = Payload { msg, aad: purpose.as_bytes() };
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SecretError::Sealed)?;
        self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| SecretError::Sealed)
    }

    /// A keyed MAC, to recognise a secret again without storing it.
    pub fn mac(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        // HMAC takes a key of any length, so this never fails; an empty MAC would match nothing.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&self.mac_key) else {
            return Vec::new();
        };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(secret);
        mac.finalize().into_bytes().to_vec()
    }
}

/// A new sealing key, in base64.
pub fn new_sealing_key() -> Result<String, SecretError> {
    Ok(STANDARD.encode(random::<KEY_BYTES>()?))
}

/// A new token for a webhook URL.
pub fn new_hook_token() -> Result<String, SecretError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<HOOK_TOKEN_BYTES>()?))
}

/// A new token of the console: of a session, a form, or a link that signs in once.
pub fn new_console_token() -> Result<String, SecretError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<CONSOLE_TOKEN_BYTES>()?))
}

/// A new API key.
pub fn new_api_key() -> Result<String, SecretError> {
    Ok(format!("lk_{}", URL_SAFE_NO_PAD.encode(random::<API_KEY_BYTES>()?)))
}

/// A password for an account elsewhere, which nobody keeps: its owner sets another.
pub fn new_password() -> Result<String, SecretError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<PASSWORD_BYTES>()?))
}

/// Random digits, to tell two names apart.
pub fn random_digits<const N: usize>() -> Result<String, SecretError> {
    Ok(random::<N>()?.iter().map(|byte| char::from(b'0' + byte % 10)).collect())
}

/// What is stored of a random token or key. These are long and random, so a plain hash suffices.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// SHA-256 of a body.
pub fn body_hash(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Compares without telling by its time how much was equal.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| SecretError::Randomness(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_for_its_purpose() {
        let sealer = || Sealer::from_base64(&new_sealing_key().expect("a key")).expect("a sealer");
        let (ours, theirs) = (sealer(), sealer());
        let sealed = ours.seal("ipn", b"secret").expect("sealed");
        assert_eq!(ours.open("ipn", &sealed).expect("opened"), b"secret");
        assert!(ours.open("hook", &sealed).is_err());
        assert!(theirs.open("ipn", &sealed).is_err());
        assert!(ours.open("ipn", b"short").is_err());
        assert_ne!(ours.mac("a", b"secret"), theirs.mac("a", b"secret"));
        assert_eq!(ours.mac("a", b"secret"), ours.mac("a", b"secret"));
    }
}
