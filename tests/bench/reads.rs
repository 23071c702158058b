//! The hot path: may this member come in?

use super::database::Database;
use super::grown::Grown;
use super::kartra::email;
use super::load::{self, Loaded};
use super::report::{Table, Target};
use super::server::KEY;
use super::{Arguments, http};
use std::cell::Cell;

/// How many slices of each load take turns: a machine is not equally fast at every moment.
const SLICES: u32 = 4;

/// Measures reads beside an answer that asks no database.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    grown: &Grown<'_>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let members = arguments.members;
    let next = Cell::new(0);
    let live = || http::get("/livez", KEY, "");
    let door = |more: &str| {
        // Each member once, far from the one before.
        next.set((next.get() + 7_919) % members);
        let email = email(next.get() + 1);
        http::get(&format!("/api/v1/sites/default/access?email={email}&level=gold"), KEY, more)
    };
    let (access, known) = (|| door(""), || door("If-None-Match: *\r\n"));
    let slice = arguments.seconds / 2.0 / f64::from(SLICES);
    let of = |request: &dyn Fn() -> Vec<u8>| {
        load::closed(&grown.server.address, arguments.connections, slice, request)
    };
    for warm_up in [&live as &dyn Fn() -> Vec<u8>, &access] {
        of(warm_up)?;
    }
    let (live, access, known) = {
        let mut all = [Loaded::none(), Loaded::none(), Loaded::none()];
        for _ in 0..SLICES {
            all[0].add(&of(&live)?)?;
            all[1].add(&of(&access)?)?;
            all[2].add(&of(&known)?)?;
        }
        all.into()
    };
    table.note("/livez answered a second", live.rate(), "/s");
    table.note(format!("access answered a second, of {members} members"), access.rate(), "/s");
    table.note("… p99", access.millis(0.99), "ms");
    table.note("… answered 304 a second, to who knows the answer", known.rate(), "/s");
    // PostgreSQL is a network away: what it answers is reported, and bound to nothing.
    let least = if matches!(database, Database::Sqlite) { 0.4 } else { 0.0 };
    table.ratio("access answered to /livez", access.rate() / live.rate(), Target::AtLeast(least));
    Ok(())
}
