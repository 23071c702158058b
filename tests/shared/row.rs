//! A webhook as intake stores it, for those who store without intake.

use chrono::NaiveDateTime;
use latchkey::core::kartra::read;
use latchkey::store::observations;
use latchkey::store::webhooks::NewWebhook;
use sha2::{Digest, Sha256};

/// The row that intake would store of a body that can be read.
pub fn row(site_id: &str, body: &[u8], received_at: NaiveDateTime) -> NewWebhook {
    let reading = read(body);
    let said = reading.says.as_ref().ok();
    NewWebhook {
        site_id: site_id.to_owned(),
        id: uuid::Uuid::now_v7().to_string(),
        received_at,
        feed: reading.feed.as_str(),
        status: "pending",
        kind: said.map(|said| said.kind.as_str()),
        transaction_id: said.and_then(|said| said.transaction_id.clone()),
        product_id: said.and_then(|said| said.product_id.clone()),
        email: said.and_then(|said| said.person.transaction_email.clone()),
        reason: None,
        changes: 0,
        body: body.to_vec(),
        body_hash: Sha256::digest(body).to_vec(),
        secret_mac: None,
        attempts: 0,
        next_attempt_at: Some(received_at),
        vouched: Some(1),
        said: said.and_then(|said| observations::said(said).ok()),
    }
}
