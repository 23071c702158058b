//! The feed: what was recorded, in the order of its recording.

use super::stream;
use crate::app::App;
use crate::core::Instant;
use crate::store::changes::{self, Change};
use crate::store::conn::Conn;
use crate::store::disposal;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A change as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct ChangeView {
    pub(super) id: i64,
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

/// `GET /sites/{site}/changes?after=`, oldest first; with `Accept: text/event-stream` it goes on as
/// the feed does ([`super::stream`]).
pub async fn list(
    app: web::Data<App>,
    auth: Auth<Read>,
    request: HttpRequest,
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
    let after = cursor.or(after);
    if stream::is_asked_for(&request) {
        return stream::open(&app, auth, &request, site.into_inner(), after).await;
    }
    let asked = limit + 1;
    let found = app.blocking(move |app| app.look(&site, |conn, _| read(conn, &site, after, asked)));
    let mut views = found.await?;
    let more = i64::try_from(views.len()).is_ok_and(|count| count > limit);
    views.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = views.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(HttpResponse::Ok().json(json!({ "items": views, "next_cursor": next })))
}

/// Changes after a position; without one, from the oldest that is kept. What was read and has aged
/// out since is no gap: whoever has read up to there has missed nothing.
pub(super) fn read(
    conn: &mut Conn,
    site: &str,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<ChangeView>, Problem> {
    let floor = disposal::feed_floor(conn, site)?;
    if after.is_some_and(|after| after < floor) {
        return Err(Problem::gone(format!(
            "What came after that has aged out. Read the members anew, then go on from {floor}."
        )));
    }
    let found = changes::after(conn, site, after.unwrap_or(floor), limit)?;
    Ok(found.into_iter().map(ChangeView::from).collect())
}
