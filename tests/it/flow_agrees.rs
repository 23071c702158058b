//! The whole flow against the model: random stories through HTTP, batch by batch, in the order of
//! receipt, on both databases; then every address is asked, and every level, now and at instants of the past and
//! of the future.

use crate::model::{
    Feed, MappingSpec, Replay, Story, Vouched, emails, interesting_instants, random_story,
};
use crate::on_both_databases;
use crate::support::{TestApp, instant, names};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How many stories each database is told.
const STORIES: u64 = 28;

on_both_databases! {
    fn random_stories_through_http(app: &TestApp) {
        for seed in 0..STORIES {
            tell(app, seed);
        }
        // Stories lie side by side in time; the end of all of them is the end of the test.
        app.at(instant("2030-01-01T00:00:00Z"));
    }
}

/// Tells one story to a site of its own, and compares.
pub fn tell(app: &TestApp, seed: u64) {
    let mut story = random_story(seed);
    // Overrides are made by people at the time of their making; the scenarios tell of those.
    story.overrides.clear();
    let site = format!("story-{seed}");
    open_site(app, &story, &site);
    // Whether a flood is stopped is told elsewhere.
    let set = app.patch(&format!("/api/v1/sites/{site}"), &json!({ "max_revocations": null }));
    assert_eq!(set.status, 200, "{set:?}");
    play(app, &story, &site);
    compare(app, &story, &site, seed);
}

/// Lets everything happen at a site that a story tells of, but for its overrides.
pub fn play(app: &TestApp, story: &Story, site: &str) {
    let hook = app.hook_of(site);
    let mut discarded = Vec::new();
    let mut secret_set = false;
    for (number, sent) in story.sent.iter().enumerate() {
        app.clock.set(sent.received_at);
        // An IPN is judged at its receipt: whether there is a secret to check it by, is the story's.
        if sent.feed == Feed::Ipn && secret_set != (sent.vouched == Vouched::IpnRight) {
            secret_set = !secret_set;
            let secret = if secret_set { json!("ipn-secret-EXAMPLE") } else { json!(null) };
            let set = app.patch(&format!("/api/v1/sites/{site}"), &json!({ "ipn_secret": secret }));
            assert_eq!(set.status, 200, "{set:?}");
        }
        let reply = app.post_raw(&hook, sent.body.clone());
        assert_eq!(reply.status, 200, "{reply:?}");
        if sent.discarded {
            discarded.push(reply.json["webhook_id"].as_str().expect("an id").to_owned());
        }
        // Batches of every size, and mappings that come when half of it is over.
        if number % 3 == 0 {
            app.drain();
        }
        if number == story.sent.len() / 2 {
            story.mappings.iter().for_each(|mapping| map(app, site, mapping));
        }
    }
    app.drain();
    for id in discarded {
        let done = app.post(&format!("/api/v1/sites/{site}/webhooks/{id}/discard"), &json!({}));
        assert_eq!(done.status, 200, "{done:?}");
    }
}

/// A site with the story's zone, policy, levels and ignored products.
pub fn open_site(app: &TestApp, story: &Story, site: &str) {
    let made =
        app.post("/api/v1/sites", &json!({"id": site, "kartra_time_zone": story.time_zone.name()}));
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/api/v1/sites/{site}");
    let set = app.patch(&path, &json!({ "policy": story.site_policy }));
    assert_eq!(set.status, 200, "{set:?}");
    let levels: BTreeSet<&String> = story.mappings.iter().map(|mapping| &mapping.level).collect();
    for level in levels {
        assert_eq!(app.post(&format!("{path}/levels"), &json!({"id": level})).status, 201);
    }
}

pub fn map(app: &TestApp, site: &str, mapping: &MappingSpec) {
    let body = json!({
        "product_id": mapping.product_id, "price_point": mapping.price_point, "level": mapping.level,
        "enabled": mapping.enabled, "purchased_from": mapping.purchased_from,
        "purchased_before": mapping.purchased_before, "policy": mapping.policy,
    });
    let made = app.post(&format!("/api/v1/sites/{site}/mappings"), &body);
    // The generator may make the same mapping twice; the API refuses the twin, which gives nothing.
    assert!([201, 409].contains(&made.status), "{made:?}");
}

fn compare(app: &TestApp, story: &Story, site: &str, seed: u64) {
    let replay = Replay::of(story);
    let now = app.clock.now();
    let mut instants: Vec<_> =
        interesting_instants(story).into_iter().filter(|at| *at < now).collect();
    let step = (instants.len() / 12).max(1);
    instants = instants.into_iter().step_by(step).collect();
    let later = interesting_instants(story).into_iter().filter(|at| *at > now).take(2);
    instants.extend(later.chain([now, now + TimeDelta::days(400)]));
    for (number, at) in instants.into_iter().enumerate() {
        let expected = replay.everyone(at);
        if number % 4 == 0 || at >= now {
            compare_by_level(app, story, site, at, &expected);
        }
        for email in emails(story) {
            let text = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            let question = if at == now { String::new() } else { format!("?at={text}") };
            let found = app.get(&format!("/api/v1/sites/{site}/members/{email}/access{question}"));
            assert_eq!(found.status, 200, "{found:?}");
            let held: BTreeSet<String> = names(&found.json).into_iter().collect();
            let expected = expected.get(&email).cloned().unwrap_or_default();
            assert_eq!(held, expected, "seed {seed}, {email} at {at}: {:#}", found.json);
        }
    }
}

/// The list of members and the door say of each level and instant what the model says.
fn compare_by_level(
    app: &TestApp,
    story: &Story,
    site: &str,
    at: DateTime<Utc>,
    expected: &BTreeMap<String, BTreeSet<String>>,
) {
    let text = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let levels: BTreeSet<&String> = story.mappings.iter().map(|mapping| &mapping.level).collect();
    for level in levels {
        let holders: BTreeSet<&String> = expected
            .iter()
            .filter(|(_, held)| held.contains(level))
            .map(|(email, _)| email)
            .collect();
        let listed = listed(app, &format!("/api/v1/sites/{site}/members?level={level}&at={text}"));
        assert_eq!(listed.iter().collect::<BTreeSet<_>>(), holders, "{site}: {level} at {text}");
        assert_eq!(listed.len(), holders.len(), "{site}: each once");
        for email in emails(story) {
            let asked = json!({ "email": email, "level": level, "at": text });
            let found = app.post(&format!("/api/v1/sites/{site}/access/check"), &asked);
            let allowed = holders.contains(&email);
            assert_eq!(found.json["allowed"], allowed, "{site}, {email} at {text}: {found:?}");
        }
    }
}

/// The addresses in a list, page by page.
fn listed(app: &TestApp, path: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}&limit=2{cursor}"));
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.json["items"].as_array().expect("items").iter();
        all.extend(items.map(|item| item["email"].as_str().expect("an address").to_owned()));
        let Some(next) = page.json["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}
