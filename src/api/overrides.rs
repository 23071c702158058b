//! Manual grants, blocks, and the lifting of blocks.

use super::members::{Named, answer_of, find};
use super::views::BlockView;
use crate::app::App;
use crate::core::Instant;
use crate::core::event::LeadKey;
use crate::core::member::{Override, OverrideKind};
use crate::flow::settle::{Bench, Touched};
use crate::flow::{Dossier, by_override};
use crate::store::conn::Conn;
use crate::store::{Result as Stored, members, overrides, rules};
use crate::web::address::segment;
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read, Support};
use crate::web::extract::{self, Json, Listing, Moment, Nothing, Query};
use crate::web::problem::{Fault, Problem};
use crate::web::shapes::{Slug, Text};
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The longest note, in characters.
const NOTE_CHARS_MAX: usize = 2_000;

/// A manual grant to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateGrant")]
pub struct Grant {
    /// The level to give.
    #[schemars(with = "Slug")]
    level: String,
    /// When it ends, in the future; null for good.
    #[serde(default)]
    until: Option<Moment>,
    /// Why, for whoever reads it later.
    #[serde(default)]
    #[schemars(with = "Option<Text>", length(max = NOTE_CHARS_MAX))]
    note: Option<String>,
}

/// A block to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateBlock")]
pub struct Block {
    /// The level to take away; null blocks every level.
    #[serde(default)]
    #[schemars(with = "Option<Slug>")]
    level: Option<String>,
    /// When it ends, in the future; null for good.
    #[serde(default)]
    until: Option<Moment>,
    /// Why, for whoever reads it later.
    #[serde(default)]
    #[schemars(with = "Option<Text>", length(max = NOTE_CHARS_MAX))]
    note: Option<String>,
}

/// An override as it is shown after its making.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Override")]
pub(super) struct OverrideView {
    /// Its id, to end it by.
    id: String,
    /// The level; null, on a block only, for every level.
    level: Option<String>,
    /// When it began.
    begun_at: Instant,
    /// When it ends; null for good.
    until: Option<Instant>,
    /// What the operator wrote beside it; null where nothing.
    note: Option<String>,
}

impl Resource for OverrideView {}

/// `POST /sites/{site}/members/{member}/grants`
pub async fn grant(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    body: Json<Grant>,
) -> Result<HttpResponse, Problem> {
    let Grant { level, until, note } = body.0;
    make(&app, path.into_inner(), "grants", OverrideKind::Grant(level), until, note).await
}

/// `POST /sites/{site}/members/{member}/blocks`
pub async fn block(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String)>,
    body: Json<Block>,
) -> Result<HttpResponse, Problem> {
    let Block { level, until, note } = body.0;
    make(&app, path.into_inner(), "blocks", OverrideKind::Block(level), until, note).await
}

async fn make(
    app: &App,
    (site, name): (String, String),
    list: &'static str,
    what: OverrideKind,
    until: Option<Moment>,
    note: Option<String>,
) -> Result<HttpResponse, Problem> {
    let location = format!("/api/v1/sites/{site}/members/{}/{list}", segment(&name));
    let until = until.map(|until| until.0);
    let made = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let faults = faults(conn, bench, &what, until, note.as_deref())?;
            if !faults.is_empty() {
                return Err(Problem::invalid(faults));
            }
            let made = Override {
                id: crate::ids::new(),
                what,
                leads: leads_of(conn, &site, &named.email)?,
                email: named.email,
                begun_at: bench.at,
                until,
                ended_at: None,
                note,
            };
            overrides::insert(conn, &site, &made)?;
            settle_for(app, conn, bench, &made)?;
            Ok(made)
        })
    });
    let made = made.await?;
    let level = match made.what {
        OverrideKind::Grant(level) | OverrideKind::HeldOpen(level) => Some(level),
        OverrideKind::Block(level) => level,
        OverrideKind::Lift => None,
    };
    let location = format!("{location}/{}", made.id);
    let view = OverrideView {
        id: made.id,
        level,
        begun_at: made.begun_at,
        until: made.until,
        note: made.note,
    };
    Ok(answer::created(&location, &view))
}

fn faults(
    conn: &mut Conn,
    bench: &Bench,
    what: &OverrideKind,
    until: Option<Instant>,
    note: Option<&str>,
) -> Stored<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut add =
        |pointer: &str, detail: String| faults.push(Fault { pointer: pointer.to_owned(), detail });
    let level = match what {
        OverrideKind::Grant(level) | OverrideKind::HeldOpen(level) => Some(level),
        OverrideKind::Block(level) => level.as_ref(),
        OverrideKind::Lift => None,
    };
    if let Some(level) = level
        && rules::level(conn, &bench.site.id, level)?.is_none()
    {
        add("/level", "There is no such level. Make it first.".to_owned());
    }
    if until.is_some_and(|until| until <= bench.at) {
        add("/until", "must lie in the future, or be null for good".to_owned());
    }
    if note.is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX || note.contains('\0')) {
        add("/note", format!("must be a text of at most {NOTE_CHARS_MAX} characters"));
    }
    Ok(faults)
}

fn leads_of(conn: &mut Conn, site_id: &str, email: &str) -> Stored<BTreeSet<LeadKey>> {
    let leads = members::leads_of(conn, site_id, &[email.to_owned()])?;
    Ok(leads.into_iter().map(|(lead, _)| lead).collect())
}

/// Answers anew whoever an override belongs to: its leads may have parted since it was made.
fn settle_for(app: &App, conn: &mut Conn, bench: &mut Bench, made: &Override) -> Stored<usize> {
    let mut touched = Touched::default();
    let leads: Vec<LeadKey> = made.leads.iter().cloned().collect();
    let emails = members::emails_of(conn, &bench.site.id, &leads)?.into_values().flatten();
    for email in emails.chain([made.email.clone()]) {
        touched.members.insert(email, by_override(&made.id));
    }
    app.flow().settle(conn, bench, touched)
}

/// `GET /sites/{site}/members/{member}/blocks`
pub async fn blocks(
    app: web::Data<App>,
    _: Auth<Read>,
    path: web::Path<(String, String)>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let (site, name) = path.into_inner();
    let page = query.0.page(2)?;
    let before = page.after_instant()?.map(|(at, id)| (at.and_utc(), id));
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            Ok(answer_of(conn, bench, &named.email, bench.at)?)
        })
    });
    let answer = found.await?;
    let mut blocks: Vec<BlockView> = answer.blocks.iter().map(BlockView::from).collect();
    let key = |block: &BlockView| (block.begun_at, block.id.clone());
    blocks.sort_by_key(|block| std::cmp::Reverse(key(block)));
    blocks.retain(|block| before.as_ref().is_none_or(|before| key(block) < *before));
    Ok(answer::page(&page, blocks, |block| {
        extract::instant_key(block.begun_at.naive_utc(), &block.id)
    }))
}

/// `DELETE /sites/{site}/members/{member}/grants/{id}`
pub async fn end_grant(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    end(&app, path.into_inner(), "grant", |what| matches!(what, OverrideKind::Grant(_))).await
}

/// `DELETE /sites/{site}/members/{member}/blocks/{id}`
pub async fn end_block(
    app: web::Data<App>,
    _: Auth<Support>,
    path: web::Path<(String, String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    end(&app, path.into_inner(), "block", |what| matches!(what, OverrideKind::Block(_))).await
}

async fn end(
    app: &App,
    (site, name, id): (String, String, String),
    noun: &'static str,
    is: fn(&OverrideKind) -> bool,
) -> Result<HttpResponse, Problem> {
    let ended = app.blocking(move |app| {
        app.change(&site, |conn, bench| {
            let named = find(conn, &site, &name)?;
            let leads = leads_of(conn, &site, &named.email)?;
            let found = overrides::load(conn, &site, std::slice::from_ref(&id))?;
            let found = overrides::at_home(conn, &site, found, &leads)?.pop();
            let standing = found.filter(|o| {
                is(&o.what) && o.ended_at.is_none() && o.belongs_to(&named.email, &leads)
            });
            if let Some(mut standing) = standing {
                overrides::end(conn, &site, &id, bench.at)?;
                standing.ended_at = Some(bench.at);
                settle_for(app, conn, bench, &standing)?;
                return Ok(());
            }
            if noun == "block" && lift(app, conn, bench, &named, leads, &id)? {
                return Ok(());
            }
            Err(Problem::not_found(noun))
        })
    });
    ended.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lifts a chargeback's block, and with it every one begun before; answers whether it was there.
fn lift(
    app: &App,
    conn: &mut Conn,
    bench: &mut Bench,
    named: &Named,
    leads: BTreeSet<LeadKey>,
    id: &str,
) -> Stored<bool> {
    let dossier = Dossier::load(conn, &bench.site.id, std::slice::from_ref(&named.email))?;
    let answer = dossier.answer(&named.email, bench.at);
    if !answer.blocks.iter().any(|block| block.chargeback.is_some() && block.id == id) {
        return Ok(false);
    }
    let lift = Override {
        id: crate::ids::new(),
        what: OverrideKind::Lift,
        email: named.email.clone(),
        leads,
        begun_at: bench.at,
        until: None,
        ended_at: None,
        note: None,
    };
    overrides::insert(conn, &bench.site.id, &lift)?;
    settle_for(app, conn, bench, &lift)?;
    Ok(true)
}
