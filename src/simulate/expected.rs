//! What access should result from what was told, worked out in memory with nothing but the core.
//!
//! A member shares no id with any other member of the seed, so each is answered by themselves and nothing is kept. The
//! very bodies that are sent are read again: what a site could not have read is not expected of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::story::Story;
use super::{DEFAULT_SECRET, Feed, Plan, Telling, member_of, offers, render};
use crate::core::Instant;
use crate::core::access::{Held, Picture};
use crate::core::event::{self, EventId, Vouched, Witness};
use crate::core::grant;
use crate::core::kartra::{self, read, values};
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::secrets::body_hash;

/// What a site makes of what it is told.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The time zone that Kartra's dates are read in.
    pub zone: Tz,
    /// The site's policy.
    pub policy: Policy,
    /// The site's mappings.
    pub mappings: Vec<Mapping>,
    /// How well an IPN is vouched for; `None` where IPNs are rejected, because their secret is not the site's.
    pub ipn: Option<Vouched>,
}

impl Rules {
    /// The rules where no site is asked: the default policy, and each product gives a level that is named after it.
    #[must_use]
    pub fn assumed(zone: Tz, ipn: Option<Vouched>) -> Self {
        let mapping = |product: u64| Mapping {
            id: product.to_string(),
            version: 1,
            product_id: product.to_string(),
            price_point: None,
            level: format!("product-{product}"),
            enabled: true,
            purchased_from: None,
            purchased_before: None,
            policy: Policy::default(),
        };
        let mappings = offers::product_ids().into_iter().map(mapping).collect();
        Self { zone, policy: Policy::default(), mappings, ipn }
    }

    /// The levels that mappings name, in order.
    #[must_use]
    pub fn levels(&self) -> BTreeSet<String> {
        self.mappings.iter().map(|mapping| mapping.level.clone()).collect()
    }
}

/// A level that is held, in the spelling of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The level.
    pub level: String,
    /// The beginning of the unbroken stretch.
    pub since: Instant,
    /// Its end; none where no end is known.
    pub until: Option<Instant>,
}

/// What somebody with an address should hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The address, as the API has it.
    pub email: String,
    /// The levels held, by name.
    pub levels: Vec<Level>,
}

/// What should result from what was told of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// By address: whoever changed theirs has two of them, and one holds nothing.
    pub accesses: Vec<Access>,
    /// Whether the member holds otherwise than if nothing had been lost and the site had the IPN.
    pub otherwise: bool,
}

/// What should result at an instant from all that is sent of a member of this plan, received at `received_at`.
#[must_use]
pub fn expected(
    plan: &Plan,
    member: u32,
    rules: &Rules,
    received_at: Instant,
    at: Instant,
) -> Expected {
    let accesses = accesses(plan, member, rules, received_at, at);
    let (story, tellings) = member_of(plan, member);
    let everything = Plan { ipn: 1.0, loss: 0.0, ..plan.clone() };
    let all = told(member_of(&everything, member).1);
    let otherwise = (rules.ipn.is_none() || told(tellings) != all) && {
        let ipn = rules.ipn.or(Some(Vouched::Ipn));
        let told = Told { story: &story, messages: &all, secret: plan.secret.as_deref(), ipn };
        told.accesses(rules, received_at, at) != accesses
    };
    Expected { accesses, otherwise }
}

/// The same without the question how it would be otherwise.
#[must_use]
pub fn accesses(
    plan: &Plan,
    member: u32,
    rules: &Rules,
    received_at: Instant,
    at: Instant,
) -> Vec<Access> {
    let (story, tellings) = member_of(plan, member);
    let (told, secret) = (told(tellings), plan.secret.as_deref());
    let told = Told { story: &story, messages: &told, secret, ipn: rules.ipn };
    told.accesses(rules, received_at, at)
}

/// The addresses that a member of this plan has had, as the API has them.
#[must_use]
pub fn addresses(plan: &Plan, member: u32) -> Vec<String> {
    addresses_in(&member_of(plan, member).0)
}

/// What is heard. A repeat is the same bytes, so it says something only where what it repeats was lost.
fn told(tellings: Vec<Telling>) -> BTreeSet<(usize, Feed)> {
    tellings.into_iter().filter(|t| !t.lost).map(|t| (t.event, t.feed)).collect()
}

/// What a site hears of a story.
struct Told<'a> {
    story: &'a Story,
    messages: &'a BTreeSet<(usize, Feed)>,
    secret: Option<&'a str>,
    ipn: Option<Vouched>,
}

impl Told<'_> {
    fn accesses(&self, rules: &Rules, received_at: Instant, at: Instant) -> Vec<Access> {
        let events = self.events(rules.zone, received_at);
        let (ignored, mappings) = (BTreeSet::new(), rules.mappings.iter().cloned().collect());
        let by = grant::Rules {
            mappings: &mappings,
            site_policy: &rules.policy,
            ignored: &ignored,
            core: grant::Core::CURRENT,
        };
        let picture = Picture::draw(&events, by, at);
        let access = |email: String| {
            let held = picture.answer(&email, &[], at).levels;
            Access { levels: held.into_iter().map(Level::from).collect(), email }
        };
        addresses_in(self.story).into_iter().map(access).collect()
    }

    fn events(&self, zone: Tz, received_at: Instant) -> Vec<event::Event> {
        let mut witnesses: BTreeMap<EventId, Vec<Witness>> = BTreeMap::new();
        for (event, feed) in self.messages {
            let webhook_id = format!("{event} {feed:?}");
            if let Some(witness) = self.witness(*event, *feed, webhook_id.clone(), received_at) {
                let id = EventId::of(&witness.observation, &webhook_id);
                witnesses.entry(id).or_default().push(witness);
            }
        }
        let merge = |(id, told)| event::Event::merge(id, told, zone);
        witnesses.into_iter().filter_map(merge).collect()
    }

    /// One webhook as an observation; none where the site makes none of it.
    fn witness(
        &self,
        event: usize,
        feed: Feed,
        webhook_id: String,
        received_at: Instant,
    ) -> Option<Witness> {
        let secret = self.secret.unwrap_or(DEFAULT_SECRET);
        let body = render::body(self.story, self.story.events.get(event)?, feed, secret)?;
        let reading = read(&body);
        let vouched = match reading.feed {
            kartra::Feed::Ipn => self.ipn?,
            kartra::Feed::Outbound | kartra::Feed::Unknown | kartra::Feed::Test => {
                Vouched::Outbound
            }
        };
        Some(Witness {
            webhook_id,
            received_at,
            vouched,
            body_hash: body_hash(&body),
            observation: reading.says.ok()?,
        })
    }
}

impl From<Held> for Level {
    fn from(held: Held) -> Self {
        Self { level: held.level, since: held.since, until: held.until }
    }
}

/// The addresses that a story tells of: the first, and the one that it was changed to.
fn addresses_in(story: &Story) -> Vec<String> {
    let changed = story.email_changed_at;
    let changed = changed.is_some_and(|at| story.events.iter().any(|event| event.at >= at));
    let new = changed.then(|| story.person.new_email());
    [Some(story.person.email.clone()), new]
        .into_iter()
        .flatten()
        .filter_map(|email| values::email(&email))
        .collect()
}
