//! Runs over every member of a destination, and what they have found to differ.

use crate::app::App;
use crate::core::Instant;
use crate::core::drift::What;
use crate::dispatch::runs::{Asked, ask};
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination, State as Stands};
use crate::store::runs::{self, Found, Kind, Run, Stage};
use crate::store::{Result as Stored, pushes};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{Nothing, Optional, Page, Query, cursor};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a resync is to be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Resync")]
pub struct Resync {
    /// Whether what is wanted and already there becomes Latchkey's, as after a restore from a backup: it then goes when
    /// it is not wanted any more, also where somebody else had given it.
    #[serde(default)]
    adopt: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RunState {
    /// It goes on.
    Running,
    /// Its destination cannot be called now; it goes on when it can.
    Waiting,
    /// It has come to its end.
    Finished,
}

/// A run over every member of a destination.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(super) struct RunView {
    /// Its id.
    id: String,
    /// The destination.
    destination: String,
    /// What it is for.
    kind: Kind,
    /// Whether what is wanted and already there becomes Latchkey's.
    adopt: bool,
    /// Where it stands.
    state: RunState,
    /// How many members it is done with: looked at, or of a resync, whose push is done or has failed.
    done: i64,
    /// How many members there are to be done with; 0 while they are not counted.
    total: i64,
    /// How many roles, labels or groups members should have and have not.
    missing: i64,
    /// How many they have that Latchkey gave and they should not have any more.
    surplus: i64,
    /// How many members could not be looked at.
    unseen: i64,
    /// How many of its pushes have failed.
    failed: i64,
    /// What keeps it from going on, or what else is to be said of it; null where there is nothing.
    detail: Option<String>,
    /// When it was asked for.
    created_at: Instant,
    /// When it came to its end; null while it has not.
    finished_at: Option<Instant>,
}

impl Resource for RunView {}

impl RunView {
    fn of(conn: &mut Conn, destination: &Destination, run: Run, now: Instant) -> Stored<Self> {
        let is_resync = run.kind == Kind::Resync;
        let (mut open, mut failed) = (0, run.failed);
        if is_resync && run.stage != Stage::Finished {
            open = pushes::open_of_run(conn, &run.site_id, &run.id)?;
            failed = pushes::failed_of_run(conn, &run.site_id, &run.id)?;
        }
        let is_called = destination.enabled
            && destination.state != Stands::Broken
            && destination.paused_until.is_none_or(|until| until <= now);
        let (state, detail) = match run.stage {
            Stage::Finished => (RunState::Finished, run.detail),
            _ if is_called => (RunState::Running, run.detail),
            _ if !destination.enabled => {
                (RunState::Waiting, Some("The destination is disabled.".to_owned()))
            }
            _ => (RunState::Waiting, destination.detail.clone().or(run.detail)),
        };
        Ok(Self {
            id: run.id,
            destination: run.destination_id,
            kind: run.kind,
            adopt: run.adopts,
            state,
            done: (run.done - open).max(0),
            total: run.total,
            missing: run.missing,
            surplus: run.surplus,
            unseen: run.unseen,
            failed,
            detail,
            created_at: run.created_at,
            finished_at: run.finished_at,
        })
    }
}

/// `POST /sites/{site}/destinations/{id}/resync`
pub async fn resync(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    body: Optional<Resync>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let location = format!("/api/v1/sites/{site}/runs");
    let adopts = body.0.adopt;
    let begun = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let destination = destination(conn, &site, &id)?;
            match ask(conn, &destination, Kind::Resync, adopts, bench.at)? {
                Asked::Begun(run) => Ok(RunView::of(conn, &destination, run, bench.at)?),
                Asked::Open(open) => Err(Problem::conflict(format!(
                    "Another run of this destination ({}) is not at its end. Follow it at /sites/{site}/runs/{}, then ask \
                     again.",
                    open.kind.as_str(),
                    open.id
                ))),
            }
        })
    });
    let run = begun.await?;
    let location = format!("{location}/{}", run.id);
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(&run))
}

fn destination(conn: &mut Conn, site_id: &str, id: &str) -> Result<Destination, Problem> {
    destinations::get(conn, site_id, id)?.ok_or_else(|| Problem::not_found("destination"))
}

/// All destinations of a site, or the one that is asked for.
fn destinations_of(
    conn: &mut Conn,
    site_id: &str,
    id: Option<&str>,
) -> Result<Vec<Destination>, Problem> {
    match id {
        Some(id) => destination(conn, site_id, id).map(|one| vec![one]),
        None => Ok(destinations::of_site(conn, site_id)?),
    }
}

/// Whose runs are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those of this destination.
    destination: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/runs`, newest first
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { destination: id, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let all = destinations_of(conn, &site, id.as_deref())?;
            let mut views = Vec::new();
            let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
            for run in runs::list(conn, &site, &ids, before.as_deref(), asked)? {
                if let Some(of) = all.iter().find(|of| of.id == run.destination_id) {
                    views.push(RunView::of(conn, of, run, bench.at)?);
                }
            }
            Ok(views)
        })
    });
    Ok(answer::page(&page, found.await?, |run| vec![run.id.clone()]))
}

/// `GET /sites/{site}/runs/{id}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let run = runs::get(conn, &site, &id)?.ok_or_else(|| Problem::not_found("run"))?;
            let destination = destinations::get(conn, &site, &run.destination_id)?;
            let destination = destination.ok_or_else(|| Problem::not_found("run"))?;
            Ok(RunView::of(conn, &destination, run, bench.at)?)
        })
    });
    Ok(answer::thing(&request, &found.await?))
}

/// Something that a destination has otherwise than is wanted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Drift")]
pub(super) struct DriftView {
    /// The destination.
    destination: String,
    /// The member's address; null where the member is gone.
    email: Option<String>,
    /// What the destination calls the thing; null for a member who could not be looked at.
    remote: Option<String>,
    /// How it differs.
    what: What,
    /// Why the member could not be looked at; null where they were.
    detail: Option<String>,
}

/// How the destinations of a site compare with what is wanted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DriftReport")]
pub(super) struct ReportView {
    /// The latest run that has looked at each destination; none for one that was never looked at.
    runs: Vec<RunView>,
    /// What those runs have found, by run; at most 1000 of each, while their counts are exact.
    items: Vec<DriftView>,
    /// The `cursor` of the next page; null where there is none.
    next_cursor: Option<String>,
}

/// Which page of what differs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// Only this destination.
    destination: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/drift`
pub async fn drift(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Differences>,
) -> Result<HttpResponse, Problem> {
    let Differences { destination, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 3)?;
    let report = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let all = destinations_of(conn, &site, destination.as_deref())?;
            Ok(report(conn, &site, &all, &page, bench.at)?)
        })
    });
    Ok(HttpResponse::Ok().json(report.await?))
}

fn report(
    conn: &mut Conn,
    site_id: &str,
    all: &[Destination],
    page: &Page,
    now: Instant,
) -> Stored<ReportView> {
    let mut latest = Vec::new();
    for destination in all {
        if let Some(run) = runs::latest_look(conn, site_id, &destination.id)? {
            latest.push(RunView::of(conn, destination, run, now)?);
        }
    }
    let of_run: BTreeMap<String, String> =
        latest.iter().map(|run| (run.id.clone(), run.destination.clone())).collect();
    let ids: Vec<String> = of_run.keys().cloned().collect();
    let after = match page.after.as_deref() {
        Some([run, subject, remote]) => Some((run.as_str(), subject.as_str(), remote.as_str())),
        _ => None,
    };
    let mut found = runs::of_runs(conn, site_id, &ids, after, page.asked())?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let key = |last: &Found| [last.run_id.clone(), last.subject.clone(), last.remote.clone()];
    let next_cursor = found.last().filter(|_| more).map(|last| cursor(&key(last)));
    let view = |one: Found| DriftView {
        destination: of_run.get(&one.run_id).cloned().unwrap_or_default(),
        email: one.email,
        remote: Some(one.remote).filter(|remote| !remote.is_empty()),
        what: one.what,
        detail: one.detail,
    };
    Ok(ReportView { items: found.into_iter().map(view).collect(), runs: latest, next_cursor })
}

/// The runs of the destinations of a site.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Runs")]
pub(super) struct RunsView {
    /// The open run of each destination that is enabled: the one that has begun, or the one that there was already.
    items: Vec<RunView>,
}

/// Which destinations a run is over.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DriftRun")]
pub struct Over {
    /// The id of the only destination; null for all that are enabled.
    #[serde(default)]
    destination: Option<String>,
}

/// `POST /sites/{site}/drift`
pub async fn observe(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Optional<Over>,
) -> Result<HttpResponse, Problem> {
    every(&app, site.into_inner(), Kind::Observe, body.0).await
}

/// `POST /sites/{site}/drift/repair`
pub async fn repair(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Optional<Over>,
) -> Result<HttpResponse, Problem> {
    every(&app, site.into_inner(), Kind::Repair, body.0).await
}

async fn every(
    app: &App,
    site: String,
    kind: Kind,
    Over { destination: only }: Over,
) -> Result<HttpResponse, Problem> {
    let location = format!("/api/v1/sites/{site}/drift");
    let begun = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let all = match &only {
                None => destinations::of_site(conn, &site)?,
                Some(id) => vec![the_only(conn, &site, id)?],
            };
            let mut items = Vec::new();
            for destination in all.iter().filter(|d| d.enabled) {
                let asked = ask(conn, destination, kind, false, bench.at)?;
                let (Asked::Begun(run) | Asked::Open(run)) = asked;
                items.push(RunView::of(conn, destination, run, bench.at)?);
            }
            Ok(RunsView { items })
        })
    });
    let runs = begun.await?;
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(&runs))
}

/// The destination that a body names, which has to be there and enabled.
fn the_only(conn: &mut Conn, site_id: &str, id: &str) -> Result<Destination, Problem> {
    let Some(destination) = destinations::get(conn, site_id, id)? else {
        return Err(Problem::invalid_at("/destination", "There is no such destination."));
    };
    if !destination.enabled {
        let detail =
            "The destination is disabled: nothing is sent to it. Enable it, then ask again.";
        return Err(Problem::conflict(detail));
    }
    Ok(destination)
}
