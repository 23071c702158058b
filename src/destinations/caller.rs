//! Calls a destination, no faster than it is to be called.

use super::{Failure, Pace};
use crate::clock::Clock;
use crate::egress::{Answer, CallError, Egress, Message, Method};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What a destination answered a status of, when it takes no call of ours: who we are is not known, or what we may
/// do is not enough.
const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;
const TOO_MANY: u16 = 429;
const UNAVAILABLE: u16 = 503;

/// What calls one destination. Cheap to clone; all clones share the pace.
#[derive(Clone)]
pub struct Caller {
    egress: Egress,
    /// How long after a call the next one begins.
    pause: Duration,
    /// When the next call may begin.
    next: Arc<Mutex<Option<Instant>>>,
    clock: Clock,
}

impl Caller {
    /// What calls a destination at a pace.
    #[must_use]
    pub fn new(egress: Egress, pace: Pace) -> Self {
        let pause = Duration::from_secs(1) / pace.calls_per_second.max(1);
        Self { egress, pause, next: Arc::default(), clock: Clock::system() }
    }

    /// The same by another clock than the machine's.
    #[must_use]
    pub fn timed_by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The present second since 1970, for what is valid for a while only.
    pub fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// Whether a URL can be called, as far as that can be seen at once; says what is wrong with it.
    pub fn check(&self, url: &str) -> Result<(), String> {
        self.egress.check(url).map(|_| ()).map_err(|error| error.advice())
    }

    /// Calls, once it is this call's turn. An answer is whatever was answered.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Answer, Failure> {
        self.turn().await;
        let message = Message { headers, body };
        self.egress.call(method, url, message).await.map_err(|error| match error {
            CallError::Url(_) | CallError::Forbidden | CallError::Connect(_) => {
                Failure::Unreached(error.to_string())
            }
            CallError::TooSlow | CallError::Broken(_) => Failure::Unsure(error.to_string()),
        })
    }

    /// Waits until the next call may begin.
    async fn turn(&self) {
        let mine = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let mine = next.map_or(now, |next| next.max(now));
            *next = Some(mine + self.pause);
            mine
        };
        tokio::time::sleep_until(mine).await;
    }
}

/// What a status means that says no by itself, whatever stands beside it; `said` are the destination's own words.
/// 2xx, and every other 4xx, which a kind has to judge, are no failure here.
pub fn judged(answer: &Answer, said: &str) -> Result<(), Failure> {
    let status = answer.status;
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let why = format!("the destination answered {status}{said}");
    match status {
        UNAUTHORIZED | FORBIDDEN => Err(Failure::Stopped(why)),
        TOO_MANY => Err(Failure::Busy { why, seconds: answer.retry_after_seconds }),
        UNAVAILABLE if answer.retry_after_seconds.is_some() => {
            Err(Failure::Busy { why, seconds: answer.retry_after_seconds })
        }
        // A redirect is not followed, so whatever was asked for was not done.
        300..=399 | 500.. | ..=199 => Err(Failure::Unsure(why)),
        _ => Ok(()),
    }
}
