//! The feed: what was recorded, in the order of its recording.

use crate::app::App;
use crate::core::Instant;
use crate::store::changes::{self, Change};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A change as it is shown.
#[derive(Debug, Serialize)]
struct ChangeView {
    id: i64,
    at: Instant,
    email: String,
    level: String,
    what: String,
    until: Option<Instant>,
    cause: CauseView,
    reason: String,
}

#[derive(Debug, Serialize)]
struct CauseView {
    kind: String,
    id: String,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            id: change.position,
            at: change.at.and_utc(),
            email: change.email,
            level: change.level,
            what: change.what,
            until: change.until.map(|until| until.and_utc()),
            cause: CauseView { kind: change.cause_kind, id: change.cause_id },
            reason: change.reason,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    after: Option<i64>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/changes?after=`, oldest first.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { after, limit, cursor } = query.0;
    let limit = Page::of(limit, None, 0)?.limit;
    // The cursor is the position of the last change that was read, so it can be kept and compared.
    let cursor = cursor.map(|cursor| cursor.parse::<i64>()).transpose();
    let cursor = cursor.map_err(|_| {
        Problem::malformed("cursor must be a next_cursor that this list has given.")
    })?;
    let after = cursor.or(after).unwrap_or(0);
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| Ok(changes::after(conn, &site, after, limit)?))
    });
    let views: Vec<ChangeView> = found.await?.into_iter().map(ChangeView::from).collect();
    let full = i64::try_from(views.len()).is_ok_and(|count| count >= limit);
    let next = views.last().filter(|_| full).map(|last| last.id.to_string());
    Ok(HttpResponse::Ok().json(json!({ "items": views, "next_cursor": next })))
}
