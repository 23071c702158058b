//! Puts an answer into sentences that support can paste to a customer.

use super::Instant;
use super::access::{Answer, Considered};
use super::event::Kind;
use super::grant::Reason;

/// Why a member holds what they hold, one sentence a line; only about `level` where one is named.
#[must_use]
pub fn sentences(email: &str, answer: &Answer, level: Option<&str>) -> Vec<String> {
    let about = |name: Option<&str>| level.is_none() || name.is_none() || name == level;
    let mut lines = Vec::new();
    for held in answer.levels.iter().filter(|held| about(Some(&held.level))) {
        let until =
            held.until.map_or("with no known end".to_owned(), |t| format!("until {}", day(t)));
        lines.push(format!("{email} has {} since {}, {until}.", held.level, day(held.since)));
    }
    if !answer.levels.iter().any(|held| about(Some(&held.level))) {
        let what = level.unwrap_or("no level");
        let verb = if level.is_some() { "does not have" } else { "has" };
        lines.push(format!("{email} {verb} {what} on {}.", day(answer.at)));
    }
    for block in answer.blocks.iter().filter(|block| about(block.level.as_deref())) {
        let what = block.level.as_deref().unwrap_or("Every level");
        let why = match &block.chargeback {
            Some(event) => {
                format!("a chargeback ({})", event.transaction_id.as_deref().unwrap_or_default())
            }
            None => "an operator".to_owned(),
        };
        lines.push(format!("{what} is blocked by {why} since {}.", day(block.stretch.from)));
    }
    let considered = answer.considered.iter().filter(|c| about(c.level.as_deref()));
    lines.extend(considered.map(sentence));
    if answer.considered.is_empty() {
        lines.push("No purchase and no manual grant is known for this address.".to_owned());
    }
    lines
}

/// One grant in words.
fn sentence(considered: &Considered) -> String {
    let level = considered.level.as_deref().unwrap_or("Nothing yet");
    let Some(purchase) = &considered.purchase else {
        let end = considered.changes_at.map(|t| format!(" until {}", day(t))).unwrap_or_default();
        return match considered.reason {
            Reason::Manual => format!("{level} is given by hand{end}."),
            Reason::Blocked => format!("{level} was given by hand, but is blocked."),
            _ => format!("{level} was given by hand, and that has ended."),
        };
    };
    let id = purchase.id.0.replace(':', " ");
    let when = considered.event.as_ref().map(|event| day(event.occurred_at)).unwrap_or_default();
    let end = considered.changes_at.map(day);
    let until = end.clone().map(|end| format!(" until {end}")).unwrap_or_default();
    match considered.reason {
        Reason::Active => format!("{level}: {id} is paid (last on {when}){until}."),
        Reason::Trialing => format!("{level}: {id} is in its trial, begun on {when}{until}."),
        Reason::WaitingForFirstPayment => {
            format!("{level} waits for the first payment of {id} after its trial.")
        }
        Reason::Completed => format!("{level}: every payment of {id} was made{until}."),
        Reason::InGrace => {
            format!("{level}: a payment of {id} failed on {when}; grace runs{until}.")
        }
        Reason::GraceOver => {
            format!("{level} ended: a payment of {id} failed on {when}, and its grace is over.")
        }
        Reason::Canceled => format!("{level} ended because {id} was cancelled on {when}."),
        Reason::UntilPeriodEnd => {
            format!("{level}: {id} was cancelled on {when} and is paid through{until}.")
        }
        Reason::Refunded => format!("{level} ended because {id} was refunded on {when}."),
        Reason::PartiallyRefunded => {
            format!("{level} ended because {id} was refunded in part on {when}.")
        }
        Reason::ChargedBack => format!("{level} ended because {id} was charged back on {when}."),
        Reason::KeptByPolicy => {
            let what = considered.event.as_ref().map_or("event", |event| in_words(event.kind));
            format!("{level}: the policy keeps {id} open after its {what} on {when}{until}.")
        }
        Reason::DurationOver => format!("{level} ended: the set duration of {id} is over."),
        Reason::Switched => {
            format!("{level} ended because {id} turned to another product or price on {when}.")
        }
        Reason::NotStarted => format!("{level}: {id} has not started yet."),
        Reason::Blocked => format!("{level} would be given by {id}, but is blocked."),
        Reason::Held => format!(
            "{id} bought product {}{} on {}, which no mapping names: map it to give a level.",
            purchase.product_id,
            purchase
                .price_point
                .as_ref()
                .map(|p| format!(" at price point {p}"))
                .unwrap_or_default(),
            day(purchase.started_at),
        ),
        Reason::Manual | Reason::ManualEnded => format!("{level} was given by hand."),
    }
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Sale => "sale",
        Kind::Rebill => "rebill",
        Kind::PaymentFailed => "failed payment",
        Kind::PartialRefund => "partial refund",
        Kind::Cancellation => "cancellation",
        Kind::Refund => "refund",
        Kind::Chargeback => "chargeback",
        Kind::Other => "event",
    }
}

fn day(at: Instant) -> String {
    at.format("%-d %B %Y %H:%M UTC").to_string()
}
