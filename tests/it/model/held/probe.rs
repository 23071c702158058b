//! Where to look: the addresses of a story, and the instants at which something may change.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::super::story::{Kind, MappingSpec, Story};
use super::merge::{self, Event, normalised};
use super::policy::Policy;

/// Every address that the story names, as members are told apart.
pub fn emails(story: &Story) -> BTreeSet<String> {
    let messages = story.sent.iter().map(|sent| &sent.message);
    messages
        .flat_map(|message| [&message.profile_email, &message.transaction_email])
        .flatten()
        .chain(story.overrides.iter().map(|made| &made.email))
        .map(|email| normalised(email))
        .collect()
}

/// Every instant at which an answer may change, with the microsecond before and after, in order.
pub fn interesting_instants(story: &Story) -> Vec<DateTime<Utc>> {
    let mut instants = BTreeSet::new();
    for event in merge::events(story) {
        instants.insert(event.occurred_at);
        instants.insert(event.date);
        instants.extend(story.mappings.iter().flat_map(|mapping| after(&event, story, mapping)));
    }
    for made in &story.overrides {
        instants.extend([Some(made.made_at), made.until, made.ended_at].into_iter().flatten());
    }
    let step = Duration::microseconds(1);
    let around = instants.iter().flat_map(|instant| [*instant - step, *instant, *instant + step]);
    around.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ends that the event may name under the mapping's policy.
fn after(event: &Event, story: &Story, mapping: &MappingSpec) -> Vec<DateTime<Utc>> {
    let policy = Policy::of(story, mapping);
    let start = event.occurred_at;
    if event.kind == Kind::PaymentFailed {
        return policy.grace_days().map(|days| start + Duration::days(days)).into_iter().collect();
    }
    if !event.kind.is_payment() {
        return Vec::new();
    }
    let days =
        [policy.duration_days(), event.trial_days(), event.rebill_circle.filter(|days| *days > 0)];
    let ends = days.into_iter().flatten().map(|days| start + Duration::days(days));
    ends.chain(policy.a_period_after(start)).collect()
}
