//! The way in: received, stored, committed, answered.

use super::database::Database;
use super::disk::{Disk, Written};
use super::kartra::Webhooks;
use super::report::{Table, Target};
use super::server::Server;
use super::yardsticks::{Inserter, flushes};
use super::{Arguments, load};

/// How many slices of load and of bare inserts take turns, so that a slow disk meets both.
const SLICES: u32 = 4;
/// How many take turns where the slowest of each are compared: a pause of the machine is to meet both.
const SLICES_OF_LATENCIES: u32 = 32;
/// The group of the bare inserts, before any was measured.
const FIRST_GROUP: usize = 32;

/// Measures intake; answers how many rows a second one thread inserts at best.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let (path, connections) = (directory.path(), arguments.connections);
    let slice = arguments.seconds / f64::from(SLICES);
    let webhooks = Webhooks::new();

    let fresh = database.fresh(path)?;
    let unstored = Server::start_unstored(&fresh.url, path)?;
    let request = || unstored.webhook(webhooks.next());
    load::closed(&unstored.address, connections, slice, request)?;
    let received = load::closed(&unstored.address, connections, arguments.seconds, request)?;
    drop(unstored);
    table.note("(a) received, not stored: webhooks a second", received.rate(), "/s");

    let (stored_at, bare_at) = (database.fresh(path)?, database.fresh(path)?);
    let server = Server::start(&stored_at.url, path)?;
    // Intake alone: what it stores is applied when the site is enabled.
    let site = "/api/v1/sites/default";
    server.ask("PATCH", site, &serde_json::json!({ "enabled": false }))?;
    let request = || server.webhook(webhooks.next());
    let mut bare = Inserter::on(&bare_at.url)?;
    load::closed(&server.address, connections, slice, request)?;
    bare.run(FIRST_GROUP, slice)?;

    let disk = Disk::of(database, &server)?;
    let (before, cpu) = (server.metrics()?, server.process().cpu_seconds()?);
    let (mut answered, mut seconds, mut written) = (0.0, 0.0, Written::NOTHING);
    let mut group = FIRST_GROUP;
    for _ in 0..SLICES {
        let before_slice = disk.written()?;
        let slice = load::closed(&server.address, connections, slice, request)?;
        written = written + (disk.written()? - before_slice);
        answered += load::count(slice.latencies.len());
        seconds += slice.seconds;
        group = rounded(group_size(&before, &server.metrics()?));
        bare.run(group, slice.seconds)?;
    }
    let cpu = server.process().cpu_seconds()? - cpu;
    let (rate, inserts) = (answered / seconds, bare.rate());
    let limit = 1.0 / (1.0 / received.rate() + 1.0 / inserts);
    table.note(
        format!("(b) bare durable inserts in groups of {group}: rows a second"),
        inserts,
        "/s",
    );
    table.note("(c) flushes of a page a second", flushes(path, slice)?, "/s");
    table.note("webhooks committed and answered a second", rate, "/s");
    let least = if matches!(database, Database::Sqlite) { 0.8 } else { 0.6 };
    table.ratio("… of the limit L = 1 / (1/a + 1/b)", rate / limit, Target::AtLeast(least));
    table.note("CPU seconds of the server for 1,000 webhooks", cpu / answered * 1_000.0, "s");
    let commits = 1_000.0 / group_size(&before, &server.metrics()?);
    table.note("commits for 1,000 webhooks", commits, "");
    if let Some(syncs) = written.syncs {
        let name = "fsyncs for 1,000 webhooks";
        table.bounded(name, syncs / answered * 1_000.0, "", Target::AtMost(100.0));
    }
    table.note(format!("{} for one webhook", disk.bytes_of()), written.bytes / answered, "B");
    at_half(arguments, &server, &webhooks, group, &bare, table)?;
    table.note("peak memory of the server under this load", server.process().peak_mb()?, "MB");
    Ok(inserts)
}

/// Latencies at half of what saturates it, beside those of the bare inserts at half of what saturates them, in the
/// same seconds. What saturates each is found anew in each turn: on a machine that has slowed down since, the half
/// of long ago is the whole.
fn at_half(
    arguments: &Arguments,
    server: &Server,
    webhooks: &Webhooks,
    group: usize,
    bare: &Inserter,
    table: &mut Table,
) -> anyhow::Result<()> {
    let slice = 2.0 * arguments.seconds / f64::from(SLICES_OF_LATENCIES);
    let request = || server.webhook(webhooks.next());
    let (mut latencies, mut of_bare) = (load::histogram(), load::histogram());
    for _ in 0..SLICES_OF_LATENCIES {
        let look = load::closed(&server.address, arguments.connections, slice / 2.0, request)?;
        let rate = look.rate() / 2.0;
        let open = load::open(&server.address, arguments.connections, slice, rate, request)?;
        latencies.add(&open.latencies)?;
        bare.at_half(group, slice, &mut of_bare)?;
    }
    let open = load::Loaded { seconds: arguments.seconds, latencies };
    let bare = load::Loaded { seconds: arguments.seconds, latencies: of_bare };
    table.note("at half of it: median latency", open.millis(0.5), "ms");
    table.note("at half of it: p99", open.millis(0.99), "ms");
    table.ratio("… to the p99 of (b)", open.millis(0.99) / bare.millis(0.99), Target::AtMost(3.0));
    table.note("at half of it: longest pause", open.millis(1.0), "ms");
    table.ratio(
        "… to the longest of (b)",
        open.millis(1.0) / bare.millis(1.0),
        Target::AtMost(2.0),
    );
    Ok(())
}

/// How many webhooks a commit held, between two looks.
fn group_size(
    before: &std::collections::BTreeMap<String, f64>,
    now: &std::collections::BTreeMap<String, f64>,
) -> f64 {
    let grown = |name: &str| now.get(name).unwrap_or(&0.0) - before.get(name).unwrap_or(&0.0);
    let (sum, commits) = (
        grown("latchkey_intake_commit_webhooks_sum"),
        grown("latchkey_intake_commit_webhooks_count"),
    );
    sum / commits.max(1.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn rounded(size: f64) -> usize {
    (size.round() as usize).max(1)
}
