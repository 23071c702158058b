//! The way from nothing to a member with access: a checklist that ticks itself.

use super::desk::{Desk, Listed, Site, read, segment};
use super::refused::Refused;
use super::shell::Shell;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

/// Something of which only its being there matters.
#[derive(Deserialize)]
struct Anything {}

/// A destination, as far as it matters here.
#[derive(Deserialize)]
struct Destination {
    name: String,
    enabled: bool,
    state: String,
}

/// What a test purchase came to: `POST /sites/{site}/test-purchase`.
#[derive(Deserialize)]
struct TestPurchase {
    webhook_id: String,
    reading: String,
}

/// How far each step is: `done`, `now` or `later`.
struct Steps {
    paste: &'static str,
    seen: &'static str,
    ipn: &'static str,
    mapped: &'static str,
    confirmed: &'static str,
}

impl Steps {
    /// The first that is not done is to be done now.
    fn of(done: [bool; 5]) -> Self {
        let first = done.iter().position(|done| !done);
        let state = |step: usize| match done.get(step) {
            Some(true) => "done",
            _ if Some(step) == first => "now",
            _ => "later",
        };
        Self {
            paste: state(0),
            seen: state(1),
            ipn: state(2),
            mapped: state(3),
            confirmed: state(4),
        }
    }

    fn all_done(&self) -> bool {
        [self.paste, self.seen, self.ipn, self.mapped, self.confirmed]
            .iter()
            .all(|it| *it == "done")
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    shell: Shell,
    site: Site,
    steps: Steps,
    is_loopback: bool,
    held: bool,
    destinations: Vec<Destination>,
    tested: Option<TestPurchase>,
}

/// `GET /sites/{site}/setup`
pub async fn show(desk: Desk, site: web::Path<String>) -> Result<HttpResponse, Refused> {
    page(&desk, &site, None).await
}

/// `POST /sites/{site}/setup/test-purchase`
pub async fn test_purchase(desk: Desk, site: web::Path<String>) -> Result<HttpResponse, Refused> {
    let path = format!("/sites/{}/test-purchase", segment(&site));
    let tested = read(desk.post(&path, &json!({})).await?.body)?;
    page(&desk, &site, Some(tested)).await
}

async fn page(
    desk: &Desk,
    site_id: &str,
    tested: Option<TestPurchase>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(site_id).await?;
    let path = format!("/sites/{}", segment(&site.id));
    let any = async |list: &str| -> Result<bool, Refused> {
        let found: Listed<Anything> = desk.get(&format!("{path}/{list}")).await?;
        Ok(!found.items.is_empty())
    };
    let destinations: Listed<Destination> =
        desk.get(&format!("{path}/destinations?limit=5")).await?;
    let seen = site.connection.last_webhook_at.is_some();
    let ipn = site.connection.feeds_seen.iter().any(|feed| feed == "ipn");
    let mapped = any("mappings?limit=1").await?;
    let confirmed = any("pushes?status=done&limit=1").await?;
    let steps = Steps::of([seen, seen, ipn, mapped, confirmed]);
    desk.page(&SetupPage {
        shell: desk.shell_of(&site, "setup", "Setup"),
        is_loopback: desk.app().is_loopback(),
        held: any("products?status=unmapped&limit=1").await?,
        destinations: destinations.items,
        site,
        steps,
        tested,
    })
}
