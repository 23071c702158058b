//! `latchkey migrate`: the schema, and nothing else.

use crate::settings::Settings;
use crate::store::Store;
use secrecy::ExposeSecret;
use std::io::Write;
use std::process::ExitCode;

/// Bring the database up to date.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    /// Runs what has not been run yet.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let store = Store::open(settings.database.url.expose_secret(), 1)?;
        let ran = store.migrate()?;
        let mut out = std::io::stdout().lock();
        match (self.json, ran.is_empty()) {
            (true, _) => writeln!(out, "{}", serde_json::json!({ "ran": ran }))?,
            (false, true) => writeln!(out, "The database is up to date.")?,
            (false, false) => writeln!(out, "Ran {}: the database is up to date.", ran.join(", "))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
