//! From linked events to purchases: let loose reversals join, fold, judge, list.

use super::link::{Linked, assign, relink, touch};
use super::settle::{Bench, Cause, Merged, Touched, status_of};
use crate::core::event::{Event, EventId, Kind, LeadKey};
use crate::core::link::{Outline, PurchaseId, is_loose, join};
use crate::core::purchase::Purchase;
use crate::store::conn::Conn;
use crate::store::events::{self, Stored as StoredEvent};
use crate::store::product_counts::{self, Counts};
use crate::store::purchases::{self, Revision, Stored as StoredPurchase};
use crate::store::webhooks::Status;
use crate::store::{Result, observations};
use std::collections::{BTreeMap, BTreeSet};

/// Links the merged events, and folds every purchase that was touched.
pub(super) fn fold_purchases(
    conn: &mut Conn,
    bench: &Bench,
    merged: Merged,
    touched: &mut Touched,
) -> Result<()> {
    let linked = relink(conn, bench, &merged, touched)?;
    let mut desk = Desk::over(merged, linked);
    let loose_leads = desk.leads(conn, bench, touched)?;
    desk.rejoin(conn, bench, &loose_leads, touched)?;
    desk.refold(conn, bench, touched)?;
    desk.list_webhooks(conn, bench, touched)
}

/// The rows that lie open while purchases are folded: each is read once.
struct Desk {
    /// Events before they changed.
    before: Vec<StoredEvent>,
    /// Events that are touched, or hang together with what is.
    events: BTreeMap<EventId, StoredEvent>,
    /// Purchases of which all events that share a name are among these.
    whole: BTreeSet<PurchaseId>,
    /// Purchases whose recorded events are listed anew.
    joined: BTreeSet<PurchaseId>,
    /// The webhooks that tell of the touched events.
    tellers: BTreeMap<EventId, Vec<String>>,
    /// Purchases as they are recorded; `None` for those that are not.
    purchases: BTreeMap<PurchaseId, Option<StoredPurchase>>,
}

impl Desk {
    fn over(merged: Merged, linked: Linked) -> Self {
        let mut events = linked.events;
        for stored in merged.unchanged {
            // Linking may have moved it; then that counts.
            events.entry(stored.event.id.clone()).or_insert(stored);
        }
        Self {
            before: merged.before,
            events,
            whole: linked.whole,
            joined: linked.joined,
            tellers: merged.tellers,
            purchases: BTreeMap::new(),
        }
    }

    /// Reads the purchases that are not read yet.
    fn read_purchases<'a>(
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        ids: impl Iterator<Item = &'a PurchaseId>,
    ) -> Result<()> {
        let new: BTreeSet<&PurchaseId> =
            ids.filter(|id| !self.purchases.contains_key(*id)).collect();
        let new: Vec<PurchaseId> = new.into_iter().cloned().collect();
        self.purchases.extend(new.iter().map(|id| (id.clone(), None)));
        for purchase in purchases::load(conn, &bench.site.id, &new)? {
            self.purchases.insert(purchase.outline.id.clone(), Some(purchase));
        }
        Ok(())
    }

    /// The events of some purchases: from the desk where all of them lie there, else as recorded.
    fn events_of(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        ids: &[PurchaseId],
    ) -> Result<BTreeMap<PurchaseId, Vec<Event>>> {
        let elsewhere: Vec<PurchaseId> =
            ids.iter().filter(|id| !self.whole.contains(*id)).cloned().collect();
        let mut groups: BTreeMap<PurchaseId, Vec<Event>> = BTreeMap::new();
        let here = self.events.values().filter(|stored| {
            stored.purchase.as_ref().is_some_and(|purchase| self.whole.contains(purchase))
        });
        let recorded = events::of_purchases(conn, &bench.site.id, &elsewhere)?;
        for stored in here.cloned().chain(recorded) {
            if let Some(purchase) = stored.purchase {
                groups.entry(purchase).or_default().push(stored.event);
            }
        }
        Ok(groups)
    }

    /// The leads whose loose reversals may join another purchase now, with what led to it.
    fn leads(
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        touched: &Touched,
    ) -> Result<BTreeMap<LeadKey, Cause>> {
        self.read_purchases(conn, bench, touched.purchases.keys())?;
        let mut leads = BTreeMap::new();
        for (id, cause) in &touched.purchases {
            if let Some(Some(purchase)) = self.purchases.get(id) {
                leads.insert(purchase.outline.lead.clone(), cause.clone());
            }
        }
        for event in self.before.iter().chain(self.events.values()).map(|stored| &stored.event) {
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
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        leads: &BTreeMap<LeadKey, Cause>,
        touched: &mut Touched,
    ) -> Result<()> {
        let site_id = &bench.site.id;
        let keys: Vec<LeadKey> = leads.keys().cloned().collect();
        let loose = events::loose_of(conn, site_id, &keys)?;
        if loose.is_empty() {
            return Ok(());
        }
        let outlines = self.outlines(conn, bench, &keys, touched)?;
        let mut moves = Vec::new();
        for mut stored in loose {
            let purchase = join(&stored.event, &outlines);
            if purchase != stored.purchase {
                let cause = stored.event.lead.as_ref().and_then(|lead| leads.get(lead));
                touch(touched, [&purchase, &stored.purchase], cause);
                moves.push((stored.event.id.clone(), purchase.clone()));
                self.joined.extend(purchase.clone());
                stored.purchase = purchase;
            }
            // Those that stay belong to the events of their purchase as well.
            self.events.insert(stored.event.id.clone(), stored);
        }
        assign(conn, site_id, &moves)
    }

    /// The outlines of the purchases of some leads: the touched ones folded anew, the others as
    /// recorded.
    fn outlines(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        leads: &[LeadKey],
        touched: &Touched,
    ) -> Result<Vec<Outline>> {
        let recorded = purchases::of_leads(conn, &bench.site.id, leads)?;
        let is_touched = |id: &PurchaseId| touched.purchases.contains_key(id);
        let untouched = recorded.into_iter().filter(|p| !is_touched(&p.outline.id));
        let mut outlines: Vec<Outline> = untouched.map(|purchase| purchase.outline).collect();
        let ids: Vec<PurchaseId> = touched.purchases.keys().cloned().collect();
        for (id, events) in self.events_of(conn, bench, &ids)? {
            let firm: Vec<&Event> = events.iter().filter(|event| !is_loose(event)).collect();
            let folded = Purchase::fold(id.clone(), &firm).filter(|_| is_touched(&id));
            outlines.extend(folded.map(|purchase| purchase.outline()));
        }
        Ok(outlines)
    }

    /// Folds and judges every touched purchase, records what differs, and touches the members concerned.
    fn refold(&mut self, conn: &mut Conn, bench: &Bench, touched: &mut Touched) -> Result<()> {
        let site_id = &bench.site.id;
        let ids: Vec<PurchaseId> = touched.purchases.keys().cloned().collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.read_purchases(conn, bench, ids.iter())?;
        let mut events = self.events_of(conn, bench, &ids)?;
        let (mut gone, mut come, mut revised) = (Vec::new(), Vec::new(), Vec::new());
        let (mut relisted, mut counts) = (Relisted::default(), Counts::default());
        for (id, cause) in &touched.purchases {
            let events = events.remove(id).unwrap_or_default();
            let after = fold_one(bench, id, &events);
            let before = self.purchases.insert(id.clone(), after.clone()).flatten();
            for purchase in before.iter().chain(&after) {
                // Reading a lead's address again touches its members, the one before a move and the
                // one after.
                let lead = purchase.outline.lead.clone();
                touched.leads.entry(lead).or_insert_with(|| cause.clone());
            }
            let standing = after.as_ref().map(|purchase| purchase.standing);
            if before.as_ref().map(|purchase| purchase.standing) != standing
                || self.joined.contains(id)
            {
                // The webhooks of what was touched are listed by themselves.
                let others = events.iter().filter(|event| !self.tellers.contains_key(&event.id));
                relisted.add(others, standing);
            }
            if before != after {
                before.iter().for_each(|purchase| counts.go(&purchase.outline.terms));
                after.iter().for_each(|purchase| counts.come(&purchase.outline.terms));
                match (before, after) {
                    (Some(before), Some(after)) => revised.push(Revision { before, after }),
                    (before, after) => {
                        gone.extend(before.map(|purchase| purchase.outline.id));
                        come.extend(after);
                    }
                }
            }
        }
        relisted.write(conn, site_id)?;
        purchases::remove(conn, site_id, &gone)?;
        purchases::insert(conn, site_id, &come)?;
        purchases::revise(conn, site_id, &revised)?;
        product_counts::add(conn, site_id, counts)
    }

    /// Lists the webhooks of the events that were touched: the first to be received stands for the
    /// event, its twins are duplicates.
    fn list_webhooks(
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        touched: &mut Touched,
    ) -> Result<()> {
        let told = self.tellers.keys().filter_map(|id| self.events.get(id));
        let purchases: Vec<PurchaseId> =
            told.filter_map(|stored| stored.purchase.clone()).collect();
        self.read_purchases(conn, bench, purchases.iter())?;
        let mut by_status: BTreeMap<&'static str, (Status, Vec<String>)> = BTreeMap::new();
        let mut list = |status: Status, id: &String| {
            by_status.entry(status.as_str()).or_insert((status, Vec::new())).1.push(id.clone());
        };
        for (id, tellers) in &self.tellers {
            let Some(stored) = self.events.get(id) else { continue };
            let purchase = stored.purchase.as_ref().and_then(|id| self.purchases.get(id));
            let standing = purchase.and_then(|purchase| purchase.as_ref()).map(|p| p.standing);
            if let Some((first, twins)) = tellers.split_first() {
                list(status_of(&stored.event, standing), first);
                twins.iter().for_each(|twin| list(Status::Duplicate, twin));
            }
        }
        for (status, ids) in by_status.into_values() {
            touched.told.list(conn, &bench.site.id, ids, status)?;
        }
        Ok(())
    }
}

/// Events whose webhooks are listed anew, after the standing of their purchase has changed, or they have
/// come to it.
#[derive(Default)]
struct Relisted(BTreeMap<&'static str, (Status, Vec<EventId>)>);

impl Relisted {
    fn add<'a>(&mut self, events: impl Iterator<Item = &'a Event>, standing: Option<Status>) {
        for event in events {
            let status = status_of(event, standing);
            let (_, ids) = self.0.entry(status.as_str()).or_insert((status, Vec::new()));
            ids.push(event.id.clone());
        }
    }

    fn write(self, conn: &mut Conn, site_id: &str) -> Result<()> {
        for (status, ids) in self.0.into_values() {
            observations::relist(conn, site_id, &ids, status)?;
        }
        Ok(())
    }
}

/// Folds and judges the events of one purchase; `None` where none of them is a payment.
pub(super) fn fold_one(bench: &Bench, id: &PurchaseId, events: &[Event]) -> Option<StoredPurchase> {
    let purchase = Purchase::fold(id.clone(), &events.iter().collect::<Vec<_>>())?;
    let folded = bench.rules().judge(&purchase)?;
    let standing = bench.standing(&folded);
    Some(StoredPurchase { outline: purchase.outline(), folded, standing })
}
