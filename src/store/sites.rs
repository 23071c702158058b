//! Sites, and the tokens of their webhook URLs.

use super::conn::{Conn, on_backend};
use super::schema::{hooks, members, recomputes, sites, webhooks};
use super::{Result, StoreError, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::breaker::MaxRevocations;
use crate::core::policy::Policy;
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use diesel::dsl::exists;
use diesel::prelude::*;

/// One membership site fed by one Kartra account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// A slug.
    pub id: String,
    /// A name to show.
    pub name: String,
    /// The zone that Kartra's naive dates are read in.
    pub kartra_time_zone: Tz,
    /// A disabled site stores webhooks and applies none.
    pub enabled: bool,
    /// The policy that its mappings start from.
    pub policy: Policy,
    /// The IPN secret, sealed; `None` where none is set.
    pub ipn_secret: Option<Vec<u8>>,
    /// Grows with every edit of the site, its levels, its mappings and what it ignores.
    pub rules_version: i64,
    /// The position of its latest change.
    pub feed_position: i64,
    /// How many may lose a level before the rest is held open; `None` for any number.
    pub max_revocations: Option<MaxRevocations>,
    /// The number of what was held open last.
    pub held_open_position: i64,
    /// When it was made.
    pub created_at: Instant,
    /// How many plans are open: only then is it noted whose access is computed.
    pub plans_open: i64,
    /// The version of the core that works on it: older ones leave it alone.
    pub core_version: i64,
    /// How many destinations it has: only then is it noted whom they have to be brought in line with.
    pub destinations: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sites, treat_none_as_null = true)]
struct Row {
    id: String,
    name: String,
    kartra_time_zone: String,
    enabled: bool,
    policy: String,
    ipn_secret: Option<Vec<u8>>,
    rules_version: i64,
    feed_position: i64,
    max_revocations: String,
    held_open_position: i64,
    created_at: NaiveDateTime,
    plans_open: i64,
    core_version: i64,
    destinations: i64,
}

impl TryFrom<Row> for Site {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let zone = row.kartra_time_zone.parse();
        Ok(Self {
            kartra_time_zone: zone
                .map_err(|_| StoreError::Corrupt(format!("time zone {}", row.kartra_time_zone)))?,
            policy: from_json("a site's policy", &row.policy)?,
            id: row.id,
            name: row.name,
            enabled: row.enabled,
            ipn_secret: row.ipn_secret,
            rules_version: row.rules_version,
            feed_position: row.feed_position,
            max_revocations: from_json("a site's breaker", &row.max_revocations)?,
            held_open_position: row.held_open_position,
            created_at: row.created_at.and_utc(),
            plans_open: row.plans_open,
            core_version: row.core_version,
            destinations: row.destinations,
        })
    }
}

impl TryFrom<&Site> for Row {
    type Error = StoreError;

    fn try_from(site: &Site) -> Result<Self> {
        Ok(Self {
            id: site.id.clone(),
            name: site.name.clone(),
            kartra_time_zone: site.kartra_time_zone.name().to_owned(),
            enabled: site.enabled,
            policy: to_json("a site's policy", &site.policy)?,
            ipn_secret: site.ipn_secret.clone(),
            rules_version: site.rules_version,
            feed_position: site.feed_position,
            max_revocations: to_json("a site's breaker", &site.max_revocations)?,
            held_open_position: site.held_open_position,
            created_at: stored(site.created_at),
            plans_open: site.plans_open,
            core_version: site.core_version,
            destinations: site.destinations,
        })
    }
}

/// Makes a site.
pub fn insert(conn: &mut Conn, site: &Site) -> Result<()> {
    diesel::insert_into(sites::table).values(Row::try_from(site)?).execute(conn)?;
    Ok(())
}

/// Writes a site back whole.
pub fn update(conn: &mut Conn, site: &Site) -> Result<()> {
    diesel::update(sites::table.find(&site.id)).set(Row::try_from(site)?).execute(conn)?;
    Ok(())
}

/// The sites that have not been deleted.
#[diesel::dsl::auto_type]
fn standing() -> _ {
    sites::table.filter(sites::deleted_at.is_null())
}

/// A site as it is now.
pub fn get(conn: &mut Conn, id: &str) -> Result<Option<Site>> {
    let row = standing().find(id).select(Row::as_select()).first(conn).optional()?;
    row.map(Site::try_from).transpose()
}

/// What to do about a site that somebody else is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Wait until they are done.
    Wait,
    /// Leave it to them: they will see to what is due.
    Skip,
}

/// A site, locked until the end of the transaction: whatever changes a site's access does so under
/// this lock, one at a time. SQLite's one writer is the lock, and is waited for either way.
///
/// PostgreSQL's lock leaves the key alone: rows that refer to the site may come meanwhile, so that
/// intake waits for no batch, nor for a process that has stopped in one.
pub fn lock(conn: &mut Conn, id: &str, busy: Busy) -> Result<Option<Site>> {
    let row: Option<Row> = match conn {
        Conn::Postgres(c) => {
            let site = standing().find(id).select(Row::as_select()).for_no_key_update();
            match busy {
                Busy::Wait => site.first(c).optional()?,
                Busy::Skip => site.skip_locked().first(c).optional()?,
            }
        }
        Conn::Sqlite(c) => standing().find(id).select(Row::as_select()).first(c).optional()?,
    };
    row.map(Site::try_from).transpose()
}

/// The ids of the enabled sites that have something due for a version of the core: webhooks, ends, or a
/// recompute. One look into an index for each site, however much is due.
pub fn with_work(conn: &mut Conn, now: Instant, core_version: i64) -> Result<Vec<String>> {
    let webhooks = webhooks::table
        .filter(webhooks::site_id.eq(sites::id))
        .filter(webhooks::next_attempt_at.le(stored(now)));
    let ends = members::table
        .filter(members::site_id.eq(sites::id))
        .filter(members::next_change_at.le(stored(now)));
    let open = recomputes::table
        .filter(recomputes::site_id.eq(sites::id))
        .filter(recomputes::finished_at.is_null());
    let due = exists(webhooks).or(exists(ends)).or(exists(open));
    let ours = sites::enabled.eq(true).and(sites::core_version.le(core_version));
    let ids = sites::table.filter(ours).filter(due).select(sites::id);
    Ok(ids.order(sites::id).load(conn)?)
}

/// Takes the next positions of the feed; answers the first of them.
pub fn take_positions(conn: &mut Conn, site: &mut Site, count: i64) -> Result<i64> {
    let first = site.feed_position + 1;
    site.feed_position += count;
    let position = sites::feed_position.eq(site.feed_position);
    diesel::update(sites::table.find(&site.id)).set(position).execute(conn)?;
    Ok(first)
}

/// Takes the next numbers for what is held open; answers the first of them.
pub fn take_held_open_numbers(conn: &mut Conn, site: &mut Site, count: i64) -> Result<i64> {
    let first = site.held_open_position + 1;
    site.held_open_position += count;
    let position = sites::held_open_position.eq(site.held_open_position);
    diesel::update(sites::table.find(&site.id)).set(position).execute(conn)?;
    Ok(first)
}

/// Sites, newest first, before one that was made at an instant.
pub fn list(
    conn: &mut Conn,
    before: Option<(NaiveDateTime, String)>,
    limit: i64,
) -> Result<Vec<Site>> {
    let mut query = standing()
        .select(Row::as_select())
        .order((sites::created_at.desc(), sites::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some((at, id)) = before {
        // The first condition is where the walk along the index begins; of one instant, the second parts.
        let earlier = sites::created_at.lt(at).or(sites::id.lt(id));
        query = query.filter(sites::created_at.le(at)).filter(earlier);
    }
    query.load(conn)?.into_iter().map(Site::try_from).collect()
}

/// The ids of all sites.
pub fn ids(conn: &mut Conn) -> Result<Vec<String>> {
    Ok(standing().select(sites::id).order(sites::id).load(conn)?)
}

/// The ids of the sites that an older core than this works on.
pub fn of_older_core(conn: &mut Conn, core_version: i64) -> Result<Vec<String>> {
    let older = standing().filter(sites::core_version.lt(core_version));
    Ok(older.select(sites::id).order(sites::id).load(conn)?)
}

/// Whether there is a site, be it one that has been deleted and whose rows are still being removed.
pub fn was_any(conn: &mut Conn) -> Result<bool> {
    Ok(sites::table.select(sites::id).first::<String>(conn).optional()?.is_some())
}

/// The ids of all enabled sites that no newer core than this works on.
pub fn enabled(conn: &mut Conn, core_version: i64) -> Result<Vec<String>> {
    let ours = sites::enabled.eq(true).and(sites::core_version.le(core_version));
    Ok(sites::table.filter(ours).select(sites::id).order(sites::id).load(conn)?)
}

/// Gives a site a webhook URL: the token's hash to find it by, the sealed token to show it again.
pub fn insert_hook(
    conn: &mut Conn,
    site_id: &str,
    token_hash: &[u8],
    sealed_token: &[u8],
    at: Instant,
) -> Result<()> {
    let row = (
        hooks::token_hash.eq(token_hash),
        hooks::site_id.eq(site_id),
        hooks::token.eq(sealed_token),
        hooks::created_at.eq(stored(at)),
    );
    on_backend!(conn, |c| diesel::insert_into(hooks::table).values(row).execute(c))?;
    Ok(())
}

/// The site that a token's hash opens, and until when; `None` where it opens none any more.
pub fn site_of_hook(
    conn: &mut Conn,
    token_hash: &[u8],
    at: Instant,
) -> Result<Option<(String, Option<Instant>)>> {
    let found: Option<(String, Option<NaiveDateTime>)> = hooks::table
        .find(token_hash)
        .select((hooks::site_id, hooks::ends_at))
        .first(conn)
        .optional()?;
    let found = found.map(|(site_id, ends_at)| (site_id, ends_at.map(|ends| ends.and_utc())));
    Ok(found.filter(|(_, ends_at)| ends_at.is_none_or(|ends| ends > at)))
}

/// The sealed token of the webhook URL that a site shows.
pub fn shown_hook(conn: &mut Conn, site_id: &str) -> Result<Option<Vec<u8>>> {
    let shown = hooks::table.filter(hooks::site_id.eq(site_id)).filter(hooks::ends_at.is_null());
    Ok(shown.order(hooks::created_at.desc()).select(hooks::token).first(conn).optional()?)
}

/// How many webhook URLs of a site are taken; those that have ended are forgotten first.
pub fn count_hooks(conn: &mut Conn, site_id: &str, now: Instant) -> Result<i64> {
    let of_site = || hooks::table.filter(hooks::site_id.eq(site_id));
    diesel::delete(of_site().filter(hooks::ends_at.le(stored(now)))).execute(conn)?;
    Ok(of_site().count().get_result(conn)?)
}

/// Until when a webhook URL that a site no longer shows is still taken, the last of them; `None` where none is.
pub fn earlier_hooks_end_at(
    conn: &mut Conn,
    site_id: &str,
    now: Instant,
) -> Result<Option<Instant>> {
    let last: Option<NaiveDateTime> = hooks::table
        .filter(hooks::site_id.eq(site_id))
        .filter(hooks::ends_at.gt(stored(now)))
        .select(diesel::dsl::max(hooks::ends_at))
        .first(conn)?;
    Ok(last.map(|at| at.and_utc()))
}

/// Lets the webhook URL that a site shows end at an instant.
pub fn end_hook(conn: &mut Conn, site_id: &str, ends_at: Instant) -> Result<()> {
    let shown = hooks::table.filter(hooks::site_id.eq(site_id)).filter(hooks::ends_at.is_null());
    diesel::update(shown).set(hooks::ends_at.eq(stored(ends_at))).execute(conn)?;
    Ok(())
}
