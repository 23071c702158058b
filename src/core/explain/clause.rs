//! One grant in words: what can stand behind "because".

use crate::core::Instant;
use crate::core::access::Considered;
use crate::core::event::Kind;
use crate::core::grant::Reason;
use crate::core::link::PurchaseId;
use crate::core::purchase::Status;

/// An instant as a customer reads it, next to an instant that has been named with its time: a day, and
/// the time with its zone where the day is the same.
pub fn when(instant: Instant, named: Instant) -> String {
    let day = instant.format("%-d %B %Y");
    if instant.date_naive() == named.date_naive() {
        return format!("{day} at {} UTC", instant.format("%H:%M"));
    }
    day.to_string()
}

/// Why a grant gives a level, or does not, without a full stop.
pub fn clause(considered: &Considered, level: &str, at: Instant) -> String {
    let Some(purchase) = &considered.purchase else {
        return match considered.reason {
            Reason::Manual => format!("it was given by hand{}", given_on(considered, at)),
            Reason::HeldOpen => held_open(considered, at),
            Reason::Blocked => {
                format!("{} is kept from giving it by a block", giver(considered, at))
            }
            _ => format!("{} has ended", giver(considered, at)),
        };
    };
    let it = called(&purchase.id);
    let day = |instant| when(instant, at);
    let event = considered.event.as_ref();
    let event_day = event.map_or_else(String::new, |event| day(event.occurred_at));
    let ended = considered.gave.and_then(|gave| gave.until);
    let ended_day = ended.map(day);
    // What ended access on the day it happened needs to name the day but once.
    let on = if ended_day.as_ref() == Some(&event_day) {
        String::new()
    } else {
        format!(" on {event_day}")
    };
    let until = ended_day.unwrap_or_else(|| "an unknown day".to_owned());
    let is_rebill = event.is_some_and(|event| event.kind == Kind::Rebill);
    match considered.reason {
        Reason::Active if is_rebill => format!("{it} was last paid on {event_day}"),
        Reason::Active => format!("{it} was paid on {event_day}"),
        Reason::Trialing => format!("{it} is in its trial since {event_day}"),
        Reason::WaitingForFirstPayment => match purchase.status {
            Status::PastDue => {
                format!(
                    "the first payment of {it} failed; {level} comes with the next that succeeds"
                )
            }
            Status::Canceled => format!("{it} was cancelled before its first payment"),
            Status::Refunded => format!("{it} was refunded before its first payment"),
            Status::ChargedBack => format!("{it} was charged back before its first payment"),
            Status::Trialing | Status::Active | Status::Completed => {
                format!("{it} is in its trial and gives {level} with its first payment")
            }
        },
        Reason::Completed => {
            format!("every payment of {it} has been made, the last on {event_day}")
        }
        Reason::InGrace => {
            format!("a payment of {it} failed on {event_day} and can be made up for until {until}")
        }
        Reason::GraceOver => format!("a payment of {it} failed{on} and none has arrived since"),
        // A cancellation that let access run on to the end of what was paid.
        Reason::Canceled if ended > event.map(|event| event.occurred_at) => {
            format!("{it} was cancelled{on} and was paid for until then")
        }
        Reason::Canceled => format!("{it} was cancelled{on}"),
        Reason::UntilPeriodEnd => {
            format!("{it} was cancelled on {event_day} and is paid for until {until}")
        }
        Reason::Refunded => format!("{it} was refunded{on}"),
        Reason::PartiallyRefunded => format!("{it} was refunded in part{on}"),
        Reason::ChargedBack => format!("the payment of {it} was charged back{on}"),
        Reason::KeptByPolicy => {
            let what = event.map_or("change", |event| in_words(event.kind));
            format!("{level} is kept after the {what} of {it} on {event_day}")
        }
        Reason::DurationOver => {
            format!("{it} of {} gave it for a limited time", day(purchase.started_at))
        }
        Reason::Switched => format!("{it} changed to another product or price{on}"),
        Reason::NotStarted => format!("{it} begins on {}", day(purchase.started_at)),
        Reason::Blocked => format!("{it} is kept from giving it by a block"),
        Reason::Held => format!("{it} is not mapped to a level"),
        Reason::Manual | Reason::ManualEnded => "it was given by hand".to_owned(),
        Reason::HeldOpen => held_open(considered, at),
    }
}

/// Whether a grant that has given nothing may give its level later, by what is known of it.
pub fn is_to_come(considered: &Considered) -> bool {
    let status = considered.purchase.as_ref().map(|purchase| purchase.status);
    let over = [Status::Canceled, Status::Refunded, Status::ChargedBack];
    match considered.reason {
        Reason::NotStarted => true,
        Reason::WaitingForFirstPayment => status.is_none_or(|status| !over.contains(&status)),
        _ => false,
    }
}

/// A purchase of something that no mapping names; `None` for whatever has a level.
pub fn held_purchase(considered: &Considered, at: Instant) -> Option<String> {
    let purchase = considered.purchase.as_ref().filter(|_| considered.reason == Reason::Held)?;
    let point = purchase.price_point.as_ref().map(|point| format!(" at price point {point}"));
    Some(format!(
        "{} of {} gives no level yet because product {}{} is not mapped to one; once it is, the purchase \
         counts from its own date.",
        capitalised(&called(&purchase.id)),
        when(purchase.started_at, at),
        purchase.product_id,
        point.unwrap_or_default(),
    ))
}

/// What gives a level, as the subject of a sentence.
pub fn giver(considered: &Considered, at: Instant) -> String {
    match &considered.purchase {
        Some(purchase) => called(&purchase.id),
        None if considered.held_open_id.is_some() => "what is held open".to_owned(),
        None => format!("what was given by hand{}", given_on(considered, at)),
    }
}

fn held_open(considered: &Considered, at: Instant) -> String {
    let on = considered.gave.map(|gave| format!(" on {}", when(gave.from, at)));
    format!(
        "its end{} waits for an operator's decision, as too many members were to lose it at once",
        on.unwrap_or_default()
    )
}

fn given_on(considered: &Considered, at: Instant) -> String {
    let given = considered.gave.map(|gave| format!(" on {}", when(gave.from, at)));
    given.unwrap_or_default()
}

/// A purchase as Kartra's pages number it: a subscription by its own number, any other purchase by that of its first
/// transaction; its product is left out.
fn called(id: &PurchaseId) -> String {
    match id.0.split_once(':') {
        Some(("order", rest)) => {
            format!("purchase {}", rest.split_once(':').map_or(rest, |(_, order)| order))
        }
        Some((kind, number)) => format!("{kind} {number}"),
        None => id.0.clone(),
    }
}

/// The same as the beginning of a sentence.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Sale | Kind::Rebill => "payment",
        Kind::PaymentFailed => "failed payment",
        Kind::PartialRefund => "partial refund",
        Kind::Cancellation => "cancellation",
        Kind::Refund => "refund",
        Kind::Chargeback => "chargeback",
        Kind::Other => "change",
    }
}
