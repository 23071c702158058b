//! What the machine can do at best: durable inserts of the same rows by one thread, and bare flushes to disk.

use super::kartra::Webhooks;
use super::load::{count, histogram, note};
use super::shared::row::row;
use hdrhistogram::Histogram;
use latchkey::clock::Clock;
use latchkey::core::policy::Policy;
use latchkey::store::Store;
use latchkey::store::sites::{self, Site};
use latchkey::store::webhooks::{self, NewWebhook};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const SITE: &str = "default";
/// How many bytes each bare flush puts to disk: a page of a database.
const FLUSH_BYTES: usize = 4096;

/// One thread that inserts rows durably, and nothing else.
pub struct Inserter {
    store: Store,
    webhooks: Webhooks,
    inserted: u64,
    took: Duration,
}

impl Inserter {
    /// On a fresh database.
    pub fn on(url: &str) -> anyhow::Result<Self> {
        let store = Store::open(url, 1)?;
        store.migrate()?;
        store.write(|conn| sites::insert(conn, &site()))?;
        Ok(Self { store, webhooks: Webhooks::new(), inserted: 0, took: Duration::ZERO })
    }

    /// Inserts groups of so many rows for some seconds; only the transactions are timed.
    pub fn run(&mut self, group: usize, seconds: f64) -> anyhow::Result<()> {
        let ends = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < ends {
            self.took += self.insert(&self.rows(group))?;
            self.inserted += u64::try_from(group)?;
        }
        Ok(())
    }

    /// How long a group of so many rows takes in the mean, by what some seconds show.
    pub fn takes(&self, group: usize, seconds: f64) -> anyhow::Result<Duration> {
        let (mut groups, mut took) = (0_u32, Duration::ZERO);
        while took.as_secs_f64() < seconds {
            took += self.insert(&self.rows(group))?;
            groups += 1;
        }
        Ok(took / groups.max(1))
    }

    /// A group of so many rows every so often, for some seconds. The rows are there before: to make them takes about
    /// as long as to insert them, and is not what is measured.
    pub fn every(&self, period: Duration, group: usize, seconds: f64) -> Probe<'_> {
        let dues = (0_u32..).map(|number| period * number);
        let dues = dues.take_while(|due| due.as_secs_f64() < seconds);
        Probe { inserter: self, groups: dues.map(|due| (due, self.rows(group))).collect() }
    }

    /// Inserts some rows in one transaction; answers how long that took.
    fn insert(&self, rows: &[NewWebhook]) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.store.write(|conn| webhooks::insert(conn, rows))?;
        Ok(began.elapsed())
    }

    fn rows(&self, group: usize) -> Vec<NewWebhook> {
        let now = Clock::system().now().naive_utc();
        (0..group).map(|_| row(SITE, &self.webhooks.next().1, now)).collect()
    }

    /// Rows a second.
    pub fn rate(&self) -> f64 {
        count(self.inserted) / self.took.as_secs_f64()
    }
}

/// Groups of rows with the instant at which each is to be inserted.
pub struct Probe<'a> {
    inserter: &'a Inserter,
    groups: Vec<(Duration, Vec<NewWebhook>)>,
}

impl Probe<'_> {
    /// Inserts each at its instant; how long it took is counted from there, as for those who send webhooks: whoever
    /// waits for the one before is not let off the pauses of the machine.
    pub fn run(self) -> anyhow::Result<Histogram<u64>> {
        let mut latencies = histogram();
        let began = Instant::now();
        for (due, rows) in self.groups {
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            self.inserter.insert(&rows)?;
            note(&mut latencies, began.elapsed().saturating_sub(due));
        }
        Ok(latencies)
    }
}

/// The site that the rows are of.
fn site() -> Site {
    Site {
        id: SITE.to_owned(),
        name: SITE.to_owned(),
        kartra_time_zone: chrono_tz::UTC,
        enabled: true,
        policy: Policy::default(),
        ipn_secret: None,
        rules_version: 1,
        feed_position: 0,
        plans_open: 0,
        core_version: 1,
        destinations: 0,
        max_revocations: None,
        held_open_position: 0,
        created_at: Clock::system().now(),
    }
}

/// Flushes a second, of a file in this directory.
pub fn flushes(directory: &Path, seconds: f64) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    let (began, mut flushed) = (Instant::now(), 0);
    while began.elapsed().as_secs_f64() < seconds {
        file.write_all(&[0; FLUSH_BYTES])?;
        file.sync_data()?;
        flushed += 1;
    }
    Ok(count(flushed) / began.elapsed().as_secs_f64())
}
