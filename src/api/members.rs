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
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Moment, Nothing, Page, Query};
use crate::web::problem::Problem;
use crate::web::shapes::{Slug, Text};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many members are answered for one page, when a level is asked for.
const ANSWERED_MAX: usize = 2_000;
/// How many addresses are looked through for one page, when a part of one is asked for.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// How many of them are read at once.
const LOOKED_THROUGH_AT_ONCE: usize = 1_000;
/// How many of those whose end is due and has not fired are looked at for one page.
const DUE_MAX: i64 = 1_000;

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
    /// When these will next change by time alone; null where they will not.
    next_change_at: Option<Instant>,
    /// When the member was first heard of; null for an address that nobody has.
    created_at: Option<Instant>,
}

impl Resource for MemberView {}

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
    /// What they held at this instant, instead of now.
    at: Option<Moment>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/members`: with `at`, what they held then; with `level` besides, who held it.
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { q, level, at, limit, cursor } = query.0;
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
            Ok(Wanted { q, level, at }.look_through(conn, bench, before, page.limit)?)
        })
    });
    let (items, next) = found.await?;
    let next = next.map(|id| vec![id]);
    Ok(answer::items_until(&items, next.as_deref()))
}

/// Which members a list is about.
struct Wanted {
    /// A part of the address, in lower case.
    q: Option<String>,
    /// A level that they hold.
    level: Option<String>,
    /// When they hold it.
    at: Instant,
}

impl Wanted {
    /// A page of them, and the id of the last who was looked at, where more follow. A page is short where
    /// few of the many that were looked at are wanted.
    fn look_through(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        mut before: Option<String>,
        limit: i64,
    ) -> Stored<(Vec<MemberView>, Option<String>)> {
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut items, mut looked_through, mut answered) = (Vec::new(), 0, 0);
        loop {
            // One more than the page shows tells whether there is a next page.
            let room = enough + 1 - items.len();
            let size = if self.q.is_some() { LOOKED_THROUGH_AT_ONCE.max(room) } else { room };
            let mut batch = self.candidates(conn, bench, before.as_deref(), size + 1)?;
            let mut more = batch.len() > size;
            batch.truncate(size);
            looked_through += batch.len();
            before = batch.last().map(|member| member.id.clone()).or(before);
            batch.retain(|member| self.q.as_ref().is_none_or(|q| member.email.contains(q)));
            if batch.len() > room {
                batch.truncate(room);
                more = true;
                before = batch.last().map(|member| member.id.clone());
            }
            answered += batch.len();
            let holds = |view: &MemberView| {
                self.level.as_ref().is_none_or(|level| view.levels.contains(level))
            };
            items.extend(views(conn, bench, batch, self.at)?.into_iter().filter(holds));
            if items.len() > enough {
                items.truncate(enough);
                let last = items.last().and_then(|view| view.id.clone());
                return Ok((items, last));
            }
            let tired = answered >= ANSWERED_MAX || looked_through >= LOOKED_THROUGH_MAX;
            if !more || tired {
                return Ok((items, before.filter(|_| more)));
            }
        }
    }

    /// Members before an id, newest first, among whom are those that are wanted.
    fn candidates(
        &self,
        conn: &mut Conn,
        bench: &Bench,
        before: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Member>> {
        let site_id = &bench.site.id;
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        if let Some(address) = self.q.as_deref().and_then(email)
            && let Some(member) = members::with_email(conn, site_id, &address)?
        {
            let is_before = before.is_none_or(|before| member.id.as_str() < before);
            return Ok(is_before.then_some(member).into_iter().collect());
        }
        // The record tells who holds a level now; of other instants it tells nothing.
        let Some(level) = self.level.as_ref().filter(|_| self.at == bench.at) else {
            return members::list(conn, site_id, before, rows);
        };
        let holders = members::holders(conn, site_id, level, before, rows)?;
        // Nor does it tell anything of those whose end is due.
        let due = members::due(conn, site_id, bench.at, DUE_MAX)?;
        let due = due.into_iter().filter(|m| before.is_none_or(|before| m.id.as_str() < before));
        let all: BTreeMap<String, Member> =
            holders.into_iter().chain(due).map(|member| (member.id.clone(), member)).collect();
        Ok(all.into_values().rev().take(limit).collect())
    }
}

/// What some members hold at an instant.
fn views(
    conn: &mut Conn,
    bench: &Bench,
    found: Vec<Member>,
    at: Instant,
) -> Stored<Vec<MemberView>> {
    let emails: Vec<String> = found.iter().map(|member| member.email.clone()).collect();
    let dossier = Dossier::load(conn, &bench.site.id, &emails)?;
    let mut views = Vec::new();
    for member in found {
        let answer = if at < bench.at {
            past::answer_at(conn, bench, &member.email, at)?
        } else {
            dossier.answer(&member.email, at)
        };
        views.push(MemberView {
            levels: answer.levels.into_iter().map(|held| held.level).collect(),
            next_change_at: answer.next_change_at,
            id: Some(member.id),
            email: member.email,
            version: member.version,
            created_at: Some(member.created_at.and_utc()),
        });
    }
    Ok(views)
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
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let answer = answer_of(conn, bench, &named.email, bench.at)?;
            Ok((named, answer))
        })
    });
    let (named, answer) = found.await?;
    let member = named.member.as_ref();
    let view = MemberView {
        id: member.map(|member| member.id.clone()),
        version: member.map_or(0, |member| member.version),
        created_at: member.map(|member| member.created_at.and_utc()),
        email: named.email,
        levels: answer.levels.into_iter().map(|held| held.level).collect(),
        next_change_at: answer.next_change_at,
    };
    Ok(answer::thing(&request, &view))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The instant to answer for, from all that is now known of it; now where none is given.
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
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let at = query.0.at.map_or(bench.at, |at| at.0);
            let answer = answer_of(conn, bench, &named.email, at)?;
            let (id, version) = named.member.map_or((None, 0), |m| (Some(m.id), m.version));
            Ok(AccessView::of(id, named.email, version, &answer))
        })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}
