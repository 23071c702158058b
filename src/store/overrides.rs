//! Manual grants, blocks, the lifting of chargeback blocks, and what is held open.

use super::conn::{Conn, on_backend};
use super::schema::{override_leads, overrides};
use super::{IN_MAX, Result, held_open, members, stored};
use crate::core::Instant;
use crate::core::event::LeadKey;
use crate::core::member::{Override, OverrideKind};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = overrides)]
struct Row {
    site_id: String,
    id: String,
    kind: String,
    level: Option<String>,
    email: String,
    begun_at: NaiveDateTime,
    until: Option<NaiveDateTime>,
    ended_at: Option<NaiveDateTime>,
    note: Option<String>,
}

impl Row {
    fn read(self, leads: BTreeSet<LeadKey>) -> Override {
        let what = match (self.kind.as_str(), self.level) {
            ("grant", Some(level)) => OverrideKind::Grant(level),
            (held_open::KIND, Some(level)) => OverrideKind::HeldOpen(level),
            ("lift", _) => OverrideKind::Lift,
            (_, level) => OverrideKind::Block(level),
        };
        Override {
            id: self.id,
            what,
            email: self.email,
            leads,
            begun_at: self.begun_at.and_utc(),
            until: self.until.map(|at| at.and_utc()),
            ended_at: self.ended_at.map(|at| at.and_utc()),
            note: self.note,
        }
    }
}

/// Makes an override; what is held open is made by [`held_open::insert`], with what led to it.
pub fn insert(conn: &mut Conn, site_id: &str, made: &Override) -> Result<()> {
    let (kind, level) = match &made.what {
        OverrideKind::Grant(level) => ("grant", Some(level.clone())),
        OverrideKind::Block(level) => ("block", level.clone()),
        OverrideKind::HeldOpen(level) => (held_open::KIND, Some(level.clone())),
        OverrideKind::Lift => ("lift", None),
    };
    let row = Row {
        site_id: site_id.to_owned(),
        id: made.id.clone(),
        kind: kind.to_owned(),
        level,
        email: made.email.clone(),
        begun_at: stored(made.begun_at),
        until: made.until.map(stored),
        ended_at: made.ended_at.map(stored),
        note: made.note.clone(),
    };
    diesel::insert_into(overrides::table).values(row).execute(conn)?;
    let leads = made.leads.iter().map(|lead| {
        (
            override_leads::site_id.eq(site_id.to_owned()),
            override_leads::lead_key.eq(lead.0.clone()),
            override_leads::override_id.eq(made.id.clone()),
        )
    });
    let leads: Vec<_> = leads.collect();
    on_backend!(conn, |c| diesel::insert_into(override_leads::table).values(&leads).execute(c))?;
    Ok(())
}

/// Ends an override from an instant on.
pub fn end(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let ended = overrides::ended_at.eq(stored(at));
    diesel::update(overrides::table.find((site_id, id))).set(ended).execute(conn)?;
    Ok(())
}

/// Every override that could belong to members with these addresses or leads; [`at_home`] says which do.
pub fn concerning(
    conn: &mut Conn,
    site_id: &str,
    emails: &[String],
    leads: &[LeadKey],
) -> Result<Vec<Override>> {
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for leads in leads.chunks(IN_MAX) {
        let of_leads: Vec<String> = override_leads::table
            .filter(override_leads::site_id.eq(site_id))
            .filter(override_leads::lead_key.eq_any(leads.iter().map(|lead| lead.0.as_str())))
            .select(override_leads::override_id)
            .load(conn)?;
        ids.extend(of_leads);
    }
    for emails in emails.chunks(IN_MAX) {
        let of_emails: Vec<String> = overrides::table
            .filter(overrides::site_id.eq(site_id))
            .filter(overrides::email.eq_any(emails))
            .select(overrides::id)
            .load(conn)?;
        ids.extend(of_emails);
    }
    load(conn, site_id, &ids.into_iter().collect::<Vec<_>>())
}

/// Overrides as they belong now: those without a lead that has an address belong to the address that they were made at.
/// `known` are leads of which it is known that they have one, so that these need not be asked for.
pub fn at_home(
    conn: &mut Conn,
    site_id: &str,
    found: Vec<Override>,
    known: &BTreeSet<LeadKey>,
) -> Result<Vec<Override>> {
    let strange = found.iter().filter(|o| o.leads.is_disjoint(known));
    let strange: BTreeSet<LeadKey> = strange.flat_map(|o| o.leads.iter().cloned()).collect();
    let strange: Vec<LeadKey> = strange.into_iter().collect();
    let emails = members::emails_of(conn, site_id, &strange)?;
    let has_address =
        |lead: &LeadKey| known.contains(lead) || emails.get(lead).is_some_and(Option::is_some);
    Ok(found.into_iter().map(|o| o.at_home(has_address)).collect())
}

/// The addresses that the overrides of some leads were made at.
pub fn addresses_of(conn: &mut Conn, site_id: &str, leads: &[LeadKey]) -> Result<BTreeSet<String>> {
    let found = concerning(conn, site_id, &[], leads)?;
    Ok(found.into_iter().map(|o| o.email).collect())
}

/// Some overrides by id.
pub fn load(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Override>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<Row> = overrides::table
            .filter(overrides::site_id.eq(site_id))
            .filter(overrides::id.eq_any(ids))
            .order(overrides::id)
            .select(Row::as_select())
            .load(conn)?;
        let pairs: Vec<(String, String)> = override_leads::table
            .filter(override_leads::site_id.eq(site_id))
            .filter(override_leads::override_id.eq_any(ids))
            .select((override_leads::override_id, override_leads::lead_key))
            .load(conn)?;
        let mut leads: BTreeMap<String, BTreeSet<LeadKey>> = BTreeMap::new();
        for (id, lead) in pairs {
            leads.entry(id).or_default().insert(LeadKey(lead));
        }
        found.extend(rows.into_iter().map(|row| {
            let leads = leads.remove(&row.id).unwrap_or_default();
            row.read(leads)
        }));
    }
    Ok(found)
}

/// Whether any override that still stands gives or blocks a level.
pub fn any_of_level(conn: &mut Conn, site_id: &str, level: &str, at: Instant) -> Result<bool> {
    let standing = overrides::table
        .filter(overrides::site_id.eq(site_id))
        .filter(overrides::level.eq(level))
        .filter(overrides::ended_at.is_null())
        .filter(overrides::until.is_null().or(overrides::until.gt(stored(at))));
    Ok(diesel::select(diesel::dsl::exists(standing)).get_result(conn)?)
}
