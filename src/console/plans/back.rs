//! Where a plan came from, and the way back there with what was chosen. A plan holds its changes and not its form, so
//! that both are worked out from them, also of a plan that a script has made. Each form makes changes that no other
//! makes: that of a mapping always writes the price point ([`crate::console::mappings`]), and that of the products never
//! edits one.

use super::Plan;
use crate::console::desk::{query, segment};
use crate::console::guard::Fields;
use crate::console::policy::{Answers, SITE_AT};
use crate::console::rules::Mapping;
use crate::console::{mappings, products};
use crate::core::policy::Policy;
use serde_json::Value;

/// What the form of one mapping can change of it.
const OF_A_MAPPING: [&str; 6] =
    ["level", "enabled", "price_point", "purchased_from", "purchased_before", "policy"];
/// What the page of the products can change of a mapping.
const OF_PRODUCTS: [&str; 2] = ["level", "enabled"];

/// The page that a plan came from, and leads back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// That of the products, to which every plan leads that no other form makes.
    Products,
    /// That of the site's policy.
    Policy,
    /// That of the mapping with this id.
    Mapping(String),
    /// The first page of the site: nobody has made the plan.
    Home,
}

impl Origin {
    /// Where a plan came from.
    pub fn of(plan: &Plan) -> Self {
        if plan.kind == "upgrade" {
            return Self::Home;
        }
        if let [only] = plan.changes.as_slice()
            && op(only) == "set_policy"
        {
            return Self::Policy;
        }
        match of_mapping(plan) {
            Some((mapping, _)) => Self::Mapping(mapping.id.clone()),
            None => Self::Products,
        }
    }

    /// Its address, below the base.
    pub fn path(&self, site_id: &str) -> String {
        let site = format!("/sites/{}", segment(site_id));
        match self {
            Self::Products => format!("{site}/products"),
            Self::Policy => format!("{site}/settings/policy"),
            Self::Mapping(id) => format!("{site}/mappings/{}", segment(id)),
            Self::Home => site,
        }
    }

    /// What it is called on the link that leads there.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Products => "All products",
            Self::Policy => "What happens to access",
            Self::Mapping(_) => "The mapping",
            Self::Home => "Home",
        }
    }

    /// What stands on the button that leads there once all is done.
    pub fn done(&self) -> &'static str {
        match self {
            Self::Products => "Back to the products",
            Self::Policy => "Back to what happens to access",
            Self::Mapping(_) => "Back to the mapping",
            Self::Home => "Go to the first page",
        }
    }

    /// The entry of the navigation that it belongs to.
    pub fn here(&self) -> &'static str {
        match self {
            Self::Products | Self::Mapping(_) => "products",
            Self::Policy => "settings",
            Self::Home => "home",
        }
    }
}

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
        let origin = Origin::of(plan);
        let action = origin.path(site_id);
        match origin {
            Origin::Policy => Some(Self { action, fields: of_policy(&plan.changes)? }),
            Origin::Mapping(_) => {
                let (mapping, new_level) = of_mapping(plan)?;
                Some(Self { action, fields: mappings::fields_of(mapping, new_level) })
            }
            Origin::Products if plan.product_ids().len() <= products::PLANNED_MAX => {
                let fields = products::fields_of(&plan.changes, is_known)?;
                Some(Self { action: format!("{action}{}", query(&[("plan", &plan.id)])), fields })
            }
            Origin::Products | Origin::Home => None,
        }
    }
}

/// Whether a form is only to be shown again: for its picture, or because somebody comes back from its plan.
pub fn is_look(fields: &Fields) -> bool {
    fields.get("do") == "preview" || is_back(fields)
}

/// What whoever comes back from a plan to its form is told there; empty for anybody else.
pub fn welcome(fields: &Fields) -> &'static str {
    if is_back(fields) { "These are your choices again. Nothing was saved or changed." } else { "" }
}

fn is_back(fields: &Fields) -> bool {
    fields.get("do") == "back"
}

/// The form of the site's policy sets it, and does nothing else.
fn of_policy(changes: &[Value]) -> Option<Vec<(String, String)>> {
    let [only] = changes else { return None };
    let policy = only.get("policy").filter(|policy| !policy.is_null());
    let policy = policy.map_or_else(
        || Some(Policy::default()),
        |policy| serde_json::from_value(policy.clone()).ok(),
    );
    Some(Answers::of(&policy?).fields(SITE_AT))
}

/// The form of a mapping edits it, and perhaps makes its level before: the mapping as it would be, and what that level
/// is called.
fn of_mapping(plan: &Plan) -> Option<(&Mapping, Option<&str>)> {
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
    Some((mapping, new_level))
}

/// What a change does.
pub(super) fn op(change: &Value) -> &str {
    change.get("op").and_then(Value::as_str).unwrap_or_default()
}
