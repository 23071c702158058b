//! What operators decide for a site: levels, mappings, and which products are ignored.

use super::conn::{Conn, on_backend};
use super::schema::{levels, mappings, products};
use super::{IN_MAX, Result, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::mapping::Mapping;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// An access level.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = levels)]
pub struct Level {
    /// The site.
    pub site_id: String,
    /// Its id, such as `gold`.
    pub id: String,
    /// A name to show.
    pub name: String,
    /// When it was made.
    pub created_at: NaiveDateTime,
}

/// Makes a level.
pub fn insert_level(conn: &mut Conn, level: &Level) -> Result<()> {
    diesel::insert_into(levels::table).values(level).execute(conn)?;
    Ok(())
}

/// Writes a level back whole.
pub fn update_level(conn: &mut Conn, level: &Level) -> Result<()> {
    diesel::update(levels::table.find((&level.site_id, &level.id))).set(level).execute(conn)?;
    Ok(())
}

/// One level.
pub fn level(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Level>> {
    Ok(levels::table.find((site_id, id)).select(Level::as_select()).first(conn).optional()?)
}

/// The names of a site's levels, by id.
pub fn level_names(conn: &mut Conn, site_id: &str) -> Result<BTreeMap<String, String>> {
    let names =
        levels::table.filter(levels::site_id.eq(site_id)).select((levels::id, levels::name));
    Ok(names.load::<(String, String)>(conn)?.into_iter().collect())
}

/// Levels, newest first, before a (`created_at`, id).
pub fn list_levels(
    conn: &mut Conn,
    site_id: &str,
    before: Option<(NaiveDateTime, String)>,
    limit: i64,
) -> Result<Vec<Level>> {
    let mut query = levels::table
        .filter(levels::site_id.eq(site_id.to_owned()))
        .select(Level::as_select())
        .order((levels::created_at.desc(), levels::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = before {
        // The first condition is where the walk along the index begins; of one instant, the second parts.
        let earlier = levels::created_at.lt(at).or(levels::id.lt(id));
        query = query.filter(levels::created_at.le(at)).filter(earlier);
    }
    Ok(query.load(conn)?)
}

/// Removes a level.
pub fn delete_level(conn: &mut Conn, site_id: &str, id: &str) -> Result<()> {
    diesel::delete(levels::table.find((site_id, id))).execute(conn)?;
    Ok(())
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = mappings, treat_none_as_null = true)]
struct MappingRow {
    site_id: String,
    id: String,
    product_id: String,
    price_point: Option<String>,
    level: String,
    enabled: bool,
    purchased_from: Option<NaiveDateTime>,
    purchased_before: Option<NaiveDateTime>,
    policy: String,
    version: i64,
}

impl MappingRow {
    fn of(site_id: &str, mapping: &Mapping) -> Result<Self> {
        Ok(Self {
            site_id: site_id.to_owned(),
            id: mapping.id.clone(),
            product_id: mapping.product_id.clone(),
            price_point: mapping.price_point.clone(),
            level: mapping.level.clone(),
            enabled: mapping.enabled,
            purchased_from: mapping.purchased_from.map(stored),
            purchased_before: mapping.purchased_before.map(stored),
            policy: to_json("a mapping's policy", &mapping.policy)?,
            version: mapping.version,
        })
    }

    fn read(self) -> Result<Mapping> {
        Ok(Mapping {
            policy: from_json("a mapping's policy", &self.policy)?,
            id: self.id,
            version: self.version,
            product_id: self.product_id,
            price_point: self.price_point,
            level: self.level,
            enabled: self.enabled,
            purchased_from: self.purchased_from.map(|at| at.and_utc()),
            purchased_before: self.purchased_before.map(|at| at.and_utc()),
        })
    }
}

/// Makes a mapping.
pub fn insert_mapping(conn: &mut Conn, site_id: &str, mapping: &Mapping) -> Result<()> {
    diesel::insert_into(mappings::table).values(MappingRow::of(site_id, mapping)?).execute(conn)?;
    Ok(())
}

/// Writes a mapping back whole.
pub fn update_mapping(conn: &mut Conn, site_id: &str, mapping: &Mapping) -> Result<()> {
    let row = MappingRow::of(site_id, mapping)?;
    diesel::update(mappings::table.find((site_id, &mapping.id))).set(row).execute(conn)?;
    Ok(())
}

/// Removes a mapping.
pub fn delete_mapping(conn: &mut Conn, site_id: &str, id: &str) -> Result<()> {
    diesel::delete(mappings::table.find((site_id, id))).execute(conn)?;
    Ok(())
}

/// One mapping.
pub fn mapping(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Mapping>> {
    let row = mappings::table.find((site_id, id)).select(MappingRow::as_select());
    row.first(conn).optional()?.map(MappingRow::read).transpose()
}

/// Every mapping of a site, oldest first.
pub fn mappings(conn: &mut Conn, site_id: &str) -> Result<Vec<Mapping>> {
    let rows: Vec<MappingRow> = mappings::table
        .filter(mappings::site_id.eq(site_id))
        .order(mappings::id)
        .select(MappingRow::as_select())
        .load(conn)?;
    rows.into_iter().map(MappingRow::read).collect()
}

/// Mappings, newest first, before an id.
pub fn list_mappings(
    conn: &mut Conn,
    site_id: &str,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Mapping>> {
    let mut query = mappings::table
        .filter(mappings::site_id.eq(site_id.to_owned()))
        .select(MappingRow::as_select())
        .order(mappings::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(mappings::id.lt(before.to_owned()));
    }
    query.load(conn)?.into_iter().map(MappingRow::read).collect()
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
    /// Whether the operator ignores it.
    pub ignored: bool,
    /// When it was first named.
    pub first_seen_at: NaiveDateTime,
    /// When it was last named.
    pub last_seen_at: NaiveDateTime,
}

/// Some products by id.
pub fn products(conn: &mut Conn, site_id: &str, ids: &[String]) -> Result<Vec<Product>> {
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
pub fn replace_products(conn: &mut Conn, site_id: &str, rows: &[Product]) -> Result<()> {
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

/// The products of a site that the operator ignores.
pub fn ignored(conn: &mut Conn, site_id: &str) -> Result<BTreeSet<String>> {
    let ids = products::table
        .filter(products::site_id.eq(site_id))
        .filter(products::ignored)
        .select(products::product_id);
    Ok(ids.load(conn)?.into_iter().collect())
}

/// Products, newest first, before a (`first_seen_at`, id).
pub fn list_products(
    conn: &mut Conn,
    site_id: &str,
    before: Option<(NaiveDateTime, String)>,
    limit: i64,
) -> Result<Vec<Product>> {
    let mut query = products::table
        .filter(products::site_id.eq(site_id.to_owned()))
        .select(Product::as_select())
        .order((products::first_seen_at.desc(), products::product_id.desc()))
        .limit(limit)
        .into_boxed();
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
