//! One part of a site, drawn and compared with what is recorded of it.

use super::Discrepancy;
use crate::core::access::Picture;
use crate::core::event::{Event, EventId, LeadKey};
use crate::core::link::PurchaseId;
use crate::core::member::Override;
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::members::Member;
use crate::store::{Result, events, members, overrides, purchases};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

/// What has been compared so far.
#[derive(Default)]
pub(super) struct Compared {
    /// What is wrong.
    pub found: Vec<Discrepancy>,
    /// How many addresses of leads are no members.
    pub missing: usize,
    /// The rows that should be there, of each kind.
    pub events: Seen,
    pub purchases: Seen,
    pub leads: Seen,
    pub members: Seen,
}

/// Names that have been met, as hashes.
#[derive(Default)]
pub(super) struct Seen {
    hasher: RandomState,
    hashes: Vec<u64>,
}

impl Seen {
    pub(super) fn note(&mut self, name: &str) {
        self.hashes.push(self.hasher.hash_one(name));
    }

    /// Makes ready for questions.
    pub(super) fn close(&mut self) {
        self.hashes.sort_unstable();
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.hashes.binary_search(&self.hasher.hash_one(name)).is_ok()
    }
}

impl Compared {
    /// Draws what some events tell, which hang together with no others, and compares.
    pub(super) fn part(&mut self, conn: &mut Conn, bench: &Bench, should: &[Event]) -> Result<()> {
        let picture = Picture::draw(should, bench.rules(), bench.at);
        self.events(conn, bench, should, &picture)?;
        self.purchases(conn, bench, &picture)?;
        self.leads(conn, bench, &picture)?;
        self.members(conn, bench, &picture)
    }

    pub(super) fn say(&mut self, what: &'static str, id: &str, detail: &str) {
        let (id, detail) = (id.to_owned(), detail.to_owned());
        self.found.push(Discrepancy { what, id, detail });
    }

    fn events(
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        should: &[Event],
        picture: &Picture,
    ) -> Result<()> {
        let ids: Vec<EventId> = should.iter().map(|event| event.id.clone()).collect();
        let recorded = events::load(conn, &bench.site.id, &ids)?;
        let mut recorded: BTreeMap<EventId, events::Stored> =
            recorded.into_iter().map(|stored| (stored.event.id.clone(), stored)).collect();
        for event in should {
            self.events.note(&event.id.0);
            let id = &event.id.0;
            match recorded.remove(&event.id) {
                None => self.say("event", id, "is not recorded"),
                Some(stored) if stored.event != *event => {
                    self.say("event", id, "says something else");
                }
                Some(stored) if stored.purchase.as_ref() != picture.belongs.get(&event.id) => {
                    self.say("event", id, "belongs to another purchase");
                }
                Some(_) => {}
            }
        }
        for id in events::misfiled(conn, &bench.site.id, &ids)? {
            self.say("event", &id.0, "is not found by what it says");
        }
        Ok(())
    }

    fn purchases(&mut self, conn: &mut Conn, bench: &Bench, picture: &Picture) -> Result<()> {
        let ids: Vec<PurchaseId> = picture.purchases.keys().cloned().collect();
        let misfiled = purchases::misfiled(conn, &bench.site.id, &ids)?;
        let recorded = purchases::load(conn, &bench.site.id, &ids)?;
        let mut recorded: BTreeMap<PurchaseId, purchases::Stored> =
            recorded.into_iter().map(|stored| (stored.outline.id.clone(), stored)).collect();
        for (id, folded) in &picture.purchases {
            self.purchases.note(&id.0);
            let detail = match recorded.remove(id) {
                None => "is not recorded",
                Some(stored) if *folded != stored.folded => "gives something else",
                Some(stored) if bench.standing(folded) != stored.standing => "is listed otherwise",
                Some(stored) if picture.outlines.get(id) != Some(&stored.outline) => {
                    "is outlined otherwise"
                }
                Some(_) if misfiled.contains(id) => "is not found or counted by what it holds",
                Some(_) => continue,
            };
            self.say("purchase", &id.0, detail);
        }
        Ok(())
    }

    fn leads(&mut self, conn: &mut Conn, bench: &Bench, picture: &Picture) -> Result<()> {
        let keys: Vec<LeadKey> = picture.leads.keys().cloned().collect();
        let mut recorded = members::emails_of(conn, &bench.site.id, &keys)?;
        for (key, email) in &picture.leads {
            self.leads.note(&key.0);
            match recorded.remove(key) {
                None => self.say_lead("is not recorded"),
                Some(known) if known != *email => self.say_lead("has another address"),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// A lead's key may be an address, which no output carries.
    pub(super) fn say_lead(&mut self, detail: &str) {
        self.say("lead", "(a lead)", detail);
    }

    fn members(&mut self, conn: &mut Conn, bench: &Bench, picture: &Picture) -> Result<()> {
        let mut emails: Vec<String> = picture.leads.values().flatten().cloned().collect();
        emails.sort();
        emails.dedup();
        let leads: Vec<LeadKey> = picture.leads.keys().cloned().collect();
        let overrides = overrides::concerning(conn, &bench.site.id, &emails, &leads)?;
        let known = picture.leads.iter().filter(|(_, address)| address.is_some());
        let known = known.map(|(lead, _)| lead.clone()).collect();
        let overrides = overrides::at_home(conn, &bench.site.id, overrides, &known)?;
        let batch = members::with_emails(conn, &bench.site.id, &emails)?;
        self.missing += emails.len().saturating_sub(batch.len());
        emails.iter().for_each(|email| self.members.note(email));
        self.compare_members(conn, bench, picture, &overrides, batch)
    }

    /// Compares some members with what a picture and overrides give them.
    pub(super) fn compare_members(
        &mut self,
        conn: &mut Conn,
        bench: &Bench,
        picture: &Picture,
        overrides: &[Override],
        batch: Vec<Member>,
    ) -> Result<()> {
        let ids: Vec<String> = batch.iter().map(|member| member.id.clone()).collect();
        let mut recorded = members::recorded(conn, &bench.site.id, &ids)?;
        for member in batch {
            let due = member.next_change_at.map(|at| at.and_utc());
            // Access that is due but not fired yet is compared as of its recording.
            let at = due
                .filter(|due| *due <= bench.at)
                .map_or(bench.at, |due| due - chrono::TimeDelta::microseconds(1));
            let answer = picture.answer(&member.email, overrides, at);
            if recorded.remove(&member.id).unwrap_or_default() != answer.levels {
                self.say("member", &member.id, "has other access");
            }
            if !member.is_held_as(&answer.levels) {
                self.say("member", &member.id, "has other access for the door");
            }
            if due != answer.next_change_at {
                self.say("member", &member.id, "has another next change");
            }
        }
        Ok(())
    }
}
