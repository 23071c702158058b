//! Webhooks as they came, and what an operator can do with them.

use crate::app::App;
use crate::core::Instant;
use crate::core::event::{EventId, Kind};
use crate::core::kartra::Feed;
use crate::core::scope::Scope;
use crate::flow::settle::{Cause, Touched};
use crate::store::bodies;
use crate::store::search;
use crate::store::webhooks::{self, Filter, Status, Webhook};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read, Support};
use crate::web::extract::{Nothing, Page, Query};
use crate::web::problem::Problem;
use crate::web::shapes::Text;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A webhook as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct WebhookView {
    /// Its id.
    id: String,
    /// When it was received.
    received_at: Instant,
    /// Which of Kartra's two feeds it came by, or that it is a test of an operator's.
    #[schemars(with = "Feed")]
    feed: String,
    /// What became of it.
    #[schemars(with = "Status")]
    status: String,
    /// What kind of event it tells of; null where it cannot be read.
    #[schemars(with = "Option<Kind>")]
    kind: Option<String>,
    /// Kartra's id of the transaction; null where it names none.
    transaction_id: Option<String>,
    /// Kartra's id of the product; null where it names none.
    product_id: Option<String>,
    /// The address that it names; null where it names none.
    email: Option<String>,
    /// Why it could not be applied; null where there is nothing to say.
    reason: Option<String>,
    /// How many changes of access it led to.
    changes: i32,
    /// The body as it came, its secret masked; only for a key with the scope `support`, and until it has
    /// aged out (`webhooks.bodies_kept_days`).
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The same in base64, where the body is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// True where the body would be shown, but has aged out; what was read of it still counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_aged_out: Option<bool>,
}

impl Resource for WebhookView {}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            received_at: webhook.received_at.and_utc(),
            feed: webhook.feed,
            status: webhook.status,
            kind: webhook.kind,
            transaction_id: webhook.transaction_id,
            product_id: webhook.product_id,
            email: webhook.email,
            reason: webhook.reason,
            changes: webhook.changes,
            body: None,
            body_base64: None,
            body_aged_out: None,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only webhooks with this status.
    status: Option<Status>,
    /// The whole address, or the id of the transaction, the product or the webhook.
    #[schemars(with = "Option<Text>")]
    q: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/webhooks`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { status, q, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let (limit, asked) = (page.limit, page.asked());
    let filter = Filter { status, before: page.after_one().map(str::to_owned) };
    let Some(q) = q.map(|q| q.replace('\0', "")) else {
        let found = app.blocking(move |app| {
            app.look(&site, |conn, _| Ok(webhooks::list(conn, &site, &filter, asked)?))
        });
        let views: Vec<WebhookView> = found.await?.into_iter().map(WebhookView::from).collect();
        return Ok(answer::page(&page, views, |webhook| vec![webhook.id.clone()]));
    };
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| Ok(search::naming(conn, &site, &q, &filter, limit)?))
    });
    let (found, next) = found.await?;
    let views: Vec<WebhookView> = found.into_iter().map(WebhookView::from).collect();
    Ok(answer::items_until(&views, next.map(|id| vec![id]).as_deref()))
}

/// `GET /sites/{site}/webhooks/{id}`: with its body, for a key that may see bodies.
pub async fn get(
    app: web::Data<App>,
    auth: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let sees_body = auth.caller.scope >= Scope::Support;
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            let webhook = webhooks::get(conn, &site, &id)?;
            let webhook = webhook.ok_or_else(|| Problem::not_found("webhook"))?;
            let body = if sees_body { bodies::get(conn, &site, &id)? } else { None };
            Ok((webhook, body))
        })
    });
    let (webhook, body) = found.await?;
    let mut view = WebhookView::from(webhook);
    match body.map(String::from_utf8) {
        Some(Ok(text)) => view.body = Some(text),
        Some(Err(other)) => view.body_base64 = Some(STANDARD.encode(other.as_bytes())),
        None => view.body_aged_out = sees_body.then_some(true),
    }
    Ok(answer::thing(&request, &view))
}

async fn load(app: &App, site: String, id: String) -> Result<Webhook, Problem> {
    let found = app.blocking(move |app| {
        let found = app.look(&site, |conn, _| Ok(webhooks::get(conn, &site, &id)?))?;
        found.ok_or_else(|| Problem::not_found("webhook"))
    });
    found.await
}

/// `POST /sites/{site}/webhooks/{id}/replay`: it is judged and applied again.
pub async fn replay(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let refused = "The webhook was discarded. Restore it, which applies it as well.";
    let again = Again { is_restored: false, refused };
    again.apply(&app, path.into_inner()).await
}

/// `POST /sites/{site}/webhooks/{id}/restore`: a discarded webhook counts again.
pub async fn restore(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let refused = "The webhook is not discarded. Replay it to apply it again.";
    let again = Again { is_restored: true, refused };
    again.apply(&app, path.into_inner()).await
}

/// A webhook that is to be applied again.
struct Again {
    /// Whether it is one that was discarded; else it is one that was not.
    is_restored: bool,
    /// What is said where it is the other way round.
    refused: &'static str,
}

impl Again {
    async fn apply(self, app: &App, (site, id): (String, String)) -> Result<HttpResponse, Problem> {
        let key = (site.clone(), id.clone());
        let applied = app.blocking(move |app| {
            app.change(&site, |conn, bench| {
                let Some(webhook) = webhooks::get(conn, &site, &id)? else {
                    return Err(Problem::not_found("webhook"));
                };
                if webhook.is_test() {
                    let detail = "It is a test purchase, which never counts. Send another one, or buy something.";
                    return Err(Problem::conflict(detail));
                }
                if (webhook.status == Status::Discarded.as_str()) != self.is_restored {
                    return Err(Problem::conflict(self.refused));
                }
                if self.is_restored {
                    webhooks::restore(conn, &site, &id, bench.at)?;
                } else {
                    webhooks::make_due(conn, &site, &id, bench.at)?;
                }
                bench.makes_work();
                Ok(())
            })?;
            Ok(app.flow().apply_now(&site, std::slice::from_ref(&id))?)
        });
        applied.await?;
        let webhook = load(app, key.0, key.1).await?;
        Ok(HttpResponse::Ok().json(WebhookView::from(webhook)))
    }
}

/// `POST /sites/{site}/webhooks/{id}/discard`: it is no observation any more, until restored.
pub async fn discard(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let key = (site.clone(), id.clone());
    let discarded = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let Some(webhook) = webhooks::get(conn, &site, &id)? else {
                return Err(Problem::not_found("webhook"));
            };
            webhooks::discard(conn, &site, &id)?;
            let mut touched = Touched::default();
            if let Some(event) = webhook.event_id {
                let webhook = Some(id.clone());
                let cause = Cause { webhook, ..Cause::new("discard", id.clone()) };
                touched.events.insert(EventId(event), cause);
            }
            app.flow().settle(conn, bench, touched)?;
            Ok(())
        })
    });
    discarded.await?;
    let webhook = load(&app, key.0, key.1).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(webhook)))
}
