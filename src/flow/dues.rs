//! When the next payments are expected of purchases that were there before that was asked: worked out once,
//! in batches, beside other work. Access is not touched.

use super::Flow;
use super::fold::fold_one;
use super::rebuild::BATCH_ROWS_MAX;
use super::settle::Bench;
use crate::core::event::Event;
use crate::core::link::PurchaseId;
use crate::store::conn::Conn;
use crate::store::sites::Busy;
use crate::store::{Result, dues, events, purchases};
use std::collections::BTreeMap;

impl Flow {
    /// Works a batch of each site where there is any; answers whether there was.
    pub(super) fn ask_for_dues(&self) -> Result<bool> {
        let mut worked = false;
        for (site_id, reached) in self.store.read(dues::unasked_sites)? {
            let batch = |conn: &mut Conn, bench: &mut Bench| ask(conn, bench, &reached);
            worked |= self.at_bench(&site_id, Busy::Skip, |_| true, batch)?.is_some();
        }
        Ok(worked)
    }
}

/// Folds the purchases that come after one, and writes down when their next payment is expected.
fn ask(conn: &mut Conn, bench: &Bench, after: &str) -> Result<()> {
    let site_id = &bench.site.id;
    let ids = purchases::ids_after(conn, site_id, None, after, BATCH_ROWS_MAX)?;
    let mut groups: BTreeMap<PurchaseId, Vec<Event>> = BTreeMap::new();
    for stored in events::of_purchases(conn, site_id, &ids)? {
        if let Some(purchase) = stored.purchase {
            groups.entry(purchase).or_default().push(stored.event);
        }
    }
    for (id, events) in &groups {
        let due = fold_one(bench, id, events).and_then(|stored| stored.folded.payment_due_at);
        if due.is_some() {
            dues::set(conn, site_id, id, due)?;
        }
    }
    dues::reach(conn, site_id, ids.last().map(|id| id.0.as_str()))
}
