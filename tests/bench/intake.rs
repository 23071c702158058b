//! The way in: received, stored, committed, answered.

use super::Arguments;
use super::cpu::Cpu;
use super::database::Database;
use super::disk::{Disk, Written};
use super::grown::SITE;
use super::half;
use super::kartra::Webhooks;
use super::load::{self, Loaded};
use super::report::{Table, Target};
use super::server::Server;
use super::yardsticks::{Inserter, flushes};
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeMap;

/// How many slices of each load take turns, so that a machine that is slow for a while is slow for all of them.
const SLICES: u32 = 8;
/// The group of the bare inserts, before any was measured.
const FIRST_GROUP: usize = 32;

/// Measures intake; answers how many rows a second one thread inserts at best.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let path = directory.path();
    let webhooks = Webhooks::new();
    let (connections, seconds) = (arguments.connections, arguments.seconds / f64::from(SLICES));
    let slice = Slice { database, webhooks: &webhooks, connections, seconds };

    let fresh = database.fresh(path)?;
    let unstored = Server::start_unstored(&fresh.url, path)?;
    slice.on(&unstored)?;

    let (stored_at, bare_at) = (database.fresh(path)?, database.fresh(path)?);
    let server = Server::start(&stored_at.url, path)?;
    let idle = server.process().memory_mb()?;
    // Intake alone: what it stores is applied when the site is enabled.
    server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    let mut bare = Inserter::on(&bare_at.url)?;
    slice.on(&server)?;
    bare.run(FIRST_GROUP, seconds)?;

    let disk = Disk::of(database, &server)?;
    let before = server.metrics()?;
    let (mut received, mut stored) = (Sum::none(), Sum::none());
    let (mut written, mut group) = (Written::NOTHING, FIRST_GROUP);
    for _ in 0..SLICES {
        received.add(&slice.on(&unstored)?)?;
        let before_slice = disk.written()?;
        stored.add(&slice.on(&server)?)?;
        written = written + (disk.written()? - before_slice);
        group = rounded(group_size(&before, &server.metrics()?));
        bare.run(group, seconds)?;
    }
    drop(unstored);
    let inserts = bare.rate();
    table.note("(a) received, not stored: webhooks a second", received.loaded.rate(), "/s");
    table.note("(b) bare durable inserts: rows a second", inserts, "/s");
    table.note("… in groups of", load::count(u64::try_from(group)?), "rows");
    table.note("(c) flushes of a page a second", flushes(path, seconds)?, "/s");
    let limit = 1.0 / (1.0 / received.loaded.rate() + 1.0 / inserts);
    let (rate, least) = (stored.loaded.rate(), least_of_limit(database));
    table.note("webhooks committed and answered a second", rate, "/s");
    table.ratio("… of the limit L = 1 / (1/a + 1/b)", rate / limit, Target::AtLeast(least));
    table.latencies(&format!("at {connections} connections"), &stored.loaded.latencies);
    note_cpu(&received, &stored, table);
    note_disk(&stored, written, group_size(&before, &server.metrics()?), disk.bytes_of(), table);
    half::measure(arguments, &server, &webhooks, &bare, table)?;
    let peak = server.process().peak_mb()?;
    table.note("peak memory of the server under the load of intake", peak, "MB");
    table.compared("… to its memory with nothing to do", peak / idle);
    Ok(inserts)
}

/// How much of the limit there has to be.
fn least_of_limit(database: &Database) -> f64 {
    if matches!(database, Database::Sqlite) { 0.8 } else { 0.6 }
}

/// Notes what a webhook costs in CPU time, beside one that is not stored.
fn note_cpu(received: &Sum, stored: &Sum, table: &mut Table) {
    let of_each = |sum: &Sum| sum.cpu.server / sum.answered();
    table.note("CPU seconds of (a) for 1,000 webhooks", of_each(received) * 1_000.0, "s");
    stored.cpu.note(table, "for", stored.answered());
    let ratio = of_each(stored) / of_each(received);
    table.compared("CPU of the server for a webhook, to that of (a)", ratio);
}

/// Notes what a webhook costs of the disk, where a commit holds so many of them.
fn note_disk(stored: &Sum, written: Written, group: f64, bytes_of: &str, table: &mut Table) {
    let answered = stored.answered();
    table.note("commits for 1,000 webhooks", 1_000.0 / group, "");
    if let Some(syncs) = written.syncs {
        let name = "fsyncs for 1,000 webhooks";
        table.bounded(name, syncs / answered * 1_000.0, "", Target::AtMost(100.0));
        table.compared("… to the commits", syncs / answered * group);
    }
    table.note(format!("{bytes_of} for one webhook"), written.bytes / answered, "B");
    table.compared("… to the bytes of its body", written.bytes / stored.body_bytes);
}

/// Webhooks as fast as they are answered, for a slice of the time.
struct Slice<'a> {
    database: &'a Database,
    webhooks: &'a Webhooks,
    connections: usize,
    seconds: f64,
}

impl Slice<'_> {
    /// Sends them to a server.
    fn on(&self, server: &Server) -> anyhow::Result<Sum> {
        let body_bytes = Cell::new(0_usize);
        let request = || {
            let webhook = self.webhooks.next();
            body_bytes.set(body_bytes.get() + webhook.1.len());
            server.webhook(webhook)
        };
        let before = Cpu::used(self.database, server)?;
        let loaded = load::closed(&server.address, self.connections, self.seconds, request)?;
        let cpu = Cpu::used(self.database, server)? - before;
        Ok(Sum { loaded, cpu, body_bytes: load::count(u64::try_from(body_bytes.get())?) })
    }
}

/// What some slices came to.
struct Sum {
    loaded: Loaded,
    cpu: Cpu,
    /// Bytes of the bodies that were sent.
    body_bytes: f64,
}

impl Sum {
    fn none() -> Self {
        Self { loaded: Loaded::none(), cpu: Cpu::NOTHING, body_bytes: 0.0 }
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.cpu = self.cpu + other.cpu;
        self.body_bytes += other.body_bytes;
        self.loaded.add(&other.loaded)
    }

    fn answered(&self) -> f64 {
        load::count(self.loaded.latencies.len())
    }
}

/// How many webhooks a commit held, between two looks.
pub fn group_size(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) -> f64 {
    let grown = |name: &str| now.get(name).unwrap_or(&0.0) - before.get(name).unwrap_or(&0.0);
    let (sum, commits) = (
        grown("latchkey_intake_commit_webhooks_sum"),
        grown("latchkey_intake_commit_webhooks_count"),
    );
    sum / commits.max(1.0)
}

/// A number of rows, one at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
pub fn rounded(size: f64) -> usize {
    (size.round() as usize).max(1)
}
