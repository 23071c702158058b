//! Levels.

use crate::app::App;
use crate::flow::edits::rules_moved;
use crate::store::conn::Conn;
use crate::store::plans::Moved;
use crate::store::rules::{self, Level};
use crate::store::{Result as Stored, destinations, level_counts, overrides};
use crate::web::answer::{self, IfMatch, Resource};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{self, Json, Listing, Nothing, Query, name_fault, slug_fault};
use crate::web::problem::{Fault, Problem};
use crate::web::shapes::{Name, Slug};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A level as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Level")]
pub(super) struct LevelView {
    /// Its id, a slug.
    id: String,
    /// What people call it.
    name: String,
    /// How many members hold it.
    members: i64,
    #[serde(skip)]
    created_at: chrono::NaiveDateTime,
}

impl Resource for LevelView {
    fn decided(&self) -> Option<Value> {
        Some(json!([self.id, self.name]))
    }
}

fn views(conn: &mut Conn, site_id: &str, levels: Vec<Level>) -> Stored<Vec<LevelView>> {
    let ids: Vec<String> = levels.iter().map(|level| level.id.clone()).collect();
    let counts = level_counts::of(conn, site_id, &ids)?;
    let view = |level: Level| LevelView {
        members: counts.get(&level.id).copied().unwrap_or_default(),
        id: level.id,
        name: level.name,
        created_at: level.created_at,
    };
    Ok(levels.into_iter().map(view).collect())
}

fn existing(conn: &mut Conn, site_id: &str, id: &str) -> Result<LevelView, Problem> {
    let level = rules::level(conn, site_id, id)?;
    let view = views(conn, site_id, level.into_iter().collect())?.pop();
    view.ok_or_else(|| Problem::not_found("level"))
}

/// `GET /sites/{site}/levels`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(2)?;
    let asked = page.asked();
    let before = page.after_instant()?;
    let found = app.blocking(move |app| {
        app.look(&site, |conn, _| {
            let levels = rules::list_levels(conn, &site, before, asked)?;
            Ok(views(conn, &site, levels)?)
        })
    });
    Ok(answer::page(&page, found.await?, |level| extract::instant_key(level.created_at, &level.id)))
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
    let found = app.blocking(move |app| app.look(&site, |conn, _| existing(conn, &site, &id)));
    Ok(answer::thing(&request, &found.await?))
}

/// What a new level shall be.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateLevel")]
pub struct Create {
    /// Its id, which mappings and questions name it by.
    #[schemars(with = "Slug")]
    id: String,
    /// What people call it; its id where nothing is said.
    #[schemars(with = "Option<Name>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Create {
    /// Its id and its name, or what is wrong with them.
    pub(super) fn checked(self) -> Result<(String, String), Vec<Fault>> {
        let Self { id, name } = self;
        let faults = [("/id", slug_fault(&id)), ("/name", name.as_deref().and_then(name_fault))];
        let fault = |(pointer, fault): (&str, Option<String>)| {
            Some(Fault { pointer: pointer.to_owned(), detail: fault? })
        };
        let faults: Vec<Fault> = faults.into_iter().filter_map(fault).collect();
        let name = name.unwrap_or_else(|| id.clone());
        if faults.is_empty() { Ok((id, name)) } else { Err(faults) }
    }
}

/// `POST /sites/{site}/levels`
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let (id, name) = body.0.checked().map_err(Problem::invalid)?;
    let site = site.into_inner();
    let location = format!("/api/v1/sites/{site}/levels/{id}");
    let made = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            if rules::level(conn, &site, &id)?.is_some() {
                let detail = "There is a level with this id already. Choose another id.";
                return Err(Problem::conflict(detail));
            }
            let created_at = bench.at.naive_utc();
            let level = Level { site_id: site.clone(), id: id.clone(), name, created_at };
            rules::insert_level(conn, &level)?;
            rules_moved(conn, bench, &[Moved::new("level", &id)])?;
            existing(conn, &site, &id)
        })
    });
    Ok(answer::created(&location, &made.await?))
}

/// What shall change about a level.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditLevel")]
pub struct Edit {
    /// What people call it.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Name")]
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
        app.change(&site, |conn, bench| {
            let Some(mut level) = rules::level(conn, &site, &id)? else {
                return Err(Problem::not_found("level"));
            };
            if_match.check(&existing(conn, &site, &id)?)?;
            level.name = body.0.name.unwrap_or(level.name);
            rules::update_level(conn, &level)?;
            rules_moved(conn, bench, &[Moved::new("level", &id)])?;
            existing(conn, &site, &id)
        })
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
        app.change(&site, |conn, bench| {
            let level = existing(conn, &site, &id)?;
            if_match.check(&level)?;
            let mapped = bench.book.mappings.iter().any(|mapping| mapping.level == id);
            if mapped
                || level.members > 0
                || overrides::any_of_level(conn, &site, &id, bench.at)?
                || destinations::names_level(conn, &site, &id)?
            {
                let detail = "The level is in use by mappings, grants, blocks or destinations. \
                              Remove those first.";
                return Err(Problem::conflict(detail));
            }
            rules::delete_level(conn, &site, &id)?;
            rules_moved(conn, bench, &[Moved::new("level", &id)])?;
            Ok(())
        })
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}
