//! The operator's side of a story: policies, mappings, overrides, ignored products.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::super::held::Replay;
use super::super::story::{Kind, MappingSpec, OverrideKind, OverrideSpec, Sent, Story};
use super::stage::{ADDRESSES, Product, Stage};

const LEVELS: [&str; 3] = ["gold", "silver", "bronze"];

/// Completes the story of these webhooks.
pub fn story(rng: &mut ChaCha8Rng, stage: &Stage, sent: Vec<Sent>) -> Story {
    let mappings = mappings(rng, stage);
    let ignored_products = ignored(rng, stage, &mappings);
    let overrides = Vec::new();
    let keys = rng.random_range(0.0..0.4);
    let site_policy = policy(rng, keys);
    let mut story =
        Story { time_zone: stage.zone, site_policy, sent, mappings, overrides, ignored_products };
    story.overrides = overrides_of(rng, stage, &story);
    story
}

/// A policy object that sets about this share of all keys.
fn policy(rng: &mut ChaCha8Rng, share: f64) -> Value {
    let mut policy = Map::new();
    for (key, values) in choices() {
        if rng.random_bool(share) {
            policy.insert(key.to_owned(), values.choose(rng).cloned().unwrap_or_default());
        }
    }
    Value::Object(policy)
}

fn choices() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("trial", vec![json!("grant"), json!("wait")]),
        ("on_payment_failed", vec![json!("keep"), grace(0), grace(3), grace(7), grace(10)]),
        (
            "on_cancellation",
            vec![json!("revoke"), json!("period_end"), json!("period_end"), json!("keep")],
        ),
        ("on_refund", vec![json!("revoke"), json!("revoke_if_latest_payment"), json!("keep")]),
        (
            "on_partial_refund",
            vec![json!("keep"), json!("revoke"), percent(25), percent(50), percent(100)],
        ),
        ("on_chargeback", vec![json!("revoke"), json!("block"), json!("block"), json!("keep")]),
        (
            "duration_days",
            vec![Value::Null, Value::Null, json!(10), json!(30), json!(60), json!(60)],
        ),
        (
            "billing_period",
            vec![
                Value::Null,
                json!({ "days": 7 }),
                json!({ "days": 30 }),
                json!({ "months": 1 }),
                json!({ "months": 2 }),
            ],
        ),
    ]
}

fn grace(days: i64) -> Value {
    json!({ "grace_days": days })
}

fn percent(percent: i64) -> Value {
    json!({ "revoke_at_percent": percent })
}

/// Every product has a mapping more often than not, some have several, and no two are the same but for their policy.
fn mappings(rng: &mut ChaCha8Rng, stage: &Stage) -> Vec<MappingSpec> {
    let mut mappings: Vec<MappingSpec> = Vec::new();
    let mut known = BTreeSet::new();
    for product in &stage.products {
        for _ in 0..[0, 1, 1, 1, 1, 2, 2, 3].choose(rng).copied().unwrap_or(1) {
            let mapping = mapping(rng, stage, product, mappings.len());
            let identity =
                (mapping.product_id.clone(), mapping.price_point.clone(), mapping.level.clone());
            if known.insert((identity, mapping.purchased_from, mapping.purchased_before)) {
                mappings.push(mapping);
            }
        }
    }
    mappings
}

fn mapping(rng: &mut ChaCha8Rng, stage: &Stage, product: &Product, number: usize) -> MappingSpec {
    let price_point = product.price_points.choose(rng).cloned().filter(|_| rng.random_bool(0.3));
    let (purchased_from, purchased_before) = window(rng, stage);
    let share = rng.random_range(0.1..0.8);
    MappingSpec {
        id: format!("m{number}"),
        product_id: product.id.clone(),
        price_point,
        level: LEVELS.choose(rng).copied().unwrap_or("gold").to_owned(),
        enabled: rng.random_bool(0.93),
        purchased_from,
        purchased_before,
        policy: policy(rng, share),
    }
}

/// Mostly none; else bounds on whole days, where purchases start too.
fn window(rng: &mut ChaCha8Rng, stage: &Stage) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let from = stage.base + Duration::days(rng.random_range(0..12));
    let before = from + Duration::days(rng.random_range(1..25));
    (Some(from).filter(|_| rng.random_bool(0.1)), Some(before).filter(|_| rng.random_bool(0.1)))
}

fn ignored(rng: &mut ChaCha8Rng, stage: &Stage, mappings: &[MappingSpec]) -> Vec<String> {
    let mapped =
        |id: &str| mappings.iter().any(|mapping| mapping.enabled && mapping.product_id == id);
    let idle = stage.products.iter().map(|product| product.id.clone()).filter(|id| !mapped(id));
    idle.filter(|_| rng.random_bool(0.4)).collect()
}

fn overrides_of(rng: &mut ChaCha8Rng, stage: &Stage, story: &Story) -> Vec<OverrideSpec> {
    let replay = Replay::of(story);
    let mut made = Vec::new();
    for _ in 0..[0, 0, 1, 1, 2, 3].choose(rng).copied().unwrap_or(0) {
        let kind = if rng.random_bool(0.6) { OverrideKind::Grant } else { OverrideKind::Block };
        made.push(override_of(rng, stage, &replay, kind));
    }
    let charged_back = story.sent.iter().any(|sent| sent.message.kind == Kind::Chargeback);
    if charged_back && rng.random_bool(0.6) {
        made.extend(lift(rng, stage, story, &replay));
    }
    // Thrown with dice of their own, so that all else of a story stays as it was before there were any.
    let dice = &mut rng.clone();
    for _ in 0..[0, 0, 1, 2].choose(dice).copied().unwrap_or(0) {
        made.push(held_open(dice, stage, story, &replay));
    }
    made
}

/// What the breaker held open, at the very time of a chargeback at times.
fn held_open(rng: &mut ChaCha8Rng, stage: &Stage, story: &Story, replay: &Replay) -> OverrideSpec {
    let chargebacks = story.sent.iter().filter(|sent| sent.message.kind == Kind::Chargeback);
    let chargeback = chargebacks.collect::<Vec<_>>().choose(rng).map(|sent| sent.received_at);
    let mut held_open = override_of(rng, stage, replay, OverrideKind::HeldOpen);
    held_open.until = None;
    if let Some(at) = chargeback.filter(|_| rng.random_bool(0.5)) {
        held_open.made_at = at;
        held_open.ended_at = None;
        held_open.leads = replay.leads_of(&held_open.email, at);
    }
    held_open
}

fn override_of(
    rng: &mut ChaCha8Rng,
    stage: &Stage,
    replay: &Replay,
    kind: OverrideKind,
) -> OverrideSpec {
    let made_at = stage.base + Duration::days(rng.random_range(0..80));
    let email = address(rng, stage, made_at);
    let level = LEVELS.choose(rng).map(|level| (*level).to_owned());
    let runs_out = made_at + Duration::days(rng.random_range(1..40));
    let deleted = made_at + Duration::days(rng.random_range(0..30));
    OverrideSpec {
        kind,
        level: level.filter(|_| kind != OverrideKind::Block || rng.random_bool(0.5)),
        leads: replay.leads_of(&email, made_at),
        email,
        made_at,
        until: Some(runs_out).filter(|_| rng.random_bool(0.5)),
        ended_at: Some(deleted).filter(|_| rng.random_bool(0.3)),
    }
}

/// Lifts what chargebacks blocked, at the very time of one at times.
fn lift(
    rng: &mut ChaCha8Rng,
    stage: &Stage,
    story: &Story,
    replay: &Replay,
) -> Option<OverrideSpec> {
    let chargebacks = story.sent.iter().filter(|sent| sent.message.kind == Kind::Chargeback);
    let chargeback = chargebacks.collect::<Vec<_>>().choose(rng).copied()?;
    let soon = Duration::days(rng.random_range(-6..10));
    let made_at =
        if rng.random_bool(0.3) { chargeback.received_at } else { chargeback.received_at + soon };
    let known = chargeback.message.lead_id.as_ref().and_then(|id| {
        stage
            .people
            .iter()
            .find(|person| person.lead_id.as_ref() == Some(id))
            .map(|person| person.address_at(made_at))
    });
    let email = known.map_or_else(|| address(rng, stage, made_at), str::to_owned);
    let leads = replay.leads_of(&email, made_at);
    let nobody = leads.is_empty();
    let lift = OverrideSpec {
        kind: OverrideKind::LiftChargeback,
        level: None,
        email,
        leads,
        made_at,
        until: None,
        ended_at: None,
    };
    (!nobody).then_some(lift)
}

/// Mostly the address of somebody in the story.
fn address(rng: &mut ChaCha8Rng, stage: &Stage, at: DateTime<Utc>) -> String {
    let person = stage.people.choose(rng).expect("somebody");
    let known = person.address_at(at).to_owned();
    if rng.random_bool(0.9) {
        known
    } else {
        ADDRESSES.choose(rng).map(|any| (*any).to_owned()).unwrap_or(known)
    }
}
