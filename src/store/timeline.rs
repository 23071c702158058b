//! What is known of one person, kind by kind, each in the order in which it happened, or from the end.
//!
//! A page costs in proportion to what is known of the person, and nothing of it grows with the site: no
//! index is kept for a list that people look at now and then.

use super::changes::Change;
use super::conn::Conn;
use super::schema::{changes, events, lead_emails, leads, webhooks};
use super::webhooks::Webhook;
use super::{Result, from_json};
use crate::core::event::{EventId, LeadKey, Observation};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// In which order things are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OrderOfTimeline")]
pub enum Order {
    /// As it happened.
    #[default]
    OldestFirst,
    /// What happened last comes first.
    NewestFirst,
}

/// A place in the order, and what of the things at its instant lies behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The instant.
    pub at: NaiveDateTime,
    /// What of the things that lie at that instant comes, too.
    pub rest: Rest<'a>,
}

/// Some of the things that lie at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest<'a> {
    /// None of them.
    Nothing,
    /// All of them.
    All,
    /// Those behind this id.
    Behind(&'a str),
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

/// Of how many leads that share an address events are told: more than anybody has, and as many as one statement may name.
const LEADS_MAX: i64 = 10_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct Row {
    id: String,
    said: String,
    occurred_at: NaiveDateTime,
    purchase_id: Option<String>,
}

/// The leads of a person: those that have the address now, and those that were ever named with it. They are read first:
/// PostgreSQL goes by the indexes of events where it is told which leads, and through all events of the site where it has
/// to find out meanwhile.
struct Leads {
    /// Those that have it now: all that they did bears on the person.
    now: Vec<String>,
    /// All of them.
    all: Vec<String>,
}

impl Leads {
    fn of(conn: &mut Conn, site_id: &str, email: &str) -> Result<Self> {
        let mut now: Vec<String> = leads::table
            .filter(leads::site_id.eq(site_id))
            .filter(leads::email.eq(email))
            .order(leads::lead_key)
            .limit(LEADS_MAX)
            .select(leads::lead_key)
            .load(conn)?;
        // Its events name the address, so that they are told of in any case.
        now.push(LeadKey::of_address(email).0);
        let named = lead_emails::table
            .filter(lead_emails::site_id.eq(site_id))
            .filter(lead_emails::email.eq(email))
            .order(lead_emails::lead_key)
            .limit(LEADS_MAX)
            .select(lead_emails::lead_key)
            .load::<String>(conn)?;
        let all: BTreeSet<String> = now.iter().cloned().chain(named).collect();
        Ok(Self { now, all: all.into_iter().collect() })
    }
}

/// The events that bear on the member with an address: those of the leads that it has now, and whatever
/// names it.
macro_rules! of_person {
    ($site_id:expr, $email:expr, $leads:expr) => {
        events::site_id.eq($site_id).and(events::lead_key.eq_any($leads.all)).and(
            events::lead_key
                .eq_any($leads.now)
                .or(events::profile_email.eq($email))
                .or(events::transaction_email.eq($email)),
        )
    };
}

/// Puts a query in order, and narrows it to what lies behind a place, by its instant and its id.
macro_rules! behind {
    ($query:expr, $order:expr, $place:expr, $at:expr, $id:expr, $read:expr) => {
        match $order {
            Order::OldestFirst => match $place.map(|place| (place.at, place.rest)) {
                None => $query,
                Some((at, Rest::Nothing)) => $query.filter($at.gt(at)),
                Some((at, Rest::All)) => $query.filter($at.ge(at)),
                Some((at, Rest::Behind(id))) => {
                    $query.filter($at.gt(at).or($at.eq(at).and($id.gt($read(id)))))
                }
            }
            .order(($at, $id)),
            Order::NewestFirst => match $place.map(|place| (place.at, place.rest)) {
                None => $query,
                Some((at, Rest::Nothing)) => $query.filter($at.lt(at)),
                Some((at, Rest::All)) => $query.filter($at.le(at)),
                Some((at, Rest::Behind(id))) => {
                    $query.filter($at.lt(at).or($at.eq(at).and($id.lt($read(id)))))
                }
            }
            .order(($at.desc(), $id.desc())),
        }
    };
}

/// Events of a person behind a place, in order.
pub fn events(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    (order, place): (Order, Option<Place<'_>>),
    limit: i64,
) -> Result<Vec<Occurred>> {
    let leads = Leads::of(conn, site_id, email)?;
    let query = events::table
        .filter(of_person!(site_id.to_owned(), email.to_owned(), leads))
        .select(Row::as_select())
        .limit(limit)
        .into_boxed();
    let query = behind!(query, order, place, events::occurred_at, events::id, str::to_owned);
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

/// Webhooks that tell of events of a person, behind a place, in order.
pub fn webhooks(
    conn: &mut Conn,
    site_id: &str,
    email: &str,
    (order, place): (Order, Option<Place<'_>>),
    limit: i64,
) -> Result<Vec<Webhook>> {
    let leads = Leads::of(conn, site_id, email)?;
    let theirs = events::table
        .filter(of_person!(site_id.to_owned(), email.to_owned(), leads))
        .select(events::id.nullable());
    let query = webhooks::table
        .filter(webhooks::site_id.eq(site_id.to_owned()))
        .filter(webhooks::event_id.eq_any(theirs))
        .select(Webhook::as_select())
        .limit(limit)
        .into_boxed();
    let query = behind!(query, order, place, webhooks::received_at, webhooks::id, str::to_owned);
    Ok(query.load(conn)?)
}

/// Changes of a member behind a place, in the order of the instants at which access took these steps. The
/// id of a change is its position.
pub fn changes(
    conn: &mut Conn,
    site_id: &str,
    member_id: &str,
    (order, place): (Order, Option<Place<'_>>),
    limit: i64,
) -> Result<Vec<Change>> {
    let position = |id: &str| id.parse::<i64>().unwrap_or_default();
    let query = changes::table
        .filter(changes::site_id.eq(site_id.to_owned()))
        .filter(changes::member_id.eq(member_id.to_owned()))
        .select(Change::as_select())
        .limit(limit)
        .into_boxed();
    let query = behind!(query, order, place, changes::at, changes::position, position);
    Ok(query.load(conn)?)
}
