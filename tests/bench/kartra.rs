//! Unique webhooks of the size that Kartra's have: a first payment, with the address and the ids replaced.

use std::sync::atomic::{AtomicU32, Ordering};

const JSON: &str = include_str!("../samples/outbound/buy_product.subscription_first_payment.json");
const FORM: &str = include_str!("../samples/ipn/sale.subscription.form");
/// The product that every webhook is about.
pub const PRODUCT: &str = "558001";
/// Ids of one webhook are so far from those of the next.
const FIRST_ID: u32 = 10_000_000;

/// What every webhook of a form replaces, and how the sample writes it.
const REPLACED: [(&str, fn(u32) -> String); 5] = [
    ("dana.whitfield@example.com", email),
    ("dana.whitfield%40example.com", |number| email(number).replace('@', "%40")),
    ("4410021", |number| (FIRST_ID + number).to_string()),
    ("2087311", |number| (FIRST_ID + number).to_string()),
    ("910233", |number| (FIRST_ID + number).to_string()),
];

/// The address of the member of this number.
pub fn email(number: u32) -> String {
    format!("member-{number}@example.com")
}

/// Webhooks, one after the other, none like another.
pub struct Webhooks {
    json: Template,
    form: Template,
    next: AtomicU32,
}

impl Webhooks {
    /// From the first number on.
    pub fn new() -> Self {
        Self { json: Template::of(JSON), form: Template::of(FORM), next: AtomicU32::new(1) }
    }

    /// The next one: three of four are JSON of the Outbound API, one a form of the IPN.
    pub fn next(&self) -> (&'static str, Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number % 4 == 0 {
            ("application/x-www-form-urlencoded", self.form.filled(number))
        } else {
            ("application/json", self.json.filled(number))
        }
    }
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
