//! Levels.

use crate::app::App;
use crate::store::conn::Conn;
use crate::store::rules::{self, Level};
use crate::store::{Result as Stored, members, overrides};
use crate::web::answer::{self, IfMatch};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{self, Json, Nothing, Page, Query, name_fault, slug_fault};
use crate::web::problem::{Fault, Problem};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

/// A level as it is shown.
#[derive(Debug, Serialize)]
struct LevelView {
    id: String,
    name: String,
    members: i64,
    #[serde(skip)]
    created_at: chrono::NaiveDateTime,
}

fn views(conn: &mut Conn, site_id: &str, levels: Vec<Level>) -> Stored<Vec<LevelView>> {
    let ids: Vec<String> = levels.iter().map(|level| level.id.clone()).collect();
    let counts: std::collections::HashMap<String, i64> =
        members::count_by_level(conn, site_id, &ids)?.into_iter().collect();
    let view = |level: Level| LevelView {
        members: counts.get(&level.id).copied().unwrap_or_default(),
        id: level.id,
        name: level.name,
        created_at: level.created_at,
    };
    Ok(levels.into_iter().map(view).collect())
}

fn view(conn: &mut Conn, site_id: &str, id: &str) -> Stored<Option<LevelView>> {
    let level = rules::level(conn, site_id, id)?;
    Ok(views(conn, site_id, level.into_iter().collect())?.pop())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/levels`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let page = Page::of(query.0.limit, query.0.cursor.as_deref(), 2)?;
    let limit = page.limit;
    let before = match page.after.as_deref() {
        Some([at, id]) => Some((extract::instant(at)?, id.clone())),
        _ => None,
    };
    let found = app.blocking(move |app| {
        Ok(app.flow().on_snapshot(&site, |conn, _| {
            let levels = rules::list_levels(conn, &site, before, limit)?;
            views(conn, &site, levels)
        })?)
    });
    Ok(answer::page(&found.await?, limit, |level| {
        vec![level.created_at.to_string().replace(' ', "T"), level.id.clone()]
    }))
}

/// `GET /sites/{site}/levels/{level}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| {
        let found = app.flow().on_snapshot(&site, |conn, _| view(conn, &site, &id))?;
        found.ok_or_else(|| Problem::not_found("level"))
    });
    Ok(answer::thing(&request, &found.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    id: String,
    name: Option<String>,
}

/// `POST /sites/{site}/levels`
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let Create { id, name } = body.0;
    let faults = [("/id", slug_fault(&id)), ("/name", name.as_deref().and_then(name_fault))];
    let fault = |(pointer, fault): (&str, Option<String>)| {
        Some(Fault { pointer: pointer.to_owned(), detail: fault? })
    };
    let faults: Vec<Fault> = faults.into_iter().filter_map(fault).collect();
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let name = name.unwrap_or_else(|| id.clone());
    let site = site.into_inner();
    let location = format!("/api/v1/sites/{site}/levels/{id}");
    let made = app.blocking(move |app| {
        let made = app.flow().under_lock(&site, |conn, bench| {
            if rules::level(conn, &site, &id)?.is_some() {
                return Ok(None);
            }
            let created_at = bench.at.naive_utc();
            rules::insert_level(
                conn,
                &Level { site_id: site.clone(), id: id.clone(), name, created_at },
            )?;
            view(conn, &site, &id)
        })?;
        made.ok_or_else(|| {
            Problem::conflict("There is a level with this id already. Choose another id.")
        })
    });
    Ok(answer::created(&location, &made.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    #[serde(default, deserialize_with = "extract::present")]
    name: Option<String>,
}

/// `PATCH /sites/{site}/levels/{level}`
pub async fn edit(
    app: web::Data<App>,
    _: Auth<Manage>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: Json<Edit>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    if let Some(fault) = body.0.name.as_deref().and_then(name_fault) {
        return Err(Problem::invalid_at("/name", fault));
    }
    let if_match = IfMatch::of(&request);
    let edited = app.blocking(move |app| {
        app.flow().under_lock(&site, |conn, _| {
            let Some(mut level) = rules::level(conn, &site, &id)? else {
                return Ok(Err(Problem::not_found("level")));
            };
            if let Err(problem) = if_match.check(&view(conn, &site, &id)?) {
                return Ok(Err(problem));
            }
            level.name = body.0.name.unwrap_or(level.name);
            rules::update_level(conn, &level)?;
            Ok(view(conn, &site, &id)?.ok_or_else(|| Problem::not_found("level")))
        })?
    });
    Ok(answer::thing(&request, &edited.await?))
}

/// `DELETE /sites/{site}/levels/{level}`
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
        app.flow().under_lock(&site, |conn, bench| {
            let Some(level) = view(conn, &site, &id)? else {
                return Ok(Err(Problem::not_found("level")));
            };
            if let Err(problem) = if_match.check(&level) {
                return Ok(Err(problem));
            }
            let mapped = bench.book.mappings.iter().any(|mapping| mapping.level == id);
            if mapped || level.members > 0 || overrides::any_of_level(conn, &site, &id, bench.at)? {
                let detail =
                    "The level is in use by mappings, grants or blocks. Remove those first.";
                return Ok(Err(Problem::conflict(detail)));
            }
            rules::delete_level(conn, &site, &id)?;
            Ok(Ok(()))
        })?
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}
