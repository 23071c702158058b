//! When a site has been without a webhook for longer than usual.

use crate::core::Instant;
use crate::core::kartra::Feed;
use crate::store::conn::Conn;
use crate::store::{Result, connection};
use chrono::TimeDelta;

/// How far back pauses between webhooks tell what is usual.
const USUAL_OF: TimeDelta = TimeDelta::days(28);
/// A site is silent after this many times the longest pause that is usual …
const TIMES_USUAL: i32 = 3;
/// … but never before this.
const SILENT_AFTER_MIN: TimeDelta = TimeDelta::days(1);

/// Everything that Kartra may be heard by.
const FEEDS: [Feed; 3] = [Feed::Outbound, Feed::Ipn, Feed::Unknown];

/// Since when a site is silent; `None` where it is not, or has never been spoken to.
pub fn silent_since(conn: &mut Conn, site_id: &str, now: Instant) -> Result<Option<Instant>> {
    let mut last = None;
    for feed in FEEDS {
        last = last.max(connection::last_by(conn, site_id, feed.as_str())?);
    }
    Ok(match last {
        Some(last) if is_silent(conn, site_id, last, now)? => Some(last),
        _ => None,
    })
}

/// Whether a site has been without a webhook for longer than three times the longest pause of the
/// last 28 days, and for longer than a day.
pub fn is_silent(conn: &mut Conn, site_id: &str, last: Instant, now: Instant) -> Result<bool> {
    if now - last <= SILENT_AFTER_MIN {
        return Ok(false);
    }
    // Shorter pauses than this cannot put off the silence.
    let least = SILENT_AFTER_MIN / TIMES_USUAL;
    let feeds = FEEDS.map(Feed::as_str);
    let longest = connection::longest_gap(conn, site_id, &feeds, now - USUAL_OF, least)?;
    Ok(longest.is_none_or(|longest| now - last > longest * TIMES_USUAL))
}
