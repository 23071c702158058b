//! What a change of rules leaves behind, in bounded batches: the change is committed first, then the
//! purchases concerned are computed again, wherever the last batch got to.

use super::held_open;
use super::settle::{Bench, Cause, Touched, settle};
use super::upgrade;
use crate::core::event::EventId;
use crate::store::conn::Conn;
use crate::store::recomputes::{self, Recompute};
use crate::store::{Result, events, members, purchases};

/// What a recompute is about.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The product concerned; `None` for every purchase of the site.
    pub product_id: Option<String>,
    /// Whether the dates of the events have to be read anew, too.
    pub reread_dates: bool,
}

/// Asks for a recompute, in the transaction that changes the rules.
pub fn ask(conn: &mut Conn, bench: &Bench, scope: &Scope, cause: &Cause) -> Result<Recompute> {
    let site_id = &bench.site.id;
    let product = scope.product_id.as_ref().map(std::slice::from_ref);
    let members = purchases::count_members(conn, site_id, product)?;
    let recompute = Recompute {
        site_id: site_id.clone(),
        id: crate::ids::new(),
        product_id: scope.product_id.clone(),
        reread_dates: scope.reread_dates,
        cause_kind: cause.kind.to_owned(),
        cause_id: cause.id.clone(),
        members,
        done: 0,
        reached: String::new(),
        created_at: bench.at.naive_utc(),
        finished_at: None,
        plan_id: cause.plan_id.clone(),
        decides: None,
        decides_up_to: None,
    };
    recomputes::insert(conn, &recompute)?;
    bench.makes_work();
    Ok(recompute)
}

/// Works one batch of the oldest open recompute; answers how many purchases, events or decisions it held,
/// and `None` where there was no recompute.
pub(super) fn batch(conn: &mut Conn, bench: &mut Bench, limit: i64) -> Result<Option<usize>> {
    let site_id = bench.site.id.clone();
    let Some(recompute) = recomputes::next(conn, &site_id)? else {
        return Ok(None);
    };
    if recompute.cause_kind == upgrade::CAUSE {
        return upgrade::batch(conn, bench, &recompute).map(Some);
    }
    let batch = match &recompute.decides {
        Some(word) => held_open::batch(conn, bench, &recompute, word, limit)?,
        None => purchases_batch(conn, bench, &recompute, limit)?,
    };
    match batch.reached {
        Some(reached) if batch.count == limit => {
            let done = (recompute.done + batch.members).min((recompute.members - 1).max(0));
            recomputes::advance(conn, &site_id, &recompute.id, &reached, done)?;
        }
        _ => recomputes::finish(conn, &site_id, &recompute.id, bench.at)?,
    }
    Ok(Some(usize::try_from(batch.count).unwrap_or(usize::MAX)))
}

/// What a batch of a recompute has done.
pub(super) struct Batch {
    /// Where it got to; `None` where nothing was left.
    pub(super) reached: Option<String>,
    /// How many things it held: fewer than it might have where they are the last.
    pub(super) count: i64,
    /// How many members those were.
    pub(super) members: i64,
}

/// Computes a batch of purchases again, or of events and their purchases.
fn purchases_batch(
    conn: &mut Conn,
    bench: &mut Bench,
    recompute: &Recompute,
    limit: i64,
) -> Result<Batch> {
    let site_id = bench.site.id.clone();
    let cause = cause_of(recompute);
    let mut touched = Touched::default();
    let mut reached = None;
    let mut count = 0i64;
    if recompute.reread_dates {
        for id in events::ids_after(conn, &site_id, &recompute.reached, limit)? {
            reached = Some(id.0.clone());
            touched.events.insert(id, cause.clone());
            count += 1;
        }
    } else {
        let product = recompute.product_id.as_deref();
        for id in purchases::ids_after(conn, &site_id, product, &recompute.reached, limit)? {
            reached = Some(id.0.clone());
            touched.purchases.insert(id, cause.clone());
            count += 1;
        }
    }
    let members = i64::try_from(touched.purchases.len()).unwrap_or(i64::MAX);
    if count > 0 {
        touch_all_purchases(conn, &site_id, &mut touched, &cause)?;
        settle(conn, bench, touched)?;
    }
    Ok(Batch { reached, count, members })
}

/// Rules touch a purchase even where its events stay as they are.
fn touch_all_purchases(
    conn: &mut Conn,
    site_id: &str,
    touched: &mut Touched,
    cause: &Cause,
) -> Result<()> {
    let ids: Vec<EventId> = touched.events.keys().cloned().collect();
    for stored in events::load(conn, site_id, &ids)? {
        if let Some(purchase) = stored.purchase {
            touched.purchases.insert(purchase, cause.clone());
        }
    }
    Ok(())
}

/// What changes name as their cause where a recompute leads to them.
pub(super) fn cause_of(recompute: &Recompute) -> Cause {
    Cause::new(known_kind(&recompute.cause_kind), recompute.cause_id.clone())
        .seen_in(recompute.plan_id.as_deref())
}

/// The causes that recomputes are stored with, as the words that changes name.
fn known_kind(stored: &str) -> &'static str {
    ["mapping", "settings", upgrade::CAUSE]
        .into_iter()
        .find(|kind| *kind == stored)
        .unwrap_or("settings")
}

/// Touches a batch of everything that is recorded of a site: one pass of a rebuild.
pub(super) fn touch_members(
    conn: &mut Conn,
    site_id: &str,
    after: &str,
    limit: i64,
    touched: &mut Touched,
    cause: &Cause,
) -> Result<Option<String>> {
    let batch = members::ids_after(conn, site_id, after, limit)?;
    let last = batch.last().map(|member| member.id.clone());
    touched.members.extend(batch.into_iter().map(|member| (member.email, cause.clone())));
    Ok(last)
}
