//! A reading as the lines of an expectation.

use super::{NEW_YORK, Reading, event};
use crate::core::event::Observation;
use chrono::SecondsFormat;

/// One `name = value` for each thing that a reading says.
pub fn lines(reading: &Reading) -> Vec<String> {
    let mut lines = vec![format!("feed = {}", reading.feed.as_str())];
    let secret = reading.secret.as_ref().map(|secret| format!("secret = {secret}"));
    lines.extend(secret);
    match &reading.says {
        Ok(observation) => lines.extend(said(observation)),
        Err(why) => lines.push(format!("unreadable = {why}")),
    }
    lines
}

fn said(observation: &Observation) -> Vec<String> {
    let event = event(observation.clone(), NEW_YORK);
    let o = observation;
    let number = |n: Option<i64>| n.map(|n| n.to_string());
    let amount = o.amount.map(|a| format!("{}.{:04}", a.0 / 10_000, a.0 % 10_000));
    let named = [
        ("kind", Some(o.kind.as_str().to_owned())),
        ("name", o.name.clone()),
        ("lead", event.lead.map(|lead| lead.0)),
        ("lead_id", o.person.lead_id.clone()),
        ("transaction_email", o.person.transaction_email.clone()),
        ("profile_email", o.person.profile_email.clone()),
        ("transaction_id", o.transaction_id.clone()),
        ("product_id", o.product_id.clone()),
        ("product_name", o.product_name.clone()),
        ("price_point", o.price_point.clone()),
        ("subscription_id", o.subscription_id.clone()),
        ("original_id", o.original_id.clone()),
        ("parent_id", o.parent_id.clone()),
        ("amount", amount),
        ("date", o.date.map(|date| date.to_string())),
        ("trial", number(o.trial)),
        ("trial_period", number(o.trial_period)),
        ("rebill_circle", number(o.rebill_circle)),
        ("installments", number(o.installments)),
        ("payments_left", number(o.payments_left)),
        ("pay_number", number(o.pay_number)),
        ("occurred_at", Some(event.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
    ];
    named.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}", value?))).collect()
}
