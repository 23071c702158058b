//! From events to purchases: link, let loose reversals join, fold, judge.

use super::settle::{Bench, Cause, Merged, Touched, status_of};
use crate::core::event::{Event, EventId, Kind, LeadKey};
use crate::core::grant::{Folded, judge};
use crate::core::link::{Link, Outline, PurchaseId, Tie, is_loose, join, link, ties};
use crate::core::purchase::Purchase;
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::events::{self, Stored as StoredEvent};
use crate::store::purchases::{self, Stored as StoredPurchase};
use crate::store::webhooks::{self, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Links the merged events, and folds every purchase that was touched.
pub(super) fn fold_purchases(
    conn: &mut Conn,
    bench: &Bench,
    merged: &Merged,
    touched: &mut Touched,
) -> Result<()> {
    let mut joined = relink(conn, bench, merged, touched)?;
    let loose_leads = leads_of_purchases(conn, bench, merged, touched)?;
    joined.append(&mut rejoin(conn, bench, &loose_leads, touched)?);
    let standings = refold(conn, bench, touched, &joined)?;
    list_webhooks(conn, bench, merged, &standings)
}

/// Purchases that events have come to from elsewhere: these events are listed anew, even where the
/// purchase stands as it stood.
type Joined = BTreeSet<PurchaseId>;

/// Links again whatever shares a name with an event that changed.
fn relink(
    conn: &mut Conn,
    bench: &Bench,
    merged: &Merged,
    touched: &mut Touched,
) -> Result<Joined> {
    let site_id = &bench.site.id;
    let changed = || merged.before.iter().chain(&merged.after).map(|stored| &stored.event);
    let cluster = cluster(conn, site_id, changed().flat_map(ties).collect())?;
    let events: Vec<Event> = cluster.iter().map(|stored| stored.event.clone()).collect();
    let mut moves: BTreeMap<Option<PurchaseId>, Vec<EventId>> = BTreeMap::new();
    let came: BTreeSet<&EventId> = merged.after.iter().map(|stored| &stored.event.id).collect();
    let fallback = touched.events.values().next_back().cloned();
    for (stored, link) in cluster.iter().zip(link(&events)) {
        let cause = touched.events.get(&stored.event.id).or(fallback.as_ref()).cloned();
        let purchase = match link {
            Link::Purchase(id) => Some(id),
            Link::Ambiguous => None,
            // A loose reversal shares no name, so it is in no cluster.
            Link::Loose => continue,
        };
        if purchase != stored.purchase {
            touch(touched, [&purchase, &stored.purchase], cause.as_ref());
            moves.entry(purchase).or_default().push(stored.event.id.clone());
        } else if came.contains(&stored.event.id) {
            touch(touched, [&purchase, &None], cause.as_ref());
        }
    }
    let mut joined = Joined::new();
    for (purchase, ids) in moves {
        assign(conn, site_id, &ids, purchase.as_ref())?;
        joined.extend(purchase);
    }
    Ok(joined)
}

/// Notes the purchase of some events; without one they are listed as unmatched.
fn assign(
    conn: &mut Conn,
    site_id: &str,
    ids: &[EventId],
    purchase: Option<&PurchaseId>,
) -> Result<()> {
    events::assign(conn, site_id, ids, purchase)?;
    if purchase.is_none() {
        webhooks::relist(conn, site_id, ids, Status::Unmatched)?;
    }
    Ok(())
}

fn touch(touched: &mut Touched, purchases: [&Option<PurchaseId>; 2], cause: Option<&Cause>) {
    for purchase in purchases.into_iter().flatten() {
        if let Some(cause) = cause {
            touched.purchases.insert(purchase.clone(), cause.clone());
        }
    }
}

/// The events that hang together by these names, and by the names of those events, and so on.
pub(super) fn cluster(
    conn: &mut Conn,
    site_id: &str,
    start: BTreeSet<Tie>,
) -> Result<Vec<StoredEvent>> {
    let mut seen: BTreeSet<Tie> = BTreeSet::new();
    let mut found: BTreeMap<EventId, StoredEvent> = BTreeMap::new();
    let mut asked = start;
    while !asked.is_empty() {
        let ids = events::tied_by(conn, site_id, &asked)?;
        let new: Vec<EventId> = ids.into_iter().filter(|id| !found.contains_key(id)).collect();
        seen.append(&mut asked);
        for stored in events::load(conn, site_id, &new)? {
            asked.extend(ties(&stored.event).into_iter().filter(|tie| !seen.contains(tie)));
            found.insert(stored.event.id.clone(), stored);
        }
    }
    Ok(found.into_values().collect())
}

/// The leads whose loose reversals may join another purchase now, with what led to it.
fn leads_of_purchases(
    conn: &mut Conn,
    bench: &Bench,
    merged: &Merged,
    touched: &Touched,
) -> Result<BTreeMap<LeadKey, Cause>> {
    let mut leads = BTreeMap::new();
    let ids: Vec<PurchaseId> = touched.purchases.keys().cloned().collect();
    for purchase in purchases::load(conn, &bench.site.id, &ids)? {
        if let Some(cause) = touched.purchases.get(&purchase.outline.id) {
            leads.insert(purchase.outline.lead, cause.clone());
        }
    }
    for event in merged.before.iter().chain(&merged.after).map(|stored| &stored.event) {
        if let (Some(lead), Some(cause)) = (&event.lead, touched.events.get(&event.id))
            && event.kind() != Kind::Other
        {
            leads.insert(lead.clone(), cause.clone());
        }
    }
    Ok(leads)
}

/// Lets the loose reversals of some leads join the purchase that fits them now.
fn rejoin(
    conn: &mut Conn,
    bench: &Bench,
    leads: &BTreeMap<LeadKey, Cause>,
    touched: &mut Touched,
) -> Result<Joined> {
    let site_id = &bench.site.id;
    let mut joined = Joined::new();
    let keys: Vec<LeadKey> = leads.keys().cloned().collect();
    let loose = events::loose_of(conn, site_id, &keys)?;
    if loose.is_empty() {
        return Ok(joined);
    }
    let outlines = outlines(conn, bench, &keys, touched)?;
    for stored in loose {
        let purchase = join(&stored.event, &outlines);
        if purchase == stored.purchase {
            continue;
        }
        let cause = stored.event.lead.as_ref().and_then(|lead| leads.get(lead));
        touch(touched, [&purchase, &stored.purchase], cause);
        assign(conn, site_id, &[stored.event.id], purchase.as_ref())?;
        joined.extend(purchase);
    }
    Ok(joined)
}

/// The outlines of the purchases of some leads: the touched ones folded anew, the others as recorded.
fn outlines(
    conn: &mut Conn,
    bench: &Bench,
    leads: &[LeadKey],
    touched: &Touched,
) -> Result<Vec<Outline>> {
    let site_id = &bench.site.id;
    let recorded = purchases::of_leads(conn, site_id, leads)?;
    let untouched = recorded.into_iter().filter(|p| !touched.purchases.contains_key(&p.outline.id));
    let mut outlines: Vec<Outline> = untouched.map(|purchase| purchase.outline).collect();
    let ids: Vec<PurchaseId> = touched.purchases.keys().cloned().collect();
    for (id, events) in by_purchase(events::of_purchases(conn, site_id, &ids)?) {
        let firm: Vec<&Event> = events.iter().filter(|event| !is_loose(event)).collect();
        outlines.extend(Purchase::fold(id, &firm).map(|purchase| purchase.outline()));
    }
    Ok(outlines)
}

fn by_purchase(events: Vec<StoredEvent>) -> BTreeMap<PurchaseId, Vec<Event>> {
    let mut groups: BTreeMap<PurchaseId, Vec<Event>> = BTreeMap::new();
    for stored in events {
        if let Some(purchase) = stored.purchase {
            groups.entry(purchase).or_default().push(stored.event);
        }
    }
    groups
}

/// What the events of a purchase are listed as.
type Standings = BTreeMap<PurchaseId, Status>;

/// Folds and judges every touched purchase, records what differs, and touches the members concerned.
fn refold(
    conn: &mut Conn,
    bench: &Bench,
    touched: &mut Touched,
    joined: &Joined,
) -> Result<Standings> {
    let site_id = &bench.site.id;
    let ids: Vec<PurchaseId> = touched.purchases.keys().cloned().collect();
    if ids.is_empty() {
        return Ok(Standings::new());
    }
    let mut recorded: BTreeMap<PurchaseId, StoredPurchase> = BTreeMap::new();
    for purchase in purchases::load(conn, site_id, &ids)? {
        recorded.insert(purchase.outline.id.clone(), purchase);
    }
    let mut events = by_purchase(events::of_purchases(conn, site_id, &ids)?);
    let (mut gone, mut come, mut standings) = (Vec::new(), Vec::new(), Standings::new());
    let mut leads: BTreeMap<LeadKey, Cause> = BTreeMap::new();
    for (id, cause) in &touched.purchases {
        let events = events.remove(id).unwrap_or_default();
        let before = recorded.remove(id);
        let after = fold_one(bench, id, &events);
        let standing = after.as_ref().map(|purchase| purchase.standing);
        standings.extend(standing.map(|standing| (id.clone(), standing)));
        for purchase in before.iter().chain(&after) {
            leads.insert(purchase.outline.lead.clone(), cause.clone());
        }
        if before.as_ref().map(|purchase| purchase.standing) != standing || joined.contains(id) {
            relist(conn, site_id, &events, standing)?;
        }
        if before != after {
            gone.extend(before.map(|purchase| purchase.outline.id));
            come.extend(after);
        }
    }
    purchases::replace(conn, site_id, &gone, &come)?;
    // Reading a lead's address again touches its members, the one before a move and the one after.
    for (lead, cause) in leads {
        touched.leads.entry(lead).or_insert(cause);
    }
    Ok(standings)
}

fn fold_one(bench: &Bench, id: &PurchaseId, events: &[Event]) -> Option<StoredPurchase> {
    let purchase = Purchase::fold(id.clone(), &events.iter().collect::<Vec<_>>())?;
    let folded = judge(&purchase, bench.rules())?;
    let standing = standing(bench, &folded);
    Some(StoredPurchase { outline: purchase.outline(), folded, standing })
}

/// What the webhooks of a purchase are listed as.
pub(super) fn standing(bench: &Bench, folded: &Folded) -> Status {
    match () {
        () if bench.book.ignored.contains(&folded.product_id) => Status::NoEffect,
        () if folded.named => Status::Applied,
        () => Status::Held,
    }
}

/// Lists all events of a purchase anew after its standing has changed, or events have joined it.
fn relist(
    conn: &mut Conn,
    site_id: &str,
    events: &[Event],
    standing: Option<Status>,
) -> Result<()> {
    let mut by_status: BTreeMap<&'static str, (Status, Vec<EventId>)> = BTreeMap::new();
    for event in events {
        let status = status_of(event, standing);
        by_status.entry(status.as_str()).or_insert((status, Vec::new())).1.push(event.id.clone());
    }
    for (status, ids) in by_status.into_values() {
        webhooks::relist(conn, site_id, &ids, status)?;
    }
    Ok(())
}

/// Lists the webhooks of the events that were touched: the first to be received stands for the
/// event, its twins are duplicates.
fn list_webhooks(
    conn: &mut Conn,
    bench: &Bench,
    merged: &Merged,
    standings: &Standings,
) -> Result<()> {
    let site_id = &bench.site.id;
    let ids: Vec<EventId> = merged.tellers.keys().cloned().collect();
    let mut by_status: BTreeMap<&'static str, (Status, Vec<String>)> = BTreeMap::new();
    let mut list = |status: Status, id: &String| {
        by_status.entry(status.as_str()).or_insert((status, Vec::new())).1.push(id.clone());
    };
    let stored = events::load(conn, site_id, &ids)?;
    let elsewhere: Vec<PurchaseId> = stored.iter().filter_map(|s| s.purchase.clone()).collect();
    let mut standings = standings.clone();
    for purchase in purchases::load(conn, site_id, &elsewhere)? {
        standings.insert(purchase.outline.id, purchase.standing);
    }
    for stored in stored {
        let standing = stored.purchase.as_ref().and_then(|id| standings.get(id)).copied();
        let tellers = merged.tellers.get(&stored.event.id).map(Vec::as_slice).unwrap_or_default();
        if let Some((first, twins)) = tellers.split_first() {
            list(status_of(&stored.event, standing), first);
            twins.iter().for_each(|twin| list(Status::Duplicate, twin));
        }
    }
    for (status, ids) in by_status.into_values() {
        webhooks::set_status(conn, site_id, &ids, status)?;
    }
    Ok(())
}
