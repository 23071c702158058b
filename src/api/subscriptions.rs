//! Subscriptions whose payment has not come: listed, never cut.

use crate::app::App;
use crate::core::Instant;
use crate::core::purchase::Status;
use crate::store::alarm_settings;
use crate::store::dues::{self, Overdue};
use crate::web::answer;
use crate::web::auth::{Auth, Read};
use crate::web::extract::{self, Listing, Query};
use crate::web::problem::Problem;
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

/// A subscription whose payment has not come, as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverdueSubscription")]
pub(super) struct OverdueView {
    /// The purchase, as grants name it.
    purchase: String,
    /// The address of whoever it belongs to; null while none is known.
    email: Option<String>,
    /// The product that it is of now.
    product_id: String,
    /// The price point; null where none is known.
    price_point: Option<String>,
    /// Where it stands.
    status: Status,
    /// When it was paid last.
    last_payment_at: Option<Instant>,
    /// When a payment was expected; after one that failed, when Kartra stops trying.
    due_since: Instant,
}

impl From<Overdue> for OverdueView {
    fn from(overdue: Overdue) -> Self {
        let purchase = overdue.purchase;
        Self {
            purchase: purchase.id.0,
            email: overdue.email,
            product_id: purchase.product_id,
            price_point: purchase.price_point,
            status: purchase.status,
            last_payment_at: overdue.paid_at,
            due_since: overdue.due_at,
        }
    }
}

/// `GET /sites/{site}/subscriptions/overdue`
pub async fn overdue(
    app: web::Data<App>,
    _: Auth<Read>,
    site: web::Path<String>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(2)?;
    let (asked, before) = (page.asked(), page.after_instant()?);
    let found = app.blocking(move |app| {
        app.look(&site, |conn, bench| {
            let site_id = &bench.site.id;
            let thresholds = alarm_settings::get(conn, site_id)?.thresholds;
            let by = thresholds.overdue_since(bench.at);
            let found = dues::overdue(conn, site_id, by, before, asked)?;
            Ok(found.into_iter().map(OverdueView::from).collect::<Vec<_>>())
        })
    });
    Ok(answer::page(&page, found.await?, |overdue| {
        extract::instant_key(overdue.due_since.naive_utc(), &overdue.purchase)
    }))
}
