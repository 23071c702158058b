//! Alarms: what an operator is told of without asking.

use crate::app::App;
use crate::core::Instant;
use crate::core::alarm::Kind;
use crate::store::alarms::{self, Alarm};
use crate::store::{Result as Stored, StoreError};
use crate::web::answer;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An alarm as it is shown: one episode, from when its cause was first seen until it was gone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alarm")]
pub(super) struct AlarmView {
    /// Its id, which is also the `webhook-id` of what is posted of it.
    id: String,
    /// What it is about.
    kind: Kind,
    /// When its cause was first seen.
    first_seen_at: Instant,
    /// When its cause was seen to be gone; null while it is there.
    ended_at: Option<Instant>,
    /// How much there is, or was when it was seen last; at most 1000 are counted.
    count: i64,
    /// What there is, in a sentence.
    detail: String,
    /// What to do about it, in words.
    next_step: &'static str,
    /// What became of the post about it.
    post: PostView,
}

/// The post about an alarm.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PostOfAlarm")]
struct PostView {
    /// How far it is.
    status: PostStatus,
    /// How often it was tried.
    attempts: i32,
    /// When it is tried next; null where it is not.
    next_attempt_at: Option<Instant>,
    /// When its receiver took it; null where it has not.
    posted_at: Option<Instant>,
    /// Why the last attempt failed; null where none has.
    last_error: Option<String>,
}

/// How far the post about an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PostStatus {
    /// There was nowhere to post it to.
    None,
    /// It has not been tried yet.
    Pending,
    /// It is being tried, or will be again.
    Retrying,
    /// Its receiver has taken it.
    Done,
    /// It was tried for the last time.
    Failed,
}

impl PostView {
    fn of(alarm: &Alarm) -> Self {
        let status = match (alarm.posted_at, alarm.next_post_at) {
            (Some(_), _) => PostStatus::Done,
            (None, Some(_)) if alarm.attempts == 0 => PostStatus::Pending,
            (None, Some(_)) => PostStatus::Retrying,
            (None, None) if alarm.attempts == 0 => PostStatus::None,
            (None, None) => PostStatus::Failed,
        };
        Self {
            status,
            attempts: alarm.attempts,
            next_attempt_at: alarm.next_post_at.map(|at| at.and_utc()),
            posted_at: alarm.posted_at.map(|at| at.and_utc()),
            last_error: alarm.last_error.clone(),
        }
    }
}

impl AlarmView {
    fn of(alarm: Alarm) -> Stored<Self> {
        let kind = Kind::from_word(&alarm.kind);
        let kind = kind.ok_or_else(|| StoreError::Corrupt(format!("alarm {}", alarm.kind)))?;
        Ok(Self {
            post: PostView::of(&alarm),
            kind,
            first_seen_at: alarm.first_seen_at.and_utc(),
            ended_at: alarm.ended_at.map(|at| at.and_utc()),
            count: alarm.number,
            next_step: kind.next_step(),
            detail: alarm.detail,
            id: alarm.id,
        })
    }
}

/// Which alarms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AlarmState")]
enum State {
    /// Those whose cause is there.
    #[default]
    Open,
    /// Those whose cause is gone.
    Ended,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Which alarms: the open ones where nothing is said.
    state: Option<State>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/alarms`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { state, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let site_id = &bench.site.id;
            let found = match state.unwrap_or_default() {
                // At most one of each kind.
                State::Open => {
                    let mut open = alarms::open(conn, site_id)?;
                    open.retain(|alarm| before.as_ref().is_none_or(|before| alarm.id < *before));
                    open
                }
                State::Ended => alarms::ended(conn, site_id, before.as_deref(), asked)?,
            };
            Ok(found.into_iter().map(AlarmView::of).collect::<Stored<Vec<_>>>()?)
        })
    });
    Ok(answer::page(&page, found.await?, |alarm| vec![alarm.id.clone()]))
}
