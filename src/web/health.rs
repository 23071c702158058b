//! `/livez` and `/readyz`.

use super::problem::Problem;
use crate::app::App;
use actix_web::{HttpResponse, web};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the answer of one probe serves everybody who asks.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What the latest probe found.
#[derive(Default)]
pub struct Probe(Mutex<Option<(Instant, bool)>>);

impl Probe {
    fn recent(&self) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|(at, _)| at.elapsed() < PROBE_EVERY).map(|(_, ready)| ready)
    }

    fn note(&self, ready: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), ready));
    }
}

/// The process runs.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// A commit reaches the disk; asked at most once a second.
pub async fn readyz(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let ready = if let Some(ready) = app.probe().recent() {
        ready
    } else {
        let probing = app.blocking(|app| {
            let now = app.clock().now();
            Ok(app.store().write(|conn| crate::store::keys::probe(conn, now))?)
        });
        let ready = probing.await.is_ok();
        app.probe().note(ready);
        ready
    };
    if !ready {
        return Err(Problem::unavailable(
            "The database takes no commit: look at its disk and its log.",
        ));
    }
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}
