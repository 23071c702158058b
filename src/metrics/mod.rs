//! What is counted and timed, in Prometheus' terms.
//!
//! One registry a process, handed through the rooms; nothing is global. Two kinds of numbers: what
//! this process did is counted as it happens, and [`standing`] is what the database says of all
//! sites, written in when somebody asks.
//!
//! Absences that tests check: no label holds an address, a token, a path or an id that came from
//! outside; the number of series has a bound, whatever is sent and however many sites there are.

pub mod standing;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use standing::{Gauges, Standing};
use std::time::Duration;

/// The bounds of timings, in seconds: from a commit on a fast disk to one that waits for others.
const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// The bounds of what may wait for others' servers, in seconds: up to a day.
const LAG_SECONDS: [f64; 12] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 1_800.0, 7_200.0, 86_400.0];
/// The bounds of batches, in things.
const THINGS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// The methods that are told apart; the rest are one, whatever they call themselves.
const METHODS: [&str; 5] = ["GET", "POST", "PATCH", "DELETE", "OPTIONS"];
/// The label of whatever is none of those that are told apart.
const OTHER: &str = "other";
/// The label of a post that its receiver took, and of one that it did not.
const TAKEN: &str = "taken";
const NOT_TAKEN: &str = "not_taken";
/// The label of a push that its destination has confirmed.
const CONFIRMED: &str = "confirmed";

/// Why a webhook was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No site has such a URL.
    UnknownUrl,
    /// The body is over the limit.
    TooLarge,
    /// The body took too long, or broke off.
    Incomplete,
    /// More are in flight than the bound.
    QueueFull,
    /// The database did not take it.
    NotStored,
}

impl Refusal {
    const ALL: [Self; 5] =
        [Self::UnknownUrl, Self::TooLarge, Self::Incomplete, Self::QueueFull, Self::NotStored];

    fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUrl => "unknown_url",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::QueueFull => "queue_full",
            Self::NotStored => "not_stored",
        }
    }
}

/// What a batch of the flow works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Webhooks that are applied.
    Webhooks,
    /// Members whose access ends by time alone.
    Timers,
    /// Purchases that a change of rules computes again.
    Recompute,
}

impl Work {
    const ALL: [Self; 3] = [Self::Webhooks, Self::Timers, Self::Recompute];

    fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Timers => "timers",
            Self::Recompute => "recompute",
        }
    }
}

/// The numbers of one process.
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    commit_seconds: Histogram,
    commit_webhooks: Histogram,
    batch_seconds: HistogramVec,
    batch_size: HistogramVec,
    failures: IntCounterVec,
    held_open: IntCounter,
    requests: IntCounterVec,
    alarm_episodes: IntCounterVec,
    alarm_posts: IntCounterVec,
    pushes: IntCounterVec,
    push_lag: HistogramVec,
    gauges: Gauges,
}

impl Metrics {
    /// Numbers that all stand at nought; the version of the program is one of them.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let on = &registry;
        let build = IntGaugeVec::new(
            Opts::new("latchkey_build_info", "The version that runs, as a label; always 1."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registered(on, build)?;
        let metrics = Self {
            received: counters(
                on,
                "latchkey_webhooks_received_total",
                "Webhooks that were stored and committed, by feed and by how they read.",
                &["feed", "reading"],
            )?,
            refused: counters(
                on,
                "latchkey_webhooks_refused_total",
                "Webhooks that were not stored, by reason.",
                &["reason"],
            )?,
            commit_seconds: histogram(
                on,
                "latchkey_intake_commit_seconds",
                "How long a commit of received webhooks took, in seconds.",
                &SECONDS,
            )?,
            commit_webhooks: histogram(
                on,
                "latchkey_intake_commit_webhooks",
                "How many webhooks were committed together.",
                &THINGS,
            )?,
            batch_seconds: histograms(
                on,
                "latchkey_flow_batch_seconds",
                "How long a batch took that did something, in seconds, by what it works on.",
                &SECONDS,
                "work",
            )?,
            batch_size: histograms(
                on,
                "latchkey_flow_batch_size",
                "How many webhooks, members or purchases a batch held, by what it works on.",
                &THINGS,
                "work",
            )?,
            failures: counters(
                on,
                "latchkey_flow_failures_total",
                "Batches that failed, by what they work on; what was in them is tried again.",
                &["work"],
            )?,
            held_open: registered(
                on,
                IntCounter::with_opts(Opts::new(
                    "latchkey_held_open_total",
                    "Revocations that exceeded max_revocations of their site: each level is held open until an operator decides.",
                ))?,
            )?,
            requests: counters(
                on,
                "latchkey_http_requests_total",
                "Requests that were answered, by route, method and class of status.",
                &["route", "method", "status"],
            )?,
            alarm_episodes: counters(
                on,
                "latchkey_alarm_episodes_total",
                "Alarms that have begun, by kind.",
                &["kind"],
            )?,
            alarm_posts: counters(
                on,
                "latchkey_alarm_posts_total",
                "Attempts to post an alarm, by whether the receiver took it.",
                &["result"],
            )?,
            pushes: counters(
                on,
                "latchkey_pushes_total",
                "Attempts to bring a member at a destination in line, by kind of destination and by what became of them.",
                &["kind", "outcome"],
            )?,
            push_lag: histograms(
                on,
                "latchkey_push_lag_seconds",
                "How long after the change a destination had confirmed it, in seconds, by kind of destination.",
                &LAG_SECONDS,
                "kind",
            )?,
            gauges: Gauges::new(on)?,
            registry,
        };
        metrics.begin_at_nought();
        Ok(metrics)
    }

    /// A series that is only there from its first count on hides that count from `rate()`.
    fn begin_at_nought(&self) {
        for reason in Refusal::ALL {
            self.refused.with_label_values(&[reason.as_str()]);
        }
        for work in Work::ALL.map(Work::as_str) {
            self.batch_seconds.with_label_values(&[work]);
            self.batch_size.with_label_values(&[work]);
            self.failures.with_label_values(&[work]);
        }
        for result in [TAKEN, NOT_TAKEN] {
            self.alarm_posts.with_label_values(&[result]);
        }
    }

    /// A webhook was committed. Both words are of a closed list: `feed` as the program names feeds,
    /// `reading` a kind, `unreadable` or `rejected`.
    pub fn received(&self, feed: &'static str, reading: &'static str) {
        self.received.with_label_values(&[feed, reading]).inc();
    }

    /// A webhook was not stored.
    pub fn refused(&self, why: Refusal) {
        self.refused.with_label_values(&[why.as_str()]).inc();
    }

    /// A group of webhooks was committed.
    pub fn committed(&self, webhooks: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_webhooks.observe(count(webhooks));
    }

    /// A batch of the flow did something.
    pub fn worked(&self, work: Work, size: usize, took: Duration) {
        self.batch_seconds.with_label_values(&[work.as_str()]).observe(took.as_secs_f64());
        self.batch_size.with_label_values(&[work.as_str()]).observe(count(size));
    }

    /// A batch of the flow failed.
    pub fn failed(&self, work: Work) {
        self.failures.with_label_values(&[work.as_str()]).inc();
    }

    /// So many levels of members were held open.
    pub fn held_open(&self, count: usize) {
        self.held_open.inc_by(count as u64);
    }

    /// A request was answered. `route` is the pattern of its route, never its path.
    pub fn answered(&self, route: Option<&str>, method: &str, status: u16) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let status = match status {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.requests.with_label_values(&[route.unwrap_or(OTHER), method, status]).inc();
    }

    /// These are the kinds of alarms that there are.
    pub fn know_alarms(&self, kinds: &[&'static str]) {
        for kind in kinds {
            self.alarm_episodes.with_label_values(&[*kind]);
        }
    }

    /// The kinds of destinations that there are.
    pub fn know_destinations(&self, kinds: impl Iterator<Item = &'static str>) {
        for kind in kinds {
            self.pushes.with_label_values(&[kind, CONFIRMED]);
            self.push_lag.with_label_values(&[kind]);
        }
    }

    /// An alarm has begun; its kind is one of those that are known.
    pub fn alarm_began(&self, kind: &str) {
        self.alarm_episodes.with_label_values(&[kind]).inc();
    }

    /// It was tried to post an alarm.
    pub fn alarm_posted(&self, taken: bool) {
        let result = if taken { TAKEN } else { NOT_TAKEN };
        self.alarm_posts.with_label_values(&[result]).inc();
    }

    /// An attempt at a push has ended with an outcome; `lag` is how long it was wanted by then.
    pub fn push_ended(&self, kind: &str, outcome: &str, lag: Duration) {
        self.pushes.with_label_values(&[kind, outcome]).inc();
        if outcome == CONFIRMED {
            self.push_lag.with_label_values(&[kind]).observe(lag.as_secs_f64());
        }
    }

    /// All numbers as text, with what the database says; `None` where it could not be asked.
    pub fn text(&self, standings: Option<&[Standing]>) -> prometheus::Result<String> {
        self.gauges.set(standings);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// A count as Prometheus keeps it.
#[expect(clippy::cast_precision_loss, reason = "no batch has 2^52 things in it")]
fn count(things: usize) -> f64 {
    things as f64
}

fn registered<C: Collector + Clone + 'static>(on: &Registry, new: C) -> prometheus::Result<C> {
    on.register(Box::new(new.clone()))?;
    Ok(new)
}

fn counters(
    on: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(on, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn histogram(
    on: &Registry,
    name: &str,
    help: &str,
    bounds: &[f64],
) -> prometheus::Result<Histogram> {
    let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
    registered(on, Histogram::with_opts(options)?)
}

fn histograms(
    on: &Registry,
    name: &str,
    help: &str,
    bounds: &[f64],
    label: &str,
) -> prometheus::Result<HistogramVec> {
    let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
    registered(on, HistogramVec::new(options, &[label])?)
}
