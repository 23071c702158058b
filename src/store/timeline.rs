//! What is known of one person, kind by kind, each in the order in which it happened.
//!
//! A page costs in proportion to what is known of the person, and nothing of it grows with the site: no
//! index is kept for a list that people look at now and then.

use super::changes::Change;
use super::conn::Conn;
use super::schema::{changes, events, leads, webhooks};
use super::webhooks::Webhook;
use super::{Result, from_json};
use crate::core::event::{EventId, Observation};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A place in the order: behind an instant, or behind one of the things that lie at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The instant.
    pub at: NaiveDateTime,
    /// Of what lies at that instant, only what has a greater id: with an empty one all of it; `None` takes
    /// none of it.
    pub id: Option<&'a str>,
}

/// An event that bears on a person.
#[derive(Debug, Clone)]
pub struct Occurred {
    /// Its id.
    pub id: EventId,
    /// What its observations say.
    pub said: Observation,
    /// When it took effect.
    pub occurred_at: NaiveDateTime,
    /// The purchase that it belongs to; `None` for what is unmatched or about no money.
    pub purchase_id: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct Row {
    id: String,
    said: String,
    occurred_at: NaiveDateTime,
    purchase_id: Option<String>,
}

/// The events that bear on the member with an address: those of the leads that it has now, and whatever
/// names it.
macro_rules! of_person {
    ($site_id:expr, $email:expr) => {
        events::site_id.eq($site_id).and(
            events::lead_key
                .eq_any(
                    leads::table
                        .filter(leads::site_id.eq($site_id))
                        .filter(leads::email.eq($email))
                        .select(leads::lead_key.nullable()),
                )
                .or(events::profile_email.eq($email))
                .or(events::transaction_email.eq($email)),
        )
    };
}

/// Narrows a query to what lies behind a place, by its instant and its id.
macro_rules! behind {
    ($query:expr, $place:expr, $at:expr, $id:expr, $read:expr) => {
        match $place {
            None => $query,
            Some(Place { at, id: None }) => $query.filter($at.gt(at)),
            Some(Place { at, id: Some(id) }) => {
                $query.filter($at.gt(at).or($at.eq(at).and($id.gt($read(id)))))
            }
        }
    };
}

/// Events of a person behind a place, oldest first.
pub fn events(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    place: Option<Place<'_>>,
    limit: i64,
) -> Result<Vec<Occurred>> {
    let query = events::table
        .filter(of_person!(site_id.to_owned(), email.to_owned()))
        .select(Row::as_select())
        .order((events::occurred_at, events::id))
        .limit(limit)
        .into_boxed();
    let query = behind!(query, place, events::occurred_at, events::id, str::to_owned);
    let read = |row: Row| {
        Ok(Occurred {
            said: from_json("an event", &row.said)?,
            id: EventId(row.id),
            occurred_at: row.occurred_at,
            purchase_id: row.purchase_id,
        })
    };
    query.load::<Row>(conn)?.into_iter().map(read).collect()
}

/// Webhooks that tell of events of a person, behind a place, oldest first.
pub fn webhooks(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    place: Option<Place<'_>>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    let theirs = events::table
        .filter(of_person!(site_id.to_owned(), email.to_owned()))
        .select(events::id.nullable());
    let query = webhooks::table
        .filter(webhooks::site_id.eq(site_id.to_owned()))
        .filter(webhooks::event_id.eq_any(theirs))
        .select(Webhook::as_select())
        .order((webhooks::received_at, webhooks::id))
        .limit(limit)
        .into_boxed();
    let query = behind!(query, place, webhooks::received_at, webhooks::id, str::to_owned);
    Ok(query.load(conn)?)
}

/// Changes of a member behind a place, in the order of the instants at which access took these steps. The
/// id of a change is its position.
pub fn changes(
    conn: &mut Conn,
    site_id: &str,
    member_id: &str,
    place: Option<Place<'_>>,
    limit: i64,
) -> Result<Vec<Change>> {
    let position = |id: &str| id.parse::<i64>().unwrap_or_default();
    let query = changes::table
        .filter(changes::site_id.eq(site_id.to_owned()))
        .filter(changes::member_id.eq(member_id.to_owned()))
        .select(Change::as_select())
        .order((changes::at, changes::position))
        .limit(limit)
        .into_boxed();
    let query = behind!(query, place, changes::at, changes::position, position);
    Ok(query.load(conn)?)
}
