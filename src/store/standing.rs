//! What waits at each site, and what needs somebody: asked for metrics, of all sites at once.

use super::conn::Conn;
use super::{Result, stored};
use crate::core::Instant;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamp};

/// How many webhooks of one status, how many levels that are held open, and how many pushes, are counted for one site: nobody works through more by hand, and
/// a count has to cost the same however many there are.
const COUNTED_MAX: i64 = 100_000;

/// What waits at one site, and what needs somebody.
#[derive(Debug, Clone, QueryableByName)]
pub struct Standing {
    /// The site.
    #[diesel(sql_type = Text)]
    pub site_id: String,
    /// Whether anything of it is applied.
    #[diesel(sql_type = Bool)]
    pub enabled: bool,
    /// Webhooks that wait to be applied.
    #[diesel(sql_type = BigInt)]
    pub pending: i64,
    /// When the first of them was or will be due.
    #[diesel(sql_type = Nullable<Timestamp>)]
    pub due_since: Option<NaiveDateTime>,
    /// When the first of those that have failed was received: each failure moves when it is due.
    #[diesel(sql_type = Nullable<Timestamp>)]
    pub failed_since: Option<NaiveDateTime>,
    /// When the earliest end was or will be due.
    #[diesel(sql_type = Nullable<Timestamp>)]
    pub next_end_at: Option<NaiveDateTime>,
    /// Webhooks by the status that needs somebody.
    #[diesel(sql_type = BigInt)]
    pub held: i64,
    /// Reversals of nothing known.
    #[diesel(sql_type = BigInt)]
    pub unmatched: i64,
    /// Those that hold no event.
    #[diesel(sql_type = BigInt)]
    pub unreadable: i64,
    /// IPNs whose secret is not the site's.
    #[diesel(sql_type = BigInt)]
    pub rejected: i64,
    /// Errors of ours.
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Levels of members that are held open.
    #[diesel(sql_type = BigInt)]
    pub held_open: i64,
    /// Pushes that wait for their first attempt, or are under way.
    #[diesel(sql_type = BigInt)]
    pub pushes_pending: i64,
    /// Pushes that are tried again.
    #[diesel(sql_type = BigInt)]
    pub pushes_retrying: i64,
    /// Pushes that are not tried again by themselves.
    #[diesel(sql_type = BigInt)]
    pub pushes_failed: i64,
}

/// What waits at every site that is not deleted. Each number is read off an index, for each site alone.
pub fn of_all_sites(conn: &mut Conn) -> Result<Vec<Standing>> {
    let with = |status: &str| {
        let of = format!("w.site_id = s.id AND w.status = '{status}'");
        format!("{} AS {status}", counted(&of))
    };
    let pushes = |status: &str| {
        format!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM pushes p WHERE p.site_id = s.id AND p.status = '{status}' \
             LIMIT {COUNTED_MAX}) counted) AS pushes_{status}"
        )
    };
    let query = format!(
        "SELECT s.id AS site_id, s.enabled AS enabled, {} AS pending, \
         (SELECT MIN(w.next_attempt_at) FROM webhooks w \
          WHERE w.site_id = s.id AND w.next_attempt_at IS NOT NULL) AS due_since, \
         (SELECT w.received_at FROM webhooks w \
          WHERE w.site_id = s.id AND w.status = 'failed' ORDER BY w.id LIMIT 1) AS failed_since, \
         (SELECT MIN(m.next_change_at) FROM members m \
          WHERE m.site_id = s.id AND m.next_change_at IS NOT NULL) AS next_end_at, \
         {}, {}, {}, {}, {}, {}, {}, {}, \
         (SELECT COUNT(*) FROM (SELECT 1 FROM overrides o WHERE o.site_id = s.id \
          AND o.held_open_number IS NOT NULL AND o.ended_at IS NULL LIMIT {COUNTED_MAX}) counted) AS held_open \
         FROM sites s \
         WHERE s.deleted_at IS NULL ORDER BY s.id",
        counted("w.site_id = s.id AND w.next_attempt_at IS NOT NULL"),
        with("held"),
        with("unmatched"),
        with("unreadable"),
        with("rejected"),
        with("failed"),
        pushes("pending"),
        pushes("retrying"),
        pushes("failed"),
    );
    Ok(sql_query(query).load(conn)?)
}

fn counted(of: &str) -> String {
    format!(
        "(SELECT COUNT(*) FROM (SELECT 1 FROM webhooks w WHERE {of} LIMIT {COUNTED_MAX}) counted)"
    )
}

impl Standing {
    /// Since when the webhook waits that has waited longest; `None` where none does. What was asked to be
    /// judged again waits from then on, and what fails has waited since its receipt.
    #[must_use]
    pub fn waiting_since(&self) -> Option<NaiveDateTime> {
        self.due_since.into_iter().chain(self.failed_since).min()
    }

    /// How many whole seconds something that was due at an instant is late; 0 where nothing is
    /// worked on anyway.
    pub fn late(&self, due_at: Option<NaiveDateTime>, now: Instant) -> i64 {
        let due_at = due_at.filter(|_| self.enabled);
        due_at.map_or(0, |due_at| (stored(now) - due_at).num_seconds().max(0))
    }
}
