//! A plan: what other rules would do to each member, to be looked at and then applied.

mod back;
mod told;

use super::desk::{Answered, Desk, Listed, query, read, segment};
use super::guard::Fields;
use super::refused::Refused;
use super::rules::{LEVEL_TAKEN, Level, Levels, Mapping};
use super::shell::{Flash, Shell};
use super::under_way::{UnderWay, following};
use crate::app::resource;
use crate::core::policy::{OnCancellation, Policy};
use crate::web::problem::{Fault, Problem};
use actix_web::{HttpResponse, web};
use askama::Template;
use back::{Back, Origin};
pub use back::{is_look, welcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use told::{Told, Waiting};

/// The page of a plan, and what is done with it.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = "/sites/{site}/plans/{id}";
    let act = |act: &str| super::form_at(&format!("{one}/{act}"), one);
    config
        .service(super::page(resource(one, "GET, HEAD").get(show)))
        .service(super::page(act("apply").post(apply)))
        .service(super::page(act("again").post(again)));
}

/// A plan, as far as the page shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Plan {
    id: String,
    kind: String,
    state: String,
    rules: Planned,
    changes: Vec<Value>,
    done: i64,
    total: i64,
    gains: i64,
    losses: i64,
    moves: i64,
    windows: Vec<Window>,
    moved: Vec<Moved>,
    ready_at: Option<String>,
}

/// What a plan would write.
#[derive(Debug, Clone, Deserialize)]
struct Planned {
    policy: Option<Policy>,
    levels: Vec<String>,
    new: Vec<Mapping>,
    edited: Vec<Mapping>,
    gone: Vec<Mapping>,
    ignored: Vec<String>,
}

/// How many purchases one mapping with a window holds.
#[derive(Debug, Clone, Deserialize)]
struct Window {
    product_id: String,
    level: String,
    purchased_from: Option<String>,
    purchased_before: Option<String>,
    purchases: i64,
}

/// Something that has moved since the plan was made.
#[derive(Debug, Clone, Deserialize)]
struct Moved {
    what: String,
    id: String,
    level: Option<String>,
}

/// What would happen to one level of one member.
#[derive(Debug, Clone, Deserialize)]
struct Step {
    email: String,
    level: String,
    before: Option<Held>,
    after: Option<Held>,
}

/// How a level is held.
#[derive(Debug, Clone, Deserialize)]
struct Held {
    until: Option<String>,
}

impl Plan {
    fn is_computing(&self) -> bool {
        self.state == "computing"
    }

    fn is_ready(&self) -> bool {
        self.state == "ready"
    }

    /// The products that it is about.
    pub fn product_ids(&self) -> BTreeSet<&String> {
        let Planned { new, edited, gone, ignored, .. } = &self.rules;
        let mappings = new.iter().chain(edited).chain(gone);
        mappings.map(|it| &it.product_id).chain(ignored).collect()
    }

    /// Whether nobody would notice.
    fn is_quiet(&self) -> bool {
        self.gains + self.losses + self.moves == 0
    }

    /// Whether it gives nothing by a policy of which somebody may expect it: the one that lets whoever has cancelled have
    /// what they paid for.
    fn gives_nothing_by_period_end(&self) -> bool {
        let Planned { policy, new, edited, .. } = &self.rules;
        let policies = new.iter().chain(edited).map(|mapping| &mapping.policy).chain(policy);
        let mut answers = policies.map(|policy| policy.on_cancellation);
        self.is_ready()
            && self.gains + self.moves == 0
            && answers.any(|answer| answer == Some(OnCancellation::PeriodEnd))
    }

    /// Whether it can be made again from what it was made from.
    fn can_be_made_again(&self) -> bool {
        !self.changes.is_empty() && self.state == "stale"
    }
}

impl Step {
    /// What would happen.
    fn what(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "gain",
            (_, None) => "loss",
            _ => "move",
        }
    }
}

/// What is asked for in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    /// Only members whose address has this part.
    #[serde(default)]
    q: String,
    /// Only steps of this kind.
    #[serde(default)]
    what: String,
    #[serde(default)]
    cursor: String,
    /// The recompute that followed the plan.
    #[serde(default)]
    recompute: String,
}

impl Asked {
    /// The query of a page that asks for something else; empty texts are left out.
    fn query(&self, what: &str, cursor: &str) -> String {
        query(&[
            ("q", self.q.trim()),
            ("what", what),
            ("cursor", cursor),
            ("recompute", &self.recompute),
        ])
    }
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    shell: Shell,
    plan: Plan,
    /// The page that it came from.
    origin: Origin,
    /// The form behind it; `None` where it is over, or was made elsewhere.
    back: Option<Back>,
    asked: Asked,
    levels: Levels,
    steps: Vec<Step>,
    next: String,
    /// What it would write, in sentences.
    writes: Vec<Told>,
    /// Purchases that it would have wait no longer, and give nothing.
    waiting: Vec<Waiting>,
    /// What has moved, in sentences.
    moved: Vec<String>,
    recompute: Option<UnderWay>,
    /// Why it could not be applied, or made again.
    refused: Vec<String>,
}

impl PlanPage {
    fn href(&self) -> String {
        format!("{}/sites/{}/plans/{}", self.shell.base, self.shell.site_id, self.plan.id)
    }

    /// The address of the page that it came from.
    fn origin_href(&self) -> String {
        format!("{}{}", self.shell.base, self.origin.path(&self.shell.site_id))
    }

    /// Whether it would write nothing: all is so already.
    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.plan.kind == "edit"
    }

    /// Whether everybody is computed again by what it has written.
    fn is_under_way(&self) -> bool {
        self.recompute.as_ref().is_some_and(UnderWay::is_open)
    }
}

/// Makes a plan of some changes, and goes to its page.
pub async fn make(desk: &Desk, site: &str, changes: &[Value]) -> Result<HttpResponse, Refused> {
    let taken = taken_names(desk, site, changes).await?;
    if !taken.is_empty() {
        return Err(Problem::invalid(taken).into());
    }
    let path = format!("/sites/{}/plans", segment(site));
    let made = desk.post(&path, &json!({ "changes": changes })).await?;
    let plan: Plan = read(made.body)?;
    Ok(desk.go(&format!("{path}/{}", segment(&plan.id)), None))
}

/// Where changes make a level that people could not tell from another: its id differs, its name does not.
async fn taken_names(desk: &Desk, site: &str, changes: &[Value]) -> Result<Vec<Fault>, Refused> {
    let made = changes.iter().map(made_level).enumerate();
    let made: Vec<_> = made.filter_map(|(place, level)| Some((place, level?.name))).collect();
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let levels = Levels::all(desk, site).await?;
    let taken = made.into_iter().filter(|(_, name)| levels.named(name).is_some());
    let fault = |(place, _): (usize, String)| Fault {
        pointer: format!("/changes/{place}/level/name"),
        detail: LEVEL_TAKEN.to_owned(),
    };
    Ok(taken.map(fault).collect())
}

/// `GET /sites/{site}/plans/{id}`
async fn show(
    desk: Desk,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let page = page(&desk, &site, &id, asked.0).await?;
    desk.page(&page)
}

/// `POST /sites/{site}/plans/{id}/apply`
async fn apply(desk: Desk, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let plan = format!("/sites/{}/plans/{}", segment(&site), segment(&id));
    match desk.post(&format!("{plan}/apply"), &json!({})).await {
        Ok(applied) => applied_to(&desk, &site, &plan, &applied),
        Err(refused) if refused.is_of_input() => {
            let mut page = page(&desk, &site, &id, Asked::default()).await?;
            page.refused = vec![refused.detail];
            desk.form_again(&page)
        }
        Err(refused) => Err(refused),
    }
}

/// Where to go once a plan is applied: back to where it came from, or to where one sees how far it got.
fn applied_to(
    desk: &Desk,
    site: &str,
    path: &str,
    applied: &Answered,
) -> Result<HttpResponse, Refused> {
    if UnderWay::of(&applied.body).is_some() {
        return Ok(desk.go(&following(path, &applied.body), None));
    }
    let plan: Plan = read(applied.body.clone())?;
    let flash = Flash::success(told::applied(&plan));
    Ok(desk.go(&Origin::of(&plan).path(site), Some(flash)))
}

/// `POST /sites/{site}/plans/{id}/again`: the same changes, on what the rules are now.
async fn again(
    desk: Desk,
    path: web::Path<(String, String)>,
    _: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let plan: Plan = desk.get(&format!("/sites/{}/plans/{}", segment(&site), segment(&id))).await?;
    let mut changes = Vec::new();
    for change in plan.changes {
        // A level that somebody else has made meanwhile is there: that is all that was wanted.
        if change.get("op").is_none_or(|op| op != "create_level")
            || !is_there(&desk, &site, &change).await?
        {
            changes.push(change);
        }
    }
    match make(&desk, &site, &changes).await {
        Err(refused) if refused.is_of_input() => {
            let mut page = page(&desk, &site, &id, Asked::default()).await?;
            page.refused = told::faults(&refused);
            desk.form_again(&page)
        }
        made => made,
    }
}

/// Whether a level that a change would make is there.
async fn is_there(desk: &Desk, site: &str, change: &Value) -> Result<bool, Refused> {
    let id = change.pointer("/level/id").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/sites/{}/levels/{}", segment(site), segment(id));
    match desk.get::<Value>(&path).await {
        Ok(_) => Ok(true),
        Err(refused) if refused.is_not_found() => Ok(false),
        Err(refused) => Err(refused),
    }
}

/// The level that a change makes; `None` where it makes none.
fn made_level(change: &Value) -> Option<Level> {
    let level = change.get("level").filter(|_| back::op(change) == "create_level")?;
    let text = |key: &str| level.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = text("id")?;
    Some(Level { name: text("name").unwrap_or_else(|| id.clone()), id, members: 0 })
}

async fn page(desk: &Desk, site_id: &str, id: &str, asked: Asked) -> Result<PlanPage, Refused> {
    let site = desk.site(site_id).await?;
    let base = format!("/sites/{}", segment(&site.id));
    let plan: Plan = desk.get(&format!("{base}/plans/{}", segment(id))).await?;
    let wanted = query(&[("q", asked.q.trim()), ("what", &asked.what), ("cursor", &asked.cursor)]);
    let path = format!("{base}/plans/{}/members{wanted}", segment(id));
    let steps: Listed<Step> = desk.get(&path).await?;
    let followed = Some(asked.recompute.as_str()).filter(|id| !id.is_empty());
    let recompute = UnderWay::followed(desk, &site.id, followed).await?;
    let mut levels = Levels::of(desk, &site.id).await?;
    // Those that the plan makes have their names in it alone.
    levels.items.extend(plan.changes.iter().filter_map(made_level));
    let names = told::Names::of(desk, &site.id, &plan, &levels).await?;
    let next = steps.next_cursor.map(|cursor| asked.query(&asked.what, &cursor));
    let origin = Origin::of(&plan);
    Ok(PlanPage {
        back: Back::of(&plan, &site.id, |product_id| names.has_product(product_id)),
        shell: desk.shell_of(&site, origin.here(), "What would change"),
        writes: names.writes(&plan.rules),
        waiting: names.waiting(&plan),
        origin,
        moved: plan.moved.iter().map(|moved| names.moved(moved)).collect(),
        steps: steps.items,
        next: next.unwrap_or_default(),
        refused: Vec::new(),
        plan,
        asked,
        levels,
        recompute,
    })
}
