//! Which levels a term of a purchase gives.

use super::Instant;
use super::link::TermOutline;
use super::policy::Policy;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Deref;

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

/// The mappings of a site, in the order of their ids, found by the product that they name: what a purchase gives costs
/// the same however many products there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    all: Vec<Mapping>,
    /// Where in `all` those of each product stand.
    by_product: HashMap<String, Vec<usize>>,
}

impl Mappings {
    /// Those that name a product, enabled or not, in their order.
    pub fn of_product(&self, product_id: &str) -> impl Iterator<Item = &Mapping> {
        let places = self.by_product.get(product_id).into_iter().flatten();
        places.filter_map(|place| self.all.get(*place))
    }

    /// Whether any of them names a term.
    #[must_use]
    pub fn name(&self, term: &TermOutline) -> bool {
        self.of_product(&term.product_id).any(|mapping| mapping.names(term))
    }
}

impl From<Vec<Mapping>> for Mappings {
    fn from(all: Vec<Mapping>) -> Self {
        let mut by_product: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, mapping) in all.iter().enumerate() {
            by_product.entry(mapping.product_id.clone()).or_default().push(place);
        }
        Self { all, by_product }
    }
}

impl FromIterator<Mapping> for Mappings {
    fn from_iter<T: IntoIterator<Item = Mapping>>(all: T) -> Self {
        Self::from(all.into_iter().collect::<Vec<_>>())
    }
}

impl Deref for Mappings {
    type Target = [Mapping];

    fn deref(&self) -> &[Mapping] {
        &self.all
    }
}

/// The mappings that apply to a term of a purchase that started at `started_at`: of the matching
/// enabled ones, those that name the term's price point replace those that name none.
#[must_use]
pub fn applying<'a>(
    mappings: &'a Mappings,
    term: &TermOutline,
    started_at: Instant,
) -> Vec<&'a Mapping> {
    let of_product = || mappings.of_product(&term.product_id);
    let matching =
        || of_product().filter(|m| m.enabled && m.names(term) && m.in_window(started_at));
    let exact = matching().any(|m| m.price_point.is_some());
    matching().filter(|m| m.price_point.is_some() == exact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).expect("in the calendar")
    }

    fn mapping(id: &str, price_point: Option<&str>) -> Mapping {
        Mapping {
            id: id.to_owned(),
            version: 1,
            product_id: "558001".to_owned(),
            price_point: price_point.map(str::to_owned),
            level: "gold".to_owned(),
            enabled: true,
            purchased_from: None,
            purchased_before: None,
            policy: Policy::default(),
        }
    }

    fn term(product_id: &str, price_point: Option<&str>) -> TermOutline {
        let price_point = price_point.map(str::to_owned);
        TermOutline { product_id: product_id.to_owned(), price_point, started_at: at(50) }
    }

    fn ids(mappings: &[Mapping], term: &TermOutline, started_at: Instant) -> Vec<String> {
        let mappings = Mappings::from(mappings.to_vec());
        applying(&mappings, term, started_at).into_iter().map(|m| m.id.clone()).collect()
    }

    #[test]
    fn what_names_the_price_point_replaces_what_names_none_and_all_that_remain_apply() {
        let all = [
            mapping("any 1", None),
            mapping("any 2", None),
            mapping("two 1", Some("2")),
            mapping("two 2", Some("2")),
            mapping("three", Some("3")),
        ];
        for (term, expected) in [
            (term("558001", Some("2")), vec!["two 1", "two 2"]),
            (term("558001", Some("3")), vec!["three"]),
            (term("558001", Some("4")), vec!["any 1", "any 2"]),
            (term("558001", None), vec!["any 1", "any 2"]),
            (term("557920", Some("2")), vec![]),
        ] {
            assert_eq!(ids(&all, &term, at(0)), expected, "{term:?}");
        }
        assert!(applying(&Mappings::default(), &term("558001", None), at(0)).is_empty());
    }

    #[test]
    fn one_that_does_not_match_replaces_nothing() {
        let exact = mapping("exact", Some("2"));
        let disabled = Mapping { enabled: false, ..exact.clone() };
        let closed = Mapping { purchased_before: Some(at(10)), ..exact };
        let term = term("558001", Some("2"));
        for other in [disabled, closed] {
            assert!(other.names(&term));
            assert_eq!(ids(&[mapping("any", None), other], &term, at(10)), ["any"]);
        }
    }

    #[test]
    fn a_window_takes_its_first_instant_and_not_its_last_and_asks_for_the_purchase_s_start() {
        let window = |from, before| Mapping {
            purchased_from: from,
            purchased_before: before,
            ..mapping("window", None)
        };
        // The term began later than any of these windows: only the purchase's start counts.
        let applies = |mapping: &Mapping, started_at| {
            !ids(std::slice::from_ref(mapping), &term("558001", None), started_at).is_empty()
        };
        let both = window(Some(at(10)), Some(at(20)));
        let held: Vec<i64> = (8..23).filter(|second| applies(&both, at(*second))).collect();
        assert_eq!(held, (10..20).collect::<Vec<_>>());
        assert!(applies(&window(Some(at(10)), None), at(1_000)));
        assert!(applies(&window(None, Some(at(10))), at(-1_000)));
        assert!(!applies(&window(Some(at(10)), Some(at(10))), at(10)));
    }
}
