//! Load over many connections: closed, where each sends as soon as it is answered, and open, where each
//! request has its instant whether or not the server keeps up.

use super::http::Connection;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Latencies are kept in microseconds to three figures, up to a minute: nothing here takes longer.
const FIGURES: u8 = 3;
const LATENCY_MICROS_MAX: u64 = 60_000_000;

/// What became of a load.
pub struct Loaded {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long each answer took, in microseconds.
    pub latencies: Histogram<u64>,
}

impl Loaded {
    /// No load at all, to which others are added.
    pub fn none() -> Self {
        Self { seconds: 0.0, latencies: histogram() }
    }

    /// Adds another stretch of the same load.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.seconds += other.seconds;
        Ok(self.latencies.add(&other.latencies)?)
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        count(self.latencies.len()) / self.seconds
    }

    /// A quantile of the latencies, in milliseconds.
    pub fn millis(&self, quantile: f64) -> f64 {
        count(self.latencies.value_at_quantile(quantile)) / 1_000.0
    }
}

/// A number of things, for arithmetic.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2⁵²")]
pub fn count(things: u64) -> f64 {
    things as f64
}

/// An empty histogram.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MICROS_MAX, FIGURES).expect("three figures are allowed")
}

/// Notes how long something took.
pub fn note(latencies: &mut Histogram<u64>, took: Duration) {
    latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// Each connection sends a request as soon as the one before is answered.
pub fn closed(
    address: &str,
    connections: usize,
    seconds: f64,
    request: impl Fn() -> Vec<u8>,
) -> anyhow::Result<Loaded> {
    let latencies = RefCell::new(histogram());
    let began = Instant::now();
    let ends = began + Duration::from_secs_f64(seconds);
    let sender = async || {
        let mut connection = Connection::open(address).await?;
        while Instant::now() < ends {
            let request = request();
            let sent = Instant::now();
            connection.ask(&request).await?;
            note(&mut latencies.borrow_mut(), sent.elapsed());
        }
        anyhow::Ok(())
    };
    run(try_join_all((0..connections).map(|_| sender())))?;
    Ok(Loaded { seconds: began.elapsed().as_secs_f64(), latencies: latencies.into_inner() })
}

/// Sends so many requests a second, each at its instant; how long an answer took is counted from there, so
/// that a server that stalls is charged for all who waited.
pub fn open(
    address: &str,
    connections: usize,
    seconds: f64,
    rate: f64,
    request: impl Fn() -> Vec<u8>,
) -> anyhow::Result<Loaded> {
    let latencies = RefCell::new(histogram());
    let next = Cell::new(0_u32);
    let sender = async |mut connection: Connection, began: Instant| {
        loop {
            let number = next.replace(next.get() + 1);
            let due = Duration::from_secs_f64(f64::from(number) / rate);
            if due.as_secs_f64() >= seconds {
                return anyhow::Ok(());
            }
            let request = request();
            tokio::time::sleep_until((began + due).into()).await;
            connection.ask(&request).await?;
            note(&mut latencies.borrow_mut(), began.elapsed().saturating_sub(due));
        }
    };
    let took = run(async {
        // No request waits for its connection.
        let open = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
        let began = Instant::now();
        try_join_all(open.into_iter().map(|connection| sender(connection, began))).await?;
        Ok(began.elapsed())
    })?;
    Ok(Loaded { seconds: took.as_secs_f64(), latencies: latencies.into_inner() })
}

/// Sends a number of requests, as fast as they are answered.
pub fn all(
    address: &str,
    connections: usize,
    number: usize,
    request: impl Fn() -> Vec<u8>,
) -> anyhow::Result<()> {
    let left = Cell::new(number);
    let sender = async || {
        let mut connection = Connection::open(address).await?;
        while left.get() > 0 {
            left.set(left.get() - 1);
            connection.ask(&request()).await?;
        }
        anyhow::Ok(())
    };
    run(try_join_all((0..connections).map(|_| sender()))).map(drop)
}

fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
