//! Purchases with what they give, as they were folded last.

use super::conn::Conn;
use super::schema::{purchase_terms, purchases};
use super::sets::{insert_missing, insert_set};
use super::webhooks::Status;
use super::{IN_MAX, Result, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::event::{EventId, LeadKey};
use crate::core::grant::Folded;
use crate::core::link::{Outline, PurchaseId, TermOutline};
use crate::core::mapping::Mapping;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Nullable, Text, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

mod revise;

pub use revise::{Revision, revise};

/// One purchase as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What a loose reversal has to know of it.
    pub outline: Outline,
    /// What it gives.
    pub folded: Folded,
    /// What its webhooks are listed as: applied, held or without effect.
    pub standing: Status,
}

#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = purchases, treat_none_as_default_value = false)]
struct Row {
    site_id: String,
    id: String,
    lead_key: String,
    product_id: String,
    price_point: Option<String>,
    status: String,
    started_at: NaiveDateTime,
    first_payment: String,
    terms: String,
    folded: String,
    standing: String,
    held_from: Option<NaiveDateTime>,
    held_until: Option<NaiveDateTime>,
    payment_due_at: Option<NaiveDateTime>,
}

impl Row {
    fn of(site_id: &str, purchase: &Stored) -> Result<Self> {
        let Stored { outline, folded, standing } = purchase;
        let held = folded.hold.as_ref().and_then(|hold| hold.stretches.last());
        Ok(Self {
            site_id: site_id.to_owned(),
            id: outline.id.0.clone(),
            lead_key: outline.lead.0.clone(),
            product_id: folded.product_id.clone(),
            price_point: folded.price_point.clone(),
            status: folded.status.as_str().to_owned(),
            started_at: stored(outline.started_at),
            first_payment: outline.first_payment.0.clone(),
            terms: to_json("a purchase's terms", &outline.terms)?,
            folded: to_json("a purchase", folded)?,
            standing: standing.as_str().to_owned(),
            held_from: held.map(|stretch| stored(stretch.from)),
            held_until: held.and_then(|stretch| stretch.until).map(stored),
            payment_due_at: folded.payment_due_at.map(stored),
        })
    }

    fn read(self) -> Result<Stored> {
        let outline = Outline {
            id: PurchaseId(self.id),
            lead: LeadKey(self.lead_key),
            started_at: self.started_at.and_utc(),
            first_payment: EventId(self.first_payment),
            terms: from_json::<Vec<TermOutline>>("a purchase's terms", &self.terms)?,
        };
        let standing = Status::from_word(&self.standing).unwrap_or(Status::Held);
        let folded = Folded {
            payment_due_at: self.payment_due_at.map(|at| at.and_utc()),
            ..from_json("a purchase", &self.folded)?
        };
        Ok(Stored { outline, folded, standing })
    }
}

#[derive(PartialEq, Insertable)]
#[diesel(table_name = purchase_terms, treat_none_as_default_value = false)]
struct TermRow {
    site_id: String,
    product_id: String,
    purchase_id: String,
    ordinal: i32,
    price_point: Option<String>,
}

impl TermRow {
    fn of(site_id: &str, purchase: &Stored) -> impl Iterator<Item = Self> {
        (0i32..).zip(&purchase.outline.terms).map(|(ordinal, term)| Self {
            site_id: site_id.to_owned(),
            product_id: term.product_id.clone(),
            purchase_id: purchase.outline.id.0.clone(),
            ordinal,
            price_point: term.price_point.clone(),
        })
    }
}

fn read_all(rows: Vec<Row>) -> Result<Vec<Stored>> {
    rows.into_iter().map(Row::read).collect()
}

/// Some purchases by id; those that are not there are left out.
pub fn load(conn: &mut Conn, site_id: &str, ids: &[PurchaseId]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        let rows: Vec<Row> = purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    Ok(found)
}

/// The purchases of some leads.
pub fn of_leads(conn: &mut Conn, site_id: &str, leads: &[LeadKey]) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    for leads in leads.chunks(IN_MAX) {
        let rows: Vec<Row> = purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::lead_key.eq_any(leads.iter().map(|lead| lead.0.as_str())))
            .select(Row::as_select())
            .load(conn)?;
        found.extend(read_all(rows)?);
    }
    found.sort_by(|a, b| a.outline.id.cmp(&b.outline.id));
    Ok(found)
}

/// Removes purchases.
pub fn remove(conn: &mut Conn, site_id: &str, ids: &[PurchaseId]) -> Result<()> {
    for ids in ids.chunks(IN_MAX) {
        diesel::delete(purchases::table)
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .execute(conn)?;
    }
    delete_terms(conn, site_id, ids)
}

/// Writes purchases that are not recorded.
pub fn insert(conn: &mut Conn, site_id: &str, come: &[Stored]) -> Result<()> {
    let rows = come.iter().map(|p| Row::of(site_id, p)).collect::<Result<Vec<_>>>()?;
    insert_set!(conn, purchases, &rows, {
        site_id: Text,
        id: Text,
        lead_key: Text,
        product_id: Text,
        price_point: Nullable<Text>,
        status: Text,
        started_at: Timestamp,
        first_payment: Text,
        terms: Text,
        folded: Text,
        standing: Text,
        held_from: Nullable<Timestamp>,
        held_until: Nullable<Timestamp>,
        payment_due_at: Nullable<Timestamp>,
    });
    insert_terms(conn, site_id, come.iter())
}

/// Removes the terms of some purchases.
fn delete_terms(conn: &mut Conn, site_id: &str, ids: &[PurchaseId]) -> Result<()> {
    for ids in ids.chunks(IN_MAX) {
        diesel::delete(purchase_terms::table)
            .filter(purchase_terms::site_id.eq(site_id))
            .filter(purchase_terms::purchase_id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .execute(conn)?;
    }
    Ok(())
}

/// Writes the terms of some purchases.
fn insert_terms<'a>(
    conn: &mut Conn,
    site_id: &str,
    purchases: impl Iterator<Item = &'a Stored>,
) -> Result<()> {
    let terms: Vec<TermRow> = purchases.flat_map(|p| TermRow::of(site_id, p)).collect();
    // A term may have outlived its purchase; a rebuild, which trusts no row, removes the purchase first.
    insert_missing!(conn, purchase_terms, &terms, {
        site_id: Text,
        product_id: Text,
        purchase_id: Text,
        ordinal: Integer,
        price_point: Nullable<Text>,
    });
    Ok(())
}

/// The ids of the purchases that have a term of a product (or of all purchases), after one, in order.
pub fn ids_after(
    conn: &mut Conn,
    site_id: &str,
    product_id: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<PurchaseId>> {
    let ids: Vec<String> = match product_id {
        Some(product_id) => purchase_terms::table
            .filter(purchase_terms::site_id.eq(site_id))
            .filter(purchase_terms::product_id.eq(product_id))
            .filter(purchase_terms::purchase_id.gt(after))
            .select(purchase_terms::purchase_id)
            .distinct()
            .order(purchase_terms::purchase_id)
            .limit(limit)
            .load(conn)?,
        None => purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::id.gt(after))
            .select(purchases::id)
            .order(purchases::id)
            .limit(limit)
            .load(conn)?,
    };
    Ok(ids.into_iter().map(PurchaseId).collect())
}

/// Those of some purchases that come after one, in the order of the database.
pub fn behind(
    conn: &mut Conn,
    site_id: &str,
    ids: &[PurchaseId],
    after: &str,
) -> Result<BTreeSet<PurchaseId>> {
    let mut behind = BTreeSet::new();
    for ids in ids.chunks(IN_MAX) {
        let found: Vec<String> = purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::id.eq_any(ids.iter().map(|id| id.0.as_str())))
            .filter(purchases::id.gt(after))
            .select(purchases::id)
            .load(conn)?;
        behind.extend(found.into_iter().map(PurchaseId));
    }
    Ok(behind)
}

/// How many members have purchases of some products, or any purchase at all (`None`); each of them once, unless the
/// products are more than one statement takes: then whoever has some of several parts of them is counted with each part.
pub fn count_members(
    conn: &mut Conn,
    site_id: &str,
    product_ids: Option<&[String]>,
) -> Result<i64> {
    use super::schema::leads;
    use diesel::dsl::count;
    let of_site = || {
        purchases::table
            .inner_join(leads::table.on(
                leads::site_id.eq(purchases::site_id).and(leads::lead_key.eq(purchases::lead_key)),
            ))
            .filter(purchases::site_id.eq(site_id))
            .select(count(leads::email).aggregate_distinct())
    };
    let Some(product_ids) = product_ids else { return Ok(of_site().first(conn)?) };
    let mut members = 0;
    for ids in product_ids.chunks(IN_MAX) {
        let with_product = purchase_terms::table
            .filter(purchase_terms::site_id.eq(site_id))
            .filter(purchase_terms::product_id.eq_any(ids))
            .select(purchase_terms::purchase_id);
        let found: i64 = of_site().filter(purchases::id.eq_any(with_product)).first(conn)?;
        members += found;
    }
    Ok(members)
}

/// How many purchases have a term that a mapping names, and started in its window.
pub fn count_in_window(conn: &mut Conn, site_id: &str, mapping: &Mapping) -> Result<i64> {
    use diesel::dsl::count;
    let purchase = purchases::site_id
        .eq(purchase_terms::site_id)
        .and(purchases::id.eq(purchase_terms::purchase_id));
    let mut query = purchase_terms::table
        .inner_join(purchases::table.on(purchase))
        .filter(purchase_terms::site_id.eq(site_id.to_owned()))
        .filter(purchase_terms::product_id.eq(mapping.product_id.clone()))
        .select(count(purchase_terms::purchase_id).aggregate_distinct())
        .into_boxed();
    if let Some(price_point) = mapping.price_point.clone() {
        query = query.filter(purchase_terms::price_point.eq(price_point));
    }
    if let Some(from) = mapping.purchased_from {
        query = query.filter(purchases::started_at.ge(stored(from)));
    }
    if let Some(before) = mapping.purchased_before {
        query = query.filter(purchases::started_at.lt(stored(before)));
    }
    Ok(query.first(conn)?)
}

/// For each of some products: how many purchases are held at an instant, and since when the oldest.
pub fn held_by_product(
    conn: &mut Conn,
    site_id: &str,
    product_ids: &[String],
    at: Instant,
) -> Result<Vec<(String, i64, Option<Instant>)>> {
    let at = stored(at);
    let rows: Vec<(String, i64, Option<NaiveDateTime>)> = purchases::table
        .filter(purchases::site_id.eq(site_id))
        .filter(purchases::product_id.eq_any(product_ids))
        .filter(purchases::held_from.le(at))
        .filter(purchases::held_until.is_null().or(purchases::held_until.gt(at)))
        .group_by(purchases::product_id)
        .select((
            purchases::product_id,
            diesel::dsl::count_star(),
            diesel::dsl::min(purchases::held_from),
        ))
        .load(conn)?;
    let utc = |(product_id, held, oldest): (_, _, Option<NaiveDateTime>)| {
        (product_id, held, oldest.map(|at| at.and_utc()))
    };
    Ok(rows.into_iter().map(utc).collect())
}

/// Those of some purchases that are not found or counted by what they hold: a column or a term is not as
/// it should be.
pub fn misfiled(
    conn: &mut Conn,
    site_id: &str,
    ids: &[PurchaseId],
) -> Result<BTreeSet<PurchaseId>> {
    let mut misfiled = BTreeSet::new();
    for ids in ids.chunks(IN_MAX) {
        let ids = || ids.iter().map(|id| id.0.as_str());
        let rows: Vec<Row> = purchases::table
            .filter(purchases::site_id.eq(site_id))
            .filter(purchases::id.eq_any(ids()))
            .select(Row::as_select())
            .load(conn)?;
        let terms = purchase_terms::table
            .filter(purchase_terms::site_id.eq(site_id))
            .filter(purchase_terms::purchase_id.eq_any(ids()))
            .order((purchase_terms::purchase_id, purchase_terms::ordinal))
            .select((
                purchase_terms::purchase_id,
                purchase_terms::product_id,
                purchase_terms::price_point,
            ));
        let mut counted: BTreeMap<String, Vec<(String, Option<String>)>> = BTreeMap::new();
        for (id, product_id, price_point) in terms.load::<(String, String, Option<String>)>(conn)? {
            counted.entry(id).or_default().push((product_id, price_point));
        }
        for row in rows {
            let counted = counted.remove(&row.id).unwrap_or_default();
            if row.is_misfiled(site_id, &counted)? {
                misfiled.insert(PurchaseId(row.id));
            }
        }
    }
    Ok(misfiled)
}

impl Row {
    /// Whether a column is not as it should be, or the terms that are counted are others.
    fn is_misfiled(&self, site_id: &str, counted: &[(String, Option<String>)]) -> Result<bool> {
        let stored = self.clone().read()?;
        let terms = stored.outline.terms.iter();
        let holds = terms.map(|term| (term.product_id.clone(), term.price_point.clone()));
        let should = Self {
            terms: self.terms.clone(),
            folded: self.folded.clone(),
            ..Self::of(site_id, &stored)?
        };
        Ok(should != *self || !holds.eq(counted.iter().cloned()))
    }
}
