//! What a plan says of members, and whose access was computed since.

use super::{Plan, What};
use crate::core::Instant;
use crate::store::conn::Conn;
use crate::store::schema::{plan_members, plan_touched, plans};
use crate::store::sets::{insert_missing, insert_set};
use crate::store::{IN_MAX, Result, StoreError, stored};
use chrono::NaiveDateTime;
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Timestamp};
use std::collections::BTreeSet;

/// A step that a plan names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The member's address.
    pub email: String,
    /// The level.
    pub level: String,
    /// What would happen to it.
    pub what: What,
    /// The end that it has; `None` where none is known, and for a gain.
    pub before_until: Option<Instant>,
    /// The end that it would have; `None` where none is known, and for a loss.
    pub after_until: Option<Instant>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = plan_members, treat_none_as_default_value = false)]
struct StepRow {
    site_id: String,
    plan_id: String,
    email: String,
    level: String,
    what: String,
    before_until: Option<NaiveDateTime>,
    after_until: Option<NaiveDateTime>,
}

impl StepRow {
    fn of(plan: &Plan, step: &Step) -> Self {
        Self {
            site_id: plan.site_id.clone(),
            plan_id: plan.id.clone(),
            email: step.email.clone(),
            level: step.level.clone(),
            what: step.what.as_str().to_owned(),
            before_until: step.before_until.map(stored),
            after_until: step.after_until.map(stored),
        }
    }

    fn read(self) -> Result<Step> {
        let what = What::from_word(&self.what);
        Ok(Step {
            what: what.ok_or_else(|| StoreError::Corrupt(format!("a step {}", self.what)))?,
            email: self.email,
            level: self.level,
            before_until: self.before_until.map(|at| at.and_utc()),
            after_until: self.after_until.map(|at| at.and_utc()),
        })
    }
}

/// Writes what a plan says of some members, in place of what it said of them; `plan` counts along.
pub fn say(conn: &mut Conn, plan: &mut Plan, emails: &[String], steps: &[Step]) -> Result<()> {
    for emails in emails.chunks(IN_MAX) {
        let of_these = || {
            plan_members::table
                .filter(plan_members::site_id.eq(plan.site_id.clone()))
                .filter(plan_members::plan_id.eq(plan.id.clone()))
                .filter(plan_members::email.eq_any(emails.to_vec()))
        };
        let said = of_these().group_by(plan_members::what);
        let said: Vec<(String, i64)> =
            said.select((plan_members::what, count_star())).load(conn)?;
        if said.is_empty() {
            continue;
        }
        diesel::delete(of_these()).execute(conn)?;
        for (what, count) in said {
            What::from_word(&what).into_iter().for_each(|what| plan.counts.add(what, -count));
        }
    }
    steps.iter().for_each(|step| plan.counts.add(step.what, 1));
    let rows: Vec<StepRow> = steps.iter().map(|step| StepRow::of(plan, step)).collect();
    insert_set!(conn, plan_members, &rows, {
        site_id: Text,
        plan_id: Text,
        email: Text,
        level: Text,
        what: Text,
        before_until: Nullable<Timestamp>,
        after_until: Nullable<Timestamp>,
    });
    Ok(())
}

/// The steps of a plan behind an address and level, in that order.
pub fn steps(
    conn: &mut Conn,
    site_id: &str,
    plan_id: &str,
    after: Option<(String, String)>,
    limit: i64,
) -> Result<Vec<Step>> {
    let mut query = plan_members::table
        .filter(plan_members::site_id.eq(site_id.to_owned()))
        .filter(plan_members::plan_id.eq(plan_id.to_owned()))
        .order((plan_members::email, plan_members::level))
        .select(StepRow::as_select())
        .limit(limit)
        .into_boxed();
    if let Some((email, level)) = after {
        // The first condition is where the walk along the key begins; of one member, the second parts.
        let behind = plan_members::email.gt(email.clone()).or(plan_members::level.gt(level));
        query = query.filter(plan_members::email.ge(email)).filter(behind);
    }
    query.load(conn)?.into_iter().map(StepRow::read).collect()
}

/// What a plan says some members would have lost by an instant, at once or at an end that it names: addresses
/// with levels.
pub fn named_losses(
    conn: &mut Conn,
    plan: &Plan,
    emails: &[String],
    by: Instant,
) -> Result<BTreeSet<(String, String)>> {
    let mut named = BTreeSet::new();
    for emails in emails.chunks(IN_MAX) {
        let is_loss = plan_members::what.eq(What::Loss.as_str()).assume_not_null();
        let ends = plan_members::after_until.le(stored(by)).assume_not_null();
        let found: Vec<(String, String)> = plan_members::table
            .filter(plan_members::site_id.eq(&plan.site_id))
            .filter(plan_members::plan_id.eq(&plan.id))
            .filter(plan_members::email.eq_any(emails))
            .filter(is_loss.or(ends))
            .select((plan_members::email, plan_members::level))
            .load(conn)?;
        named.extend(found);
    }
    Ok(named)
}

#[derive(Insertable)]
#[diesel(table_name = plan_touched)]
struct TouchedRow {
    site_id: String,
    plan_id: String,
    email: String,
}

/// Notes, for every open plan, whose access is computed now.
pub fn touch(conn: &mut Conn, site_id: &str, emails: &[String]) -> Result<()> {
    let open = plans::table.filter(plans::site_id.eq(site_id)).filter(plans::ended_at.is_null());
    let open: Vec<String> = open.select(plans::id).load(conn)?;
    let row = |plan_id: &String, email: &String| TouchedRow {
        site_id: site_id.to_owned(),
        plan_id: plan_id.clone(),
        email: email.clone(),
    };
    let rows: Vec<TouchedRow> =
        open.iter().flat_map(|id| emails.iter().map(move |email| row(id, email))).collect();
    insert_missing!(conn, plan_touched, &rows, { site_id: Text, plan_id: Text, email: Text });
    Ok(())
}

/// Some of those whose access was computed since an open plan looked at them.
pub fn touched(conn: &mut Conn, plan: &Plan, limit: i64) -> Result<Vec<String>> {
    Ok(plan_touched::table
        .filter(plan_touched::site_id.eq(&plan.site_id))
        .filter(plan_touched::plan_id.eq(&plan.id))
        .select(plan_touched::email)
        .order(plan_touched::email)
        .limit(limit)
        .load(conn)?)
}

/// Notes that an open plan has looked at some members.
pub fn untouch(conn: &mut Conn, plan: &Plan, emails: &[String]) -> Result<()> {
    for emails in emails.chunks(IN_MAX) {
        let of_plan = plan_touched::table
            .filter(plan_touched::site_id.eq(&plan.site_id))
            .filter(plan_touched::plan_id.eq(&plan.id));
        diesel::delete(of_plan.filter(plan_touched::email.eq_any(emails))).execute(conn)?;
    }
    Ok(())
}
