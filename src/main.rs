//! Parses the command line, and leaves the rest to the command.

use clap::Parser;
use latchkey::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run()
}
