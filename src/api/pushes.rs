//! Pushes: how far each member has been carried to each destination, and messages about something else.

use crate::app::App;
use crate::core::Instant;
use crate::core::kartra::values::email;
use crate::core::push::Status;
use crate::destinations::Remote;
use crate::store::conn::Conn;
use crate::store::pushes::{self, Progress, Push, Wanted};
use crate::store::{Result as Stored, destinations, members};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read, Support};
use crate::web::extract::{Nothing, Optional, Page, Query};
use crate::web::problem::Problem;
use crate::web::shapes::Text;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A push as it is shown: of a member at a destination there is one, which stays.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Push")]
pub(super) struct PushView {
    /// Its id.
    pub(super) id: String,
    /// The destination.
    destination: String,
    /// The member's address; null for a message about something else.
    email: Option<String>,
    /// Where it stands.
    #[schemars(with = "Status")]
    status: String,
    /// How many attempts have begun since it was last wanted.
    attempts: i32,
    /// When it is tried next, or, while it is under way, when it is taken to be lost; null where it is not.
    next_attempt_at: Option<Instant>,
    /// Why the last attempt failed, with the destination's own words; null where it did not.
    last_error: Option<String>,
    /// The number of the last message about the member, which only grows; 0 before any.
    version: i64,
    /// What it carries: `access.changed` for members, at every kind of destination.
    what: String,
    /// When it was first wanted since the destination last confirmed it.
    wanted_at: Instant,
    /// When the destination last confirmed it; null before that.
    done_at: Option<Instant>,
    /// What Latchkey has added there (roles, labels), or the levels that it told of last: nothing else is removed.
    owned: Vec<String>,
    /// `ours` where Latchkey has made the account; null where it has not, or has none.
    #[schemars(extend("enum" = [OURS, Value::Null]))]
    account: Option<&'static str>,
    /// Whether the owner of an account that Latchkey has made was welcomed: `sent`, `unknown` where nobody knows
    /// whether the mail went out; null where none was asked for.
    #[schemars(extend("enum" = [SENT, UNKNOWN, Value::Null]))]
    welcome: Option<&'static str>,
}

const OURS: &str = "ours";
const SENT: &str = "sent";
const UNKNOWN: &str = "unknown";

impl Resource for PushView {}

impl PushView {
    /// A push as it is now.
    pub(super) fn of(push: Push) -> Stored<Self> {
        // Of an account the names of what was added, of a receiver of messages the levels that it was told of.
        let name = |owned: &Value| {
            owned.as_str().or_else(|| owned.get("level")?.as_str()).map(str::to_owned)
        };
        let owned: Vec<Value> = push.owned()?;
        let welcome = Progress::of(push.welcome.as_deref())?;
        Ok(Self {
            owned: owned.iter().filter_map(name).collect(),
            account: match Progress::of(push.account.as_deref())? {
                Some(Progress::Done) => Some(OURS),
                Some(Progress::Begun) | None => None,
            },
            welcome: welcome.map(|welcome| match welcome {
                Progress::Done => SENT,
                Progress::Begun => UNKNOWN,
            }),
            id: push.id,
            destination: push.destination_id,
            email: push.email,
            status: push.status,
            attempts: push.attempts,
            next_attempt_at: push.next_attempt_at.map(|at| at.and_utc()),
            last_error: push.last_error,
            version: push.version,
            what: push.what,
            wanted_at: push.wanted_at.and_utc(),
            done_at: push.done_at.map(|at| at.and_utc()),
        })
    }

    /// When it was confirmed; while it is not, since when it is wanted.
    pub(super) fn at(&self) -> Instant {
        let is_done = self.status == Status::Done.as_str();
        self.done_at.filter(|_| is_done).unwrap_or(self.wanted_at)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only pushes with this status.
    status: Option<Status>,
    /// Only pushes to the destination with this id.
    #[schemars(with = "Option<Text>")]
    destination: Option<String>,
    /// The whole address, or the id of the push.
    #[schemars(with = "Option<Text>")]
    q: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/pushes`, newest first.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { status, destination, q, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let (limit, before) = (page.limit, page.after_one().map(str::to_owned));
    let wanted = Wanted { status, destination_id: destination, before };
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            let (found, next) = match &q {
                Some(q) => naming(conn, &site, q, &wanted, limit)?,
                None => pushes::list(conn, &site, &wanted, limit)?,
            };
            let views = found.into_iter().map(PushView::of).collect::<Stored<Vec<_>>>()?;
            Ok((views, next))
        })
    });
    let (views, next) = found.await?;
    Ok(answer::items_until(&views, next.map(|id| vec![id]).as_deref()))
}

fn naming(
    conn: &mut Conn,
    site_id: &str,
    q: &str,
    wanted: &Wanted,
    limit: i64,
) -> Stored<(Vec<Push>, Option<String>)> {
    let member = match email(q) {
        Some(address) => members::with_email(conn, site_id, &address)?,
        None => None,
    };
    let subject = member.as_ref().map(|member| member.id.as_str());
    pushes::naming(conn, site_id, (subject, q), wanted, limit)
}

/// `GET /sites/{site}/pushes/{id}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| Ok(PushView::of(existing(conn, &site, &id)?)?))
    });
    Ok(answer::thing(&request, &found.await?))
}

fn existing(conn: &mut Conn, site_id: &str, id: &str) -> Result<Push, Problem> {
    pushes::by_id(conn, site_id, id)?.ok_or_else(|| Problem::not_found("push"))
}

/// How a push is to be taken up again.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RetryPush")]
pub struct Retry {
    /// Whether the owner of the account that Latchkey has made is welcomed again, whatever went out before.
    #[serde(default)]
    welcome: bool,
}

/// `POST /sites/{site}/pushes/{id}/retry`
pub async fn retry(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    body: Optional<Retry>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let Retry { welcome } = body.0;
    let taken_up = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let push = existing(conn, &site, &id)?;
            let destination = destinations::get(conn, &site, &push.destination_id)?;
            let Some(mut destination) = destination else {
                let detail = "The destination was deleted. Nothing more is sent to it.";
                return Err(Problem::conflict(detail));
            };
            if welcome {
                let opened = app.dispatch().open(&destination)?;
                may_welcome(&push, &opened.remote, bench.at)?;
            }
            pushes::retry(conn, &push, welcome, bench.at)?;
            // Whoever asks for it now does not mean after the pause.
            destination.is_tried_again(bench.at);
            destinations::stands(conn, &destination)?;
            Ok(PushView::of(existing(conn, &site, &id)?)?)
        })
    });
    Ok(HttpResponse::Ok().json(taken_up.await?))
}

/// Whether somebody can be welcomed again by a push.
fn may_welcome(push: &Push, remote: &Remote, now: Instant) -> Result<(), Problem> {
    let apart = match remote {
        Remote::Accounts(accounts) => accounts.welcomes_apart(),
        Remote::Messages(_) => false,
    };
    if !apart {
        let detail = "must be false: Latchkey asks no mail of this kind of destination";
        return Err(Problem::invalid_at("/welcome", detail));
    }
    if Progress::of(push.account.as_deref())? != Some(Progress::Done) {
        let detail = "must be false: Latchkey has not made this account, and welcomes nobody to it";
        return Err(Problem::invalid_at("/welcome", detail));
    }
    let lease_lasts = push.next_attempt_at.is_some_and(|until| until.and_utc() > now);
    if push.claim.is_some() && lease_lasts {
        let detail = "The push is under way. Ask again in a moment.";
        return Err(Problem::conflict(detail));
    }
    Ok(())
}
