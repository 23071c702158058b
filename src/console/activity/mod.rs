//! Activity: what Kartra sends, as it comes, and what became of it.

mod acts;
mod body;
mod replay_all;
mod stream;
mod webhook;

use super::desk::{Desk, Listed, query, segment};
use super::members::Products;
use super::phrases::{self, STATUSES, Status};
use super::refused::Refused;
use super::shell::Shell;
use super::{form_at, page};
use crate::app::resource;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// The pages of activity.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = "/sites/{site}/activity/{id}";
    let act = |act: &str| form_at(&format!("{one}/{act}"), one);
    config
        .service(page(resource("/sites/{site}/activity", "GET, HEAD").get(list)))
        .service(page(resource("/sites/{site}/activity/stream", "GET").get(stream::open)))
        .service(page(
            form_at("/sites/{site}/activity/replay-all", "/sites/{site}/activity")
                .post(replay_all::replay),
        ))
        .service(page(resource(one, "GET, HEAD").get(webhook::show)))
        .service(page(act("replay").post(acts::replay)))
        .service(page(act("discard").post(acts::discard)))
        .service(page(act("restore").post(acts::restore)));
}

/// What an address of the list asks for.
#[derive(Default, Deserialize)]
pub struct Asked {
    /// Only those with this status.
    #[serde(default)]
    status: String,
    /// An address, or the id of a transaction, a product or a webhook.
    #[serde(default)]
    q: String,
    /// Where the page begins.
    #[serde(default)]
    cursor: String,
}

impl Asked {
    /// The same search with a status, as a query.
    fn query(&self, status: &str, cursor: &str) -> String {
        query(&[("status", status), ("q", &self.q), ("cursor", cursor)])
    }
}

/// A webhook in the list.
#[derive(Deserialize)]
struct Webhook {
    id: String,
    received_at: String,
    feed: String,
    status: String,
    kind: Option<String>,
    transaction_id: Option<String>,
    product_id: Option<String>,
    email: Option<String>,
    reason: Option<String>,
    changes: i64,
}

/// What a webhook is called: by its kind, or by why it has none; what is rejected only claims to be of a kind.
pub fn title(status: &str, kind: Option<&str>) -> String {
    match (status, kind.map(phrases::kind)) {
        ("rejected", Some(kind)) => format!("Rejected IPN: {kind}"),
        ("rejected", None) => "Rejected IPN".to_owned(),
        (_, Some(kind)) => kind.to_owned(),
        ("pending" | "failed", None) => "Not read yet".to_owned(),
        ("discarded", None) => "Discarded webhook".to_owned(),
        _ => "Unreadable".to_owned(),
    }
}

impl Webhook {
    fn title(&self) -> String {
        title(&self.status, self.kind.as_deref())
    }

    fn status(&self) -> Option<&'static Status> {
        phrases::status(&self.status)
    }
}

#[derive(Template)]
#[template(path = "activity/list.html")]
struct ListPage {
    shell: Shell,
    /// The path of this page.
    here: String,
    asked: Asked,
    /// What the status that is asked for means.
    status: Option<&'static Status>,
    webhooks: Listed<Webhook>,
    products: Products,
    first: String,
    next: String,
}

impl ListPage {
    /// The address of the same search with another status.
    fn with_status(&self, status: &str) -> String {
        format!("{}{}", self.here, self.asked.query(status, ""))
    }

    /// The page of a webhook.
    fn one(&self, id: &str) -> String {
        format!("{}/{}", self.here, segment(id))
    }

    /// The page of a person.
    fn person(&self, email: &str) -> String {
        let site = segment(&self.shell.site_id);
        format!("{}/sites/{site}/members/{}", self.shell.base, segment(email))
    }

    /// The page that tells how to connect Kartra.
    fn setup(&self) -> String {
        format!("{}/sites/{}/setup", self.shell.base, segment(&self.shell.site_id))
    }

    /// Whether a rebill is on the page, so that it has to be said what that is.
    fn any_rebill(&self) -> bool {
        self.webhooks.items.iter().any(|webhook| webhook.kind.as_deref() == Some("rebill"))
    }

    fn is_narrowed(&self) -> bool {
        !self.asked.q.is_empty() || self.status.is_some()
    }
}

/// `GET /sites/{site}/activity`
async fn list(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let mut asked = asked.0;
    asked.q = asked.q.trim().to_owned();
    let status = phrases::status(&asked.status);
    // A status that there is not is as none: the address may be older than the program.
    asked.status = status.map_or_else(String::new, |status| status.word.to_owned());
    let api = format!("/sites/{}/webhooks", segment(&site.id));
    let query_of = |cursor: &str| asked.query(&asked.status, cursor);
    let webhooks: Listed<Webhook> = desk.get(&format!("{api}{}", query_of(&asked.cursor))).await?;
    let named = webhooks.items.iter().filter_map(|webhook| webhook.product_id.as_deref());
    let products = Products::of(&desk, &site.id, named).await?;
    let shell = desk.shell_of(&site, "activity", "Activity");
    let here = format!("{}/sites/{}/activity", shell.base, segment(&site.id));
    let next = webhooks.next_cursor.as_deref().map(|cursor| format!("{here}{}", query_of(cursor)));
    let first = format!("{here}{}", query_of(""));
    desk.page(&ListPage {
        first: if asked.cursor.is_empty() { String::new() } else { first },
        next: next.unwrap_or_default(),
        shell,
        here,
        asked,
        status,
        webhooks,
        products,
    })
}
