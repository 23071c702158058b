//! What Ghost answers, as far as it is read.

use super::labels::is_named;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The states of a subscription in which Ghost keeps its tier.
const LIVE: [&str; 4] = ["active", "trialing", "unpaid", "past_due"];

/// The status of a member whose tier somebody else has paid for.
const GIFT: &str = "gift";

/// How many characters of Ghost's own words are shown.
const SAID_CHARS_MAX: usize = 500;

/// A member, as reading them shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Member {
    pub(super) id: String,
    email: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    labels: Option<Vec<Label>>,
    #[serde(default)]
    pub(super) tiers: Option<Vec<Tier>>,
    #[serde(default)]
    subscriptions: Option<Vec<Subscription>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

/// A tier: what members pay for, or are given.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Tier {
    pub(super) id: String,
    #[serde(default)]
    slug: Option<String>,
    #[serde(default)]
    name: Option<String>,
    /// Whether it is free for all; `None` where Ghost does not say.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    active: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
struct Subscription {
    /// Stripe's id; empty where Ghost shows a complimentary tier as if it were a subscription.
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

impl Member {
    /// The address, trimmed and lower case.
    pub(super) fn email(&self) -> String {
        self.email.trim().to_lowercase()
    }

    /// The names of all labels.
    pub(super) fn labels(&self) -> BTreeSet<String> {
        self.labels.iter().flatten().map(|label| label.name.clone()).collect()
    }

    /// Why the tier is not Latchkey's to change, in words; `None` where it may be changed.
    pub(super) fn pays(&self) -> Option<&'static str> {
        let pays = |subscription: &Subscription| {
            let status = subscription.status.as_deref().unwrap_or_default();
            subscription.id.as_deref().is_some_and(|id| !id.is_empty()) && LIVE.contains(&status)
        };
        if self.subscriptions.iter().flatten().any(pays) {
            return Some("the member has a subscription at Stripe, which gives a tier of its own");
        }
        if self.status.as_deref() == Some(GIFT) {
            return Some("the member was given a tier that somebody else has paid for");
        }
        None
    }
}

impl Tier {
    /// Whether operators call it so: by its id, its slug or its name.
    pub(super) fn is_called(&self, called: &str) -> bool {
        let words = [self.slug.as_deref(), self.name.as_deref()];
        self.id == called || words.into_iter().flatten().any(|word| is_named(word, called))
    }

    /// What it is written down as: its slug, which stays when its name is changed.
    pub(super) fn slug(&self) -> &str {
        self.slug.as_deref().unwrap_or(&self.id)
    }

    /// What operators call it.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Why nobody can be given it, in words; `None` where somebody can.
    pub(super) fn unfit(&self) -> Option<&'static str> {
        match (self.active, self.kind.as_deref()) {
            (Some(false), _) => Some("is archived"),
            (_, Some("free")) => Some("is the one that everybody has"),
            _ => None,
        }
    }
}

/// What Ghost says where it does not do what it was asked for.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    context: Option<String>,
}

/// Ghost's own words, the general one first; empty where it has none.
pub(super) fn said(body: &[u8]) -> String {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let words = refusal.errors.into_iter().flat_map(|said| [said.message, said.context]);
    let words: Vec<String> = words.flatten().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(SAID_CHARS_MAX).collect()
}
