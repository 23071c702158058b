//! The model against scenarios worked out by hand from `semantics.md`: one small tale and its expected levels each.

mod bodies;
mod events;
mod lives;
mod members;
mod statistics;

use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::held::held;
use super::story::{
    Feed, Kind, MappingSpec, Message, OverrideKind, OverrideSpec, Sent, Story, Vouched,
};

/// The start of a day, counted from 1 January 2025 in UTC as day 0.
pub fn day(number: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 1, 1, 0, 0, 0).unwrap() + Duration::days(number)
}

pub fn just_before(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant - Duration::microseconds(1)
}

/// Ann's event of product 501, price point 1, subscription 900, at the start of a day, for 20.00.
pub fn event(kind: Kind, id: &str, on: i64) -> Message {
    let mut message = Message::empty(kind, "");
    message.transaction_id = Some(id.to_owned());
    message.product_id = text("501");
    message.price_point = text("1");
    message.subscription_id = text("900");
    message.date = Some(day(on).naive_utc());
    message.amount = Some(2_000);
    message.lead_id = text("7");
    message.transaction_email = text("ann@example.com");
    message
}

/// A field that says something.
#[expect(clippy::unnecessary_wraps, reason = "the fields it fills are optional")]
pub fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// The message with some of it changed.
pub fn with(mut message: Message, edit: impl FnOnce(&mut Message)) -> Message {
    edit(&mut message);
    message
}

/// A one-time order: an event that names no subscription.
pub fn order(kind: Kind, id: &str, on: i64) -> Message {
    with(event(kind, id, on), |message| message.subscription_id = None)
}

/// A profile event of a lead, which occurs when it is received.
pub fn profile(lead: &str, email: &str) -> Message {
    with(Message::empty(Kind::Other, "assign_tag"), |message| {
        message.lead_id = text(lead);
        message.profile_email = text(email);
    })
}

/// A story in UTC with product 501 mapped to gold under a policy.
pub fn tale(policy: Value) -> Story {
    Story {
        time_zone: Tz::UTC,
        site_policy: json!({}),
        sent: Vec::new(),
        mappings: vec![mapping("501", "gold", policy)],
        overrides: Vec::new(),
        ignored_products: Vec::new(),
    }
}

pub fn mapping(product: &str, level: &str, policy: Value) -> MappingSpec {
    MappingSpec {
        id: format!("{product}-{level}"),
        product_id: product.to_owned(),
        price_point: None,
        level: level.to_owned(),
        enabled: true,
        purchased_from: None,
        purchased_before: None,
        policy,
    }
}

/// An override for Ann that belongs to lead 7.
pub fn made(kind: OverrideKind, level: Option<&str>, on: i64) -> OverrideSpec {
    OverrideSpec {
        kind,
        level: level.map(str::to_owned),
        email: "ann@example.com".to_owned(),
        leads: vec!["7".to_owned()],
        made_at: day(on),
        until: None,
        ended_at: None,
    }
}

impl Story {
    /// Receives the messages at their dates, from an IPN with the right secret.
    pub fn told(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        for message in messages {
            let at = message.date.map_or(day(0), |date| date.and_utc());
            self = self.received(at, Vouched::IpnRight, message);
        }
        self
    }

    /// Receives one message at an instant.
    pub fn received(
        mut self,
        received_at: DateTime<Utc>,
        vouched: Vouched,
        message: Message,
    ) -> Self {
        let feed = if vouched == Vouched::Outbound { Feed::Outbound } else { Feed::Ipn };
        let body = format!("{message:?}").into_bytes();
        self.sent.push(Sent { received_at, feed, vouched, message, body, discarded: false });
        self
    }

    pub fn overridden(mut self, made: OverrideSpec) -> Self {
        self.overrides.push(made);
        self
    }

    pub fn mapped(mut self, mapping: MappingSpec) -> Self {
        self.mappings.push(mapping);
        self
    }

    /// What Ann holds, as words.
    pub fn ann(&self, at: DateTime<Utc>) -> String {
        self.holds("ann@example.com", at)
    }

    pub fn holds(&self, email: &str, at: DateTime<Utc>) -> String {
        held(self, email, at).into_iter().collect::<Vec<_>>().join(" ")
    }
}

/// The levels Ann holds at the start of each of the days.
pub fn on_days<const N: usize>(story: &Story, days: [i64; N]) -> [String; N] {
    days.map(|number| story.ann(day(number)))
}

/// A local time as Kartra writes it.
pub fn local(written: &str) -> NaiveDateTime {
    written.parse().expect("a local time")
}
