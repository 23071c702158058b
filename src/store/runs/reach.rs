//! Whom a run goes over: the members who hold a level that the destination is told of, and those of whom something is
//! remembered there; nobody, where it is told of no access.

use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::destinations::Destination;
use crate::store::pushes::ACCESS;
use crate::store::schema::{access, pushes};
use diesel::dsl::{count, exists, not};
use diesel::prelude::*;
use std::collections::BTreeSet;

/// What nothing of ours is remembered as.
const NOTHING: &str = "[]";

/// The next of them after one, by id, at most so many.
pub fn after(
    conn: &mut Conn,
    destination: &Destination,
    reached: &str,
    limit: i64,
) -> Result<Vec<String>> {
    if !destination.wants(ACCESS) {
        return Ok(Vec::new());
    }
    let (site_id, destination_id) = (&destination.site_id, &destination.id);
    let mut found: BTreeSet<String> = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::destination_id.eq(destination_id))
        .filter(pushes::subject.gt(reached))
        .filter(pushes::what.eq(ACCESS))
        .filter(pushes::remote_id.is_not_null().or(pushes::owned.ne(NOTHING)))
        .order(pushes::subject)
        .limit(limit)
        .select(pushes::subject)
        .load::<String>(conn)?
        .into_iter()
        .collect();
    // One walk along an index for each level, as a list of levels would have it sorted.
    for level in levels(destination) {
        let mut holders = access::table
            .filter(access::site_id.eq(site_id))
            .filter(access::member_id.gt(reached))
            .order(access::member_id)
            .limit(limit)
            .select(access::member_id)
            .distinct()
            .into_boxed();
        if let Some(level) = level {
            holders = holders.filter(access::level.eq(level));
        }
        found.extend(holders.load::<String>(conn)?);
    }
    Ok(found.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

/// The levels that it is told of; one `None` for all of them.
fn levels(destination: &Destination) -> Vec<Option<&str>> {
    match destination.levels.as_slice() {
        [] => vec![None],
        named => named.iter().map(|named| Some(named.level.as_str())).collect(),
    }
}

/// How many they are.
pub fn number(conn: &mut Conn, destination: &Destination) -> Result<i64> {
    if !destination.wants(ACCESS) {
        return Ok(0);
    }
    let (site_id, destination_id) = (&destination.site_id, &destination.id);
    let named: Vec<&str> = levels(destination).into_iter().flatten().collect();
    let all = named.is_empty();
    let mut holders = access::table
        .filter(access::site_id.eq(site_id))
        .select(count(access::member_id).aggregate_distinct())
        .into_boxed();
    if !all {
        holders = holders.filter(access::level.eq_any(named.clone()));
    }
    let holders: i64 = holders.first(conn)?;
    let holds = access::table
        .filter(access::site_id.eq(pushes::site_id))
        .filter(access::member_id.eq(pushes::subject));
    let remembered = pushes::table
        .filter(pushes::site_id.eq(site_id))
        .filter(pushes::destination_id.eq(destination_id))
        .filter(pushes::what.eq(ACCESS))
        .filter(pushes::remote_id.is_not_null().or(pushes::owned.ne(NOTHING)));
    let others: i64 = if all {
        remembered.filter(not(exists(holds))).count().get_result(conn)?
    } else {
        let holds = holds.filter(access::level.eq_any(named));
        remembered.filter(not(exists(holds))).count().get_result(conn)?
    };
    Ok(holders + others)
}
