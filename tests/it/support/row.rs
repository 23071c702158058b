//! A webhook as intake stores it, for tests that store without intake.

use chrono::NaiveDateTime;
use latchkey::store::webhooks::NewWebhook;

/// A webhook that cannot be read, and that nobody has to apply.
pub fn unreadable(site_id: &str, id: &str, received_at: NaiveDateTime) -> NewWebhook {
    NewWebhook {
        site_id: site_id.to_owned(),
        id: id.to_owned(),
        received_at,
        feed: "unknown",
        status: "unreadable",
        kind: None,
        transaction_id: None,
        product_id: None,
        email: None,
        reason: None,
        changes: 0,
        body_hash: vec![0; 32],
        body: vec![b'x'],
        secret_mac: None,
        attempts: 0,
        next_attempt_at: None,
        vouched: None,
        said: None,
    }
}
