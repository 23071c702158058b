//! Says, in the transaction of a change, which destinations have to carry it: there is no change without its push,
//! and no push without its change. What a push says is read when it is sent.

use super::settle::Bench;
use crate::core::event::LeadKey;
use crate::ids;
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination};
use crate::store::pushes::{self, ACCESS, Push};
use crate::store::{Result, events, members};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The type of message about a person who has another address.
const EMAIL_CHANGED: &str = "member.email_changed";
/// The type of message about a product that is heard of for the first time.
const PRODUCT_DISCOVERED: &str = "product.discovered";

/// How long what is due of an old address waits, so that its account goes on under the new one rather than be emptied.
const MOVES_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// A member of whom something was recorded.
pub(super) struct Moved {
    pub(super) member_id: String,
    pub(super) email: String,
    /// The levels that came, went, or have another end.
    pub(super) levels: Vec<String>,
}

/// A lead whose address has changed.
pub(super) struct Readdressed {
    pub(super) lead: LeadKey,
    pub(super) from: String,
    pub(super) to: String,
}

/// Wants the members of whom something was recorded to be carried to each destination that it concerns.
pub(super) fn want(conn: &mut Conn, bench: &Bench, moved: &[Moved]) -> Result<()> {
    if bench.site.destinations == 0 || moved.is_empty() {
        return Ok(());
    }
    let all = destinations::of_site(conn, &bench.site.id)?;
    let mut rows = Vec::new();
    for destination in all.iter().filter(|destination| destination.wants(ACCESS)) {
        let concerned = moved
            .iter()
            .filter(|moved| moved.levels.iter().any(|level| destination.is_told_of(level)));
        rows.extend(concerned.map(|moved| wanted(bench, destination, moved)));
    }
    pushes::want(conn, &rows)
}

fn wanted(bench: &Bench, destination: &Destination, moved: &Moved) -> Push {
    let Moved { member_id, email, .. } = moved;
    Push::of_member(
        destination,
        ids::new(),
        member_id,
        email,
        bench.site.feed_position,
        bench.now(),
    )
}

/// Tells of leads whose address has changed; an account that a destination has for the old one goes on under the new
/// one, if that is vouched for: who could claim another's address otherwise would get their account.
pub(super) fn readdressed(conn: &mut Conn, bench: &Bench, moves: &[Readdressed]) -> Result<()> {
    if bench.site.destinations == 0 || moves.is_empty() {
        return Ok(());
    }
    let site_id = &bench.site.id;
    let told = moves.iter().map(|m| json!({ "site": site_id, "from": m.from, "to": m.to }));
    tell(conn, bench, EMAIL_CHANGED, &told.collect::<Vec<_>>())?;
    let emails: Vec<String> = moves.iter().flat_map(|m| [m.from.clone(), m.to.clone()]).collect();
    let known = members::with_emails(conn, site_id, &emails)?;
    let ids: BTreeMap<String, String> = known.into_iter().map(|m| (m.email, m.id)).collect();
    for m in moves {
        let (Some(from), Some(to)) = (ids.get(&m.from), ids.get(&m.to)) else { continue };
        if !events::is_address_vouched(conn, site_id, &m.lead, &m.to)? {
            continue;
        }
        let there = pushes::of_subject(conn, site_id, from)?;
        let moved = Moved { member_id: to.clone(), email: m.to.clone(), levels: Vec::new() };
        let mut rows = Vec::new();
        for push in there.iter().filter(|push| push.remote_id.is_some()) {
            let destination = destinations::get(conn, site_id, &push.destination_id)?;
            rows.extend(destination.map(|destination| wanted(bench, &destination, &moved)));
        }
        pushes::want(conn, &rows)?;
        pushes::move_account(conn, site_id, (from, to), bench.now() + MOVES_WITHIN)?;
    }
    Ok(())
}

/// Tells of products that are heard of for the first time.
pub(super) fn discovered(
    conn: &mut Conn,
    bench: &Bench,
    products: Vec<(String, Option<String>)>,
) -> Result<()> {
    let site_id = &bench.site.id;
    let told = products.into_iter().map(
        |(product_id, name)| json!({ "site": site_id, "product_id": product_id, "name": name }),
    );
    tell(conn, bench, PRODUCT_DISCOVERED, &told.collect::<Vec<_>>())
}

/// Tells every destination that wants it of something.
fn tell(conn: &mut Conn, bench: &Bench, what: &str, told: &[Value]) -> Result<()> {
    if bench.site.destinations == 0 || told.is_empty() {
        return Ok(());
    }
    let all = destinations::of_site(conn, &bench.site.id)?;
    let at = bench.now();
    let timestamp = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let mut rows = Vec::new();
    for destination in all.iter().filter(|destination| destination.wants(what)) {
        for data in told {
            let message = json!({ "type": what, "timestamp": timestamp, "data": data });
            rows.push(Push::of_message(destination, ids::new(), what, message.to_string(), at));
        }
    }
    pushes::want(conn, &rows)
}
