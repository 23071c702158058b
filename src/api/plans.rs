//! Plans: what other rules would do to each member, seen before it happens.

mod changes;
mod shapes;

pub use shapes::Create;
pub(super) use shapes::{AppliedView, PlanView, PlannedView};

use super::recomputes::{is_finished, work_all};
use crate::app::App;
use crate::flow::plans::{self as flow, Applied};
use crate::store::conn::Conn;
use crate::store::plans::{self, Kind, Plan, State, Step, What};
use crate::web::answer;
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{Json, Listing, Nothing, PAGE_ITEMS_MAX, Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;

/// Steps that one page looks through for those that are asked for.
const LOOKED_AT_MAX: usize = 5_000;

/// `GET /sites/{site}/plans`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| Ok(plans::list(conn, &site, before.as_deref(), asked)?))
    });
    let views: Vec<PlanView> = found.await?.into_iter().map(PlanView::from).collect();
    Ok(answer::page(&page, views, |plan| vec![plan.id.clone()]))
}

/// `POST /sites/{site}/plans`
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let site = site.into_inner();
    let location = format!("/api/v1/sites/{site}/plans");
    let made = app.blocking(move |app| {
        let written = serde_json::to_value(&body.0.changes).map_err(|_| Problem::internal())?;
        let plan = app.change(&site, |conn, bench| {
            let edits = changes::edits(conn, bench, body.0.changes)?;
            Ok(flow::open(conn, bench, &edits, &written)?)
        })?;
        app.flow().wake();
        Ok(PlanView::from(plan))
    });
    let made = made.await?;
    let location = format!("{location}/{}", made.id);
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(&made))
}

/// `GET /sites/{site}/plans/{id}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| app.look(&site, |conn, _| existing(conn, &site, &id)));
    Ok(answer::thing(&request, &PlanView::from(found.await?)))
}

fn existing(conn: &mut Conn, site_id: &str, id: &str) -> Result<Plan, Problem> {
    plans::get(conn, site_id, id)?.ok_or_else(|| Problem::not_found("plan"))
}

/// Which steps of a plan are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Only steps of this kind.
    what: Option<What>,
    /// Only members whose address has this part.
    q: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/plans/{id}/members`
pub async fn members(
    app: web::Data<App>,
    _: Auth<Read>,
    path: web::Path<(String, String)>,
    query: Query<Members>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let Members { what, q, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 2)?;
    let part = q.unwrap_or_default().trim().to_lowercase();
    let fits =
        move |step: &Step| what.is_none_or(|what| what == step.what) && step.email.contains(&part);
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            existing(conn, &site, &id)?;
            look_through(conn, &site, &id, &page, fits)
        })
    });
    let (steps, next) = found.await?;
    let views: Vec<PlannedView> = steps.into_iter().map(PlannedView::from).collect();
    Ok(answer::items_until(&views, next.as_deref()))
}

/// A page of the steps that fit; it looks no further than [`LOOKED_AT_MAX`], so it may be short before the last.
fn look_through(
    conn: &mut Conn,
    site_id: &str,
    id: &str,
    page: &Page,
    fits: impl Fn(&Step) -> bool,
) -> Result<(Vec<Step>, Option<Vec<String>>), Problem> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut after = match page.after.as_deref() {
        Some([email, level]) => Some((email.clone(), level.clone())),
        _ => None,
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let batch = plans::steps(conn, site_id, id, after.clone(), PAGE_ITEMS_MAX)?;
        let is_last = batch.len() < usize::try_from(PAGE_ITEMS_MAX).unwrap_or(usize::MAX);
        looked_at += batch.len();
        for step in batch {
            if found.len() == limit {
                return Ok((found, after.map(|(email, level)| vec![email, level])));
            }
            after = Some((step.email.clone(), step.level.clone()));
            found.extend(Some(step).filter(|step| fits(step)));
        }
        if is_last || looked_at >= LOOKED_AT_MAX {
            let next = after.filter(|_| !is_last).map(|(email, level)| vec![email, level]);
            return Ok((found, next));
        }
    }
}

/// `POST /sites/{site}/plans/{id}/apply`
pub async fn apply(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let location = format!("/api/v1/sites/{site}/plans/{id}");
    let applied = app.blocking(move |app| match app.flow().apply_plan(&site, &id)? {
        Applied::Unknown => Err(Problem::not_found("plan")),
        Applied::Waits => Err(Problem::conflict(
            "An earlier change of the rules is still being worked out for everybody. Wait until that is done, then apply the plan.",
        )),
        Applied::Refused(plan) => Err(refusal(&plan)),
        Applied::Done(plan, asked) => {
            let recompute = work_all(app, &asked)?;
            Ok(AppliedView { plan: PlanView::from(plan), recompute })
        }
    });
    let applied = applied.await?;
    if is_finished(&applied.recompute) {
        return Ok(HttpResponse::Ok().json(&applied));
    }
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(&applied))
}

/// Why a plan cannot be applied, and what to do.
fn refusal(plan: &Plan) -> Problem {
    match plan.state {
        State::Computing => Problem::conflict(
            "The plan is still being computed. Wait until its state is ready, look at it, then apply it.",
        ),
        State::Applied => {
            Problem::conflict("The plan has been applied already. Nothing is applied twice.")
        }
        State::Ready | State::Stale => {
            let again = match plan.kind {
                Kind::Edit => "Make the plan again, look at what it does now, and apply that one.",
                Kind::Upgrade => "Look at what the plan names now, then apply it.",
            };
            let members = plan.moved.iter().any(|moved| moved.what == "member");
            let why = if members {
                "Members whom the plan does not name would lose a level now."
            } else {
                "What the plan was computed from has moved since."
            };
            Problem::moved(format!("{why} {again}"), plan.moved.clone())
        }
    }
}
