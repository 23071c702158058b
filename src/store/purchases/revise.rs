//! Purchases that are folded anew and stay: only what differs is written. A rebill moves a date of its purchase, and
//! a mapping what it gives; neither moves the entries of the indexes that find it.

use super::{Row, Stored, TermRow, delete_terms, insert_terms};
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::schema::purchases;
use crate::store::sets::{SET_ROWS_MAX, update};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamp};

/// A purchase as it is recorded, and as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// As it is recorded.
    pub before: Stored,
    /// As it is now, under the same id.
    pub after: Stored,
}

/// Every column but those of the key.
const COLUMNS: [&str; 12] = [
    "lead_key",
    "product_id",
    "price_point",
    "status",
    "started_at",
    "first_payment",
    "terms",
    "folded",
    "standing",
    "held_from",
    "held_until",
    "payment_due_at",
];

/// The columns that differ. SQLite writes the entries of an index anew as soon as a statement names one of its
/// columns, whether or not the value is another.
#[derive(AsChangeset)]
#[diesel(table_name = purchases)]
struct Difference<'a> {
    lead_key: Option<&'a String>,
    product_id: Option<&'a String>,
    price_point: Option<Option<&'a str>>,
    status: Option<&'a String>,
    started_at: Option<NaiveDateTime>,
    first_payment: Option<&'a String>,
    terms: Option<&'a String>,
    folded: Option<&'a String>,
    standing: Option<&'a String>,
    held_from: Option<Option<NaiveDateTime>>,
    held_until: Option<Option<NaiveDateTime>>,
    payment_due_at: Option<Option<NaiveDateTime>>,
}

/// A value, where it is another than before.
fn other<T: PartialEq>(before: &T, after: T) -> Option<T> {
    (*before != after).then_some(after)
}

impl<'a> Difference<'a> {
    fn between(before: &'a Row, after: &'a Row) -> Self {
        Self {
            lead_key: other(&&before.lead_key, &after.lead_key),
            product_id: other(&&before.product_id, &after.product_id),
            price_point: other(&before.price_point.as_deref(), after.price_point.as_deref()),
            status: other(&&before.status, &after.status),
            started_at: other(&before.started_at, after.started_at),
            first_payment: other(&&before.first_payment, &after.first_payment),
            terms: other(&&before.terms, &after.terms),
            folded: other(&&before.folded, &after.folded),
            standing: other(&&before.standing, &after.standing),
            held_from: other(&before.held_from, after.held_from),
            held_until: other(&before.held_until, after.held_until),
            payment_due_at: other(&before.payment_due_at, after.payment_due_at),
        }
    }
}

/// Writes what differs of some purchases that are recorded.
pub fn revise(conn: &mut Conn, site_id: &str, revisions: &[Revision]) -> Result<()> {
    let rows = |of: fn(&Revision) -> &Stored| {
        let rows = revisions.iter().map(|revision| Row::of(site_id, of(revision)));
        rows.collect::<Result<Vec<Row>>>()
    };
    let (before, after) = (rows(|revision| &revision.before)?, rows(|revision| &revision.after)?);
    let differing: Vec<(&Row, &Row)> =
        before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    match conn {
        Conn::Sqlite(c) => {
            for (before, after) in differing {
                diesel::update(purchases::table.find((site_id, &after.id)))
                    .set(Difference::between(before, after))
                    .execute(c)?;
            }
        }
        Conn::Postgres(c) => {
            let rows: Vec<&Row> = differing.into_iter().map(|(_, after)| after).collect();
            for rows in rows.chunks(SET_ROWS_MAX) {
                revise_set(c, site_id, rows)?;
            }
        }
    }
    revise_terms(conn, site_id, revisions)
}

/// The same as a set.
fn revise_set(conn: &mut PgConnection, site_id: &str, rows: &[&Row]) -> Result<()> {
    macro_rules! array {
        ($column:ident) => {
            rows.iter().map(|row| &row.$column).collect::<Vec<_>>()
        };
    }
    diesel::sql_query(update("purchases", &COLUMNS, None))
        .bind::<Text, _>(site_id)
        .bind::<Array<Text>, _>(array!(id))
        .bind::<Array<Text>, _>(array!(lead_key))
        .bind::<Array<Text>, _>(array!(product_id))
        .bind::<Array<Nullable<Text>>, _>(array!(price_point))
        .bind::<Array<Text>, _>(array!(status))
        .bind::<Array<Timestamp>, _>(array!(started_at))
        .bind::<Array<Text>, _>(array!(first_payment))
        .bind::<Array<Text>, _>(array!(terms))
        .bind::<Array<Text>, _>(array!(folded))
        .bind::<Array<Text>, _>(array!(standing))
        .bind::<Array<Nullable<Timestamp>>, _>(array!(held_from))
        .bind::<Array<Nullable<Timestamp>>, _>(array!(held_until))
        .bind::<Array<Nullable<Timestamp>>, _>(array!(payment_due_at))
        .execute(conn)?;
    Ok(())
}

/// Writes the terms anew of those purchases that have others.
fn revise_terms(conn: &mut Conn, site_id: &str, revisions: &[Revision]) -> Result<()> {
    let has_others = |revision: &&Revision| {
        !TermRow::of(site_id, &revision.before).eq(TermRow::of(site_id, &revision.after))
    };
    let revised: Vec<&Stored> =
        revisions.iter().filter(has_others).map(|revision| &revision.after).collect();
    let ids: Vec<_> = revised.iter().map(|purchase| purchase.outline.id.clone()).collect();
    delete_terms(conn, site_id, &ids)?;
    insert_terms(conn, site_id, revised.into_iter())
}
