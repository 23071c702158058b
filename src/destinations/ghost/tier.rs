//! Which complimentary tier a member is to have.
//!
//! Ghost takes one at most. Of the labels that a member holds, the first one in the list says which. A tier counts
//! as given by Latchkey where the member holds the label that the list names for it, or is just losing it; every
//! other tier stays as it is, and so does every tier of somebody who pays for one.

use super::labels::holds;
use super::shapes::Member;
use super::{Failure, Wrong};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Which tier the holders of a label get for free.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TierOf {
    /// The name of a label that a level has here.
    pub(super) remote: String,
    /// The tier's slug, name or id in Ghost.
    pub(super) tier: String,
}

/// What is to be done about the tier of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// Nothing, although they should have one; why, in words.
    Leave(String),
    /// They get the tier that operators call so, and no other.
    Give(String),
    /// They lose the one that they have.
    Take,
}

/// Looks for what cannot be in a list of tiers.
pub(super) fn check(tiers: &[TierOf]) -> Result<(), Wrong> {
    for (index, TierOf { remote, tier }) in tiers.iter().enumerate() {
        for (field, text) in [("remote", remote), ("tier", tier)] {
            if text.trim().is_empty() {
                return Err(Wrong::at(&format!("tiers/{index}/{field}"), "must not be empty"));
            }
        }
        let again = |before: &&TierOf| super::is_named(&before.remote, remote);
        if tiers.iter().take(index).any(|before| again(&before)) {
            let detail = format!("{remote} stands further up already; one tier each");
            return Err(Wrong::at(&format!("tiers/{index}/remote"), detail));
        }
    }
    Ok(())
}

/// The tier that the holder of these labels is to have.
pub(super) fn wanted<'a>(tiers: &'a [TierOf], labels: &BTreeSet<String>) -> Option<&'a str> {
    tiers.iter().find(|of| holds(labels, &of.remote)).map(|of| of.tier.as_str())
}

/// What is to be done about the tier of a member who held some labels, and is to hold others.
pub(super) fn step(
    tiers: &[TierOf],
    member: &Member,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) -> Step {
    let wanted = wanted(tiers, after);
    let has = member.tiers.as_deref().unwrap_or_default();
    let given = match has {
        [one] => tiers.iter().any(|of| one.is_called(&of.tier) && holds(before, &of.remote)),
        _ => false,
    };
    let leave = |wanted: &str, why: &str| Step::Leave(format!("{wanted} is not given: {why}"));
    match (wanted, has) {
        (Some(wanted), [one]) if one.is_called(wanted) => Step::Keep,
        (Some(wanted), _) if let Some(why) = member.pays() => leave(wanted, why),
        (Some(wanted), [one, ..]) if !given => {
            leave(wanted, &format!("the member has {}, which Latchkey did not give", one.name()))
        }
        (Some(wanted), _) => Step::Give(wanted.to_owned()),
        (None, _) if given && member.pays().is_none() => Step::Take,
        (None, _) => Step::Keep,
    }
}

impl Step {
    /// Whether a member shows that it was done; says so where it was not.
    pub(super) fn is_confirmed_by(&self, member: &Member) -> Result<(), Failure> {
        let has = member.tiers.as_deref().unwrap_or_default();
        match self {
            Self::Keep | Self::Leave(_) => Ok(()),
            Self::Give(wanted) if has.iter().any(|tier| tier.is_called(wanted)) => Ok(()),
            Self::Take if has.is_empty() => Ok(()),
            Self::Give(wanted) => Err(Failure::Refused(format!(
                "Ghost has not given the tier {wanted}; tiers act only where Stripe is connected"
            ))),
            Self::Take => Err(Failure::Unsure("Ghost has not taken the tier away".to_owned())),
        }
    }
}
