//! Members, and what they hold at any instant.

mod walk;

use super::views::AccessView;
use crate::app::App;
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::grant::Reason;
use crate::core::kartra::values::email;
use crate::flow::settle::Bench;
use crate::flow::{Dossier, past};
use crate::store::conn::Conn;
use crate::store::members::{self, Member};
use crate::store::{Result as Stored, rules};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Moment, Page, Query};
use crate::web::problem::Problem;
use crate::web::shapes::{Slug, Text};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use walk::Wanted;

/// A member as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub(super) struct MemberView {
    /// The member's id; null for an address that nobody has.
    id: Option<String>,
    /// The address, in lower case.
    email: String,
    /// Grows with every recorded step of access; 0 for an address that nobody has.
    version: i64,
    /// The levels held.
    levels: Vec<String>,
    /// Whether every level is blocked.
    blocked: bool,
    /// The levels that are blocked one by one.
    blocked_levels: Vec<String>,
    /// How many purchases are held, and give nothing until their product is mapped.
    held_purchases: i64,
    /// When the level that a list was asked for ends; null where no end is known. Only where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Instant>")]
    until: Option<Option<Instant>>,
    /// When these will next change by time alone; null where they will not.
    next_change_at: Option<Instant>,
    /// When the member was first heard of; null for an address that nobody has.
    created_at: Option<Instant>,
}

impl Resource for MemberView {}

impl MemberView {
    /// A member with what they hold; with `level`, when that ends.
    fn of(member: Member, answer: Answer, level: Option<&str>) -> Self {
        Self {
            id: Some(member.id),
            version: member.version,
            created_at: Some(member.created_at.and_utc()),
            ..Self::nobody(member.email, answer, level)
        }
    }

    /// An address that nobody has, with what it holds: it may be given a level by hand.
    fn nobody(email: String, answer: Answer, level: Option<&str>) -> Self {
        let asked = level.and_then(|level| answer.levels.iter().find(|held| held.level == level));
        let held = answer.considered.iter().filter(|one| one.reason == Reason::Held).count();
        let blocked: BTreeSet<String> =
            answer.blocks.into_iter().filter_map(|block| block.level).collect();
        Self {
            id: None,
            email,
            version: 0,
            blocked: answer.blocked,
            blocked_levels: blocked.into_iter().collect(),
            held_purchases: i64::try_from(held).unwrap_or(i64::MAX),
            until: asked.map(|held| held.until),
            levels: answer.levels.into_iter().map(|held| held.level).collect(),
            next_change_at: answer.next_change_at,
            created_at: None,
        }
    }
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
pub fn find(conn: &mut Conn, site_id: &str, name: &str) -> Result<Named, Problem> {
    if name.contains('@') {
        let Some(email) = email(name) else {
            return Err(Problem::malformed("The member in the path is no e-mail address."));
        };
        let member = members::with_email(conn, site_id, &email)?;
        return Ok(Named { email, member });
    }
    let member = members::get(conn, site_id, name)?;
    let named = member.map(|member| Named { email: member.email.clone(), member: Some(member) });
    named.ok_or_else(|| Problem::not_found("member"))
}

/// What an address holds at an instant: from what is folded for now and later, from the bare events
/// for any instant before.
pub fn answer_of(conn: &mut Conn, bench: &Bench, email: &str, at: Instant) -> Stored<Answer> {
    if at < bench.at {
        return past::answer_at(conn, bench, email, at);
    }
    Ok(Dossier::load(conn, &bench.site.id, &[email.to_owned()])?.answer(email, at))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// A part of the address; the whole address of a member finds that member alone, however many there are.
    #[schemars(with = "Option<Text>")]
    q: Option<String>,
    /// Only members who hold this level; an unknown one is 404.
    #[schemars(with = "Option<Slug>")]
    level: Option<String>,
    /// What they held, or will hold, at this instant, instead of now.
    at: Option<Moment>,
    /// Only members whose level ends before this: with `at` the first of December and this the first of
    /// January, who loses it in December. It asks for a `level`, too.
    ends_before: Option<Moment>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/members`: with `at`, what they hold then; with `level` besides, who holds it.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { q, level, at, ends_before, limit, cursor } = query.0;
    if ends_before.is_some() && level.is_none() {
        return Err(Problem::malformed("ends_before asks for the end of a level. Name the level."));
    }
    let page = Page::of(limit, cursor.as_deref(), 1)?;
    let before = page.after_one().map(str::to_owned);
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            if let Some(level) = &level
                && rules::level(conn, &site, level)?.is_none()
            {
                return Err(Problem::not_found("level"));
            }
            let at = at.map_or(bench.at, |at| at.0);
            let q = q.map(|q| q.trim().to_lowercase());
            let ends_before = ends_before.map(|end| end.0);
            let wanted = Wanted { q, level, at, ends_before };
            Ok(wanted.page(conn, bench, before, page.limit)?)
        })
    });
    let (items, next) = found.await?;
    let next = next.map(|id| vec![id]);
    Ok(answer::items_until(&items, next.as_deref()))
}

/// `GET /sites/{site}/members/{member}`: with `at`, what they hold then.
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: Query<At>,
) -> Result<HttpResponse, Problem> {
    let (site, name) = path.into_inner();
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let at = query.0.or(bench.at);
            let answer = answer_of(conn, bench, &named.email, at)?;
            Ok((named, answer))
        })
    });
    let (named, answer) = found.await?;
    let view = match named.member {
        Some(member) => MemberView::of(member, answer, None),
        None => MemberView::nobody(named.email, answer, None),
    };
    Ok(answer::thing(&request, &view))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The instant to answer for, from all that is now known of it; now where none is given.
    at: Option<Moment>,
}

impl At {
    /// The instant, or another where none is given.
    pub(super) fn or(&self, now: Instant) -> Instant {
        self.at.as_ref().map_or(now, |at| at.0)
    }
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
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let at = query.0.or(bench.at);
            let answer = answer_of(conn, bench, &named.email, at)?;
            let (id, version) = named.member.map_or((None, 0), |m| (Some(m.id), m.version));
            Ok(AccessView::of(id, named.email, version, &answer))
        })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}
