//! Members, and what they hold at any instant.

use super::views::AccessView;
use crate::app::App;
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::kartra::values::email;
use crate::flow::settle::Bench;
use crate::flow::{Dossier, past};
use crate::store::conn::Conn;
use crate::store::members::{self, Member};
use crate::store::{Result as Stored, rules};
use crate::web::answer;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{self, Moment, Nothing, Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

/// A member as it is shown.
#[derive(Debug, Serialize)]
struct MemberView {
    id: String,
    email: String,
    version: i64,
    levels: Vec<String>,
    next_change_at: Option<Instant>,
    created_at: Instant,
}

/// Whom a path names: an address, or a member by id.
#[derive(Debug, Clone)]
pub struct Named {
    /// The address.
    pub email: String,
    /// The member; `None` for an address that nobody has.
    pub member: Option<Member>,
}

/// Finds whom `{member}` names; an unknown id is nobody, an unknown address is somebody without
/// levels.
pub fn find(conn: &mut Conn, site_id: &str, name: &str) -> Stored<Result<Named, Problem>> {
    if name.contains('@') {
        let Some(email) = email(name) else {
            return Ok(Err(Problem::malformed("The member in the path is no e-mail address.")));
        };
        let member = members::with_email(conn, site_id, &email)?;
        return Ok(Ok(Named { email, member }));
    }
    let member = members::get(conn, site_id, name)?;
    let named = member.map(|member| Named { email: member.email.clone(), member: Some(member) });
    Ok(named.ok_or_else(|| Problem::not_found("member")))
}

/// What an address holds at an instant: from what is folded for now and later, from the bare events
/// for any instant before.
pub fn answer_of(conn: &mut Conn, bench: &Bench, email: &str, at: Instant) -> Stored<Answer> {
    if at < bench.at {
        return past::answer_at(conn, bench, email, at);
    }
    Ok(Dossier::load(conn, &bench.site.id, &[email.to_owned()])?.answer(email, at))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    q: Option<String>,
    level: Option<String>,
    at: Option<Moment>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/members`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { q, level, at, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 2)?;
    let limit = page.limit;
    let before = match page.after.as_deref() {
        Some([at, id]) => Some((extract::instant(at)?, id.clone())),
        _ => None,
    };
    let q = q.map(|q| q.replace('\0', ""));
    let found = app.blocking(move |app| {
        app.flow().on_snapshot(&site, |conn, bench| {
            if let Some(level) = &level
                && rules::level(conn, &site, level)?.is_none()
            {
                return Ok(Err(Problem::not_found("level")));
            }
            let filter = members::Filter { q, level, before };
            if let Some(Moment(at)) = at {
                return views_at(conn, bench, filter, at, limit).map(Ok);
            }
            let found = members::list(conn, &site, &filter, limit)?;
            views(conn, bench, found).map(Ok)
        })?
    });
    Ok(answer::page(&found.await?, limit, |member| {
        vec![member.created_at.naive_utc().to_string().replace(' ', "T"), member.id.clone()]
    }))
}

fn views(conn: &mut Conn, bench: &Bench, found: Vec<Member>) -> Stored<Vec<MemberView>> {
    let emails: Vec<String> = found.iter().map(|member| member.email.clone()).collect();
    let dossier = Dossier::load(conn, &bench.site.id, &emails)?;
    let view = |member: Member| {
        let answer = dossier.answer(&member.email, bench.at);
        MemberView::of(member, answer)
    };
    Ok(found.into_iter().map(view).collect())
}

/// A page of members as of an instant: what they held then is not recorded, so each is asked.
fn views_at(
    conn: &mut Conn,
    bench: &Bench,
    mut filter: members::Filter,
    at: Instant,
    limit: i64,
) -> Stored<Vec<MemberView>> {
    let level = filter.level.take();
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    loop {
        let batch = members::list(conn, &bench.site.id, &filter, limit)?;
        let Some(last) = batch.last() else {
            return Ok(found);
        };
        filter.before = Some((last.created_at, last.id.clone()));
        for member in batch {
            let answer = answer_of(conn, bench, &member.email, at)?;
            let view = MemberView::of(member, answer);
            if level.as_ref().is_none_or(|level| view.levels.contains(level)) {
                found.push(view);
            }
            if found.len() == enough {
                return Ok(found);
            }
        }
    }
}

impl MemberView {
    fn of(member: Member, answer: Answer) -> Self {
        Self {
            levels: answer.levels.into_iter().map(|held| held.level).collect(),
            next_change_at: answer.next_change_at,
            id: member.id,
            email: member.email,
            version: member.version,
            created_at: member.created_at.and_utc(),
        }
    }
}

/// `GET /sites/{site}/members/{member}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, name) = path.into_inner();
    let found = app.blocking(move |app| {
        app.flow().on_snapshot(&site, |conn, bench| {
            let named = match find(conn, &site, &name)? {
                Ok(named) => named,
                Err(problem) => return Ok(Err(problem)),
            };
            let answer = answer_of(conn, bench, &named.email, bench.at)?;
            Ok(Ok((named, answer)))
        })?
    });
    let (named, answer) = found.await?;
    let levels: Vec<&String> = answer.levels.iter().map(|held| &held.level).collect();
    Ok(answer::thing(
        &request,
        &serde_json::json!({
            "id": named.member.as_ref().map(|member| &member.id),
            "email": named.email,
            "version": named.member.as_ref().map_or(0, |member| member.version),
            "levels": levels,
            "next_change_at": answer.next_change_at,
            "created_at": named.member.as_ref().map(|member| member.created_at.and_utc()),
        }),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    at: Option<Moment>,
}

/// `GET /sites/{site}/members/{member}/access`
pub async fn access(
    app: web::Data<App>,
    _: Auth<Read>,
    path: web::Path<(String, String)>,
    query: Query<At>,
) -> Result<HttpResponse, Problem> {
    let (site, name) = path.into_inner();
    let found = app.blocking(move |app| {
        app.flow().on_snapshot(&site, |conn, bench| {
            let named = match find(conn, &site, &name)? {
                Ok(named) => named,
                Err(problem) => return Ok(Err(problem)),
            };
            let at = query.0.at.map_or(bench.at, |at| at.0);
            let answer = answer_of(conn, bench, &named.email, at)?;
            let (id, version) = named.member.map_or((None, 0), |m| (Some(m.id), m.version));
            Ok(Ok(AccessView::of(id, named.email, version, &answer)))
        })?
    });
    Ok(HttpResponse::Ok().json(found.await?))
}
