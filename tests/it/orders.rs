//! The same events in any order, any number of times, in batches of any size, with the mappings made
//! before, between or after: the same access, for the same reasons, at every instant.

use crate::model::{
    Feed, MappingSpec, Sent, Story, Vouched, emails, interesting_instants, random_story,
};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use chrono::{DateTime, Utc};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// In how many orders each story is told.
const ORDERS: u64 = 20;
/// How many stories of the generator are told: the first ones that both give and take.
const STORIES: usize = 2;
/// When everything arrives: after all of it has happened, so that no order changes a date.
const RECEIPT: &str = "2027-01-01T00:00:00Z";
/// At how many instants of each story it is asked.
const INSTANTS: usize = 4;
const BATCHES: [usize; 5] = [1, 2, 3, 7, usize::MAX];

on_both_databases! {
    fn twenty_orders_of_the_same_events_leave_identical_access(app: &TestApp) {
        app.clock.set(instant(RECEIPT));
        let mut told = 0;
        for seed in (1..).take_while(|seed| *seed < 50) {
            let story = random_story(seed);
            let first = tell(app, &story, seed, 0);
            if !is_telling(&first) {
                continue;
            }
            (1..ORDERS).for_each(|order| agrees(&first, &tell(app, &story, seed, order), seed, order));
            told += 1;
            if told == STORIES {
                return;
            }
        }
        panic!("only {told} stories give and take");
    }
}

fn agrees(first: &BTreeMap<String, Value>, again: &BTreeMap<String, Value>, seed: u64, order: u64) {
    for (question, answer) in first {
        let found = again.get(question);
        assert_eq!(found, Some(answer), "story {seed} in order {order}: {question}");
    }
    assert_eq!(first.len(), again.len(), "story {seed} in order {order}");
}

/// A story that gave nothing, or took nothing away, would agree with itself in any order.
fn is_telling(answers: &BTreeMap<String, Value>) -> bool {
    let considered = |answer: &Value| answer["considered"].as_array().cloned().unwrap_or_default();
    let grants: Vec<Value> = answers.values().flat_map(considered).collect();
    [true, false].into_iter().all(|held| grants.iter().any(|grant| grant["held"] == held))
}

/// Tells a story to a site of its own in one order; answers what that site answers.
fn tell(app: &TestApp, story: &Story, seed: u64, order: u64) -> BTreeMap<String, Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed * 1_000 + order);
    let site = format!("story-{seed}-order-{order}");
    open_site(app, story, &site);
    let mut sent: Vec<&Sent> = story.sent.iter().filter(|sent| !sent.discarded).collect();
    if order > 0 {
        let twice = sent.clone().into_iter().filter(|_| rng.random_bool(0.2));
        sent.extend(twice.collect::<Vec<_>>());
        sent.shuffle(&mut rng);
    }
    let batch = BATCHES[usize::try_from(order).expect("a number") % BATCHES.len()];
    let mut mapping_ids = BTreeMap::new();
    let mapped_after = rng.random_range(0..=sent.len());
    let hook = app.hook_of(&site);
    let mut secret_set = false;
    for (number, sent) in (0usize..).zip(&sent) {
        if number == mapped_after {
            map(app, story, &site, &mut mapping_ids);
        }
        // An IPN is judged at its receipt: whether there is a secret to check it by, is the story's.
        if sent.feed == Feed::Ipn && secret_set != (sent.vouched == Vouched::IpnRight) {
            secret_set = !secret_set;
            let secret = if secret_set { json!("ipn-secret-EXAMPLE") } else { json!(null) };
            let set = app.patch(&format!("/api/v1/sites/{site}"), &json!({ "ipn_secret": secret }));
            assert_eq!(set.status, 200, "{set:?}");
        }
        let reply = app.post_raw(&hook, sent.body.clone());
        assert_eq!(reply.status, 200, "{reply:?}");
        if number % batch == 0 {
            app.drain();
        }
    }
    if mapped_after == sent.len() {
        map(app, story, &site, &mut mapping_ids);
    }
    app.drain();
    answers(app, story, &site, &mapping_ids)
}

fn open_site(app: &TestApp, story: &Story, site: &str) {
    let zone = story.time_zone.name();
    let made = app.post("/api/v1/sites", &json!({"id": site, "kartra_time_zone": zone}));
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/v1/sites/{site}");
    let set = app.patch(&path, &json!({ "policy": story.site_policy }));
    assert_eq!(set.status, 200, "{set:?}");
    let levels: BTreeSet<&String> = story.mappings.iter().map(|mapping| &mapping.level).collect();
    for level in levels {
        assert_eq!(app.post(&format!("{path}/levels"), &json!({"id": level})).status, 201);
    }
}

/// Makes the story's mappings; notes the id that each has on this site.
fn map(app: &TestApp, story: &Story, site: &str, ids: &mut BTreeMap<String, String>) {
    for mapping in &story.mappings {
        let MappingSpec { product_id, price_point, level, enabled, .. } = mapping;
        let body = json!({
            "product_id": product_id, "price_point": price_point, "level": level,
            "enabled": enabled, "purchased_from": mapping.purchased_from,
            "purchased_before": mapping.purchased_before, "policy": mapping.policy,
        });
        let made = app.post(&format!("/api/v1/sites/{site}/mappings"), &body);
        // The generator may make the same mapping twice; the API refuses the twin.
        assert!([201, 409].contains(&made.status), "{made:?}");
        if let Some(id) = made.json["id"].as_str() {
            ids.insert(id.to_owned(), mapping.id.clone());
        }
    }
}

/// Everything that a site answers, by what was asked, without what is the site's own: its ids, and
/// how many steps it took.
fn answers(
    app: &TestApp,
    story: &Story,
    site: &str,
    mapping_ids: &BTreeMap<String, String>,
) -> BTreeMap<String, Value> {
    let path = format!("/api/v1/sites/{site}");
    let mut answers = BTreeMap::new();
    for email in emails(story) {
        for at in instants(story) {
            let text = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            let found = app.get(&format!("{path}/members/{email}/access?at={text}"));
            assert_eq!(found.status, 200, "{found:?}");
            let mut access = found.json;
            access["id"].take();
            access["version"].take();
            rename_mappings(&mut access, mapping_ids);
            answers.insert(format!("access of {email} at {text}"), access);
        }
    }
    let mut products = app.get(&format!("{path}/products")).json;
    rename_mappings(&mut products, mapping_ids);
    answers.insert("products".to_owned(), products);
    for webhook in
        app.get(&format!("{path}/webhooks?limit=500")).json["items"].as_array().expect("items")
    {
        // Twins change places with the order: the first to come stands for the event.
        if webhook["status"] != "duplicate" && webhook["transaction_id"].is_string() {
            let event = format!("listed: {} {}", webhook["kind"], webhook["transaction_id"]);
            answers.insert(event, webhook["status"].clone());
        }
    }
    answers
}

fn instants(story: &Story) -> Vec<DateTime<Utc>> {
    let all = interesting_instants(story);
    let step = (all.len() / INSTANTS).max(1);
    all.into_iter()
        .step_by(step)
        .chain([instant(RECEIPT)])
        .filter(|at| *at <= instant(RECEIPT))
        .collect()
}

/// Puts the story's names for its mappings in the place of a site's.
fn rename_mappings(value: &mut Value, ids: &BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename_mappings(item, ids)),
        Value::Object(fields) => {
            // An answer names the mapping that it is by, a product all that it has.
            let one = fields.get_mut("mapping").and_then(|mapping| mapping.get_mut("id"));
            one.into_iter().for_each(|id| rename(id, ids));
            let all = fields.get_mut("mappings").and_then(Value::as_array_mut);
            let all = all.into_iter().flatten().filter_map(|mapping| mapping.get_mut("id"));
            all.for_each(|id| rename(id, ids));
            fields.values_mut().for_each(|item| rename_mappings(item, ids));
        }
        _ => {}
    }
}

fn rename(id: &mut Value, ids: &BTreeMap<String, String>) {
    if let Value::String(id) = id {
        id.clone_from(&ids[id.as_str()]);
    }
}
