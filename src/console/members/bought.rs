//! The products that a person has bought, by their names, and which of them are unmapped.

use crate::console::desk::{Desk, query, segment};
use crate::console::refused::Refused;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many products are asked for their names; of more, the rest are called by their ids.
const NAMED_MAX: usize = 10;

/// What was bought, as the API says it.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purchase {
    pub product_id: String,
    pub price_point: Option<String>,
}

/// A product, as far as it matters here.
#[derive(Deserialize)]
struct Product {
    name: Option<String>,
}

/// The names of products.
pub struct Products(BTreeMap<String, String>);

/// What is unmapped, so that purchases of it are held.
pub struct Unmapped {
    /// What is the matter, in a sentence.
    pub says: String,
    /// Where it is mapped, below the pages of the site.
    pub path: String,
}

impl Products {
    /// Asks for the names of some products; of many, for those that come first.
    pub async fn of<'a>(
        desk: &Desk,
        site_id: &str,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Self, Refused> {
        let mut asked: Vec<&str> = Vec::new();
        for id in ids {
            if asked.len() < NAMED_MAX && !asked.contains(&id) {
                asked.push(id);
            }
        }
        let mut names = BTreeMap::new();
        for id in asked {
            let path = format!("/sites/{}/products/{}", segment(site_id), segment(id));
            match desk.get::<Product>(&path).await {
                Ok(product) => names.extend(product.name.map(|name| (id.to_owned(), name))),
                Err(refused) if refused.is_not_found() => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(Self(names))
    }

    /// What people call a product; empty where that is not known.
    pub fn name(&self, id: &str) -> &str {
        self.0.get(id).map_or("", String::as_str)
    }

    /// What of the held purchases is unmapped, each thing once.
    pub fn unmapped<'a>(&self, held: impl Iterator<Item = &'a Purchase>) -> Vec<Unmapped> {
        let held: BTreeSet<&Purchase> = held.collect();
        held.into_iter().map(|purchase| self.told(purchase)).collect()
    }

    /// A product by its name and its number.
    pub fn called(&self, id: &str) -> String {
        match self.name(id) {
            "" => format!("product {id}"),
            name => format!("{name} (product {id})"),
        }
    }

    fn told(&self, purchase: &Purchase) -> Unmapped {
        let id = &purchase.product_id;
        let product = match self.name(id) {
            "" => format!("Product {id}"),
            _ => self.called(id),
        };
        let point = purchase.price_point.as_ref().map(|point| format!(" at price point {point}"));
        let says = format!(
            "{product}{} is unmapped: nobody has said which level it gives. Until it is mapped, a purchase of it is \
             held: it waits for a mapping, and gives nothing.",
            point.unwrap_or_default()
        );
        Unmapped { says, path: path_of(id) }
    }
}

/// Where a product is mapped, below the pages of the site.
pub fn path_of(product_id: &str) -> String {
    format!("/products{}", query(&[("q", product_id)]))
}
