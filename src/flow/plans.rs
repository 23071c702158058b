//! Plans: what other rules would do, computed before it happens, and applied once somebody has seen it.
//!
//! ```text
//! computing ── every member concerned was looked at ──→ ready ── apply ──→ applied
//!     └───────────── the rules, or a member, have moved ─┴──→ stale
//! ```
//!
//! A plan walks over the purchases concerned page by page, each on a snapshot of its own, which stops no
//! webhook. Whose access is computed meanwhile is noted ([`plans::touch`]) in the transaction that does so, and
//! looked at once more under the site's lock, a few at a time, before the plan is ready; so is, when it is
//! applied, whoever was touched since. Absences that tests check: a ready plan names no step that would
//! not happen, and leaves none out; nobody whom it does not name loses a level by it.

use super::edits::Edits;
use super::preview::{self, Place, Proposed, concerned};
use super::settle::Bench;
use super::{Flow, FlowError};
use crate::core::Instant;
use crate::core::link::PurchaseId;
use crate::core::mapping::Mapping;
use crate::store::conn::Conn;
use crate::store::plans::{self, Counts, Moved, Plan, State, What, Window};
use crate::store::recomputes::Recompute;
use crate::store::{Result, StoreError, purchases};
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Purchases on a page, and members who are looked at once more in one transaction, under the site's lock:
/// so few that no batch of webhooks waits long, neither for the lock nor for a processor.
const BATCH_MAX: u32 = 50;
/// Open plans of one site: with another one, the oldest becomes stale.
const OPEN_PLANS_MAX: usize = 10;
/// How long a plan stays open.
const OPEN_FOR: TimeDelta = TimeDelta::hours(24);
/// How long a plan that has ended is kept.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);
/// Members whom a refusal names.
const NAMED_MAX: usize = 20;
/// How long the planner waits after a failure before it tries again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

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
    let site_id = bench.site.id.clone();
    let open = plans::open(conn, &site_id)?;
    let too_many = (open.len() + 1).saturating_sub(OPEN_PLANS_MAX);
    for oldest in open.into_iter().take(too_many) {
        plans::end(conn, oldest, State::Stale, &[Moved::new("age", "newer plans")], bench.at)?;
    }
    let total = preview::count(conn, &site_id, &concerned(bench, &edits.proposed(bench)))?;
    let plan = Plan {
        site_id: site_id.clone(),
        id: crate::ids::new(),
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
    bench.site.plans_open = plans::count_open(conn, &site_id)?;
    bench.makes_work();
    Ok(plan)
}

/// What a plan would write.
pub fn edits_of(plan: &Plan) -> Result<Edits> {
    serde_json::from_str(&plan.edits).map_err(|e| StoreError::Corrupt(format!("a plan: {e}")))
}

impl Flow {
    /// Computes plans until `stop` says so.
    pub fn run_plans(&self, stop: &dyn Fn() -> bool) {
        let mut heard = self.bell.rung();
        while !stop() {
            let turn = catch_unwind(AssertUnwindSafe(|| self.plan_turn()));
            let longest = match turn
                .unwrap_or_else(|_| Err(StoreError::Corrupt("a panic; see above".to_owned())))
            {
                Ok(true) => continue,
                Ok(false) => Duration::from_millis(self.limits.poll_ms),
                Err(error) => {
                    tracing::error!(%error, "a plan could not be computed; it is tried again");
                    AFTER_FAILURE
                }
            };
            heard = self.bell.wait(heard, longest);
        }
    }

    /// How many purchases or members one step takes.
    fn plan_batch_max(&self) -> i64 {
        i64::from(self.limits.batch_purchases_max.min(BATCH_MAX))
    }

    /// Does one step of each plan that is being computed; answers whether there was one.
    pub fn plan_turn(&self) -> Result<bool> {
        let computing = self.store.read_one(plans::computing)?;
        for (site_id, plan_id) in &computing {
            match self.step(site_id, plan_id) {
                Ok(()) | Err(FlowError::NoSite) => {}
                Err(FlowError::Store(error)) => return Err(error),
            }
        }
        Ok(!computing.is_empty())
    }

    fn step(&self, site_id: &str, plan_id: &str) -> Result<(), FlowError> {
        let seen = self.store.read(|conn| plans::get(conn, site_id, plan_id))?;
        let Some(seen) = seen.filter(|plan| plan.state == State::Computing) else { return Ok(()) };
        let (edits, limit) = (edits_of(&seen)?, self.plan_batch_max());
        let walked = self.on_snapshot(site_id, |conn, bench| {
            Ok::<_, FlowError>(walk(conn, bench, &seen, &edits, limit)?)
        })?;
        self.under_lock(site_id, |conn, bench| {
            // Another process may have done this step meanwhile, or an edit may have ended the plan.
            let now = plans::get(conn, site_id, plan_id)?;
            if now.as_ref() != Some(&seen) {
                return Ok(());
            }
            let mut plan = seen.clone();
            match walked {
                Walked::Page(page) => {
                    // Who had their turn already and has another one was touched, and is looked at again.
                    let emails: BTreeSet<&String> = page.steps.iter().map(|s| &s.email).collect();
                    let emails: Vec<String> = emails.into_iter().cloned().collect();
                    plans::say(conn, &mut plan, &emails, &rows(page.steps))?;
                    plan.done = (plan.done + page.members).min(plan.total);
                    plan.reached = page.reached.0;
                }
                Walked::Scope => (plan.scope, plan.reached) = (plan.scope + 1, String::new()),
                Walked::All(windows) => {
                    plan.windows = windows;
                    if look_again(conn, bench, &mut plan, &edits, limit)? {
                        plan.state = State::Ready;
                        plan.done = plan.total;
                        plan.ready_at = Some(bench.at);
                    }
                }
            }
            Ok::<_, FlowError>(plans::update(conn, &plan)?)
        })
    }

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
                None if plan.created_at.and_utc() < now - OPEN_FOR => self.let_age(site_id, id)?,
                None => false,
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
            Err(FlowError::NoSite) => Ok(false),
            Err(FlowError::Store(error)) => Err(error),
        }
    }
}

/// What a step over the purchases concerned found.
enum Walked {
    /// A page of members.
    Page(preview::Page),
    /// The end of a product.
    Scope,
    /// The end, with what each window holds.
    All(Vec<Window>),
}

fn walk(conn: &mut Conn, bench: &Bench, plan: &Plan, edits: &Edits, limit: i64) -> Result<Walked> {
    let proposed = edits.proposed(bench);
    let scopes = concerned(bench, &proposed);
    let scope = usize::try_from(plan.scope).unwrap_or(usize::MAX);
    if scope >= scopes.len() {
        return Ok(Walked::All(windows(conn, bench, &proposed, edits)?));
    }
    let reached = PurchaseId(plan.reached.clone());
    let place = Place { scopes: &scopes, scope, reached: &reached, limit };
    Ok(place.page(conn, bench, &proposed)?.map_or(Walked::Scope, Walked::Page))
}

/// How many purchases each side of the windows holds, of the edited products that have any window.
fn windows(
    conn: &mut Conn,
    bench: &Bench,
    proposed: &Proposed,
    edits: &Edits,
) -> Result<Vec<Window>> {
    let mappings = &proposed.book.mappings;
    let edited: BTreeSet<&String> = edits.mappings().map(|mapping| &mapping.product_id).collect();
    let has_window = |m: &Mapping| m.purchased_from.is_some() || m.purchased_before.is_some();
    let is_split = |m: &Mapping| {
        mappings.iter().any(|other| other.product_id == m.product_id && has_window(other))
    };
    let mut windows = Vec::new();
    for mapping in
        mappings.iter().filter(|m| m.enabled && edited.contains(&m.product_id) && is_split(m))
    {
        windows.push(Window {
            mapping: mapping.id.clone(),
            product_id: mapping.product_id.clone(),
            price_point: mapping.price_point.clone(),
            level: mapping.level.clone(),
            purchased_from: mapping.purchased_from,
            purchased_before: mapping.purchased_before,
            purchases: purchases::count_in_window(conn, &bench.site.id, mapping)?,
        });
    }
    Ok(windows)
}

/// Looks once more, under the site's lock, at some of those who were touched since the plan looked at
/// them; answers whether these were all.
fn look_again(
    conn: &mut Conn,
    bench: &Bench,
    plan: &mut Plan,
    edits: &Edits,
    limit: i64,
) -> Result<bool> {
    let touched = plans::touched(conn, plan, limit)?;
    let steps = preview::steps_of(conn, bench, &edits.proposed(bench), &touched)?;
    plans::say(conn, plan, &touched, &rows(steps))?;
    plans::untouch(conn, plan, &touched)?;
    Ok(is_all(&touched, limit))
}

/// Looks, under the site's lock, at some of those who were touched since the plan was ready, and applies it
/// where these were all and nobody loses what it does not name; `None` where there are more.
fn apply_batch(
    conn: &mut Conn,
    bench: &mut Bench,
    plan: Plan,
    limit: i64,
) -> Result<Option<Applied>> {
    let edits = edits_of(&plan)?;
    let touched = plans::touched(conn, &plan, limit)?;
    let lost = unnamed_losses(conn, bench, &plan, &edits, &touched)?;
    if !lost.is_empty() {
        let plan = plans::end(conn, plan, State::Stale, &lost, bench.at)?;
        bench.site.plans_open = plans::count_open(conn, &bench.site.id)?;
        return Ok(Some(Applied::Refused(plan)));
    }
    plans::untouch(conn, &plan, &touched)?;
    if !is_all(&touched, limit) {
        return Ok(None);
    }
    let plan = plans::end(conn, plan, State::Applied, &[], bench.at)?;
    bench.site.plans_open = plans::count_open(conn, &bench.site.id)?;
    let recomputes = edits.write(conn, bench, Some(&plan.id))?;
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
    edits: &Edits,
    touched: &[String],
) -> Result<Vec<Moved>> {
    let named = plans::named_losses(conn, plan, touched)?;
    let steps = preview::steps_of(conn, bench, &edits.proposed(bench), touched)?;
    let lost = steps.into_iter().filter(|step| step.after.is_none());
    let lost = lost.map(|step| (step.email, step.level)).filter(|lost| !named.contains(lost));
    Ok(lost.take(NAMED_MAX).map(|(email, level)| Moved::member(email, level)).collect())
}

fn rows(steps: Vec<preview::Step>) -> Vec<plans::Step> {
    let row = |step: preview::Step| plans::Step {
        what: match (&step.before, &step.after) {
            (None, _) => What::Gain,
            (Some(_), None) => What::Loss,
            (Some(_), Some(_)) => What::Move,
        },
        before_until: step.before.and_then(|held| held.until),
        after_until: step.after.and_then(|held| held.until),
        email: step.email,
        level: step.level,
    };
    steps.into_iter().map(row).collect()
}
