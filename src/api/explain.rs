//! Why a member holds what they hold: in sentences, grant by grant, and over time.

use super::members::{At, answer_of, find};
use super::views::ConsideredView;
use crate::app::App;
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::explain::{Names, because, sentences};
use crate::core::stretch::Stretch;
use crate::flow::Dossier;
use crate::store::rules;
use crate::web::auth::{Auth, Read};
use crate::web::extract::Query;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a member holds what they hold.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub(super) struct ExplanationView {
    /// The member's id; null for an address that nobody has.
    id: Option<String>,
    /// The address.
    email: String,
    /// The instant that was asked about.
    at: Instant,
    /// What is held and why, as it can be passed on to the member.
    sentences: Vec<String>,
    /// Every grant that was considered, each with a clause that says why.
    considered: Vec<ExplainedView>,
    /// When each level was held, is, and by all that is known now will be; a level that never was is left out.
    history: Vec<HistoryView>,
}

/// One grant that was considered, in words.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExplainedGrant")]
struct ExplainedView {
    /// Why it gives its level, or does not: what can stand behind "because".
    because: String,
    /// The grant, as `…/access` shows it.
    grant: ConsideredView,
}

/// A level over time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HistoryOfLevel")]
struct HistoryView {
    /// The level.
    level: String,
    /// When it is held: oldest first, with gaps between them.
    stretches: Vec<StretchView>,
}

/// An unbroken time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Stretch")]
struct StretchView {
    /// Its first instant.
    since: Instant,
    /// Its end; null where none is known.
    until: Option<Instant>,
}

/// `GET /sites/{site}/members/{member}/explain`
pub async fn explain(
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
            let names = rules::level_names(conn, &site)?;
            let dossier = Dossier::load(conn, &site, std::slice::from_ref(&named.email))?;
            let history = dossier.history(&named.email, bench.at);
            let id = named.member.map(|member| member.id);
            Ok(ExplanationView::of(id, named.email, &answer, &names, history))
        })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

impl ExplanationView {
    fn of(
        id: Option<String>,
        email: String,
        answer: &Answer,
        names: &Names,
        history: BTreeMap<String, Vec<Stretch>>,
    ) -> Self {
        let stretch = |stretch: Stretch| StretchView { since: stretch.from, until: stretch.until };
        let history = history.into_iter().map(|(level, held)| HistoryView {
            level,
            stretches: held.into_iter().map(stretch).collect(),
        });
        let considered = answer.considered.iter().map(|considered| ExplainedView {
            because: because(considered, names, answer.at),
            grant: ConsideredView::of(considered),
        });
        Self {
            id,
            at: answer.at,
            sentences: sentences(&email, answer, names, None),
            email,
            considered: considered.collect(),
            history: history.collect(),
        }
    }
}
