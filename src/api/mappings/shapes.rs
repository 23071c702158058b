//! What mappings look like, coming and going.

use crate::api::views::RecomputeView;
use crate::core::Instant;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::web::answer::Resource;
use crate::web::extract::{self, KartraId, Moment, Object};
use crate::web::shapes::Slug;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mapping as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Mapping")]
pub(in crate::api) struct MappingView {
    /// Its id.
    pub id: String,
    /// Kartra's product id.
    pub product_id: String,
    /// The price point that it names; null for every price point that no other mapping names.
    pub price_point: Option<String>,
    /// The level that it gives.
    pub level: String,
    /// Whether it applies; a disabled one still keeps purchases from being held.
    pub enabled: bool,
    /// It matches purchases that started at this instant or later; null for all.
    pub purchased_from: Option<Instant>,
    /// It matches purchases that started before this instant; null for all.
    pub purchased_before: Option<Instant>,
    /// What it sets of the policy; the rest comes from the site.
    pub policy: Policy,
    /// Grows with every edit.
    pub version: i64,
}

impl Resource for MappingView {}

impl From<Mapping> for MappingView {
    fn from(mapping: Mapping) -> Self {
        Self {
            id: mapping.id,
            product_id: mapping.product_id,
            price_point: mapping.price_point,
            level: mapping.level,
            enabled: mapping.enabled,
            purchased_from: mapping.purchased_from,
            purchased_before: mapping.purchased_before,
            policy: mapping.policy,
            version: mapping.version,
        }
    }
}

/// A mapping with what its change has to compute again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WrittenMapping")]
pub(in crate::api) struct Written {
    #[serde(flatten)]
    pub mapping: MappingView,
    /// How far the recompute got.
    pub recompute: RecomputeView,
}

/// What the end of a mapping has to compute again.
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct RecomputeOnly {
    /// How far the recompute got.
    pub recompute: RecomputeView,
}

/// What a new mapping shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateMapping")]
pub struct Create {
    /// Kartra's product id, or the address of the product's edit page, of which the number is kept. A
    /// product that was not seen yet may be mapped.
    pub(super) product_id: KartraId,
    /// The price point; null for every price point that no other mapping names.
    #[serde(default)]
    pub(super) price_point: Option<KartraId>,
    /// The level that it gives, which has to be there.
    #[schemars(with = "Slug")]
    pub(super) level: String,
    /// Whether it applies.
    #[serde(default = "enabled")]
    pub(super) enabled: bool,
    /// It shall match purchases that started at this instant or later; null for all.
    #[serde(default)]
    pub(super) purchased_from: Option<Moment>,
    /// It shall match purchases that started before this instant; null for all.
    #[serde(default)]
    pub(super) purchased_before: Option<Moment>,
    /// What it sets of the policy; the rest comes from the site.
    #[serde(default)]
    pub(super) policy: Option<Object<Policy>>,
}

fn enabled() -> bool {
    true
}

/// What shall change about a mapping; `policy` is replaced whole.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditMapping")]
pub struct Edit {
    /// Kartra's product id, or the address of the product's edit page.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "KartraId")]
    pub(super) product_id: Option<KartraId>,
    /// The price point; null for every price point that no other mapping names.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) price_point: Option<Option<KartraId>>,
    /// The level that it gives, which has to be there.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Slug")]
    pub(super) level: Option<String>,
    /// Whether it applies.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "bool")]
    pub(super) enabled: Option<bool>,
    /// It shall match purchases that started at this instant or later; null for all.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) purchased_from: Option<Option<Moment>>,
    /// It shall match purchases that started before this instant; null for all.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) purchased_before: Option<Option<Moment>>,
    /// What it sets of the policy; null sets nothing.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) policy: Option<Option<Object<Policy>>>,
}
