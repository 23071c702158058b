//! What other rules would change: the same function over the same purchases, with nothing written.
//!
//! Each page is read on a snapshot of its own and hinders no webhook. What comes meanwhile may be on a page
//! that is still to be read, or on one that was.

use super::record::Dossier;
use super::settle::{Bench, RuleBook};
use super::{Flow, FlowError};
use crate::core::Instant;
use crate::core::access::Held;
use crate::core::event::Event;
use crate::core::grant::{Core, Folded, Rules};
use crate::core::link::PurchaseId;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::core::purchase::Purchase;
use crate::store::conn::Conn;
use crate::store::{Result, events, members, purchases};
use std::collections::{BTreeMap, BTreeSet};

/// Rules as they might be.
#[derive(Debug, Clone, Default)]
pub struct Proposed {
    /// The site's policy.
    pub policy: Policy,
    /// The mappings, and what is ignored.
    pub book: RuleBook,
}

impl Proposed {
    /// The rules that purchases would be judged by.
    fn rules(&self, core: Core) -> Rules<'_> {
        Rules {
            core,
            mappings: &self.book.mappings,
            site_policy: &self.policy,
            ignored: &self.book.ignored,
        }
    }
}

/// What would happen to one level of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The member's address.
    pub email: String,
    /// The level.
    pub level: String,
    /// How it is held by the rules that there are; `None` where it is not.
    pub before: Option<Held>,
    /// How it would be held; `None` where it would not.
    pub after: Option<Held>,
}

impl Step {
    /// Whether the level is gained, lost, or kept with another end.
    pub(super) fn moves(&self) -> bool {
        let [before, after] =
            [&self.before, &self.after].map(|held| held.as_ref().map(|h| h.until));
        before != after
    }
}

/// How far a preview has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Members whose access was computed.
    pub done: i64,
    /// Members who are concerned.
    pub total: i64,
}

/// Computes who would gain, who would lose, and whose end would move. `each` gets the steps page by page.
///
/// # Errors
/// There is no such site, or the store fails.
pub fn preview(
    flow: &Flow,
    site_id: &str,
    proposed: &Proposed,
    mut each: impl FnMut(Vec<Step>, Progress),
) -> Result<(), FlowError> {
    let limit = i64::from(flow.limits.batch_purchases_max);
    let (scopes, total) = flow.on_snapshot(site_id, |conn, bench| {
        let scopes = concerned(bench, proposed);
        let total = count(conn, site_id, &scopes)?;
        Ok::<_, FlowError>((scopes, total))
    })?;
    let mut progress = Progress { done: 0, total };
    for scope in 0..scopes.len() {
        let mut reached = PurchaseId(String::new());
        loop {
            let place = Place { scopes: &scopes, scope, reached: &reached, limit };
            let page = flow.on_snapshot(site_id, |conn, bench| {
                Ok::<_, FlowError>(place.page(conn, bench, proposed)?)
            })?;
            let Some(page) = page else { break };
            progress.done += i64::try_from(page.members.len()).unwrap_or(i64::MAX);
            reached = page.reached;
            each(page.steps, progress);
        }
    }
    Ok(())
}

/// How many members have purchases that are concerned.
pub(super) fn count(conn: &mut Conn, site_id: &str, scopes: &[Option<String>]) -> Result<i64> {
    // One scope that is no product is all there are.
    let products: Option<Vec<String>> = scopes.iter().cloned().collect();
    purchases::count_members(conn, site_id, products.as_deref())
}

/// Which purchases the difference of two sets of rules is about: those of some products, or all of them (`None`).
pub(super) fn concerned(bench: &Bench, proposed: &Proposed) -> Vec<Option<String>> {
    if bench.site.policy != proposed.policy {
        return vec![None];
    }
    let (old, new) = (&bench.book, &proposed.book);
    let only_in = |some: &[Mapping], others: &[Mapping]| -> Vec<String> {
        let others: BTreeMap<&str, &Mapping> =
            others.iter().map(|mapping| (mapping.id.as_str(), mapping)).collect();
        let gone = some.iter().filter(|mapping| others.get(mapping.id.as_str()) != Some(mapping));
        gone.map(|mapping| mapping.product_id.clone()).collect()
    };
    let mut products: BTreeSet<String> =
        only_in(&old.mappings, &new.mappings).into_iter().collect();
    products.extend(only_in(&new.mappings, &old.mappings));
    products.extend(old.ignored.symmetric_difference(&new.ignored).cloned());
    products.into_iter().map(Some).collect()
}

/// Where a preview is.
pub(super) struct Place<'a> {
    /// The products that are looked through, one after the other.
    pub scopes: &'a [Option<String>],
    /// Which of them is looked through now.
    pub scope: usize,
    /// The last of its purchases that was looked at.
    pub reached: &'a PurchaseId,
    /// How many purchases a page has at most.
    pub limit: i64,
}

/// A page of a preview.
pub(super) struct Page {
    /// What would happen to its members.
    pub steps: Vec<Step>,
    /// Whom it was about.
    pub members: Vec<String>,
    /// The last purchase that was looked at.
    pub reached: PurchaseId,
}

impl Place<'_> {
    /// The next page; `None` where this product has no more purchases.
    pub(super) fn page(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        proposed: &Proposed,
    ) -> Result<Option<Page>> {
        let site_id = &bench.site.id;
        let product = self.scopes.get(self.scope).and_then(Option::as_deref);
        let ids = purchases::ids_after(conn, site_id, product, &self.reached.0, self.limit)?;
        let Some(reached) = ids.last().cloned() else { return Ok(None) };
        let leads: Vec<_> = purchases::load(conn, site_id, &ids)?
            .into_iter()
            .map(|purchase| purchase.outline.lead)
            .collect();
        let emails: BTreeSet<String> =
            members::emails_of(conn, site_id, &leads)?.into_values().flatten().collect();
        let emails: Vec<String> = emails.into_iter().collect();
        let mut steps = Vec::new();
        let mut compared = Compared::load(conn, bench, proposed, &emails)?;
        let theirs: Vec<PurchaseId> = compared.before.purchases().map(|p| p.id.clone()).collect();
        // Which come later, the database says: it orders texts by its own locale.
        let behind = purchases::behind(conn, site_id, &theirs, &self.reached.0)?;
        let is_turn = |email: &String| self.is_turn_of(email, &compared, &behind);
        let members: Vec<String> = emails.into_iter().filter(is_turn).collect();
        members.iter().for_each(|email| steps.extend(compared.steps_of(email, bench.at)));
        Ok(Some(Page { steps, members, reached }))
    }

    /// Whether a member comes up on this page: one with several purchases has one turn, at the first of them.
    fn is_turn_of(&self, email: &str, compared: &Compared, behind: &BTreeSet<PurchaseId>) -> bool {
        let leads = compared.before.leads(email);
        let theirs = compared.before.purchases().filter(|purchase| leads.contains(&purchase.lead));
        let places =
            theirs.filter_map(|p| Some((self.scope_of(compared.products.get(&p.id)?)?, &p.id)));
        let places: Vec<(usize, &PurchaseId)> = places.collect();
        let first = places.iter().map(|(scope, _)| *scope).min();
        let had_it =
            |(scope, id): &(usize, &PurchaseId)| *scope == self.scope && !behind.contains(*id);
        first == Some(self.scope) && !places.iter().any(had_it)
    }

    /// With which product a purchase comes up that has had some.
    fn scope_of(&self, products: &BTreeSet<String>) -> Option<usize> {
        let is_of = |scope: &Option<String>| scope.as_ref().is_none_or(|p| products.contains(p));
        self.scopes.iter().position(is_of)
    }
}

/// What would happen to some members, whoever they are.
pub(super) fn steps_of(
    conn: &mut Conn,
    bench: &Bench,
    proposed: &Proposed,
    emails: &[String],
) -> Result<Vec<Step>> {
    let mut compared = Compared::load(conn, bench, proposed, emails)?;
    Ok(emails.iter().flat_map(|email| compared.steps_of(email, bench.at)).collect())
}

/// The steps from what a member holds to what they would hold.
pub(super) fn differences(email: &str, before: Vec<Held>, after: Vec<Held>) -> Vec<Step> {
    let by_level = |levels: Vec<Held>| -> BTreeMap<String, Held> {
        levels.into_iter().map(|held| (held.level.clone(), held)).collect()
    };
    let (mut before, mut after) = (by_level(before), by_level(after));
    let levels: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
    let step = |level: String| {
        let (before, after) = (before.remove(&level), after.remove(&level));
        Step { email: email.to_owned(), level, before, after }
    };
    let steps: Vec<Step> = levels.into_iter().map(step).collect();
    steps.into_iter().filter(Step::moves).collect()
}

/// Some members as they are, and as they would be.
struct Compared {
    before: Dossier,
    after: Dossier,
    /// The products that each of their purchases has had.
    products: BTreeMap<PurchaseId, BTreeSet<String>>,
}

impl Compared {
    fn load(
        conn: &mut Conn,
        bench: &Bench,
        proposed: &Proposed,
        emails: &[String],
    ) -> Result<Self> {
        let before = Dossier::load(conn, &bench.site.id, emails)?;
        let judged = Judged::anew(conn, &bench.site.id, &before, proposed.rules(bench.core))?;
        let after = before.with_purchases(judged.purchases);
        Ok(Self { before, after, products: judged.products })
    }

    /// What differs for one member.
    fn steps_of(&mut self, email: &str, at: Instant) -> Vec<Step> {
        let before = self.before.answer(email, at).levels;
        // What those rules would give is held open no longer.
        let after = self.after.settled_answer(email, at).levels;
        differences(email, before, after)
    }
}

/// Purchases judged by other rules.
struct Judged {
    purchases: Vec<Folded>,
    /// The products that each has had.
    products: BTreeMap<PurchaseId, BTreeSet<String>>,
}

impl Judged {
    fn anew(conn: &mut Conn, site_id: &str, dossier: &Dossier, rules: Rules<'_>) -> Result<Self> {
        let ids: Vec<PurchaseId> =
            dossier.purchases().map(|purchase| purchase.id.clone()).collect();
        let mut by_purchase: BTreeMap<PurchaseId, Vec<Event>> = BTreeMap::new();
        for stored in events::of_purchases(conn, site_id, &ids)? {
            if let Some(purchase) = stored.purchase {
                by_purchase.entry(purchase).or_default().push(stored.event);
            }
        }
        let mut judged = Self { purchases: Vec::new(), products: BTreeMap::new() };
        for (id, events) in by_purchase {
            let events: Vec<&Event> = events.iter().collect();
            let Some(purchase) = Purchase::fold(id.clone(), &events) else { continue };
            let terms = purchase.outline().terms;
            judged.products.insert(id, terms.into_iter().map(|term| term.product_id).collect());
            judged.purchases.extend(rules.judge(&purchase));
        }
        Ok(judged)
    }
}
