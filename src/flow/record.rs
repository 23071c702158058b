//! Answers the members concerned, and records what differs from what was recorded last.

use super::settle::{Bench, Cause};
use super::told::Told;
use crate::core::Instant;
use crate::core::access::{Answer, Known, answer};
use crate::core::change::{Difference, NOTHING_GIVES_IT, What, differences};
use crate::core::event::LeadKey;
use crate::core::grant::Folded;
use crate::core::member::Override;
use crate::store::changes::Change;
use crate::store::conn::Conn;
use crate::store::members::{self, Member};
use crate::store::{Result, changes, overrides, plans, purchases, sites};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that answers about some members need.
pub(crate) struct Dossier {
    leads: BTreeMap<String, BTreeSet<LeadKey>>,
    purchases: BTreeMap<LeadKey, Vec<Folded>>,
    overrides: Vec<Override>,
}

impl Dossier {
    /// Loads what is recorded of the purchases and overrides of some addresses.
    pub(crate) fn load(conn: &mut Conn, site_id: &str, emails: &[String]) -> Result<Self> {
        let mut leads: BTreeMap<String, BTreeSet<LeadKey>> = BTreeMap::new();
        for (lead, email) in members::leads_of(conn, site_id, emails)? {
            leads.entry(email).or_default().insert(lead);
        }
        let keys: Vec<LeadKey> = leads.values().flatten().cloned().collect();
        let mut by_lead: BTreeMap<LeadKey, Vec<Folded>> = BTreeMap::new();
        for purchase in purchases::of_leads(conn, site_id, &keys)? {
            by_lead.entry(purchase.outline.lead).or_default().push(purchase.folded);
        }
        let overrides = overrides::concerning(conn, site_id, emails, &keys)?;
        Ok(Self { leads, purchases: by_lead, overrides })
    }

    /// Every purchase of these addresses.
    pub(super) fn purchases(&self) -> impl Iterator<Item = &Folded> {
        self.purchases.values().flatten()
    }

    /// The same people, had their purchases been judged in another way.
    pub(super) fn with_purchases(&self, judged: Vec<Folded>) -> Self {
        let mut purchases: BTreeMap<LeadKey, Vec<Folded>> = BTreeMap::new();
        for purchase in judged {
            purchases.entry(purchase.lead.clone()).or_default().push(purchase);
        }
        Self { leads: self.leads.clone(), purchases, overrides: self.overrides.clone() }
    }

    /// The leads of an address.
    pub(crate) fn leads(&self, email: &str) -> BTreeSet<LeadKey> {
        self.leads.get(email).cloned().unwrap_or_default()
    }

    /// Whether anything at all is known of an address.
    fn knows(&self, email: &str) -> bool {
        let leads = self.leads(email);
        !leads.is_empty() || self.overrides.iter().any(|o| o.belongs_to(email, &leads))
    }

    /// What the member with an address holds at an instant.
    pub(crate) fn answer(&self, email: &str, at: Instant) -> Answer {
        let leads = self.leads(email);
        let purchases: Vec<Folded> =
            leads.iter().filter_map(|lead| self.purchases.get(lead)).flatten().cloned().collect();
        let overrides: Vec<Override> =
            self.overrides.iter().filter(|o| o.belongs_to(email, &leads)).cloned().collect();
        answer(Known { purchases: &purchases, overrides: &overrides }, at)
    }
}

/// Answers some members at the bench's instant and records the differences; answers their number.
pub(super) fn record_members(
    conn: &mut Conn,
    bench: &mut Bench,
    concerned: &BTreeMap<String, Cause>,
    told: &mut Told,
) -> Result<usize> {
    let emails: Vec<String> = concerned.keys().cloned().collect();
    if emails.is_empty() {
        return Ok(0);
    }
    let site_id = bench.site.id.clone();
    if bench.site.plans_open > 0 {
        plans::touch(conn, &site_id, &emails)?;
    }
    let dossier = Dossier::load(conn, &site_id, &emails)?;
    let known = members::with_emails(conn, &site_id, &emails)?;
    let ids: Vec<String> = known.iter().map(|member| member.id.clone()).collect();
    let mut recorded = members::recorded(conn, &site_id, &ids)?;

    let new = new_members(bench, &dossier, &emails, &known);
    let (mut moved, mut came) = (Vec::new(), Vec::new());
    let (mut feed, mut access) = (Vec::new(), members::NewAccess::default());
    let known = known.into_iter().map(|member| (member, false));
    let mut all: Vec<(Member, bool)> =
        known.chain(new.into_iter().map(|member| (member, true))).collect();
    all.sort_by(|(a, _), (b, _)| a.email.cmp(&b.email));
    for (mut member, is_new) in all {
        let Some(cause) = concerned.get(&member.email) else { continue };
        let answer = dossier.answer(&member.email, bench.at);
        let before = recorded.remove(&member.id).unwrap_or_default();
        let differences = differences(&before, &answer.levels);
        let next_change_at = answer.next_change_at.map(|at| at.naive_utc());
        let moves = !differences.is_empty() || member.next_change_at != next_change_at;
        member.version += i64::from(!differences.is_empty());
        member.next_change_at = next_change_at;
        feed.extend(differences.iter().map(|d| change(bench, &member, d, &answer, cause)));
        if before != answer.levels {
            access.replace(&member.id, &before, answer.levels);
        }
        if let (Some(webhook), false) = (&cause.webhook, differences.is_empty()) {
            let count = i32::try_from(differences.len()).unwrap_or(i32::MAX);
            told.count(conn, &site_id, webhook, count)?;
        }
        match is_new {
            true => came.push(member),
            false if moves => moved.push(member),
            false => {}
        }
    }
    members::insert(conn, &came)?;
    members::update(conn, &site_id, &moved)?;
    members::record(conn, &site_id, &access)?;
    append(conn, bench, feed)
}

/// Those who are known by a lead or an override and are no members yet: they become members.
fn new_members(
    bench: &Bench,
    dossier: &Dossier,
    emails: &[String],
    known: &[Member],
) -> Vec<Member> {
    let met: BTreeSet<&String> = known.iter().map(|member| &member.email).collect();
    let new = emails.iter().filter(|email| !met.contains(email) && dossier.knows(email));
    new.map(|email| Member {
        site_id: bench.site.id.clone(),
        id: crate::ids::new(),
        email: email.clone(),
        version: 0,
        next_change_at: None,
        created_at: bench.at.naive_utc(),
    })
    .collect()
}

fn change(
    bench: &Bench,
    member: &Member,
    d: &Difference,
    answer: &Answer,
    cause: &Cause,
) -> Change {
    Change {
        site_id: bench.site.id.clone(),
        position: 0,
        at: bench.at.naive_utc(),
        member_id: member.id.clone(),
        email: member.email.clone(),
        level: d.level.clone(),
        what: d.what.as_str().to_owned(),
        until: d.until.map(|until| until.naive_utc()),
        cause_kind: cause.kind.to_owned(),
        cause_id: cause.id.clone(),
        reason: reason(d, answer).to_owned(),
        recorded_at: Some(bench.now().naive_utc()),
    }
}

/// The reason code of the grant that decided: one that holds the level, else the latest to end.
fn reason(difference: &Difference, answer: &Answer) -> &'static str {
    let of_level = answer.considered.iter().filter(|c| c.level.as_ref() == Some(&difference.level));
    let deciding = of_level
        .filter(|c| c.held == (difference.what != What::Revoked))
        .max_by_key(|c| c.event.as_ref().map(|event| event.occurred_at));
    // Nothing gives the level any more: the mapping or the purchase has gone elsewhere.
    deciding.map_or(NOTHING_GIVES_IT, |considered| considered.reason.as_str())
}

/// Gives each change its place in the site's feed.
fn append(conn: &mut Conn, bench: &mut Bench, mut feed: Vec<Change>) -> Result<usize> {
    let count = i64::try_from(feed.len()).unwrap_or(i64::MAX);
    if count > 0 {
        let first = sites::take_positions(conn, &mut bench.site, count)?;
        for (position, change) in (first..).zip(&mut feed) {
            change.position = position;
        }
        changes::insert(conn, &feed)?;
    }
    Ok(feed.len())
}
