//! From the commit to access: how fast a backlog is applied.

use super::cpu::Cpu;
use super::database::Database;
use super::disk::{Disk, Written};
use super::grown::SITE;
use super::kartra::{PRODUCT, Webhooks};
use super::report::{Table, Target};
use super::server::Server;
use super::{Arguments, load};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long between two looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// One of so many parts of the backlog is applied before the whole of it, to see whether memory grows with it.
const PARTS: usize = 10;
/// The most memory that the whole backlog may take, of what a tenth of it takes. Batches are as large in both, and
/// what may still differ is what caches keep of a larger database, which has bounds of its own.
const GROWS_MAX: f64 = 1.25;

/// Measures how fast webhooks are applied, beside the bare inserts a second.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    inserts: f64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let fresh = database.fresh(directory.path())?;
    let server = Server::start(&fresh.url, directory.path())?;
    let idle = server.process().memory_mb()?;
    table.bounded("memory with nothing to do", idle, "MB", Target::AtMost(30.0));
    server.ask("POST", &format!("{SITE}/levels"), &json!({ "id": "gold" }))?;
    server.ask(
        "POST",
        &format!("{SITE}/mappings"),
        &json!({ "product_id": PRODUCT, "level": "gold" }),
    )?;
    let webhooks = Webhooks::new();
    let disk = Disk::of(database, &server)?;
    let connections = arguments.connections;
    let bursts = Bursts { database, server: &server, disk, webhooks, connections };
    let part = bursts.drained((arguments.backlog / PARTS).max(1))?;
    let whole = bursts.drained(arguments.backlog)?;

    let rate = whole.webhooks / whole.seconds;
    table.note("webhooks of a backlog applied a second", rate, "/s");
    table.ratio("… to (b)", rate / inserts, Target::AtLeast(0.10));
    whole.cpu.note(table, "to apply", whole.webhooks);
    if let Some(syncs) = whole.written.syncs {
        let syncs = syncs / whole.webhooks * 1_000.0;
        table.note("fsyncs to apply 1,000 webhooks", syncs, "");
    }
    let bytes = whole.written.bytes / whole.webhooks;
    table.note(format!("{} to apply one webhook", bursts.disk.bytes_of()), bytes, "B");
    table.note("memory before a backlog is applied", whole.memory_mb, "MB");
    table.bounded("… and at most while it is", whole.peak_mb, "MB", Target::AtMost(150.0));
    table.compared("… that, to the memory with nothing to do", whole.peak_mb / idle);
    table.note("memory at most while a tenth of the backlog is applied", part.peak_mb, "MB");
    let grows = whole.peak_mb / part.peak_mb;
    table.ratio("… that of the whole backlog, to it", grows, Target::AtMost(GROWS_MAX));
    Ok(())
}

/// A server that is sent bursts, and applies each when all of it is stored.
struct Bursts<'a> {
    database: &'a Database,
    server: &'a Server,
    disk: Disk<'a>,
    webhooks: Webhooks,
    connections: usize,
}

/// What it took to apply a burst.
struct Drained {
    /// How many webhooks that were.
    webhooks: f64,
    seconds: f64,
    cpu: Cpu,
    written: Written,
    /// Before it began.
    memory_mb: f64,
    /// At most, from then on.
    peak_mb: f64,
}

impl Bursts<'_> {
    /// Stores so many webhooks, then has them applied.
    fn drained(&self, number: usize) -> anyhow::Result<Drained> {
        let (server, process) = (self.server, self.server.process());
        server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
        let request = || server.webhook(self.webhooks.next());
        load::all(&server.address, self.connections, number, request)?;

        process.forget_peak()?;
        let (written, cpu) = (self.disk.written()?, Cpu::used(self.database, server)?);
        let memory_mb = process.memory_mb()?;
        let began = Instant::now();
        server.ask("PATCH", SITE, &json!({ "enabled": true }))?;
        while is_behind(server)? {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(Drained {
            webhooks: load::count(u64::try_from(number)?),
            seconds: began.elapsed().as_secs_f64(),
            cpu: Cpu::used(self.database, server)? - cpu,
            written: self.disk.written()? - written,
            memory_mb,
            peak_mb: process.peak_mb()?,
        })
    }
}

fn is_behind(server: &Server) -> anyhow::Result<bool> {
    let path = format!("{SITE}/webhooks?status=pending&limit=1");
    let pending = server.ask("GET", &path, &Value::Null)?;
    Ok(pending["items"].as_array().is_some_and(|items| !items.is_empty()))
}
