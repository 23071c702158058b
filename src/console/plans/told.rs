//! What a plan writes, what has moved, and what has happened, in sentences.

use super::{Moved, Plan, Planned};
use crate::console::desk::{Desk, segment};
use crate::console::policy::in_words;
use crate::console::refused::Refused;
use crate::console::rules::{Levels, Mapping, Product};
use std::collections::BTreeMap;

/// Products of one plan whose names are asked for; others are called by their numbers.
const NAMED_MAX: usize = 30;

/// Something that a plan writes, in a sentence.
pub struct Told {
    /// How it begins; all of it where nothing follows.
    pub text: String,
    /// For purchases from when on; `None` for all.
    pub purchased_from: Option<String>,
    /// For purchases until when; `None` for all.
    pub purchased_before: Option<String>,
    /// How it ends, behind those.
    pub rest: String,
}

/// Purchases that wait for a mapping of a product which a plan ignores.
pub struct Waiting {
    /// How many there are, and what becomes of them.
    pub text: String,
    /// The product.
    pub product_id: String,
}

impl Told {
    fn whole(text: String) -> Self {
        Self { text, purchased_from: None, purchased_before: None, rest: String::new() }
    }

    /// Whether it is about purchases that were made between some instants.
    pub fn has_window(&self) -> bool {
        self.purchased_from.is_some() || self.purchased_before.is_some()
    }
}

/// What things are called.
pub struct Names<'a> {
    products: BTreeMap<String, Product>,
    levels: &'a Levels,
}

impl<'a> Names<'a> {
    /// The names of what a plan writes.
    pub async fn of(
        desk: &Desk,
        site_id: &str,
        plan: &Plan,
        levels: &'a Levels,
    ) -> Result<Self, Refused> {
        let mut products = BTreeMap::new();
        for id in plan.product_ids().into_iter().take(NAMED_MAX) {
            let path = format!("/sites/{}/products/{}", segment(site_id), segment(id));
            match desk.get::<Product>(&path).await {
                Ok(product) => products.insert(id.clone(), product),
                Err(refused) if refused.is_not_found() => None,
                Err(refused) => return Err(refused),
            };
        }
        Ok(Self { products, levels })
    }

    /// Whether a product has been bought; of a plan about more of them than are asked for, some are not known.
    pub fn has_product(&self, id: &str) -> bool {
        self.products.contains_key(id)
    }

    fn product(&self, id: &str) -> String {
        match self.products.get(id).map(Product::title) {
            Some(name) if name != id => format!("{name} (product {id})"),
            _ => format!("Product {id}"),
        }
    }

    /// A mapping in a sentence; `what` is done with it.
    fn mapping(&self, what: &str, mapping: &Mapping) -> Told {
        let point = mapping.price_point.as_ref().map(|point| format!(" at price point {point}"));
        let policy = mapping.policy_in_words();
        let policy =
            if policy.is_empty() { String::new() } else { format!("; {}", policy.join("; ")) };
        let off = if mapping.enabled { "" } else { " once it is in force again; it is off" };
        Told {
            text: format!(
                "{what}: {}{} gives {}",
                self.product(&mapping.product_id),
                point.unwrap_or_default(),
                self.levels.name(&mapping.level),
            ),
            purchased_from: mapping.purchased_from.clone(),
            purchased_before: mapping.purchased_before.clone(),
            rest: format!("{off}{policy}."),
        }
    }

    /// All that a plan would write.
    pub fn writes(&self, rules: &Planned) -> Vec<Told> {
        let level = |id: &String| Told::whole(format!("New level: {}.", self.levels.name(id)));
        let mut told: Vec<Told> = rules.levels.iter().map(level).collect();
        told.extend(rules.new.iter().map(|it| self.mapping("New", it)));
        told.extend(rules.edited.iter().map(|it| self.mapping("Changed", it)));
        told.extend(rules.gone.iter().map(|it| self.mapping("Deleted", it)));
        let ignored =
            |id: &String| Told::whole(format!("Ignored: {} gives nothing.", self.product(id)));
        told.extend(rules.ignored.iter().map(ignored));
        if let Some(policy) = &rules.policy {
            let words = in_words(policy);
            let words = if words.is_empty() { "as usual".to_owned() } else { words.join("; ") };
            told.push(Told::whole(format!("The site's policy: {words}.")));
        }
        told
    }

    /// What waits for a mapping now and would give nothing once a plan is applied.
    pub fn waiting(&self, plan: &Plan) -> Vec<Waiting> {
        if !plan.is_computing() && !plan.is_ready() {
            return Vec::new();
        }
        let told = |id: &String| {
            let held = self.products.get(id).map_or(0, |product| product.held);
            let name = self.product(id);
            let text = match held {
                ..=0 => return None,
                1 => format!(
                    "{name}: 1 purchase waits for a mapping. Ignoring the product means that it gives nothing."
                ),
                _ => format!(
                    "{name}: {held} purchases wait for a mapping. Ignoring the product means that they give nothing."
                ),
            };
            Some(Waiting { text, product_id: id.clone() })
        };
        plan.rules.ignored.iter().filter_map(told).collect()
    }

    /// Something that has moved, in a sentence.
    pub fn moved(&self, moved: &Moved) -> String {
        let Moved { what, id, level } = moved;
        match what.as_str() {
            "member" => {
                let level = level.as_deref().map_or("a level", |level| self.levels.name(level));
                format!("{id} would lose {level} now, which this plan does not say.")
            }
            "mapping" => "A mapping was made, changed or deleted.".to_owned(),
            "level" => format!("The level {} was made, renamed or deleted.", self.levels.name(id)),
            "product" => format!("{} was ignored, or is no longer.", self.product(id)),
            "settings" => format!("The site's settings were changed: {}.", id.replace('_', " ")),
            "age" if id == "newer plans" => "Newer plans have taken its place.".to_owned(),
            "age" => "It is more than a day old.".to_owned(),
            other => format!("{other} {id}"),
        }
    }
}

/// What has happened, once a plan is applied and everybody is computed again.
pub fn applied(plan: &Plan) -> String {
    let count = |count: i64, one: &str, many: &str| {
        format!("{count} {}", if count == 1 { one } else { many })
    };
    if plan.is_quiet() {
        return "Saved. Nobody's access has changed.".to_owned();
    }
    format!(
        "Saved: {}, {}, {}. Everybody is in line with it.",
        count(plan.gains, "level gained", "levels gained"),
        count(plan.losses, "level lost", "levels lost"),
        count(plan.moves, "end moved", "ends moved"),
    )
}

/// What is wrong with changes that are no longer possible.
pub fn faults(refused: &Refused) -> Vec<String> {
    let mut told = vec![
        "The plan cannot be made again as it was. Go back and save what you want there.".to_owned(),
    ];
    told.extend(refused.errors.iter().map(|fault| fault.detail.clone()));
    told
}
