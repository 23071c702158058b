//! Which webhooks tell of a fact: over one feed or both, again, late, and with what left out.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::super::story::{Feed, Kind, Message, Sent, Vouched};
use super::render;
use super::stage::{Fact, Stage};

/// The webhooks of a story, in the order of their receipt.
pub fn webhooks(rng: &mut ChaCha8Rng, stage: &Stage, facts: &[Fact]) -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    let prompt = rng.random_bool(0.6);
    for fact in facts {
        for feed in feeds(rng, fact.message.kind) {
            let receipt = receipt(rng, fact.at, prompt);
            sent.push(webhook(rng, stage, fact, feed, receipt));
        }
    }
    sent.shuffle(rng);
    tell_apart(&mut sent);
    sent.sort_by_key(|webhook| webhook.received_at);
    sent
}

/// The feeds that tell of a fact, once for every time that they do.
fn feeds(rng: &mut ChaCha8Rng, kind: Kind) -> Vec<Feed> {
    let usual = match kind {
        Kind::Other => return vec![Feed::Outbound],
        Kind::Rebill | Kind::PaymentFailed | Kind::Chargeback if rng.random_bool(0.8) => {
            vec![Feed::Ipn]
        }
        _ => vec![Feed::Outbound, Feed::Ipn],
    };
    let mut feeds: Vec<Feed> = if rng.random_bool(0.4) {
        usual.clone()
    } else {
        usual.choose(rng).copied().into_iter().collect()
    };
    if rng.random_bool(0.12) {
        feeds.extend(usual.choose(rng));
    }
    feeds
}

/// In a prompt story everything is told within hours; else it may take weeks. Sometimes the receipt is the date itself.
fn receipt(rng: &mut ChaCha8Rng, at: DateTime<Utc>, prompt: bool) -> DateTime<Utc> {
    let longest = if prompt || rng.random_bool(0.5) { 3 } else { 24 * 25 };
    let late = Duration::hours(rng.random_range(0..=longest));
    if rng.random_bool(0.5) {
        at + late
    } else {
        at + late + Duration::microseconds(rng.random_range(0..3_000_000))
    }
}

/// Moves equal receipts apart, by as little as can be told.
fn tell_apart(sent: &mut [Sent]) {
    let mut taken = BTreeSet::new();
    for webhook in sent {
        while !taken.insert(webhook.received_at) {
            webhook.received_at += Duration::microseconds(1);
        }
    }
}

fn webhook(
    rng: &mut ChaCha8Rng,
    stage: &Stage,
    fact: &Fact,
    feed: Feed,
    received_at: DateTime<Utc>,
) -> Sent {
    let vouched = match feed {
        Feed::Outbound => Vouched::Outbound,
        Feed::Ipn if rng.random_bool(0.75) => Vouched::IpnRight,
        Feed::Ipn => Vouched::IpnUnchecked,
    };
    let mut message = fact.message.clone();
    if feed == Feed::Ipn {
        message.profile_email = None;
    }
    for _ in 0..4 {
        if stage.spoils(rng, 2.0) {
            differ(rng, &mut message);
        }
    }
    if message.kind != Kind::Other {
        message.name = action(rng, message.kind).to_owned();
    }
    let body = render::body(rng, &message, feed, vouched);
    let discarded = stage.spoils(rng, 0.5) || rng.random_bool(0.01);
    Sent { received_at, feed, vouched, message, body, discarded }
}

/// Makes one observation say less than the fact, or something else.
fn differ(rng: &mut ChaCha8Rng, message: &mut Message) {
    let other_kind = message.kind == Kind::Other;
    match rng.random_range(0..20) {
        0 => message.lead_id = None,
        1 => message.profile_email = None,
        2 => message.transaction_email = None,
        _ if other_kind => {}
        3 => message.price_point = None,
        4 => message.subscription_id = None,
        5 => message.original_id = None,
        6 => message.parent_id = None,
        7 => message.date = None,
        8 => message.amount = None,
        9 => message.rebill_circle = None,
        10 => message.trial_period = None,
        11 => message.payments_left = None,
        12 => message.trial = None,
        13 => message.pay_number = None,
        14 => message.date = message.date.map(|date| date + Duration::hours(1)),
        15 => message.date = message.date.map(|date| date - Duration::days(1)),
        16 => message.amount = message.amount.map(|amount| -amount),
        17 => message.price_point = Some("2".to_owned()),
        18 => message.rebill_circle = message.rebill_circle.map(|days| days + 1),
        _ => unreadable(rng, message),
    }
}

/// Leaves out what no money event can do without.
fn unreadable(rng: &mut ChaCha8Rng, message: &mut Message) {
    match rng.random_range(0..6) {
        0 => message.transaction_id = None,
        1 => message.product_id = None,
        2 => {
            (message.lead_id, message.profile_email, message.transaction_email) =
                (None, None, None);
        }
        _ => message.installments = None,
    }
}

/// An outbound action that can tell of the kind, given the `transaction_type`.
fn action(rng: &mut ChaCha8Rng, kind: Kind) -> &'static str {
    match kind {
        Kind::Sale | Kind::Rebill | Kind::PaymentFailed => "buy_product",
        Kind::Cancellation => "cancel_subscription",
        Kind::PartialRefund if rng.random_bool(0.2) => "refund_product",
        Kind::PartialRefund => "partial_refund_product",
        Kind::Refund | Kind::Chargeback | Kind::Other => "refund_product",
    }
}
