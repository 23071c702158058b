//! Everything of a grown site made again, in a process of its own.

use super::grown::{Grown, SITE};
use super::process::Process;
use super::report::{Table, Target};
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Measures how long it takes, and how much memory.
pub fn measure(grown: &Grown<'_>, table: &mut Table) -> anyhow::Result<()> {
    grown.server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    let log = std::fs::File::create(format!("{}/rebuild.log", grown.directory()?))?;
    let began = Instant::now();
    let mut rebuild = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    rebuild.arg("rebuild").stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    let mut child = grown.server.as_its_own(&mut rebuild, &grown.fresh.url).spawn()?;
    let process = Process(child.id());
    let mut peak: f64 = 0.0;
    let status = loop {
        peak = process.peak_mb().unwrap_or(0.0).max(peak);
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    anyhow::ensure!(status.success(), "rebuild failed; see {}/rebuild.log", grown.directory()?);
    table.note("`latchkey rebuild` of all of it", began.elapsed().as_secs_f64() / 60.0, "min");
    table.bounded("memory of `latchkey rebuild` at most", peak, "MB", Target::AtMost(200.0));
    grown.server.ask("PATCH", SITE, &json!({ "enabled": true }))?;
    Ok(())
}
