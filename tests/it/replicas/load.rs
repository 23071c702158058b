//! Senders that give each webhook to some of the processes, and again to another one where no answer
//! came, as whoever posts has to.

use super::crowd::Tale;
use super::{Store, open_recomputes, unapplied};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How many requests are under way at every moment of the load.
const SENDERS: usize = 36;
/// How long a sender waits for an answer: shorter than a process is stopped.
const PATIENCE: Duration = Duration::from_millis(500);
/// How far the processes may be behind before the senders wait for them.
const BEHIND_MAX: i64 = 200;
/// How often it is looked how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the hands of a test share: where the processes listen now, and how far they are.
pub struct Shared {
    /// Where each process listens.
    pub bases: Mutex<Vec<String>>,
    /// Set when the disturbances are over.
    pub over: watch::Sender<bool>,
    /// How many webhooks wait.
    pub unapplied: watch::Sender<i64>,
    /// How many recomputes are open.
    pub recomputes: watch::Sender<i64>,
}

impl Shared {
    /// With no process yet.
    pub fn of(bases: Vec<String>) -> Self {
        Self {
            bases: Mutex::new(bases),
            over: watch::Sender::new(false),
            unapplied: watch::Sender::new(0),
            recomputes: watch::Sender::new(0),
        }
    }

    /// The base of the process whose turn it is.
    pub fn base(&self, turn: usize) -> String {
        let bases = self.bases.lock().expect("bases");
        bases[turn % bases.len()].clone()
    }

    /// Whether the disturbances are over.
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Looks how far the processes are, until the disturbances are over.
    pub fn gauge(&self, store: &Store) {
        let (runtime, mut over) = (runtime(), self.over.subscribe());
        while !self.is_over() {
            self.unapplied.send_replace(unapplied(store));
            self.recomputes.send_replace(open_recomputes(store));
            let over = async { tokio::time::timeout(LOOK_EVERY, over.changed()).await.is_ok() };
            runtime.block_on(over);
        }
        self.unapplied.send_replace(0);
        self.recomputes.send_replace(0);
    }
}

/// What runs the requests of one hand.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Waits while there is more than so much of something.
pub async fn no_more_than(max: i64, of: &watch::Sender<i64>) {
    of.subscribe().wait_for(|count| *count <= max).await.expect("it is shared until the end");
}

/// One webhook for one process, whoever takes it in the end.
struct Job<'a> {
    path: &'a str,
    body: &'a [u8],
    process: usize,
}

/// Sends everything that the tales hold, each webhook through two or three processes, and again from the
/// beginning until the disturbances are over: how fast a machine is must not decide how long the load lasts.
/// Answers the ids of the webhooks that were answered 200.
pub fn send(shared: &Shared, tales: &[(Tale, String)], seed: u64) -> BTreeSet<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    let jobs = jobs(tales, seed);
    let next = Cell::new(0);
    let answered = RefCell::new(BTreeSet::new());
    let sender = async || {
        loop {
            let number = next.replace(next.get() + 1);
            if number >= jobs.len() && shared.is_over() {
                break;
            }
            let job = &jobs[number % jobs.len()];
            no_more_than(BEHIND_MAX, &shared.unapplied).await;
            let id = deliver(&client, shared, job).await;
            answered.borrow_mut().insert(id);
        }
    };
    runtime().block_on(futures_util::future::join_all((0..SENDERS).map(|_| sender())));
    answered.into_inner()
}

/// Everything that is sent, in an order that is no order but for how it is spread over the test.
fn jobs(tales: &[(Tale, String)], seed: u64) -> Vec<Job<'_>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut jobs = Vec::new();
    for (tale, path) in tales {
        for sent in &tale.story.sent {
            let processes: &[usize] = if rng.random_bool(0.5) { &[0, 1, 2] } else { &[0, 1] };
            let first = rng.random_range(0..3);
            let job = |process: &usize| Job { path, body: &sent.body, process: first + process };
            jobs.extend(processes.iter().map(job));
        }
    }
    jobs.shuffle(&mut rng);
    jobs
}

/// Posts until somebody has answered that it is stored.
async fn deliver(client: &reqwest::Client, shared: &Shared, job: &Job<'_>) -> String {
    for attempt in 0..1_000 {
        let url = format!("{}{}", shared.base(job.process + attempt), job.path);
        let Ok(reply) = client.post(url).body(job.body.to_vec()).send().await else { continue };
        let status = reply.status();
        let Ok(text) = reply.text().await else { continue };
        match status.as_u16() {
            200 => {
                let reply: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                return reply["webhook_id"].as_str().expect("an id").to_owned();
            }
            503 => {}
            _ => panic!("answered {status}: {text}"),
        }
    }
    panic!("nobody takes it")
}
