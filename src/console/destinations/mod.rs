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
pub mod words;

pub use show::{Run, runs};

use super::desk::{Cursor, Desk, Listed, Site, query, segment};
use super::refused::Refused;
use super::shell::Shell;
use super::{form_at, page};
use crate::app::resource;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use words::{Told as InWords, told};

/// How many destinations stand on a page.
const DESTINATIONS: usize = 20;
/// How many pushes of a destination are counted in the list: whether there are more is all that matters then.
const PUSHES_COUNTED: usize = 50;
/// How many are counted on its own page, and of all destinations together where they are confirmed: as many as the API
/// answers at once.
const PUSHES_COUNTED_MAX: usize = 500;

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
    name: String,
    enabled: bool,
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

    /// How it stands: a tone and a word.
    fn standing(&self) -> (&'static str, &'static str) {
        match (self.enabled, self.state.as_str()) {
            (false, _) => ("neutral", "switched off"),
            (_, "ok") => ("good", "ok"),
            (_, "paused") => ("warn", "paused"),
            _ => ("bad", "broken"),
        }
    }

    /// What that means.
    fn meaning(&self) -> &'static str {
        match (self.enabled, self.state.as_str()) {
            (false, _) => {
                "Nothing is sent. What changes meanwhile is kept, and sent once you switch it on."
            }
            (_, "ok") => "Changes are sent at once.",
            (_, "paused") => {
                "It has failed several times, so it is left alone for a while. Latchkey tries again by itself."
            }
            _ => {
                "It refuses Latchkey, so nothing is sent until you have mended that and tested it. Nothing is lost."
            }
        }
    }

    /// Why it is not ok, in words.
    fn why(&self) -> InWords {
        told(self.detail.as_deref().unwrap_or_default())
    }

    /// Where it is.
    fn place(&self) -> &str {
        self.config.get("url").and_then(Value::as_str).unwrap_or_default()
    }
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

    fn by(&self, id: &str) -> String {
        or_more(self.numbers.get(id).copied().unwrap_or_default(), self.more)
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
    let mut rows = Vec::new();
    for destination in found.items {
        let counts = Counts::of(&desk, &site.id, &destination.id, PUSHES_COUNTED).await?;
        let href = format!("{all}/{}", segment(&destination.id));
        rows.push(Row { confirmed: confirmed.by(&destination.id), destination, href, counts });
    }
    desk.page(&ListPage { first: from.first(&all), next, kinds: kind::ALL, shell, all, rows })
}
