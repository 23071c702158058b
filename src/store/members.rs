//! Leads, the members that they make, and the access that was recorded of them.

use super::conn::Conn;
use super::schema::{access, leads, members};
use super::sets::{self, insert_set};
use super::{IN_MAX, Result, level_counts, stored};
use crate::core::Instant;
use crate::core::access::Held;
use crate::core::event::LeadKey;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamp};
use std::collections::BTreeMap;

/// A person as the membership site knows them.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = members, treat_none_as_default_value = false)]
pub struct Member {
    /// The site.
    pub site_id: String,
    /// Opaque id.
    pub id: String,
    /// The address.
    pub email: String,
    /// Grows with every recorded step of access.
    pub version: i64,
    /// When access next changes by time alone.
    pub next_change_at: Option<NaiveDateTime>,
    /// When the member was first heard of.
    pub created_at: NaiveDateTime,
    /// The levels that are held, with their ends, as JSON: what the door reads.
    pub held: String,
    /// The version that `held` is of; where it is not the latest, `held` tells nothing.
    pub held_version: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = access, treat_none_as_default_value = false)]
struct AccessRow {
    site_id: String,
    member_id: String,
    level: String,
    since: NaiveDateTime,
    until: Option<NaiveDateTime>,
}

impl AccessRow {
    fn held(self) -> (String, Held) {
        let until = self.until.map(|until| until.and_utc());
        (self.member_id, Held { level: self.level, since: self.since.and_utc(), until })
    }
}

#[derive(Insertable)]
#[diesel(table_name = leads, treat_none_as_default_value = false)]
struct LeadRow {
    site_id: String,
    lead_key: String,
    email: Option<String>,
}

/// The recorded addresses of some leads; a lead that is not known is left out.
pub fn emails_of(
    conn: &mut Conn,
    site_id: &str,
    keys: &[LeadKey],
) -> Result<BTreeMap<LeadKey, Option<String>>> {
    let mut found = BTreeMap::new();
    for keys in keys.chunks(IN_MAX) {
        let rows: Vec<(String, Option<String>)> = leads::table
            .filter(leads::site_id.eq(site_id))
            .filter(leads::lead_key.eq_any(keys.iter().map(|key| key.0.as_str())))
            .select((leads::lead_key, leads::email))
            .load(conn)?;
        found.extend(rows.into_iter().map(|(key, email)| (LeadKey(key), email)));
    }
    Ok(found)
}

/// Removes leads, and writes others in their place or anew.
pub fn replace_leads(
    conn: &mut Conn,
    site_id: &str,
    gone: &[LeadKey],
    come: &[(LeadKey, Option<String>)],
) -> Result<()> {
    for gone in gone.chunks(IN_MAX) {
        diesel::delete(leads::table)
            .filter(leads::site_id.eq(site_id))
            .filter(leads::lead_key.eq_any(gone.iter().map(|key| key.0.as_str())))
            .execute(conn)?;
    }
    let row = |(LeadKey(lead_key), email): &(LeadKey, Option<String>)| LeadRow {
        site_id: site_id.to_owned(),
        lead_key: lead_key.clone(),
        email: email.clone(),
    };
    let rows: Vec<LeadRow> = come.iter().map(row).collect();
    insert_set!(conn, leads, &rows, { site_id: Text, lead_key: Text, email: Nullable<Text> });
    Ok(())
}

/// The leads whose current address is one of these.
pub fn leads_of(
    conn: &mut Conn,
    site_id: &str,
    emails: &[String],
) -> Result<Vec<(LeadKey, String)>> {
    let mut found = Vec::new();
    for emails in emails.chunks(IN_MAX) {
        let rows: Vec<(String, Option<String>)> = leads::table
            .filter(leads::site_id.eq(site_id))
            .filter(leads::email.eq_any(emails))
            .select((leads::lead_key, leads::email))
            .load(conn)?;
        found.extend(rows.into_iter().filter_map(|(key, email)| Some((LeadKey(key), email?))));
    }
    Ok(found)
}

/// The keys of a site's leads, after one, in order.
pub fn lead_keys_after(
    conn: &mut Conn,
    site_id: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<LeadKey>> {
    let keys: Vec<String> = leads::table
        .filter(leads::site_id.eq(site_id))
        .filter(leads::lead_key.gt(after))
        .select(leads::lead_key)
        .order(leads::lead_key)
        .limit(limit)
        .load(conn)?;
    Ok(keys.into_iter().map(LeadKey).collect())
}

/// The members with some addresses.
pub fn with_emails(conn: &mut Conn, site_id: &str, emails: &[String]) -> Result<Vec<Member>> {
    let mut found = Vec::new();
    for emails in emails.chunks(IN_MAX) {
        found.extend(
            members::table
                .filter(members::site_id.eq(site_id))
                .filter(members::email.eq_any(emails))
                .select(Member::as_select())
                .load(conn)?,
        );
    }
    Ok(found)
}

/// One member by address.
pub fn with_email(conn: &mut Conn, site_id: &str, email: &str) -> Result<Option<Member>> {
    let found =
        members::table.filter(members::site_id.eq(site_id)).filter(members::email.eq(email));
    Ok(found.select(Member::as_select()).first(conn).optional()?)
}

/// One member by id.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Member>> {
    Ok(members::table.find((site_id, id)).select(Member::as_select()).first(conn).optional()?)
}

/// The members with some ids.
pub fn with_ids(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Member>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows =
            members::table.filter(members::site_id.eq(site_id)).filter(members::id.eq_any(ids));
        found.extend(rows.order(members::id).select(Member::as_select()).load::<Member>(conn)?);
    }
    Ok(found)
}

/// Adds members.
pub fn insert(conn: &mut Conn, rows: &[Member]) -> Result<()> {
    insert_set!(conn, members, rows, {
        site_id: Text,
        id: Text,
        email: Text,
        version: BigInt,
        next_change_at: Nullable<Timestamp>,
        created_at: Timestamp,
        held: Text,
        held_version: BigInt,
    });
    Ok(())
}

/// Writes what a computation left of some members of a site, as a set.
pub fn update(conn: &mut Conn, site_id: &str, rows: &[Member]) -> Result<()> {
    match conn {
        Conn::Sqlite(c) => {
            for member in rows {
                let set = (
                    members::version.eq(member.version),
                    members::next_change_at.eq(member.next_change_at),
                    members::held.eq(&member.held),
                    members::held_version.eq(member.held_version),
                );
                diesel::update(members::table.find((site_id, &member.id))).set(set).execute(c)?;
            }
        }
        Conn::Postgres(c) => {
            for rows in rows.chunks(sets::SET_ROWS_MAX) {
                let ids: Vec<&String> = rows.iter().map(|member| &member.id).collect();
                let versions: Vec<i64> = rows.iter().map(|member| member.version).collect();
                let ends: Vec<_> = rows.iter().map(|member| member.next_change_at).collect();
                let held: Vec<&String> = rows.iter().map(|member| &member.held).collect();
                let held_versions: Vec<i64> = rows.iter().map(|row| row.held_version).collect();
                let columns = ["version", "next_change_at", "held", "held_version"];
                diesel::sql_query(sets::update("members", &columns, None))
                    .bind::<Text, _>(site_id)
                    .bind::<Array<Text>, _>(ids)
                    .bind::<Array<BigInt>, _>(versions)
                    .bind::<Array<Nullable<Timestamp>>, _>(ends)
                    .bind::<Array<Text>, _>(held)
                    .bind::<Array<BigInt>, _>(held_versions)
                    .execute(c)?;
            }
        }
    }
    Ok(())
}

/// The members of a site whose access changes by time alone until an instant, earliest first.
pub fn due(conn: &mut Conn, site_id: &str, now: Instant, limit: i64) -> Result<Vec<Member>> {
    let due = members::table
        .filter(members::site_id.eq(site_id))
        .filter(members::next_change_at.le(stored(now)))
        .order((members::next_change_at, members::id))
        .limit(limit);
    Ok(due.select(Member::as_select()).load(conn)?)
}

/// The members of a site whose access changes by time alone at all, earliest first.
pub fn coming(conn: &mut Conn, site_id: &str, limit: i64) -> Result<Vec<Member>> {
    let coming = members::table
        .filter(members::site_id.eq(site_id))
        .filter(members::next_change_at.is_not_null())
        .order((members::next_change_at, members::id))
        .limit(limit);
    Ok(coming.select(Member::as_select()).load(conn)?)
}

/// When the next member of a site is due.
pub fn next_due_at(conn: &mut Conn, site_id: &str) -> Result<Option<Instant>> {
    let earliest = members::table
        .filter(members::site_id.eq(site_id))
        .filter(members::next_change_at.is_not_null())
        .order(members::next_change_at)
        .select(members::next_change_at)
        .first::<Option<NaiveDateTime>>(conn)
        .optional()?;
    Ok(earliest.flatten().map(|at| at.and_utc()))
}

/// Members before an id, newest first: ids are in the order of their making.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Member>> {
    let mut query = members::table
        .filter(members::site_id.eq(site_id))
        .select(Member::as_select())
        .order(members::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(members::id.lt(before));
    }
    Ok(query.load(conn)?)
}

/// Members before an id who are recorded to hold a level, newest first.
pub fn holders(
    conn: &mut Conn,
    site_id: &str,
    level: &str,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Member>> {
    let mut ids = access::table
        .filter(access::site_id.eq(site_id))
        .filter(access::level.eq(level))
        .select(access::member_id)
        .order(access::member_id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        ids = ids.filter(access::member_id.lt(before));
    }
    // In two steps: as a join, PostgreSQL may read all holders to show a few.
    let ids: Vec<String> = ids.load(conn)?;
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows = members::table
            .filter(members::site_id.eq(site_id))
            .filter(members::id.eq_any(ids))
            .select(Member::as_select());
        found.extend(rows.load::<Member>(conn)?);
    }
    found.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(found)
}

/// A site's members after one, by id.
pub fn ids_after(conn: &mut Conn, site_id: &str, after: &str, limit: i64) -> Result<Vec<Member>> {
    let rows = members::table
        .filter(members::site_id.eq(site_id))
        .filter(members::id.gt(after))
        .order(members::id)
        .limit(limit);
    Ok(rows.select(Member::as_select()).load(conn)?)
}

/// The access that is recorded of some members.
pub fn recorded(
    conn: &mut Conn,
    site_id: &str,
    member_ids: &[String],
) -> Result<BTreeMap<String, Vec<Held>>> {
    let mut found: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for ids in member_ids.chunks(IN_MAX) {
        let rows: Vec<AccessRow> = access::table
            .filter(access::site_id.eq(site_id))
            .filter(access::member_id.eq_any(ids))
            .order((access::member_id, access::level))
            .select(AccessRow::as_select())
            .load(conn)?;
        for row in rows {
            let (member, held) = row.held();
            found.entry(member).or_default().push(held);
        }
    }
    Ok(found)
}

/// The access of some members that is to be recorded in place of what was.
#[derive(Debug, Default)]
pub struct NewAccess {
    /// Whose rows go: of the others there are none.
    gone: Vec<String>,
    come: Vec<(String, Held)>,
    /// How many more members hold each level than did.
    more: BTreeMap<String, i64>,
}

impl NewAccess {
    /// Takes what a member holds now in place of what was recorded.
    pub fn replace(&mut self, member_id: &str, before: &[Held], after: Vec<Held>) {
        if !before.is_empty() {
            self.gone.push(member_id.to_owned());
        }
        for (held, more) in before.iter().map(|h| (h, -1)).chain(after.iter().map(|h| (h, 1))) {
            *self.more.entry(held.level.clone()).or_default() += more;
        }
        self.come.extend(after.into_iter().map(|held| (member_id.to_owned(), held)));
    }
}

/// Records access, and how many hold each level.
pub fn record(conn: &mut Conn, site_id: &str, held: &NewAccess) -> Result<()> {
    for gone in held.gone.chunks(IN_MAX) {
        diesel::delete(access::table)
            .filter(access::site_id.eq(site_id))
            .filter(access::member_id.eq_any(gone))
            .execute(conn)?;
    }
    let row = |(member_id, held): &(String, Held)| AccessRow {
        site_id: site_id.to_owned(),
        member_id: member_id.clone(),
        level: held.level.clone(),
        since: stored(held.since),
        until: held.until.map(stored),
    };
    let rows: Vec<AccessRow> = held.come.iter().map(row).collect();
    insert_set!(conn, access, &rows, {
        site_id: Text,
        member_id: Text,
        level: Text,
        since: Timestamp,
        until: Nullable<Timestamp>,
    });
    level_counts::add(conn, site_id, &held.more)
}
