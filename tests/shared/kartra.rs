//! Unique webhooks of the size that Kartra's have: a first payment and what may follow it, with the address and
//! the ids replaced.

use chrono::{NaiveDateTime, TimeDelta};
use std::sync::atomic::{AtomicU32, Ordering};

const JSON: &str = include_str!("../samples/outbound/buy_product.subscription_first_payment.json");
const FORM: &str = include_str!("../samples/ipn/sale.subscription.form");
const REBILL: &str = include_str!("../samples/ipn/rebill.form");
const REFUND: &str = include_str!("../samples/ipn/refund.subscription.form");
/// The product that every webhook is about.
pub const PRODUCT: &str = "558001";
/// Where the ids of first payments, leads and subscriptions begin, those of rebills, and those of refunds.
const FIRST_ID: u32 = 10_000_000;
const FIRST_REBILL_ID: u32 = 20_000_000;
const FIRST_REFUND_ID: u32 = 30_000_000;
/// Where the ids of later payments begin, which grow from one to the next.
const FIRST_LATER_ID: u32 = 40_000_000;
/// When the second payment was made, and how forms write an instant.
const REBILLED_AT: &str = "2025-04-04+09%3A20%3A11";
const AS_IN_FORMS: &str = "%Y-%m-%d+%H%%3A%M%%3A%S";
/// How far apart those are who have a turn one after the other: a prime.
const FAR: u64 = 7_919;
/// One of so many webhooks is a form of the IPN, the others are JSON of the Outbound API.
const FORM_EVERY: u32 = 4;

/// What goes with the number of a buyer.
type OfNumber = fn(u32) -> String;
/// What every webhook replaces, as the samples write it.
const REPLACED: [(&str, OfNumber); 7] = [
    ("dana.whitfield@example.com", email),
    ("dana.whitfield%40example.com", |number| email(number).replace('@', "%40")),
    ("4410021", |number| (FIRST_ID + number).to_string()),
    ("2087311", |number| (FIRST_ID + number).to_string()),
    ("910233", |number| (FIRST_ID + number).to_string()),
    ("4414002", |number| (FIRST_REBILL_ID + number).to_string()),
    ("4415100", |number| (FIRST_REFUND_ID + number).to_string()),
];

/// The address of the member of this number.
pub fn email(number: u32) -> String {
    format!("member-{number}@example.com")
}

/// A content type and a body.
pub type Posted = (&'static str, Vec<u8>);

/// Webhooks, each of a buyer who has a number.
pub struct Webhooks {
    json: Template,
    form: Template,
    rebill: Template,
    refund: Template,
    next: AtomicU32,
    turn: AtomicU32,
    later: AtomicU32,
}

impl Webhooks {
    /// From the first number on.
    pub fn new() -> Self {
        let [json, form, rebill, refund] = [JSON, FORM, REBILL, REFUND].map(Template::of);
        let (next, turn, later) = (AtomicU32::new(1), AtomicU32::new(0), AtomicU32::new(0));
        Self { json, form, rebill, refund, next, turn, later }
    }

    /// The first payment of the next buyer.
    pub fn next(&self) -> Posted {
        self.payment(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// How many buyers there have been.
    pub fn told(&self) -> u32 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// One of so many buyers, far from the one before, and another one each time until everybody had a turn.
    pub fn one_of(&self, buyers: u32) -> u32 {
        let turn = u64::from(self.turn.fetch_add(1, Ordering::Relaxed));
        1 + u32::try_from(turn * FAR % u64::from(buyers)).expect("less than the buyers")
    }

    /// The first payment of a buyer: three of four are JSON, one is a form.
    pub fn payment(&self, number: u32) -> Posted {
        self.first(number, number.is_multiple_of(FORM_EVERY))
    }

    /// The same payment as the other one of Kartra's feeds tells it.
    pub fn twin(&self, number: u32) -> Posted {
        self.first(number, !number.is_multiple_of(FORM_EVERY))
    }

    /// The second payment of a buyer.
    pub fn rebill(&self, number: u32) -> Posted {
        form(self.rebill.filled(number))
    }

    /// A later payment of a buyer; its transaction is, as Kartra numbers them, the latest of all, and it was made a
    /// second after the one before.
    pub fn later_payment(&self, number: u32) -> Posted {
        let later = self.later.fetch_add(1, Ordering::Relaxed);
        let of_second = (FIRST_REBILL_ID + number).to_string();
        let payment =
            replaced(self.rebill(number), &of_second, &(FIRST_LATER_ID + later).to_string());
        let paid_at = NaiveDateTime::parse_from_str(REBILLED_AT, AS_IN_FORMS).expect("ours");
        let paid_at = paid_at + TimeDelta::seconds(i64::from(later) + 1);
        replaced(payment, REBILLED_AT, &paid_at.format(AS_IN_FORMS).to_string())
    }

    /// The refund of a buyer's second payment.
    pub fn refund(&self, number: u32) -> Posted {
        form(self.refund.filled(number))
    }

    fn first(&self, number: u32, as_form: bool) -> Posted {
        if as_form {
            form(self.form.filled(number))
        } else {
            ("application/json", self.json.filled(number))
        }
    }
}

/// The same with another text in it.
pub fn replaced((content_type, body): Posted, old: &str, new: &str) -> Posted {
    let text = String::from_utf8(body).expect("ours").replace(old, new);
    (content_type, text.into_bytes())
}

fn form(body: Vec<u8>) -> Posted {
    ("application/x-www-form-urlencoded", body)
}

/// A text in pieces; behind each but the last goes what one of [`REPLACED`] makes.
struct Template {
    pieces: Vec<(String, Option<usize>)>,
}

impl Template {
    fn of(text: &str) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), text.trim_end());
        loop {
            let found = REPLACED.iter().enumerate();
            let found = found.filter_map(|(which, (old, _))| rest.find(old).map(|at| (at, which)));
            let Some((at, which)) = found.min() else { break };
            pieces.push((rest[..at].to_owned(), Some(which)));
            rest = &rest[at + REPLACED[which].0.len()..];
        }
        pieces.push((rest.to_owned(), None));
        Self { pieces }
    }

    fn filled(&self, number: u32) -> Vec<u8> {
        let new = REPLACED.map(|(_, of)| of(number));
        let mut filled = Vec::with_capacity(4096);
        for (piece, which) in &self.pieces {
            filled.extend_from_slice(piece.as_bytes());
            filled.extend_from_slice(which.map_or("", |which| &new[which]).as_bytes());
        }
        filled
    }
}
