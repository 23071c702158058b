//! Why a member holds what they hold: in sentences, grant by grant, and over time.

use super::changes::CauseView;
use super::members::{At, answer_of, find};
use super::views::ConsideredView;
use crate::app::App;
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::change::What;
use crate::core::explain::{Names, because, sentences};
use crate::core::member::Override;
use crate::core::stretch::Stretch;
use crate::flow::Dossier;
use crate::store::changes::{self, Change};
use crate::store::conn::Conn;
use crate::store::{Result as Stored, overrides, rules};
use crate::web::auth::{Auth, Read};
use crate::web::extract::Query;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many recorded steps of a member are looked through: more than anybody takes.
const STEPS_MAX: i64 = 1_000;

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
    /// What the operator decided who gave it by hand; left out where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    manual: Option<ManualView>,
}

/// A manual grant, as it was made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ManualGrant")]
struct ManualView {
    /// When it began.
    begun_at: Instant,
    /// The end that it was made with; null for good.
    until: Option<Instant>,
    /// What the operator wrote beside it, for other operators; null where nothing.
    note: Option<String>,
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
    /// How it came to be recorded, where that was later than its first instant: until then nobody was let in. So it
    /// is where a mapping reaches back to an earlier purchase, or a webhook came late. Left out where the level was
    /// recorded as it began, where it never was, and where what was recorded has aged out.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<RecordedView>,
}

/// The step of access that recorded a level as held.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RecordedStretch")]
struct RecordedView {
    /// When access took the step.
    at: Instant,
    /// What led to it.
    cause: CauseView,
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
            let steps = steps_of(conn, &site, id.as_deref())?;
            let manual = manual_of(conn, &site, &answer)?;
            let told = Told { answer, names, history, steps, manual };
            Ok(ExplanationView::of(id, named.email, told))
        })
    });
    Ok(HttpResponse::Ok().json(found.await?))
}

/// What an explanation is made of.
struct Told {
    answer: Answer,
    names: Names,
    history: BTreeMap<String, Vec<Stretch>>,
    /// The recorded steps of the member, oldest first.
    steps: Vec<Change>,
    /// The manual grants that were considered.
    manual: Vec<Override>,
}

/// The recorded steps of a member, oldest first.
fn steps_of(conn: &mut Conn, site_id: &str, member_id: Option<&str>) -> Stored<Vec<Change>> {
    let Some(member_id) = member_id else { return Ok(Vec::new()) };
    changes::of_member(conn, site_id, member_id, 0, STEPS_MAX)
}

/// The manual grants that were considered, as they were made.
fn manual_of(conn: &mut Conn, site_id: &str, answer: &Answer) -> Stored<Vec<Override>> {
    let ids = answer.considered.iter().filter_map(|considered| considered.override_id.clone());
    let ids: Vec<String> = ids.collect();
    overrides::load(conn, site_id, &ids)
}

/// The step that recorded a level as held, where it was taken only after the stretch had begun; `None` where the level
/// was recorded as held at that instant.
fn recorded(steps: &[Change], level: &str, stretch: Stretch) -> Option<RecordedView> {
    let from = stretch.from.naive_utc();
    let of_level = steps.iter().filter(|step| step.level == level);
    let (before, after): (Vec<&Change>, Vec<&Change>) = of_level.partition(|step| step.at <= from);
    let was_held = match before.last() {
        Some(last) => last.what != What::Revoked.as_str(),
        // Where the first step that is kept is no grant, an older one has aged out.
        None => after.first().is_some_and(|first| first.what != What::Granted.as_str()),
    };
    let granted = after.into_iter().find(|step| step.what == What::Granted.as_str())?;
    let is_over = stretch.until.is_some_and(|until| until.naive_utc() <= granted.at);
    if was_held || is_over {
        return None;
    }
    let cause = CauseView::of(granted.cause_kind.clone(), granted.cause_id.clone());
    Some(RecordedView { at: granted.at.and_utc(), cause })
}

impl ExplanationView {
    fn of(id: Option<String>, email: String, told: Told) -> Self {
        let Told { answer, names, history, steps, manual } = told;
        let history = history.into_iter().map(|(level, held)| {
            let stretch = |stretch: Stretch| StretchView {
                since: stretch.from,
                until: stretch.until,
                recorded: recorded(&steps, &level, stretch),
            };
            let stretches = held.into_iter().map(stretch).collect();
            HistoryView { level, stretches }
        });
        let considered = answer.considered.iter().map(|considered| {
            let of_it = |made: &&Override| considered.override_id.as_ref() == Some(&made.id);
            ExplainedView {
                because: because(considered, &names, answer.at),
                grant: ConsideredView::of(considered),
                manual: manual.iter().find(of_it).map(ManualView::from),
            }
        });
        Self {
            id,
            at: answer.at,
            sentences: sentences(&email, &answer, &names, None),
            email,
            considered: considered.collect(),
            history: history.collect(),
        }
    }
}

impl From<&Override> for ManualView {
    fn from(made: &Override) -> Self {
        Self { begun_at: made.begun_at, until: made.until, note: made.note.clone() }
    }
}
