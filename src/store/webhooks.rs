//! Webhooks: stored before they are applied, listed, set aside.

use super::conn::Conn;
use super::schema::webhooks;
use super::sets::insert_set;
use super::{Result, bodies, stored};
use crate::core::Instant;
use crate::core::kartra::Feed;
use chrono::NaiveDateTime;
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, Nullable, SmallInt, Text, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WebhookStatus")]
pub enum Status {
    /// Stored, not processed yet.
    Pending,
    /// A money event of a purchase that some mapping names, whether or not access moved.
    Applied,
    /// No mapping names its product and price point.
    Held,
    /// Its event was known.
    Duplicate,
    /// An `other` event, or an ignored product.
    NoEffect,
    /// A reversal of nothing known.
    Unmatched,
    /// It holds no event.
    Unreadable,
    /// An IPN whose secret is not the site's.
    Rejected,
    /// An operator set it aside.
    Discarded,
    /// An error of ours; it is tried again.
    Failed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Applied,
        Self::Held,
        Self::Duplicate,
        Self::NoEffect,
        Self::Unmatched,
        Self::Unreadable,
        Self::Rejected,
        Self::Discarded,
        Self::Failed,
    ];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Held => "held",
            Self::Duplicate => "duplicate",
            Self::NoEffect => "no_effect",
            Self::Unmatched => "unmatched",
            Self::Unreadable => "unreadable",
            Self::Rejected => "rejected",
            Self::Discarded => "discarded",
            Self::Failed => "failed",
        }
    }

    /// The status that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A webhook as intake stores it.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = webhooks, treat_none_as_default_value = false)]
pub struct NewWebhook {
    /// The site that it came to.
    pub site_id: String,
    /// Its id; ids of one process are in the order of receipt.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The feed that it came by.
    pub feed: &'static str,
    /// Its first status.
    pub status: &'static str,
    /// The kind that it reads as.
    pub kind: Option<&'static str>,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// The address that it names.
    pub email: Option<String>,
    /// Why it is unreadable or rejected.
    pub reason: Option<String>,
    /// How many changes it has led to.
    pub changes: i32,
    /// The body, its secret masked; it is stored apart.
    #[diesel(skip_insertion)]
    pub body: Vec<u8>,
    /// SHA-256 of the body as received.
    pub body_hash: Vec<u8>,
    /// A keyed MAC of the secret that it carried.
    pub secret_mac: Option<Vec<u8>>,
    /// How often processing it has failed.
    pub attempts: i32,
    /// When it is to be processed; `None` for what is not.
    pub next_attempt_at: Option<NaiveDateTime>,
    /// How well it is vouched for, as judged at receipt.
    pub vouched: Option<i16>,
    /// What it says, as read at receipt.
    pub said: Option<String>,
}

/// A webhook as it is listed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// When it was received.
    pub received_at: NaiveDateTime,
    /// The feed that it came by.
    pub feed: String,
    /// What became of it.
    pub status: String,
    /// The kind that it reads as.
    pub kind: Option<String>,
    /// Its transaction.
    pub transaction_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// The address that it names.
    pub email: Option<String>,
    /// Why it has the status it has, where there is more to say.
    pub reason: Option<String>,
    /// How many changes it has led to.
    pub changes: i32,
    /// The event that it is an observation of.
    pub event_id: Option<String>,
}

impl Webhook {
    /// Whether it is a test purchase of an operator's, which never counts.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.feed == Feed::Test.as_str()
    }
}

/// Stores what was received, bodies included.
pub fn insert(conn: &mut Conn, rows: &[NewWebhook]) -> Result<()> {
    insert_set!(conn, webhooks, rows, {
        site_id: Text,
        id: Text,
        received_at: Timestamp,
        feed: Text,
        status: Text,
        kind: Nullable<Text>,
        transaction_id: Nullable<Text>,
        product_id: Nullable<Text>,
        email: Nullable<Text>,
        reason: Nullable<Text>,
        changes: Integer,
        body_hash: Binary,
        secret_mac: Nullable<Binary>,
        attempts: Integer,
        next_attempt_at: Nullable<Timestamp>,
        vouched: Nullable<SmallInt>,
        said: Nullable<Text>,
    });
    bodies::insert(conn, rows)
}

/// Notes an error of ours and when to try again. That an operator has restored it stays noted before the error.
pub fn fail(
    conn: &mut Conn,
    site_id: &str,
    id: &str,
    reason: &str,
    attempts: i32,
    at: Instant,
) -> Result<()> {
    let is_restored = webhooks::reason.like(format!("{RESTORED}%"));
    let of_restored = format!("{RESTORED}; {reason}").into_sql::<Nullable<Text>>();
    let set = (
        webhooks::status.eq(Status::Failed.as_str()),
        webhooks::reason.eq(case_when(is_restored, of_restored).otherwise(reason)),
        webhooks::attempts.eq(attempts),
        webhooks::next_attempt_at.eq(stored(at)),
    );
    // Another process may have applied it meanwhile: then it has not failed.
    let still_due = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::id.eq(id))
        .filter(webhooks::next_attempt_at.is_not_null());
    diesel::update(still_due).set(set).execute(conn)?;
    Ok(())
}

/// Makes a webhook due at once, to be judged and applied anew. Until then it stays the observation that
/// it was: what was judged stands. A test never is.
pub fn make_due(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    let set = (
        webhooks::status.eq(Status::Pending.as_str()),
        webhooks::reason.eq(None::<String>),
        webhooks::attempts.eq(0),
        webhooks::next_attempt_at.eq(stored(at)),
    );
    let no_test =
        webhooks::table.find((site_id, id)).filter(webhooks::feed.ne(Feed::Test.as_str()));
    diesel::update(no_test).set(set).execute(conn)?;
    // Of one that is no observation nothing stands.
    let of_nothing = webhooks::table.find((site_id, id)).filter(webhooks::event_id.is_null());
    diesel::update(of_nothing).set(webhooks::vouched.eq(None::<i16>)).execute(conn)?;
    Ok(())
}

/// What stands beside a webhook that an operator has restored, until it is applied; where that has failed, the error
/// stands behind it.
pub const RESTORED: &str = "an operator restored it";

/// Makes a discarded webhook due, and notes that an operator wanted it, which is the cause of what comes of it.
pub fn restore(conn: &mut Conn, site_id: &str, id: &str, at: Instant) -> Result<()> {
    make_due(conn, site_id, id, at)?;
    let noted = webhooks::reason.eq(RESTORED);
    diesel::update(webhooks::table.find((site_id, id))).set(noted).execute(conn)?;
    Ok(())
}

/// Sets a webhook aside: it is no observation any more.
pub fn discard(conn: &mut Conn, site_id: &str, id: &str) -> Result<()> {
    let set = (
        webhooks::status.eq(Status::Discarded.as_str()),
        webhooks::reason.eq(None::<String>),
        webhooks::next_attempt_at.eq(None::<NaiveDateTime>),
        webhooks::event_id.eq(None::<String>),
    );
    diesel::update(webhooks::table.find((site_id, id))).set(set).execute(conn)?;
    Ok(())
}

/// What a list of webhooks is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this status.
    pub status: Option<Status>,
    /// Only those before this id: the cursor.
    pub before: Option<String>,
}

/// Webhooks, newest first.
pub fn list(conn: &mut Conn, site_id: &str, filter: &Filter, limit: i64) -> Result<Vec<Webhook>> {
    let mut query = webhooks::table
        .filter(webhooks::site_id.eq(site_id.to_owned()))
        .select(Webhook::as_select())
        .order(webhooks::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(status) = filter.status {
        query = query.filter(webhooks::status.eq(status.as_str()));
    }
    if let Some(before) = &filter.before {
        query = query.filter(webhooks::id.lt(before.clone()));
    }
    Ok(query.load(conn)?)
}

/// One webhook.
pub fn get(conn: &mut Conn, site_id: &str, id: &str) -> Result<Option<Webhook>> {
    Ok(webhooks::table.find((site_id, id)).select(Webhook::as_select()).first(conn).optional()?)
}

/// How many webhooks of a site wait to be processed.
pub fn backlog(conn: &mut Conn, site_id: &str) -> Result<i64> {
    let waiting = webhooks::table
        .filter(webhooks::site_id.eq(site_id))
        .filter(webhooks::next_attempt_at.is_not_null());
    Ok(waiting.count().get_result(conn)?)
}
