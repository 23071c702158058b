//! Products: what Kartra sells, as far as money events have named it, and what operators have decided about each.

use super::conn::{Conn, on_backend};
use super::schema::{mappings, products};
use super::{IN_MAX, Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::dsl::exists;
use diesel::prelude::*;
use std::collections::BTreeSet;

/// Whether operators have decided about a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No mapping names it.
    Unmapped,
    /// A mapping names it.
    Mapped,
    /// An operator ignores it: it holds nothing.
    Ignored,
}

impl Status {
    /// Its word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Mapped => "mapped",
            Self::Ignored => "ignored",
        }
    }
}

/// A Kartra product, discovered when a money event first named it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = products)]
pub struct Product {
    /// The site.
    pub site_id: String,
    /// Kartra's id.
    pub product_id: String,
    /// The name that its latest event gave it.
    pub name: Option<String>,
    /// When that event occurred.
    pub named_at: Option<NaiveDateTime>,
    /// The word of its status: as [`decide`] has left it.
    pub status: String,
    /// When it was first named.
    pub first_seen_at: NaiveDateTime,
    /// When it was last named.
    pub last_seen_at: NaiveDateTime,
}

impl Product {
    /// Whether operators have decided about it.
    #[must_use]
    pub fn status(&self) -> Status {
        let all = [Status::Mapped, Status::Ignored];
        all.into_iter().find(|status| status.as_str() == self.status).unwrap_or(Status::Unmapped)
    }
}

/// Some products by id.
pub fn with_ids(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Product>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IN_MAX) {
        found.extend(
            products::table
                .filter(products::site_id.eq(site_id))
                .filter(products::product_id.eq_any(ids))
                .select(Product::as_select())
                .load(conn)?,
        );
    }
    Ok(found)
}

/// Writes products, in place of what was known of them.
pub fn replace(conn: &mut Conn, site_id: &str, rows: &[Product]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids = rows.iter().map(|row| row.product_id.as_str());
    diesel::delete(products::table)
        .filter(products::site_id.eq(site_id))
        .filter(products::product_id.eq_any(ids))
        .execute(conn)?;
    on_backend!(conn, |c| diesel::insert_into(products::table).values(rows).execute(c))?;
    Ok(())
}

/// Writes down what is decided about a product, after its mappings have changed or somebody has decided whether to ignore
/// it. What nobody has bought yet has no row to write it into.
pub fn decide(conn: &mut Conn, site_id: &str, product_id: &str, ignored: bool) -> Result<()> {
    let naming = mappings::table
        .filter(mappings::site_id.eq(site_id))
        .filter(mappings::product_id.eq(product_id));
    let status = match () {
        () if ignored => Status::Ignored,
        () if diesel::select(exists(naming)).get_result(conn)? => Status::Mapped,
        () => Status::Unmapped,
    };
    diesel::update(products::table.find((site_id, product_id)))
        .filter(products::status.ne(status.as_str()))
        .set(products::status.eq(status.as_str()))
        .execute(conn)?;
    Ok(())
}

/// The products of a site that the operator ignores.
pub fn ignored(conn: &mut Conn, site_id: &str) -> Result<BTreeSet<String>> {
    let ids = products::table
        .filter(products::site_id.eq(site_id))
        .filter(products::status.eq(Status::Ignored.as_str()))
        .select(products::product_id);
    Ok(ids.load(conn)?.into_iter().collect())
}

/// Products, newest first, before a (`first_seen_at`, id); with `status`, only those.
pub fn list(
    conn: &mut Conn,
    site_id: &str,
    status: Option<Status>,
    before: Option<(NaiveDateTime, String)>,
    limit: i64,
) -> Result<Vec<Product>> {
    let mut query = products::table
        .filter(products::site_id.eq(site_id.to_owned()))
        .select(Product::as_select())
        .order((products::first_seen_at.desc(), products::product_id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(status) = status {
        query = query.filter(products::status.eq(status.as_str()));
    }
    if let Some((at, id)) = before {
        let earlier = products::first_seen_at.lt(at).or(products::product_id.lt(id));
        query = query.filter(products::first_seen_at.le(at)).filter(earlier);
    }
    Ok(query.load(conn)?)
}

/// When something was seen, as the database keeps it.
pub fn seen(at: Instant) -> NaiveDateTime {
    stored(at)
}
