//! Makes again all that is derived from webhooks, mappings and overrides.
//!
//! [`rebuild`] sends everything down the same path as a webhook, in bounded batches, so that a site
//! keeps working meanwhile. [`check`] only compares, and goes the other way round.

use super::process::{Reread, apply};
use super::recompute::touch_members;
use super::settle::{Bench, Cause, Touched, settle};
use super::{Flow, FlowError};
use crate::store::conn::Conn;
use crate::store::counts::Rows;
use crate::store::observations::{self, Due};
use crate::store::{Result, bodies, events, level_counts, members, product_counts, purchases};

pub use super::check::{Discrepancy, check};

/// How many rows one batch of a rebuild takes.
pub(super) const BATCH_ROWS_MAX: i64 = 200;

/// The passes of a rebuild, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Webhooks are read anew.
    Webhooks,
    /// Events are merged and linked anew.
    Events,
    /// Purchases are folded anew.
    Purchases,
    /// Leads are addressed anew.
    Leads,
    /// Members are answered anew.
    Members,
}

impl Pass {
    const ALL: [Self; 5] =
        [Self::Webhooks, Self::Events, Self::Purchases, Self::Leads, Self::Members];

    /// The word for it, for progress.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Events => "events",
            Self::Purchases => "purchases",
            Self::Leads => "leads",
            Self::Members => "members",
        }
    }

    /// What it goes through.
    fn rows(self) -> Rows {
        match self {
            Self::Webhooks => Rows::Webhooks,
            Self::Events => Rows::Events,
            Self::Purchases => Rows::Purchases,
            Self::Leads => Rows::Leads,
            Self::Members => Rows::Members,
        }
    }
}

/// Makes everything derived of a site again; `progress` is told after each batch how many rows of how many
/// a pass has done. While the site goes on working, there may be more in the end.
pub fn rebuild(
    flow: &Flow,
    site_id: &str,
    mut progress: impl FnMut(Pass, usize, usize),
) -> Result<(), FlowError> {
    let mut sees_to = true;
    for pass in Pass::ALL {
        let (mut reached, mut done) = (String::new(), 0);
        let all = flow.store().read(|conn| pass.rows().count(conn, site_id))?;
        loop {
            let batch = flow.under_lock(site_id, |conn, bench| {
                Ok::<_, FlowError>(run(flow, conn, bench, pass, &reached)?)
            })?;
            let Some((count, last)) = batch else { break };
            done += count;
            progress(pass, done, all.max(done));
            reached = last;
            sees_to = sees_to && flow.see_to(site_id);
        }
    }
    recount(flow, site_id)
}

/// Makes the counts of a site again, where they are wrong. Whether they are is asked beside all other work: to count
/// takes seconds where a site is large, and under its lock nothing is applied meanwhile, on SQLite nothing stored.
fn recount(flow: &Flow, site_id: &str) -> Result<(), FlowError> {
    let wrong = flow.store().read(|conn| {
        let levels = level_counts::wrong(conn, site_id)?;
        Ok::<_, FlowError>(!levels.is_empty() || !product_counts::wrong(conn, site_id)?.is_empty())
    })?;
    if !wrong {
        return Ok(());
    }
    flow.under_lock(site_id, |conn, _| {
        product_counts::recount(conn, site_id)?;
        Ok(level_counts::recount(conn, site_id)?)
    })
}

/// One batch of a pass; answers how many rows it took and which was the last.
fn run(
    flow: &Flow,
    conn: &mut Conn,
    bench: &mut Bench,
    pass: Pass,
    after: &str,
) -> Result<Option<(usize, String)>> {
    if pass != Pass::Webhooks {
        return again(conn, bench, pass, after, &Cause::new("settings", "rebuild"));
    }
    let mut batch = bounded_after(conn, &bench.site.id, after)?;
    let (count, last) = (batch.len(), batch.last().map(|webhook| webhook.id.clone()));
    // What waits is the loop's; what is no observation stays what it is.
    batch.retain(|webhook| webhook.event_id.is_some());
    apply(conn, &flow.sealer, bench, &batch, Reread::All)?;
    Ok(last.map(|last| (count, last)))
}

/// One batch of a pass that reads no webhook.
pub(super) fn again(
    conn: &mut Conn,
    bench: &mut Bench,
    pass: Pass,
    after: &str,
    cause: &Cause,
) -> Result<Option<(usize, String)>> {
    let site_id = bench.site.id.clone();
    let mut touched = Touched::default();
    let (count, last) = match pass {
        Pass::Webhooks => return Ok(None),
        Pass::Events => {
            let ids = events::ids_after(conn, &site_id, after, BATCH_ROWS_MAX)?;
            let last = ids.last().map(|id| id.0.clone());
            let count = ids.len();
            // Forgotten and read again, so that nothing that was recorded of them is trusted.
            let known = events::load(conn, &site_id, &ids)?;
            for stored in &known {
                if let Some(purchase) = &stored.purchase {
                    touched.purchases.insert(purchase.clone(), cause.clone());
                }
            }
            events::replace(conn, &site_id, &known, &[])?;
            touched.events.extend(ids.into_iter().map(|id| (id, cause.clone())));
            (count, last)
        }
        Pass::Purchases => {
            let ids = purchases::ids_after(conn, &site_id, None, after, BATCH_ROWS_MAX)?;
            let last = ids.last().map(|id| id.0.clone());
            let count = ids.len();
            // As with events: folded anew, whatever is recorded.
            product_counts::leave(conn, &site_id, &ids)?;
            purchases::remove(conn, &site_id, &ids)?;
            touched.purchases.extend(ids.into_iter().map(|id| (id, cause.clone())));
            (count, last)
        }
        Pass::Leads => {
            let keys = members::lead_keys_after(conn, &site_id, after, BATCH_ROWS_MAX)?;
            let last = keys.last().map(|key| key.0.clone());
            let count = keys.len();
            touched.leads.extend(keys.into_iter().map(|key| (key, cause.clone())));
            (count, last)
        }
        Pass::Members => {
            let last = touch_members(conn, &site_id, after, BATCH_ROWS_MAX, &mut touched, cause)?;
            (touched.members.len(), last)
        }
    };
    let Some(last) = last else {
        return Ok(None);
    };
    settle(conn, bench, touched)?;
    Ok(Some((count, last)))
}

/// A batch of a site's webhooks after one, in the order of receipt, whose bodies can be read at once.
pub(super) fn bounded_after(conn: &mut Conn, site_id: &str, after: &str) -> Result<Vec<Due>> {
    let mut batch = observations::after(conn, site_id, after, BATCH_ROWS_MAX)?;
    batch.truncate(bodies::fitting(conn, site_id, &batch)?);
    Ok(batch)
}
