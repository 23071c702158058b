//! Very many members, each of whom holds one of two levels.

use super::{MEMBERS, at, id, naive};
use latchkey::core::access::Held;
use latchkey::store::Result;
use latchkey::store::conn::Conn;
use latchkey::store::door::Recorded;
use latchkey::store::members::{self, Member, NewAccess};

/// The address of a member.
pub(super) fn email(number: i64) -> String {
    format!("{}@x.example", id(number))
}

fn held(number: i64) -> Vec<Held> {
    vec![Held { level: id(number % 2), since: at(number), until: None }]
}

fn member(number: i64) -> Member {
    let mut member = Member {
        site_id: id(0),
        id: id(number),
        email: email(number),
        version: 1,
        next_change_at: None,
        created_at: naive(number),
        held: String::new(),
        held_version: 0,
    };
    member.hold(&held(number));
    member
}

/// Records all of them and what they hold.
pub(super) fn fill(conn: &mut Conn) -> Result<()> {
    members::insert(conn, &(0..MEMBERS).map(member).collect::<Vec<_>>())?;
    let mut access = NewAccess::default();
    (0..MEMBERS).for_each(|number| access.replace(&id(number), &[], held(number)));
    members::record(conn, &id(0), &access)
}

/// Whether the door opens by what was found.
pub(super) fn is_let_in(found: Option<Recorded>) -> bool {
    found.and_then(|found| found.access).is_some_and(|access| access.is_held)
}
