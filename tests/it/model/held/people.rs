//! Leads and the e-mail that each of them has now.

use std::collections::BTreeSet;

use super::merge::Event;

/// Every lead that these events name.
pub fn lead_keys(past: &[&Event]) -> BTreeSet<String> {
    past.iter().filter_map(|event| event.lead.clone()).collect()
}

/// The e-mail that a lead has after these events: the latest profile's, else the latest transaction's.
pub fn current_email(past: &[&Event], lead: &str) -> Option<String> {
    let mut life: Vec<&Event> =
        past.iter().copied().filter(|event| event.lead.as_deref() == Some(lead)).collect();
    life.sort_by_key(|event| event.life_order());
    let profile = life.iter().rev().find_map(|event| event.profile_email.clone());
    profile.or_else(|| life.iter().rev().find_map(|event| event.transaction_email.clone()))
}
