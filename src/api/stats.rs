//! How it goes: what came and what it did, day by day, what waits, and who holds what. No answer counts rows of the
//! log: days are kept as numbers, and nothing else is counted further than a bound.

use crate::app::App;
use crate::core::Instant;
use crate::core::alarm::Cause;
use crate::store::conn::Conn;
use crate::store::daily_counts::{self, Count};
use crate::store::sites::{self, Site};
use crate::store::waiting::{self, Backlog};
use crate::store::webhooks::Status;
use crate::store::{Result as Stored, watch};
use crate::web::auth::{Auth, Read};
use crate::web::extract::Query;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use chrono::{Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many days are told of where nothing else is asked for.
const DAYS: i64 = 14;
/// How many days are told of at most.
const DAYS_MAX: i64 = 90;
/// How many levels are told of at most.
const LEVELS_MAX: i64 = 50;

/// How it goes at a site, or at all of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Stats")]
pub(super) struct StatsView {
    /// The instant of which all of it is true.
    at: Instant,
    /// How many sites are taken together.
    sites: i64,
    /// The days that were asked for, oldest first; the last is today, as far as it has come.
    days: Vec<DayView>,
    /// What waits for a person.
    waiting: WaitingView,
    /// The levels that most members hold, at most 50.
    levels: Vec<LevelCountView>,
    /// How far behind Latchkey is.
    lag: LagView,
}

/// What came on a day, and what it did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DayOfStats")]
struct DayView {
    /// The day, in UTC.
    day: NaiveDate,
    /// Webhooks that were stored, whatever they say.
    webhooks: i64,
    /// Those of them that tell of money; an event that both feeds tell of counts twice.
    money_webhooks: i64,
    /// Changes recorded on this day by which a member gained a level.
    granted: i64,
    /// Changes recorded on this day by which a member lost a level.
    revoked: i64,
}

/// What waits for a person; of each at most 1000 are counted of a site.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "WaitingOfStats")]
struct WaitingView {
    /// Purchases that are paid and give nothing, because no mapping names their product and price point.
    held_purchases: i64,
    /// Since when the first of them is held; null where there is none.
    held_since: Option<Instant>,
    /// Reversals of nothing known.
    unmatched_webhooks: i64,
    /// Webhooks that cannot be read.
    unreadable_webhooks: i64,
    /// IPNs whose secret is not the site's.
    rejected_webhooks: i64,
    /// Levels of members that the revocation breaker holds open.
    held_open: i64,
    /// Pushes that are not tried again by themselves.
    failed_pushes: i64,
    /// Alarms whose cause is there.
    open_alarms: i64,
}

/// How many members hold a level.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LevelOfStats")]
struct LevelCountView {
    /// The site that the level is of.
    site: String,
    /// The level.
    level: String,
    /// What people call it.
    name: String,
    /// How many members hold it.
    members: i64,
}

/// How far behind Latchkey is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LagOfStats")]
struct LagView {
    /// Webhooks that wait to be applied, also while the site is disabled.
    webhooks: BacklogView,
    /// Pushes that no destination has confirmed and that are tried by themselves. The oldest is the one that has
    /// waited longest for its first attempt at a destination that is enabled.
    pushes: BacklogView,
    /// Those of `pushes` whose last attempt has failed. The oldest is the one that has been wanted longest at a
    /// destination that is enabled.
    retrying: BacklogView,
}

/// How much waits.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacklogOfStats")]
struct BacklogView {
    /// How much, at most 1000 counted of a site.
    count: i64,
    /// Since when the oldest waits; null where none does.
    oldest_at: Option<Instant>,
    /// For how many whole seconds the oldest has waited; 0 where none does.
    oldest_seconds: i64,
}

impl BacklogView {
    fn of(backlog: Backlog, now: Instant) -> Self {
        let waited = |since: Instant| (now - since).num_seconds().max(0);
        Self {
            count: backlog.number,
            oldest_at: backlog.since,
            oldest_seconds: backlog.since.map_or(0, waited),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// How many days, today included; 14 where nothing is said.
    #[schemars(range(min = 1, max = DAYS_MAX))]
    days: Option<i64>,
}

impl Asked {
    /// The days, oldest first, up to that of an instant.
    fn days(self, now: Instant) -> Result<Vec<NaiveDate>, Problem> {
        let asked = self.days.unwrap_or(DAYS);
        if !(1..=DAYS_MAX).contains(&asked) {
            return Err(Problem::malformed(format!("days must be from 1 to {DAYS_MAX}.")));
        }
        let before = (0..u64::try_from(asked).unwrap_or_default()).rev();
        Ok(before.filter_map(|days| now.date_naive().checked_sub_days(Days::new(days))).collect())
    }
}

/// `GET /sites/{site}/stats`
pub async fn of_site(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let days = query.0.days(app.clock().now())?;
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let mut sum = Sum::default();
            sum.add(conn, &bench.site, &days, bench.at)?;
            Ok(sum.view(&days, bench.at))
        })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

/// `GET /stats`: of all sites that the key opens, taken together. Its cost grows with the sites, and with nothing else.
pub async fn of_all(
    app: web::Data<App>,
    auth: Auth<Read>,
    query: Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let days = query.0.days(now)?;
    let found = app.blocking(move |app| {
        Ok(app.store().read(|conn| {
            let ids = match &auth.caller.site_id {
                Some(only) => vec![only.clone()],
                None => sites::ids(conn)?,
            };
            let mut sum = Sum::default();
            for id in ids {
                if let Some(site) = sites::get(conn, &id)? {
                    sum.add(conn, &site, &days, now)?;
                }
            }
            Ok::<_, crate::store::StoreError>(sum.view(&days, now))
        })?)
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

/// What some sites come to.
#[derive(Default)]
struct Sum {
    sites: i64,
    days: BTreeMap<NaiveDate, Count>,
    waiting: WaitingView,
    levels: Vec<LevelCountView>,
    webhooks: Backlog,
    pushes: Backlog,
    retrying: Backlog,
}

impl Sum {
    /// Takes another site in.
    fn add(
        &mut self,
        conn: &mut Conn,
        site: &Site,
        days: &[NaiveDate],
        now: Instant,
    ) -> Stored<()> {
        self.sites += 1;
        if let Some(first) = days.first() {
            for (day, count) in daily_counts::of_site(conn, &site.id, *first)? {
                *self.days.entry(day).or_default() += count;
            }
        }
        self.waiting.add(conn, &site.id, now)?;
        for level in waiting::levels(conn, &site.id, LEVELS_MAX)? {
            let waiting::HeldLevel { id: level, name, members } = level;
            self.levels.push(LevelCountView { site: site.id.clone(), level, name, members });
        }
        join(&mut self.webhooks, waiting::webhooks(conn, &site.id)?);
        let (pushes, retrying) = waiting::pushes(conn, &site.id)?;
        join(&mut self.pushes, pushes);
        join(&mut self.retrying, retrying);
        Ok(())
    }

    fn view(mut self, days: &[NaiveDate], now: Instant) -> StatsView {
        let day = |day: &NaiveDate| {
            let Count { webhooks, money_webhooks, granted, revoked } =
                self.days.get(day).copied().unwrap_or_default();
            DayView { day: *day, webhooks, money_webhooks, granted, revoked }
        };
        let days = days.iter().map(day).collect();
        self.levels.sort_by_key(|level| Reverse(level.members));
        self.levels.truncate(usize::try_from(LEVELS_MAX).unwrap_or(usize::MAX));
        StatsView {
            at: now,
            sites: self.sites,
            days,
            waiting: self.waiting,
            levels: self.levels,
            lag: LagView {
                webhooks: BacklogView::of(self.webhooks, now),
                pushes: BacklogView::of(self.pushes, now),
                retrying: BacklogView::of(self.retrying, now),
            },
        }
    }
}

impl WaitingView {
    /// Takes another site in.
    fn add(&mut self, conn: &mut Conn, site_id: &str, now: Instant) -> Stored<()> {
        let number = |cause: Option<Cause>| cause.map_or(0, |cause| cause.number);
        let held = watch::held(conn, site_id, now, now)?;
        let since = held.map(|cause| cause.since);
        self.held_since = self.held_since.into_iter().chain(since).min();
        self.held_purchases += number(held);
        let mut of = |status| watch::webhooks(conn, site_id, status, now).map(number);
        self.unmatched_webhooks += of(Status::Unmatched)?;
        self.unreadable_webhooks += of(Status::Unreadable)?;
        self.rejected_webhooks += of(Status::Rejected)?;
        self.held_open += number(watch::held_open(conn, site_id)?);
        self.failed_pushes += number(watch::pushes_failed(conn, site_id)?);
        self.open_alarms += waiting::alarms(conn, site_id)?;
        Ok(())
    }
}

/// Takes what waits at another site in.
fn join(all: &mut Backlog, more: Backlog) {
    all.number += more.number;
    all.since = all.since.into_iter().chain(more.since).min();
}
