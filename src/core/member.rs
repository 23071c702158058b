//! Members, their leads, and what operators have overridden.

use super::Instant;
use super::event::{Event, LeadKey};
use super::stretch::{Stretch, earlier};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The e-mail address that a lead has now, from all of the lead's events: the profile's of the
/// latest that has one; for a lead never seen with a profile, the transaction's of the latest.
#[must_use]
pub fn current_email<'a>(events: impl IntoIterator<Item = &'a Event> + Clone) -> Option<String> {
    let profile = latest(events.clone(), |event| event.said.person.profile_email.as_deref());
    profile.or_else(|| latest(events, |event| event.said.person.transaction_email.as_deref()))
}

fn latest<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    email: impl Fn(&'a Event) -> Option<&'a str>,
) -> Option<String> {
    let with_email = events.into_iter().filter(|event| email(event).is_some());
    with_email.max_by(|a, b| a.recency(b)).and_then(email).map(str::to_owned)
}

/// What an operator decided, or the revocation breaker until one has, whatever billing says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Opaque id.
    pub id: String,
    /// What it does.
    pub what: OverrideKind,
    /// The address that the member had when it was made.
    pub email: String,
    /// The leads that the member had when it was made. With none it belongs to the address, and so it does while none of
    /// them has an address, as when all that was heard of them is discarded: see [`Override::at_home`].
    pub leads: BTreeSet<LeadKey>,
    /// When it was made.
    pub begun_at: Instant,
    /// Its own end; `None` for good.
    pub until: Option<Instant>,
    /// When it was deleted; `None` while it stands.
    pub ended_at: Option<Instant>,
    /// What the operator wrote beside it.
    pub note: Option<String>,
}

/// What an override does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "level")]
pub enum OverrideKind {
    /// Gives a level.
    Grant(String),
    /// Takes a level away, or every level.
    Block(Option<String>),
    /// Ends every chargeback block that began before it.
    Lift,
    /// Holds a level open that would have been revoked, until an operator has decided.
    HeldOpen(String),
}

impl Override {
    /// Whether it belongs to a member with this address and these leads.
    #[must_use]
    pub fn belongs_to(&self, email: &str, leads: &BTreeSet<LeadKey>) -> bool {
        if self.leads.is_empty() { self.email == email } else { !self.leads.is_disjoint(leads) }
    }

    /// The same as it belongs where only some leads have an address: without one that has, to the address that it was
    /// made at.
    #[must_use]
    pub fn at_home(self, has_address: impl Fn(&LeadKey) -> bool) -> Self {
        if self.leads.iter().any(has_address) {
            return self;
        }
        Self { leads: BTreeSet::new(), ..self }
    }

    /// When it is in force.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        Stretch { from: self.begun_at, until: earlier(self.until, self.ended_at) }
    }
}
