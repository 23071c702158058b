//! What the door asks: all that is recorded of one address and one level, in one statement.
//!
//! One statement is a snapshot of its own, so that it needs no transaction around it; every table in it
//! is looked into by its key, and only one of them grows with the members.

use super::Result;
use super::conn::{Conn, on_backend};
use super::held::{self, Access};
use super::schema::{levels, members, sites};
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
    /// Whether the member holds the level, and until when; `None` where that does not stand beside the
    /// address, as a process of an older release has recorded it.
    pub access: Option<Access>,
}

/// Of the member: when access next changes by itself, the version, what is held, and of which version that is.
type OfMember = (Option<NaiveDateTime>, i64, String, i64);

/// What is recorded of an address and a level; `None` where there is no such site.
pub fn recorded(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    level: &str,
) -> Result<Option<Recorded>> {
    let the_level = levels::site_id.eq(sites::id).and(levels::id.eq(level.to_owned()));
    let member = members::site_id.eq(sites::id).and(members::email.eq(email.to_owned()));
    let rows = sites::table
        .left_join(levels::table.on(the_level))
        .left_join(members::table.on(member))
        .filter(sites::id.eq(site_id))
        .filter(sites::deleted_at.is_null())
        .select((
            levels::id.nullable().is_not_null(),
            (members::next_change_at, members::version, members::held, members::held_version)
                .nullable(),
        ));
    // Not `first`, whose LIMIT is bound: SQLite plans anew whenever such a value is bound, which costs
    // more than all the rest. There is one row at most.
    let row: Option<(bool, Option<OfMember>)> =
        on_backend!(conn, |c| rows.get_result(c)).optional()?;
    Ok(row.map(|(level_is_known, member)| Recorded {
        level_is_known,
        next_change_at: member.as_ref().and_then(|member| member.0).map(|at| at.and_utc()),
        access: member.map_or(Some(Access::default()), |member| access(&member, level)),
    }))
}

fn access((_, version, text, held_version): &OfMember, level: &str) -> Option<Access> {
    if version == held_version { held::access(text, level) } else { None }
}
