//! Computing plans, step by step, beside the webhooks.

use super::{edits_of, finish, is_all, steps_of};
use crate::core::link::PurchaseId;
use crate::core::mapping::Mapping;
use crate::flow::edits::Edits;
use crate::flow::preview::{self, Place, Proposed, Step, concerned};
use crate::flow::settle::Bench;
use crate::flow::{Flow, FlowError, upgrade};
use crate::store::conn::Conn;
use crate::store::counts::Rows;
use crate::store::plans::{self, Counts, Kind, Plan, State, What, Window};
use crate::store::{Result, StoreError, held_open, members, purchases};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Purchases on a page, and members who are looked at once more in one transaction, under the site's lock:
/// so few that no batch of webhooks waits long, neither for the lock nor for a processor.
const BATCH_MAX: u32 = 50;
/// How long the planner waits after a failure before it tries again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Flow {
    /// Computes plans until `stop` says so.
    pub fn run_plans(&self, stop: &dyn Fn() -> bool) {
        let mut heard = self.bell.rung();
        while !stop() {
            // A panic ends one turn, never the planner.
            let turn = catch_unwind(AssertUnwindSafe(|| self.plan_turn()));
            let panicked = |_| Err(StoreError::Corrupt("a panic; see above".to_owned()));
            let longest = match turn.unwrap_or_else(panicked) {
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
    pub(super) fn plan_batch_max(&self) -> i64 {
        i64::from(self.limits.batch_purchases_max.min(BATCH_MAX))
    }

    /// Does one step of each plan that is being computed; answers whether there was one.
    pub fn plan_turn(&self) -> Result<bool> {
        self.take_over_sites()?;
        let (mut stepped, mut failed) = (false, None);
        for (site_id, plan_id) in self.store.read_one(plans::computing)? {
            let step = catch_unwind(AssertUnwindSafe(|| self.step(&site_id, &plan_id)));
            let panicked = |_| Err(StoreError::Corrupt("a panic; see above".to_owned()).into());
            match step.unwrap_or_else(panicked) {
                Ok(()) | Err(FlowError::NoSite) => stepped = true,
                // Whoever has taken the site over computes its plans.
                Err(FlowError::Store(StoreError::Overtaken)) => {}
                // One that fails keeps no other waiting.
                Err(FlowError::Store(error)) => {
                    tracing::error!(site_id, plan_id, %error, "a plan could not be computed");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if !stepped => Err(error),
            _ => Ok(stepped),
        }
    }

    fn step(&self, site_id: &str, plan_id: &str) -> Result<(), FlowError> {
        let seen = self.store.read(|conn| plans::get(conn, site_id, plan_id))?;
        let Some(seen) = seen.filter(|plan| plan.state == State::Computing) else { return Ok(()) };
        let limit = self.plan_batch_max();
        let (walked, total) = self.on_snapshot(site_id, |conn, bench| {
            let walked = match seen.kind {
                Kind::Edit => walk(conn, bench, &seen, limit)?,
                Kind::Upgrade => walk_members(conn, bench, &seen, limit)?,
            };
            Ok::<_, FlowError>((walked, total(conn, bench, &seen)?))
        })?;
        self.under_lock(site_id, |conn, bench| {
            // Another process may have done this step meanwhile, or an edit may have ended the plan.
            if plans::get(conn, site_id, plan_id)?.as_ref() != Some(&seen) {
                return Ok(());
            }
            let mut plan = Plan { total, ..seen.clone() };
            match walked {
                Walked::Page(page) => page.say(conn, &mut plan)?,
                Walked::Scope => (plan.scope, plan.reached) = (plan.scope + 1, String::new()),
                Walked::Touched => drop(look_again(conn, bench, &mut plan, limit)?),
                Walked::All(windows) => {
                    plan.windows = windows;
                    if look_again(conn, bench, &mut plan, limit)? {
                        plan.state = State::Ready;
                        plan.done = plan.total;
                        plan.ready_at = Some(bench.at);
                    }
                }
            }
            if self.needs_no_yes(conn, &plan)? {
                finish(conn, bench, plan)?;
                return Ok(());
            }
            Ok::<_, FlowError>(plans::update(conn, &plan)?)
        })
    }

    /// Whether a plan is ready and applied without asking anybody: nobody would be moved, nor would what is held
    /// open, which ends by itself where the level is given again.
    fn needs_no_yes(&self, conn: &mut Conn, plan: &Plan) -> Result<bool> {
        if plan.state != State::Ready || plan.kind != Kind::Upgrade {
            return Ok(false);
        }
        let nobody_moves =
            plan.counts == Counts::default() && held_open::count(conn, &plan.site_id)? == 0;
        Ok(nobody_moves || self.limits.apply_upgrades)
    }
}

/// What a step found.
enum Walked {
    /// A page of members.
    Page(Page),
    /// The end of a product.
    Scope,
    /// Those who were touched meanwhile are left.
    Touched,
    /// The end, with what each window holds: few or none are left.
    All(Vec<Window>),
}

/// A page of members.
struct Page {
    steps: Vec<Step>,
    members: Vec<String>,
    /// The last row that was looked at.
    reached: String,
}

impl Page {
    fn say(self, conn: &mut Conn, plan: &mut Plan) -> Result<()> {
        // Who had their turn already and has another one was touched, and is looked at again.
        plans::say(conn, plan, &self.members, &rows(self.steps))?;
        let done = plan.done + i64::try_from(self.members.len()).unwrap_or(i64::MAX);
        plan.done = done.min(plan.total);
        plan.reached = self.reached;
        Ok(())
    }
}

/// How many members a plan is about, counted when it begins.
fn total(conn: &mut Conn, bench: &Bench, plan: &Plan) -> Result<i64> {
    if plan.scope > 0 || !plan.reached.is_empty() {
        return Ok(plan.total);
    }
    match plan.kind {
        Kind::Edit => {
            let proposed = edits_of(plan)?.proposed(bench);
            preview::count(conn, &bench.site.id, &concerned(bench, &proposed))
        }
        Kind::Upgrade => {
            let members = Rows::Members.count(conn, &bench.site.id)?;
            Ok(i64::try_from(members).unwrap_or(i64::MAX))
        }
    }
}

/// Looks at a page of the purchases concerned.
fn walk(conn: &mut Conn, bench: &Bench, plan: &Plan, limit: i64) -> Result<Walked> {
    let edits = edits_of(plan)?;
    let proposed = edits.proposed(bench);
    let scopes = concerned(bench, &proposed);
    let scope = usize::try_from(plan.scope).unwrap_or(usize::MAX);
    if scope >= scopes.len() {
        if !is_all(&plans::touched(conn, plan, limit)?, limit) {
            return Ok(Walked::Touched);
        }
        return Ok(Walked::All(windows(conn, bench, &proposed, &edits)?));
    }
    let reached = PurchaseId(plan.reached.clone());
    let place = Place { scopes: &scopes, scope, reached: &reached, limit };
    let Some(page) = place.page(conn, bench, &proposed)? else { return Ok(Walked::Scope) };
    Ok(Walked::Page(Page { steps: page.steps, members: page.members, reached: page.reached.0 }))
}

/// Looks at a page of all members.
fn walk_members(conn: &mut Conn, bench: &Bench, plan: &Plan, limit: i64) -> Result<Walked> {
    let page = members::ids_after(conn, &bench.site.id, &plan.reached, limit)?;
    let Some(reached) = page.last().map(|member| member.id.clone()) else {
        return Ok(Walked::All(Vec::new()));
    };
    let members: Vec<String> = page.into_iter().map(|member| member.email).collect();
    let steps = upgrade::steps_of(conn, bench, &members)?;
    Ok(Walked::Page(Page { steps, members, reached }))
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
    let is_split = |m: &Mapping| mappings.of_product(&m.product_id).any(has_window);
    let is_shown = |m: &&Mapping| m.enabled && edited.contains(&m.product_id) && is_split(m);
    let mut windows = Vec::new();
    for mapping in mappings.iter().filter(is_shown) {
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
fn look_again(conn: &mut Conn, bench: &Bench, plan: &mut Plan, limit: i64) -> Result<bool> {
    let touched = plans::touched(conn, plan, limit)?;
    let steps = steps_of(conn, bench, plan, &touched)?;
    plans::say(conn, plan, &touched, &rows(steps))?;
    plans::untouch(conn, plan, &touched)?;
    Ok(is_all(&touched, limit))
}

/// Steps as they are kept.
pub(super) fn rows(steps: Vec<Step>) -> Vec<plans::Step> {
    let row = |step: Step| plans::Step {
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
