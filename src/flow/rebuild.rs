//! Makes again all that is derived from webhooks, mappings and overrides, or only compares.
//!
//! [`rebuild`] sends everything down the same path as a webhook, in bounded batches, so that a site
//! keeps working meanwhile. [`check`] goes the other way round: it draws the whole picture from the
//! observations at once, with the pure core alone, and compares it with every recorded row.

use super::process::{Reread, apply};
use super::recompute::touch_members;
use super::settle::{Bench, Cause, Touched, settle};
use super::{Flow, FlowError};
use crate::core::access::Picture;
use crate::core::event::{Event, EventId, Observation, Vouched};
use crate::core::kartra::read;
use crate::store::conn::Conn;
use crate::store::observations::{self, Due};
use crate::store::{Result, StoreError, bodies, events, members, overrides, purchases};
use std::collections::{BTreeMap, BTreeSet};

/// How many rows one batch of a rebuild takes.
const BATCH_ROWS_MAX: i64 = 200;

/// The passes of a rebuild, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Webhooks are read anew.
    Webhooks,
    /// Events are merged and linked anew.
    Events,
    /// Purchases are folded anew.
    Purchases,
    /// Leads are addressed anew.
    Leads,
    /// Members are answered anew.
    Members,
}

impl Pass {
    const ALL: [Self; 5] =
        [Self::Webhooks, Self::Events, Self::Purchases, Self::Leads, Self::Members];

    /// The word for it, for progress.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Events => "events",
            Self::Purchases => "purchases",
            Self::Leads => "leads",
            Self::Members => "members",
        }
    }
}

/// Makes everything derived of a site again; `progress` is told after each batch.
pub fn rebuild(
    flow: &Flow,
    site_id: &str,
    mut progress: impl FnMut(Pass, usize),
) -> Result<(), FlowError> {
    for pass in Pass::ALL {
        let (mut reached, mut done) = (String::new(), 0);
        loop {
            let batch = flow.under_lock(site_id, |conn, bench| {
                Ok::<_, FlowError>(run(flow, conn, bench, pass, &reached)?)
            })?;
            match batch {
                Some((count, last)) => {
                    done += count;
                    progress(pass, done);
                    reached = last;
                }
                None => break,
            }
        }
    }
    Ok(())
}

/// One batch of a pass; answers how many rows it took and which was the last.
fn run(
    flow: &Flow,
    conn: &mut Conn,
    bench: &mut Bench,
    pass: Pass,
    after: &str,
) -> Result<Option<(usize, String)>> {
    let site_id = bench.site.id.clone();
    let cause = Cause::new("settings", "rebuild");
    let mut touched = Touched::default();
    let (count, last) = match pass {
        Pass::Webhooks => {
            let mut batch = observations::after(conn, &site_id, after, BATCH_ROWS_MAX)?;
            let (count, last) = (batch.len(), batch.last().map(|webhook| webhook.id.clone()));
            // What waits is the loop's; what is no observation stays what it is.
            batch.retain(|webhook| webhook.event_id.is_some());
            apply(conn, &flow.sealer, bench, &batch, Reread::All)?;
            return Ok(last.map(|last| (count, last)));
        }
        Pass::Events => {
            let ids = events::ids_after(conn, &site_id, after, BATCH_ROWS_MAX)?;
            let last = ids.last().map(|id| id.0.clone());
            let count = ids.len();
            // Forgotten and read again, so that nothing that was recorded of them is trusted.
            let known = events::load(conn, &site_id, &ids)?;
            for stored in &known {
                if let Some(purchase) = &stored.purchase {
                    touched.purchases.insert(purchase.clone(), cause.clone());
                }
            }
            events::replace(conn, &site_id, &known, &[])?;
            touched.events.extend(ids.into_iter().map(|id| (id, cause.clone())));
            (count, last)
        }
        Pass::Purchases => {
            let ids = purchases::ids_after(conn, &site_id, None, after, BATCH_ROWS_MAX)?;
            let last = ids.last().map(|id| id.0.clone());
            let count = ids.len();
            // As with events: folded anew, whatever is recorded.
            purchases::replace(conn, &site_id, &ids, &[])?;
            touched.purchases.extend(ids.into_iter().map(|id| (id, cause.clone())));
            (count, last)
        }
        Pass::Leads => {
            let keys = members::lead_keys_after(conn, &site_id, after, BATCH_ROWS_MAX)?;
            let last = keys.last().map(|key| key.0.clone());
            let count = keys.len();
            touched.leads.extend(keys.into_iter().map(|key| (key, cause.clone())));
            (count, last)
        }
        Pass::Members => {
            let last = touch_members(conn, &site_id, after, BATCH_ROWS_MAX, &mut touched, &cause)?;
            (touched.members.len(), last)
        }
    };
    let Some(last) = last else {
        return Ok(None);
    };
    settle(conn, bench, touched)?;
    Ok(Some((count, last)))
}

/// A row that is not what the observations, mappings and overrides say it should be. It names ids
/// only, never a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// The kind of row: event, purchase, lead, member.
    pub what: &'static str,
    /// Which one.
    pub id: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Compares everything that is recorded of a site with what it should be now.
pub fn check(flow: &Flow, site_id: &str) -> Result<Vec<Discrepancy>, FlowError> {
    flow.on_snapshot(site_id, |conn, bench| {
        let mut found = Vec::new();
        let should = observed_events(conn, bench)?;
        let picture = Picture::draw(&should, bench.rules(), bench.at);
        compare_events(conn, bench, &should, &picture, &mut found)?;
        compare_purchases(conn, bench, &picture, &mut found)?;
        compare_leads(conn, bench, &picture, &mut found)?;
        compare_members(conn, bench, &picture, &mut found)?;
        Ok(found)
    })
}

/// Every event of a site, read from the bodies of its webhooks.
fn observed_events(conn: &mut Conn, bench: &Bench) -> Result<Vec<Event>> {
    let site_id = &bench.site.id;
    let mut witnesses: BTreeMap<EventId, Vec<crate::core::event::Witness>> = BTreeMap::new();
    let mut reached = String::new();
    loop {
        let mut batch = observations::after(conn, site_id, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = batch.last() else { break };
        reached.clone_from(&last.id);
        batch.retain(|webhook| webhook.event_id.is_some());
        let ids: Vec<&str> = batch.iter().map(|webhook| webhook.id.as_str()).collect();
        let bodies = bodies::of(conn, site_id, &ids)?;
        for webhook in &batch {
            let observation = observation(webhook, bodies.get(&webhook.id))?;
            let id = EventId::of(&observation, &webhook.id);
            let vouched = Vouched::from_rank(webhook.vouched.unwrap_or(i16::MAX));
            let witness = observations::witness_of(webhook, vouched, observation)?;
            witnesses.entry(id).or_default().push(witness);
        }
    }
    let zone = bench.site.kartra_time_zone;
    Ok(witnesses.into_iter().filter_map(|(id, told)| Event::merge(id, told, zone)).collect())
}

/// What a webhook says by its body, or, where that has aged out, by what was read of it.
fn observation(webhook: &Due, body: Option<&Vec<u8>>) -> Result<Observation> {
    let says = match body {
        Some(body) => read(body).says.ok(),
        None => observations::heard(webhook.said.as_deref())?,
    };
    let unreadable = || format!("webhook {} cannot be read any more", webhook.id);
    says.ok_or_else(|| StoreError::Corrupt(unreadable()))
}

fn compare_events(
    conn: &mut Conn,
    bench: &Bench,
    should: &[Event],
    picture: &Picture,
    found: &mut Vec<Discrepancy>,
) -> Result<()> {
    let recorded = events::all(conn, &bench.site.id)?;
    let mut recorded: BTreeMap<EventId, events::Stored> =
        recorded.into_iter().map(|stored| (stored.event.id.clone(), stored)).collect();
    let mut say = |id: &EventId, detail: &str| {
        found.push(Discrepancy { what: "event", id: id.0.clone(), detail: detail.to_owned() });
    };
    for event in should {
        match recorded.remove(&event.id) {
            None => say(&event.id, "is not recorded"),
            Some(stored) if stored.event != *event => say(&event.id, "says something else"),
            Some(stored) => {
                if stored.purchase.as_ref() != picture.belongs.get(&event.id) {
                    say(&event.id, "belongs to another purchase");
                }
            }
        }
    }
    recorded.keys().for_each(|id| say(id, "has no observation"));
    let misfiled = events::misfiled(conn, &bench.site.id)?;
    misfiled.iter().for_each(|id| say(id, "is not found by what it says"));
    Ok(())
}

fn compare_purchases(
    conn: &mut Conn,
    bench: &Bench,
    picture: &Picture,
    found: &mut Vec<Discrepancy>,
) -> Result<()> {
    let mut should = picture.purchases.clone();
    let mut say = |id: String, detail: &str| {
        found.push(Discrepancy { what: "purchase", id, detail: detail.to_owned() });
    };
    let misfiled = purchases::misfiled(conn, &bench.site.id)?;
    for stored in purchases::all(conn, &bench.site.id)? {
        let standing = super::fold::standing(bench, &stored.folded);
        let outline = picture.outlines.get(&stored.outline.id);
        match should.remove(&stored.outline.id) {
            None => say(stored.outline.id.0, "has no payment"),
            Some(folded) if folded != stored.folded => say(folded.id.0, "gives something else"),
            Some(folded) if standing != stored.standing => say(folded.id.0, "is listed otherwise"),
            Some(folded) if outline != Some(&stored.outline) => {
                say(folded.id.0, "is outlined otherwise");
            }
            Some(folded) if misfiled.contains(&folded.id) => {
                say(folded.id.0, "is not found or counted by what it holds");
            }
            Some(_) => {}
        }
    }
    should.into_keys().for_each(|id| say(id.0, "is not recorded"));
    Ok(())
}

fn compare_leads(
    conn: &mut Conn,
    bench: &Bench,
    picture: &Picture,
    found: &mut Vec<Discrepancy>,
) -> Result<()> {
    let mut recorded = members::all_leads(conn, &bench.site.id)?;
    let mut say = |detail: &str| {
        // A lead's key may be an address, which no output carries.
        let id = String::from("(a lead)");
        found.push(Discrepancy { what: "lead", id, detail: detail.to_owned() });
    };
    for (key, email) in &picture.leads {
        match recorded.remove(key) {
            None => say("is not recorded"),
            Some(known) if known != *email => say("has another address"),
            Some(_) => {}
        }
    }
    recorded.into_keys().for_each(|_| say("has no event"));
    Ok(())
}

fn compare_members(
    conn: &mut Conn,
    bench: &Bench,
    picture: &Picture,
    found: &mut Vec<Discrepancy>,
) -> Result<()> {
    let site_id = &bench.site.id;
    let overrides = overrides::all(conn, site_id)?;
    let mut addresses: BTreeSet<&String> = picture.leads.values().flatten().collect();
    let mut reached = String::new();
    loop {
        let batch = members::ids_after(conn, site_id, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = batch.last() else { break };
        reached.clone_from(&last.id);
        let ids: Vec<String> = batch.iter().map(|member| member.id.clone()).collect();
        let mut recorded = members::recorded(conn, site_id, &ids)?;
        for member in batch {
            addresses.remove(&member.email);
            let due = member.next_change_at.map(|at| at.and_utc());
            // Access that is due but not fired yet is compared as of its recording.
            let at = due
                .filter(|due| *due <= bench.at)
                .map_or(bench.at, |due| due - chrono::TimeDelta::microseconds(1));
            let answer = picture.answer(&member.email, &overrides, at);
            let held = recorded.remove(&member.id).unwrap_or_default();
            let mut say = |detail: &str| {
                let detail = detail.to_owned();
                found.push(Discrepancy { what: "member", id: member.id.clone(), detail });
            };
            if held != answer.levels {
                say("has other access");
            }
            if due != answer.next_change_at {
                say("has another next change");
            }
        }
    }
    let missing = addresses.len();
    if missing > 0 {
        let detail = format!("{missing} addresses of leads are no members");
        found.push(Discrepancy { what: "member", id: String::new(), detail });
    }
    Ok(())
}
