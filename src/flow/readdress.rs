//! The current address of each lead that was touched: a move of it touches the member that loses the lead, and the one
//! that gets it.

use super::pushes::Readdressed;
use super::settle::{Bench, Cause, Merged, Touched};
use crate::core::event::{EventId, LeadKey};
use crate::store::conn::Conn;
use crate::store::events::Stored;
use crate::store::{Result, events, members, overrides};
use std::collections::{BTreeMap, BTreeSet};

/// The addresses of leads as they are recorded, or as they are now; `None` while none is known.
type Emails = BTreeMap<LeadKey, Option<String>>;

/// The leads that events only came to, with the addresses that these name them with.
#[derive(Debug, Default)]
pub(super) struct Named(BTreeMap<LeadKey, BTreeSet<String>>);

impl Named {
    /// Those of some merged events. Leads of events that changed or went are left out, and so are those whose address
    /// was asked for without any event.
    pub(super) fn by(merged: &Merged, asked_for: BTreeSet<LeadKey>) -> Self {
        let was: BTreeSet<&EventId> = merged.before.iter().map(|stored| &stored.event.id).collect();
        let (changed, came): (Vec<&Stored>, Vec<&Stored>) =
            merged.after.iter().partition(|stored| was.contains(&stored.event.id));
        let mut left_out = asked_for;
        let changed = merged.before.iter().chain(changed);
        left_out.extend(changed.filter_map(|stored| stored.event.lead.clone()));
        let mut named: BTreeMap<LeadKey, BTreeSet<String>> = BTreeMap::new();
        for event in came.into_iter().map(|stored| &stored.event) {
            let Some(lead) = event.lead.as_ref().filter(|lead| !left_out.contains(*lead)) else {
                continue;
            };
            let person = &event.said.person;
            let emails = [&person.profile_email, &person.transaction_email].into_iter().flatten();
            named.entry(lead.clone()).or_default().extend(emails.cloned());
        }
        Self(named)
    }

    /// Whether the address of a lead is still the recorded one. Whichever event decides it, that event names the
    /// recorded address, as all that came do.
    fn keeps(&self, lead: &LeadKey, recorded: Option<&Option<String>>) -> bool {
        match (self.0.get(lead), recorded) {
            (Some(named), Some(recorded)) => {
                named.iter().all(|email| Some(email) == recorded.as_ref())
            }
            _ => false,
        }
    }

    /// The addresses of some leads now. No recorded event is read of those that keep theirs: payments that name no
    /// profile would else be walked back, with each that comes, to the last event that names one.
    fn emails_after(
        &self,
        conn: &mut Conn,
        site_id: &str,
        leads: &[LeadKey],
        before: &Emails,
    ) -> Result<Emails> {
        let (kept, others): (Vec<LeadKey>, Vec<LeadKey>) =
            leads.iter().cloned().partition(|lead| self.keeps(lead, before.get(lead)));
        let mut after = events::current_emails(conn, site_id, &others)?;
        after.extend(
            kept.into_iter().filter_map(|lead| Some((lead.clone(), before.get(&lead)?.clone()))),
        );
        Ok(after)
    }
}

/// Reads the current address of each touched lead; a move touches the old member and the new one. Answers the moves.
pub(super) fn readdress_leads(
    conn: &mut Conn,
    bench: &Bench,
    touched: &mut Touched,
    named: &Named,
) -> Result<Vec<Readdressed>> {
    let keys: Vec<LeadKey> = touched.leads.keys().cloned().collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let site_id = &bench.site.id;
    let before = members::emails_of(conn, site_id, &keys)?;
    let after = named.emails_after(conn, site_id, &keys, &before)?;
    let (mut gone, mut come, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    for (key, cause) in &touched.leads {
        let (old, new) = (before.get(key), after.get(key));
        for email in [old, new].into_iter().flatten().flatten() {
            touched.members.insert(email.clone(), cause.clone());
        }
        if let (Some(Some(from)), Some(Some(to))) = (old, new)
            && from != to
        {
            moves.push(Readdressed { lead: key.clone(), from: from.clone(), to: to.clone() });
        }
        if old != new {
            gone.extend(old.map(|_| key.clone()));
            come.extend(new.map(|email| (key.clone(), email.clone())));
        }
    }
    members::replace_leads(conn, site_id, &gone, &come)?;
    // What was given or blocked by hand stays with the address that it was made at.
    for (email, cause) in addresses_left_to(conn, site_id, touched, &before, &after)? {
        touched.members.entry(email).or_insert(cause);
    }
    Ok(moves)
}

/// The addresses to which overrides come back, whose leads have no address any more; with what took it.
fn addresses_left_to(
    conn: &mut Conn,
    site_id: &str,
    touched: &Touched,
    before: &Emails,
    after: &Emails,
) -> Result<Vec<(String, Cause)>> {
    let has = |of: &Emails, key| of.get(key).is_some_and(Option::is_some);
    let lost = touched.leads.iter().filter(|(key, _)| has(before, key) && !has(after, key));
    let mut found = Vec::new();
    for (key, cause) in lost {
        let emails = overrides::addresses_of(conn, site_id, std::slice::from_ref(key))?;
        found.extend(emails.into_iter().map(|email| (email, cause.clone())));
    }
    Ok(found)
}
