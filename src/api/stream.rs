//! The feed as Server-Sent Events: what has been recorded, then what is being recorded, until either
//! side has had enough. Whoever comes back with `Last-Event-ID` misses nothing and gets nothing twice.

use super::changes::{ChangeView, read};
use crate::app::App;
use crate::web::auth::{Auth, Caller, Key, Read};
use crate::web::extract::Position;
use crate::web::problem::Problem;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::unfold;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// How many streams one process serves.
pub const STREAMS_MAX: usize = 1_000;
/// Changes that are sent at once.
const BATCH_CHANGES_MAX: i64 = 100;
/// How long until a stream looks by itself: whether its key is still good, and what another process
/// has recorded, where that is not heard.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Room for streams, one process over.
pub type Room = Arc<Semaphore>;

/// Whether a request wants the feed to go on.
pub fn is_asked_for(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        accept.split(',').any(|kind| kind.trim().starts_with("text/event-stream"))
    })
}

/// Opens a stream after a position; what the reader says to have had last goes before it.
pub async fn open(
    app: &App,
    auth: Auth<Read>,
    request: &HttpRequest,
    site: String,
    after: Option<i64>,
) -> Result<HttpResponse, Problem> {
    let last = request.headers().get("last-event-id").map(|value| {
        let id = value.to_str().ok().and_then(|id| id.trim().parse().ok());
        id.ok_or_else(|| Problem::malformed("Last-Event-ID must be the id of a change."))
    });
    let after = last.transpose()?.map(|Position(last)| last).or(after);
    let room = Arc::clone(app.streams()).try_acquire_owned().map_err(|_| {
        Problem::unavailable("Too many feeds are being read. Come back in a moment.")
    })?;
    let reader = Reader {
        app: app.clone(),
        key: Key::of(request)?,
        caller: auth.caller,
        site,
        after,
        moved: app.flow().feeds(),
        closing: app.closing(),
        last_sent: Instant::now(),
        _room: room,
    };
    // The first look tells whether there is anything to read from at all.
    let first = reader.look().await?;
    let lines = unfold((reader, Some(first)), |(mut reader, first)| async move {
        let sent = match first {
            Some(first) => reader.said(&first),
            None => reader.next().await?,
        };
        Some((Ok::<_, actix_web::Error>(sent), (reader, None)))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(lines))
}

/// One reader of a feed.
struct Reader {
    app: App,
    key: Key,
    caller: Arc<Caller>,
    site: String,
    after: Option<i64>,
    moved: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    last_sent: Instant,
    _room: OwnedSemaphorePermit,
}

impl Reader {
    /// What to send next; `None` when the stream ends: the process stops, the key or the site is
    /// gone, or the feed cannot be read.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.moved.mark_unchanged();
            if *self.closing.borrow() || !self.is_still_admitted().await {
                return None;
            }
            let found = self.look().await.ok()?;
            if !found.is_empty() {
                return Some(self.said(&found));
            }
            if self.last_sent.elapsed() >= self.app.heartbeat() {
                self.last_sent = Instant::now();
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            tokio::select! {
                // Whether it moved or not, it is looked again.
                _ = timeout(self.app.stream_looks_every(), self.moved.changed()) => {}
                _ = self.closing.changed() => return None,
            }
        }
    }

    async fn look(&self) -> Result<Vec<ChangeView>, Problem> {
        let (site, after) = (self.site.clone(), self.after);
        let look = move |app: &App| {
            app.look(&site, |conn, bench| read(conn, &bench.site, after, BATCH_CHANGES_MAX))
        };
        self.app.blocking(look).await
    }

    /// Whether the key would still open the site.
    async fn is_still_admitted(&self) -> bool {
        let caller = self.key.caller(&self.app).await;
        caller.is_ok_and(|caller| caller == self.caller)
    }

    /// Changes as events; the first answer may have none, and tells so that the stream is open.
    fn said(&mut self, found: &[ChangeView]) -> Bytes {
        self.after = found.last().map(|change| change.id).or(self.after);
        self.last_sent = Instant::now();
        if found.is_empty() {
            return Bytes::from_static(b": open\n\n");
        }
        let event = |change: &ChangeView| {
            let data = serde_json::to_string(change).unwrap_or_default();
            format!("id: {}\nevent: change\ndata: {data}\n\n", change.id)
        };
        Bytes::from(found.iter().map(event).collect::<String>())
    }
}
