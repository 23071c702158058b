//! The revocation breaker: of a flood of revocations, whatever led to it, only so many are recorded. What exceeds
//! the site's limit is held open, until an operator has looked.
//!
//! It is decided in [`super::record`] alone, where differences become changes, under the site's lock. Grants and
//! moved ends pass it untouched, and a batch that revokes nothing asks nothing. What it costs does not grow with the
//! site: who holds a level and who has lost it of late are numbers that are kept up to date.
//!
//! Absences that tests check: no revocation that the limit stops is lost, or recorded; none that a person has
//! seen to is stopped.

use super::record::{Dossier, Step};
use super::settle::{Bench, Cause};
use crate::core::access::Held;
use crate::core::breaker::{Losses, MaxRevocations, minute};
use crate::core::change::{What, differences};
use crate::core::member::{Override, OverrideKind};
use crate::store::conn::Conn;
use crate::store::held_open::{self, HeldOpen};
use crate::store::{Result, level_counts, sites};
use std::collections::BTreeMap;

/// Holds open what exceeds the site's limit, and notes what was lost. The steps say afterwards what is to be
/// recorded.
pub(super) fn hold_open(
    conn: &mut Conn,
    bench: &mut Bench,
    dossier: &mut Dossier,
    steps: &mut [Step<'_>],
) -> Result<()> {
    let Some(limit) = bench.site.max_revocations else { return Ok(()) };
    let lost = lost(steps);
    if lost.is_empty() {
        return Ok(());
    }
    let levels: Vec<String> = lost.keys().cloned().collect();
    let first_minute = limit.first_minute(bench.now());
    let known = level_counts::losses(conn, &bench.site.id, &levels, first_minute)?;
    let mut held = Vec::new();
    for (level, members) in lost {
        let before = known.get(&level).copied().unwrap_or_default();
        let after = stop(bench, dossier, steps, &level, &members, (limit, before), &mut held);
        let new = (after.revoked - before.revoked, after.parked - before.parked);
        let minute = minute(bench.now());
        level_counts::lose(conn, &bench.site.id, &level, minute, first_minute, new)?;
    }
    write(conn, bench, held)
}

/// Who is about to lose each level without anybody having seen to it, by their place among the steps.
fn lost(steps: &[Step<'_>]) -> BTreeMap<String, Vec<usize>> {
    let mut lost: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, step) in steps.iter().enumerate().filter(|(_, step)| !step.cause.was_seen()) {
        for difference in step.differences.iter().filter(|d| d.what == What::Revoked) {
            lost.entry(difference.level.clone()).or_default().push(place);
        }
    }
    lost
}

/// Lets some members lose a level as far as the limit allows, and holds it open for the others.
fn stop(
    bench: &Bench,
    dossier: &mut Dossier,
    steps: &mut [Step<'_>],
    level: &str,
    members: &[usize],
    (limit, mut losses): (MaxRevocations, Losses),
    held: &mut Vec<(Override, Cause)>,
) -> Losses {
    let mut left = limit.left(losses);
    for place in members {
        let Some(step) = steps.get_mut(*place) else { continue };
        if left == 0
            && let Some(made) = keep(bench, dossier, step, level)
        {
            losses.parked += 1;
            held.push((made, step.cause.clone()));
            continue;
        }
        losses.revoked += 1;
        left = (left - 1).max(0);
    }
    losses
}

/// Holds a level open for a member; `None` where that does not help: an operator blocks it.
fn keep(
    bench: &Bench,
    dossier: &mut Dossier,
    step: &mut Step<'_>,
    level: &str,
) -> Option<Override> {
    let email = &step.member.email;
    let since =
        step.before.iter().find(|held| held.level == level).map(|held: &Held| held.since)?;
    let made = Override {
        id: crate::ids::new(),
        what: OverrideKind::HeldOpen(level.to_owned()),
        leads: dossier.leads(email),
        email: email.clone(),
        begun_at: dossier.ended_at(email, level, since, bench.at),
        until: None,
        ended_at: None,
        note: Some(format!("{} {} would have revoked it", step.cause.kind, step.cause.id)),
    };
    let needless = dossier.open_of_level(email, level);
    dossier.add(made.clone());
    let answer = dossier.answer(email, bench.at);
    if !answer.holds(level) {
        dossier.forget(&made.id);
        return None;
    }
    // What was held open before and was lost all the same, to a chargeback, has done its part.
    dossier.end(needless, bench.at);
    step.differences = differences(&step.before, &answer.levels);
    step.answer = answer;
    Some(made)
}

/// Writes down what is held open from now on.
fn write(conn: &mut Conn, bench: &mut Bench, held: Vec<(Override, Cause)>) -> Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let count = held.len();
    let wanted = i64::try_from(count).unwrap_or(i64::MAX);
    let first = sites::take_held_open_numbers(conn, &mut bench.site, wanted)?;
    let held_open_at = bench.now();
    let number = |(number, (made, cause)): (i64, (Override, Cause))| HeldOpen {
        made,
        number,
        held_open_at,
        cause_kind: cause.kind.to_owned(),
        cause_id: cause.id,
    };
    let held: Vec<HeldOpen> = (first..).zip(held).map(number).collect();
    held_open::insert(conn, &bench.site.id, &held)?;
    bench.holds_open(count);
    tracing::warn!(
        site_id = bench.site.id,
        count,
        "more members would lose a level than max_revocations allows: theirs is held open until an \
         operator has decided"
    );
    Ok(())
}
