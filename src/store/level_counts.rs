//! How many members hold each level, and how many have lost it of late: kept up to date, so that nobody has to
//! count members.

use super::Result;
use super::conn::Conn;
use super::schema::{access, level_counts, level_losses};
use crate::core::breaker::Losses;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use std::collections::{BTreeMap, BTreeSet};

/// Adds to how many members hold each level.
pub fn add(conn: &mut Conn, site_id: &str, more: &BTreeMap<String, i64>) -> Result<()> {
    for (level, more) in more.iter().filter(|(_, more)| **more != 0) {
        let add = "INSERT INTO level_counts (site_id, level, members) VALUES ($1, $2, $3) \
                   ON CONFLICT (site_id, level) DO UPDATE SET members = level_counts.members + excluded.members";
        sql_query(add)
            .bind::<Text, _>(site_id)
            .bind::<Text, _>(level)
            .bind::<BigInt, _>(*more)
            .execute(conn)?;
    }
    Ok(())
}

/// How many members hold each of some levels; one that nobody has ever held is left out.
pub fn of(conn: &mut Conn, site_id: &str, levels: &[String]) -> Result<BTreeMap<String, i64>> {
    let counts = level_counts::table
        .filter(level_counts::site_id.eq(site_id))
        .filter(level_counts::level.eq_any(levels))
        .select((level_counts::level, level_counts::members));
    Ok(counts.load(conn)?.into_iter().collect())
}

/// How many members hold each level of a site; a level that nobody holds is left out.
pub fn all(conn: &mut Conn, site_id: &str) -> Result<BTreeMap<String, i64>> {
    let counts = level_counts::table
        .filter(level_counts::site_id.eq(site_id))
        .filter(level_counts::members.ne(0))
        .select((level_counts::level, level_counts::members));
    Ok(counts.load(conn)?.into_iter().collect())
}

/// The same, counted anew.
fn counted(conn: &mut Conn, site_id: &str) -> Result<BTreeMap<String, i64>> {
    let counts = access::table
        .filter(access::site_id.eq(site_id))
        .group_by(access::level)
        .select((access::level, diesel::dsl::count_star()));
    Ok(counts.load(conn)?.into_iter().collect())
}

/// The levels of a site of which another number of members is noted than hold it.
pub fn wrong(conn: &mut Conn, site_id: &str) -> Result<BTreeSet<String>> {
    let (noted, counted) = (all(conn, site_id)?, counted(conn, site_id)?);
    let mut levels: BTreeSet<String> = noted.keys().chain(counted.keys()).cloned().collect();
    levels.retain(|level| noted.get(level) != counted.get(level));
    Ok(levels)
}

/// Makes the counts of a site again.
pub fn recount(conn: &mut Conn, site_id: &str) -> Result<()> {
    let counts = counted(conn, site_id)?;
    diesel::delete(level_counts::table.filter(level_counts::site_id.eq(site_id))).execute(conn)?;
    add(conn, site_id, &counts)
}

/// What has become of some levels from a minute on.
pub fn losses(
    conn: &mut Conn,
    site_id: &str,
    levels: &[String],
    first_minute: i64,
) -> Result<BTreeMap<String, Losses>> {
    let mut found: BTreeMap<String, Losses> = BTreeMap::new();
    for (level, members) in of(conn, site_id, levels)? {
        found.entry(level).or_default().members = members;
    }
    for level in levels {
        let lost = level_losses::table
            .filter(level_losses::site_id.eq(site_id))
            .filter(level_losses::level.eq(level))
            .filter(level_losses::minute.ge(first_minute))
            .select((level_losses::revoked, level_losses::parked));
        let lost: Vec<(i64, i64)> = lost.load(conn)?;
        let losses = found.entry(level.clone()).or_default();
        for (revoked, parked) in lost {
            losses.revoked += revoked;
            losses.parked += parked;
        }
    }
    Ok(found)
}

/// Notes that so many members have lost a level in a minute, and so many would have; what was before another
/// minute is forgotten.
pub fn lose(
    conn: &mut Conn,
    site_id: &str,
    level: &str,
    minute: i64,
    first_minute: i64,
    (revoked, parked): (i64, i64),
) -> Result<()> {
    let over = level_losses::table
        .filter(level_losses::site_id.eq(site_id))
        .filter(level_losses::level.eq(level))
        .filter(level_losses::minute.lt(first_minute));
    diesel::delete(over).execute(conn)?;
    let add = "INSERT INTO level_losses (site_id, level, minute, revoked, parked) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (site_id, level, minute) DO UPDATE \
               SET revoked = level_losses.revoked + excluded.revoked, parked = level_losses.parked + excluded.parked";
    sql_query(add)
        .bind::<Text, _>(site_id)
        .bind::<Text, _>(level)
        .bind::<BigInt, _>(minute)
        .bind::<BigInt, _>(revoked)
        .bind::<BigInt, _>(parked)
        .execute(conn)?;
    Ok(())
}
