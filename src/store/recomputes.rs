//! The work that a change of rules leaves behind.

use super::conn::Conn;
use super::schema::recomputes;
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// Which purchases are computed again, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = recomputes)]
pub struct Recompute {
    /// The site.
    pub site_id: String,
    /// Opaque id.
    pub id: String,
    /// The product concerned; `None` for every purchase of the site.
    pub product_id: Option<String>,
    /// Whether the dates of the events have to be read anew, too.
    pub reread_dates: bool,
    /// What led to it.
    pub cause_kind: String,
    /// Which one.
    pub cause_id: String,
    /// How many members are concerned.
    pub members: i64,
    /// How many of them are done; all of them once it is finished.
    pub done: i64,
    /// The last purchase that was computed again, or the number up to which it has been decided.
    pub reached: String,
    /// When it was asked for.
    pub created_at: NaiveDateTime,
    /// When it was finished; `None` while it is not.
    pub finished_at: Option<NaiveDateTime>,
    /// The plan that led to it; `None` where nobody saw beforehand what it would do.
    pub plan_id: Option<String>,
    /// What is decided about what is held open; `None` where purchases are computed again.
    pub decides: Option<String>,
    /// The number up to which that is decided.
    pub decides_up_to: Option<i64>,
}

/// Asks for a recompute.
pub fn insert(conn: &mut Conn, recompute: &Recompute) -> Result<()> {
    diesel::insert_into(recomputes::table).values(recompute).execute(conn)?;
    Ok(())
}

/// One recompute.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Recompute>> {
    Ok(recomputes::table
        .find((site_id, id))
        .select(Recompute::as_select())
        .first(conn)
        .optional()?)
}

/// The oldest recompute of a site that is not finished.
pub fn next(conn: &mut Conn, site_id: &str) -> Result<Option<Recompute>> {
    let open = recomputes::table
        .filter(recomputes::site_id.eq(site_id))
        .filter(recomputes::finished_at.is_null())
        .order((recomputes::created_at, recomputes::id));
    Ok(open.select(Recompute::as_select()).first(conn).optional()?)
}

/// Notes how far a recompute got.
pub fn advance(conn: &mut Conn, site_id: &str, id: &str, reached: &str, done: i64) -> Result<()> {
    let set = (recomputes::reached.eq(reached), recomputes::done.eq(done));
    diesel::update(recomputes::table.find((site_id, id))).set(set).execute(conn)?;
    Ok(())
}

/// Notes that a recompute is finished: done is all of its members.
pub fn finish(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let set = (recomputes::done.eq(recomputes::members), recomputes::finished_at.eq(stored(at)));
    diesel::update(recomputes::table.find((site_id, id))).set(set).execute(conn)?;
    Ok(())
}

/// Notes that nobody has seen what the open recomputes of a site will do: the rules have changed since.
pub fn unsee(conn: &mut Conn, site_id: &str) -> Result<()> {
    let open = recomputes::table
        .filter(recomputes::site_id.eq(site_id))
        .filter(recomputes::finished_at.is_null());
    diesel::update(open).set(recomputes::plan_id.eq(None::<String>)).execute(conn)?;
    Ok(())
}

/// Gives up the open recomputes of a site: something else computes all of it again. What an operator has decided
/// about what is held open goes on.
pub fn give_up(conn: &mut Conn, site_id: &str, at: Instant) -> Result<()> {
    let open = recomputes::table
        .filter(recomputes::site_id.eq(site_id))
        .filter(recomputes::decides.is_null())
        .filter(recomputes::finished_at.is_null());
    let set = (recomputes::done.eq(recomputes::members), recomputes::finished_at.eq(stored(at)));
    diesel::update(open).set(set).execute(conn)?;
    Ok(())
}
