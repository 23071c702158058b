//! Why a member holds what they hold: in sentences, grant by grant, and over time.

use super::changes::CauseView;
use super::members::{At, answer_of, find};
use super::views::ConsideredView;
use crate::app::App;
use crate::core::Instant;
use crate::core::access::{Answer, Held};
use crate::core::change::What;
use crate::core::explain::{Names, because, sentences};
use crate::core::member::Override;
use crate::core::stretch::Stretch;
use crate::flow::Dossier;
use crate::store::changes::{self, Change};
use crate::store::conn::Conn;
use crate::store::{Result as Stored, disposal, members, overrides, rules};
use crate::web::auth::{Auth, Read};
use crate::web::extract::Query;
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many recorded steps of a member are looked through, the newest of them: more than anybody takes.
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
    /// Each level over time, and when the door was open. A level that never was held, and never let anybody in, is
    /// left out.
    history: Vec<HistoryView>,
    /// The instant from which on every step of access is still recorded, so that `let_in` tells of it; null where
    /// nothing has aged out. Of a member with very many steps, that of the oldest one that is looked through.
    recorded_from: Option<Instant>,
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
    /// When it was held, is, and will be, by all that is known now and by today's mappings and settings: oldest first,
    /// with gaps between them.
    stretches: Vec<StretchView>,
    /// When the member was let in, as it was recorded then: oldest first. That is something else where a mapping or a
    /// policy was changed, or a webhook came late.
    let_in: Vec<LetInView>,
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

/// A time in which the member was let in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LetIn")]
struct LetInView {
    /// When the level was recorded as granted; null where that has aged out.
    from: Option<Instant>,
    /// When it was recorded as revoked; null while it is not.
    until: Option<Instant>,
    /// What led to the grant; null where that has aged out.
    cause: Option<CauseView>,
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
            let recorded = Recorded::of(conn, &site, id.as_ref(), bench.at)?;
            let manual = manual_of(conn, &site, &answer)?;
            let told = Told { answer, names, history, recorded, manual };
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
    recorded: Recorded,
    /// The manual grants that were considered.
    manual: Vec<Override>,
}

/// What is recorded of a member.
struct Recorded {
    /// The steps of access that are kept, oldest first.
    steps: Vec<Change>,
    /// The levels that are held now.
    held: Vec<Held>,
    /// The instant from which on every step is told; `None` where none has aged out, or is left out.
    from: Option<Instant>,
}

impl Recorded {
    fn of(
        conn: &mut Conn,
        site_id: &str,
        member_id: Option<&String>,
        now: Instant,
    ) -> Stored<Self> {
        let from = recorded_from(conn, site_id, now)?;
        let Some(id) = member_id else {
            return Ok(Self { steps: Vec::new(), held: Vec::new(), from });
        };
        let steps = changes::newest_of_member(conn, site_id, id, STEPS_MAX)?;
        // Before as many as are looked through there may be more, which are told of no more than what has aged out.
        let is_cut = i64::try_from(steps.len()).is_ok_and(|number| number >= STEPS_MAX);
        let from = from.max(steps.first().filter(|_| is_cut).map(noted_at));
        let held = members::recorded(conn, site_id, std::slice::from_ref(id))?;
        Ok(Self { steps, held: held.into_values().flatten().collect(), from })
    }

    /// When the member was let in with a level, oldest first.
    fn let_in(&self, level: &str) -> Vec<LetInView> {
        let mut steps = self.steps.iter().filter(|step| step.level == level).peekable();
        let was_held = match steps.peek() {
            // Where the first step that is kept is no grant, the grant has aged out.
            Some(first) => first.what != What::Granted.as_str(),
            None => self.held.iter().any(|held| held.level == level),
        };
        let mut open = was_held.then_some(LetInView { from: None, until: None, cause: None });
        let mut all = Vec::new();
        for step in steps {
            let at = step.at.and_utc();
            if step.what == What::Granted.as_str() {
                let cause = CauseView::of(step.cause_kind.clone(), step.cause_id.clone());
                open = Some(LetInView { from: Some(at), until: None, cause: Some(cause) });
            } else if step.what == What::Revoked.as_str()
                && let Some(ended) = open.take()
            {
                all.push(LetInView { until: Some(at), ..ended });
            }
        }
        all.extend(open);
        all
    }

    /// Every level that a step is kept of.
    fn levels(&self) -> impl Iterator<Item = &String> {
        self.steps.iter().map(|step| &step.level)
    }
}

/// The instant from which on every step of a site is kept; `None` where none has aged out.
fn recorded_from(conn: &mut Conn, site_id: &str, now: Instant) -> Stored<Option<Instant>> {
    let floor = disposal::feed_floor(conn, site_id)?;
    if floor == 0 {
        return Ok(None);
    }
    let first = changes::after(conn, site_id, floor, 1)?;
    Ok(Some(first.first().map_or(now, noted_at)))
}

/// When a step was recorded, as far as that is known.
fn noted_at(step: &Change) -> Instant {
    step.recorded_at.unwrap_or(step.at).and_utc()
}

/// The manual grants that were considered, as they were made.
fn manual_of(conn: &mut Conn, site_id: &str, answer: &Answer) -> Stored<Vec<Override>> {
    let ids = answer.considered.iter().filter_map(|considered| considered.override_id.clone());
    let ids: Vec<String> = ids.collect();
    overrides::load(conn, site_id, &ids)
}

impl ExplanationView {
    fn of(id: Option<String>, email: String, told: Told) -> Self {
        let Told { answer, names, mut history, recorded, manual } = told;
        for level in recorded.levels() {
            history.entry(level.clone()).or_default();
        }
        let history = history.into_iter().map(|(level, held)| {
            let stretch = |held: Stretch| StretchView { since: held.from, until: held.until };
            HistoryView {
                stretches: held.into_iter().map(stretch).collect(),
                let_in: recorded.let_in(&level),
                level,
            }
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
            recorded_from: recorded.from,
        }
    }
}

impl From<&Override> for ManualView {
    fn from(made: &Override) -> Self {
        Self { begun_at: made.begun_at, until: made.until, note: made.note.clone() }
    }
}
