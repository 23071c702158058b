//! Plans against what happens: random stories and random edits, while webhooks keep coming. A plan that is
//! ready names exactly the steps that applying it takes; applied later, it takes nothing from anybody whom it
//! does not name.

use crate::flow_agrees::{map, open_site};
use crate::model::{MappingSpec, Story, emails, random_story};
use crate::support::{ADMIN_KEY, Database, Reply, TestApp};
use chrono::{DateTime, TimeDelta, Utc};
use latchkey::store::sites::Busy;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// How many stories each database is told.
const STORIES: u64 = 40;
/// One purchase a page and one member a look, so that webhooks come between any two of them.
const SMALL: [(&str, &str); 2] =
    [("flow.batch_purchases_max", "1"), ("flow.batch_webhooks_max", "2")];

/// The end of each level of each address; a level that is not held is not there.
type Access = BTreeMap<(String, String), Value>;

#[test]
fn a_ready_plan_names_what_happens_and_takes_nothing_else_on_sqlite() {
    suite(&TestApp::start_with(Database::sqlite(), &SMALL));
}

#[test]
fn a_ready_plan_names_what_happens_and_takes_nothing_else_on_postgres() {
    if let Some(database) = Database::postgres() {
        suite(&TestApp::start_with(database, &SMALL));
    }
}

fn suite(app: &TestApp) {
    let mut seen = Seen::default();
    for seed in 0..STORIES {
        tell(app, seed, &mut seen);
    }
    app.is_as_the_events_say();
    // A suite that never met one of these would show nothing of it.
    assert!(seen.steps > 50 && seen.refused > 0 && seen.late > 4, "{seen:?}");
}

/// What the stories have led to.
#[derive(Debug, Default)]
struct Seen {
    /// Steps that plans named and that came about.
    steps: usize,
    /// Plans that were refused since somebody would have lost what they did not name.
    refused: usize,
    /// Plans that were applied although members had moved since.
    late: usize,
}

fn tell(app: &TestApp, seed: u64, seen: &mut Seen) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let story = random_story(seed);
    let site = Site { app, path: format!("/api/v1/sites/plan-{seed}"), story: &story };
    open_site(app, &story, &format!("plan-{seed}"));
    let hook = app.hook_of(&format!("plan-{seed}"));
    let mut sent = story.sent.iter();
    // A plan is not for ever: once it is made, the webhooks come within a day.
    let latest = Cell::new(DateTime::<Utc>::MAX_UTC);
    let mut receive = |count: usize| {
        for webhook in sent.by_ref().take(count) {
            app.clock.set(webhook.received_at.max(app.clock.now()).min(latest.get()));
            assert_eq!(app.post_raw(&hook, webhook.body.clone()).status, 200);
        }
    };
    let third = story.sent.len() / 3;
    receive(third);
    story.mappings.iter().for_each(|mapping| map(app, &format!("plan-{seed}"), mapping));
    site.map_every_product();
    app.drain();

    // Computed while webhooks come and are applied.
    let plan = site.plan(&mut rng, seed);
    latest.set(app.clock.now() + TimeDelta::hours(20));
    for _ in 0..third {
        receive(usize::from(rng.random_bool(0.7)));
        if rng.random_bool(0.6) {
            app.app.flow().turn(Busy::Wait).expect("a turn");
        }
        app.app.flow().plan_turn().expect("a step");
        if app.get(&plan).json["state"] == "ready" {
            break;
        }
    }
    let named = site.ready(&plan);
    let before = site.access();
    if seed.is_multiple_of(2) {
        let applied = site.apply(&plan);
        assert_eq!(applied.status, 200, "seed {seed}: {applied:?}");
        assert_eq!(steps(&before, &site.access()), named, "seed {seed}");
        seen.steps += named.len();
        return;
    }
    // Applied when more has happened.
    receive(third);
    while app.app.flow().turn(Busy::Wait).expect("a turn") {}
    let moved = site.access() != before;
    let before = site.access();
    let applied = site.apply(&plan);
    let after = site.access();
    let lost = |named: &BTreeSet<_>| -> Vec<(String, String)> {
        let taken = before.keys().filter(|held| !after.contains_key(*held));
        taken.filter(|held| !named.contains(*held)).cloned().collect()
    };
    // Named as lost, or with an end that has come.
    let is_over = |until: &Value| {
        let until = until.as_str().map(|at| at.parse::<DateTime<Utc>>().expect("an instant"));
        until.is_some_and(|until| until <= app.clock.now())
    };
    let goes = |(old, new): &(Option<Value>, Option<Value>)| {
        old.is_some() && new.as_ref().is_none_or(is_over)
    };
    let may_lose: BTreeSet<(String, String)> =
        named.iter().filter(|(_, ends)| goes(ends)).map(|(held, _)| held.clone()).collect();
    match applied.status {
        200 => {
            assert_eq!(lost(&may_lose), [], "seed {seed}: whom the plan does not name");
            seen.late += usize::from(moved);
        }
        409 => {
            assert_eq!(after, before, "seed {seed}: nothing of it has happened");
            let members = applied.json["moved"].as_array().expect("what has moved");
            assert!(!members.is_empty(), "seed {seed}: {applied:?}");
            for member in members {
                let text = |key: &str| member[key].as_str().expect("a text").to_owned();
                assert_eq!(member["what"], "member", "seed {seed}");
                assert!(before.contains_key(&(text("id"), text("level"))), "seed {seed}: {member}");
                assert!(!may_lose.contains(&(text("id"), text("level"))), "seed {seed}: {member}");
            }
            seen.refused += 1;
        }
        _ => panic!("seed {seed}: {applied:?}"),
    }
}

/// The ends that differ: how a level was held and how it is, with `None` for not at all.
type Steps = BTreeMap<(String, String), (Option<Value>, Option<Value>)>;

fn steps(before: &Access, after: &Access) -> Steps {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let step = |key| {
        let ends = (before.get(&key).cloned(), after.get(&key).cloned());
        (ends.0 != ends.1).then_some((key, ends))
    };
    keys.into_iter().filter_map(step).collect()
}

struct Site<'a> {
    app: &'a TestApp,
    path: String,
    story: &'a Story,
}

impl Site<'_> {
    /// Every product that the story names.
    fn products(&self) -> Vec<&String> {
        let named = self.story.sent.iter().filter_map(|sent| sent.message.product_id.as_ref());
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whatever is bought gives something, so that there is something to lose.
    fn map_every_product(&self) {
        let level = json!({ "id": "basic" });
        assert_eq!(self.app.post(&format!("{}/levels", self.path), &level).status, 201);
        for product in self.products() {
            let mapping = json!({ "product_id": product, "level": "basic", "policy": { "on_cancellation": "keep" } });
            assert_eq!(self.app.post(&format!("{}/mappings", self.path), &mapping).status, 201);
        }
    }

    /// A plan of random edits, by its path.
    fn plan(&self, rng: &mut ChaCha8Rng, seed: u64) -> String {
        let other = random_story(seed + 1_000);
        let listed = self.app.get(&format!("{}/mappings?limit=500", self.path)).json;
        let mut changes = Vec::new();
        for mapping in listed["items"].as_array().expect("items") {
            let id = &mapping["id"];
            let policy = other.mappings.choose(rng).map(|m| m.policy.clone()).unwrap_or_default();
            match rng.random_range(0..4) {
                0 => changes.push(json!({ "op": "delete_mapping", "id": id })),
                1 => changes.push(
                    json!({ "op": "update_mapping", "id": id, "mapping": { "policy": policy } }),
                ),
                2 => changes.push(json!({ "op": "update_mapping", "id": id, "mapping": {
                    "enabled": !mapping["enabled"].as_bool().expect("a flag") } })),
                _ => {}
            }
        }
        changes.push(json!({ "op": "create_level", "level": { "id": "platinum" } }));
        let products = self.products();
        if let (Some(product), Some(MappingSpec { policy, purchased_before, .. })) =
            (products.choose(rng), other.mappings.choose(rng))
        {
            changes.push(json!({ "op": "create_mapping", "mapping": {
                "product_id": product, "level": "platinum", "purchased_before": purchased_before, "policy": policy } }));
        }
        if rng.random_bool(0.2) {
            changes.push(json!({ "op": "set_policy", "policy": other.site_policy }));
        }
        let made = self.app.post(&format!("{}/plans", self.path), &json!({ "changes": changes }));
        assert_eq!(made.status, 202, "seed {seed}: {made:?}");
        made.header("location").expect("a Location").to_owned()
    }

    /// Computes a plan to its end; answers the steps that it names.
    fn ready(&self, plan: &str) -> Steps {
        while self.app.get(plan).json["state"] == "computing" {
            assert!(self.app.app.flow().plan_turn().expect("a step"));
        }
        let shown = self.app.get(plan).json;
        assert_eq!(
            (&shown["state"], &shown["done"]),
            (&json!("ready"), &shown["total"]),
            "{shown}"
        );
        let mut named = Steps::new();
        let mut cursor = String::new();
        loop {
            let page = self.app.get(&format!("{plan}/members?limit=3{cursor}")).json;
            for item in page["items"].as_array().expect("items") {
                let text = |key: &str| item[key].as_str().expect("a text").to_owned();
                let end = |key: &str| item[key].as_object().map(|held| held["until"].clone());
                named.insert((text("email"), text("level")), (end("before"), end("after")));
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let count = |is: fn(&(Option<Value>, Option<Value>)) -> bool| {
            named.values().filter(|e| is(e)).count()
        };
        let counts = [
            ("gains", count(|ends| ends.0.is_none())),
            ("losses", count(|ends| ends.1.is_none())),
            ("moves", count(|ends| ends.0.is_some() && ends.1.is_some())),
        ];
        for (key, count) in counts {
            assert_eq!(shown[key], count, "{shown}");
        }
        named
    }

    fn apply(&self, plan: &str) -> Reply {
        let path = format!("{plan}/apply");
        let applied = self.app.request("POST", &path, |request| request.bearer_auth(ADMIN_KEY));
        let recompute = &applied.json["recompute"];
        assert_eq!(recompute["done"], recompute["members"], "few enough to be waited for");
        applied
    }

    /// What everybody holds.
    fn access(&self) -> Access {
        let mut access = Access::new();
        for email in emails(self.story) {
            let found = self.app.get(&format!("{}/members/{email}/access", self.path)).json;
            for level in found["levels"].as_array().expect("levels") {
                let name = level["level"].as_str().expect("a level").to_owned();
                access.insert((email.clone(), name), level["until"].clone());
            }
        }
        access
    }
}
