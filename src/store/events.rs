//! Events as their observations make them, and the names that tie them together.

use super::conn::Conn;
use super::observations::hash;
use super::schema::{event_ties, events, lead_emails, webhooks};
use super::sets::{self, insert_missing, insert_set};
use super::{IN_MAX, Result, from_json, stored, to_json};
use crate::core::event::{Event, EventId, LeadKey, Vouched};
use crate::core::link::{PurchaseId, Tie, is_loose, ties};
use crate::core::member::current_email;
use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Nullable, Text, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// An event and the purchase that it belongs to; `None` for what is unmatched or about no money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The event.
    pub event: Event,
    /// Its purchase, which may have no payment yet.
    pub purchase: Option<PurchaseId>,
}

#[derive(Clone, PartialEq, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
struct Row {
    site_id: String,
    id: String,
    kind: String,
    lead_key: Option<String>,
    transaction_email: Option<String>,
    profile_email: Option<String>,
    product_id: Option<String>,
    date: NaiveDateTime,
    occurred_at: NaiveDateTime,
    hash: Vec<u8>,
    loose: bool,
    purchase_id: Option<String>,
    said: String,
}

impl Row {
    fn of(site_id: &str, stored_event: &Stored) -> Result<Self> {
        let event = &stored_event.event;
        let person = &event.said.person;
        Ok(Self {
            site_id: site_id.to_owned(),
            id: event.id.0.clone(),
            kind: event.kind().as_str().to_owned(),
            lead_key: event.lead.as_ref().map(|lead| lead.0.clone()),
            transaction_email: person.transaction_email.clone(),
            profile_email: person.profile_email.clone(),
            product_id: event.said.product_id.clone(),
            date: stored(event.date),
            occurred_at: stored(event.occurred_at),
            hash: event.hash.to_vec(),
            loose: is_loose(event),
            purchase_id: stored_event.purchase.as_ref().map(|id| id.0.clone()),
            said: to_json("an event", &event.said)?,
        })
    }

    fn read(self) -> Result<Stored> {
        let event = Event {
            id: EventId(self.id),
            lead: self.lead_key.map(LeadKey),
            said: from_json("an event", &self.said)?,
            date: self.date.and_utc(),
            occurred_at: self.occurred_at.and_utc(),
            hash: hash(&self.hash)?,
        };
        Ok(Stored { event, purchase: self.purchase_id.map(PurchaseId) })
    }
}

#[derive(Insertable)]
#[diesel(table_name = event_ties)]
struct TieRow {
    site_id: String,
    tie: String,
    event_id: String,
}

impl TieRow {
    fn of(site_id: &str, stored: &Stored) -> impl Iterator<Item = Self> {
        let row = |tie| Self {
            site_id: site_id.to_owned(),
            tie: tie_text(&tie),
            event_id: stored.event.id.0.clone(),
        };
        ties(&stored.event).into_iter().map(row)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Insertable)]
#[diesel(table_name = lead_emails)]
struct LeadEmail {
    site_id: String,
    email: String,
    lead_key: String,
}

impl LeadEmail {
    /// The addresses that an event names its lead with.
    fn of(site_id: &str, event: &Event) -> BTreeSet<Self> {
        let person = &event.said.person;
        let emails = [&person.profile_email, &person.transaction_email].into_iter().flatten();
        let row = |(lead, email): (&LeadKey, &String)| Self {
            site_id: site_id.to_owned(),
            email: email.clone(),
            lead_key: lead.0.clone(),
        };
        event
            .lead
            .iter()
            .flat_map(|lead| emails.clone().map(move |email| (lead, email)))
            .map(row)
            .collect()
    }
}

/// A tie as the index keeps it.
fn tie_text(tie: &Tie) -> String {
    match tie {
        Tie::Subscription(id) => format!("subscription:{id}"),
        Tie::Order(product, order) => {
            format!("order:{}:{order}", product.replace('%', "%25").replace(':', "%3A"))
        }
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<Stored>> {
    rows.into_iter().map(Row::read).collect()
}

/// Some events by id.
pub fn load(conn: &mut Conn, site_id: &str, ids: &[EventId]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<Row> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    Ok(found)
}

/// Removes events, and writes others in their place or anew.
pub fn replace(conn: &mut Conn, site_id: &str, gone: &[Stored], come: &[&Stored]) -> Result<()> {
    for gone in gone.chunks(IN_MAX) {
        diesel::delete(events::table)
            .filter(events::site_id.eq(site_id))
            .filter(events::id.eq_any(gone.iter().map(|stored| stored.event.id.0.as_str())))
            .execute(conn)?;
    }
    delete_ties(conn, site_id, gone)?;
    let rows = come.iter().map(|stored| Row::of(site_id, stored)).collect::<Result<Vec<_>>>()?;
    insert_set!(conn, events, &rows, {
        site_id: Text,
        id: Text,
        kind: Text,
        lead_key: Nullable<Text>,
        transaction_email: Nullable<Text>,
        profile_email: Nullable<Text>,
        product_id: Nullable<Text>,
        date: Timestamp,
        occurred_at: Timestamp,
        hash: Binary,
        loose: Bool,
        purchase_id: Nullable<Text>,
        said: Text,
    });
    let tied: Vec<TieRow> = come.iter().flat_map(|stored| TieRow::of(site_id, stored)).collect();
    // A tie may have outlived its event, and a rebuild trusts no row.
    insert_missing!(conn, event_ties, &tied, { site_id: Text, tie: Text, event_id: Text });
    let named: BTreeSet<LeadEmail> =
        come.iter().flat_map(|stored| LeadEmail::of(site_id, &stored.event)).collect();
    let named: Vec<LeadEmail> = named.into_iter().collect();
    // A lead keeps every address that it was ever named with: who looks for one reads its events anyway.
    insert_missing!(conn, lead_emails, &named, { site_id: Text, email: Text, lead_key: Text });
    Ok(())
}

/// Removes the ties of some events.
fn delete_ties(conn: &mut Conn, site_id: &str, gone: &[Stored]) -> Result<()> {
    let ties: Vec<TieRow> = gone.iter().flat_map(|stored| TieRow::of(site_id, stored)).collect();
    match conn {
        Conn::Sqlite(c) => {
            for TieRow { tie, event_id, .. } in &ties {
                diesel::delete(event_ties::table.find((site_id, tie, event_id))).execute(c)?;
            }
        }
        Conn::Postgres(c) => {
            for ties in ties.chunks(sets::SET_ROWS_MAX) {
                let delete = "DELETE FROM event_ties t USING unnest($2, $3) AS v (tie, event_id) \
                              WHERE t.site_id = $1 AND t.tie = v.tie AND t.event_id = v.event_id";
                diesel::sql_query(delete)
                    .bind::<Text, _>(site_id)
                    .bind::<Array<Text>, _>(ties.iter().map(|row| &row.tie).collect::<Vec<_>>())
                    .bind::<Array<Text>, _>(
                        ties.iter().map(|row| &row.event_id).collect::<Vec<_>>(),
                    )
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// Moves events to another purchase, or to none.
pub fn assign(
    conn: &mut Conn,
    site_id: &str,
    ids: &[EventId],
    purchase: Option<&PurchaseId>,
) -> Result<()> {
    for ids in ids.chunks(IN_MAX) {
        diesel::update(events::table)
            .filter(events::site_id.eq(site_id))
            .filter(events::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .set(events::purchase_id.eq(purchase.map(|id| id.0.as_str())))
            .execute(conn)?;
    }
    Ok(())
}

/// The events that share one of these ties.
pub fn tied_by(conn: &mut Conn, site_id: &str, ties: &BTreeSet<Tie>) -> Result<BTreeSet<EventId>> {
    let texts: Vec<String> = ties.iter().map(tie_text).collect();
    let mut found = BTreeSet::new();
    for texts in texts.chunks(IN_MAX) {
        let ids: Vec<String> = event_ties::table
            .filter(event_ties::site_id.eq(site_id))
            .filter(event_ties::tie.eq_any(texts))
            .select(event_ties::event_id)
            .load(conn)?;
        found.extend(ids.into_iter().map(EventId));
    }
    Ok(found)
}

/// The events of some purchases.
pub fn of_purchases(conn: &mut Conn, site_id: &str, ids: &[PurchaseId]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<Row> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::purchase_id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    Ok(found)
}

/// The reversals of some leads that name neither subscription nor order.
pub fn loose_of(conn: &mut Conn, site_id: &str, leads: &[LeadKey]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for leads in leads.chunks(IN_MAX) {
        let rows: Vec<Row> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::loose)
            .filter(events::lead_key.eq_any(leads.iter().map(|lead| lead.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    Ok(found)
}

/// Every event of some leads.
pub fn of_leads(conn: &mut Conn, site_id: &str, leads: &[LeadKey]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for leads in leads.chunks(IN_MAX) {
        let rows: Vec<Row> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::lead_key.eq_any(leads.iter().map(|lead| lead.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    Ok(found)
}

/// The leads that were ever named with one of some addresses, also where the event that did so is none any more.
pub fn leads_with_emails(
    conn: &mut Conn,
    site_id: &str,
    emails: &[String],
) -> Result<BTreeSet<LeadKey>> {
    let mut found = BTreeSet::new();
    for emails in emails.chunks(IN_MAX) {
        let leads = lead_emails::table
            .filter(lead_emails::site_id.eq(site_id))
            .filter(lead_emails::email.eq_any(emails))
            .select(lead_emails::lead_key);
        found.extend(leads.load::<String>(conn)?.into_iter().map(LeadKey));
    }
    Ok(found)
}

/// The current address of each of some leads, out of as few of their events as decide it. A lead
/// without any event is left out.
pub fn current_emails(
    conn: &mut Conn,
    site_id: &str,
    leads: &[LeadKey],
) -> Result<BTreeMap<LeadKey, Option<String>>> {
    let mut deciding: BTreeMap<LeadKey, Vec<Event>> = BTreeMap::new();
    for leads in leads.chunks(IN_MAX) {
        for stored in deciding_events(conn, site_id, leads)? {
            if let Some(lead) = stored.event.lead.clone() {
                deciding.entry(lead).or_default().push(stored.event);
            }
        }
    }
    Ok(deciding.into_iter().map(|(lead, events)| (lead, current_email(&events))).collect())
}

/// Whether an event that names an address for a lead is vouched for: by an IPN whose secret was right, or by the
/// Inbound API.
pub fn is_address_vouched(
    conn: &mut Conn,
    site_id: &str,
    lead: &LeadKey,
    email: &str,
) -> Result<bool> {
    let vouched = webhooks::table
        .filter(webhooks::site_id.eq(events::site_id))
        .filter(webhooks::event_id.eq(events::id.nullable()))
        .filter(webhooks::vouched.le(Vouched::Ipn.rank()));
    let naming = events::table
        .filter(events::site_id.eq(site_id))
        .filter(events::lead_key.eq(&lead.0))
        .filter(events::profile_email.eq(email).or(events::transaction_email.eq(email)))
        .filter(exists(vouched));
    Ok(naming.select(events::id).first::<String>(conn).optional()?.is_some())
}

/// For each lead the events at its last instant with a profile, with a transaction's address, and
/// at its last instant at all: there are as many as happened in the same microsecond. The events of a lead are looked
/// through from its last one back, to the last that names each.
fn deciding_events(conn: &mut Conn, site_id: &str, leads: &[LeadKey]) -> Result<Vec<Stored>> {
    let keys: Vec<&str> = leads.iter().map(|lead| lead.0.as_str()).collect();
    let rows: Vec<Row> = match conn {
        Conn::Sqlite(c) => {
            diesel::sql_query(deciding("SELECT value AS lead_key FROM json_each($2)"))
                .bind::<Text, _>(site_id)
                .bind::<Text, _>(to_json("some leads", &keys)?)
                .load(c)?
        }
        Conn::Postgres(c) => diesel::sql_query(deciding("SELECT unnest($2) AS lead_key"))
            .bind::<Text, _>(site_id)
            .bind::<Array<Text>, _>(keys)
            .load(c)?,
    };
    read_all(rows)
}

/// The statement for the events that decide the addresses of leads; the first parameter is the site, the second what
/// the leads are selected from. Their instants are looked up first, and once.
fn deciding(leads: &str) -> String {
    let last = |which: &str| {
        format!(
            "(SELECT max(e.occurred_at) FROM events e \
             WHERE e.site_id = $1 AND e.lead_key = named.lead_key{which})"
        )
    };
    let with_profile = last(" AND e.profile_email IS NOT NULL");
    let with_transaction = last(" AND e.transaction_email IS NOT NULL");
    let last = last("");
    format!(
        "WITH lasts AS MATERIALIZED ( \
             SELECT named.lead_key, {with_profile} AS with_profile, \
                 {with_transaction} AS with_transaction, {last} AS last \
             FROM ({leads}) named) \
         SELECT e.* FROM lasts CROSS JOIN events e \
         WHERE e.site_id = $1 AND e.lead_key = lasts.lead_key \
             AND e.occurred_at IN (lasts.with_profile, lasts.with_transaction, lasts.last)"
    )
}

/// The ids of a site's events after one, in order.
pub fn ids_after(conn: &mut Conn, site_id: &str, after: &str, limit: i64) -> Result<Vec<EventId>> {
    let ids: Vec<String> = events::table
        .filter(events::site_id.eq(site_id))
        .filter(events::id.gt(after))
        .select(events::id)
        .order(events::id)
        .limit(limit)
        .load(conn)?;
    Ok(ids.into_iter().map(EventId).collect())
}

/// Those of some events that are not found by what they say: a column or a tie is not as it should be.
pub fn misfiled(conn: &mut Conn, site_id: &str, ids: &[EventId]) -> Result<BTreeSet<EventId>> {
    let mut misfiled = BTreeSet::new();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<Row> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        let known = read_all(rows.clone())?;
        let named = known.iter().flat_map(|stored| ties(&stored.event));
        let tied = tied(conn, site_id, &named.map(|tie| tie_text(&tie)).collect())?;
        let emails = known.iter().flat_map(|stored| LeadEmail::of(site_id, &stored.event));
        let led = recorded_emails(conn, site_id, &emails.collect())?;
        for (row, stored) in rows.into_iter().zip(known) {
            let named = ties(&stored.event);
            let is_tied = named.iter().all(|tie| tied.contains(&(tie_text(tie), row.id.clone())))
                && LeadEmail::of(site_id, &stored.event).is_subset(&led);
            if !is_tied || (Row { said: row.said.clone(), ..Row::of(site_id, &stored)? }) != row {
                misfiled.insert(stored.event.id);
            }
        }
    }
    Ok(misfiled)
}

/// Those of some addresses of leads that are recorded.
fn recorded_emails(
    conn: &mut Conn,
    site_id: &str,
    wanted: &BTreeSet<LeadEmail>,
) -> Result<BTreeSet<LeadEmail>> {
    let emails: BTreeSet<&String> = wanted.iter().map(|row| &row.email).collect();
    let emails: Vec<&String> = emails.into_iter().collect();
    let mut found = BTreeSet::new();
    for emails in emails.chunks(IN_MAX) {
        let rows = lead_emails::table
            .filter(lead_emails::site_id.eq(site_id))
            .filter(lead_emails::email.eq_any(emails.iter().copied()))
            .select((lead_emails::email, lead_emails::lead_key));
        let row = |(email, lead_key)| LeadEmail { site_id: site_id.to_owned(), email, lead_key };
        found.extend(rows.load::<(String, String)>(conn)?.into_iter().map(row));
    }
    Ok(found)
}

/// Some ties, each with the events that it is recorded for.
fn tied(
    conn: &mut Conn,
    site_id: &str,
    texts: &BTreeSet<String>,
) -> Result<BTreeSet<(String, String)>> {
    let texts: Vec<&String> = texts.iter().collect();
    let mut found = BTreeSet::new();
    for texts in texts.chunks(IN_MAX) {
        let rows = event_ties::table
            .filter(event_ties::site_id.eq(site_id))
            .filter(event_ties::tie.eq_any(texts.iter().copied()))
            .select((event_ties::tie, event_ties::event_id));
        found.extend(rows.load::<(String, String)>(conn)?);
    }
    Ok(found)
}
