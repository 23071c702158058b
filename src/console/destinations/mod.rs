//! Destinations: the membership sites that access is carried to.

mod act;
mod ask;
mod draft;
mod drift;
mod form;
mod kind;
mod pushes;
mod show;

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

/// How many destinations stand on a page.
const DESTINATIONS: usize = 20;
/// How many pushes are counted: whether there are more is all that matters then.
const PUSHES_COUNTED: usize = 50;

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
async fn count(desk: &Desk, site_id: &str, id: &str, status: &str) -> Result<String, Refused> {
    #[derive(Deserialize)]
    struct Push {}
    let path = format!(
        "/sites/{}/pushes?destination={}&status={status}&limit={PUSHES_COUNTED}",
        segment(site_id),
        segment(id)
    );
    let found: Listed<Push> = desk.get(&path).await?;
    let number = found.items.len();
    Ok(if found.next_cursor.is_some() { format!("{number} or more") } else { number.to_string() })
}

/// How many pushes to a destination are on their way, and how many have failed.
struct Counts {
    waiting: String,
    retrying: String,
    failed: String,
}

impl Counts {
    async fn of(desk: &Desk, site_id: &str, id: &str) -> Result<Self, Refused> {
        Ok(Self {
            waiting: count(desk, site_id, id, "pending").await?,
            retrying: count(desk, site_id, id, "retrying").await?,
            failed: count(desk, site_id, id, "failed").await?,
        })
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
    let mut rows = Vec::new();
    for destination in found.items {
        let counts = Counts::of(&desk, &site.id, &destination.id).await?;
        let href = format!("{all}/{}", segment(&destination.id));
        rows.push(Row { destination, href, counts });
    }
    desk.page(&ListPage { first: from.first(&all), next, kinds: kind::ALL, shell, all, rows })
}
