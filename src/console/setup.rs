//! The way from nothing to a member with access: a checklist that ticks itself.

use super::desk::{Desk, Listed, Site, read, segment};
use super::destinations::{self, Destination};
use super::phrases;
use super::refused::Refused;
use super::shell::Shell;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

/// Something of which only its being there matters.
#[derive(Deserialize)]
struct Anything {}

/// What a test purchase came to: `POST /sites/{site}/test-purchase`.
#[derive(Deserialize)]
struct TestPurchase {
    webhook_id: String,
    reading: String,
}

impl TestPurchase {
    /// What it was read as, in words.
    fn read_as(&self) -> &str {
        phrases::kind(&self.reading)
    }
}

/// How many destinations are named.
const DESTINATIONS_MAX: usize = 5;

/// What the steps are called, in their order, as they stand on the page.
const TITLES: [&str; 5] = [
    "Paste the webhook URL into Kartra",
    "See the first webhook",
    "Add the IPN (Instant Payment Notification) beside it",
    "Say what a product gives",
    "Connect your membership site",
];

/// A site with the time zone that Kartra's dates are read in.
#[derive(Deserialize)]
struct Zoned {
    #[serde(flatten)]
    site: Site,
    kartra_time_zone: String,
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
    /// The time zone that Kartra's dates are read in.
    zone: String,
    steps: Steps,
    is_loopback: bool,
    /// What is seen of the IPN: `none`, `rejected`, `unchecked`, `checked`.
    ipn: &'static str,
    held: bool,
    destinations: Vec<Destination>,
    tested: Option<TestPurchase>,
}

impl SetupPage {
    /// Whether this is what is seen of the IPN.
    fn is_ipn(&self, seen: &str) -> bool {
        self.ipn == seen
    }
}

/// What is seen of the IPN: `none` has come; it is `rejected` for another secret than the one that is set here;
/// `unchecked` where none is set; else `checked`.
fn ipn_of(site: &Site, is_rejected: bool) -> &'static str {
    if !has_come(site, "ipn") {
        return "none";
    }
    match (is_rejected, site.ipn_secret_set) {
        (true, _) => "rejected",
        (_, true) => "checked",
        _ => "unchecked",
    }
}

/// Whether anything has ever come by a feed of Kartra's; what this machine sends itself to try is of none.
fn has_come(site: &Site, feed: &str) -> bool {
    site.connection.feeds_seen.iter().any(|seen| seen == feed)
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
    let path = format!("/sites/{}", segment(site_id));
    let Zoned { site, kartra_time_zone: zone } = desk.get(&path).await?;
    let (done, ipn) = looked(desk, &site).await?;
    desk.page(&SetupPage {
        shell: desk.shell_of(&site, "setup", "Setup"),
        is_loopback: desk.app().is_loopback(),
        held: any(desk, &site, "products?status=unmapped&limit=1").await?,
        destinations: destinations::listed(desk, &site.id, DESTINATIONS_MAX).await?,
        steps: Steps::of(done),
        site,
        zone,
        ipn,
        tested,
    })
}

/// Whether anything stands in a list of a site.
async fn any(desk: &Desk, site: &Site, list: &str) -> Result<bool, Refused> {
    let found: Listed<Anything> = desk.get(&format!("/sites/{}/{list}", segment(&site.id))).await?;
    Ok(!found.items.is_empty())
}

/// Which steps are done, and what is seen of the IPN.
async fn looked(desk: &Desk, site: &Site) -> Result<([bool; 5], &'static str), Refused> {
    // Only what Kartra's Outbound API has sent says that the URL is in place there: an IPN has a place of its own.
    let outbound = has_come(site, "outbound");
    let seen = outbound || has_come(site, "ipn");
    let ipn = ipn_of(site, any(desk, site, "webhooks?status=rejected&limit=1").await?);
    let has_ipn = matches!(ipn, "unchecked" | "checked");
    let mapped = any(desk, site, "mappings?limit=1").await?;
    // Whoever is told something new is on their way again: what was confirmed once stays seen to work.
    let confirmed = any(desk, site, "pushes?status=done&limit=1").await?
        || destinations::ever_confirmed(desk, &site.id, None).await?;
    Ok(([outbound, seen, has_ipn, mapped, confirmed], ipn))
}

/// What the next step is called that is not done; `None` once all are. IPNs that are rejected are a need of their own
/// on the home page, and no step that was never taken.
pub async fn next_step(desk: &Desk, site: &Site) -> Result<Option<&'static str>, Refused> {
    let ([paste, seen, has_ipn, mapped, confirmed], ipn) = looked(desk, site).await?;
    let done = [paste, seen, has_ipn || ipn == "rejected", mapped, confirmed];
    let mut steps = TITLES.into_iter().zip(done);
    Ok(steps.find(|(_, is_done)| !is_done).map(|(step, _)| step))
}
