//! `cargo bench`: what Latchkey costs on this machine, each figure as a ratio to a yardstick of the same run.
//!
//! The program that is measured is the real one, in a process of its own, over loopback. Seconds mean little
//! from one machine to the next; ratios to what the same machine does in the same minutes mean something.
//!
//! Flags come behind two dashes, as in `cargo bench -- --seconds 3 --json figures.json`; `--help` names them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that meets what it does not expect has failed"
)]

mod application;
mod database;
mod disk;
mod intake;
mod process;
mod reads;
mod report;
mod server;
#[path = "../shared/mod.rs"]
mod shared;
mod yardsticks;

use anyhow::Context;
use clap::Parser;
use database::Database;
use report::{Report, Table};
use shared::{http, kartra, load};
use std::path::PathBuf;

/// What Latchkey costs on this machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "cargo bench --")]
pub struct Arguments {
    /// Seconds of each measurement under load
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Connections that send at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Webhooks that are applied in one go
    #[arg(long, default_value_t = 20_000)]
    backlog: usize,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the databases lie while it runs; the disk that is there is measured
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// Serve without storing webhooks: a yardstick, in a process of its own
    #[arg(long, hide = true, value_name = "DATABASE")]
    serve_unstored: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(url) = &arguments.serve_unstored {
        return server::serve_unstored(url);
    }
    let mut report = Report::default();
    measure(&arguments, &Database::Sqlite, &mut report)?;
    if let Some(database) = Database::postgres(&arguments.directory)? {
        measure(&arguments, &database, &mut report)?;
    }
    report.print();
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, database: &Database, report: &mut Report) -> anyhow::Result<()> {
    let mut table = Table::of(database.name());
    let bare = intake::measure(arguments, database, &mut table)?;
    let applied = application::measure(arguments, database, bare, &mut table)?;
    reads::measure(arguments, &applied, &mut table)?;
    report.add(table);
    Ok(())
}
