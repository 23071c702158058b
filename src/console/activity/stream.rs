//! What tells a page that a webhook came: Server-Sent Events that say nothing but that there is news. The page
//! then asks for itself again.

use crate::console::desk::{Desk, Listed, segment};
use crate::console::refused::Refused;
use crate::web::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use futures_util::stream::unfold;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

/// The newest webhook of a site, as far as a list shows it.
#[derive(PartialEq, Eq, Deserialize)]
struct Newest {
    id: String,
    status: String,
    changes: i64,
}

/// `GET /sites/{site}/activity/stream`
pub async fn open(desk: Desk, site: web::Path<String>) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    // The room is the one of the feeds: a stream is a stream.
    let room = Arc::clone(desk.app().streams()).try_acquire_owned().map_err(|_| {
        Problem::unavailable("Too many pages are being kept up to date. Reload this one by hand.")
    })?;
    let mut watcher = Watcher {
        path: format!("/sites/{}/webhooks?limit=1", segment(&site.id)),
        seen: None,
        closing: desk.app().closing(),
        last_sent: Instant::now(),
        desk,
        _room: room,
    };
    watcher.seen = watcher.look().await?;
    let lines = unfold((watcher, true), |(mut watcher, is_first)| async move {
        let sent =
            if is_first { Bytes::from_static(b": open\n\n") } else { watcher.next().await? };
        Some((Ok::<_, actix_web::Error>(sent), (watcher, false)))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("X-Accel-Buffering", "no"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(lines))
}

/// One page that is kept up to date.
struct Watcher {
    desk: Desk,
    path: String,
    seen: Option<Newest>,
    closing: watch::Receiver<bool>,
    last_sent: Instant,
    _room: OwnedSemaphorePermit,
}

impl Watcher {
    /// What to send next; `None` when the stream ends: the program stops, the session is over, or the site is gone.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let pause = self.desk.app().stream_looks_every();
            if timeout(pause, self.closing.changed()).await.is_ok() || *self.closing.borrow() {
                return None;
            }
            if !self.desk.session().is_live(self.desk.app()).await {
                return None;
            }
            let newest = self.look().await.ok()?;
            if newest != self.seen {
                self.seen = newest;
                self.last_sent = Instant::now();
                let id = self.seen.as_ref().map_or("", |newest| &newest.id);
                return Some(Bytes::from(format!("id: {id}\ndata: news\n\n")));
            }
            if self.last_sent.elapsed() >= self.desk.app().heartbeat() {
                self.last_sent = Instant::now();
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    async fn look(&self) -> Result<Option<Newest>, Refused> {
        let found: Listed<Newest> = self.desk.get(&self.path).await?;
        Ok(found.items.into_iter().next())
    }
}
