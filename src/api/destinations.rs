//! Destinations: the membership sites that access is carried to.

mod acts;
mod checked;
mod remotes;
mod shapes;

pub use acts::{rotate, test, test_unsaved};
pub(super) use remotes::RemotesView;
pub use remotes::{remotes, remotes_of_unsaved};
pub use shapes::{Create, Edit};
pub(super) use shapes::{DestinationView, Rotated, Tested, Written};

use crate::app::App;
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination};
use crate::store::{Result as Stored, pushes};
use crate::web::answer::{self, IfMatch};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{Json, Listing, Nothing, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};

/// How many destinations a site may have.
const DESTINATIONS_MAX: i64 = 100;

fn existing(conn: &mut Conn, site_id: &str, id: &str) -> Result<Destination, Problem> {
    destinations::get(conn, site_id, id)?.ok_or_else(|| Problem::not_found("destination"))
}

/// `GET /sites/{site}/destinations`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let rows = destinations::list(conn, &site, before.as_deref(), asked)?;
            let view = |row: &Destination| DestinationView::of(app.sealer(), row, bench.at);
            Ok(rows.iter().map(view).collect::<Stored<Vec<_>>>()?)
        })
    });
    Ok(answer::page(&page, found.await?, |destination| vec![destination.id.clone()]))
}

/// `GET /sites/{site}/destinations/{id}`
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
            let found = existing(conn, &site, &id)?;
            Ok(DestinationView::of(app.sealer(), &found, bench.at)?)
        })
    });
    Ok(answer::thing(&request, &found.await?))
}

/// `POST /sites/{site}/destinations`: it is told of changes from then on.
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let site = site.into_inner();
    let location = format!("/api/v1/sites/{site}/destinations");
    let made = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            if bench.site.destinations >= DESTINATIONS_MAX {
                let detail = format!(
                    "A site has at most {DESTINATIONS_MAX} destinations. Delete one that is not needed."
                );
                return Err(Problem::conflict(detail));
            }
            let (destination, secret) = checked::made(app, conn, bench, body.0)?;
            destinations::insert(conn, &destination)?;
            let destination = DestinationView::of(app.sealer(), &destination, bench.at)?;
            Ok(Written { destination, secret })
        })
    });
    let made = made.await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("{location}/{}", made.destination.id)))
        .insert_header(("ETag", answer::etag(&made.destination)))
        .json(&made))
}

/// `PATCH /sites/{site}/destinations/{id}`: what waits is sent at once, as it is now.
pub async fn edit(
    app: web::Data<App>,
    _: Auth<Manage>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: Json<Edit>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let if_match = IfMatch::of(&request);
    let edited = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let Some(before) = destinations::lock(conn, &site, &id)? else {
                return Err(Problem::not_found("destination"));
            };
            if_match.check(&DestinationView::of(app.sealer(), &before, bench.at)?)?;
            let goes_on = body.0.config.is_some() || body.0.enabled.is_some();
            let (destination, secret) = checked::edited(app, conn, bench, &before, body.0)?;
            destinations::update(conn, &destination)?;
            if goes_on {
                pushes::make_due(conn, &site, &id, bench.at)?;
            }
            let destination = DestinationView::of(app.sealer(), &destination, bench.at)?;
            Ok(Written { destination, secret })
        })
    });
    let edited = edited.await?;
    Ok(HttpResponse::Ok().insert_header(("ETag", answer::etag(&edited.destination))).json(&edited))
}

/// `DELETE /sites/{site}/destinations/{id}`: nothing more is sent; what was added there stays there.
pub async fn remove(
    app: web::Data<App>,
    _: Auth<Manage>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let if_match = IfMatch::of(&request);
    let removed = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let destination = existing(conn, &site, &id)?;
            if_match.check(&DestinationView::of(app.sealer(), &destination, bench.at)?)?;
            Ok(destinations::delete(conn, &site, &id, bench.at)?)
        })?;
        app.flow().tidy_soon();
        Ok(())
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}
