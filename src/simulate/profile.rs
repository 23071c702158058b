//! What Kartra tells besides money: tags, lists and memberships, which move no access.

use chrono::{NaiveDateTime, TimeDelta};

use super::person::{between, chance};
use super::story::{Event, Kind, What};
use super::teller::Teller;

/// An event of the kind `other`.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The outbound action.
    pub action: &'static str,
    /// The key of `action_details`.
    pub subject: &'static str,
    /// The ids in it.
    pub ids: &'static [(&'static str, u64)],
    /// The names in it.
    pub names: &'static [(&'static str, &'static str)],
}

const TAGGED: Profile = Profile {
    action: "assign_tag",
    subject: "tag",
    ids: &[("tag_id", 77_120)],
    names: &[("tag_name", "Meal Plan - active")],
};
const UNTAGGED: Profile = Profile { action: "unassign_tag", ..TAGGED };
const MOVED: Profile =
    Profile { names: &[("tag_name", "Address changed")], ids: &[("tag_id", 77_133)], ..TAGGED };
const LISTED: Profile = Profile {
    action: "list_subscription",
    subject: "list",
    ids: &[("list_id", 1_183)],
    names: &[("list_name", "Members newsletter")],
};
const ADMITTED: Profile = Profile {
    action: "membership_granted",
    subject: "membership",
    ids: &[("membership_id", 40_118), ("level_id", 2)],
    names: &[("membership_name", "Meal Plan Portal"), ("level_name", "Standard")],
};
const EXPELLED: Profile = Profile { action: "membership_revoked", ..ADMITTED };

/// Tags, lists and memberships around the money; says when the e-mail address changed, if it did.
///
/// An `other` event occurred when it is received, so a profile that still has the old address would, when sent shuffled,
/// make the member's address depend on the order of arrival. Whoever changes the address tells of no profile before.
pub fn adds_to(teller: &mut Teller<'_>) -> Option<NaiveDateTime> {
    let first = teller.events.first()?.at;
    if chance(teller.rng, 6) {
        let days = between(teller.rng, 5..=50);
        let at = teller.later(first, days);
        teller.tells(at, What::Profile(&MOVED));
        return Some(at);
    }
    if chance(teller.rng, 40) {
        teller.tells(first - TimeDelta::seconds(40), What::Profile(&LISTED));
    }
    // Kartra promises no order between a purchase and what it sets off.
    let before_or_after = TimeDelta::seconds(if chance(teller.rng, 50) { -1 } else { 2 });
    let tagged = chance(teller.rng, 45);
    let admitted = chance(teller.rng, 35);
    if tagged {
        teller.tells(first + before_or_after, What::Profile(&TAGGED));
    }
    if admitted {
        teller.tells(first + before_or_after, What::Profile(&ADMITTED));
    }
    let ends = |event: &Event| matches!(&event.what, What::Money(money) if money.kind == Kind::Cancellation);
    if let Some(end) = teller.events.iter().find(|e| ends(e)).map(|e| e.at) {
        if tagged {
            teller.tells(end + TimeDelta::seconds(2), What::Profile(&UNTAGGED));
        }
        if admitted {
            teller.tells(end + TimeDelta::seconds(3), What::Profile(&EXPELLED));
        }
    }
    None
}
