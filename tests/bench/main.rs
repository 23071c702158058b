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

mod ageing;
mod application;
mod cpu;
mod database;
mod disk;
mod full_load;
mod grown;
mod growth;
mod half;
mod intake;
mod pages;
mod plans;
mod process;
mod pushes;
mod reads;
mod rebuild;
mod report;
mod server;
#[path = "../shared/mod.rs"]
mod shared;
mod sink;
mod yardsticks;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use cpu::Machine;
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
    #[arg(long, default_value_t = 50_000)]
    backlog: usize,
    /// Members of the site that has grown large
    #[arg(long, default_value_t = 1_000_000)]
    members: u32,
    /// Webhooks of the site that has grown large, where they are more than its members: the others are rebills,
    /// as many of each member
    #[arg(long, default_value_t = 0)]
    events: usize,
    /// Fill the site that grows with webhooks whose bodies are gone, as if they had aged out
    #[arg(long)]
    without_bodies: bool,
    /// Members whom a plan is about
    #[arg(long, default_value_t = 100_000)]
    plan_members: u32,
    /// Webhooks whose bodies have aged, where it is measured how they age out; four times as many changes have
    #[arg(long, default_value_t = 200_000)]
    aged: usize,
    /// Pushes that are made in one go
    #[arg(long, default_value_t = 20_000)]
    pushes: usize,
    /// Measure only these parts
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    only: Vec<Part>,
    /// Measure only on these databases
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    on: Vec<Kind>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// End with an error where a bound was missed
    #[arg(long)]
    strict: bool,
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

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Webhooks received, stored, committed and answered
    Intake,
    /// A backlog of them applied (with the intake that it is compared with)
    Application,
    /// A site that grows, and reads of it
    Growth,
    /// Pages of the console at the grown site
    Pages,
    /// Everything of the grown site made again
    Rebuild,
    /// Bodies and changes that age out, beside the intake
    Ageing,
    /// A plan over many members, beside the webhooks
    Plan,
    /// Pushes to destinations
    Pushes,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Intake,
        Self::Application,
        Self::Growth,
        Self::Pages,
        Self::Rebuild,
        Self::Ageing,
        Self::Plan,
        Self::Pushes,
    ];
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A file
    Sqlite,
    /// A server
    Postgres,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(url) = &arguments.serve_unstored {
        return server::serve_unstored(url);
    }
    let mut report = Report::default();
    if arguments.on.contains(&Kind::Sqlite) {
        measure(&arguments, &Database::Sqlite, &mut report)?;
    }
    if arguments.on.contains(&Kind::Postgres)
        && let Some(database) = Database::postgres(&arguments.directory)?
    {
        measure(&arguments, &database, &mut report)?;
    }
    report.print();
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&report.json())?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let missed = report.missed();
    ensure!(!arguments.strict || missed.is_empty(), "missed:\n  {}", missed.join("\n  "));
    Ok(())
}

fn measure(arguments: &Arguments, database: &Database, report: &mut Report) -> anyhow::Result<()> {
    let (mut table, before) = (Table::of(database.name()), Machine::now()?);
    let has = |part| arguments.only.contains(&part);
    if has(Part::Intake) || has(Part::Application) {
        let bare = intake::measure(arguments, database, &mut table)?;
        if has(Part::Application) {
            application::measure(arguments, database, bare, &mut table)?;
        }
    }
    if has(Part::Growth) || has(Part::Pages) || has(Part::Rebuild) {
        let grown = if has(Part::Growth) {
            let grown = growth::measure(arguments, database, &mut table)?;
            reads::measure(arguments, database, &grown, &mut table)?;
            grown
        } else {
            growth::filled(arguments, database)?
        };
        if has(Part::Pages) {
            pages::measure(arguments, database, &grown, &mut table)?;
        }
        if has(Part::Rebuild) {
            rebuild::measure(&grown, &mut table)?;
        }
    }
    if has(Part::Ageing) {
        ageing::measure(arguments, database, &mut table)?;
    }
    if has(Part::Plan) {
        plans::measure(arguments, database, &mut table)?;
    }
    if has(Part::Pushes) {
        pushes::measure(arguments, database, &mut table)?;
    }
    let stolen = Machine::now()?.stolen_since(before);
    table.note("of the time of all processors, the host gave to others meanwhile", stolen, "%");
    report.add(table);
    Ok(())
}
