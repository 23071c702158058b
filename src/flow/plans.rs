//! Plans: what other rules would do, computed before it happens, and applied once somebody has seen it.
//!
//! ```text
//! computing ── every member concerned was looked at ──→ ready ── apply ──→ applied
//!     └───────────── the rules, or a member, have moved ─┴──→ stale
//! ```
//!
//! The plan of an upgrade ([`super::upgrade`]) is never stale: what has moved is looked at again, and it is ready
//! once more.
//!
//! A plan walks over the purchases concerned page by page ([`compute`]), each on a snapshot of its own, which
//! stops no webhook. Whose access is computed meanwhile is noted ([`plans::touch`]) in the transaction that does
//! so, and looked at once more under the site's lock, a few at a time, before the plan is ready; so is, when it is
//! applied, whoever was touched since. Absences that tests check: a ready plan names no step that would not
//! happen, and leaves none out; nobody whom it does not name loses a level by it.

mod compute;

use super::edits::Edits;
use super::preview::{self, Step};
use super::settle::Bench;
use super::{Flow, FlowError, upgrade};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::plans::{self, Counts, Kind, Moved, Plan, State};
use crate::store::recomputes::{self, Recompute};
use crate::store::sites::Busy;
use crate::store::{Result, StoreError, members};
use chrono::TimeDelta;
use compute::rows;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// Open plans of one site that are about its rules: with another one, the oldest becomes stale.
const OPEN_PLANS_MAX: usize = 10;
/// How long such a plan stays open.
const OPEN_FOR: TimeDelta = TimeDelta::hours(24);
/// How long a plan that has ended is kept.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);
/// Members whom a refusal names.
const NAMED_MAX: usize = 20;

/// What became of applying a plan.
#[derive(Debug)]
pub enum Applied {
    /// The rules are written; this is to be computed again.
    Done(Plan, Vec<Recompute>),
    /// There is no such plan.
    Unknown,
    /// An earlier change is still being computed.
    Waits,
    /// It cannot be applied; the plan says why by where it stands and by what has moved.
    Refused(Plan),
}

/// Makes a plan, under the site's lock; it is computed by and by. `changes` is what was asked for, in the words of
/// whoever did: it is kept to be told.
pub fn open(conn: &mut Conn, bench: &mut Bench, edits: &Edits, changes: &Value) -> Result<Plan> {
    let mut open = plans::open(conn, &bench.site.id)?;
    open.retain(|plan| plan.kind == Kind::Edit);
    let too_many = (open.len() + 1).saturating_sub(OPEN_PLANS_MAX);
    for oldest in open.into_iter().take(too_many) {
        plans::end(conn, oldest, State::Stale, &[Moved::new("age", "newer plans")], bench.at)?;
    }
    begin(conn, bench, Kind::Edit, &Kept { edits, changes })
}

/// Makes a plan of what a new version of the core would do, unless there are no members; one that is open
/// already begins anew.
pub(super) fn open_upgrade(conn: &mut Conn, bench: &mut Bench) -> Result<()> {
    let site_id = &bench.site.id;
    let open = plans::open(conn, site_id)?.into_iter().find(|plan| plan.kind == Kind::Upgrade);
    let has_members = !members::ids_after(conn, site_id, "", 1)?.is_empty();
    match open {
        Some(plan) => plans::update(conn, &plan.begun_anew()),
        None if !has_members => Ok(()),
        None => {
            let kept = Kept { edits: &Edits::default(), changes: &Value::Null };
            begin(conn, bench, Kind::Upgrade, &kept).map(drop)
        }
    }
}

/// What is kept of what a plan would write.
#[derive(Serialize)]
struct Kept<'a> {
    #[serde(flatten)]
    edits: &'a Edits,
    changes: &'a Value,
}

fn begin(conn: &mut Conn, bench: &mut Bench, kind: Kind, kept: &Kept) -> Result<Plan> {
    let plan = Plan {
        site_id: bench.site.id.clone(),
        id: crate::ids::new(),
        kind,
        state: State::Computing,
        edits: serde_json::to_string(kept).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        scope: 0,
        reached: String::new(),
        done: 0,
        // Counted with the first page, which is read without the site's lock.
        total: 0,
        counts: Counts::default(),
        windows: Vec::new(),
        moved: Vec::new(),
        created_at: bench.at,
        ready_at: None,
        ended_at: None,
    };
    plans::insert(conn, &plan)?;
    bench.site.plans_open = plans::count_open(conn, &bench.site.id)?;
    bench.makes_work();
    Ok(plan)
}

/// What a plan would write; of an upgrade, nothing.
pub fn edits_of(plan: &Plan) -> Result<Edits> {
    serde_json::from_str(&plan.edits).map_err(|e| StoreError::Corrupt(format!("a plan: {e}")))
}

/// The changes that a plan was made from; none where it was not made from such.
pub fn changes_of(plan: &Plan) -> Vec<Value> {
    let kept: Value = serde_json::from_str(&plan.edits).unwrap_or_default();
    kept.get("changes").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What a plan would do to some members, whoever they are.
fn steps_of(conn: &mut Conn, bench: &Bench, plan: &Plan, emails: &[String]) -> Result<Vec<Step>> {
    match plan.kind {
        Kind::Edit => preview::steps_of(conn, bench, &edits_of(plan)?.proposed(bench), emails),
        Kind::Upgrade => upgrade::steps_of(conn, bench, emails),
    }
}

impl Flow {
    /// Applies a plan, once: its rules are written, and what they concern is to be computed again.
    ///
    /// # Errors
    /// There is no such site, or the store fails.
    pub fn apply_plan(&self, site_id: &str, plan_id: &str) -> Result<Applied, FlowError> {
        loop {
            let applied = self.under_lock(site_id, |conn, bench| {
                let Some(plan) = plans::get(conn, site_id, plan_id)? else {
                    return Ok::<_, FlowError>(Some(Applied::Unknown));
                };
                if plan.state != State::Ready {
                    return Ok(Some(Applied::Refused(plan)));
                }
                // It would go on by the rules of this plan, for whom nobody has looked at.
                if recomputes::next(conn, site_id)?.is_some() {
                    return Ok(Some(Applied::Waits));
                }
                Ok(apply_batch(conn, bench, plan, self.plan_batch_max())?)
            })?;
            if let Some(applied) = applied {
                return Ok(applied);
            }
        }
    }

    /// Lets plans be stale that nobody has applied for long, and removes what is left of those that ended;
    /// answers whether there was anything to do.
    pub(super) fn tidy_plans(&self, now: Instant) -> Result<bool> {
        let mut worked = false;
        for plan in self.store.read_one(plans::all)? {
            let (site_id, id) = (&plan.site_id, &plan.id);
            worked |= match plan.ended_at.map(|at| at.and_utc()) {
                None => {
                    let is_old = plan.created_at.and_utc() < now - OPEN_FOR;
                    is_old && plan.kind == Kind::Edit.as_str() && self.let_age(site_id, id)?
                }
                Some(ended_at) => {
                    let aged = ended_at < now - KEPT_FOR;
                    let is_left = |conn: &mut _| plans::any_touched(conn, site_id, id);
                    (aged || self.store.read_one(is_left)?)
                        && self.remove_part(site_id, id, aged)?
                }
            };
        }
        Ok(worked)
    }

    /// Removes a batch of what is left of a plan, under the site's lock: of two at once the second would find the
    /// rows of its batch gone, as if there were no more, and remove the plan before them.
    fn remove_part(&self, site_id: &str, plan_id: &str, aged: bool) -> Result<bool> {
        let remove =
            |conn: &mut Conn, _: &mut Bench| plans::remove_part(conn, site_id, plan_id, aged);
        Ok(self.at_bench(site_id, Busy::Skip, |_| true, remove)?.unwrap_or(false))
    }

    /// Lets a plan be stale because of its age; answers whether it was open.
    fn let_age(&self, site_id: &str, plan_id: &str) -> Result<bool> {
        let ended = self.under_lock(site_id, |conn, bench| {
            let plan = plans::get(conn, site_id, plan_id)?.filter(|plan| plan.ended_at.is_none());
            let Some(plan) = plan else { return Ok::<_, FlowError>(false) };
            plans::end(conn, plan, State::Stale, &[Moved::new("age", "24 hours")], bench.at)?;
            bench.site.plans_open = plans::count_open(conn, site_id)?;
            Ok(true)
        });
        match ended {
            Ok(ended) => Ok(ended),
            Err(FlowError::NoSite | FlowError::Store(StoreError::Overtaken)) => Ok(false),
            Err(FlowError::Store(error)) => Err(error),
        }
    }
}

/// Looks, under the site's lock, at some of those who were touched since the plan was ready, and applies it
/// where these were all and nobody loses what it does not name; `None` where there are more.
fn apply_batch(
    conn: &mut Conn,
    bench: &mut Bench,
    mut plan: Plan,
    limit: i64,
) -> Result<Option<Applied>> {
    let touched = plans::touched(conn, &plan, limit)?;
    let steps = steps_of(conn, bench, &plan, &touched)?;
    let lost = unnamed_losses(conn, bench, &plan, &steps)?;
    if !lost.is_empty() {
        return refuse(conn, bench, plan, lost).map(|plan| Some(Applied::Refused(plan)));
    }
    // Whoever is not looked at again is as the plan says now.
    plans::say(conn, &mut plan, &touched, &rows(steps))?;
    plans::untouch(conn, &plan, &touched)?;
    if !is_all(&touched, limit) {
        plans::update(conn, &plan)?;
        return Ok(None);
    }
    let (plan, recomputes) = finish(conn, bench, plan)?;
    Ok(Some(Applied::Done(plan, recomputes)))
}

fn is_all(touched: &[String], limit: i64) -> bool {
    i64::try_from(touched.len()).unwrap_or(i64::MAX) < limit
}

/// What of some steps would now take a level that the plan does not name.
fn unnamed_losses(
    conn: &mut Conn,
    bench: &Bench,
    plan: &Plan,
    steps: &[Step],
) -> Result<Vec<Moved>> {
    let emails: BTreeSet<&String> = steps.iter().map(|step| &step.email).collect();
    let emails: Vec<String> = emails.into_iter().cloned().collect();
    let named = plans::named_losses(conn, plan, &emails, bench.at)?;
    let lost = steps.iter().filter(|step| step.after.is_none());
    let lost = lost.map(|step| (step.email.clone(), step.level.clone()));
    let lost = lost.filter(|lost| !named.contains(lost)).take(NAMED_MAX);
    Ok(lost.map(|(email, level)| Moved::member(email, level)).collect())
}

/// Lets a plan be stale that would take more than it names; that of an upgrade looks again.
fn refuse(conn: &mut Conn, bench: &mut Bench, plan: Plan, lost: Vec<Moved>) -> Result<Plan> {
    let refused = match plan.kind {
        Kind::Edit => plans::end(conn, plan, State::Stale, &lost, bench.at)?,
        Kind::Upgrade => {
            // Those who were touched are all that it has to look at.
            let looking = Plan { state: State::Computing, ready_at: None, ..plan };
            plans::update(conn, &looking)?;
            Plan { state: State::Stale, moved: lost, ..looking }
        }
    };
    bench.site.plans_open = plans::count_open(conn, &bench.site.id)?;
    Ok(refused)
}

/// Brings a plan about; answers what is to be computed again.
fn finish(conn: &mut Conn, bench: &mut Bench, plan: Plan) -> Result<(Plan, Vec<Recompute>)> {
    let plan = plans::end(conn, plan, State::Applied, &[], bench.at)?;
    bench.site.plans_open = plans::count_open(conn, &bench.site.id)?;
    let recomputes = match plan.kind {
        Kind::Edit => edits_of(&plan)?.write(conn, bench, Some(&plan.id))?,
        Kind::Upgrade => vec![upgrade::ask(conn, bench, &plan.id)?],
    };
    Ok((plan, recomputes))
}
