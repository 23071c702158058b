//! The one function that decides access. Nothing else does, and no caller adds a condition.
//!
//! [`answer`] is given what a member's purchases give and what operators have overridden, and an
//! instant. [`Picture`] makes those out of bare events, for questions about the past and for
//! checking what was recorded. [`held_open`] knows what the revocation breaker has not let go.

mod held_open;

pub use held_open::{ended_at, overtaken};

use super::Instant;
use super::event::{Event, EventId, Kind, LeadKey};
use super::grant::{Folded, Grant, Reason, Rules, Verdict};
use super::link::{Link, Outline, PurchaseId, join, link};
use super::member::{Override, OverrideKind, current_email};
use super::purchase::{EventRef, Purchase, Status};
use super::stretch::{Stretch, earlier, next_change, union, without};
use std::collections::{BTreeMap, BTreeSet};

/// Which levels a member holds at an instant, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The instant that was asked about.
    pub at: Instant,
    /// Whether every level is blocked.
    pub blocked: bool,
    /// The levels held, by name.
    pub levels: Vec<Held>,
    /// Every grant that was considered, also those that give nothing.
    pub considered: Vec<Considered>,
    /// The blocks in force.
    pub blocks: Vec<Block>,
    /// When the answer will next change by time alone; `None` where it will not.
    pub next_change_at: Option<Instant>,
}

/// A level that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The level.
    pub level: String,
    /// The beginning of the unbroken stretch.
    pub since: Instant,
    /// Its end; `None` where none is known.
    pub until: Option<Instant>,
}

/// One grant that was considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// The level; `None` for a held purchase, which has none yet.
    pub level: Option<String>,
    /// Whether it gives the level now.
    pub held: bool,
    /// Why, or why not.
    pub reason: Reason,
    /// The purchase; `None` for a manual grant and for what is held open.
    pub purchase: Option<ConsideredPurchase>,
    /// The event that decided; `None` for a manual grant and for what is held open.
    pub event: Option<EventRef>,
    /// The mapping and its version; `None` for held purchases, too.
    pub mapping: Option<(String, i64)>,
    /// The manual grant.
    pub override_id: Option<String>,
    /// What is held open.
    pub held_open_id: Option<String>,
    /// The latest stretch begun by then in which it gives the level, blocks left aside; `None` where it
    /// has given nothing.
    pub gave: Option<Stretch>,
    /// When this next changes by time alone.
    pub changes_at: Option<Instant>,
}

/// The purchase behind a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsideredPurchase {
    /// Its id.
    pub id: PurchaseId,
    /// The product of the term that was considered.
    pub product_id: String,
    /// The price point of that term.
    pub price_point: Option<String>,
    /// Where the purchase stands.
    pub status: Status,
    /// When it started.
    pub started_at: Instant,
}

/// A block in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The override, or `chargeback:<transaction>`; both can be deleted under this id.
    pub id: String,
    /// The level; `None` blocks every level.
    pub level: Option<String>,
    /// When it began and ends.
    pub stretch: Stretch,
    /// The chargeback that put it there; `None` for an operator's.
    pub chargeback: Option<EventRef>,
    /// What the operator wrote beside it.
    pub note: Option<String>,
}

impl Block {
    /// Whether it takes a level away.
    #[must_use]
    pub fn is_on(&self, level: &str) -> bool {
        self.level.as_deref().is_none_or(|blocked| blocked == level)
    }
}

/// What is known of one member.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The purchases of the member's leads.
    pub purchases: &'a [Folded],
    /// The overrides that belong to the member.
    pub overrides: &'a [Override],
}

/// Access: which levels are held at `at`, and why.
#[must_use]
pub fn answer(known: Known<'_>, at: Instant) -> Answer {
    let overrides: Vec<&Override> = begun(known.overrides, at).collect();
    let blocks = all_blocks(known.purchases, &overrides);
    let taken = |level: &str| taken(&blocks, level);
    let stretches = held_stretches(known.purchases, &overrides, &blocks);
    let levels = stretches.into_iter().filter_map(|(level, held)| {
        let stretch = held.into_iter().find(|stretch| stretch.contains(at))?;
        Some(Held { level: level.to_owned(), since: stretch.from, until: stretch.until })
    });
    let levels = levels.collect();

    let mut considered: Vec<Considered> = known
        .purchases
        .iter()
        .flat_map(|purchase| consider_purchase(purchase, at, &taken))
        .chain(overrides.iter().filter_map(|o| consider_manual(o, at, &taken)))
        .chain(overrides.iter().filter_map(|o| held_open::consider(o, at, &blocks)))
        .collect();
    considered.sort_by(|a, b| (b.held, &a.level).cmp(&(a.held, &b.level)));

    let block_changes = blocks.iter().map(|block| next_change(&[block.stretch], at));
    let next_change_at =
        considered.iter().map(|c| c.changes_at).chain(block_changes).fold(None, earlier);
    let blocks: Vec<Block> = blocks.into_iter().filter(|b| b.stretch.contains(at)).collect();
    let blocked = blocks.iter().any(|block| block.level.is_none());
    Answer { at, blocked, levels, considered, blocks, next_change_at }
}

/// When each level was held, is, and by all that is known will be, blocks taken into account.
#[must_use]
pub fn history(known: Known<'_>, at: Instant) -> BTreeMap<String, Vec<Stretch>> {
    let overrides: Vec<&Override> = begun(known.overrides, at).collect();
    let blocks = all_blocks(known.purchases, &overrides);
    let held = held_stretches(known.purchases, &overrides, &blocks).into_iter();
    held.map(|(level, held)| (level.to_owned(), held))
        .filter(|(_, held)| !held.is_empty())
        .collect()
}

/// The overrides that have begun by an instant.
fn begun(overrides: &[Override], at: Instant) -> impl Iterator<Item = &Override> {
    overrides.iter().filter(move |o| o.begun_at <= at)
}

/// When some blocks take a level away.
fn taken(blocks: &[Block], level: &str) -> Vec<Stretch> {
    let of_level = blocks.iter().filter(|block| block.is_on(level));
    union(of_level.map(|block| block.stretch).collect())
}

/// When each level is held, in as few stretches as possible and in order.
fn held_stretches<'a>(
    purchases: &'a [Folded],
    overrides: &[&'a Override],
    blocks: &[Block],
) -> BTreeMap<&'a str, Vec<Stretch>> {
    let mut given: BTreeMap<&str, Vec<Stretch>> = BTreeMap::new();
    for grant in purchases.iter().flat_map(|purchase| &purchase.grants) {
        given.entry(&grant.level).or_default().extend(&grant.stretches);
    }
    for o in overrides {
        if let OverrideKind::Grant(level) = &o.what {
            given.entry(level).or_default().push(o.stretch());
        }
    }
    for (level, stretches) in &mut given {
        *stretches = without(union(std::mem::take(stretches)), &taken(blocks, level));
    }
    for o in overrides {
        if let OverrideKind::HeldOpen(level) = &o.what {
            let stretches = given.entry(level).or_default();
            stretches.extend(held_open::stretches(o, level, blocks));
            *stretches = union(std::mem::take(stretches));
        }
    }
    given
}

/// The blocks that operators made, and those of chargebacks until they are lifted.
fn all_blocks(purchases: &[Folded], overrides: &[&Override]) -> Vec<Block> {
    let by_operator = overrides.iter().filter_map(|o| match &o.what {
        OverrideKind::Block(level) => Some(Block {
            id: o.id.clone(),
            level: level.clone(),
            stretch: o.stretch(),
            chargeback: None,
            note: o.note.clone(),
        }),
        OverrideKind::Grant(_) | OverrideKind::HeldOpen(_) | OverrideKind::Lift => None,
    });
    let by_chargeback = purchases.iter().flat_map(|purchase| {
        purchase.blocks.iter().map(|block| {
            let from = block.event.occurred_at;
            let lifts = overrides.iter().filter(|o| {
                o.what == OverrideKind::Lift
                    && o.leads.contains(&purchase.lead)
                    && from <= o.begun_at
            });
            Block {
                id: block.event.id.0.clone(),
                level: None,
                stretch: Stretch { from, until: lifts.map(|lift| lift.begun_at).min() },
                chargeback: Some(block.event.clone()),
                note: None,
            }
        })
    });
    by_operator.chain(by_chargeback).collect()
}

fn consider_purchase(
    purchase: &Folded,
    at: Instant,
    taken: &impl Fn(&str) -> Vec<Stretch>,
) -> Vec<Considered> {
    let describe = |product_id: &str, price_point: Option<&String>| ConsideredPurchase {
        id: purchase.id.clone(),
        product_id: product_id.to_owned(),
        price_point: price_point.cloned(),
        status: purchase.status,
        started_at: purchase.started_at,
    };
    let of_grant = |grant: &Grant| {
        let taken = taken(&grant.level);
        let given = without(grant.stretches.clone(), &taken);
        let held = given.iter().any(|stretch| stretch.contains(at));
        let blocked = !held && grant.stretches.iter().any(|stretch| stretch.contains(at));
        let verdict = verdict(grant, at);
        Considered {
            level: Some(grant.level.clone()),
            held,
            reason: if blocked { Reason::Blocked } else { verdict.0 },
            purchase: Some(describe(&grant.product_id, grant.price_point.as_ref())),
            event: Some(verdict.1.event.clone()),
            mapping: Some((grant.mapping_id.clone(), grant.mapping_version)),
            override_id: None,
            held_open_id: None,
            gave: begun_last(&grant.stretches, at),
            changes_at: earlier(next_change(&given, at), next_change(&grant.stretches, at)),
        }
    };
    let mut considered: Vec<Considered> = purchase.grants.iter().map(of_grant).collect();
    if let Some(hold) = &purchase.hold
        && hold.stretches.iter().any(|stretch| stretch.contains(at))
    {
        considered.push(Considered {
            level: None,
            held: false,
            reason: Reason::Held,
            purchase: Some(describe(&purchase.product_id, purchase.price_point.as_ref())),
            event: Some(hold.event.clone()),
            mapping: None,
            override_id: None,
            held_open_id: None,
            gave: None,
            changes_at: next_change(&hold.stretches, at),
        });
    }
    considered
}

/// The last of some stretches, given in order, that has begun by an instant.
fn begun_last(stretches: &[Stretch], at: Instant) -> Option<Stretch> {
    stretches.iter().rfind(|stretch| stretch.from <= at && !stretch.is_empty()).copied()
}

/// The reason that holds at an instant, and the verdict that it comes from.
fn verdict(grant: &Grant, at: Instant) -> (Reason, &Verdict) {
    match &grant.end {
        Some((end, verdict)) if *end <= at => (verdict.reason, verdict),
        _ if grant.open.reason == Reason::WaitingForFirstPayment => {
            (grant.open.reason, &grant.open)
        }
        _ if grant.stretches.iter().all(|stretch| stretch.from > at) => {
            (Reason::NotStarted, &grant.open)
        }
        _ => (grant.open.reason, &grant.open),
    }
}

fn consider_manual(
    o: &Override,
    at: Instant,
    taken: &impl Fn(&str) -> Vec<Stretch>,
) -> Option<Considered> {
    let OverrideKind::Grant(level) = &o.what else {
        return None;
    };
    let whole = [o.stretch()];
    let given = without(union(whole.to_vec()), &taken(level));
    let held = given.iter().any(|stretch| stretch.contains(at));
    let reason = match () {
        () if held => Reason::Manual,
        () if o.stretch().contains(at) => Reason::Blocked,
        () => Reason::ManualEnded,
    };
    Some(Considered {
        level: Some(level.clone()),
        held,
        reason,
        purchase: None,
        event: None,
        mapping: None,
        override_id: Some(o.id.clone()),
        held_open_id: None,
        gave: begun_last(&whole, at),
        changes_at: earlier(next_change(&given, at), next_change(&whole, at)),
    })
}

/// Leads and purchases as a set of events tells of them.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// The current address of each lead; `None` for one whose address is not known yet.
    pub leads: BTreeMap<LeadKey, Option<String>>,
    /// What each purchase gives.
    pub purchases: BTreeMap<PurchaseId, Folded>,
    /// What a loose reversal has to know of each purchase.
    pub outlines: BTreeMap<PurchaseId, Outline>,
    /// Which purchase each money event belongs to; an unmatched one that names none is left out.
    pub belongs: BTreeMap<EventId, PurchaseId>,
}

impl Picture {
    /// Draws the picture from events that are closed under [`super::link::ties`] and under leads,
    /// as all events of a site are. Only events that occurred by `at` are looked at.
    #[must_use]
    pub fn draw(events: &[Event], rules: Rules<'_>, at: Instant) -> Self {
        let seen: Vec<Event> = events.iter().filter(|e| e.occurred_at <= at).cloned().collect();
        let money: Vec<Event> =
            seen.iter().filter(|event| event.kind() != Kind::Other).cloned().collect();
        let (purchases, belongs) = purchases(&money);
        let belongs = money.into_iter().map(|event| event.id).zip(belongs);
        let belongs = belongs.filter_map(|(event, purchase)| Some((event, purchase?))).collect();
        let folded = purchases.values().filter_map(|purchase| rules.judge(purchase));
        Self {
            leads: emails(&seen),
            outlines: purchases.iter().map(|(id, p)| (id.clone(), p.outline())).collect(),
            purchases: folded.map(|folded| (folded.id.clone(), folded)).collect(),
            belongs,
        }
    }

    /// The leads of the member with this address.
    #[must_use]
    pub fn leads_of(&self, email: &str) -> BTreeSet<LeadKey> {
        let theirs = self.leads.iter().filter(|(_, address)| address.as_deref() == Some(email));
        theirs.map(|(lead, _)| lead.clone()).collect()
    }

    /// Overrides as they belong by these events, which have to hold all events of their leads.
    #[must_use]
    pub fn at_home(&self, overrides: Vec<Override>) -> Vec<Override> {
        let has_address = |lead: &LeadKey| self.leads.get(lead).is_some_and(Option::is_some);
        overrides.into_iter().map(|o| o.at_home(has_address)).collect()
    }

    /// What the member with this address holds at an instant, by overrides [as they belong](Self::at_home).
    #[must_use]
    pub fn answer(&self, email: &str, overrides: &[Override], at: Instant) -> Answer {
        let leads = self.leads_of(email);
        let purchases: Vec<Folded> =
            self.purchases.values().filter(|p| leads.contains(&p.lead)).cloned().collect();
        let overrides: Vec<Override> =
            overrides.iter().filter(|o| o.belongs_to(email, &leads)).cloned().collect();
        answer(Known { purchases: &purchases, overrides: &overrides }, at)
    }
}

fn emails(events: &[Event]) -> BTreeMap<LeadKey, Option<String>> {
    let mut by_lead: BTreeMap<LeadKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(lead) = &event.lead {
            by_lead.entry(lead.clone()).or_default().push(event);
        }
    }
    let email = |events: Vec<&Event>| current_email(events.iter().copied());
    by_lead.into_iter().map(|(lead, events)| (lead, email(events))).collect()
}

/// Purchases out of money events: first the linked ones, then the loose reversals join those.
fn purchases(money: &[Event]) -> (BTreeMap<PurchaseId, Purchase>, Vec<Option<PurchaseId>>) {
    let links = link(money);
    let firm = |link: &Link| match link {
        Link::Purchase(id) => Some(id.clone()),
        Link::Loose | Link::Ambiguous => None,
    };
    let mut belongs: Vec<Option<PurchaseId>> = links.iter().map(firm).collect();
    let outlines: Vec<Outline> =
        fold_all(money, &belongs).values().map(Purchase::outline).collect();
    for ((event, link), belongs) in money.iter().zip(&links).zip(&mut belongs) {
        if *link == Link::Loose {
            *belongs = join(event, &outlines);
        }
    }
    (fold_all(money, &belongs), belongs)
}

fn fold_all(money: &[Event], belongs: &[Option<PurchaseId>]) -> BTreeMap<PurchaseId, Purchase> {
    let mut groups: BTreeMap<&PurchaseId, Vec<&Event>> = BTreeMap::new();
    for (event, id) in money.iter().zip(belongs) {
        if let Some(id) = id {
            groups.entry(id).or_default().push(event);
        }
    }
    let fold = |(id, events): (&PurchaseId, Vec<&Event>)| {
        Some((id.clone(), Purchase::fold(id.clone(), &events)?))
    };
    groups.into_iter().filter_map(fold).collect()
}
