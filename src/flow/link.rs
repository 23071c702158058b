//! From merged events to the purchases that they belong to, and how both are written.

use super::settle::{Bench, Cause, Merged, Touched};
use crate::core::event::{Event, EventId};
use crate::core::link::{Link, PurchaseId, Tie, link, ties};
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::events::{self, Stored};
use crate::store::observations;
use crate::store::webhooks::Status;
use std::collections::{BTreeMap, BTreeSet};

/// The events that hang together with those that changed, as they are linked now.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Each of them, with its purchase.
    pub events: BTreeMap<EventId, Stored>,
    /// Purchases of which every event that shares a name is among them.
    pub whole: BTreeSet<PurchaseId>,
    /// Purchases that recorded events have come to from elsewhere: these are listed anew, even where
    /// the purchase stands as it stood.
    pub joined: BTreeSet<PurchaseId>,
}

/// Links again whatever shares a name with an event that changed, and writes the events.
pub(super) fn relink(
    conn: &mut Conn,
    bench: &Bench,
    merged: &Merged,
    touched: &mut Touched,
) -> Result<Linked> {
    if merged.before.is_empty() && merged.after.is_empty() {
        return Ok(Linked::default());
    }
    let site_id = &bench.site.id;
    let mut cluster = changed_cluster(conn, site_id, merged)?;
    let came: BTreeSet<&EventId> = merged.after.iter().map(|stored| &stored.event.id).collect();
    let fallback = touched.events.values().next_back().cloned();
    let events: Vec<Event> = cluster.iter().map(|stored| stored.event.clone()).collect();
    let (mut linked, mut moves) = (Linked::default(), Vec::new());
    for (stored, link) in cluster.iter_mut().zip(link(&events)) {
        let cause = touched.events.get(&stored.event.id).or(fallback.as_ref()).cloned();
        let purchase = match link {
            Link::Purchase(id) => Some(id),
            Link::Ambiguous => None,
            // A loose reversal shares no name; it joins by its lead.
            Link::Loose => continue,
        };
        linked.whole.extend(purchase.clone());
        linked.whole.extend(stored.purchase.clone());
        let has_come = came.contains(&stored.event.id);
        if purchase != stored.purchase {
            touch(touched, [&purchase, &stored.purchase], cause.as_ref());
            if !has_come {
                linked.joined.extend(purchase.clone());
                moves.push((stored.event.id.clone(), purchase.clone()));
            }
            stored.purchase = purchase;
        } else if has_come {
            touch(touched, [&purchase, &None], cause.as_ref());
        }
    }
    linked.events = cluster.into_iter().map(|stored| (stored.event.id.clone(), stored)).collect();
    let come: Vec<&Stored> = came.iter().filter_map(|id| linked.events.get(*id)).collect();
    events::replace(conn, site_id, &merged.before, &come)?;
    assign(conn, site_id, &moves)?;
    Ok(linked)
}

/// The events that hang together with those that changed: these as they are now, not as they are
/// recorded.
fn changed_cluster(conn: &mut Conn, site_id: &str, merged: &Merged) -> Result<Vec<Stored>> {
    let changed = || merged.before.iter().chain(&merged.after);
    let known = merged.after.iter().map(|stored| (stored.event.id.clone(), stored.clone()));
    let over = merged.before.iter().map(|stored| stored.event.id.clone()).collect();
    cluster(
        conn,
        site_id,
        changed().flat_map(|stored| ties(&stored.event)).collect(),
        known.collect(),
        &over,
    )
}

/// The events that hang together by these names, and by the names of those events, and so on. `known`
/// are some of them that need not be loaded; what is recorded of those in `over` is over.
pub(super) fn cluster(
    conn: &mut Conn,
    site_id: &str,
    start: BTreeSet<Tie>,
    known: BTreeMap<EventId, Stored>,
    over: &BTreeSet<EventId>,
) -> Result<Vec<Stored>> {
    let mut seen: BTreeSet<Tie> = BTreeSet::new();
    let mut found = known;
    let mut asked = start;
    while !asked.is_empty() {
        let ids = events::tied_by(conn, site_id, &asked)?;
        let is_new = |id: &EventId| !found.contains_key(id) && !over.contains(id);
        let new: Vec<EventId> = ids.into_iter().filter(is_new).collect();
        seen.append(&mut asked);
        for stored in events::load(conn, site_id, &new)? {
            asked.extend(ties(&stored.event).into_iter().filter(|tie| !seen.contains(tie)));
            found.insert(stored.event.id.clone(), stored);
        }
    }
    Ok(found.into_values().collect())
}

/// Notes the purchases of some recorded events; those without one are listed as unmatched.
pub(super) fn assign(
    conn: &mut Conn,
    site_id: &str,
    moves: &[(EventId, Option<PurchaseId>)],
) -> Result<()> {
    let mut by_purchase: BTreeMap<Option<&PurchaseId>, Vec<EventId>> = BTreeMap::new();
    for (event, purchase) in moves {
        by_purchase.entry(purchase.as_ref()).or_default().push(event.clone());
    }
    for (purchase, ids) in by_purchase {
        events::assign(conn, site_id, &ids, purchase)?;
        if purchase.is_none() {
            observations::relist(conn, site_id, &ids, Status::Unmatched)?;
        }
    }
    Ok(())
}

/// Touches purchases, where something led to it.
pub(super) fn touch(
    touched: &mut Touched,
    purchases: [&Option<PurchaseId>; 2],
    cause: Option<&Cause>,
) {
    for purchase in purchases.into_iter().flatten() {
        if let Some(cause) = cause {
            touched.purchases.insert(purchase.clone(), cause.clone());
        }
    }
}
