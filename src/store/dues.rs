//! The payments that are expected of subscriptions, and those that have not come.

use super::conn::Conn;
use super::schema::{events, leads, purchases, sites};
use super::{IN_MAX, Result, StoreError, from_json, stored};
use crate::core::Instant;
use crate::core::event::Kind;
use crate::core::grant::Folded;
use crate::core::link::PurchaseId;
use chrono::NaiveDateTime;
use diesel::dsl::max;
use diesel::prelude::*;
use std::collections::BTreeMap;

/// A subscription whose payment has not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// What it gives, and where it stands.
    pub purchase: Folded,
    /// When its payment was expected.
    pub due_at: Instant,
    /// The address of whoever it belongs to; `None` while none is known.
    pub email: Option<String>,
    /// When it was paid last.
    pub paid_at: Option<Instant>,
}

/// The subscriptions whose payment was expected by an instant, the latest first, before one.
pub fn overdue(
    conn: &mut Conn,
    site_id: &str,
    by: Instant,
    before: Option<(NaiveDateTime, String)>,
    limit: i64,
) -> Result<Vec<Overdue>> {
    let mut due = purchases::table
        .filter(purchases::site_id.eq(site_id))
        .filter(purchases::payment_due_at.is_not_null())
        .filter(purchases::payment_due_at.le(stored(by)))
        .select((purchases::folded, purchases::payment_due_at))
        .order((purchases::payment_due_at.desc(), purchases::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = before {
        // The first condition is where the walk along the index begins; of one instant, the second parts.
        let earlier = purchases::payment_due_at.lt(at).or(purchases::id.lt(id));
        due = due.filter(purchases::payment_due_at.le(at)).filter(earlier);
    }
    let rows: Vec<(String, Option<NaiveDateTime>)> = due.load(conn)?;
    let mut found = Vec::with_capacity(rows.len());
    for (folded, due_at) in rows {
        let due_at = due_at.map(|at| at.and_utc());
        let purchase = Folded { payment_due_at: due_at, ..from_json("a purchase", &folded)? };
        let due_at = due_at.ok_or_else(|| StoreError::Corrupt("a due payment".to_owned()))?;
        found.push(Overdue { purchase, due_at, email: None, paid_at: None });
    }
    tell_more(conn, site_id, &mut found)?;
    Ok(found)
}

/// Adds whose they are, and when they were paid.
fn tell_more(conn: &mut Conn, site_id: &str, found: &mut [Overdue]) -> Result<()> {
    for found in found.chunks_mut(IN_MAX) {
        let keys = found.iter().map(|overdue| overdue.purchase.lead.0.clone());
        let emails: BTreeMap<String, Option<String>> = leads::table
            .filter(leads::site_id.eq(site_id))
            .filter(leads::lead_key.eq_any(keys.collect::<Vec<_>>()))
            .select((leads::lead_key, leads::email))
            .load(conn)?
            .into_iter()
            .collect();
        let ids = found.iter().map(|overdue| overdue.purchase.id.0.clone());
        let paid: Vec<(Option<String>, Option<NaiveDateTime>)> = events::table
            .filter(events::site_id.eq(site_id))
            .filter(events::purchase_id.eq_any(ids.collect::<Vec<_>>()))
            .filter(events::kind.eq_any([Kind::Sale.as_str(), Kind::Rebill.as_str()]))
            .group_by(events::purchase_id)
            .select((events::purchase_id, max(events::occurred_at)))
            .load(conn)?;
        let paid: BTreeMap<Option<String>, Option<NaiveDateTime>> = paid.into_iter().collect();
        for overdue in found {
            overdue.email = emails.get(&overdue.purchase.lead.0).cloned().flatten();
            let paid_at = paid.get(&Some(overdue.purchase.id.0.clone())).copied().flatten();
            overdue.paid_at = paid_at.map(|at| at.and_utc());
        }
    }
    Ok(())
}

/// The sites with purchases of which it has not been worked out when their next payment is expected, as
/// they were there before that was asked; with the last purchase of which it was.
pub fn unasked_sites(conn: &mut Conn) -> Result<Vec<(String, String)>> {
    let unasked = sites::table
        .filter(sites::dues_reached.is_not_null())
        .filter(sites::deleted_at.is_null())
        .select((sites::id, sites::dues_reached));
    let unasked: Vec<(String, Option<String>)> = unasked.order(sites::id).load(conn)?;
    Ok(unasked.into_iter().filter_map(|(id, reached)| Some((id, reached?))).collect())
}

/// Notes up to which purchase of a site it has been worked out; `None` when it is of all.
pub fn reach(conn: &mut Conn, site_id: &str, reached: Option<&str>) -> Result<()> {
    let to = sites::dues_reached.eq(reached);
    diesel::update(sites::table.find(site_id)).set(to).execute(conn)?;
    Ok(())
}

/// Writes when the next payment of a purchase is expected.
pub fn set(conn: &mut Conn, site_id: &str, id: &PurchaseId, due: Option<Instant>) -> Result<()> {
    let to = purchases::payment_due_at.eq(due.map(stored));
    diesel::update(purchases::table.find((site_id, &id.0))).set(to).execute(conn)?;
    Ok(())
}
