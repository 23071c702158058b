//! A new version of the core that answers differently moves nobody's access by itself.
//!
//! The record of a site carries the version of the core that works on it. A newer one takes the site over with
//! its first transaction there, and older processes leave it alone from then on. What the newer one would do to
//! the members is computed as a plan ([`super::plans`]); it is applied at once where nobody's access would move,
//! and else waits for an operator. New events are answered by the new core meanwhile, for whom they concern.
//!
//! What was read of a webhook stays as it was read: only `latchkey rebuild` reads the bodies anew.

use super::plans;
use super::preview::{self, Step};
use super::rebuild::{Pass, again};
use super::settle::{Bench, Cause};
use super::{Flow, FlowError, past, recompute};
use crate::store::conn::Conn;
use crate::store::members;
use crate::store::plans::{self as store, Moved};
use crate::store::recomputes::{self, Recompute};
use crate::store::{Result, StoreError, sites};
use std::sync::atomic::Ordering;

/// What changes name as their cause where an upgrade was applied.
pub(super) const CAUSE: &str = "upgrade";

/// What has to be done again, in order; what was read of webhooks stays.
const PASSES: [Pass; 4] = [Pass::Events, Pass::Purchases, Pass::Leads, Pass::Members];

impl Flow {
    /// Takes over what an older core has worked on, once in the life of a process.
    pub(super) fn take_over_sites(&self) -> Result<()> {
        if self.taken_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut failed = None;
        for site_id in self.store.read_one(|conn| sites::of_older_core(conn, self.core.version))? {
            match self.under_lock(&site_id, |_, _| Ok::<_, FlowError>(())) {
                Ok(()) | Err(FlowError::NoSite | FlowError::Store(StoreError::Overtaken)) => {}
                Err(FlowError::Store(error)) => failed = Some(error),
            }
        }
        self.taken_over.store(failed.is_none(), Ordering::Relaxed);
        failed.map_or(Ok(()), Err)
    }
}

/// Takes a site over from an older core, in the first transaction of a newer one.
pub(super) fn take_over(conn: &mut Conn, bench: &mut Bench) -> Result<()> {
    let (before, now) = (bench.site.core_version, bench.core.version);
    if before >= now {
        return Ok(());
    }
    bench.site.core_version = now;
    // What somebody has seen, the older core has shown them; and what it has left to compute again, the upgrade
    // does for everybody, once somebody has seen that.
    let moved = [Moved::new("core", &now.to_string())];
    bench.site.plans_open = store::end_open(conn, &bench.site.id, &moved, bench.at)?;
    recomputes::give_up(conn, &bench.site.id, bench.at)?;
    sites::update(conn, &bench.site)?;
    tracing::warn!(
        site_id = bench.site.id,
        before,
        now,
        "a new version of the core takes over; a plan says what it would do to the members"
    );
    plans::open_upgrade(conn, bench)
}

/// What the core would do to some members who are recorded otherwise.
pub(super) fn steps_of(conn: &mut Conn, bench: &Bench, emails: &[String]) -> Result<Vec<Step>> {
    let site_id = &bench.site.id;
    let known = members::with_emails(conn, site_id, emails)?;
    let ids: Vec<String> = known.iter().map(|member| member.id.clone()).collect();
    let mut recorded = members::recorded(conn, site_id, &ids)?;
    let emails: Vec<String> = known.iter().map(|member| member.email.clone()).collect();
    let answers = past::answers_anew(conn, bench, &emails)?;
    let steps = known.into_iter().zip(answers).flat_map(|(member, answer)| {
        let before = recorded.remove(&member.id).unwrap_or_default();
        preview::differences(&member.email, before, answer.levels)
    });
    Ok(steps.collect())
}

/// Asks that everything be done again by the new core, as somebody has seen in a plan.
pub(super) fn ask(conn: &mut Conn, bench: &Bench, plan_id: &str) -> Result<Recompute> {
    let cause = Cause::new(CAUSE, bench.core.version.to_string()).seen_in(Some(plan_id));
    let all = recompute::Scope { product_id: None, reread_dates: false };
    recompute::ask(conn, bench, &all, &cause)
}

/// Works one batch of that; answers how many rows it held. Where it got to is noted as pass and row.
pub(super) fn batch(conn: &mut Conn, bench: &mut Bench, recompute: &Recompute) -> Result<usize> {
    let (number, after) = recompute.reached.split_once(' ').unwrap_or(("0", ""));
    let number: usize = number.parse().map_err(|_| {
        StoreError::Corrupt(format!("a recompute that has reached {}", recompute.reached))
    })?;
    let site_id = bench.site.id.clone();
    let Some(pass) = PASSES.get(number) else {
        recomputes::finish(conn, &site_id, &recompute.id, bench.at)?;
        return Ok(0);
    };
    let (count, reached) = match again(conn, bench, *pass, after, &recompute::cause_of(recompute))?
    {
        Some((count, last)) => (count, format!("{number} {last}")),
        None => (0, format!("{} ", number + 1)),
    };
    let members = if *pass == Pass::Members { i64::try_from(count).unwrap_or(0) } else { 0 };
    let done = (recompute.done + members).min((recompute.members - 1).max(0));
    recomputes::advance(conn, &site_id, &recompute.id, &reached, done)?;
    Ok(count)
}
