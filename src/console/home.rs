//! The first page of a site: what needs a person now, then the pulse.

use super::chart::Chart;
use super::desk::{Desk, Listed, Site, segment};
use super::destinations::{self, Destination};
use super::phrases;
use super::refused::Refused;
use super::setup;
use super::shell::Shell;
use crate::core::Instant;
use crate::core::alarm::COUNTED_MAX;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How it goes at a site: `GET /sites/{site}/stats`.
#[derive(Debug, Deserialize)]
struct Stats {
    days: Vec<Day>,
    waiting: Waiting,
    levels: Vec<LevelCount>,
    lag: Lag,
}

/// What came on a day, and what it did.
#[derive(Debug, Deserialize)]
pub struct Day {
    /// The day, in UTC: `2026-11-22`.
    #[serde(rename = "day")]
    pub date: String,
    /// Webhooks that were stored.
    pub webhooks: i64,
    /// How often a member gained a level.
    pub granted: i64,
    /// How often a member lost a level.
    pub revoked: i64,
}

#[derive(Debug, Deserialize)]
struct Waiting {
    held_purchases: i64,
    held_since: Option<String>,
    unmatched_webhooks: i64,
    unreadable_webhooks: i64,
    rejected_webhooks: i64,
    held_open: i64,
    failed_pushes: i64,
}

#[derive(Debug, Deserialize)]
struct LevelCount {
    level: String,
    name: String,
    members: i64,
}

impl LevelCount {
    /// Where those are listed who hold it, below the site.
    fn members_path(&self) -> String {
        format!("/members?level={}", segment(&self.level))
    }
}

#[derive(Debug, Deserialize)]
struct Lag {
    webhooks: Backlog,
    pushes: Backlog,
    retrying: Backlog,
}

impl Lag {
    /// How far behind destinations are, in words. What waits for its first attempt and what is tried again wait alike:
    /// nobody has what they should have there.
    fn of_pushes(&self) -> String {
        let Self { pushes, retrying, .. } = self;
        let oldest_seconds = pushes.oldest_seconds.max(retrying.oldest_seconds);
        let all = Backlog { count: pushes.count, oldest_seconds }.in_words();
        match retrying.count {
            0 => all,
            tried if tried == pushes.count => format!("{all}; being tried again"),
            tried => format!("{all}; {tried} of them being tried again"),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Backlog {
    count: i64,
    oldest_seconds: i64,
}

impl Backlog {
    /// How far behind, in words.
    fn in_words(&self) -> String {
        match (self.count, self.oldest_seconds) {
            (0, _) => "nothing waits".to_owned(),
            (1, 0) => "1 waits, not yet for a second".to_owned(),
            (1, seconds) => format!("1 waits, for {}", span(seconds)),
            (count, 0) => format!("{count} wait, none for a second"),
            (count, seconds) => format!("{count} wait, the oldest for {}", span(seconds)),
        }
    }
}

/// A stretch of time, in the largest unit that fills it.
fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// An alarm whose cause is there.
#[derive(Debug, Deserialize)]
struct Alarm {
    kind: String,
    detail: String,
    next_step: String,
    first_seen_at: String,
}

/// Something that needs a person now.
struct Need {
    /// `warn` or `bad`.
    tone: &'static str,
    title: String,
    detail: String,
    since: Option<String>,
    /// Where to do something about it, below the site; empty where that is not in the console.
    path: String,
    action: &'static str,
}

/// How many destinations are looked at.
const DESTINATIONS_MAX: usize = 100;

/// A destination that cannot be reached. It is no alarm yet: most are back before anybody could have done something.
/// `next_call` says when one is called again by itself whose pause is over.
fn of_destination(
    destination: &Destination,
    next_call: Option<Instant>,
    now: Instant,
) -> Option<Need> {
    let what_next = if destination.is_pause_over(now) {
        destinations::unreached(next_call, now).meaning
    } else {
        Cow::Borrowed("It is tried again by itself, with growing pauses.")
    };
    destination.is_paused().then(|| Need {
        tone: "warn",
        title: format!("{} does not take what it is told", destination.name),
        detail: format!(
            "{what_next} Until it is back, nothing changes there: who should lose access has it still. {}",
            destination.why().said
        ),
        since: None,
        path: "/destinations".to_owned(),
        action: "Look at the destinations",
    })
}

/// A destination that was never told of members who had access before it was added, or before it was told of their
/// level: `number` of them, at least.
fn of_untold(destination: &Destination, number: i64) -> Option<Need> {
    let what_next = if destination.is_compared() {
        "Who had a level before this destination was added, or was told of that level, gets it there at the next \
         comparison at night, or now when you resync everybody, on its page. Until then they may lack there what they \
         paid for."
    } else {
        "Who had a level before this destination was added, or was told of that level, is told to it only when you \
         resync everybody, on its page. Until then they do not have there what they paid for."
    };
    let whose = if number == 1 { "1 member's".to_owned() } else { format!("{number} members'") };
    (number > 0).then(|| Need {
        tone: "warn",
        title: format!("{whose} access has not been brought to “{}” yet", destination.name),
        detail: what_next.to_owned(),
        since: None,
        path: destinations::below_site(destination),
        action: "Go to its page to resync",
    })
}

/// Alarms that say the same as a count of what waits; the count is of this moment.
const COUNTED_ALARMS: [&str; 6] = [
    "held_purchases",
    "unmatched_webhooks",
    "unreadable_webhooks",
    "rejected_webhooks",
    "breaker_open",
    "pushes_failed",
];

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    needs: Vec<Need>,
    is_new: bool,
    /// What is to be done next of the setup; `None` where all is done, and where nothing has come: the page says that.
    setup_step: Option<&'static str>,
    webhooks: Chart,
    changes: Chart,
    days: Vec<Day>,
    levels: Vec<LevelCount>,
    webhook_lag: String,
    push_lag: String,
}

/// `GET /sites/{site}`
pub async fn show(desk: Desk, site: web::Path<String>) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let path = format!("/sites/{}", segment(&site.id));
    let stats: Stats = desk.get(&format!("{path}/stats?days=14")).await?;
    let alarms: Listed<Alarm> = desk.get(&format!("{path}/alarms")).await?;
    let mut needs: Vec<Need> = of_connection(&site).into_iter().collect();
    needs.extend(of_waiting(&stats.waiting));
    needs.extend(alarms.items.into_iter().filter_map(of_alarm));
    let destinations = destinations::listed(&desk, &site.id, DESTINATIONS_MAX).await?;
    let now = desk.app().clock().now();
    needs.extend(of_unreached(&desk, &site, &destinations, now).await?);
    let held = stats.levels.iter().map(|of| (of.level.clone(), of.members)).collect();
    needs.extend(of_all_untold(&desk, &site, &destinations, &held).await?);
    let is_new = site.connection.state == "waiting_for_first_webhook";
    let setup_step = if is_new { None } else { setup::next_step(&desk, &site).await? };
    let bars = |of: fn(&Day) -> (i64, i64)| {
        Chart::of(stats.days.iter().map(|day| (day.date.as_str(), of(day))))
    };
    desk.page(&HomePage {
        shell: desk.shell_of(&site, "home", "Home"),
        needs,
        is_new,
        setup_step,
        webhooks: bars(|day| (day.webhooks, 0)),
        changes: bars(|day| (day.granted, day.revoked)),
        levels: stats.levels,
        webhook_lag: stats.lag.webhooks.in_words(),
        push_lag: stats.lag.of_pushes(),
        days: stats.days,
    })
}

/// The destinations that cannot be reached.
async fn of_unreached(
    desk: &Desk,
    site: &Site,
    all: &[Destination],
    now: Instant,
) -> Result<Vec<Need>, Refused> {
    let mut needs = Vec::new();
    for destination in all {
        let next_call = destinations::next_call(desk, &site.id, destination, now).await?;
        needs.extend(of_destination(destination, next_call, now));
    }
    Ok(needs)
}

/// The destinations that have not been told of everybody who has access.
async fn of_all_untold(
    desk: &Desk,
    site: &Site,
    all: &[Destination],
    held: &BTreeMap<String, i64>,
) -> Result<Vec<Need>, Refused> {
    let mut needs = Vec::new();
    for destination in all {
        let number = destinations::untold(desk, &site.id, destination, held).await?;
        needs.extend(of_untold(destination, number));
    }
    Ok(needs)
}

/// A site that does not work as a whole.
fn of_connection(site: &Site) -> Option<Need> {
    let (title, detail) = match site.connection.state.as_str() {
        "disabled" => (
            "This site is switched off",
            "What Kartra sends is kept and changes nobody's access. Tick “Apply webhooks” in the settings, and all of it is caught up.",
        ),
        "silent" => (
            "Nothing has come from Kartra for longer than usual",
            "Look in Kartra whether the Outbound API and the IPN still name the webhook URL of this site, and whether this address can be reached from outside.",
        ),
        _ => return None,
    };
    Some(Need {
        tone: "bad",
        title: title.to_owned(),
        detail: detail.to_owned(),
        since: site.connection.last_webhook_at.clone().filter(|_| site.enabled),
        path: if site.enabled { "/setup" } else { "/settings" }.to_owned(),
        action: if site.enabled { "Check the connection" } else { "Open the settings" },
    })
}

/// What waits for a person, the most hurtful first.
fn of_waiting(waiting: &Waiting) -> Vec<Need> {
    let counted = [
        (
            waiting.failed_pushes,
            "bad",
            ("access step could not be carried out", "access steps could not be carried out"),
            "A destination has not taken them however often they were tried, and they are not tried again before the night. Somebody there has what they should not have, or lacks what they paid for.",
            "/destinations",
            "Look at the destinations",
        ),
        (
            waiting.held_purchases,
            "warn",
            ("purchase is held", "purchases are held"),
            "A held purchase is paid and gives nothing yet: its product is unmapped, so nobody has said which level it gives. Map the product, and the buyer has the level from the day they bought.",
            "/products?status=unmapped",
            "Map the products",
        ),
        (
            waiting.held_open,
            "warn",
            ("level of a member is held open", "levels of members are held open"),
            "More members were about to lose a level than the limit allows within a short time. They keep it until you decide.",
            "/held-open",
            "Decide",
        ),
        (
            waiting.rejected_webhooks,
            "warn",
            ("IPN came with another secret or none", "IPNs came with another secret or none"),
            "They are stored and not believed. If they are Kartra's, the secret in the settings is wrong: correct it, then replay them. If somebody else sent them, discard them.",
            "/activity?status=rejected",
            "Look at them",
        ),
        (
            waiting.unmatched_webhooks,
            "warn",
            ("refund or cancellation fits no purchase", "refunds or cancellations fit no purchase"),
            "They take effect by themselves as soon as their sale is heard of. Perhaps it was before this site was connected.",
            "/activity?status=unmatched",
            "Look at them",
        ),
        (
            waiting.unreadable_webhooks,
            "warn",
            ("webhook cannot be read", "webhooks cannot be read"),
            "They are stored. Each says what is wrong with it.",
            "/activity?status=unreadable",
            "Look at them",
        ),
    ];
    let need = |(number, tone, (one, many), detail, path, action): (
        i64,
        _,
        (&str, &str),
        &str,
        &str,
        _,
    )| {
        let what = if number == 1 { one } else { many };
        let more = if number >= COUNTED_MAX { " or more" } else { "" };
        let since = waiting.held_since.clone().filter(|_| path == "/products?status=unmapped");
        let title = format!("{number}{more} {what}");
        (number > 0).then(|| Need {
            tone,
            title,
            detail: detail.to_owned(),
            since,
            path: path.to_owned(),
            action,
        })
    };
    counted.into_iter().filter_map(need).collect()
}

/// An alarm that no count tells of.
fn of_alarm(alarm: Alarm) -> Option<Need> {
    if COUNTED_ALARMS.contains(&alarm.kind.as_str()) || alarm.kind == "silent" {
        return None;
    }
    let (path, action) = phrases::mend(&alarm.kind).unwrap_or_default();
    let in_words = phrases::alarm(&alarm.kind).map(str::to_owned);
    Some(Need {
        tone: "bad",
        title: alarm.detail,
        detail: in_words.unwrap_or(alarm.next_step),
        since: Some(alarm.first_seen_at),
        path: path.to_owned(),
        action,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_again_waits_as_well() {
        let lag = |pushes: (i64, i64), retrying: (i64, i64)| {
            let of = |(count, oldest_seconds)| Backlog { count, oldest_seconds };
            Lag { webhooks: of((0, 0)), pushes: of(pushes), retrying: of(retrying) }.of_pushes()
        };
        assert_eq!(lag((0, 0), (0, 0)), "nothing waits");
        assert_eq!(lag((1, 90), (0, 0)), "1 waits, for 1 minute");
        assert_eq!(lag((2, 0), (2, 7_200)), "2 wait, the oldest for 2 hours; being tried again");
        assert_eq!(
            lag((3, 60), (1, 7_200)),
            "3 wait, the oldest for 2 hours; 1 of them being tried again"
        );
        // At a destination that is switched off nothing has an age.
        assert_eq!(lag((2, 0), (0, 0)), "2 wait, none for a second");
    }

    #[test]
    fn what_is_counted_no_further_is_said_to_be_so_many_or_more() {
        let title = |held_purchases| {
            let waiting = Waiting {
                held_purchases,
                held_since: None,
                unmatched_webhooks: 0,
                unreadable_webhooks: 0,
                rejected_webhooks: 0,
                held_open: 0,
                failed_pushes: 0,
            };
            of_waiting(&waiting).pop().map(|need| need.title).unwrap_or_default()
        };
        assert_eq!(title(1), "1 purchase is held");
        let below = COUNTED_MAX - 1;
        assert_eq!(title(below), format!("{below} purchases are held"));
        assert_eq!(title(COUNTED_MAX), format!("{COUNTED_MAX} or more purchases are held"));
    }

    #[test]
    fn a_stretch_is_told_in_its_largest_unit() {
        let told = [1, 59, 60, 3_599, 3_600, 86_399, 86_400, 200_000].map(span);
        let wanted = [
            "1 second",
            "59 seconds",
            "1 minute",
            "59 minutes",
            "1 hour",
            "23 hours",
            "1 day",
            "2 days",
        ];
        assert_eq!(told, wanted);
    }
}
