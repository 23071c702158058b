//! Which products stand on a page, and in which order.

use crate::console::desk::{Desk, Listed, query, segment};
use crate::console::plans::Plan;
use crate::console::refused::Refused;
use crate::console::rules::{Mapping, Product};
use serde::Deserialize;

/// Products on a page.
const ROWS: usize = 25;
/// Products of one plan that a page shows for whoever comes back from it: those of a page, and one that was added.
pub const PLANNED_MAX: usize = ROWS + 1;
/// Mappings of products that nobody has bought yet.
const AHEAD: &str = "ahead";
/// What is shown first, and what after it.
const ORDER: [&str; 4] = ["unmapped", "mapped", AHEAD, "ignored"];

/// What is asked for in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Asked {
    /// Only products with this status.
    #[serde(default)]
    pub status: String,
    /// Only products whose id or name has this part.
    #[serde(default)]
    pub q: String,
    /// Only products that the plan with this id is about, for whoever comes back from it.
    #[serde(default)]
    pub plan: String,
    /// The status that the page begins with.
    #[serde(default)]
    from: String,
    /// Where in it the page begins.
    #[serde(default)]
    cursor: String,
}

/// Where a page begins: with a status, and where in it.
pub struct Place {
    status: &'static str,
    cursor: Option<String>,
}

/// What a row is about.
pub enum Found {
    /// A product.
    Product(Product),
    /// A mapping of a product that nobody has bought yet.
    Ahead(Mapping),
}

/// A page of them.
pub struct Page {
    pub rows: Vec<Found>,
    pub next: Option<Place>,
}

impl Asked {
    /// Whether the page is the first of its list.
    pub fn is_first(&self) -> bool {
        self.from.is_empty() && self.cursor.is_empty()
    }

    /// The address of the list, from its beginning.
    pub fn first(&self) -> String {
        self.query("", "")
    }

    /// The address of this very page.
    pub fn here(&self) -> String {
        self.query(&self.from, &self.cursor)
    }

    /// The address of what follows.
    pub fn next(&self, home: &str, place: &Place) -> String {
        let cursor = place.cursor.as_deref().unwrap_or_default();
        format!("{home}{}", self.query(place.status, cursor))
    }

    fn query(&self, from: &str, cursor: &str) -> String {
        query(&[
            ("status", &self.status),
            ("q", self.q.trim()),
            ("plan", &self.plan),
            ("from", from),
            ("cursor", cursor),
        ])
    }
}

/// Asks for a page: what a plan is about, or status after status, until it is full.
pub async fn load(desk: &Desk, site_id: &str, asked: &Asked) -> Result<Page, Refused> {
    if !asked.plan.is_empty()
        && let Some(page) = of_plan(desk, site_id, &asked.plan).await?
    {
        return Ok(page);
    }
    let wanted = |status: &&&'static str| asked.status.is_empty() || asked.status == ***status;
    let order: Vec<&'static str> = ORDER.iter().filter(wanted).copied().collect();
    let begun = order.iter().position(|status| *status == asked.from).unwrap_or_default();
    let mut cursor = Some(asked.cursor.clone()).filter(|cursor| !cursor.is_empty());
    let mut rows = Vec::new();
    for status in order.into_iter().skip(begun) {
        let room = ROWS - rows.len();
        // Of a full page it only has to be known whether anything follows.
        let listed = part(desk, site_id, asked, status, room.max(1), cursor.take()).await?;
        if room == 0 && !listed.items.is_empty() {
            return Ok(Page { rows, next: Some(Place { status, cursor: None }) });
        }
        rows.extend(listed.items);
        if listed.next_cursor.is_some() {
            return Ok(Page { rows, next: Some(Place { status, cursor: listed.next_cursor }) });
        }
    }
    Ok(Page { rows, next: None })
}

/// What a plan is about; `None` where it is not kept any more.
async fn of_plan(desk: &Desk, site_id: &str, id: &str) -> Result<Option<Page>, Refused> {
    let site = format!("/sites/{}", segment(site_id));
    let plan: Plan = match desk.get(&format!("{site}/plans/{}", segment(id))).await {
        Ok(plan) => plan,
        Err(refused) if refused.is_not_found() => return Ok(None),
        Err(refused) => return Err(refused),
    };
    let mut rows = Vec::new();
    for product_id in plan.product_ids().into_iter().take(PLANNED_MAX) {
        match desk.get::<Product>(&format!("{site}/products/{}", segment(product_id))).await {
            Ok(product) => rows.push(Found::Product(product)),
            Err(refused) if refused.is_not_found() => {
                let wanted = query(&[("seen", "false"), ("product_id", product_id)]);
                let path = format!("{site}/mappings{wanted}");
                let listed: Listed<Mapping> = desk.get(&path).await?;
                rows.extend(listed.items.into_iter().map(Found::Ahead));
            }
            Err(refused) => return Err(refused),
        }
    }
    Ok(Some(Page { rows, next: None }))
}

async fn part(
    desk: &Desk,
    site_id: &str,
    asked: &Asked,
    status: &'static str,
    limit: usize,
    cursor: Option<String>,
) -> Result<Listed<Found>, Refused> {
    let site = segment(site_id);
    let (limit, cursor) = (limit.to_string(), cursor.unwrap_or_default());
    let (limit, cursor, q) = (("limit", &*limit), ("cursor", &*cursor), asked.q.trim());
    if status == AHEAD {
        let wanted = query(&[("seen", "false"), limit, cursor, ("product_id", q)]);
        let listed: Listed<Mapping> = desk.get(&format!("/sites/{site}/mappings{wanted}")).await?;
        let items = listed.items.into_iter().map(Found::Ahead).collect();
        return Ok(Listed { items, next_cursor: listed.next_cursor });
    }
    let wanted = query(&[("status", status), limit, cursor, ("q", q)]);
    let listed: Listed<Product> = desk.get(&format!("/sites/{site}/products{wanted}")).await?;
    let items = listed.items.into_iter().map(Found::Product).collect();
    Ok(Listed { items, next_cursor: listed.next_cursor })
}
