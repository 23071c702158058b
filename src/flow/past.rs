//! Questions about any instant that is not now: the same function, over bare events.

use super::link::cluster;
use super::settle::Bench;
use crate::core::Instant;
use crate::core::access::{Answer, Picture};
use crate::core::event::{Event, EventId, LeadKey};
use crate::core::link::{PurchaseId, Tie, ties};
use crate::store::conn::Conn;
use crate::store::events::{self, Stored};
use crate::store::{Result, StoreError, members, observations, overrides};
use std::collections::{BTreeMap, BTreeSet};

/// What the member with an address held at an instant, by all that is known now.
pub fn answer_at(conn: &mut Conn, bench: &Bench, email: &str, at: Instant) -> Result<Answer> {
    let (mut answers, _) = answers_at(conn, bench, &[email.to_owned()], at)?;
    answers.pop().ok_or_else(|| StoreError::Corrupt("an address without an answer".to_owned()))
}

/// What the members with some addresses held at an instant, in the order of the addresses, and how many
/// events that took.
pub fn answers_at(
    conn: &mut Conn,
    bench: &Bench,
    emails: &[String],
    at: Instant,
) -> Result<(Vec<Answer>, usize)> {
    answers_by(conn, bench, emails, at, |_, events| Ok(events))
}

/// What the members with some addresses hold now, worked out anew from the observations.
pub(super) fn answers_anew(
    conn: &mut Conn,
    bench: &Bench,
    emails: &[String],
) -> Result<Vec<Answer>> {
    let merged_anew = |conn: &mut Conn, events: Vec<Event>| {
        let ids: Vec<EventId> = events.iter().map(|event| event.id.clone()).collect();
        let witnesses = observations::witnesses(conn, &bench.site.id, &ids)?;
        let merge = |(id, told_by)| Event::merge(id, told_by, bench.site.kartra_time_zone);
        Ok(witnesses.into_iter().filter_map(merge).collect())
    };
    Ok(answers_by(conn, bench, emails, bench.at, merged_anew)?.0)
}

fn answers_by(
    conn: &mut Conn,
    bench: &Bench,
    emails: &[String],
    at: Instant,
    read: impl FnOnce(&mut Conn, Vec<Event>) -> Result<Vec<Event>>,
) -> Result<(Vec<Answer>, usize)> {
    let site_id = &bench.site.id;
    let mut leads = events::leads_with_emails(conn, site_id, emails)?;
    leads.extend(members::leads_of(conn, site_id, emails)?.into_iter().map(|(lead, _)| lead));
    for o in overrides::concerning(conn, site_id, emails, &[])? {
        leads.extend(o.leads);
    }
    let (events, leads) = neighbourhood(conn, site_id, leads)?;
    let events = read(conn, events)?;
    let picture = Picture::draw(&events, bench.rules(), at);
    let leads: Vec<LeadKey> = leads.into_iter().collect();
    let overrides = picture.at_home(overrides::concerning(conn, site_id, emails, &leads)?);
    let answers = emails.iter().map(|email| picture.answer(email, &overrides, at)).collect();
    Ok((answers, events.len()))
}

/// Every event that could bear on some leads: theirs, those that share a purchase with theirs, those
/// of the leads of these, and so on.
fn neighbourhood(
    conn: &mut Conn,
    site_id: &str,
    start: BTreeSet<LeadKey>,
) -> Result<(Vec<Event>, BTreeSet<LeadKey>)> {
    let mut found: BTreeMap<EventId, Event> = BTreeMap::new();
    let mut asked: Vec<LeadKey> = start.iter().cloned().collect();
    let mut leads = start;
    while !asked.is_empty() {
        let own = events::of_leads(conn, site_id, &asked)?;
        let names: BTreeSet<Tie> = own.iter().flat_map(|stored| ties(&stored.event)).collect();
        let purchases: BTreeSet<PurchaseId> =
            own.iter().filter_map(|s| s.purchase.clone()).collect();
        let purchases: Vec<PurchaseId> = purchases.into_iter().collect();
        let near: Vec<Stored> = own
            .into_iter()
            .chain(cluster(conn, site_id, names, BTreeMap::new(), &BTreeSet::new())?)
            .chain(events::of_purchases(conn, site_id, &purchases)?)
            .collect();
        asked = near
            .iter()
            .filter_map(|s| s.event.lead.clone())
            .filter(|l| leads.insert(l.clone()))
            .collect();
        found.extend(near.into_iter().map(|stored| (stored.event.id.clone(), stored.event)));
    }
    Ok((found.into_values().collect(), leads))
}
