//! HMAC-SHA256, by code of the tests' own.

use sha2::{Digest, Sha256};

/// HMAC-SHA256 as RFC 2104 writes it, for keys of no more than a block.
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
