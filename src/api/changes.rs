//! The feed: what was recorded, in the order of its recording.

use super::stream;
use crate::app::App;
use crate::core::Instant;
use crate::core::change::{NOTHING_GIVES_IT, What};
use crate::core::grant::Reason;
use crate::store::changes::{self, Change};
use crate::store::conn::Conn;
use crate::store::disposal;
use crate::store::sites::Site;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Page, Position, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Every kind of cause.
const CAUSES: [&str; 12] = [
    "event",
    "mapping",
    "timer",
    "override",
    "settings",
    "discard",
    "restore",
    "import",
    "reconcile",
    "breaker",
    "erase",
    "upgrade",
];

/// The reason code of the grant that decided, where there is one.
fn reason(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        generator.subschema_for::<Reason>(),
        {
            "type": "string",
            "const": NOTHING_GIVES_IT,
            "description": "No grant of the level is left: its mapping is gone, or its purchases have moved.",
        },
    ] })
}

/// A change as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
pub(super) struct ChangeView {
    /// The site's position: each change is one higher than the one before.
    pub(super) id: i64,
    /// When access took this step. An end is dated at its own instant, however late it was recorded: a
    /// later change may have an earlier date.
    at: Instant,
    /// The member's address at that time.
    email: String,
    /// The level.
    level: String,
    /// What happened to it.
    #[schemars(with = "What")]
    what: String,
    /// The level's end from then on; null where none is known, or it was revoked.
    until: Option<Instant>,
    /// What led to it.
    cause: CauseView,
    /// Why the level is held from then on, or is not.
    #[schemars(schema_with = "reason")]
    reason: String,
}

/// What led to a change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub(super) struct CauseView {
    /// What kind of thing it was.
    #[schemars(extend("enum" = CAUSES))]
    kind: String,
    /// The id of the thing; of a timer, the instant at which it was due.
    id: String,
}

impl CauseView {
    pub(super) fn of(kind: String, id: String) -> Self {
        Self { kind, id }
    }
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
            cause: CauseView::of(change.cause_kind, change.cause_id),
            reason: change.reason,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The position of the last change that is known; only later ones are listed.
    after: Option<Position>,
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
    let cursor = cursor.map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|_| {
        Problem::malformed("cursor must be a next_cursor that this list has given.")
    })?;
    let after = cursor.or(after).map(|Position(after)| after);
    if stream::is_asked_for(&request) {
        return stream::open(&app, auth, &request, site.into_inner(), after).await;
    }
    let asked = limit + 1;
    let found = app
        .blocking(move |app| app.look(&site, |conn, bench| read(conn, &bench.site, after, asked)));
    let mut views = found.await?;
    let more = i64::try_from(views.len()).is_ok_and(|count| count > limit);
    views.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = views.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(HttpResponse::Ok().json(json!({ "items": views, "next_cursor": next })))
}

/// Changes after a position; without one, from the oldest that is kept. What was read and has aged
/// out since is no gap: whoever has read up to there has missed nothing. Whoever has read further than
/// the feed goes has read another one: the site was made anew, or the database is an older copy.
pub(super) fn read(
    conn: &mut Conn,
    site: &Site,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<ChangeView>, Problem> {
    let (floor, last) = (disposal::feed_floor(conn, &site.id)?, site.feed_position);
    if after.is_some_and(|after| after < floor) {
        return Err(Problem::gone(format!(
            "What came after that has aged out. Read the members anew, then go on from {floor}."
        )));
    }
    if after.is_some_and(|after| after > last) {
        return Err(Problem::gone(format!(
            "This feed has never been that far: the site was made anew, or its database restored. \
             Read the members anew, then go on from {last}."
        )));
    }
    let found = changes::after(conn, &site.id, after.unwrap_or(floor), limit)?;
    Ok(found.into_iter().map(ChangeView::from).collect())
}
