//! What the door asks: all that is recorded of one address and one level, in one statement.
//!
//! One statement is a snapshot of its own, so that it needs no transaction around it; every table in it
//! is looked into by its key.

use super::Result;
use super::conn::{Conn, on_backend};
use super::schema::{access, levels, members, sites};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// What is recorded of an address and a level, on a site that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the site has the level.
    pub level_is_known: bool,
    /// When the member's access next changes by time alone: at it, and past it, what is recorded tells
    /// nothing. `None` where it does not, or the address is nobody's.
    pub next_change_at: Option<Instant>,
    /// Whether the member holds the level.
    pub is_held: bool,
    /// The level's end; `None` where none is known, or the level is not held.
    pub until: Option<Instant>,
}

type Row = (bool, Option<NaiveDateTime>, bool, Option<NaiveDateTime>);

/// What is recorded of an address and a level; `None` where there is no such site.
pub fn recorded(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    level: &str,
) -> Result<Option<Recorded>> {
    let the_level = levels::site_id.eq(sites::id).and(levels::id.eq(level.to_owned()));
    let member = members::site_id.eq(sites::id).and(members::email.eq(email.to_owned()));
    let held = access::site_id
        .eq(sites::id)
        .and(access::member_id.eq(members::id))
        .and(access::level.eq(levels::id));
    let rows = sites::table
        .left_join(levels::table.on(the_level))
        .left_join(members::table.on(member))
        .left_join(access::table.on(held))
        .filter(sites::id.eq(site_id))
        .filter(sites::deleted_at.is_null())
        .select((
            levels::id.nullable().is_not_null(),
            members::next_change_at.nullable(),
            access::level.nullable().is_not_null(),
            access::until.nullable(),
        ));
    // Not `first`, whose LIMIT is bound: SQLite plans anew whenever such a value is bound, which costs
    // more than all the rest. There is one row at most.
    let row: Option<Row> = on_backend!(conn, |c| rows.get_result(c)).optional()?;
    Ok(row.map(|(level_is_known, next_change_at, is_held, until)| Recorded {
        level_is_known,
        next_change_at: next_change_at.map(|at| at.and_utc()),
        is_held,
        until: until.map(|at| at.and_utc()),
    }))
}
