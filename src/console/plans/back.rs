//! The way back from a plan to the form behind it, with what was chosen there. A plan holds its changes and not its
//! form, so that the form is worked out from them: also of a plan that a script has made, where a form can make such a
//! one.

use super::Plan;
use crate::console::desk::{query, segment};
use crate::console::policy::{Answers, SITE_AT};
use crate::console::rules::Mapping;
use crate::console::{mappings, products};
use crate::core::policy::Policy;
use serde_json::Value;

/// What the form of one mapping can change of it.
const OF_A_MAPPING: [&str; 6] =
    ["level", "enabled", "price_point", "purchased_from", "purchased_before", "policy"];
/// What the page of the products can change of a mapping: such a change is taken to come from there.
const OF_PRODUCTS: [&str; 2] = ["level", "enabled"];

/// A form as it was filled in. It is sent as for a look at its picture, which saves nothing and shows it so again.
pub struct Back {
    /// Where it is sent to, below the base.
    pub action: String,
    /// Names and values of its fields.
    pub fields: Vec<(String, String)>,
}

impl Back {
    /// The form behind a plan; `None` where the plan is over, or where no form makes such a one. `is_known` says whether
    /// a product has been bought.
    pub fn of(plan: &Plan, site_id: &str, is_known: impl Fn(&str) -> bool) -> Option<Self> {
        if plan.state == "applied" || plan.changes.is_empty() {
            return None;
        }
        let site = format!("/sites/{}", segment(site_id));
        if let Some(fields) = of_policy(&plan.changes) {
            return Some(Self { action: format!("{site}/settings/policy"), fields });
        }
        if let Some((mapping, fields)) = of_mapping(plan) {
            let action = format!("{site}/mappings/{}", segment(&mapping.id));
            return Some(Self { action, fields });
        }
        if plan.product_ids().len() > products::PLANNED_MAX {
            return None;
        }
        let fields = products::fields_of(&plan.changes, is_known)?;
        let action = format!("{site}/products{}", query(&[("plan", &plan.id)]));
        Some(Self { action, fields })
    }
}

/// The form of the site's policy sets it, and does nothing else.
fn of_policy(changes: &[Value]) -> Option<Vec<(String, String)>> {
    let [only] = changes else { return None };
    if op(only) != "set_policy" {
        return None;
    }
    let policy = only.get("policy").filter(|policy| !policy.is_null());
    let policy = policy.map_or_else(
        || Some(Policy::default()),
        |policy| serde_json::from_value(policy.clone()).ok(),
    );
    Some(Answers::of(&policy?).fields(SITE_AT))
}

/// The form of a mapping edits it, and perhaps makes its level before.
fn of_mapping(plan: &Plan) -> Option<(&Mapping, Vec<(String, String)>)> {
    let (edit, before) = plan.changes.split_last()?;
    let level = match before {
        [] => None,
        [level] if op(level) == "create_level" => Some(level),
        _ => return None,
    };
    let [mapping] = plan.rules.edited.as_slice() else { return None };
    let written = edit.get("mapping").filter(|_| op(edit) == "update_mapping")?.as_object()?;
    let names = |all: &[&str]| written.keys().all(|key| all.contains(&key.as_str()));
    if !names(&OF_A_MAPPING) || names(&OF_PRODUCTS) {
        return None;
    }
    let new_level = level.and_then(|level| level.pointer("/level/name")).and_then(Value::as_str);
    Some((mapping, mappings::fields_of(mapping, new_level)))
}

/// What a change does.
pub(super) fn op(change: &Value) -> &str {
    change.get("op").and_then(Value::as_str).unwrap_or_default()
}
