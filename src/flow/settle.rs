//! The one path to access: whatever happened, what it touched is computed again here.
//!
//! Events that were touched are merged anew from their observations ([`merge_events`]), linked to
//! purchases and folded ([`super::fold`]), the addresses of their leads are read ([`super::readdress`]), and the
//! members concerned are answered and compared with what was recorded ([`super::record`]). All of it inside one
//! transaction, under the site's lock.

use super::fold::fold_purchases;
use super::pushes;
use super::readdress::{Named, readdress_leads};
use super::record::record_members;
use super::told::Told;
use crate::core::Instant;
use crate::core::event::{Event, EventId, LeadKey};
use crate::core::grant::{Core, Folded, Rules};
use crate::core::link::PurchaseId;
use crate::core::mapping::Mappings;
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::daily_counts::{self, Count, Counts};
use crate::store::events::{self, Stored};
use crate::store::products::{self, Product, Status as Decided};
use crate::store::sites::Site;
use crate::store::webhooks::Status;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What led to a computation, as changes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `event`, `mapping`, `timer`, `override`, `settings`, `discard`, …
    pub kind: &'static str,
    /// Which one.
    pub id: String,
    /// The webhook that changes are counted on.
    pub webhook: Option<String>,
    /// The plan in which a person has seen beforehand what it does; `None` where nobody has.
    pub plan_id: Option<String>,
}

impl Cause {
    /// A cause that is no webhook.
    pub fn new(kind: &'static str, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), webhook: None, plan_id: None }
    }

    /// The same, where a person has seen in a plan what it does.
    #[must_use]
    pub fn seen_in(self, plan_id: Option<&str>) -> Self {
        Self { plan_id: plan_id.map(str::to_owned), ..self }
    }

    /// Whether a person has seen what follows from it for each member before it happens: then nothing of it
    /// is held open. This is the one place that says so.
    #[must_use]
    pub fn was_seen(&self) -> bool {
        self.plan_id.is_some() || ["override", "breaker", "erase"].contains(&self.kind)
    }
}

/// What has to be computed again, each with what led to it.
#[derive(Debug, Default)]
pub struct Touched {
    /// Events whose observations may have changed.
    pub events: BTreeMap<EventId, Cause>,
    /// Purchases that rules touch.
    pub purchases: BTreeMap<PurchaseId, Cause>,
    /// Leads whose address may have changed.
    pub leads: BTreeMap<LeadKey, Cause>,
    /// Addresses whose members are concerned.
    pub members: BTreeMap<String, Cause>,
    /// The webhooks that led to it, where they are judged in the same transaction.
    pub told: Told,
}

/// What operators have decided for a site, as it is judged by.
#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    /// Every mapping.
    pub mappings: Mappings,
    /// The ignored products.
    pub ignored: BTreeSet<String>,
    /// The mapped products that nobody had bought when that was asked first.
    unseen: OnceLock<BTreeSet<String>>,
}

impl RuleBook {
    /// The book of these rules.
    #[must_use]
    pub fn new(mappings: Mappings, ignored: BTreeSet<String>) -> Self {
        Self { mappings, ignored, unseen: OnceLock::new() }
    }

    /// The mapped products that nobody has bought yet, and perhaps some that have been bought since. A product that was
    /// seen once stays so: few are left to look at, however many mappings there are.
    pub fn unseen(&self, conn: &mut Conn, site_id: &str) -> Result<&BTreeSet<String>> {
        if let Some(unseen) = self.unseen.get() {
            return Ok(unseen);
        }
        let mapped: BTreeSet<String> =
            self.mappings.iter().map(|mapping| mapping.product_id.clone()).collect();
        let ids: Vec<String> = mapped.iter().cloned().collect();
        let mut unseen = mapped;
        for product in products::with_ids(conn, site_id, &ids)? {
            unseen.remove(&product.product_id);
        }
        Ok(self.unseen.get_or_init(|| unseen))
    }
}

/// One site under its lock.
pub struct Bench {
    /// The site, as it was read under the lock.
    pub site: Site,
    /// Its rules, as they were read under the lock.
    pub book: Arc<RuleBook>,
    /// The core that judges.
    pub core: Core,
    /// The instant at which everything is answered.
    pub at: Instant,
    /// When the bench was set up: the instant at which everything is recorded.
    now: Instant,
    /// Whether this transaction leaves work to whoever takes it.
    work_made: Cell<bool>,
    /// How many levels of members this transaction holds open.
    held_open: Cell<usize>,
    /// How many changes it records.
    recorded: Cell<Count>,
}

impl Bench {
    /// A site that has been read just now.
    pub(super) fn new(site: Site, book: Arc<RuleBook>, core: Core, at: Instant) -> Self {
        Self {
            site,
            book,
            core,
            at,
            now: at,
            work_made: Cell::default(),
            held_open: Cell::default(),
            recorded: Cell::default(),
        }
    }

    /// The instant at which everything is recorded, whichever it is answered at.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Notes that this transaction leaves work to whoever takes it: once it is committed, the other
    /// processes are told.
    pub fn makes_work(&self) {
        self.work_made.set(true);
    }

    /// Whether it does.
    pub(super) fn has_made_work(&self) -> bool {
        self.work_made.get()
    }

    /// Notes that this transaction holds so many levels of members open.
    pub(super) fn holds_open(&self, count: usize) {
        self.held_open.set(self.held_open.get() + count);
    }

    /// How many it does.
    pub(super) fn held_open(&self) -> usize {
        self.held_open.get()
    }

    /// Notes that this transaction records such changes.
    pub(super) fn records(&self, changes: Count) {
        let mut recorded = self.recorded.get();
        recorded += changes;
        self.recorded.set(recorded);
    }

    /// Adds what this transaction has recorded to what the site has counted of today.
    pub(super) fn count_recorded(&self, conn: &mut Conn) -> Result<()> {
        let recorded = self.recorded.get();
        if recorded == Count::default() {
            return Ok(());
        }
        let today = (self.site.id.clone(), self.now.date_naive());
        daily_counts::add(conn, daily_counts::OF_THE_SITE, &Counts::from([(today, recorded)]))
    }

    /// What the webhooks of a purchase are listed as.
    pub fn standing(&self, folded: &Folded) -> Status {
        match () {
            () if self.book.ignored.contains(&folded.product_id) => Status::NoEffect,
            () if folded.named => Status::Applied,
            () => Status::Held,
        }
    }

    /// The rules that purchases are judged by.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            mappings: &self.book.mappings,
            site_policy: &self.site.policy,
            ignored: &self.book.ignored,
            core: self.core,
        }
    }
}

/// Computes again what was touched, and records what differs. Answers how many changes there were.
pub fn settle(conn: &mut Conn, bench: &mut Bench, mut touched: Touched) -> Result<usize> {
    let asked_for: BTreeSet<LeadKey> = touched.leads.keys().cloned().collect();
    let merged = merge_events(conn, bench, &mut touched)?;
    let named = Named::by(&merged, asked_for);
    fold_purchases(conn, bench, merged, &mut touched)?;
    let readdressed = readdress_leads(conn, bench, &mut touched, &named)?;
    let changes = record_members(conn, bench, &touched.members, &mut touched.told)?;
    touched.told.write(conn, &bench.site.id)?;
    // Whether an address is vouched for is read off what has just been written.
    pushes::readdressed(conn, bench, &readdressed)?;
    Ok(changes)
}

/// What merging found of the events that were touched; nothing of it is written yet.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Events as they were, where they changed or are gone.
    pub before: Vec<Stored>,
    /// Events as they are, where they changed or are new.
    pub after: Vec<Stored>,
    /// Events that were touched, exist, and are as they were.
    pub unchanged: Vec<Stored>,
    /// The webhooks that tell of the touched events: the first to be received, and its twins.
    pub tellers: BTreeMap<EventId, Vec<String>>,
}

/// Merges the touched events anew from their observations.
fn merge_events(conn: &mut Conn, bench: &Bench, touched: &mut Touched) -> Result<Merged> {
    let ids: Vec<EventId> = touched.events.keys().cloned().collect();
    if ids.is_empty() {
        return Ok(Merged::default());
    }
    let site_id = &bench.site.id;
    let mut known: BTreeMap<EventId, Stored> = BTreeMap::new();
    for stored in events::load(conn, site_id, &ids)? {
        known.insert(stored.event.id.clone(), stored);
    }
    let mut witnesses = touched.told.witnesses(conn, site_id, &ids)?;
    let mut merged = Merged::default();
    let mut seen: BTreeMap<String, BTreeSet<Instant>> = BTreeMap::new();
    for (id, cause) in &touched.events {
        let mut told_by = witnesses.remove(id).unwrap_or_default();
        told_by.sort_by(|a, b| (a.received_at, &a.webhook_id).cmp(&(b.received_at, &b.webhook_id)));
        let tellers: Vec<String> = told_by.iter().map(|w| w.webhook_id.clone()).collect();
        if !tellers.is_empty() {
            merged.tellers.insert(id.clone(), tellers);
        }
        let receipts: Vec<Instant> = told_by.iter().map(|w| w.received_at).collect();
        let before = known.remove(id);
        let after = Event::merge(id.clone(), told_by, bench.site.kartra_time_zone);
        // A twin changes no event, but names its product once more.
        if let Some(product) = after.as_ref().and_then(|event| event.said.product_id.clone()) {
            seen.entry(product).or_default().extend(receipts);
        }
        if before.as_ref().map(|stored| &stored.event) == after.as_ref() {
            merged.unchanged.extend(before);
            continue;
        }
        let purchase = before.as_ref().and_then(|stored| stored.purchase.clone());
        for lead in
            before.iter().map(|stored| &stored.event).chain(&after).filter_map(|e| e.lead.clone())
        {
            touched.leads.insert(lead, cause.clone());
        }
        if let Some(purchase) = &purchase {
            touched.purchases.insert(purchase.clone(), cause.clone());
        }
        merged.before.extend(before);
        merged.after.extend(after.map(|event| Stored { event, purchase }));
    }
    discover_products(conn, bench, &merged.after, &seen)?;
    Ok(merged)
}

/// What operators have decided about a product before anybody bought it.
fn decided(bench: &Bench, product_id: &str) -> Decided {
    let is_mapped = bench.book.mappings.of_product(product_id).next().is_some();
    if is_mapped { Decided::Mapped } else { Decided::Unmapped }
}

/// Products appear by themselves when a money event first names them. `seen` has the receipts of what
/// names each.
fn discover_products(
    conn: &mut Conn,
    bench: &Bench,
    came: &[Stored],
    seen: &BTreeMap<String, BTreeSet<Instant>>,
) -> Result<()> {
    let site_id = &bench.site.id;
    let ids: Vec<String> = seen.keys().cloned().collect();
    let known = products::with_ids(conn, site_id, &ids)?;
    let known: BTreeMap<String, Product> =
        known.into_iter().map(|product| (product.product_id.clone(), product)).collect();
    let mut products = known.clone();
    for (product_id, receipts) in seen {
        let (Some(first), Some(last)) = (receipts.first(), receipts.last()) else { continue };
        let (first, last) = (products::seen(*first), products::seen(*last));
        let product = products.entry(product_id.clone()).or_insert_with(|| Product {
            site_id: site_id.clone(),
            product_id: product_id.clone(),
            name: None,
            named_at: None,
            status: decided(bench, product_id).as_str().to_owned(),
            first_seen_at: first,
            last_seen_at: last,
        });
        product.first_seen_at = product.first_seen_at.min(first);
        product.last_seen_at = product.last_seen_at.max(last);
    }
    for event in came.iter().map(|stored| &stored.event) {
        let named = event.said.product_id.as_ref().and_then(|id| products.get_mut(id));
        let named_at = Some(products::seen(event.occurred_at));
        if let (Some(product), Some(name)) = (named, &event.said.product_name)
            && named_at >= product.named_at
        {
            product.name = Some(name.clone());
            product.named_at = named_at;
        }
    }
    products.retain(|id, product| known.get(id) != Some(product));
    let new = products.values().filter(|product| !known.contains_key(&product.product_id));
    let new = new.map(|product| (product.product_id.clone(), product.name.clone())).collect();
    pushes::discovered(conn, bench, new)?;
    products::replace(conn, site_id, &products.into_values().collect::<Vec<_>>())
}

/// What the webhooks of an event are listed as, by what became of the event.
pub(super) fn status_of(event: &Event, standing: Option<Status>) -> Status {
    match standing {
        _ if !event.kind().is_payment() && !event.kind().is_reversal() => Status::NoEffect,
        Some(standing) => standing,
        None => Status::Unmatched,
    }
}
