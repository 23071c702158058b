//! The webhook route and the committer behind it.
//!
//! A request is capped, read, masked and put into a queue; one thread takes what has gathered there,
//! commits it in one transaction and answers each only after COMMIT has returned. There is no timer:
//! while one group commits, the next one gathers.
//!
//! Absences that tests check: nothing is answered 200 before its commit; no secret is stored in
//! clear; the queue never grows past its limit; no webhook keeps another from being stored.

use crate::app::App;
use crate::clock::Clock;
use crate::core::event::{Kind, Observation};
use crate::core::kartra::{Feed, mask_secret, read};
use crate::flow::process::{Judgement, expected_mac, ipn_purpose, judge};
use crate::flow::{Flow, Moved};
use crate::metrics::Refusal;
use crate::secrets;
use crate::store::daily_counts::{self, Count, Counts};
use crate::store::webhooks::{NewWebhook, Status};
use crate::store::{StoreError, observations, sites, webhooks};
use crate::web::extract::read_body;
use crate::web::lately::Lately;
use crate::web::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The largest webhook body, in bytes.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a site that was looked up is taken to be what it was: its new IPN secret counts within
/// this time in every process.
const DOOR_TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long a group that could not be committed is tried in parts: those who sent it wait.
const PARTS_TRIED_FOR: Duration = Duration::from_secs(10);

/// How much intake holds and commits at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Webhooks that wait for their commit.
    pub queue_rows_max: usize,
    /// Webhooks in one commit.
    pub batch_rows_max: usize,
    /// Bytes of bodies in one commit; one body is always taken.
    pub batch_bytes_max: usize,
    /// Seconds that a body may take to arrive.
    pub body_seconds_max: u64,
    /// Whether nothing is stored at all, which only a benchmark wants.
    pub discard: bool,
}

/// What intake has to know of a site.
#[derive(Debug, Clone)]
struct Door {
    site_id: String,
    /// When its token ends, after a rotation; `None` where no end is set.
    ends_at: Option<crate::core::Instant>,
    /// The MAC of the site's IPN secret; `None` where none is set.
    expected: Option<Vec<u8>>,
}

impl Door {
    fn is_open(&self, at: crate::core::Instant) -> bool {
        self.ends_at.is_none_or(|ends_at| ends_at > at)
    }
}

/// The way in.
pub struct Intake {
    clock: Clock,
    limits: Limits,
    queue: mpsc::Sender<Waiting>,
    /// The doors that were looked up lately, by the hash of their token.
    doors: Lately<Door>,
}

struct Waiting {
    row: NewWebhook,
    done: oneshot::Sender<bool>,
}

impl Intake {
    /// Starts the committer. It ends when the intake is dropped and the queue is empty.
    pub fn start(flow: &Arc<Flow>, limits: Limits) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, waiting) = mpsc::channel(limits.queue_rows_max);
        let clock = flow.clock().clone();
        let flow = Arc::clone(flow);
        let committer = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || commit_groups(&flow, waiting, limits))?;
        let intake = Self { clock, limits, queue, doors: Lately::trusted_for(DOOR_TRUSTED_FOR) };
        Ok((intake, committer))
    }

    /// Stores what an operator sends as a test, on the way of every webhook but set aside from the first: nothing
    /// applies it, and nobody takes it for a word of Kartra's. Answers its id, and how it reads.
    pub async fn store_test(
        &self,
        app: &App,
        site_id: &str,
        body: &[u8],
    ) -> Result<(String, Judgement), Problem> {
        let door = Door { site_id: site_id.to_owned(), ends_at: None, expected: None };
        let (row, judgement) = row(app, &door, body);
        let row = NewWebhook {
            feed: Feed::Test.as_str(),
            status: Status::Discarded.as_str(),
            reason: Some("a test purchase, which is never applied".to_owned()),
            next_attempt_at: None,
            vouched: None,
            said: None,
            ..row
        };
        let webhook_id = row.id.clone();
        self.store(app, row).await?;
        Ok((webhook_id, judgement))
    }

    /// Puts a webhook into the queue, and answers once it is committed.
    async fn store(&self, app: &App, row: NewWebhook) -> Result<(), Problem> {
        let (done, committed) = oneshot::channel();
        let full = |_| {
            app.metrics().refused(Refusal::QueueFull);
            Problem::unavailable(
                "More webhooks are in flight than the bound. Send it again in a moment.",
            )
        };
        self.queue.try_send(Waiting { row, done }).map_err(full)?;
        if committed.await == Ok(true) {
            return Ok(());
        }
        app.metrics().refused(Refusal::NotStored);
        let detail = "The webhook could not be stored. Send it again in a moment.";
        Err(Problem::unavailable(detail))
    }

    /// Forgets what is known of the sites, after one has changed.
    pub fn forget_doors(&self) {
        self.doors.forget();
    }
}

/// Takes what has gathered, commits it, answers, and begins again.
fn commit_groups(flow: &Flow, mut waiting: mpsc::Receiver<Waiting>, limits: Limits) {
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.row.body.len();
        let mut group = vec![first];
        while group.len() < limits.batch_rows_max && bytes < limits.batch_bytes_max {
            let Ok(next) = waiting.try_recv() else { break };
            bytes += next.row.body.len();
            group.push(next);
        }
        let (rows, done): (Vec<NewWebhook>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.row, waiting.done)).unzip();
        let stored = if limits.discard { vec![true; rows.len()] } else { commit(flow, &rows) };
        for (done, stored) in done.into_iter().zip(stored) {
            // A sender that hung up has had its webhook stored all the same.
            let _ = done.send(stored);
        }
        if !limits.discard {
            flow.wake();
            flow.store().make_room();
        }
    }
}

/// Commits a group; answers of each webhook whether it is on disk. Where the group as a whole is refused,
/// its halves are tried, and theirs, so that one webhook that cannot be stored (its site has just been
/// removed) keeps no other from being stored.
pub fn commit(flow: &Flow, rows: &[NewWebhook]) -> Vec<bool> {
    commit_parts(flow, rows, Instant::now() + PARTS_TRIED_FOR)
}

fn commit_parts(flow: &Flow, rows: &[NewWebhook], until: Instant) -> Vec<bool> {
    let Err(error) = commit_once(flow, rows) else { return vec![true; rows.len()] };
    // The parts of a group have no better chance with a database that does not answer.
    let hopeless = matches!(error, Some(StoreError::Unavailable(_))) || Instant::now() >= until;
    let why = error.map_or_else(|| "a panic; see above".to_owned(), |error| error.to_string());
    if rows.len() <= 1 || hopeless {
        tracing::error!(error = why, webhooks = rows.len(), "webhooks could not be stored");
        return vec![false; rows.len()];
    }
    tracing::warn!(error = why, webhooks = rows.len(), "webhooks are stored in smaller groups");
    let (first, second) = rows.split_at(rows.len() / 2);
    let mut stored = commit_parts(flow, first, until);
    stored.extend(commit_parts(flow, second, until));
    stored
}

/// Commits some webhooks in one transaction. A panic, which is an error of `None`, ends one attempt and
/// never the committer.
fn commit_once(flow: &Flow, rows: &[NewWebhook]) -> Result<(), Option<StoreError>> {
    // What cannot be read is work for nobody.
    let moved = Moved { work: rows.iter().any(|row| row.next_attempt_at.is_some()), feed: false };
    let counter = daily_counts::of_process(flow.process());
    let write = || {
        flow.store().write(|conn| {
            webhooks::insert(conn, rows)?;
            // Last, as another process may count by the same counter.
            daily_counts::add(conn, counter, &counted(rows))?;
            flow.tell(conn, moved)
        })
    };
    let began = Instant::now();
    catch_unwind(AssertUnwindSafe(write)).map_err(|_| None)?.map_err(Some)?;
    flow.metrics().committed(rows.len(), began.elapsed());
    Ok(())
}

/// How many webhooks of Kartra's came to each site on each day.
fn counted(rows: &[NewWebhook]) -> Counts {
    let mut counts = Counts::new();
    for row in rows.iter().filter(|row| row.feed != Feed::Test.as_str()) {
        let day = (row.site_id.clone(), row.received_at.date());
        // Nothing is told by what is rejected, whatever it claims.
        let kind = row.kind.filter(|_| row.vouched.is_some());
        let money = kind.is_some_and(|kind| kind != Kind::Other.as_str());
        let one = Count { webhooks: 1, money_webhooks: i64::from(money), ..Count::default() };
        *counts.entry(day).or_default() += one;
    }
    counts
}

/// `POST /hooks/kartra/{token}`: stored and committed, whatever it says; applied afterwards.
pub async fn receive(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let intake = app.intake();
    let refuse = |problem: Problem| {
        app.metrics().refused(refusal(&problem));
        problem
    };
    let door = door(&app, &token).await.map_err(refuse)?;
    let seconds_max = intake.limits.body_seconds_max;
    let body = read_body(&request, payload, WEBHOOK_BODY_BYTES_MAX, seconds_max).await;
    let body = body.map_err(refuse)?;
    let (row, judgement) = row(&app, &door, &body);
    let (webhook_id, feed) = (row.id.clone(), row.feed);
    intake.store(&app, row).await?;
    app.metrics().received(feed, judgement.word());
    let answer = json!({ "webhook_id": webhook_id, "reading": judgement.reading() });
    Ok(HttpResponse::Ok().json(answer))
}

/// Why a webhook was not stored, as metrics count it.
fn refusal(problem: &Problem) -> Refusal {
    match problem.status {
        StatusCode::NOT_FOUND => Refusal::UnknownUrl,
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        StatusCode::BAD_REQUEST | StatusCode::REQUEST_TIMEOUT => Refusal::Incomplete,
        _ => Refusal::NotStored,
    }
}

/// `GET` on the URL: somebody looks whether it is the right one.
pub async fn greet(app: web::Data<App>, token: web::Path<String>) -> Result<HttpResponse, Problem> {
    door(&app, &token).await?;
    let line = "This is a Latchkey webhook URL: paste it into Kartra, which posts to it.\n";
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(line))
}

/// The door that a token opens. Only the token's hash is ever compared or looked up.
async fn door(app: &web::Data<App>, token: &str) -> Result<Door, Problem> {
    let hash = secrets::hash(token);
    let now = app.clock().now();
    if let Some(door) = app.intake().doors.get(&hash).filter(|door| door.is_open(now)) {
        return Ok(door);
    }
    let began = Instant::now();
    let found = app.blocking(move |app| {
        let none = || Problem::not_found("webhook URL");
        let (site, ends_at) = app.store().read(|conn| {
            let (site_id, ends_at) = sites::site_of_hook(conn, &hash, now)?.ok_or_else(none)?;
            Ok::<_, Problem>((sites::get(conn, &site_id)?.ok_or_else(none)?, ends_at))
        })?;
        let expected = expected_mac(app.sealer(), &site)?;
        Ok(Door { site_id: site.id, ends_at, expected })
    });
    let door = found.await?;
    app.intake().doors.put(hash, door.clone(), began);
    Ok(door)
}

/// What is stored of a body, and how it reads.
fn row(app: &App, door: &Door, body: &[u8]) -> (NewWebhook, Judgement) {
    let reading = read(body);
    let purpose = ipn_purpose(&door.site_id);
    let mac = |secret: &String| app.sealer().mac(&purpose, secret.as_bytes());
    let secret_mac = reading.secret.as_ref().map(mac);
    let feed = reading.feed;
    let judgement = judge(reading, secret_mac.as_deref(), door.expected.as_deref());
    let now = app.intake().clock.now().naive_utc();
    let (status, says, reason): (Status, Option<(&Observation, i16)>, Option<String>) =
        match &judgement {
            Judgement::Says(observation, vouched) => {
                (Status::Pending, Some((observation.as_ref(), vouched.rank())), None)
            }
            Judgement::Unreadable(why) => (Status::Unreadable, None, Some(why.clone())),
            Judgement::Rejected(why, _) => (Status::Rejected, None, Some(why.clone())),
        };
    // What is rejected is listed by what it claims.
    let listed = judgement.names();
    let row = NewWebhook {
        site_id: door.site_id.clone(),
        id: crate::ids::new(),
        received_at: now,
        feed: feed.as_str(),
        status: status.as_str(),
        kind: listed.map(|listed| listed.kind.as_str()),
        transaction_id: listed.and_then(|listed| listed.transaction_id.clone()),
        product_id: listed.and_then(|listed| listed.product_id.clone()),
        email: listed.and_then(|listed| listed.person.address().cloned()),
        reason,
        changes: 0,
        body_hash: secrets::body_hash(body).to_vec(),
        body: mask_secret(body),
        secret_mac,
        attempts: 0,
        next_attempt_at: says.map(|_| now),
        vouched: says.map(|(_, rank)| rank),
        said: says.and_then(|(said, _)| observations::said(said).ok()),
    };
    (row, judgement)
}
