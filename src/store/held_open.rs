//! What is held open: overrides of a kind of their own, that carry what would have revoked. They have numbers,
//! which a site gives in the order of their making.

use super::conn::Conn;
use super::schema::{override_leads, overrides};
use super::sets::insert_set;
use super::{IN_MAX, Result, stored};
use crate::core::Instant;
use crate::core::member::{Override, OverrideKind};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamp};

/// The kind of these overrides, as the database keeps it.
pub(super) const KIND: &str = "held_open";

/// A level that is held open, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOpen {
    /// The override.
    pub made: Override,
    /// Its number at the site.
    pub number: i64,
    /// When it was made: the level may have ended before.
    pub held_open_at: Instant,
    /// What would have revoked the level, as changes name it.
    pub cause_kind: String,
    /// Which one.
    pub cause_id: String,
}

/// What is held open as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = overrides)]
pub struct Listed {
    /// The override.
    pub id: String,
    /// Its number at the site.
    #[diesel(column_name = held_open_number)]
    pub number: Option<i64>,
    /// The level.
    pub level: Option<String>,
    /// The address that the member had when it was made.
    pub email: String,
    /// When it was made.
    pub held_open_at: Option<NaiveDateTime>,
    /// What would have revoked the level.
    pub cause_kind: Option<String>,
    /// Which one.
    pub cause_id: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = overrides, treat_none_as_default_value = false)]
struct Row {
    site_id: String,
    id: String,
    kind: String,
    level: Option<String>,
    email: String,
    begun_at: NaiveDateTime,
    note: Option<String>,
    held_open_number: Option<i64>,
    held_open_at: Option<NaiveDateTime>,
    cause_kind: Option<String>,
    cause_id: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = override_leads)]
struct LeadRow {
    site_id: String,
    lead_key: String,
    override_id: String,
}

/// Holds levels open.
pub fn insert(conn: &mut Conn, site_id: &str, all: &[HeldOpen]) -> Result<()> {
    let row = |held_open: &HeldOpen| Row {
        site_id: site_id.to_owned(),
        id: held_open.made.id.clone(),
        kind: KIND.to_owned(),
        level: match &held_open.made.what {
            OverrideKind::HeldOpen(level) => Some(level.clone()),
            _ => None,
        },
        email: held_open.made.email.clone(),
        begun_at: stored(held_open.made.begun_at),
        note: held_open.made.note.clone(),
        held_open_number: Some(held_open.number),
        held_open_at: Some(stored(held_open.held_open_at)),
        cause_kind: Some(held_open.cause_kind.clone()),
        cause_id: Some(held_open.cause_id.clone()),
    };
    let rows: Vec<Row> = all.iter().map(row).collect();
    insert_set!(conn, overrides, &rows, {
        site_id: Text,
        id: Text,
        kind: Text,
        level: Nullable<Text>,
        email: Text,
        begun_at: Timestamp,
        note: Nullable<Text>,
        held_open_number: Nullable<BigInt>,
        held_open_at: Nullable<Timestamp>,
        cause_kind: Nullable<Text>,
        cause_id: Nullable<Text>,
    });
    let leads = all.iter().flat_map(|held_open| {
        held_open.made.leads.iter().map(|lead| LeadRow {
            site_id: site_id.to_owned(),
            lead_key: lead.0.clone(),
            override_id: held_open.made.id.clone(),
        })
    });
    let leads: Vec<LeadRow> = leads.collect();
    insert_set!(conn, override_leads, &leads, { site_id: Text, lead_key: Text, override_id: Text });
    Ok(())
}

/// Ends some overrides that stand, from an instant on.
pub fn end(conn: &mut Conn, site_id: &str, ids: &[String], at: Instant) -> Result<()> {
    for ids in ids.chunks(IN_MAX) {
        let standing = overrides::table
            .filter(overrides::site_id.eq(site_id))
            .filter(overrides::id.eq_any(ids))
            .filter(overrides::ended_at.is_null());
        diesel::update(standing).set(overrides::ended_at.eq(stored(at))).execute(conn)?;
    }
    Ok(())
}

/// What is held open at a site. The two conditions are those of its index.
#[diesel::dsl::auto_type]
fn open(site_id: String) -> _ {
    overrides::table
        .filter(overrides::site_id.eq(site_id))
        .filter(overrides::held_open_number.is_not_null())
        .filter(overrides::ended_at.is_null())
}

/// What is held open, newest first, before a number.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let before = before.unwrap_or(i64::MAX);
    let rows = open(site_id.to_owned())
        .filter(overrides::held_open_number.lt(before))
        .order(overrides::held_open_number.desc())
        .limit(limit);
    Ok(rows.select(Listed::as_select()).load(conn)?)
}

/// What is held open after a number and up to another one, oldest first: ids with their numbers.
pub fn ids_between(
    conn: &mut Conn,
    site_id: &str,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<(String, i64)>> {
    let rows = open(site_id.to_owned())
        .filter(overrides::held_open_number.gt(after))
        .filter(overrides::held_open_number.le(up_to))
        .order(overrides::held_open_number)
        .limit(limit);
    let rows: Vec<(String, Option<i64>)> =
        rows.select((overrides::id, overrides::held_open_number)).load(conn)?;
    Ok(rows.into_iter().filter_map(|(id, number)| Some((id, number?))).collect())
}

/// How many levels of members are held open.
pub fn count(conn: &mut Conn, site_id: &str) -> Result<i64> {
    Ok(open(site_id.to_owned()).count().get_result(conn)?)
}

/// Whether an override holds a level open, and nobody has decided yet.
pub fn is_open(conn: &mut Conn, site_id: &str, id: &str) -> Result<bool> {
    let found = open(site_id.to_owned()).filter(overrides::id.eq(id)).select(overrides::id);
    Ok(found.first::<String>(conn).optional()?.is_some())
}
