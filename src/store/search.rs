//! Webhooks found by what they name: the whole address, or the id of a transaction, a product or a
//! webhook.
//!
//! No index of webhooks knows what they name: each would make every webhook dearer, for a search that
//! people make now and then. Most webhooks are observations of events, though, which are found by address
//! and by transaction anyway; what is none of one is little, and looked through.

use super::conn::Conn;
use super::events::leads_with_emails;
use super::schema::{events, products, webhooks};
use super::webhooks::{Filter, Status, Webhook, list};
use super::{IN_MAX, Result};
use crate::core::event::{Kind, LeadKey};
use diesel::prelude::*;
use std::collections::BTreeSet;

/// How many events of one address are looked at.
const EVENTS_MAX: i64 = 10_000;
/// How many webhooks that are no observation are looked through, of each status.
const UNOBSERVED_MAX: i64 = 1_000;
/// How many webhooks are looked through for one page, when they may name a product.
const LOOKED_THROUGH_MAX: usize = 10_000;
/// How many of them are read at once.
const LOOKED_THROUGH_AT_ONCE: i64 = 1_000;

/// What becomes of a webhook that is no observation of an event, or not yet. One that is rejected is listed by what it
/// claims.
const UNOBSERVED: [Status; 5] =
    [Status::Pending, Status::Unreadable, Status::Rejected, Status::Discarded, Status::Failed];

/// Those of them that are never an observation, so that nobody looks for it by way of events.
const NEVER_OBSERVED: [Status; 3] = [Status::Unreadable, Status::Rejected, Status::Discarded];

/// Webhooks that name `q`, newest first, and the id of the last that was looked at, where more follow.
pub fn naming(
    conn: &mut Conn,
    site_id: &str,
    q: &str,
    filter: &Filter,
    limit: i64,
) -> Result<(Vec<Webhook>, Option<String>)> {
    let wanted = Wanted { site_id, q, address: q.to_lowercase(), filter };
    let product = products::table.find((site_id, q)).select(products::product_id);
    if product.first::<String>(conn).optional()?.is_some() {
        // What names a product is all over the log: it is met soon.
        return wanted.look_through(conn, limit);
    }
    wanted.look_up(conn, limit)
}

/// The newest webhooks that name an address and tell of no event, or not yet: they wait, failed, or were
/// refused or set aside. Of each status so many are looked through.
pub fn unobserved_of(conn: &mut Conn, site_id: &str, address: &str) -> Result<Vec<Webhook>> {
    let filter = Filter::default();
    Wanted { site_id, q: address, address: address.to_owned(), filter: &filter }.unobserved(conn)
}

struct Wanted<'a> {
    site_id: &'a str,
    q: &'a str,
    /// The same as an address.
    address: String,
    filter: &'a Filter,
}

impl Wanted<'_> {
    fn is_named_by(&self, webhook: &Webhook) -> bool {
        let is = |name: &Option<String>, wanted: &str| name.as_deref() == Some(wanted);
        webhook.id == self.q
            || is(&webhook.email, &self.address)
            || is(&webhook.transaction_id, self.q)
            || is(&webhook.product_id, self.q)
    }

    fn has_status(&self, webhook: &Webhook) -> bool {
        self.filter.status.is_none_or(|status| status.as_str() == webhook.status)
    }

    /// Walks from the newest back until the page is full, or it has been far enough for one page.
    fn look_through(&self, conn: &mut Conn, limit: i64) -> Result<(Vec<Webhook>, Option<String>)> {
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut found, mut looked_through) = (Vec::new(), 0);
        let mut filter = self.filter.clone();
        loop {
            let batch = list(conn, self.site_id, &filter, LOOKED_THROUGH_AT_ONCE)?;
            let Some(last) = batch.last().map(|webhook| webhook.id.clone()) else {
                return Ok((found, None));
            };
            looked_through += batch.len();
            found.extend(batch.into_iter().filter(|webhook| self.is_named_by(webhook)));
            if found.len() > enough {
                found.truncate(enough);
                let last = found.last().map(|webhook: &Webhook| webhook.id.clone());
                return Ok((found, last));
            }
            filter.before = Some(last);
            if looked_through >= LOOKED_THROUGH_MAX {
                return Ok((found, filter.before));
            }
        }
    }

    /// Looks up what names it by way of events, and looks through what is no observation of one.
    fn look_up(&self, conn: &mut Conn, limit: i64) -> Result<(Vec<Webhook>, Option<String>)> {
        let is_observed = |status: Status| !NEVER_OBSERVED.contains(&status);
        let mut ids = BTreeSet::new();
        if self.filter.status.is_none_or(is_observed) {
            ids = self.observations(conn)?;
        }
        ids.insert(self.q.to_owned());
        ids.extend(self.unobserved(conn)?.into_iter().map(|webhook| webhook.id));
        if let Some(before) = &self.filter.before {
            ids.retain(|id| id < before);
        }
        let newest_first: Vec<&String> = ids.iter().rev().collect();
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found: Vec<Webhook> = Vec::new();
        for ids in newest_first.chunks(IN_MAX) {
            let rows: Vec<Webhook> = webhooks::table
                .filter(webhooks::site_id.eq(self.site_id))
                .filter(webhooks::id.eq_any(ids.iter().copied()))
                .select(Webhook::as_select())
                .load(conn)?;
            found.extend(rows.into_iter().filter(|w| self.is_named_by(w) && self.has_status(w)));
            if found.len() > enough {
                break;
            }
        }
        found.sort_by(|a, b| b.id.cmp(&a.id));
        let more = found.len() > enough;
        found.truncate(enough);
        let last = found.last().filter(|_| more).map(|webhook| webhook.id.clone());
        Ok((found, last))
    }

    /// The webhooks that are observations of the events of an address, or of a transaction.
    fn observations(&self, conn: &mut Conn) -> Result<BTreeSet<String>> {
        let leads = leads_with_emails(conn, self.site_id, std::slice::from_ref(&self.address))?;
        let mut ids: BTreeSet<String> =
            Kind::ALL.iter().map(|kind| format!("{}:{}", kind.as_str(), self.q)).collect();
        let leads: Vec<LeadKey> = leads.into_iter().collect();
        for leads in leads.chunks(IN_MAX) {
            let of_address = events::table
                .filter(events::site_id.eq(self.site_id))
                .filter(events::lead_key.eq_any(leads.iter().map(|lead| lead.0.as_str())))
                .filter(
                    events::profile_email
                        .eq(&self.address)
                        .or(events::transaction_email.eq(&self.address)),
                );
            ids.extend(of_address.select(events::id).limit(EVENTS_MAX).load::<String>(conn)?);
        }
        let ids: Vec<String> = ids.into_iter().collect();
        let mut found = BTreeSet::new();
        for ids in ids.chunks(IN_MAX) {
            let observations = webhooks::table
                .filter(webhooks::site_id.eq(self.site_id))
                .filter(webhooks::event_id.eq_any(ids))
                .select(webhooks::id);
            found.extend(observations.load::<String>(conn)?);
        }
        Ok(found)
    }

    /// The newest of those that are no observation, as far as they name it.
    fn unobserved(&self, conn: &mut Conn) -> Result<Vec<Webhook>> {
        let mut found = Vec::new();
        let asked = |status: &Status| self.filter.status.is_none_or(|asked| asked == *status);
        for status in UNOBSERVED.into_iter().filter(asked) {
            let of_status = Filter { status: Some(status), before: self.filter.before.clone() };
            let batch = list(conn, self.site_id, &of_status, UNOBSERVED_MAX)?;
            found.extend(batch.into_iter().filter(|webhook| self.is_named_by(webhook)));
        }
        Ok(found)
    }
}
