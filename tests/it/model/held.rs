//! The model: who holds which level at an instant, by replaying everything that had occurred by then.

mod link;
mod merge;
mod people;
mod policy;
mod probe;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::story::{OverrideKind, OverrideSpec, Story};
use link::Purchase;
use merge::Event;
use walk::Walk;

pub use merge::normalised;
pub use people::{current_email, lead_keys};
pub use probe::{emails, interesting_instants};

/// The levels that the member with this e-mail holds at `at`.
pub fn held(story: &Story, email: &str, at: DateTime<Utc>) -> BTreeSet<String> {
    Replay::of(story).held(email, at)
}

/// A story whose webhooks are merged into events, ready to be replayed up to any instant.
///
/// Merging looks at no instant (all observations count, whenever they came), so it is done once; all the rest is done anew
/// for every question.
pub struct Replay<'a> {
    story: &'a Story,
    events: Vec<Event>,
}

/// One reason why access is not open, or no more, as the walk saw it. Only statistics need it.
pub type Loss = &'static str;

impl<'a> Replay<'a> {
    /// Merges the story's webhooks.
    pub fn of(story: &'a Story) -> Self {
        Replay { story, events: merge::events(story) }
    }

    /// The levels that the member with this e-mail holds at `at`.
    pub fn held(&self, email: &str, at: DateTime<Utc>) -> BTreeSet<String> {
        self.everyone(at).remove(&normalised(email)).unwrap_or_default()
    }

    /// All members who hold something at `at`, with the levels they hold.
    pub fn everyone(&self, at: DateTime<Utc>) -> BTreeMap<String, BTreeSet<String>> {
        let past = self.past(at);
        let mut granted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut shut: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
        for purchase in link::purchases(&past) {
            let Some(email) = purchase.owner().and_then(|lead| current_email(&past, lead)) else {
                continue;
            };
            let walk = Walk::through(self.story, &purchase);
            granted.entry(email.clone()).or_default().extend(walk.open_levels(at));
            let standing = walk.blocked_since.iter().copied();
            let standing = standing.filter(|since| !self.lifted(&past, &purchase, *since, at));
            shut.entry(email).or_default().extend(standing);
        }
        self.apply_overrides(&past, at, &mut granted, &shut);
        self.keep_held_open(&past, at, &mut granted, &shut);
        granted.retain(|_, levels| !levels.is_empty());
        granted
    }

    /// The leads whose current e-mail at `at` is this one.
    pub fn leads_of(&self, email: &str, at: DateTime<Utc>) -> Vec<String> {
        let past = self.past(at);
        let wanted = normalised(email);
        lead_keys(&past)
            .into_iter()
            .filter(|lead| current_email(&past, lead).as_ref() == Some(&wanted))
            .collect()
    }

    /// What keeps purchases from giving something at `at`, over all members.
    pub fn losses(&self, at: DateTime<Utc>) -> BTreeSet<Loss> {
        let past = self.past(at);
        let purchases = link::purchases(&past);
        let linked: usize = purchases.iter().map(|purchase| purchase.steps.len()).sum();
        let money = past.iter().filter(|event| event.transaction_id.is_some()).count();
        let mut losses: BTreeSet<Loss> = purchases
            .iter()
            .flat_map(|purchase| Walk::through(self.story, purchase).losses(at))
            .collect();
        if linked < money {
            losses.insert("unmatched");
        }
        losses
    }

    fn past(&self, at: DateTime<Utc>) -> Vec<&Event> {
        self.events.iter().filter(|event| event.occurred_at <= at).collect()
    }

    /// Adds what operators granted, then takes away what is blocked: a block wins over whatever else gives a level.
    fn apply_overrides(
        &self,
        past: &[&Event],
        at: DateTime<Utc>,
        granted: &mut BTreeMap<String, BTreeSet<String>>,
        shut: &BTreeMap<String, Vec<DateTime<Utc>>>,
    ) {
        let live: Vec<_> = self.story.overrides.iter().filter(|made| is_live(made, at)).collect();
        for made in live.iter().filter(|made| made.kind == OverrideKind::Grant) {
            for email in owners(made, past) {
                granted.entry(email).or_default().extend(made.level.clone());
            }
        }
        for made in live.iter().filter(|made| made.kind == OverrideKind::Block) {
            for email in owners(made, past) {
                let levels = granted.entry(email).or_default();
                levels.retain(|level| made.level.as_ref().is_some_and(|blocked| blocked != level));
            }
        }
        granted.retain(|email, _| shut.get(email).is_none_or(Vec::is_empty));
    }

    /// Adds what is held open: no chargeback that began by then takes it away, but an operator's block does.
    fn keep_held_open(
        &self,
        past: &[&Event],
        at: DateTime<Utc>,
        granted: &mut BTreeMap<String, BTreeSet<String>>,
        shut: &BTreeMap<String, Vec<DateTime<Utc>>>,
    ) {
        let live: Vec<_> = self.story.overrides.iter().filter(|made| is_live(made, at)).collect();
        for made in live.iter().filter(|made| made.kind == OverrideKind::HeldOpen) {
            for email in owners(made, past) {
                let later =
                    shut.get(&email).is_some_and(|all| all.iter().any(|s| *s > made.made_at));
                let blocked = live.iter().any(|block| {
                    block.kind == OverrideKind::Block
                        && (block.level.is_none() || block.level == made.level)
                        && owners(block, past).contains(&email)
                });
                if !later && !blocked {
                    granted.entry(email).or_default().extend(made.level.clone());
                }
            }
        }
    }

    fn lifted(
        &self,
        past: &[&Event],
        purchase: &Purchase,
        since: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> bool {
        let owner = purchase.owner();
        self.story.overrides.iter().any(|lift| {
            let is_left = !lift.leads.iter().any(|lead| current_email(past, lead).is_some());
            let concerned = if is_left {
                owner.and_then(|lead| current_email(past, lead)) == Some(normalised(&lift.email))
            } else {
                lift.leads.iter().any(|lead| Some(lead.as_str()) == owner)
            };
            lift.kind == OverrideKind::LiftChargeback
                && concerned
                && since <= lift.made_at
                && lift.made_at <= at
        })
    }
}

/// Whether the override has begun by `at` and neither run out nor been deleted.
fn is_live(made: &OverrideSpec, at: DateTime<Utc>) -> bool {
    made.made_at <= at
        && made.until.is_none_or(|end| at < end)
        && made.ended_at.is_none_or(|end| at < end)
}

/// The members whom the override concerns now: it moves with its leads, and stays at the address without any
/// that has an address.
fn owners(made: &OverrideSpec, past: &[&Event]) -> BTreeSet<String> {
    let of_leads: BTreeSet<String> =
        made.leads.iter().filter_map(|lead| current_email(past, lead)).collect();
    if of_leads.is_empty() {
        return BTreeSet::from([normalised(&made.email)]);
    }
    of_leads
}
