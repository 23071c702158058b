//! Levels, mappings and products as pages read them, and what several pages say of them.

use super::desk::{Desk, Listed, Site, segment};
use super::refused::{Fault, Refused, label};
use crate::core::policy::Policy;
use serde::Deserialize;

/// Levels that a page offers to choose from; of more, the oldest are typed.
const LEVELS_SHOWN_MAX: usize = 100;
/// Levels that a page calls by their names: as many as the API answers at once.
const LEVELS_NAMED_MAX: usize = 500;

/// What is said of a level that is to be made, and is there.
pub const LEVEL_TAKEN: &str = "There is a level with this name already. Choose it from the list.";
/// The same where only its id is there: a level that was renamed has kept it.
const ID_TAKEN: &str = "Another level has the id that this name would get. Choose another name.";
/// What is said of a mapping that one form asks for twice.
const ASKED_TWICE: &str = "This form asks for the same mapping twice: the product stands in another place of it as well, \
     with the same level, price point and dates. Take one of the two away.";
/// What is said of a mapping that is there.
const IS_THERE: &str = "There is a mapping already that gives this level for the same product, price point and dates. \
     Change that one.";

/// A level.
#[derive(Debug, Clone, Deserialize)]
pub struct Level {
    pub id: String,
    pub name: String,
    pub members: i64,
}

/// A mapping.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapping {
    pub id: String,
    pub product_id: String,
    pub price_point: Option<String>,
    pub level: String,
    pub enabled: bool,
    pub purchased_from: Option<String>,
    pub purchased_before: Option<String>,
    pub policy: Policy,
    pub version: i64,
}

/// A product.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the contract")]
pub struct Product {
    pub product_id: String,
    pub name: Option<String>,
    pub status: String,
    pub held: i64,
    pub oldest_held_at: Option<String>,
    pub purchases: i64,
    pub price_points: Vec<PricePoint>,
    pub mappings: Vec<Mapping>,
}

/// A price point of a product.
#[derive(Debug, Clone, Deserialize)]
pub struct PricePoint {
    pub price_point: Option<String>,
    pub purchases: i64,
}

/// A site with the policy that its mappings stand on.
#[derive(Debug, Clone, Deserialize)]
pub struct RuledSite {
    #[serde(flatten)]
    pub site: Site,
    pub policy: Policy,
    kartra_time_zone: String,
}

impl RuledSite {
    /// What is said beside the dates of a mapping.
    pub fn window_hint(&self) -> String {
        let empty = "Empty: whenever it was bought.";
        match self.kartra_time_zone.as_str() {
            "UTC" => empty.to_owned(),
            zone => format!("{empty} Kartra's own dates are in {zone}; here they are in UTC."),
        }
    }
}

/// The levels of a site, for choosing one.
#[derive(Debug, Clone)]
pub struct Levels {
    /// Those that are shown.
    pub items: Vec<Level>,
    /// Whether there are more.
    pub more: bool,
}

impl Levels {
    /// Those to choose from beside many other things, newest first.
    pub async fn of(desk: &Desk, site_id: &str) -> Result<Self, Refused> {
        Self::newest(desk, site_id, LEVELS_SHOWN_MAX).await
    }

    /// All that are called by their names, by those.
    pub async fn all(desk: &Desk, site_id: &str) -> Result<Self, Refused> {
        let mut levels = Self::newest(desk, site_id, LEVELS_NAMED_MAX).await?;
        levels.items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(levels)
    }

    async fn newest(desk: &Desk, site_id: &str, limit: usize) -> Result<Self, Refused> {
        let path = format!("/sites/{}/levels?limit={limit}", segment(site_id));
        let listed: Listed<Level> = desk.get(&path).await?;
        Ok(Self { items: listed.items, more: listed.next_cursor.is_some() })
    }

    /// What people call a level; its id where that is not known.
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.items.iter().find(|level| level.id == id).map_or(id, |level| &level.name)
    }

    /// The level that people call so already; a name in other capitals is the same to whoever reads it.
    pub fn named(&self, name: &str) -> Option<&Level> {
        let name = name.trim().to_lowercase();
        self.items.iter().find(|level| level.name.trim().to_lowercase() == name)
    }

    /// Whether a level is among those that are shown.
    pub fn has(&self, id: &str) -> bool {
        self.items.iter().any(|level| level.id == id)
    }
}

impl Mapping {
    /// Whether it is only for purchases that were made between some instants.
    pub fn has_window(&self) -> bool {
        self.purchased_from.is_some() || self.purchased_before.is_some()
    }

    /// What it sets of the policy, in words.
    pub fn policy_in_words(&self) -> Vec<String> {
        super::policy::in_words(&self.policy)
    }
}

impl Product {
    /// What people call it.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.product_id)
    }
}

/// An id for a level that somebody named: the letters and digits of its name, as a slug.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.trim().chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.chars().take(60).collect();
    let slug = slug.trim_end_matches('-');
    if !slug.is_empty() || name.trim().is_empty() {
        return slug.to_owned();
    }
    // A name in another script: the same name has the same id, and another name hardly ever has it.
    let hash = name
        .trim()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("level-{hash:08x}")
}

/// An instant as a field of a form holds it: without its zone, which is UTC.
pub fn in_field(at: Option<&str>) -> String {
    at.map(|at| at.trim_end_matches('Z').to_owned()).unwrap_or_default()
}

/// An instant as the API takes it, of what a field holds; `None` where it holds nothing.
pub fn from_field(text: &str) -> Option<String> {
    let text = text.trim().replace(' ', "T");
    match text.len() {
        0 => None,
        10 => Some(format!("{text}T00:00:00Z")),
        16 => Some(format!("{text}:00Z")),
        _ if text.ends_with('Z') => Some(text),
        _ => Some(format!("{text}Z")),
    }
}

/// What was wrong with the changes of a plan, each with the part of the form that it came from.
#[derive(Debug, Default)]
pub struct Faults(Vec<(String, Fault)>);

impl Faults {
    /// Notes one more.
    pub fn note(&mut self, origin: &str, pointer: &str, detail: &str) {
        let fault = Fault { pointer: pointer.to_owned(), detail: detail.to_owned() };
        self.0.push((origin.to_owned(), fault));
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is said of them at the top of a page, where each stands at its place: which fields those are. Empty where
    /// nothing is wrong.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut fields: Vec<String> = Vec::new();
        for (_, fault) in &self.0 {
            // The forms of products and mappings ask for a level by what their product gives.
            let field = match fault.pointer.as_str() {
                "/level" => "“Gives”".to_owned(),
                pointer => format!("“{}”", label(pointer)),
            };
            if field != "“”" && !fields.contains(&field) {
                fields.push(field);
            }
        }
        let which =
            if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
        format!(
            "Nothing was saved or changed: something in the form has to be put right. What it is stands beside its field{which}."
        )
    }

    /// Those that the API found: `origins` says where each change came from.
    pub fn of(refused: &Refused, origins: &[String]) -> Self {
        let mut faults = Self::default();
        for fault in &refused.errors {
            let place = fault.pointer.strip_prefix("/changes/");
            let (index, rest) = place.map_or(("", ""), |place| match place.find('/') {
                Some(at) => place.split_at(at),
                None => (place, ""),
            });
            let origin = index.parse::<usize>().ok().and_then(|index| origins.get(index));
            let (rest, detail) = match rest.strip_prefix("/mapping").unwrap_or(rest) {
                "/level/id" => ("/level/id", ID_TAKEN),
                "/purchased_before" if fault.detail.starts_with("must be later") => {
                    ("/purchased_before", "It has to be later than “Bought on or after (UTC)”.")
                }
                // The same mapping is there, or asked for, already: it is told at a field, so that one finds it.
                "" if fault.detail.starts_with("Another change of this plan") => {
                    ("/level", ASKED_TWICE)
                }
                "" if fault.detail.contains("has the same product") => ("/level", IS_THERE),
                rest => (rest, fault.detail.as_str()),
            };
            faults.note(origin.map_or("", String::as_str), rest, detail);
        }
        if refused.errors.is_empty() {
            faults.note("", "", &refused.detail);
        }
        faults
    }

    /// What is wrong at a place of a part of the form; empty where nothing is.
    pub fn at(&self, origin: &str, pointer: &str) -> &str {
        let found = self.0.iter().find(|(from, fault)| from == origin && fault.pointer == pointer);
        found.map_or("", |(_, fault)| &fault.detail)
    }

    /// All that is wrong with a part of the form.
    pub fn all_of(&self, origin: &str) -> Vec<Fault> {
        let mine = self.0.iter().filter(|(from, _)| from == origin);
        mine.map(|(_, fault)| fault.clone()).collect()
    }

    /// The same in one text; empty where nothing is.
    pub fn text_of(&self, origin: &str) -> String {
        let details: Vec<String> =
            self.all_of(origin).into_iter().map(|fault| said(&fault)).collect();
        details.join(" ")
    }
}

/// A fault as a sentence of its own, wherever it stands.
fn said(fault: &Fault) -> String {
    let about = match fault.pointer.as_str() {
        "/price_point" => "The price point ",
        "/product_id" => "The product ",
        "/level/name" => "The name of the level ",
        "/purchased_before" => "The end of the dates ",
        "/purchased_from" => "The beginning of the dates ",
        _ => "",
    };
    if about.is_empty() || !fault.detail.starts_with("must") {
        return fault.detail.clone();
    }
    format!("{about}{}.", fault.detail.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_an_id() {
        for (name, id) in [
            ("Gold", "gold"),
            ("  Meal Plans – 2026! ", "meal-plans-2026"),
            ("Été", "t"),
            ("---", "level-3a9ac3d2"),
            ("", ""),
        ] {
            let found = slug_of(name);
            if id.starts_with("level-") {
                assert!(found.starts_with("level-") && found.len() == id.len(), "{found}");
            } else {
                assert_eq!(found, id);
            }
        }
        assert_eq!(slug_of("Золото"), slug_of(" Золото "));
        assert_ne!(slug_of("Золото"), slug_of("Серебро"));
    }

    #[test]
    fn an_instant_goes_through_a_field_unchanged() {
        for at in ["2026-01-01T00:00:00Z", "2026-01-01T12:30:15.000001Z"] {
            assert_eq!(from_field(&in_field(Some(at))).as_deref(), Some(at));
        }
        assert_eq!(from_field("2026-01-01T09:30").as_deref(), Some("2026-01-01T09:30:00Z"));
        assert_eq!(from_field("2026-01-01").as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(from_field(" "), None);
    }
}
