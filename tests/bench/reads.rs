//! The hot path: may this member come in?

use super::grown::Grown;
use super::kartra::email;
use super::report::{Table, Target};
use super::server::KEY;
use super::{Arguments, http, load};
use std::cell::Cell;

/// Measures reads beside an answer that asks no database.
pub fn measure(arguments: &Arguments, grown: &Grown<'_>, table: &mut Table) -> anyhow::Result<()> {
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
    let of = |request: &dyn Fn() -> Vec<u8>| {
        let (address, seconds) = (&grown.server.address, arguments.seconds / 2.0);
        load::closed(address, arguments.connections, seconds, request)
    };
    of(&live)?;
    let (live, access, known) = (of(&live)?, of(&access)?, of(&known)?);
    table.note("/livez answered a second", live.rate(), "/s");
    table.note(format!("access answered a second, of {members} members"), access.rate(), "/s");
    table.note("… p99", access.millis(0.99), "ms");
    table.note("… answered 304 a second, to who knows the answer", known.rate(), "/s");
    table.ratio("access answered to /livez", access.rate() / live.rate(), Target::AtLeast(0.4));
    Ok(())
}
