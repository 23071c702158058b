//! Which levels a term of a purchase gives.

use super::Instant;
use super::link::TermOutline;
use super::policy::Policy;
use serde::{Deserialize, Serialize};

/// Product (and perhaps price point) → level, with a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Opaque id.
    pub id: String,
    /// Grows by one with every edit.
    pub version: i64,
    /// The Kartra product.
    pub product_id: String,
    /// The price point; `None` maps every price point of the product.
    pub price_point: Option<String>,
    /// The level that it gives.
    pub level: String,
    /// Whether it gives anything now. A disabled mapping still names its product.
    pub enabled: bool,
    /// Only purchases that started at or after this; `None` is no bound.
    pub purchased_from: Option<Instant>,
    /// Only purchases that started before this; `None` is no bound.
    pub purchased_before: Option<Instant>,
    /// What it sets itself.
    pub policy: Policy,
}

impl Mapping {
    /// Whether it names the product and price point of a term, enabled or not, whatever its window.
    #[must_use]
    pub fn names(&self, term: &TermOutline) -> bool {
        self.product_id == term.product_id
            && (self.price_point.is_none() || self.price_point == term.price_point)
    }

    fn in_window(&self, started_at: Instant) -> bool {
        self.purchased_from.is_none_or(|from| from <= started_at)
            && self.purchased_before.is_none_or(|before| started_at < before)
    }
}

/// The mappings that apply to a term of a purchase that started at `started_at`: of the matching
/// enabled ones, those that name the term's price point replace those that name none.
#[must_use]
pub fn applying<'a>(
    mappings: &'a [Mapping],
    term: &TermOutline,
    started_at: Instant,
) -> Vec<&'a Mapping> {
    let matching =
        || mappings.iter().filter(|m| m.enabled && m.names(term) && m.in_window(started_at));
    let exact = matching().any(|m| m.price_point.is_some());
    matching().filter(|m| m.price_point.is_some() == exact).collect()
}
