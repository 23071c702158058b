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
use super::preview::{self, Step, concerned};
use super::settle::Bench;
use super::{Flow, FlowError, upgrade};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::counts::Rows;
use crate::store::plans::{self, Counts, Kind, Moved, Plan, State};
use crate::store::recomputes::Recompute;
use crate::store::{Result, StoreError};
use chrono::TimeDelta;

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
    /// It cannot be applied; the plan says why by where it stands and by what has moved.
    Refused(Plan),
}

/// Makes a plan, under the site's lock; it is computed by and by.
pub fn open(conn: &mut Conn, bench: &mut Bench, edits: &Edits) -> Result<Plan> {
    let mut open = plans::open(conn, &bench.site.id)?;
    open.retain(|plan| plan.kind == Kind::Edit);
    let too_many = (open.len() + 1).saturating_sub(OPEN_PLANS_MAX);
    for oldest in open.into_iter().take(too_many) {
        plans::end(conn, oldest, State::Stale, &[Moved::new("age", "newer plans")], bench.at)?;
    }
    let scopes = concerned(bench, &edits.proposed(bench));
    let total = preview::count(conn, &bench.site.id, &scopes)?;
    begin(conn, bench, Kind::Edit, edits, total)
}

/// Makes a plan of what a new version of the core would do, unless there are no members; one that is open
/// already begins anew.
pub(super) fn open_upgrade(conn: &mut Conn, bench: &mut Bench) -> Result<()> {
    let site_id = &bench.site.id;
    let open = plans::open(conn, site_id)?.into_iter().find(|plan| plan.kind == Kind::Upgrade);
    let total = i64::try_from(Rows::Members.count(conn, site_id)?).unwrap_or(i64::MAX);
    match open {
        Some(plan) => plans::update(conn, &Plan { total, ..plan.begun_anew() }),
        None if total == 0 => Ok(()),
        None => begin(conn, bench, Kind::Upgrade, &Edits::default(), total).map(drop),
    }
}

fn begin(
    conn: &mut Conn,
    bench: &mut Bench,
    kind: Kind,
    edits: &Edits,
    total: i64,
) -> Result<Plan> {
    let plan = Plan {
        site_id: bench.site.id.clone(),
        id: crate::ids::new(),
        kind,
        state: State::Computing,
        edits: serde_json::to_string(edits).map_err(|e| StoreError::Corrupt(e.to_string()))?,
        scope: 0,
        reached: String::new(),
        done: 0,
        total,
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

/// What a plan would write.
fn edits_of(plan: &Plan) -> Result<Edits> {
    serde_json::from_str(&plan.edits).map_err(|e| StoreError::Corrupt(format!("a plan: {e}")))
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
                        && self.store.write(|conn| plans::remove_part(conn, site_id, id, aged))?
                }
            };
        }
        Ok(worked)
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
    plan: Plan,
    limit: i64,
) -> Result<Option<Applied>> {
    let touched = plans::touched(conn, &plan, limit)?;
    let lost = unnamed_losses(conn, bench, &plan, &touched)?;
    if !lost.is_empty() {
        return refuse(conn, bench, plan, lost).map(|plan| Some(Applied::Refused(plan)));
    }
    plans::untouch(conn, &plan, &touched)?;
    if !is_all(&touched, limit) {
        return Ok(None);
    }
    let (plan, recomputes) = finish(conn, bench, plan)?;
    Ok(Some(Applied::Done(plan, recomputes)))
}

fn is_all(touched: &[String], limit: i64) -> bool {
    i64::try_from(touched.len()).unwrap_or(i64::MAX) < limit
}

/// Which of some members would now lose a level that the plan does not name.
fn unnamed_losses(
    conn: &mut Conn,
    bench: &Bench,
    plan: &Plan,
    touched: &[String],
) -> Result<Vec<Moved>> {
    let named = plans::named_losses(conn, plan, touched)?;
    let steps = steps_of(conn, bench, plan, touched)?;
    let lost = steps.into_iter().filter(|step| step.after.is_none());
    let lost = lost.map(|step| (step.email, step.level)).filter(|lost| !named.contains(lost));
    Ok(lost.take(NAMED_MAX).map(|(email, level)| Moved::member(email, level)).collect())
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
