//! What is done to a destination: it is tested, and its secret is changed.

use super::shapes::{Create, Rotate, Rotated, Tested, kind_of};
use super::{checked, existing};
use crate::app::App;
use crate::dispatch::sealed::{self, SECRET, SECRET_BEFORE};
use crate::store::destinations::{self, Destination, State};
use crate::store::pushes;
use crate::web::auth::{Auth, Manage};
use crate::web::extract::{Json, Nothing, Optional, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use chrono::TimeDelta;

/// How long the secret before signs too when nothing else is asked for, in hours.
pub(super) const OVERLAP_HOURS: i64 = 24;
/// How long it may, in hours: 30 days.
pub(super) const OVERLAP_HOURS_MAX: i64 = 720;

/// `POST /sites/{site}/destinations/{id}/test`
pub async fn test(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| app.look(&site, |conn, _| existing(conn, &site, &id)));
    let destination = found.await?;
    let findings = app.dispatch().test(&destination).await?;
    let ok = findings.iter().all(|finding| finding.ok);
    if ok && (destination.state != State::Ok || destination.failures > 0) {
        app.blocking(move |app| mended(app, &destination)).await?;
    }
    Ok(HttpResponse::Ok().json(Tested::of(findings)))
}

/// `POST /sites/{site}/destinations/test`: as for one that is there, and nothing of it is kept.
pub async fn test_unsaved(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let made = app.blocking(move |app| {
        app.look(&site, |conn, bench| Ok(checked::made(app, conn, bench, body.0)?.0))
    });
    let findings = app.dispatch().test_unsaved(&made.await?).await?;
    Ok(HttpResponse::Ok().json(Tested::of(findings)))
}

/// Notes that a destination is as it has to be, unless it has been edited since: pushes to it go on.
fn mended(app: &App, tested: &Destination) -> Result<(), Problem> {
    let (site, id) = (&tested.site_id, &tested.id);
    app.change(site, |conn, bench| {
        let now = destinations::lock(conn, site, id)?;
        let Some(mut now) = now.filter(|now| now.version == tested.version) else { return Ok(()) };
        now.is_up();
        destinations::stands(conn, &now)?;
        Ok(pushes::make_due(conn, site, id, bench.at)?)
    })
}

/// `POST /sites/{site}/destinations/{id}/rotate-secret`
pub async fn rotate(
    app: web::Data<App>,
    _: Auth<Manage>,
    path: web::Path<(String, String)>,
    body: Optional<Rotate>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let hours = body.0.overlap_hours;
    if !(0..=OVERLAP_HOURS_MAX).contains(&hours) {
        let detail = format!("must be from 0 to {OVERLAP_HOURS_MAX}");
        return Err(Problem::invalid_at("/overlap_hours", detail));
    }
    let rotated = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let Some(mut destination) = destinations::lock(conn, &site, &id)? else {
                return Err(Problem::not_found("destination"));
            };
            if !kind_of(&destination)?.is_signed {
                let detail = "Nothing is signed for this kind of destination. Give it another secret in config.";
                return Err(Problem::conflict(detail));
            }
            let mut config = sealed::before_edit(app.sealer(), &destination, bench.at)?;
            if config.remove(SECRET_BEFORE).is_some() && hours > 0 {
                let detail = "Messages are still signed with an earlier secret. Wait until secret_before_until, \
                              or ask for overlap_hours 0, which ends both at once.";
                return Err(Problem::conflict(detail));
            }
            let secret = sealed::new_secret()?;
            let before = config.insert(SECRET.to_owned(), secret.clone().into());
            let before = before.filter(|_| hours > 0);
            destination.secret_before_until =
                before.as_ref().map(|_| bench.at + TimeDelta::hours(hours));
            config.extend(before.map(|before| (SECRET_BEFORE.to_owned(), before)));
            sealed::put(app.sealer(), &mut destination, config)?;
            destination.version += 1;
            destinations::update(conn, &destination)?;
            Ok(Rotated { secret, previous_ends_at: destination.secret_before_until })
        })
    });
    Ok(HttpResponse::Ok().json(rotated.await?))
}
