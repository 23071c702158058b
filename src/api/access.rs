//! The hot path: may this address have this level, now?
//!
//! It reads what is recorded, every time, with one statement; at or past the member's next change, and
//! for any instant that is asked for, it computes. No answer is kept for the next one who asks: what
//! another process has revoked is refused from its commit on.

use super::members::answer_of;
use crate::app::App;
use crate::core::Instant;
use crate::core::kartra::values::email;
use crate::store::Result as Stored;
use crate::store::conn::Conn;
use crate::store::door::{self, Recorded};
use crate::web::answer::{self, Resource};
use crate::web::auth::{Auth, Read};
use crate::web::extract::{Json, Moment, Query};
use crate::web::problem::Problem;
use crate::web::shapes::{Email, Slug};
use actix_web::{HttpRequest, HttpResponse, web};
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
    /// The instant to answer for, past or future, from all that is now known of it; now where none is
    /// given.
    at: Option<Moment>,
}

/// Whether an address has a level.
#[derive(Serialize, JsonSchema)]
pub(super) struct Allowed {
    /// Whether the level is held.
    allowed: bool,
    /// The end of the unbroken stretch; null where none is known, or the level is not held.
    until: Option<Instant>,
}

impl Resource for Allowed {}

/// `GET /sites/{site}/access?email=&level=`
pub async fn allowed(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    site: web::Path<String>,
    query: Query<Question>,
) -> Result<HttpResponse, Problem> {
    let Some(email) = email(&query.0.email) else {
        return Err(Problem::malformed("email must be an e-mail address."));
    };
    let Question { level, at, .. } = query.0;
    let asked = Asked { site_id: site.into_inner(), email, level, at: at.map(|at| at.0) };
    Ok(answer::thing(&request, &asked.answer(&app).await?))
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
    let Question { level, at, .. } = body.0;
    let asked = Asked { site_id: site.into_inner(), email, level, at: at.map(|at| at.0) };
    Ok(HttpResponse::Ok().json(asked.answer(&app).await?))
}

/// A question as it was understood.
struct Asked {
    site_id: String,
    email: String,
    level: String,
    /// `None` is now.
    at: Option<Instant>,
}

impl Asked {
    async fn answer(self, app: &App) -> Result<Allowed, Problem> {
        // On SQLite the read takes microseconds: to hand it to another thread would cost more.
        let recorded = app.store().read_at_once(|conn| self.recorded(conn));
        let (asked, recorded) = match recorded {
            Some(recorded) => (self, recorded),
            None => app.blocking(move |app| self.ask_and_wait(app)).await?,
        };
        let recorded = recorded.ok_or_else(|| Problem::not_found("site"))?;
        if !recorded.level_is_known {
            return Err(Problem::not_found("level"));
        }
        let now = app.clock().now();
        let is_over = recorded.next_change_at.is_some_and(|at| at <= now);
        match recorded.access.filter(|_| asked.at.is_none() && !is_over) {
            Some(access) => Ok(Allowed { allowed: access.is_held, until: access.until }),
            None => app.blocking(move |app| asked.compute(app)).await,
        }
    }

    fn recorded(&self, conn: &mut Conn) -> Stored<Option<Recorded>> {
        door::recorded(conn, &self.site_id, &self.email, &self.level)
    }

    fn ask_and_wait(self, app: &App) -> Result<(Self, Option<Recorded>), Problem> {
        let recorded = app.store().read_one(|conn| self.recorded(conn))?;
        Ok((self, recorded))
    }

    /// What is held at an instant that the record does not reach.
    fn compute(&self, app: &App) -> Result<Allowed, Problem> {
        app.look(&self.site_id, |conn, bench| {
            let answer = answer_of(conn, bench, &self.email, self.at.unwrap_or(bench.at))?;
            let held = answer.levels.into_iter().find(|held| held.level == self.level);
            Ok(Allowed { allowed: held.is_some(), until: held.and_then(|held| held.until) })
        })
    }
}
