//! Answers the members concerned, and records what differs from what was recorded last.

use super::breaker;
use super::pushes;
use super::settle::{Bench, Cause};
use super::told::Told;
use crate::core::Instant;
use crate::core::access::{Answer, Held, Known, answer, ended_at, history, overtaken};
use crate::core::change::{Difference, NOTHING_GIVES_IT, What, differences};
use crate::core::event::LeadKey;
use crate::core::grant::Folded;
use crate::core::member::{Override, OverrideKind};
use crate::core::stretch::Stretch;
use crate::store::changes::Change;
use crate::store::conn::Conn;
use crate::store::daily_counts::Count;
use crate::store::members::{self, Member};
use crate::store::{Result, changes, held_open, overrides, plans, purchases, sites};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that answers about some members need.
pub(crate) struct Dossier {
    leads: BTreeMap<String, BTreeSet<LeadKey>>,
    purchases: BTreeMap<LeadKey, Vec<Folded>>,
    overrides: Vec<Override>,
    /// What is held open no longer, by id.
    ended: Vec<String>,
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
        let known: BTreeSet<LeadKey> = keys.into_iter().collect();
        let overrides = overrides::at_home(conn, site_id, overrides, &known)?;
        Ok(Self { leads, purchases: by_lead, overrides, ended: Vec::new() })
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
        let (leads, overrides) = (self.leads.clone(), self.overrides.clone());
        Self { leads, purchases, overrides, ended: Vec::new() }
    }

    /// The leads of an address.
    pub(crate) fn leads(&self, email: &str) -> BTreeSet<LeadKey> {
        self.leads.get(email).cloned().unwrap_or_default()
    }

    /// Those who are concerned, with those besides whom overrides may have left: an override belongs to the address that
    /// it was made at for as long as none of its leads has one. `None` where that is nobody besides.
    fn with_left(&self, concerned: &BTreeMap<String, Cause>) -> Option<BTreeMap<String, Cause>> {
        let of_leads = self.overrides.iter().filter(|o| !o.leads.is_empty());
        let left = of_leads.map(|o| &o.email).filter(|email| !concerned.contains_key(*email));
        let cause = concerned.values().next()?;
        let left: BTreeMap<String, Cause> =
            left.map(|email| (email.clone(), cause.clone())).collect();
        if left.is_empty() {
            return None;
        }
        Some(left.into_iter().chain(concerned.clone()).collect())
    }

    /// Whether anything at all is known of an address.
    fn knows(&self, email: &str) -> bool {
        let leads = self.leads(email);
        !leads.is_empty() || self.overrides.iter().any(|o| o.belongs_to(email, &leads))
    }

    /// When the member with an address held each level, and by all that is known will.
    pub(crate) fn history(&self, email: &str, at: Instant) -> BTreeMap<String, Vec<Stretch>> {
        let (purchases, overrides) = self.known(email);
        history(Known { purchases: &purchases, overrides: &overrides }, at)
    }

    /// What the member with an address holds at an instant.
    pub(crate) fn answer(&self, email: &str, at: Instant) -> Answer {
        let (purchases, overrides) = self.known(email);
        answer(Known { purchases: &purchases, overrides: &overrides }, at)
    }

    /// The same, after what is held open and has become needless has ended.
    pub(super) fn settled_answer(&mut self, email: &str, at: Instant) -> Answer {
        let is_open =
            |o: &Override| matches!(o.what, OverrideKind::HeldOpen(_)) && o.ended_at.is_none();
        if !self.overrides.iter().any(is_open) {
            return self.answer(email, at);
        }
        let (purchases, overrides) = self.known(email);
        let known = Known { purchases: &purchases, overrides: &overrides };
        let needless = overtaken(known, at).into_iter().map(|o| o.id.clone()).collect();
        self.end(self.of_nobody_else(email, needless), at);
        self.answer(email, at)
    }

    /// When a level that a member has held since an instant has ended.
    pub(super) fn ended_at(
        &self,
        email: &str,
        level: &str,
        since: Instant,
        at: Instant,
    ) -> Instant {
        let (purchases, overrides) = self.known(email);
        ended_at(Known { purchases: &purchases, overrides: &overrides }, level, since, at)
    }

    /// What is known of the member with an address.
    fn known(&self, email: &str) -> (Vec<Folded>, Vec<Override>) {
        let leads = self.leads(email);
        let purchases = leads.iter().filter_map(|lead| self.purchases.get(lead)).flatten();
        let overrides = self.overrides.iter().filter(|o| o.belongs_to(email, &leads));
        (purchases.cloned().collect(), overrides.cloned().collect())
    }

    /// What holds a level open for a member, and for nobody else.
    pub(super) fn open_of_level(&self, email: &str, level: &str) -> Vec<String> {
        let leads = self.leads(email);
        let open = self.overrides.iter().filter(|o| {
            o.what == OverrideKind::HeldOpen(level.to_owned())
                && o.ended_at.is_none()
                && o.belongs_to(email, &leads)
        });
        self.of_nobody_else(email, open.map(|o| o.id.clone()).collect())
    }

    /// Those of a member's overrides that belong to nobody else: leads may have parted since.
    fn of_nobody_else(&self, email: &str, mut ids: Vec<String>) -> Vec<String> {
        let leads = self.leads(email);
        let is_theirs =
            |id: &String| self.overrides.iter().any(|o| o.id == *id && o.leads.is_subset(&leads));
        ids.retain(is_theirs);
        ids
    }

    /// Takes an override that has just been made.
    pub(super) fn add(&mut self, made: Override) {
        self.overrides.push(made);
    }

    /// Takes it back.
    pub(super) fn forget(&mut self, id: &str) {
        self.overrides.retain(|o| o.id != id);
    }

    /// Lets some overrides that stand end at an instant.
    pub(super) fn end(&mut self, ids: Vec<String>, at: Instant) {
        for o in self.overrides.iter_mut().filter(|o| ids.contains(&o.id)) {
            o.ended_at = Some(at);
        }
        self.ended.extend(ids);
    }
}

/// What is to be recorded of one member.
pub(super) struct Step<'a> {
    /// The member, as of before.
    pub(super) member: Member,
    /// Whether the member is new.
    is_new: bool,
    /// What led to it.
    pub(super) cause: &'a Cause,
    /// What was recorded.
    pub(super) before: Vec<Held>,
    /// What is held now.
    pub(super) answer: Answer,
    /// How that differs.
    pub(super) differences: Vec<Difference>,
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
    let mut dossier = Dossier::load(conn, &site_id, &emails)?;
    if let Some(all) = dossier.with_left(concerned) {
        return record_members(conn, bench, &all, told);
    }
    if bench.site.plans_open > 0 {
        plans::touch(conn, &site_id, &emails)?;
    }
    let known = members::with_emails(conn, &site_id, &emails)?;
    let ids: Vec<String> = known.iter().map(|member| member.id.clone()).collect();
    let mut recorded = members::recorded(conn, &site_id, &ids)?;

    let new = new_members(bench, &dossier, &emails, &known);
    let known = known.into_iter().map(|member| (member, false));
    let mut all: Vec<(Member, bool)> =
        known.chain(new.into_iter().map(|member| (member, true))).collect();
    all.sort_by(|(a, _), (b, _)| a.email.cmp(&b.email));
    let step = |(member, is_new): (Member, bool)| {
        let cause = concerned.get(&member.email)?;
        let answer = dossier.settled_answer(&member.email, bench.at);
        let before = recorded.remove(&member.id).unwrap_or_default();
        let differences = differences(&before, &answer.levels);
        Some(Step { member, is_new, cause, before, answer, differences })
    };
    let mut steps: Vec<Step<'_>> = all.into_iter().filter_map(step).collect();
    breaker::hold_open(conn, bench, &mut dossier, &mut steps)?;
    held_open::end(conn, &site_id, &dossier.ended, bench.at)?;
    record(conn, bench, steps, told)
}

/// Records some steps; answers how many changes there were.
fn record(
    conn: &mut Conn,
    bench: &mut Bench,
    steps: Vec<Step<'_>>,
    told: &mut Told,
) -> Result<usize> {
    let site_id = bench.site.id.clone();
    let (mut moved, mut came, mut carried) = (Vec::new(), Vec::new(), Vec::new());
    let (mut feed, mut access) = (Vec::new(), members::NewAccess::default());
    for Step { mut member, is_new, cause, before, answer, differences } in steps {
        let next_change_at = answer.next_change_at.map(|at| at.naive_utc());
        let mut moves = !differences.is_empty() || member.next_change_at != next_change_at;
        member.version += i64::from(!differences.is_empty());
        member.next_change_at = next_change_at;
        moves |= member.hold(&answer.levels);
        if !differences.is_empty() {
            carried.push(pushes::Moved {
                member_id: member.id.clone(),
                email: member.email.clone(),
                levels: differences.iter().map(|d| d.level.clone()).collect(),
            });
        }
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
    let changes = append(conn, bench, feed)?;
    pushes::want(conn, bench, &carried)?;
    Ok(changes)
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
        held: String::new(),
        held_version: 0,
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
        bench.records(counted(&feed));
    }
    Ok(feed.len())
}

/// What the feed counts by days.
fn counted(feed: &[Change]) -> Count {
    let number = |what: What| {
        let of_it = feed.iter().filter(|change| change.what == what.as_str());
        i64::try_from(of_it.count()).unwrap_or(i64::MAX)
    };
    Count { granted: number(What::Granted), revoked: number(What::Revoked), ..Count::default() }
}
