//! The hot path: may this member come in?

use super::database::Database;
use super::grown::{Grown, SITE};
use super::kartra::email;
use super::load::{self, Loaded};
use super::report::{Table, Target};
use super::server::KEY;
use super::{Arguments, http};
use std::cell::Cell;

/// How many slices of each load take turns: a machine is not equally fast at every moment.
const SLICES: u32 = 4;
/// How far apart those are who are asked about one after the other: a prime.
const FAR: u32 = 7_919;
/// How many answers of the door there have to be for each of `/livez`, which asks no database.
const DOOR_MIN: f64 = 0.4;

/// Whoever asks at the door, for each member once, far from the one before.
pub struct Asker {
    members: u32,
    next: Cell<u32>,
}

impl Asker {
    /// Of a site with so many members.
    pub fn of(members: u32) -> Self {
        Self { members, next: Cell::new(0) }
    }

    /// The next question; `more` are headers, each with the end of its line.
    pub fn question(&self, more: &str) -> Vec<u8> {
        self.next.set((self.next.get() + FAR) % self.members);
        let email = email(self.next.get() + 1);
        http::get(&format!("{SITE}/access?email={email}&level=gold"), KEY, more)
    }
}

/// Measures reads beside an answer that asks no database.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    grown: &Grown<'_>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let members = arguments.members;
    let asker = Asker::of(members);
    let live = || http::get("/livez", KEY, "");
    let (access, known) = (|| asker.question(""), || asker.question("If-None-Match: *\r\n"));
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
    let (name, to_live) = ("access answered to /livez", access.rate() / live.rate());
    match database {
        Database::Sqlite => table.ratio(name, to_live, Target::AtLeast(DOOR_MIN)),
        // PostgreSQL is a network away: what it answers is reported, and bound to nothing.
        Database::Postgres(_) | Database::PostgresAt(_) => table.compared(name, to_live),
    }
    Ok(())
}
