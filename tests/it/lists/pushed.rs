//! Many destinations, and many pushes to the first of them.

use super::{MANY, PAGE, at, id};
use latchkey::core::push::Status;
use latchkey::store::Result;
use latchkey::store::conn::Conn;
use latchkey::store::destinations::{self, Destination, State};
use latchkey::store::pushes::{self, Push, Wanted};

fn destination(number: i64) -> Destination {
    Destination {
        site_id: id(0),
        id: id(number),
        kind: "webhook".to_owned(),
        name: id(number),
        enabled: true,
        config: "{}".to_owned(),
        secrets: None,
        levels: Vec::new(),
        types: Vec::new(),
        calls_per_second: None,
        concurrency: None,
        state: State::Ok,
        detail: None,
        down_since: None,
        failures: 0,
        paused_until: None,
        secret_before_until: None,
        next_drift_at: None,
        version: 1,
        created_at: at(number),
    }
}

/// A push of a member to the first destination.
fn push(number: i64) -> Push {
    Push::of_member(&destination(0), id(number), &id(number), "dana@x.example", 1, at(number))
}

/// Makes them.
pub fn fill(conn: &mut Conn) -> Result<()> {
    for number in 0..MANY {
        destinations::insert(conn, &destination(number))?;
    }
    pushes::want(conn, &(0..MANY).map(push).collect::<Vec<_>>())
}

/// A page of pushes.
pub fn page(conn: &mut Conn, status: Option<Status>, before: Option<String>) -> Result<Vec<Push>> {
    let wanted = Wanted { status, before, ..Wanted::default() };
    Ok(pushes::list(conn, &id(0), &wanted, PAGE)?.0)
}
