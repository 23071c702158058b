//! The rows of the page: what is there, with what was typed over it.

use super::ADD;
use super::draft::IGNORE;
use super::list::Found;
use crate::console::guard::Fields;
use crate::console::rules::{Faults, Mapping, Product};

/// What the fields of a product that is named by hand begin with.
pub const ADD_AT: &str = "add.";
/// What is asked of it first.
const SHORT: [&str; 3] = ["product", "level", "level_name"];

/// A product with its mappings.
pub struct Row {
    /// Kartra's id.
    pub product_id: String,
    /// What people call it.
    pub title: String,
    /// Its status, or `ahead`.
    pub status: String,
    /// How many of its purchases wait for a mapping.
    pub held: i64,
    /// Since when the first of them waits.
    pub oldest_held_at: String,
    /// How many purchases there are.
    pub purchases: i64,
    /// What it gives.
    pub mappings: Vec<MappingRow>,
    /// What else it shall give.
    pub new: NewMapping,
}

/// A mapping on the page.
pub struct MappingRow {
    /// It, as it is.
    pub mapping: Mapping,
    /// The level that is chosen for it.
    pub level: String,
    /// What a level that is to be made for it is called.
    pub level_name: String,
    /// What is chosen to become of it: `on`, `off` or `delete`.
    pub state: String,
    /// What it is: `on` or `off`.
    pub state_was: &'static str,
    /// What is wrong with it.
    pub error: String,
}

/// What a product shall give that it does not yet.
pub struct NewMapping {
    /// What the names of its fields begin with.
    pub at: String,
    /// What is chosen: a level, a new one, to ignore it, or nothing.
    pub level: String,
    /// What a level that is to be made is called.
    pub level_name: String,
    /// What choosing nothing means.
    pub blank: &'static str,
    /// The price point that is chosen.
    pub price_point: String,
    /// The price points that are known, with how many purchases name each.
    pub price_points: Vec<(String, i64)>,
    /// Whether the product can be ignored.
    pub can_ignore: bool,
    /// Whether it is to be seen at once.
    pub is_open: bool,
    /// What is wrong with it.
    pub error: String,
}

/// A product that is named by hand.
pub struct Add {
    /// What was typed.
    pub product: String,
    pub level: String,
    pub level_name: String,
    pub price_point: String,
    pub purchased_from: String,
    pub purchased_before: String,
    /// What is wrong with it.
    pub errors: AddErrors,
    /// Whether anything of it is filled in, or wrong.
    pub is_open: bool,
    /// The same of what is asked for besides product and level.
    pub has_more: bool,
}

/// What is wrong with a product that is named by hand, place by place.
pub struct AddErrors {
    pub product: String,
    pub level: String,
    pub price_point: String,
    pub purchased_from: String,
    pub purchased_before: String,
    pub whole: String,
}

impl Row {
    /// A row with what was typed into it.
    pub fn of(found: Found, fields: &Fields, faults: &Faults) -> Self {
        let (product, status) = match found {
            Found::Product(product) => {
                let status = product.status.clone();
                (product, status)
            }
            Found::Ahead(mapping) => (ahead(mapping), "ahead".to_owned()),
        };
        let new = NewMapping::of(&product, fields, faults);
        let mappings = product.mappings.iter().cloned();
        Self {
            title: product.title().to_owned(),
            mappings: mappings.map(|mapping| MappingRow::of(mapping, fields, faults)).collect(),
            new,
            status,
            held: product.held,
            oldest_held_at: product.oldest_held_at.unwrap_or_default(),
            purchases: product.purchases,
            product_id: product.product_id,
        }
    }

    /// Whether anything is wrong in it.
    pub fn is_wrong(&self) -> bool {
        !self.new.error.is_empty() || self.mappings.iter().any(|it| !it.error.is_empty())
    }
}

/// A product that nobody has bought yet.
fn ahead(mapping: Mapping) -> Product {
    Product {
        product_id: mapping.product_id.clone(),
        name: None,
        status: "mapped".to_owned(),
        held: 0,
        oldest_held_at: None,
        purchases: 0,
        price_points: Vec::new(),
        mappings: vec![mapping],
    }
}

/// What a field says; what it would say by itself where it was not sent.
fn kept(fields: &Fields, name: &str, otherwise: &str) -> String {
    if fields.is_on(name) { fields.get(name).to_owned() } else { otherwise.to_owned() }
}

impl MappingRow {
    fn of(mapping: Mapping, fields: &Fields, faults: &Faults) -> Self {
        let at = format!("map.{}", mapping.id);
        let state_was = if mapping.enabled { "on" } else { "off" };
        Self {
            level: kept(fields, &format!("{at}.level"), &mapping.level),
            level_name: kept(fields, &format!("{at}.level_name"), ""),
            state: kept(fields, &format!("{at}.state"), state_was),
            state_was,
            error: faults.text_of(&at),
            mapping,
        }
    }
}

impl NewMapping {
    fn of(product: &Product, fields: &Fields, faults: &Faults) -> Self {
        let at = format!("new.{}", product.product_id);
        let level = kept(fields, &format!("{at}.level"), "");
        let error = faults.text_of(&at);
        let points = product.price_points.iter();
        let points = points.filter_map(|it| Some((it.price_point.clone()?, it.purchases)));
        let is_unmapped = product.mappings.is_empty() && product.status == "unmapped";
        Self {
            level_name: kept(fields, &format!("{at}.level_name"), ""),
            price_point: kept(fields, &format!("{at}.price_point"), ""),
            price_points: points.collect(),
            blank: if is_unmapped { "Leave it unmapped" } else { "Nothing more" },
            can_ignore: is_unmapped || level == IGNORE,
            is_open: is_unmapped || product.held > 0 || !level.is_empty() || !error.is_empty(),
            at,
            level,
            error,
        }
    }
}

impl Add {
    /// As it was typed.
    pub fn of(fields: &Fields, faults: &Faults) -> Self {
        let of = |name: &str| kept(fields, &format!("{ADD_AT}{name}"), "");
        let at = |pointer: &str| faults.at(ADD, pointer).to_owned();
        let level_errors = [at("/level"), at("/level/name"), at("/level/id")];
        let is_wrong = !faults.all_of(ADD).is_empty();
        let filled = fields.iter().filter(|(_, value)| !value.is_empty());
        let filled: Vec<&str> = filled.filter_map(|(name, _)| name.strip_prefix(ADD_AT)).collect();
        Self {
            product: of("product"),
            level: of("level"),
            level_name: of("level_name"),
            price_point: of("price_point"),
            purchased_from: of("purchased_from"),
            purchased_before: of("purchased_before"),
            errors: AddErrors {
                product: at("/product_id"),
                level: level_errors.concat(),
                price_point: at("/price_point"),
                purchased_from: at("/purchased_from"),
                purchased_before: at("/purchased_before"),
                whole: at(""),
            },
            is_open: is_wrong || !filled.is_empty(),
            has_more: is_wrong || filled.iter().any(|name| !SHORT.contains(name)),
        }
    }
}
