//! Sites.

mod alarms;
mod shapes;

pub use shapes::{Create, Edit};
pub(super) use shapes::{Edited, SiteView};

use super::connection::connection;
use super::mappings::policy_of;
use super::recomputes::{is_finished, work};
use crate::app::App;
use crate::core::breaker::MaxRevocations;
use crate::first_start::{self, webhook_url};
use crate::flow::edits::rules_moved;
use crate::flow::process::ipn_purpose;
use crate::flow::recompute::{Scope, ask};
use crate::flow::settle::{Bench, Cause};
use crate::secrets::SecretError;
use crate::store::conn::Conn;
use crate::store::plans::Moved;
use crate::store::recomputes::Recompute;
use crate::store::sites::{self, Site};
use crate::store::{Result as Stored, StoreError, disposal};
use crate::web::answer::{self, IfMatch};
use crate::web::auth::{Admin, Auth, Read};
use crate::web::extract::{self, Json, Listing, Nothing, Object, Query, name_fault, slug_fault};
use crate::web::problem::{Fault, Problem};
use crate::web::shapes::Slug;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use shapes::{EditMaxRevocations, SECRET_CHARS_MAX};

fn view(conn: &mut Conn, app: &App, site: &Site) -> Stored<SiteView> {
    Ok(SiteView {
        id: site.id.clone(),
        name: site.name.clone(),
        kartra_time_zone: site.kartra_time_zone.name(),
        enabled: site.enabled,
        webhook_url: Some(webhook_url(conn, app.sealer(), app.base_url(), &site.id)?),
        previous_webhook_urls_end_at: sites::earlier_hooks_end_at(
            conn,
            &site.id,
            app.clock().now(),
        )?,
        ipn_secret_set: site.ipn_secret.is_some(),
        policy: site.policy.clone(),
        max_revocations: site.max_revocations,
        connection: connection(conn, site, app.clock().now())?,
        alarms: alarms::view(conn, app, &site.id)?,
        created_at: site.created_at,
    })
}

/// `GET /sites`
pub async fn list(
    app: web::Data<App>,
    auth: Auth<Read>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(2)?;
    let (asked, before) = (page.asked(), page.after_instant()?);
    let found = app.blocking(move |app| {
        Ok(app.store().read(|conn| {
            let sites = match &auth.caller.site_id {
                Some(only) => sites::get(conn, only)?.into_iter().collect(),
                None => sites::list(conn, before, asked)?,
            };
            let shown = |site| Ok(view(conn, app, site)?.seen_with(auth.caller.scope));
            sites.iter().map(shown).collect::<Stored<Vec<_>>>()
        })?)
    });
    Ok(answer::page(&page, found.await?, |site| {
        extract::instant_key(site.created_at.naive_utc(), &site.id)
    }))
}

/// `GET /sites/{site}`
pub async fn get(
    app: web::Data<App>,
    auth: Auth<Read>,
    request: HttpRequest,
    id: web::Path<String>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let found = app.blocking(move |app| {
        app.store().read(|conn| {
            let site = sites::get(conn, &id)?.ok_or_else(|| Problem::not_found("site"))?;
            Ok(view(conn, app, &site)?.seen_with(auth.caller.scope))
        })
    });
    Ok(answer::thing(&request, &found.await?))
}

/// `POST /sites`
pub async fn create(
    app: web::Data<App>,
    auth: Auth<Admin>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    if auth.caller.site_id.is_some() {
        return Err(Problem::forbidden("Use a key that is not bound to a site."));
    }
    let Create { id, name, kartra_time_zone, max_revocations } = body.0;
    let mut faults = Vec::new();
    let mut check = |pointer: &str, fault: Option<String>| {
        faults.extend(fault.map(|detail| Fault { pointer: pointer.to_owned(), detail }));
    };
    check("/id", slug_fault(&id));
    check("/name", name.as_deref().and_then(name_fault));
    let zone = match kartra_time_zone.as_deref().map(zone) {
        Some(Err(fault)) => {
            check("/kartra_time_zone", Some(fault));
            None
        }
        Some(Ok(zone)) => Some(zone),
        None => None,
    };
    for (pointer, detail) in breaker_faults(max_revocations.as_ref()) {
        check(&pointer, Some(detail));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let name = name.unwrap_or_else(|| id.clone());
    let made = app.blocking(move |app| {
        let mut site = first_start::new_site(&id, &name, app.clock().now());
        site.kartra_time_zone = zone.unwrap_or(site.kartra_time_zone);
        if let Some(written) = max_revocations {
            site.max_revocations = limit_of(written, site.max_revocations);
        }
        app.store().write(|conn| {
            let there = "There is a site with this id already. Choose another id.";
            let going = "A site with this id is still being deleted. Try again in a few minutes.";
            if disposal::is_being_removed(conn, &site.id)? {
                return Err(Problem::conflict(going));
            }
            if sites::get(conn, &site.id)?.is_some() {
                return Err(Problem::conflict(there));
            }
            first_start::make_site(conn, app.sealer(), &site)?;
            Ok(view(conn, app, &site)?)
        })
    });
    let made = made.await?;
    Ok(answer::created(&format!("/api/v1/sites/{}", made.id), &made))
}

fn zone(name: &str) -> Result<Tz, String> {
    let hint = "must be a time zone of the IANA list, such as America/New_York";
    name.parse().map_err(|_| hint.to_owned())
}

/// `PATCH /sites/{site}`
pub async fn edit(
    app: web::Data<App>,
    _: Auth<Admin>,
    request: HttpRequest,
    id: web::Path<String>,
    body: Json<Edit>,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let edited = app.blocking(move |app| {
        let change = body.0;
        let zone = check(app, &change)?;
        let (site, (asked, secret)) = app.change(&id, |conn, bench| {
            let before = view(conn, app, &bench.site)?;
            if_match.check(&before)?;
            let asked = apply(conn, app, bench, change, zone)?;
            Ok((view(conn, app, &bench.site)?, asked))
        })?;
        app.intake().forget_doors();
        app.flow().wake();
        let recompute = asked.map(|asked| work(app, &asked)).transpose()?;
        Ok((Edited { site, recompute }, secret))
    });
    let (mut edited, secret) = edited.await?;
    // The tag is that of the site as it is shown from now on, without the secret.
    let tag = answer::etag(&edited.site);
    edited.site.alarms.secret = secret;
    if edited.recompute.as_ref().is_none_or(is_finished) {
        return Ok(HttpResponse::Ok().insert_header(("ETag", tag)).json(&edited));
    }
    Ok(HttpResponse::Accepted().json(&edited))
}

/// What has to be written out before a site is deleted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The id of the site, once more: all that belongs to it is deleted.
    #[schemars(with = "Slug")]
    confirm: Option<String>,
}

/// `DELETE /sites/{site}?confirm={site}`: with everything that belongs to it.
pub async fn remove(
    app: web::Data<App>,
    _: Auth<Admin>,
    request: HttpRequest,
    id: web::Path<String>,
    query: Query<Confirmation>,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let removed = app.blocking(move |app| {
        app.change(&id, |conn, bench| {
            if query.0.confirm.as_ref() != Some(&bench.site.id) {
                let detail =
                    "confirm must be the id of the site: all that belongs to it is deleted.";
                return Err(Problem::malformed(detail));
            }
            if_match.check(&view(conn, app, &bench.site)?)?;
            Ok(disposal::delete_site(conn, &id, bench.at)?)
        })?;
        app.intake().forget_doors();
        app.remembered_keys().forget();
        app.flow().tidy_soon();
        Ok(())
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Looks at everything that is to change, before anything does.
fn check(app: &App, change: &Edit) -> Result<Option<Tz>, Problem> {
    let mut faults = Vec::new();
    let mut note = |pointer: String, detail: String| faults.push(Fault { pointer, detail });
    if let Some(fault) = change.name.as_deref().and_then(name_fault) {
        note("/name".to_owned(), fault);
    }
    let zone = change.kartra_time_zone.as_deref().map(zone).transpose();
    let zone = zone.unwrap_or_else(|fault| {
        note("/kartra_time_zone".to_owned(), fault);
        None
    });
    if let Some(Some(secret)) = &change.ipn_secret
        && (secret.trim().is_empty() || secret.chars().count() > SECRET_CHARS_MAX)
    {
        let detail =
            format!("must be a text of 1 to {SECRET_CHARS_MAX} characters, or null for none");
        note("/ipn_secret".to_owned(), detail);
    }
    if let Some(Some(Object(policy))) = &change.policy {
        policy
            .faults()
            .into_iter()
            .for_each(|(key, detail)| note(format!("/policy/{key}"), detail));
    }
    if let Some(Some(Object(alarms))) = &change.alarms {
        let found = alarms.faults(app).into_iter();
        found.for_each(|(key, detail)| note(format!("/alarms/{key}"), detail));
    }
    breaker_faults(change.max_revocations.as_ref())
        .into_iter()
        .for_each(|(pointer, detail)| note(pointer, detail));
    if faults.is_empty() { Ok(zone) } else { Err(Problem::invalid(faults)) }
}

/// What is wrong with the limit of the breaker. Each key has bounds of its own, so what was before is no matter.
fn breaker_faults(written: Option<&Option<Object<EditMaxRevocations>>>) -> Vec<(String, String)> {
    let Some(Some(Object(edit))) = written else { return Vec::new() };
    let faults = edit.of(None).faults().into_iter();
    faults.map(|(key, detail)| (format!("/max_revocations/{key}"), detail)).collect()
}

/// The limit of the breaker as it was written; `null` sets none.
fn limit_of(
    written: Option<Object<EditMaxRevocations>>,
    before: Option<MaxRevocations>,
) -> Option<MaxRevocations> {
    written.map(|Object(edit)| edit.of(before))
}

/// Changes a site; answers what has to be computed again, and the secret that was made.
fn apply(
    conn: &mut Conn,
    app: &App,
    bench: &mut Bench,
    change: Edit,
    zone: Option<Tz>,
) -> Stored<(Option<Recompute>, Option<String>)> {
    let sealing = |error: SecretError| StoreError::Corrupt(error.to_string());
    let before = bench.site.clone();
    let secret = alarms::apply(conn, app, &before.id, change.alarms, bench.at)?;
    let site = &mut bench.site;
    site.name = change.name.unwrap_or_else(|| site.name.clone());
    site.kartra_time_zone = zone.unwrap_or(site.kartra_time_zone);
    site.enabled = change.enabled.unwrap_or(site.enabled);
    site.policy = change.policy.map_or_else(|| site.policy.clone(), policy_of);
    if let Some(written) = change.max_revocations {
        site.max_revocations = limit_of(written, site.max_revocations);
    }
    if let Some(secret) = change.ipn_secret {
        let seal =
            |secret: String| app.sealer().seal(&ipn_purpose(&site.id), secret.trim().as_bytes());
        site.ipn_secret = secret.map(seal).transpose().map_err(sealing)?;
    }
    let reread_dates = site.kartra_time_zone != before.kartra_time_zone;
    let same_policy = site.policy == before.policy;
    let moved = [("policy", !same_policy), ("kartra_time_zone", reread_dates)];
    let moved = moved.into_iter().filter(|(_, moved)| *moved);
    let moved: Vec<Moved> = moved.map(|(key, _)| Moved::new("settings", key)).collect();
    rules_moved(conn, bench, &moved)?;
    let site = &bench.site;
    if site.enabled && !before.enabled {
        // What was stored meanwhile is applied from now on.
        bench.makes_work();
    }
    if !reread_dates && same_policy {
        return Ok((None, secret));
    }
    let scope = Scope { product_id: None, reread_dates };
    let asked = ask(conn, bench, &scope, &Cause::new("settings", "site"))?;
    Ok((Some(asked), secret))
}
