//! Destinations: the membership sites that access is carried to.

mod act;
mod ask;
mod changed;
mod draft;
mod drift;
mod form;
mod kind;
mod pushes;
mod show;
mod standing;
pub mod words;

pub use show::{Run, runs};
pub use standing::{ever_confirmed, next_call, unreached, untold};

use super::desk::{Cursor, Desk, Listed, Site, query, segment};
use super::refused::Refused;
use super::shell::Shell;
use super::{form_at, page};
use crate::app::resource;
use crate::core::Instant;
use crate::core::scope::Scope;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};
use standing::Standing;
use std::collections::BTreeMap;
use words::{Told as InWords, told};

/// How many destinations stand on a page.
const DESTINATIONS: usize = 20;
/// How many pushes of a destination are counted in the list: whether there are more is all that matters then.
const PUSHES_COUNTED: usize = 50;
/// How many are counted on its own page, and of all destinations together where they are confirmed: as many as the API
/// answers at once.
const PUSHES_COUNTED_MAX: usize = 500;
/// The type of messages that say who has access, and of the pushes that carry that.
const ACCESS: &str = "access.changed";
/// How no push at all is counted, in words.
const NONE: &str = "0";

/// The pages of destinations.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = "/sites/{site}/destinations/{id}";
    let pushes = "/sites/{site}/destinations/{id}/pushes";
    config
        .service(page(resource("/sites/{site}/destinations", "GET, HEAD").get(list)))
        .service(page(
            resource("/sites/{site}/destinations/new", "GET, HEAD, POST")
                .get(form::ask)
                .post(form::make),
        ))
        .service(page(resource(one, "GET, HEAD").get(show::show)))
        .service(page(
            resource(&format!("{one}/edit"), "GET, HEAD, POST").get(form::open).post(form::save),
        ))
        .service(page(resource(pushes, "GET, HEAD").get(pushes::list)))
        .service(page(form_at(&format!("{pushes}/{{push}}/retry"), pushes).post(pushes::retry)))
        .service(page(resource(&format!("{one}/drift"), "GET, HEAD").get(drift::show)))
        .service(page(
            resource(&format!("{one}/{{act}}"), "GET, HEAD, POST").get(act::back).post(act::act),
        ));
}

/// A destination as pages show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Destination {
    id: String,
    kind: String,
    /// What people call it.
    pub name: String,
    /// Whether anything is sent to it.
    pub enabled: bool,
    config: Map<String, Value>,
    levels: Vec<Told>,
    limits: Limits,
    state: String,
    detail: Option<String>,
    paused_until: Option<String>,
    secret_before_until: Option<String>,
}

/// A level that a destination is told of.
#[derive(Debug, Clone, Deserialize)]
struct Told {
    level: String,
    remote: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Limits {
    calls_per_second: Option<i64>,
    concurrency: Option<i64>,
}

impl Destination {
    /// What its kind is called.
    fn kind_name(&self) -> &'static str {
        kind::named(&self.kind).map_or("Destination", |kind| kind.name)
    }

    /// Whether it takes what it is told, as far as is known.
    pub fn is_ok(&self) -> bool {
        self.state == "ok"
    }

    /// Whether it is left alone because it fails, or was and has not been called since.
    pub fn is_paused(&self) -> bool {
        self.enabled && self.state == "paused"
    }

    /// Whether it was left alone until now, and no longer is.
    pub fn is_pause_over(&self, now: Instant) -> bool {
        let until = self.paused_until.as_deref().and_then(|until| until.parse::<Instant>().ok());
        until.is_some_and(|until| until <= now)
    }

    /// Why it is not ok, in words.
    pub fn why(&self) -> InWords {
        told(self.detail.as_deref().unwrap_or_default())
    }

    /// Whether it is compared at night with what is wanted: what the receiver of messages holds cannot be looked at.
    pub fn is_compared(&self) -> bool {
        self.kind != "webhook"
    }

    /// Where it is.
    fn place(&self) -> &str {
        self.config.get("url").and_then(Value::as_str).unwrap_or_default()
    }

    /// The host that it is at, with its port: it tells apart what goes by one name.
    fn host(&self) -> &str {
        let place = self.place();
        let rest = place.split_once("://").map_or(place, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// Whether it is told who has access: a signed webhook may ask for other messages alone.
    fn is_told_of_access(&self) -> bool {
        let types = self.config.get("types").and_then(Value::as_array);
        types.is_none_or(|types| types.iter().any(|told| told == ACCESS))
    }

    /// Whether it is told of a level; a signed webhook that names none is told of all of them.
    fn is_told_of(&self, level: &str) -> bool {
        self.levels.is_empty() || self.levels.iter().any(|told| told.level == level)
    }
}

/// The destinations of a site, newest first, at most so many.
pub async fn listed(
    desk: &Desk,
    site_id: &str,
    at_most: usize,
) -> Result<Vec<Destination>, Refused> {
    let path = format!("{}?limit={at_most}", all_of(site_id));
    Ok(desk.get::<Listed<Destination>>(&path).await?.items)
}

/// Where the page of a destination is, below the site.
pub fn below_site(destination: &Destination) -> String {
    format!("/destinations/{}", segment(&destination.id))
}

/// Lets through who may change destinations; all others are told which key something takes.
fn takes_manage(desk: &Desk, what: &str) -> Result<(), Refused> {
    let scope = desk.session().caller.scope;
    if scope >= Scope::Manage {
        return Ok(());
    }
    let scope = scope.as_str();
    let detail = format!("{what} takes a key with the scope manage; yours is {scope}.");
    Err(Problem::forbidden(detail).into())
}

/// The path of a site's destinations, below the base.
fn all_of(site_id: &str) -> String {
    format!("/sites/{}/destinations", segment(site_id))
}

/// The path of a destination, below the base; in the API it is the same.
fn path_of(site_id: &str, id: &str) -> String {
    format!("{}/{}", all_of(site_id), segment(id))
}

/// How many pushes to a destination have a status, in words: `0`, or `50 or more`.
async fn count(
    desk: &Desk,
    site_id: &str,
    id: &str,
    status: &str,
    at_most: usize,
) -> Result<String, Refused> {
    #[derive(Deserialize)]
    struct Push {}
    let path = format!(
        "/sites/{}/pushes?destination={}&status={status}&limit={at_most}",
        segment(site_id),
        segment(id)
    );
    let found: Listed<Push> = desk.get(&path).await?;
    Ok(or_more(found.items.len(), found.next_cursor.is_some()))
}

/// A number in words; `more` says that not all was looked through.
fn or_more(number: usize, more: bool) -> String {
    match (number, more) {
        (0, true) => "not counted".to_owned(),
        (number, true) => format!("{number} or more"),
        (number, false) => number.to_string(),
    }
}

/// How many pushes to a destination are on their way, and how many have failed.
struct Counts {
    waiting: String,
    retrying: String,
    failed: String,
}

impl Counts {
    async fn of(desk: &Desk, site_id: &str, id: &str, at_most: usize) -> Result<Self, Refused> {
        Ok(Self {
            waiting: count(desk, site_id, id, "pending", at_most).await?,
            retrying: count(desk, site_id, id, "retrying", at_most).await?,
            failed: count(desk, site_id, id, "failed", at_most).await?,
        })
    }
}

/// How many pushes each destination of a site has confirmed, as far as the newest of all of them tell. Asked one
/// destination after the other, each might look through those of all others.
struct Confirmed {
    numbers: BTreeMap<String, usize>,
    more: bool,
}

impl Confirmed {
    async fn of(desk: &Desk, site_id: &str) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        struct Push {
            destination: String,
        }
        let path =
            format!("/sites/{}/pushes?status=done&limit={PUSHES_COUNTED_MAX}", segment(site_id));
        let found: Listed<Push> = desk.get(&path).await?;
        let mut numbers = BTreeMap::new();
        for push in found.items {
            *numbers.entry(push.destination).or_default() += 1;
        }
        Ok(Self { numbers, more: found.next_cursor.is_some() })
    }

    /// How many one has confirmed. Where the newest do not tell, it is asked alone, and only whether there is any.
    async fn by(&self, desk: &Desk, site_id: &str, id: &str) -> Result<String, Refused> {
        match self.numbers.get(id).copied().unwrap_or_default() {
            0 if self.more => count(desk, site_id, id, "done", 1).await,
            number => Ok(or_more(number, self.more)),
        }
    }
}

#[derive(Template)]
#[template(path = "destinations.html")]
struct ListPage {
    shell: Shell,
    all: String,
    rows: Vec<Row>,
    kinds: &'static [kind::Kind],
    first: String,
    next: String,
}

struct Row {
    destination: Destination,
    standing: Standing,
    href: String,
    confirmed: String,
    counts: Counts,
}

/// `GET /sites/{site}/destinations`
async fn list(
    desk: Desk,
    site: web::Path<String>,
    from: web::Query<Cursor>,
) -> Result<HttpResponse, Refused> {
    let site: Site = desk.site(&site).await?;
    let path = all_of(&site.id);
    let cursor = from.cursor.as_deref().unwrap_or_default();
    let asked = query(&[("limit", &DESTINATIONS.to_string()), ("cursor", cursor)]);
    let found: Listed<Destination> = desk.get(&format!("{path}{asked}")).await?;
    let shell = desk.shell_of(&site, "destinations", "Destinations");
    let all = format!("{}{path}", shell.base);
    let next = found.next(&all);
    let confirmed = Confirmed::of(&desk, &site.id).await?;
    let now = desk.app().clock().now();
    let mut rows = Vec::new();
    for destination in found.items {
        let counts = Counts::of(&desk, &site.id, &destination.id, PUSHES_COUNTED).await?;
        let confirmed = confirmed.by(&desk, &site.id, &destination.id).await?;
        let has_confirmed =
            confirmed != NONE || ever_confirmed(&desk, &site.id, Some(&destination.id)).await?;
        let next_call = next_call(&desk, &site.id, &destination, now).await?;
        let standing = Standing::of(&destination, has_confirmed, next_call, now);
        let href = format!("{all}/{}", segment(&destination.id));
        rows.push(Row { destination, standing, href, confirmed, counts });
    }
    desk.page(&ListPage { first: from.first(&all), next, kinds: kind::ALL, shell, all, rows })
}
