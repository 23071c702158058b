//! The choices behind the changes of a plan: what [`super::draft`] makes of a form, the other way round.

use super::draft::{IGNORE, NEW_LEVEL};
use super::view::ADD_AT;
use crate::console::policy::Answers;
use crate::console::rules::in_field;
use crate::core::policy::Policy;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a mapping may say that is chosen beside its product; one that says more is added by the product's number.
const BESIDE_A_PRODUCT: [&str; 3] = ["product_id", "level", "price_point"];
/// What a mapping may say that is added.
const ADDED: [&str; 6] =
    ["product_id", "level", "price_point", "purchased_from", "purchased_before", "policy"];
/// What may be chosen of a mapping that is there.
const OF_A_MAPPING: [&str; 2] = ["level", "enabled"];

/// The fields of the form that makes these changes; `None` where the form cannot make them. `is_known` says whether a
/// product has been bought, and so has a row of its own.
pub fn fields_of(
    changes: &[Value],
    is_known: impl Fn(&str) -> bool,
) -> Option<Vec<(String, String)>> {
    let mut chosen = Chosen::default();
    for change in changes {
        chosen.take(change, &is_known)?;
    }
    Some(chosen.fields)
}

/// What was chosen, as far as the changes are read.
#[derive(Default)]
struct Chosen {
    fields: Vec<(String, String)>,
    /// Levels that are to be made, with what they are called.
    made: BTreeMap<String, String>,
    /// The parts of the form that are filled in: each makes one change.
    parts: BTreeSet<String>,
}

impl Chosen {
    /// Takes in one more change; `None` where no part of the form is left that makes it.
    fn take(&mut self, change: &Value, is_known: impl Fn(&str) -> bool) -> Option<()> {
        let text = |pointer: &str| change.pointer(pointer).and_then(Value::as_str);
        let written = || change.get("mapping").and_then(Value::as_object);
        match text("/op")? {
            "create_level" => {
                let (id, name) = (text("/level/id")?, text("/level/name")?);
                self.made.insert(id.to_owned(), name.to_owned());
                Some(())
            }
            "ignore_product" => {
                let at = self.part(format!("new.{}.", text("/product_id")?))?;
                self.put(&at, "level", IGNORE);
                Some(())
            }
            "delete_mapping" => {
                let at = self.part(format!("map.{}.", text("/id")?))?;
                self.put(&at, "state", "delete");
                Some(())
            }
            "update_mapping" => self.edited(text("/id")?, written()?),
            "create_mapping" => self.added(written()?, is_known),
            _ => None,
        }
    }

    fn edited(&mut self, id: &str, written: &Map<String, Value>) -> Option<()> {
        if !says_only(written, &OF_A_MAPPING) {
            return None;
        }
        let at = self.part(format!("map.{id}."))?;
        if let Some(level) = written.get("level") {
            self.level(&at, level.as_str()?);
        }
        if let Some(enabled) = written.get("enabled") {
            self.put(&at, "state", if enabled.as_bool()? { "on" } else { "off" });
        }
        Some(())
    }

    fn added(
        &mut self,
        written: &Map<String, Value>,
        is_known: impl Fn(&str) -> bool,
    ) -> Option<()> {
        let text = |key: &str| written.get(key).and_then(Value::as_str);
        let (product, level) = (text("product_id")?, text("level")?);
        let has_row = is_known(product) && says_only(written, &BESIDE_A_PRODUCT);
        if !has_row && !says_only(written, &ADDED) {
            return None;
        }
        let at = if has_row { format!("new.{product}.") } else { ADD_AT.to_owned() };
        let at = self.part(at)?;
        self.level(&at, level);
        self.put(&at, "price_point", text("price_point").unwrap_or_default());
        if has_row {
            return Some(());
        }
        self.put(&at, "product", product);
        for key in ["purchased_from", "purchased_before"] {
            self.put(&at, key, &in_field(text(key)));
        }
        if let Some(policy) = written.get("policy").filter(|policy| !policy.is_null()) {
            let policy: Policy = serde_json::from_value(policy.clone()).ok()?;
            self.fields.extend(Answers::of(&policy).fields(&at));
        }
        Some(())
    }

    /// A part of the form, by what the names of its fields begin with; `None` where it is filled in already.
    fn part(&mut self, at: String) -> Option<String> {
        self.parts.insert(at.clone()).then_some(at)
    }

    fn put(&mut self, at: &str, name: &str, value: &str) {
        self.fields.push((format!("{at}{name}"), value.to_owned()));
    }

    /// A level that is chosen, or named because it is to be made.
    fn level(&mut self, at: &str, level: &str) {
        match self.made.get(level).cloned() {
            Some(name) => {
                self.put(at, "level", NEW_LEVEL);
                self.put(at, "level_name", &name);
            }
            None => self.put(at, "level", level),
        }
    }
}

fn says_only(written: &Map<String, Value>, keys: &[&str]) -> bool {
    written.keys().all(|key| keys.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn each_change_leads_back_to_the_part_of_the_form_that_makes_it() {
        let changes = [
            json!({ "op": "create_level", "level": { "id": "tin", "name": "Tin" } }),
            json!({ "op": "create_mapping", "mapping": { "product_id": "1", "level": "tin", "price_point": null } }),
            json!({ "op": "update_mapping", "id": "m1", "mapping": { "level": "tin", "enabled": false } }),
            json!({ "op": "delete_mapping", "id": "m2" }),
            json!({ "op": "ignore_product", "product_id": "2" }),
            json!({ "op": "create_mapping", "mapping": { "product_id": "9", "level": "gold", "price_point": "3" } }),
        ];
        let fields = fields_of(&changes, |product| product != "9").expect("a form");
        let wanted = [
            field("new.1.level", "+"),
            field("new.1.level_name", "Tin"),
            field("new.1.price_point", ""),
            field("map.m1.level", "+"),
            field("map.m1.level_name", "Tin"),
            field("map.m1.state", "off"),
            field("map.m2.state", "delete"),
            field("new.2.level", "-"),
            field("add.level", "gold"),
            field("add.price_point", "3"),
            field("add.product", "9"),
            field("add.purchased_from", ""),
            field("add.purchased_before", ""),
        ];
        assert_eq!(fields, wanted);
    }

    #[test]
    fn what_the_form_cannot_make_leads_nowhere() {
        let mapping = |product: &str| json!({ "op": "create_mapping", "mapping": { "product_id": product, "level": "gold" } });
        for changes in [
            vec![mapping("8"), mapping("9")],
            vec![json!({ "op": "set_policy", "policy": {} })],
            vec![json!({ "op": "update_mapping", "id": "m", "mapping": { "price_point": "1" } })],
            vec![
                json!({ "op": "delete_mapping", "id": "m" }),
                json!({ "op": "delete_mapping", "id": "m" }),
            ],
            vec![
                json!({ "op": "create_mapping", "mapping": { "product_id": "1", "level": "gold", "enabled": false } }),
            ],
        ] {
            assert_eq!(fields_of(&changes, |_| false), None, "{changes:?}");
        }
    }
}
