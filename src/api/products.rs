//! Products: they appear by themselves; operators map or ignore them.

use super::mappings::MappingView;
use super::recomputes::{is_finished, work};
use super::views::RecomputeView;
use crate::app::App;
use crate::core::Instant;
use crate::flow::edits::rules_moved;
use crate::flow::recompute::{Scope, ask};
use crate::flow::settle::{Bench, Cause, RuleBook};
use crate::store::conn::Conn;
use crate::store::plans::Moved;
use crate::store::products::{self, Product};
use crate::store::{Result as Stored, product_counts, purchases};
use crate::web::answer::{self, IfMatch, Resource};
use crate::web::auth::{Auth, Manage, Read};
use crate::web::extract::{self, Json, Nothing, Page, Query};
use crate::web::problem::Problem;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

/// How many products are looked through for one page, when few of them may have the part that is asked for.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// How many of them are read at once.
const LOOKED_THROUGH_AT_ONCE: usize = 1_000;

/// A product as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Product")]
pub(super) struct ProductView {
    /// Kartra's product id.
    product_id: String,
    /// The name that Kartra gives it; null where none was sent.
    name: Option<String>,
    /// Whether operators have decided about it.
    status: Status,
    /// How many purchases are held: they would be live, and no mapping names them.
    held: i64,
    /// Since when the oldest of them waits; null where none is held.
    oldest_held_at: Option<Instant>,
    /// How many purchases there are.
    purchases: i64,
    /// Its price points, as far as purchases name them.
    price_points: Vec<PricePoint>,
    /// The mappings that name it, oldest first.
    mappings: Vec<MappingView>,
    /// When a money event first named it.
    first_seen_at: Instant,
    /// When a money event last named it.
    last_seen_at: Instant,
}

impl Resource for ProductView {
    fn decided(&self) -> Option<Value> {
        Some(json!([self.product_id, self.status == Status::Ignored]))
    }
}

/// A price point of a product.
#[derive(Debug, Serialize, JsonSchema)]
struct PricePoint {
    /// Kartra's name for it; null for purchases that name none.
    price_point: Option<String>,
    /// How many purchases name it.
    purchases: i64,
}

/// Whether operators have decided about a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ProductStatus")]
enum Status {
    /// No mapping names it.
    Unmapped,
    /// A mapping names it.
    Mapped,
    /// An operator ignores it: it holds nothing.
    Ignored,
}

impl From<products::Status> for Status {
    fn from(status: products::Status) -> Self {
        match status {
            products::Status::Unmapped => Self::Unmapped,
            products::Status::Mapped => Self::Mapped,
            products::Status::Ignored => Self::Ignored,
        }
    }
}

impl From<Status> for products::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Unmapped => Self::Unmapped,
            Status::Mapped => Self::Mapped,
            Status::Ignored => Self::Ignored,
        }
    }
}

fn mapped(book: &RuleBook, product_id: &str) -> Vec<MappingView> {
    book.mappings.of_product(product_id).cloned().map(MappingView::from).collect()
}

fn views(conn: &mut Conn, bench: &Bench, products: Vec<Product>) -> Stored<Vec<ProductView>> {
    let site_id = &bench.site.id;
    let ids: Vec<String> = products.iter().map(|product| product.product_id.clone()).collect();
    let counts = product_counts::of_products(conn, site_id, &ids)?;
    let held: HashMap<String, (i64, Option<Instant>)> =
        purchases::held_by_product(conn, site_id, &ids, bench.at)?
            .into_iter()
            .map(|(id, held, oldest)| (id, (held, oldest)))
            .collect();
    let mut by_price_point: HashMap<String, Vec<PricePoint>> = HashMap::new();
    for count in product_counts::of_price_points(conn, site_id, &ids)? {
        let point = PricePoint { price_point: count.price_point, purchases: count.purchases };
        by_price_point.entry(count.product_id).or_default().push(point);
    }
    let view = |product: Product| {
        let (held, oldest_held_at) = held.get(&product.product_id).copied().unwrap_or_default();
        ProductView {
            status: product.status().into(),
            mappings: mapped(&bench.book, &product.product_id),
            held,
            oldest_held_at,
            purchases: counts.get(&product.product_id).copied().unwrap_or_default(),
            price_points: by_price_point.remove(&product.product_id).unwrap_or_default(),
            first_seen_at: product.first_seen_at.and_utc(),
            last_seen_at: product.last_seen_at.and_utc(),
            name: product.name,
            product_id: product.product_id,
        }
    };
    Ok(products.into_iter().map(view).collect())
}

fn existing(conn: &mut Conn, bench: &Bench, id: &str) -> Result<ProductView, Problem> {
    let product = products::with_ids(conn, &bench.site.id, &[id.to_owned()])?;
    views(conn, bench, product)?.pop().ok_or_else(|| Problem::not_found("product"))
}

/// Which products are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only products with this status.
    status: Option<Status>,
    /// Only products whose id or name has this part; the whole id of a product finds that product alone. A page may be
    /// short, or empty, before the last where few of very many products have it.
    q: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /sites/{site}/products`
pub async fn list(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<List>,
) -> Result<HttpResponse, Problem> {
    let List { status, q, limit, cursor } = query.0;
    let page = Page::of(limit, cursor.as_deref(), 2)?;
    let before = page.after_instant()?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let part = q.unwrap_or_default().trim().to_owned();
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let (found, last) = matching(conn, &bench.site.id, status, &part, before, limit)?;
            Ok((views(conn, bench, found)?, last))
        })
    });
    let (items, last) = found.await?;
    let next = last.map(|(at, id)| extract::instant_key(at, &id));
    Ok(answer::items_until(&items, next.as_deref()))
}

/// Where a product stands in the list.
type Place = (NaiveDateTime, String);

fn place(product: &Product) -> Place {
    (product.first_seen_at, product.product_id.clone())
}

/// Whether the id or the name of a product has a part, which is written in lower case.
fn names(product: &Product, part: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(part);
    has(&product.product_id) || product.name.as_deref().is_some_and(has)
}

/// A page of the products with a status whose name or id has a part, and where the last stands that was looked at, where
/// more follow. They are looked through, many at once; the page is short where few of the many that were looked at have
/// it. One whose whole id it is, is found alone and without a look at any other.
fn matching(
    conn: &mut Conn,
    site_id: &str,
    status: Option<Status>,
    part: &str,
    mut before: Option<Place>,
    limit: usize,
) -> Stored<(Vec<Product>, Option<Place>)> {
    let whole = if part.is_empty() {
        Vec::new()
    } else {
        products::with_ids(conn, site_id, &[part.to_owned()])?
    };
    if !whole.is_empty() {
        let is_asked_for =
            |product: &Product| status.is_none_or(|status| status == product.status().into());
        let first = before.is_none();
        let found = whole.into_iter().filter(|product| first && is_asked_for(product)).collect();
        return Ok((found, None));
    }
    let part = &part.to_lowercase();
    // One more than the page shows tells whether there is a next page.
    let at_once = if part.is_empty() { limit + 1 } else { LOOKED_THROUGH_AT_ONCE };
    let rows = i64::try_from(at_once).unwrap_or(i64::MAX);
    let (mut found, mut looked_through) = (Vec::new(), 0);
    loop {
        let batch = products::list(conn, site_id, status.map(Status::into), before, rows)?;
        let is_last = batch.len() < at_once;
        looked_through += batch.len();
        before = batch.last().map(place);
        found.extend(batch.into_iter().filter(|product| names(product, part)));
        if found.len() > limit {
            found.truncate(limit);
            let last = found.last().map(place);
            return Ok((found, last));
        }
        if is_last {
            return Ok((found, None));
        }
        if looked_through >= LOOKED_THROUGH_MAX {
            return Ok((found, before));
        }
    }
}

/// `GET /sites/{site}/products/{product}`
pub async fn get(
    app: web::Data<App>,
    _: Auth<Read>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let found = app.blocking(move |app| app.look(&site, |conn, bench| existing(conn, bench, &id)));
    Ok(answer::thing(&request, &found.await?))
}

/// What shall change about a product.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditProduct")]
pub struct Edit {
    /// Whether to ignore it: an ignored product holds nothing.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "bool")]
    ignored: Option<bool>,
}

/// A product with what its change has to compute again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EditedProduct")]
pub(super) struct Edited {
    #[serde(flatten)]
    product: ProductView,
    /// How far the recompute got; absent where there is nothing to compute again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recompute: Option<RecomputeView>,
}

/// `PATCH /sites/{site}/products/{product}`
pub async fn edit(
    app: web::Data<App>,
    _: Auth<Manage>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: Json<Edit>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let if_match = IfMatch::of(&request);
    let edited = app.blocking(move |app| {
        let asked = app.change(&site, |conn, bench| {
            let before = existing(conn, bench, &id)?;
            if_match.check(&before)?;
            let is_ignored = before.status == Status::Ignored;
            let ignored = body.0.ignored.unwrap_or(is_ignored);
            let enabled = bench.book.mappings.of_product(&id).any(|mapping| mapping.enabled);
            if ignored && enabled {
                let detail = "The product has an enabled mapping. Disable or delete it before ignoring the product.";
                return Err(Problem::conflict(detail));
            }
            if ignored == is_ignored {
                return Ok(None);
            }
            products::decide(conn, &site, &id, ignored)?;
            rules_moved(conn, bench, &[Moved::new("product", &id)])?;
            let scope = Scope { product_id: Some(id.clone()), reread_dates: false };
            let cause = Cause::new("mapping", id.clone());
            Ok(Some(ask(conn, bench, &scope, &cause)?))
        })?;
        let recompute = asked.map(|asked| work(app, &asked)).transpose()?;
        let product = app.look(&site, |conn, bench| existing(conn, bench, &id))?;
        Ok(Edited { product, recompute })
    });
    let edited = edited.await?;
    if edited.recompute.as_ref().is_none_or(is_finished) {
        return Ok(HttpResponse::Ok()
            .insert_header(("ETag", answer::etag(&edited.product)))
            .json(&edited));
    }
    Ok(HttpResponse::Accepted().json(&edited))
}
