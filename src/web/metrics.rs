//! `/metrics`, for Prometheus.

use super::auth::{Auth, Read};
use super::problem::Problem;
use crate::app::App;
use crate::core::Instant;
use crate::core::push::Status;
use crate::metrics::standing::Standing;
use crate::store::StoreError;
use crate::store::alarms::open_kinds;
use crate::store::destinations::{self, State};
use crate::store::standing::{self, of_all_sites};
use actix_web::{HttpResponse, web};
use chrono::TimeDelta;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long the answer of one look into the database serves everybody who asks.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(5);
/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a look into the database found; `None` where it could not be asked.
type Found = Option<Arc<[Standing]>>;

/// The kinds of open alarms, and how destinations stand, site by site.
type Open = (Vec<(String, String)>, Vec<(String, State, i64)>);

/// The latest look into the database, and when it was.
#[derive(Default)]
pub struct Looked(Mutex<Option<(Instant, Found)>>);

/// `GET /metrics` on the main address: it tells of every site, so a key of one site is not enough.
pub async fn with_key(app: web::Data<App>, auth: Auth<Read>) -> Result<HttpResponse, Problem> {
    if auth.caller.site_id.is_some() {
        return Err(Problem::forbidden("Use a key that is not bound to a site."));
    }
    without_key(app).await
}

/// `GET /metrics` on an address of its own.
pub async fn without_key(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    // Whoever comes while another looks waits for what they find: scraping more often costs the
    // database nothing.
    let mut looked = app.looked().0.lock().await;
    let now = app.clock().now();
    let fresh = |at: Instant| now >= at && now - at < LOOK_EVERY;
    let found = match &*looked {
        Some((at, found)) if fresh(*at) => found.clone(),
        _ => {
            let read = |conn: &mut _| {
                let open = (open_kinds(conn)?, destinations::standings(conn)?);
                Ok::<_, StoreError>((of_all_sites(conn)?, open))
            };
            let found = app.blocking(move |app| Ok(app.store().read(read)?)).await.ok();
            let found: Found = found.map(|(sites, open)| {
                sites.into_iter().map(|site| shown(site, &open, now)).collect()
            });
            *looked = Some((now, found.clone()));
            found
        }
    };
    let text = app.metrics().text(found.as_deref()).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Problem::internal()
    })?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(text))
}

fn shown(site: standing::Standing, (alarms, destinations): &Open, now: Instant) -> Standing {
    let open = alarms.iter().filter(|(site_id, _)| *site_id == site.site_id);
    let in_state = |state: State| {
        let of = |(site_id, in_state, _): &&(String, State, i64)| {
            *site_id == site.site_id && *in_state == state
        };
        (state.as_str(), destinations.iter().find(of).map_or(0, |(_, _, count)| *count))
    };
    Standing {
        alarms: open.map(|(_, kind)| kind.clone()).collect(),
        pending: site.pending,
        oldest_pending_seconds: site.late(site.waiting_since(), now),
        timers_late_seconds: site.late(site.next_end_at, now),
        webhooks: vec![
            ("held", site.held),
            ("unmatched", site.unmatched),
            ("unreadable", site.unreadable),
            ("rejected", site.rejected),
            ("failed", site.failed),
        ],
        held_open: site.held_open,
        pushes: vec![
            (Status::Pending.as_str(), site.pushes_pending),
            (Status::Retrying.as_str(), site.pushes_retrying),
            (Status::Failed.as_str(), site.pushes_failed),
        ],
        destinations: State::ALL.map(in_state).to_vec(),
        site_id: site.site_id,
    }
}
