//! A site that grows: what was told to it is stored at once, as intake would have, and then applied by the
//! program, which is what is measured.

use super::Arguments;
use super::cpu::Cpu;
use super::database::{Database, Fresh};
use super::kartra::{PRODUCT, Posted, Webhooks};
use super::server::Server;
use super::shared::row::row;
use anyhow::Context;
use diesel::RunQueryDsl;
use latchkey::clock::Clock;
use latchkey::store::webhooks::NewWebhook;
use latchkey::store::{Store, StoreError, observations, recomputes, webhooks};
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SITE_ID: &str = "default";
/// Where the API has it.
pub const SITE: &str = "/api/v1/sites/default";
/// How long between two looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Rows of one transaction that stores.
const ROWS_AT_ONCE: usize = 500;
/// How often a long fill says how far it is.
const SAY_EVERY: usize = 100_000;
/// Webhooks that are read while as many are applied, where a site is filled with very many.
const READ_AHEAD: usize = 20_000;

/// What the program tells of what it has applied.
const APPLIED: &str = r#"latchkey_flow_batch_size_sum{work="webhooks"}"#;

/// What something has cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// CPU seconds of the program, and of PostgreSQL where it is the benchmark's own.
    pub cpu_seconds: f64,
    /// How long it took.
    pub seconds: f64,
}

/// A site, the program that applies what comes to it, and its database.
pub struct Grown<'a> {
    /// The program.
    pub server: Server,
    /// What has come to it is of these.
    pub webhooks: Webhooks,
    database: &'a Database,
    /// Its database.
    pub fresh: Fresh,
    store: Store,
    clock: Clock,
    keeps_bodies: bool,
    directory: TempDir,
}

impl<'a> Grown<'a> {
    /// A site without members, with a level that [`PRODUCT`] gives.
    pub fn start(arguments: &Arguments, database: &'a Database) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(&arguments.directory)?;
        let fresh = database.fresh(directory.path())?;
        let server = Server::start(&fresh.url, directory.path())?;
        server.ask("POST", &format!("{SITE}/levels"), &json!({ "id": "gold" }))?;
        let store = Store::open(&fresh.url, 2)?;
        let (webhooks, clock) = (Webhooks::new(), Clock::system());
        let keeps_bodies = !arguments.without_bodies;
        let grown =
            Self { server, webhooks, database, fresh, store, clock, keeps_bodies, directory };
        grown.map(PRODUCT)?;
        Ok(grown)
    }

    /// Maps a product to the level, and waits until its buyers have it.
    pub fn map(&self, product: &str) -> anyhow::Result<Cost> {
        let mapping = json!({ "product_id": product, "level": "gold" });
        self.costs(|| {
            self.server.ask("POST", &format!("{SITE}/mappings"), &mapping)?;
            self.wait(|conn| Ok(recomputes::next(conn, SITE_ID)?.is_none()))
        })
    }

    /// Stores so many webhooks, has them applied, and answers what the applying has cost.
    pub fn told(&self, count: usize, next: impl Fn(usize) -> Posted) -> anyhow::Result<Cost> {
        self.enable(false)?;
        for first in (0..count).step_by(ROWS_AT_ONCE) {
            let numbers = first..count.min(first + ROWS_AT_ONCE);
            self.keep(&numbers.map(|number| self.row(&next(number))).collect::<Vec<_>>())?;
            say(first, count, "stored");
        }
        self.costs(|| {
            self.enable(true)?;
            self.drained()
        })
    }

    /// The same of very many: while the program applies some, the next are read.
    pub fn filled_with(
        &self,
        count: usize,
        next: impl Fn(usize) -> Posted,
    ) -> anyhow::Result<Cost> {
        self.costs(|| {
            for first in (0..count).step_by(READ_AHEAD) {
                let numbers = first..count.min(first + READ_AHEAD);
                let rows: Vec<_> = numbers.map(|number| self.row(&next(number))).collect();
                self.drained()?;
                say(first, count, "applied");
                self.enable(false)?;
                rows.chunks(ROWS_AT_ONCE).try_for_each(|rows| self.keep(rows))?;
                self.enable(true)?;
            }
            self.drained()
        })
    }

    fn row(&self, (_, body): &Posted) -> NewWebhook {
        row(SITE_ID, body, self.clock.now().naive_utc())
    }

    /// Stores some webhooks in one transaction.
    fn keep(&self, rows: &[NewWebhook]) -> anyhow::Result<()> {
        Ok(self.store.write(|conn| {
            webhooks::insert(conn, rows)?;
            if !self.keeps_bodies {
                diesel::sql_query("DELETE FROM bodies").execute(conn)?;
            }
            Ok::<_, StoreError>(())
        })?)
    }

    /// Whether what comes to the site is applied from now on.
    fn enable(&self, enabled: bool) -> anyhow::Result<()> {
        self.server.ask("PATCH", SITE, &json!({ "enabled": enabled }))?;
        Ok(())
    }

    /// Waits until nothing is due.
    pub fn drained(&self) -> anyhow::Result<()> {
        self.wait(|conn| Ok(observations::next_due_at(conn, SITE_ID)?.is_none()))
    }

    /// What something costs.
    pub fn costs(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
        let cpu = self.cpu_seconds()?;
        let began = Instant::now();
        work()?;
        let seconds = began.elapsed().as_secs_f64();
        Ok(Cost { cpu_seconds: self.cpu_seconds()? - cpu, seconds })
    }

    fn wait(
        &self,
        is_done: impl Fn(&mut latchkey::store::conn::Conn) -> Result<bool, StoreError>,
    ) -> anyhow::Result<()> {
        while !self.store.read(&is_done)? {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        Ok(Cpu::used(self.database, &self.server)?.whole())
    }

    /// Starts the program again on the same database; answers how long it took until it was ready.
    pub fn restart(self) -> anyhow::Result<(Self, Duration)> {
        let (server, ready) = self.server.restart(&self.fresh.url)?;
        Ok((Self { server, ..self }, ready))
    }

    /// How many webhooks the program has applied since it was started.
    pub fn applied(&self) -> anyhow::Result<f64> {
        let metrics = self.server.metrics()?;
        Ok(metrics.get(APPLIED).copied().unwrap_or_default())
    }

    /// Bytes of the database.
    pub fn bytes(&self) -> anyhow::Result<f64> {
        self.fresh.bytes()
    }

    /// Where its files lie.
    pub fn directory(&self) -> anyhow::Result<&str> {
        self.directory.path().to_str().context("a directory in UTF-8")
    }
}

/// How far a long fill is.
fn say(number: usize, count: usize, done: &str) {
    if number > 0 && number.is_multiple_of(SAY_EVERY) {
        eprintln!("    {number} of {count} webhooks are {done}");
    }
}
