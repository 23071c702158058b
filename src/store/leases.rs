//! What one process does at a time.

use super::conn::Conn;
use super::schema::leases;
use super::{Result, stored};
use crate::core::Instant;
use diesel::prelude::*;

/// The look for what is an alarm.
pub const ALARMS: &str = "alarms";

/// Takes something for the time until an instant; answers whether it was to be had. Nobody gives it back:
/// whoever comes after that instant has it next, also where the one before has died.
pub fn take(conn: &mut Conn, name: &str, now: Instant, until: Instant) -> Result<bool> {
    let free = leases::table.find(name).filter(leases::until.le(stored(now)));
    let taken = diesel::update(free).set(leases::until.eq(stored(until))).execute(conn)?;
    Ok(taken == 1)
}

/// Whether something is to be had.
pub fn is_free(conn: &mut Conn, name: &str, now: Instant) -> Result<bool> {
    let free = leases::table.find(name).filter(leases::until.le(stored(now)));
    Ok(free.select(leases::name).first::<String>(conn).optional()?.is_some())
}
