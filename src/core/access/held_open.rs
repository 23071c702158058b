//! Levels that are held open: the revocation breaker has not let them go, and nobody has decided yet.

use super::{Answer, Block, Considered, Known, all_blocks, begun, held_stretches};
use crate::core::Instant;
use crate::core::grant::Reason;
use crate::core::member::{Override, OverrideKind};
use crate::core::stretch::{Stretch, earlier, next_change, union, without};

/// When what is held open gives its level. An operator's block takes it away all the same. A chargeback's
/// does only where it began later: the one that began by then may be what would have taken it.
pub(super) fn stretches(held_open: &Override, level: &str, blocks: &[Block]) -> Vec<Stretch> {
    let takes = |block: &&Block| {
        let began_by_then = block.stretch.from <= held_open.begun_at;
        block.is_on(level) && !(block.chargeback.is_some() && began_by_then)
    };
    let taken = union(blocks.iter().filter(takes).map(|block| block.stretch).collect());
    without(union(vec![held_open.stretch()]), &taken)
}

/// What is held open at an instant, as a grant among others; `None` once that is over.
pub(super) fn consider(o: &Override, at: Instant, blocks: &[Block]) -> Option<Considered> {
    let OverrideKind::HeldOpen(level) = &o.what else {
        return None;
    };
    let whole = o.stretch();
    if !whole.contains(at) {
        return None;
    }
    let given = stretches(o, level, blocks);
    let held = given.iter().any(|stretch| stretch.contains(at));
    Some(Considered {
        level: Some(level.clone()),
        held,
        reason: if held { Reason::HeldOpen } else { Reason::Blocked },
        purchase: None,
        event: None,
        mapping: None,
        override_id: None,
        held_open_id: Some(o.id.clone()),
        gave: Some(whole),
        changes_at: earlier(next_change(&given, at), next_change(&[whole], at)),
    })
}

/// What is held open at an instant though something else gives the level: it has become needless, and
/// would only hide the end that the level has.
#[must_use]
pub fn overtaken(known: Known<'_>, at: Instant) -> Vec<&Override> {
    let live = |o: &&Override| {
        matches!(o.what, OverrideKind::HeldOpen(_)) && o.ended_at.is_none() && o.begun_at <= at
    };
    let held_open: Vec<&Override> = known.overrides.iter().filter(live).collect();
    if held_open.is_empty() {
        return held_open;
    }
    let is_other = |o: &&Override| !matches!(o.what, OverrideKind::HeldOpen(_));
    let others: Vec<&Override> = begun(known.overrides, at).filter(is_other).collect();
    let blocks = all_blocks(known.purchases, &others);
    let given = held_stretches(known.purchases, &others, &blocks);
    let gives = |level: &str| given.get(level).is_some_and(|s| s.iter().any(|s| s.contains(at)));
    let is_given = |o: &&Override| matches!(&o.what, OverrideKind::HeldOpen(level) if gives(level));
    held_open.into_iter().filter(is_given).collect()
}

/// The instant at which a level that has been held since another one has ended by what is known: from
/// then on it is to be held open. Where nothing of what is known has ever given it, it ends at `at`.
///
/// It is never before a chargeback's block that is in force, which would take it away again.
#[must_use]
pub fn ended_at(known: Known<'_>, level: &str, since: Instant, at: Instant) -> Instant {
    let overrides: Vec<&Override> = begun(known.overrides, at).collect();
    let blocks = all_blocks(known.purchases, &overrides);
    let given = held_stretches(known.purchases, &overrides, &blocks);
    let ends = given.get(level).into_iter().flatten().filter_map(|stretch| stretch.until);
    let ended = ends.filter(|end| since < *end && *end <= at).max().unwrap_or(at);
    let in_force = blocks.iter().filter(|b| b.chargeback.is_some() && b.stretch.contains(at));
    in_force.map(|block| block.stretch.from).fold(ended, Instant::max)
}

impl Answer {
    /// Whether a level is held.
    #[must_use]
    pub fn holds(&self, level: &str) -> bool {
        self.levels.iter().any(|held| held.level == level)
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer;
    use super::*;
    use crate::core::event::{EventId, Kind, LeadKey};
    use crate::core::grant::{ChargebackBlock, Folded};
    use crate::core::link::PurchaseId;
    use crate::core::purchase::{EventRef, Status};
    use std::collections::BTreeSet;

    fn instant(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).expect("in the calendar")
    }

    fn made(id: &str, what: OverrideKind, from: i64, ended_at: Option<i64>) -> Override {
        Override {
            id: id.to_owned(),
            what,
            email: "dana@example.com".to_owned(),
            leads: BTreeSet::new(),
            begun_at: instant(from),
            until: None,
            ended_at: ended_at.map(instant),
            note: None,
        }
    }

    fn held_open(from: i64, ended_at: Option<i64>) -> Override {
        made("h", OverrideKind::HeldOpen("gold".to_owned()), from, ended_at)
    }

    /// A purchase that gives nothing and was charged back.
    fn charged_back(second: i64) -> Folded {
        let event = EventRef {
            id: EventId("chargeback:7".to_owned()),
            kind: Kind::Chargeback,
            transaction_id: Some("7".to_owned()),
            occurred_at: instant(second),
        };
        Folded {
            payment_due_at: None,
            id: PurchaseId("order:1:1".to_owned()),
            lead: LeadKey("1".to_owned()),
            product_id: "1".to_owned(),
            price_point: None,
            status: Status::ChargedBack,
            started_at: instant(0),
            grants: Vec::new(),
            blocks: vec![ChargebackBlock { event }],
            hold: None,
            named: true,
        }
    }

    fn holds(purchases: &[Folded], overrides: &[Override], at: i64) -> bool {
        let known = Known { purchases, overrides };
        answer(known, instant(at)).holds("gold")
    }

    #[test]
    fn it_holds_the_level_from_its_beginning_until_somebody_decides() {
        let open = [held_open(10, None)];
        assert_eq!([9, 10, 99].map(|at| holds(&[], &open, at)), [false, true, true]);
        let decided = [held_open(10, Some(20))];
        assert_eq!([9, 10, 19, 20].map(|at| holds(&[], &decided, at)), [false, true, true, false]);
    }

    #[test]
    fn a_chargeback_takes_it_only_where_it_comes_later_and_an_operator_s_block_takes_it_always() {
        let open = [held_open(10, None)];
        assert!(holds(&[charged_back(9)], &open, 30) && holds(&[charged_back(10)], &open, 30));
        let later = [charged_back(20)];
        assert_eq!([19, 20].map(|at| holds(&later, &open, at)), [true, false]);
        for level in [None, Some("gold".to_owned())] {
            let block = made("b", OverrideKind::Block(level), 5, Some(15));
            let blocked = [held_open(10, None), block];
            assert_eq!([10, 14, 15].map(|at| holds(&[], &blocked, at)), [false, false, true]);
            let known = Known { purchases: &[], overrides: &blocked };
            let considered = answer(known, instant(12)).considered;
            assert_eq!(considered[0].reason, Reason::Blocked);
        }
    }

    #[test]
    fn it_is_overtaken_by_whatever_else_gives_the_level_and_is_not_blocked() {
        let ids = |overrides: &[Override], at: i64| -> Vec<String> {
            let known = Known { purchases: &[], overrides };
            overtaken(known, instant(at)).into_iter().map(|o| o.id.clone()).collect()
        };
        let grant = |level: &str| made("g", OverrideKind::Grant(level.to_owned()), 20, None);
        let given = [held_open(10, None), grant("gold")];
        assert_eq!([ids(&given, 19), ids(&given, 20)], [vec![], vec!["h".to_owned()]]);
        assert!(ids(&[held_open(10, Some(15)), grant("gold")], 30).is_empty());
        assert!(ids(&[held_open(10, None), grant("silver")], 30).is_empty());
        let block = made("b", OverrideKind::Block(None), 15, None);
        assert!(ids(&[held_open(10, None), grant("gold"), block], 30).is_empty());
    }

    #[test]
    fn a_level_is_held_open_from_its_end_on_but_never_from_before_a_chargeback() {
        let grant = made("g", OverrideKind::Grant("gold".to_owned()), 10, Some(20));
        let known = Known { purchases: &[], overrides: std::slice::from_ref(&grant) };
        let ended = |since, at| ended_at(known, "gold", instant(since), instant(at));
        assert_eq!(ended(10, 30), instant(20));
        assert_eq!(ended(20, 30), instant(30), "what ended before it was held says nothing");
        let never = ended_at(known, "silver", instant(10), instant(30));
        assert_eq!(never, instant(30), "its mapping is gone");
        let purchases = [charged_back(25)];
        let known = Known { purchases: &purchases, overrides: &[grant] };
        assert_eq!(ended_at(known, "gold", instant(10), instant(30)), instant(25));
    }
}
