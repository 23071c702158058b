//! Rotating a webhook URL: the old one is taken for a while, so that nothing Kartra sends meanwhile
//! is lost.

use crate::app::App;
use crate::core::Instant;
use crate::first_start::{give_hook, webhook_url};
use crate::store::sites;
use crate::web::auth::{Admin, Auth};
use crate::web::extract::Optional;
use crate::web::problem::Problem;
use crate::web::shapes::Uri;
use actix_web::{HttpResponse, web};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long the old URL is taken when nothing else is asked for, in hours.
const OVERLAP_HOURS: i64 = 24;
/// How long the old URL may be taken, in hours: 30 days.
const OVERLAP_HOURS_MAX: i64 = 720;
/// How many URLs of a site may be taken at once.
const HOOKS_MAX: i64 = 10;

/// How a webhook URL is to be rotated.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotateWebhookUrl")]
pub struct Rotate {
    /// For how many hours the old URL is still taken.
    #[schemars(range(min = 0, max = OVERLAP_HOURS_MAX))]
    #[serde(default = "overlap_hours")]
    overlap_hours: i64,
}

fn overlap_hours() -> i64 {
    OVERLAP_HOURS
}

impl Default for Rotate {
    fn default() -> Self {
        Self { overlap_hours: overlap_hours() }
    }
}

/// The new webhook URL.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RotatedWebhookUrl")]
pub(super) struct Rotated {
    /// The URL to paste into Kartra from now on.
    #[schemars(with = "Uri")]
    webhook_url: String,
    /// When the old URL is taken no more.
    previous_ends_at: Instant,
}

/// `POST /sites/{site}/webhook-url/rotate`
pub async fn rotate(
    app: web::Data<App>,
    _: Auth<Admin>,
    site: web::Path<String>,
    body: Optional<Rotate>,
) -> Result<HttpResponse, Problem> {
    let hours = body.0.overlap_hours;
    if !(0..=OVERLAP_HOURS_MAX).contains(&hours) {
        let detail = format!("must be from 0 to {OVERLAP_HOURS_MAX}");
        return Err(Problem::invalid_at("/overlap_hours", detail));
    }
    let rotated = app.blocking(move |app| {
        let rotated = app.change(&site, |conn, bench| {
            if sites::count_hooks(conn, &site, bench.at)? >= HOOKS_MAX {
                let detail = "Too many earlier URLs are still taken. Wait until one has ended.";
                return Err(Problem::conflict(detail));
            }
            let ends_at = bench.at + TimeDelta::hours(hours);
            sites::end_hook(conn, &site, ends_at)?;
            give_hook(conn, app.sealer(), &site, bench.at)?;
            let webhook_url = webhook_url(conn, app.sealer(), app.base_url(), &site)?;
            Ok(Rotated { webhook_url, previous_ends_at: ends_at })
        });
        app.intake().forget_doors();
        rotated
    });
    Ok(HttpResponse::Ok().json(rotated.await?))
}
