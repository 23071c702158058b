//! From the commit to access: how fast a backlog is applied.

use super::database::Database;
use super::disk::Disk;
use super::grown::SITE;
use super::kartra::{PRODUCT, Webhooks};
use super::report::{Table, Target};
use super::server::Server;
use super::{Arguments, load};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long between two looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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
    let process = server.process();
    table.bounded("memory with nothing to do", process.memory_mb()?, "MB", Target::AtMost(30.0));
    server.ask("POST", &format!("{SITE}/levels"), &json!({ "id": "gold" }))?;
    server.ask(
        "POST",
        &format!("{SITE}/mappings"),
        &json!({ "product_id": PRODUCT, "level": "gold" }),
    )?;
    server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    let webhooks = Webhooks::new();
    let request = || server.webhook(webhooks.next());
    load::all(&server.address, arguments.connections, arguments.backlog, request)?;

    let disk = Disk::of(database, &server)?;
    process.forget_peak()?;
    let written = disk.written()?;
    let (cpu, memory) = (process.cpu_seconds()?, process.memory_mb()?);
    let began = Instant::now();
    server.ask("PATCH", SITE, &json!({ "enabled": true }))?;
    while is_behind(&server)? {
        std::thread::sleep(LOOK_EVERY);
    }
    let seconds = began.elapsed().as_secs_f64();
    let written = disk.written()? - written;
    let backlog = load::count(u64::try_from(arguments.backlog)?);
    table.note("webhooks of a backlog applied a second", backlog / seconds, "/s");
    table.ratio("… to (b)", backlog / seconds / inserts, Target::AtLeast(0.10));
    let cpu = (process.cpu_seconds()? - cpu) / backlog * 1_000.0;
    table.note("CPU seconds of the server to apply 1,000 webhooks", cpu, "s");
    if let Some(syncs) = written.syncs {
        table.note("fsyncs to apply 1,000 webhooks", syncs / backlog * 1_000.0, "");
    }
    table.note(format!("{} to apply one webhook", disk.bytes_of()), written.bytes / backlog, "B");
    table.note("memory before a backlog of this length is applied", memory, "MB");
    table.bounded("… and at most while it is", process.peak_mb()?, "MB", Target::AtMost(150.0));
    Ok(())
}

fn is_behind(server: &Server) -> anyhow::Result<bool> {
    let path = format!("{SITE}/webhooks?status=pending&limit=1");
    let pending = server.ask("GET", &path, &Value::Null)?;
    Ok(pending["items"].as_array().is_some_and(|items| !items.is_empty()))
}
