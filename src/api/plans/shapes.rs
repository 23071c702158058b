//! What plans look like, coming and going.

use crate::api::levels;
use crate::api::mappings::{self, MappingView};
use crate::api::views::RecomputeView;
use crate::core::Instant;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::flow::edits::Edits;
use crate::flow::plans::{changes_of, edits_of};
use crate::store::plans::{Kind, Moved, Plan, State, Step, What, Window};
use crate::web::answer::Resource;
use crate::web::extract::{KartraId, Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A plan as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub(in crate::api) struct PlanView {
    /// Its id.
    pub id: String,
    /// What it is about: edits of the rules, or what a new version of the core would do.
    kind: Kind,
    /// Where it stands.
    state: State,
    /// What it would write.
    rules: Rules,
    /// The changes that it was made from, to make it again; empty where it was not made by `POST …/plans`.
    #[schemars(with = "Vec<ChangeShape>")]
    changes: Vec<serde_json::Value>,
    /// How many members were looked at.
    done: i64,
    /// How many members have purchases that are concerned; each of them once, unless more than 1,000 products are: then
    /// whoever has bought several of them may be counted more than once.
    total: i64,
    /// How many levels would be gained.
    gains: i64,
    /// How many levels would be lost.
    losses: i64,
    /// How many levels would be kept with another end.
    moves: i64,
    /// How many purchases each side of a window holds; empty where no mapping has one, and until all members
    /// were looked at.
    windows: Vec<Window>,
    /// What made it stale; empty while it is not.
    moved: Vec<Moved>,
    /// When it was made.
    created_at: Instant,
    /// The instant as of which it is true; null while it is computing.
    ready_at: Option<Instant>,
    /// When it was applied or became stale; null while it is open.
    ended_at: Option<Instant>,
}

impl Resource for PlanView {}

/// What a plan would write; of an upgrade, nothing.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "PlannedRules")]
struct Rules {
    /// Another policy of the site; null leaves it.
    policy: Option<Policy>,
    /// The ids of levels that would be made.
    levels: Vec<String>,
    /// Mappings that would be made.
    new: Vec<MappingView>,
    /// Mappings that would be changed, as they would be.
    edited: Vec<MappingView>,
    /// Mappings that would be deleted.
    gone: Vec<MappingView>,
    /// Products that would be ignored.
    ignored: BTreeSet<String>,
}

impl From<Edits> for Rules {
    fn from(edits: Edits) -> Self {
        let views = |mappings: Vec<Mapping>| mappings.into_iter().map(MappingView::from).collect();
        Self {
            policy: edits.policy,
            levels: edits.new_levels.into_iter().map(|(id, _)| id).collect(),
            new: views(edits.new),
            edited: views(edits.edited),
            gone: views(edits.gone),
            ignored: edits.ignored,
        }
    }
}

impl From<Plan> for PlanView {
    fn from(plan: Plan) -> Self {
        Self {
            rules: edits_of(&plan).unwrap_or_default().into(),
            changes: changes_of(&plan),
            id: plan.id,
            kind: plan.kind,
            state: plan.state,
            done: plan.done,
            total: plan.total,
            gains: plan.counts.gains,
            losses: plan.counts.losses,
            moves: plan.counts.moves,
            windows: plan.windows,
            moved: plan.moved,
            created_at: plan.created_at,
            ready_at: plan.ready_at,
            ended_at: plan.ended_at,
        }
    }
}

/// A plan that was applied, with what is to be computed again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AppliedPlan")]
pub(in crate::api) struct AppliedView {
    #[serde(flatten)]
    pub plan: PlanView,
    /// How far the recompute got.
    pub recompute: RecomputeView,
}

/// What a plan would do to one level of one member.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PlannedStep")]
pub(in crate::api) struct PlannedView {
    /// The member's address.
    email: String,
    /// The level.
    level: String,
    /// How it is held; null where it is not.
    before: Option<Held>,
    /// How it would be held; null where it would not.
    after: Option<Held>,
}

/// How a level is held.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PlannedEnd")]
struct Held {
    /// Its end; null where none is known.
    until: Option<Instant>,
}

impl From<Step> for PlannedView {
    fn from(step: Step) -> Self {
        let before = (step.what != What::Gain).then_some(Held { until: step.before_until });
        let after = (step.what != What::Loss).then_some(Held { until: step.after_until });
        Self { email: step.email, level: step.level, before, after }
    }
}

/// A plan to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreatePlan")]
pub struct Create {
    /// What would be changed, one after the other.
    #[schemars(with = "Vec<ChangeShape>", length(min = 1, max = super::changes::CHANGES_MAX))]
    pub(super) changes: Vec<Object<Change>>,
}

/// One change of the rules. It is read key by key, so that a fault has its place.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub(super) op: Op,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mapping: Option<serde_json::Value>,
    #[serde(
        default,
        deserialize_with = "crate::web::extract::written",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) policy: Option<Option<Object<Policy>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<Object<levels::Create>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) product_id: Option<KartraId>,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    CreateMapping,
    UpdateMapping,
    DeleteMapping,
    SetPolicy,
    CreateLevel,
    IgnoreProduct,
}

/// One change of the rules.
#[derive(JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "PlannedChange", transform = say_what_op_is)]
#[expect(dead_code, reason = "it only describes what is read key by key")]
enum ChangeShape {
    /// Makes a mapping.
    CreateMapping {
        /// The mapping.
        mapping: mappings::Create,
    },
    /// Changes a mapping.
    UpdateMapping {
        /// Which one.
        id: String,
        /// What changes; what is left out stays.
        mapping: mappings::Edit,
    },
    /// Deletes a mapping.
    DeleteMapping {
        /// Which one.
        id: String,
    },
    /// Replaces the site's policy whole.
    SetPolicy {
        /// The policy; null sets nothing.
        policy: Option<Policy>,
    },
    /// Makes a level, which later changes may name.
    CreateLevel {
        /// The level.
        level: levels::Create,
    },
    /// Ignores a product.
    IgnoreProduct {
        /// Which one.
        product_id: KartraId,
    },
}

/// The word that tells one change from another is described like everything else.
fn say_what_op_is(schema: &mut schemars::Schema) {
    let variants = schema.get_mut("oneOf").and_then(|variants| variants.as_array_mut());
    for op in variants.into_iter().flatten().filter_map(|one| one.pointer_mut("/properties/op")) {
        op["description"] = "What the change does.".into();
    }
}
