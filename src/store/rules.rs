//! What operators decide for a site: levels and mappings.

use super::conn::Conn;
use super::schema::{levels, mappings};
use super::{Result, from_json, stored, to_json};
use crate::core::mapping::Mapping;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::BTreeMap;

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
