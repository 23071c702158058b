//! What was changed on the page, as the changes of one plan.
//!
//! The names of the fields: `new.<product>.level` (a level, [`NEW_LEVEL`], [`IGNORE`] or nothing), beside it
//! `.level_name` and `.price_point`; `map.<mapping>.level` and `.state`, each with what it was when the page was made;
//! `add.…` for a product that is named by hand. [`super::chosen`] goes the other way.

use super::ADD;
use super::view::ADD_AT;
use crate::console::guard::Fields;
use crate::console::policy::Answers;
use crate::console::rules::{Faults, from_field, slug_of};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Stands for a level that is to be made; no id of a level is like it.
pub const NEW_LEVEL: &str = "+";
/// What stands before the number of a product in the address of its page in Kartra.
const EDIT_PAGE: &str = "/products/edit/";
/// Stands for ignoring the product.
pub const IGNORE: &str = "-";

/// What is to be changed.
#[derive(Debug, Default)]
pub struct Draft {
    /// The changes, as the API takes them.
    pub changes: Vec<Value>,
    /// Which part of the form each came from.
    pub origins: Vec<String>,
    /// What is wrong before anybody is asked.
    pub faults: Faults,
    made: BTreeSet<String>,
}

impl Draft {
    /// Reads the form.
    pub fn of(fields: &Fields) -> Self {
        let mut draft = Self::default();
        for (name, _) in fields.iter() {
            if let Some(id) = part(name, "map.", ".state") {
                draft.edit(fields, id);
            } else if let Some(id) = part(name, "new.", ".level") {
                draft.decide(fields, id);
            }
        }
        draft.add(fields);
        draft
    }

    fn push(&mut self, origin: &str, change: Value) {
        self.changes.push(change);
        self.origins.push(origin.to_owned());
    }

    /// An edit of a mapping: only what is no more as it was shown.
    fn edit(&mut self, fields: &Fields, id: &str) {
        let origin = format!("map.{id}");
        let of = |name: &str| fields.get(&format!("{origin}.{name}"));
        if of("state") == "delete" {
            return self.push(&origin, json!({ "op": "delete_mapping", "id": id }));
        }
        let mut edit = Map::new();
        if of("level") != of("level_was") {
            match self.level(&origin, of("level"), of("level_name")) {
                Some(level) => edit.insert("level".to_owned(), level.into()),
                None => return,
            };
        }
        if of("state") != of("state_was") {
            edit.insert("enabled".to_owned(), (of("state") == "on").into());
        }
        if !edit.is_empty() {
            self.push(&origin, json!({ "op": "update_mapping", "id": id, "mapping": edit }));
        }
    }

    /// What a product shall give: a level, or nothing for good.
    fn decide(&mut self, fields: &Fields, product_id: &str) {
        let origin = format!("new.{product_id}");
        let of = |name: &str| fields.get(&format!("{origin}.{name}"));
        match of("level") {
            "" => {}
            IGNORE => {
                self.push(&origin, json!({ "op": "ignore_product", "product_id": product_id }));
            }
            chosen => {
                let Some(level) = self.level(&origin, chosen, of("level_name")) else { return };
                let price_point = fields.text(&format!("{origin}.price_point"));
                let mapping =
                    json!({ "product_id": product_id, "level": level, "price_point": price_point });
                self.push(&origin, json!({ "op": "create_mapping", "mapping": mapping }));
            }
        }
    }

    /// A product that was named by hand.
    fn add(&mut self, fields: &Fields) {
        let of = |name: &str| fields.get(&format!("{ADD_AT}{name}")).trim();
        let (product, chosen) = (of("product"), of("level"));
        if product.is_empty() && chosen.is_empty() {
            return;
        }
        if product.is_empty() {
            let detail = "Write the product's number, or paste the address of its page in Kartra.";
            self.faults.note(ADD, "/product_id", detail);
        } else if !is_product(product) {
            let detail = "A product of Kartra's has a number, such as 558475. Write that, or paste the \
                          address of its page in Kartra (…/products/edit/558475).";
            self.faults.note(ADD, "/product_id", detail);
        }
        if chosen.is_empty() {
            self.faults.note(ADD, "/level", "Choose the level that the product gives.");
        }
        let Some(level) = self.level(ADD, chosen, of("level_name")) else { return };
        let mapping = json!({
            "product_id": product,
            "level": level,
            "price_point": Some(of("price_point")).filter(|point| !point.is_empty()),
            "purchased_from": from_field(of("purchased_from")),
            "purchased_before": from_field(of("purchased_before")),
            "policy": Answers::read(fields, ADD_AT).policy(),
        });
        self.push(ADD, json!({ "op": "create_mapping", "mapping": mapping }));
    }

    /// The id of the level that was chosen, which may have to be made before; `None` where that cannot be said.
    fn level(&mut self, origin: &str, chosen: &str, name: &str) -> Option<String> {
        match chosen {
            "" => None,
            NEW_LEVEL => {
                let id = slug_of(name);
                if id.is_empty() {
                    self.faults.note(origin, "/level/name", "Name the new level.");
                    return None;
                }
                if self.made.insert(id.clone()) {
                    let level = json!({ "id": id, "name": name.trim() });
                    self.push(origin, json!({ "op": "create_level", "level": level }));
                }
                Some(id)
            }
            chosen => Some(chosen.to_owned()),
        }
    }
}

/// Whether a text names a product as Kartra's own pages do: by its number, or by the address of its page. Scripts may
/// say anything; what somebody types and is neither is a slip, and no purchase would ever come for it.
fn is_product(text: &str) -> bool {
    let number = text.split_once(EDIT_PAGE).map_or(text, |(_, behind)| {
        behind.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default()
    });
    !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit())
}

/// What stands between the beginning and the end of a name.
fn part<'a>(name: &'a str, begins: &str, ends: &str) -> Option<&'a str> {
    name.strip_prefix(begins)?.strip_suffix(ends)
}

#[cfg(test)]
mod tests {
    use super::is_product;

    #[test]
    fn a_product_is_named_by_its_number_or_by_the_address_of_its_page() {
        for named in ["558475", "https://app.kartra.com/sales/products/edit/558475?tab=1"] {
            assert!(is_product(named), "{named}");
        }
        for other in ["abc", "-5", "12a", "https://app.kartra.com/products/edit/", "no such page/"]
        {
            assert!(!is_product(other), "{other}");
        }
    }
}
