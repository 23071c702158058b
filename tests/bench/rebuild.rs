//! Everything of a grown site made again, in a process of its own, while webhooks come to it.

use super::grown::Grown;
use super::load;
use super::process::Process;
use super::report::{Table, Target};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Webhooks that come a second meanwhile, over so many connections.
const WEBHOOKS_A_SECOND: f64 = 20.0;
const CONNECTIONS: usize = 8;
/// Seconds between two looks at the process.
const LOOK_EVERY: f64 = 0.5;
/// The longest that whoever sends a webhook should wait meanwhile, in milliseconds: the daemon and the rebuild take
/// turns at the database.
const PAUSE_MS_MAX: f64 = 1_000.0;

/// Measures how long it takes, how much memory, and how long answers to webhooks take meanwhile.
pub fn measure(grown: &Grown<'_>, table: &mut Table) -> anyhow::Result<()> {
    let server = &grown.server;
    let log = std::fs::File::create(format!("{}/rebuild.log", grown.directory()?))?;
    let began = Instant::now();
    let mut rebuild = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    rebuild.arg("rebuild").stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    let mut child = server.as_its_own(&mut rebuild, &grown.fresh.url).spawn()?;
    let process = Process(child.id());
    let (mut peak, mut answers): (f64, _) = (0.0, load::histogram());
    let status = loop {
        peak = process.peak_mb().unwrap_or(0.0).max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let request = || server.webhook(grown.webhooks.next());
        let came =
            load::open(&server.address, CONNECTIONS, LOOK_EVERY, WEBHOOKS_A_SECOND, request)?;
        answers.add(&came.latencies)?;
    };
    anyhow::ensure!(status.success(), "rebuild failed; see {}/rebuild.log", grown.directory()?);
    table.note("`latchkey rebuild` of all of it", began.elapsed().as_secs_f64() / 60.0, "min");
    table.bounded("memory of `latchkey rebuild` at most", peak, "MB", Target::AtMost(200.0));
    table.latencies("20 webhooks a second meanwhile", &answers);
    let answers = load::Loaded { seconds: began.elapsed().as_secs_f64(), latencies: answers };
    let most = Target::AtMost(PAUSE_MS_MAX);
    table.bounded("longest answer to a webhook meanwhile", answers.millis(1.0), "ms", most);
    grown.drained()
}
