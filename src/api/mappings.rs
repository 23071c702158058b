//! Mappings: product (and perhaps price point) → level. A change reaches purchases of before, too.

mod shapes;

pub use shapes::{Create, Edit};
pub(super) use shapes::{MappingView, RecomputeOnly, Written};

use super::recomputes::{is_finished, work_all};
use crate::app::App;
use crate::core::kartra::values::ID_BYTES_MAX;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::flow::edits::Edits;
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::{Result as Stored, products, rules};
use crate::web::answer::{self, IfMatch};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{Json, Nothing, Object, Page, Query};
use crate::web::problem::{Fault, Problem};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What stands before the product's number in the address of its edit page (Member Kitchens' guide).
const EDIT_PAGE: &str = "/products/edit/";
/// Mappings whose products are looked up at once.
const LOOKED_UP_AT_ONCE: usize = 500;

/// Which mappings are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only mappings of this product.
    product_id: Option<String>,
    /// Only mappings of products that a money event has named, or only those that none has named yet.
    seen: Option<bool>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/mappings`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { product_id, seen, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            if product_id.is_none() && seen.is_none() {
                return Ok(rules::list_mappings(conn, &site, before.as_deref(), asked)?);
            }
            let of_product =
                |mapping: &Mapping| product_id.as_ref().is_none_or(|id| *id == mapping.product_id);
            Ok(matching(conn, bench, of_product, seen, before.as_deref(), asked)?)
        })
    });
    let views: Vec<MappingView> = found.await?.into_iter().map(MappingView::from).collect();
    Ok(answer::page(&page, views, |mapping| vec![mapping.id.clone()]))
}

/// A page of the mappings that fit, newest first, before an id. The rules are in memory; only whether products were
/// seen is looked up, many at once.
fn matching(
    conn: &mut Conn,
    bench: &Bench,
    fits: impl Fn(&Mapping) -> bool,
    seen: Option<bool>,
    before: Option<&str>,
    limit: i64,
) -> Stored<Vec<Mapping>> {
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    let earlier = |mapping: &&Mapping| before.is_none_or(|id| mapping.id.as_str() < id);
    let newest_first = bench.book.mappings.iter().rev();
    let unseen = match seen {
        Some(false) => Some(bench.book.unseen(conn, &bench.site.id)?),
        _ => None,
    };
    let may_fit = |mapping: &&Mapping| {
        unseen.is_none_or(|unseen| unseen.contains(&mapping.product_id)) && fits(mapping)
    };
    let all: Vec<&Mapping> = newest_first.filter(earlier).filter(may_fit).collect();
    let Some(seen) = seen else {
        return Ok(all.into_iter().take(enough).cloned().collect());
    };
    let mut found = Vec::new();
    for batch in all.chunks(LOOKED_UP_AT_ONCE) {
        let ids: BTreeSet<String> = batch.iter().map(|m| m.product_id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let known = products::with_ids(conn, &bench.site.id, &ids)?;
        let known: BTreeSet<&str> = known.iter().map(|p| p.product_id.as_str()).collect();
        let fitting = batch.iter().filter(|m| known.contains(m.product_id.as_str()) == seen);
        found.extend(fitting.map(|mapping| Mapping::clone(mapping)));
        if found.len() >= enough {
            break;
        }
    }
    found.truncate(enough);
    Ok(found)
}

/// `GET /sites/{site}/mappings/{id}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| {
        let found = app.look(&site, |conn, _| Ok(rules::mapping(conn, &site, &id)?))?;
        found.ok_or_else(|| Problem::not_found("mapping"))
    });
    Ok(answer::thing(&request, &MappingView::from(found.await?)))
}

/// `POST /sites/{site}/mappings`
pub async fn create(
    app: web::Data<App>,
    _: Auth<Manage>,
    site: web::Path<String>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let site = site.into_inner();
    let location = format!("/api/v1/sites/{site}/mappings");
    let made = app.blocking(move |app| {
        let mapping = body.0.into_mapping()?;
        let asked = app.change(&site, |conn, bench| {
            check(conn, bench, &mapping)?;
            let edits = Edits { new: vec![mapping.clone()], ..Edits::default() };
            Ok(edits.write(conn, bench, None)?)
        })?;
        Ok(Written { mapping: mapping.into(), recompute: work_all(app, &asked)? })
    });
    let made = made.await?;
    let location = format!("{location}/{}", made.mapping.id);
    if is_finished(&made.recompute) {
        let tag = answer::etag(&made.mapping);
        return Ok(HttpResponse::Created()
            .insert_header(("Location", location))
            .insert_header(("ETag", tag))
            .json(&made));
    }
    Ok(HttpResponse::Accepted().insert_header(("Location", location)).json(&made))
}

impl Create {
    /// The mapping that it asks for.
    pub(super) fn into_mapping(self) -> Result<Mapping, Problem> {
        Ok(Mapping {
            id: crate::ids::new(),
            version: 1,
            product_id: product_of(&self.product_id.0)?,
            price_point: self.price_point.map(|id| id.0),
            level: self.level,
            enabled: self.enabled,
            purchased_from: self.purchased_from.map(|at| at.0),
            purchased_before: self.purchased_before.map(|at| at.0),
            policy: policy_of(self.policy),
        })
    }
}

impl Edit {
    /// What it makes of a mapping.
    pub(super) fn on(self, before: &Mapping) -> Result<Mapping, Problem> {
        let product_id = self.product_id.map(|id| product_of(&id.0)).transpose()?;
        let before = before.clone();
        Ok(Mapping {
            version: before.version + 1,
            product_id: product_id.unwrap_or(before.product_id),
            price_point: self.price_point.map_or(before.price_point, |id| id.map(|id| id.0)),
            level: self.level.unwrap_or(before.level),
            enabled: self.enabled.unwrap_or(before.enabled),
            purchased_from: self
                .purchased_from
                .map_or(before.purchased_from, |at| at.map(|at| at.0)),
            purchased_before: self
                .purchased_before
                .map_or(before.purchased_before, |at| at.map(|at| at.0)),
            policy: self.policy.map_or(before.policy, policy_of),
            id: before.id,
        })
    }
}

/// `PATCH /sites/{site}/mappings/{id}`
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
        let (mapping, asked) = app.change(&site, |conn, bench| {
            let Some(before) = rules::mapping(conn, &site, &id)? else {
                return Err(Problem::not_found("mapping"));
            };
            if_match.check(&MappingView::from(before.clone()))?;
            let mapping = body.0.on(&before)?;
            check(conn, bench, &mapping)?;
            let edits = Edits { edited: vec![mapping.clone()], ..Edits::default() };
            Ok((mapping, edits.write(conn, bench, None)?))
        })?;
        Ok(Written { mapping: mapping.into(), recompute: work_all(app, &asked)? })
    });
    let edited = edited.await?;
    if is_finished(&edited.recompute) {
        return Ok(HttpResponse::Ok()
            .insert_header(("ETag", answer::etag(&edited.mapping)))
            .json(&edited));
    }
    Ok(HttpResponse::Accepted().json(&edited))
}

/// `DELETE /sites/{site}/mappings/{id}`
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
        let asked = app.change(&site, |conn, bench| {
            let Some(mapping) = rules::mapping(conn, &site, &id)? else {
                return Err(Problem::not_found("mapping"));
            };
            if_match.check(&MappingView::from(mapping.clone()))?;
            Ok(Edits { gone: vec![mapping], ..Edits::default() }.write(conn, bench, None)?)
        })?;
        work_all(app, &asked)
    });
    let recompute = removed.await?;
    if is_finished(&recompute) {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Accepted().json(RecomputeOnly { recompute }))
}

/// Looks at a mapping against the site's levels and its other mappings.
fn check(conn: &mut Conn, bench: &Bench, mapping: &Mapping) -> Result<(), Problem> {
    let has_level = rules::level(conn, &bench.site.id, &mapping.level)?.is_some();
    let faults = faults(mapping, has_level);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    match twin(mapping, bench.book.mappings.iter()) {
        Some(twin) => Err(Problem::conflict(taken(twin))),
        None => Ok(()),
    }
}

/// What is wrong with a mapping by itself; `has_level` says whether its level is there.
pub(super) fn faults(mapping: &Mapping, has_level: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut note = |pointer: &str, detail: String| {
        faults.push(Fault { pointer: pointer.to_owned(), detail });
    };
    if !has_level {
        note("/level", "There is no such level. Make it first.".to_owned());
    }
    if let (Some(from), Some(before)) = (mapping.purchased_from, mapping.purchased_before)
        && from >= before
    {
        note("/purchased_before", "must be later than purchased_from".to_owned());
    }
    for (key, detail) in mapping.policy.faults() {
        note(&format!("/policy/{key}"), detail);
    }
    faults
}

/// The mapping that another one already is; `None` where none is.
pub(super) fn twin<'a>(
    mapping: &Mapping,
    mut others: impl Iterator<Item = &'a Mapping>,
) -> Option<&'a Mapping> {
    let same = |other: &&Mapping| {
        other.id != mapping.id
            && other.product_id == mapping.product_id
            && other.price_point == mapping.price_point
            && other.level == mapping.level
            && other.purchased_from == mapping.purchased_from
            && other.purchased_before == mapping.purchased_before
    };
    others.find(same)
}

/// What to say of a mapping that another one already is.
pub(super) fn taken(twin: &Mapping) -> String {
    format!(
        "The mapping {} has the same product, price point, level and window. Edit that one.",
        twin.id
    )
}

/// A product by its id, or by the address of its edit page, of which the number is kept.
fn product_of(text: &str) -> Result<String, Problem> {
    if let Some((_, behind)) = text.split_once(EDIT_PAGE) {
        let number: String = behind.chars().take_while(char::is_ascii_digit).collect();
        if !number.is_empty() {
            return Ok(number);
        }
    }
    if text.contains('/') || text.contains(char::is_whitespace) {
        let detail = format!(
            "must be a product id of at most {ID_BYTES_MAX} bytes, or the address of its edit page (…{EDIT_PAGE}558475)"
        );
        return Err(Problem::invalid_at("/product_id", detail));
    }
    Ok(text.to_owned())
}

/// A policy as it was written; `null` sets none.
pub(super) fn policy_of(written: Option<Object<Policy>>) -> Policy {
    written.map(|Object(policy)| policy).unwrap_or_default()
}
