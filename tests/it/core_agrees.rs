//! The core against the model: the same random stories, asked at every interesting instant.

use crate::model::{Feed, OverrideKind as Made, Replay, Sent, Story, Vouched, emails};
use crate::model::{interesting_instants, random_story};
use chrono::{DateTime, Utc};
use latchkey::core::access::Picture;
use latchkey::core::event::{Event, EventId, LeadKey, Vouched as Rank, Witness};
use latchkey::core::grant::{Core, Rules};
use latchkey::core::kartra::read;
use latchkey::core::mapping::{Mapping, Mappings};
use latchkey::core::member::{Override, OverrideKind};
use latchkey::core::policy::Policy;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// How many stories a normal run tells; `LATCHKEY_TEST_STORIES` asks for more.
const STORIES: u64 = 10_000;
/// Seeds that have found a mistake once stay here.
const FOUND_ONCE: [u64; 3] = [36, 55, 9_868];
/// How many of a story's instants are asked about; `LATCHKEY_TEST_INSTANTS` asks for more.
const INSTANTS: usize = 16;

#[expect(clippy::disallowed_methods, reason = "a test is told by its environment how much to do")]
fn asked<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok().and_then(|value| value.parse().ok())
}

fn stories() -> u64 {
    asked("LATCHKEY_TEST_STORIES").unwrap_or(STORIES)
}

/// Some of a story's interesting instants, others for every seed; all of them where it once failed.
fn instants(story: &Story, seed: u64) -> Vec<DateTime<Utc>> {
    let mut all = interesting_instants(story);
    let wanted = asked("LATCHKEY_TEST_INSTANTS").unwrap_or(INSTANTS);
    if all.len() <= wanted || FOUND_ONCE.contains(&seed) {
        return all;
    }
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    all.truncate(wanted);
    all
}

#[test]
fn random_stories_give_the_access_that_the_model_gives() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let of_thread = (0..stories()).filter(|seed| seed % threads == thread);
                FOUND_ONCE.into_iter().chain(of_thread).for_each(compare);
            });
        }
    });
}

/// Compares core and model at every interesting instant, for every address.
fn compare(seed: u64) {
    let story = random_story(seed);
    let world = World::of(&story);
    let replay = Replay::of(&story);
    let addresses = emails(&story);
    for at in instants(&story, seed) {
        let expected = replay.everyone(at);
        let picture = world.picture(at);
        for email in &addresses {
            let answer = picture.answer(email, &picture.at_home(world.overrides.clone()), at);
            let held: BTreeSet<String> =
                answer.levels.iter().map(|held| held.level.clone()).collect();
            let expected = expected.get(email).cloned().unwrap_or_default();
            assert_eq!(held, expected, "seed {seed}, {email} at {at}: {answer:#?}");
            let by_grants: BTreeSet<String> = answer
                .considered
                .iter()
                .filter(|c| c.held)
                .filter_map(|c| c.level.clone())
                .collect();
            assert_eq!(held, by_grants, "seed {seed}: what is considered does not add up");
            for level in &answer.levels {
                let around = level.since <= at && level.until.is_none_or(|until| at < until);
                assert!(around, "seed {seed}: {level:?} is not around {at}");
            }
            assert!(answer.next_change_at.is_none_or(|next| next > at), "seed {seed}: {answer:?}");
        }
    }
}

/// A story as the core is given it: only its bytes, and what the operators did.
struct World {
    events: Vec<Event>,
    mappings: Mappings,
    policy: Policy,
    ignored: BTreeSet<String>,
    overrides: Vec<Override>,
}

impl World {
    fn of(story: &Story) -> Self {
        let mut witnesses: BTreeMap<EventId, Vec<Witness>> = BTreeMap::new();
        for (number, sent) in story.sent.iter().enumerate().filter(|(_, sent)| !sent.discarded) {
            let webhook_id = format!("{number:06}");
            if let Some(witness) = witness(sent, &webhook_id) {
                let id = EventId::of(&witness.observation, &webhook_id);
                witnesses.entry(id).or_default().push(witness);
            }
        }
        let merge = |(id, told)| Event::merge(id, told, story.time_zone);
        Self {
            events: witnesses.into_iter().filter_map(merge).collect(),
            mappings: story.mappings.iter().map(mapping).collect(),
            policy: serde_json::from_value(story.site_policy.clone()).expect("a policy"),
            ignored: story.ignored_products.iter().cloned().collect(),
            overrides: story.overrides.iter().enumerate().map(made).collect(),
        }
    }

    fn picture(&self, at: DateTime<Utc>) -> Picture {
        let rules = Rules {
            mappings: &self.mappings,
            site_policy: &self.policy,
            ignored: &self.ignored,
            core: Core::CURRENT,
        };
        Picture::draw(&self.events, rules, at)
    }
}

fn witness(sent: &Sent, webhook_id: &str) -> Option<Witness> {
    let reading = read(&sent.body);
    let feed = match sent.feed {
        Feed::Outbound => latchkey::core::kartra::Feed::Outbound,
        Feed::Ipn => latchkey::core::kartra::Feed::Ipn,
    };
    assert_eq!(reading.feed, feed, "{}", String::from_utf8_lossy(&sent.body));
    let vouched = match sent.vouched {
        Vouched::IpnRight => Rank::Ipn,
        Vouched::Outbound => Rank::Outbound,
        Vouched::IpnUnchecked => Rank::Unchecked,
    };
    Some(Witness {
        webhook_id: webhook_id.to_owned(),
        received_at: sent.received_at,
        vouched,
        body_hash: Sha256::digest(&sent.body).into(),
        observation: reading.says.ok()?,
    })
}

fn mapping(spec: &crate::model::MappingSpec) -> Mapping {
    Mapping {
        id: spec.id.clone(),
        version: 1,
        product_id: spec.product_id.clone(),
        price_point: spec.price_point.clone(),
        level: spec.level.clone(),
        enabled: spec.enabled,
        purchased_from: spec.purchased_from,
        purchased_before: spec.purchased_before,
        policy: serde_json::from_value(spec.policy.clone()).expect("a policy"),
    }
}

fn made((number, spec): (usize, &crate::model::OverrideSpec)) -> Override {
    let what = match spec.kind {
        Made::Grant => OverrideKind::Grant(spec.level.clone().expect("a level")),
        Made::Block => OverrideKind::Block(spec.level.clone()),
        Made::LiftChargeback => OverrideKind::Lift,
        Made::HeldOpen => OverrideKind::HeldOpen(spec.level.clone().expect("a level")),
    };
    Override {
        id: number.to_string(),
        what,
        email: spec.email.clone(),
        leads: spec.leads.iter().cloned().map(LeadKey).collect(),
        begun_at: spec.made_at,
        until: spec.until,
        ended_at: spec.ended_at,
        note: None,
    }
}
