//! What the revocation breaker holds open, and deciding about it.

use super::changes::CauseView;
use super::mappings::RecomputeOnly;
use super::recomputes::{is_finished, work};
use crate::app::App;
use crate::core::Instant;
use crate::core::event::LeadKey;
use crate::flow::held_open::{Decision, ask_for_all, decide_one};
use crate::store::conn::Conn;
use crate::store::held_open::{self, Listed};
use crate::store::{Result as Stored, members, overrides};
use crate::web::answer;
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{Listing, Nothing, Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A level of a member that is held open.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HeldOpen")]
pub(super) struct HeldOpenView {
    /// Its id, to decide about it by.
    id: String,
    /// The member's address.
    email: String,
    /// The level.
    level: String,
    /// When it would have been revoked, and was held open instead.
    held_open_at: Instant,
    /// What would have revoked it.
    cause: CauseView,
    #[serde(skip)]
    number: i64,
}

/// `GET /sites/{site}/held-open`, newest first.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(1)?;
    let (asked, before) = (page.asked(), before(&page)?);
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            let rows = held_open::list(conn, &site, before, asked)?;
            Ok(views(conn, &site, rows)?)
        })
    });
    Ok(answer::page(&page, found.await?, |item| vec![item.number.to_string()]))
}

/// The number of the item before a page.
fn before(page: &Page) -> Result<Option<i64>, Problem> {
    let read = |number: &str| {
        let no_cursor = "cursor must be a next_cursor that this list has given.";
        number.parse().map_err(|_| Problem::malformed(no_cursor))
    };
    page.after_one().map(read).transpose()
}

fn views(conn: &mut Conn, site_id: &str, rows: Vec<Listed>) -> Stored<Vec<HeldOpenView>> {
    let mut emails = current_emails(conn, site_id, &rows)?;
    let view = |row: Listed| HeldOpenView {
        email: emails.remove(&row.id).unwrap_or(row.email),
        id: row.id,
        level: row.level.unwrap_or_default(),
        held_open_at: row.held_open_at.unwrap_or_default().and_utc(),
        cause: CauseView::of(row.cause_kind.unwrap_or_default(), row.cause_id.unwrap_or_default()),
        number: row.number.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(view).collect())
}

/// The addresses that the leads of some overrides have now, where they have another one than the override.
fn current_emails(
    conn: &mut Conn,
    site_id: &str,
    rows: &[Listed],
) -> Stored<BTreeMap<String, String>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let all = overrides::load(conn, site_id, &ids)?;
    let leads: Vec<LeadKey> = all.iter().flat_map(|o| o.leads.iter().cloned()).collect();
    let addresses = members::emails_of(conn, site_id, &leads)?;
    let moved = all.into_iter().filter_map(|o| {
        let mut now = o.leads.iter().filter_map(|lead| addresses.get(lead)?.clone());
        let first = now.next()?;
        let stayed = first == o.email || now.any(|email| email == o.email);
        (!stayed).then_some((o.id, first))
    });
    Ok(moved.collect())
}

/// `POST /sites/{site}/held-open/{id}/release`
pub async fn release(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    one(&app, path.into_inner(), Decision::Release).await
}

/// `POST /sites/{site}/held-open/{id}/discard`
pub async fn discard(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    one(&app, path.into_inner(), Decision::Discard).await
}

/// `POST /sites/{site}/held-open/release`
pub async fn release_all(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    all(&app, site.into_inner(), Decision::Release).await
}

/// `POST /sites/{site}/held-open/discard`
pub async fn discard_all(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    all(&app, site.into_inner(), Decision::Discard).await
}

async fn one(
    app: &App,
    (site, id): (String, String),
    decision: Decision,
) -> Result<HttpResponse, Problem> {
    let decided = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            if decide_one(conn, bench, &id, decision)? {
                return Ok(());
            }
            Err(Problem::not_found("level that is held open"))
        })
    });
    decided.await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn all(app: &App, site: String, decision: Decision) -> Result<HttpResponse, Problem> {
    let asked = app.blocking(move |app| {
        let asked = app.change(&site, |conn, bench| Ok(ask_for_all(conn, bench, decision)?))?;
        work(app, &asked)
    });
    let recompute = asked.await?;
    let mut answer =
        if is_finished(&recompute) { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(answer.json(RecomputeOnly { recompute }))
}
