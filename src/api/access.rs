//! The hot path: may this address have this level, now?
//!
//! It reads what was recorded, by two keys; at or past the member's next change it computes.

use super::members::answer_of;
use crate::app::App;
use crate::core::Instant;
use crate::core::kartra::values::email;
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::{members, rules};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Json, Query};
use crate::web::problem::Problem;
use crate::web::shapes::{Email, Slug};
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom and what is asked about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccessQuestion")]
pub struct Question {
    /// The address, in any case; an address that nobody has is allowed nothing.
    #[schemars(with = "Email")]
    email: String,
    /// The level; an unknown one is 404.
    #[schemars(with = "Slug")]
    level: String,
}

/// Whether an address has a level now.
#[derive(Serialize, JsonSchema)]
pub(super) struct Allowed {
    /// Whether the level is held.
    allowed: bool,
    /// The end of the unbroken stretch; null where none is known, or the level is not held.
    until: Option<Instant>,
}

/// `GET /sites/{site}/access?email=&level=`
pub async fn allowed(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Question>,
) -> Result<HttpResponse, Problem> {
    let Some(email) = email(&query.0.email) else {
        return Err(Problem::malformed("email must be an e-mail address."));
    };
    answer(&app, site.into_inner(), email, query.0.level).await
}

/// `POST /sites/{site}/access/check`: the same, the address out of the logs.
pub async fn check(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    body: Json<Question>,
) -> Result<HttpResponse, Problem> {
    let Some(email) = email(&body.0.email) else {
        return Err(Problem::invalid_at("/email", "must be an e-mail address"));
    };
    answer(&app, site.into_inner(), email, body.0.level).await
}

async fn answer(
    app: &App,
    site: String,
    email: String,
    level: String,
) -> Result<HttpResponse, Problem> {
    let found = app
        .blocking(move |app| app.look(&site, |conn, bench| look_up(conn, bench, &email, &level)));
    Ok(HttpResponse::Ok().json(found.await?))
}

fn look_up(conn: &mut Conn, bench: &Bench, email: &str, level: &str) -> Result<Allowed, Problem> {
    let site_id = &bench.site.id;
    if rules::level(conn, site_id, level)?.is_none() {
        return Err(Problem::not_found("level"));
    }
    let Some(member) = members::with_email(conn, site_id, email)? else {
        return Ok(Allowed { allowed: false, until: None });
    };
    let due = member.next_change_at.is_some_and(|at| at.and_utc() <= bench.at);
    let held = if due {
        let answer = answer_of(conn, bench, email, bench.at)?;
        answer.levels.into_iter().find(|held| held.level == level)
    } else {
        members::recorded_level(conn, site_id, &member.id, level)?
    };
    Ok(Allowed { allowed: held.is_some(), until: held.and_then(|held| held.until) })
}
