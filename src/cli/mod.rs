//! The commands: one file each.
//!
//! Exit codes: 0 done, 1 a check found something, 2 wrong usage, 3 could not do it.

mod bars;
mod explain;
mod keys;
mod mappings;
mod migrate;
mod rebuild;
mod serve;
mod simulate;

use crate::app;
use crate::clock::Clock;
use crate::core::grant::Core;
use crate::flow::Flow;
use crate::settings::Settings;
use crate::telemetry;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// A check found something.
const EXIT_FOUND: u8 = 1;
/// Wrong usage, wrong settings included.
const EXIT_USAGE: u8 = 2;
/// It could not be done.
const EXIT_FAILED: u8 = 3;

/// Keeps the doors of a membership site in step with what Kartra sells.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    /// Settings file to read instead of config/local.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (this is what happens without a command)
    Serve(serve::Serve),
    /// Bring the database up to date, and do nothing else
    Migrate(migrate::Migrate),
    /// Compute all access anew from the events, or only compare
    Rebuild(rebuild::Rebuild),
    /// Say why a person has what they have
    Explain(explain::Explain),
    /// Levels, mappings and the site's policy as a file: export, plan, apply
    Mappings(mappings::Mappings),
    /// Make, list or revoke API keys
    Keys(keys::Keys),
    /// Send the life stories of invented members to a webhook URL, as Kartra would
    Simulate(simulate::Simulate),
}

impl Cli {
    /// Runs the command; an error says what to do next, on stderr.
    pub fn run(self) -> ExitCode {
        let command = self.command.unwrap_or_else(|| Command::Serve(serve::Serve::default()));
        let overrides = match &command {
            Command::Serve(serve) => serve.overrides(),
            _ => Vec::new(),
        };
        let settings = match Settings::load(self.config.as_deref(), &overrides) {
            Ok(settings) => settings,
            Err(error) => return failed(&error.into(), EXIT_USAGE),
        };
        telemetry::start(&settings.log);
        let done = match command {
            Command::Serve(_) => serve::Serve::run(&settings),
            Command::Migrate(migrate) => migrate.run(&settings),
            Command::Rebuild(rebuild) => rebuild.run(&settings),
            Command::Explain(explain) => explain.run(&settings),
            Command::Mappings(mappings) => mappings.run(&settings),
            Command::Keys(keys) => keys.run(&settings),
            Command::Simulate(simulate) => on_runtime(simulate.run()),
        };
        done.unwrap_or_else(|error| failed(&error, EXIT_FAILED))
    }
}

#[expect(clippy::print_stderr, reason = "errors of commands go to stderr")]
fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("latchkey: {error:#}");
    ExitCode::from(code)
}

fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The flow over the configured database, whether the daemon runs or not.
fn open(settings: &Settings) -> anyhow::Result<Arc<Flow>> {
    app::open(settings, Clock::system(), Core::CURRENT)
}
