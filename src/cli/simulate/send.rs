//! Sends the messages of a plan over some connections, and counts what became of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::pace::Pace;
use crate::simulate::{Message, Order, Plan, message, order};

/// An answer is waited for so long.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a connection is kept that nothing is sent over.
pub const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(2);
/// A 503 is waited for no longer than this, whatever it asks …
const WAIT_MAX: Duration = Duration::from_secs(30);
/// … and so many times for one message.
const WAITS_MAX: u32 = 20;
/// How an IPN reads whose secret is not the site's.
const REJECTED: &str = "rejected";
/// No more of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One simulation under way.
#[derive(Debug)]
pub struct Run {
    client: Client,
    to: Url,
    plan: Plan,
    order: Order,
    connections: u32,
    pace: Pace,
    bar: ProgressBar,
    /// Set when going on is pointless.
    stop: AtomicBool,
}

/// What became of the messages.
#[derive(Debug, Default)]
pub struct Tally {
    /// Accepted messages by the kind as which they were read.
    pub readings: BTreeMap<String, u64>,
    /// Messages that were not accepted, by the reason.
    pub failures: BTreeMap<String, u64>,
    /// How many of those that were sent had been sent before, as the plan wanted.
    pub duplicates: u64,
    /// How often a 503 was waited for.
    pub waited: u64,
    /// Messages that were not sent, because the plan loses them.
    pub lost: u64,
    /// Messages that were not sent, because going on was pointless.
    pub unsent: u64,
    /// Whether a connection was refused.
    pub refused: bool,
    /// How long it took.
    pub seconds: f64,
}

enum Outcome {
    /// Answered 200.
    Accepted(String),
    /// Answered otherwise, or not at all.
    Failed(String),
    /// Nobody listens there.
    Refused,
    /// The token is not known there: the next message would fare no better.
    UnknownToken,
}

impl Run {
    /// Prepares to send this plan there.
    pub fn new(
        client: Client,
        to: Url,
        plan: Plan,
        connections: u32,
        rate: Option<f64>,
        bar: ProgressBar,
    ) -> Self {
        let order = order(&plan);
        bar.set_length(order.places.len().try_into().unwrap_or(u64::MAX));
        Self {
            client,
            to,
            plan,
            order,
            connections: connections.max(1),
            pace: Pace::new(rate),
            bar,
            stop: AtomicBool::new(false),
        }
    }

    /// Sends everything.
    pub async fn send_all(self) -> anyhow::Result<Tally> {
        let started = Instant::now();
        let run = Arc::new(self);
        let mut workers = JoinSet::new();
        for worker in 0..run.connections {
            workers.spawn(Arc::clone(&run).work(worker));
        }
        let mut all = Tally { lost: run.order.lost, ..Tally::default() };
        while let Some(tally) = workers.join_next().await {
            all.add(tally?);
        }
        run.bar.finish_and_clear();
        all.seconds = started.elapsed().as_secs_f64();
        Ok(all)
    }

    /// One connection's share, one message after the other. Unshuffled, a member belongs to one connection, so that
    /// what is told of a member stays in order.
    async fn work(self: Arc<Self>, worker: u32) -> Tally {
        let mut tally = Tally::default();
        for (index, place) in (0_u32..).zip(&self.order.places) {
            let share = if self.plan.shuffle { index } else { place.member };
            if share % self.connections != worker {
                continue;
            }
            if self.stop.load(Ordering::Relaxed) {
                tally.unsent += 1;
                continue;
            }
            let Some(message) = message(&self.plan, *place) else {
                continue;
            };
            let outcome = self.deliver(message, &mut tally.waited).await;
            if matches!(outcome, Outcome::Refused | Outcome::UnknownToken) {
                self.stop.store(true, Ordering::Relaxed);
            }
            tally.count(outcome, place.repeat);
            self.bar.inc(1);
        }
        tally
    }

    /// Sends one message; again, when a 503 says when to.
    async fn deliver(&self, message: Message, waited: &mut u64) -> Outcome {
        let body: Arc<[u8]> = message.body.into();
        for _ in 0..WAITS_MAX {
            self.pace.wait().await;
            let request = self
                .client
                .post(self.to.clone())
                .header(CONTENT_TYPE, message.content_type)
                .body(body.to_vec());
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return failure(&error),
            };
            let status = response.status();
            if status == StatusCode::OK {
                return Outcome::Accepted(reading(response).await);
            }
            let wait = (status == StatusCode::SERVICE_UNAVAILABLE)
                .then(|| retry_after(&response))
                .flatten();
            let Some(wait) = wait else {
                let gone = status == StatusCode::NOT_FOUND;
                return if gone {
                    Outcome::UnknownToken
                } else {
                    Outcome::Failed(status.to_string())
                };
            };
            *waited += 1;
            sleep(wait.min(WAIT_MAX)).await;
        }
        Outcome::Failed(format!("503 still, after waiting {WAITS_MAX} times"))
    }
}

impl Tally {
    fn count(&mut self, outcome: Outcome, repeat: bool) {
        self.duplicates += u64::from(repeat);
        let (counts, key) = match outcome {
            Outcome::Accepted(reading) => (&mut self.readings, reading),
            Outcome::Failed(why) => (&mut self.failures, why),
            Outcome::UnknownToken => (&mut self.failures, StatusCode::NOT_FOUND.to_string()),
            Outcome::Refused => {
                self.refused = true;
                (&mut self.failures, "connection refused".to_owned())
            }
        };
        *counts.entry(key).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (reading, count) in other.readings {
            *self.readings.entry(reading).or_default() += count;
        }
        for (why, count) in other.failures {
            *self.failures.entry(why).or_default() += count;
        }
        self.duplicates += other.duplicates;
        self.waited += other.waited;
        self.unsent += other.unsent;
        self.refused |= other.refused;
    }

    /// Messages that were stored over there.
    pub fn accepted(&self) -> u64 {
        self.readings.values().sum()
    }

    /// Messages that were sent and not accepted.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Messages that were sent.
    pub fn sent(&self) -> u64 {
        self.accepted() + self.failed()
    }

    /// Whether every message that was to be sent is stored over there.
    pub fn is_complete(&self) -> bool {
        self.failed() == 0 && self.unsent == 0
    }

    /// Whether IPNs were rejected, because their secret is not the site's.
    pub fn has_rejected(&self) -> bool {
        self.readings.contains_key(REJECTED)
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        json!({
            "sent": self.sent(),
            "accepted": self.accepted(),
            "readings": self.readings,
            "duplicates": self.duplicates,
            "waited": self.waited,
            "failed": self.failed(),
            "failures": self.failures,
            "unsent": self.unsent,
            "lost": self.lost,
            "seconds": self.seconds,
        })
    }
}

/// What Latchkey read in a message: the kind, or `unreadable` or `rejected` without the why.
async fn reading(mut response: Response) -> String {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    let answer = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
    let reading = answer.get("reading").and_then(Value::as_str);
    // Some other server may answer 200 as well.
    let reading = reading.unwrap_or("answered 200 without a reading");
    let kind = reading.split(':').next().unwrap_or(reading);
    kind.to_owned()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Why no answer came. Never the error's own words: they contain the URL, and with it the token.
fn failure(error: &reqwest::Error) -> Outcome {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        let io = current.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused) {
            return Outcome::Refused;
        }
        cause = current.source();
    }
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke off"
    };
    Outcome::Failed(why.to_owned())
}
