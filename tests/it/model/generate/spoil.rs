//! What goes wrong with facts, wherever they are told from: all that Kartra could send and nobody would wish for.

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::super::story::{Kind, Message};
use super::stage::{ADDRESSES, Fact, Stage};

/// Spoils some of the facts, as much as the stage says.
pub fn facts(rng: &mut ChaCha8Rng, stage: &Stage, facts: &mut Vec<Fact>) {
    facts.extend(doubles(rng, stage, facts));
    let all = facts.clone();
    for fact in facts.iter_mut() {
        let other = &all.choose(rng).expect("at least this fact").message;
        if fact.message.kind != Kind::Other {
            names(rng, stage, &mut fact.message, other);
            figures(rng, stage, &mut fact.message, other);
        }
        person(rng, stage, &mut fact.message);
    }
    for fact in facts {
        let other = all.choose(rng).expect("at least this fact").at;
        times(rng, stage, fact, other);
    }
}

/// Rebills with the very id and date of a sale: other events all the same, perhaps of another order or person.
fn doubles(rng: &mut ChaCha8Rng, stage: &Stage, facts: &[Fact]) -> Vec<Fact> {
    let mut doubles = Vec::new();
    for sale in facts.iter().filter(|fact| fact.message.kind == Kind::Sale) {
        if !stage.spoils(rng, 3.0) {
            continue;
        }
        let mut double = sale.clone();
        double.message.kind = Kind::Rebill;
        if rng.random_bool(0.5) {
            double.message.original_id =
                facts.choose(rng).and_then(|fact| fact.message.transaction_id.clone());
        }
        if rng.random_bool(0.5) {
            double.message.profile_email =
                ADDRESSES.choose(rng).map(|address| (*address).to_owned());
        }
        doubles.push(double);
    }
    doubles
}

/// Spoils what the fact is tied to.
fn names(rng: &mut ChaCha8Rng, stage: &Stage, message: &mut Message, other: &Message) {
    if stage.spoils(rng, 3.0) {
        message.subscription_id = None;
    }
    if stage.spoils(rng, 2.0) {
        message.subscription_id.clone_from(&other.subscription_id);
    }
    if stage.spoils(rng, 2.0) {
        message.original_id = None;
    }
    if stage.spoils(rng, 1.5) {
        message.original_id = other.original_id.clone().or_else(|| other.transaction_id.clone());
    }
    if stage.spoils(rng, 1.5) {
        message.parent_id.clone_from(&other.transaction_id);
    }
    if message.kind.is_reversal() && stage.spoils(rng, 6.0) {
        name_only(rng, message);
    }
    if message.kind == Kind::Rebill && other.kind == Kind::Sale && stage.spoils(rng, 2.0) {
        message.transaction_id.clone_from(&other.transaction_id);
    }
}

/// Leaves a reversal with its parent, its order or nothing.
fn name_only(rng: &mut ChaCha8Rng, message: &mut Message) {
    message.subscription_id = None;
    match rng.random_range(0..4) {
        0 => message.original_id = None,
        1 => message.parent_id = None,
        _ => {
            message.original_id = None;
            message.parent_id = None;
        }
    }
    if rng.random_bool(0.3) {
        message.price_point = None;
    }
}

/// Spoils what is sold, for how much and for how long.
fn figures(rng: &mut ChaCha8Rng, stage: &Stage, message: &mut Message, other: &Message) {
    if stage.spoils(rng, 0.5) {
        message.product_id = other.product_id.clone().or(message.product_id.take());
    }
    if stage.spoils(rng, 0.5) {
        message.price_point.clone_from(&other.price_point);
    }
    if stage.spoils(rng, 0.5) {
        message.price_point = None;
    }
    if stage.spoils(rng, 1.0) {
        message.amount = [None, Some(0), Some(-2_000), Some(1)].choose(rng).copied().flatten();
    }
    if message.kind.is_payment() && stage.spoils(rng, 1.0) {
        message.payments_left =
            [None, Some(0), Some(1), Some(9998), Some(9999)].choose(rng).copied().flatten();
    }
    if message.kind.is_payment() && stage.spoils(rng, 1.0) {
        message.installments = [None, Some(0), Some(2), Some(1)].choose(rng).copied().flatten();
    }
    if message.kind.is_payment() && stage.spoils(rng, 0.7) {
        message.trial = Some(1);
        message.trial_period = [None, Some(0), Some(5)].choose(rng).copied().flatten();
    }
    if message.kind.is_payment() && stage.spoils(rng, 1.0) {
        message.rebill_circle = [None, Some(0), Some(14)].choose(rng).copied().flatten();
    }
}

/// Spoils who it was.
fn person(rng: &mut ChaCha8Rng, stage: &Stage, message: &mut Message) {
    if stage.spoils(rng, 1.0) {
        message.lead_id = None;
    }
    if stage.spoils(rng, 0.5) {
        message.profile_email = None;
    }
    if stage.spoils(rng, 0.7) {
        message.profile_email =
            ADDRESSES.choose(rng).map(|address| format!(" {}", address.to_uppercase()));
    }
    if message.kind != Kind::Other && stage.spoils(rng, 0.7) {
        message.transaction_email = ADDRESSES.choose(rng).map(|address| (*address).to_owned());
    }
}

/// Spoils when it was: unknown, at the very time of another fact, in the future, or where the clock skips or repeats.
fn times(rng: &mut ChaCha8Rng, stage: &Stage, fact: &mut Fact, other: DateTime<Utc>) {
    if fact.message.kind == Kind::Other {
        return;
    }
    if stage.spoils(rng, 1.0) {
        fact.message.date = Some(stage.clock(other));
    }
    if stage.spoils(rng, 0.5) {
        let ahead = Duration::days(rng.random_range(1..40));
        fact.message.date = Some(stage.clock(fact.at + ahead));
    }
    if stage.spoils(rng, 1.0) {
        fact.message.date = None;
    }
    if let Some(odd) = stage.odd_times.choose(rng).copied()
        && stage.spoils(rng, 2.0)
    {
        fact.message.date = Some(odd);
    }
}
