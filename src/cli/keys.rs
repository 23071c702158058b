//! `latchkey keys`: made, listed and revoked without a running daemon, and without a key.

use crate::api::keys::{Create, KeyView, make};
use crate::core::Instant;
use crate::core::scope::Scope;
use crate::settings::Settings;
use crate::store::keys;
use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Keys that are read from the database at once.
const KEYS_AT_ONCE: i64 = 500;

/// Make, list or revoke API keys.
#[derive(Debug, clap::Args)]
pub struct Keys {
    #[command(subcommand)]
    what: What,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key; it is printed once
    Create(New),
    /// List the keys, newest first
    List,
    /// Revoke a key: it is refused everywhere within a second
    Revoke {
        /// The key's id, as `latchkey keys list` gives it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// What people call it
    #[arg(long)]
    name: String,
    /// What it may do: read, support, manage, admin; each contains those before it
    #[arg(long, value_parser = scope, value_delimiter = ',', required = true)]
    scope: Vec<Scope>,
    /// The one site that it opens; without it, all of them
    #[arg(long)]
    site: Option<String>,
    /// When it ends (RFC 3339); without it, never
    #[arg(long, value_name = "T")]
    expires_at: Option<Instant>,
}

impl Keys {
    /// Does what was asked, on the configured database.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let flow = super::open(settings)?;
        match self.what {
            What::Create(new) => {
                let New { name, scope: scopes, site, expires_at } = new;
                let asked = Create { name, scopes, site, expires_at };
                let now = flow.clock().now();
                let made = flow.store().write(|conn| make(conn, asked, now));
                let made = made.map_err(|problem| anyhow!(problem.in_words()))?;
                if self.json { print(&made) } else { say(&made.key) }?;
            }
            What::List => {
                let keys = all(&flow)?;
                if self.json { print(&keys) } else { table(&keys) }?;
            }
            What::Revoke { id } => {
                if !flow.store().write(|conn| keys::delete(conn, &id))? {
                    bail!("there is no key {id}; `latchkey keys list` lists them");
                }
                if !self.json {
                    say("Revoked.")?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn all(flow: &crate::flow::Flow) -> anyhow::Result<Vec<KeyView>> {
    let mut found: Vec<KeyView> = Vec::new();
    loop {
        let before = found.last().map(|key| key.id().to_owned());
        let batch =
            flow.store().read(|conn| keys::list(conn, None, before.as_deref(), KEYS_AT_ONCE))?;
        if batch.is_empty() {
            return Ok(found);
        }
        found.extend(batch.into_iter().map(KeyView::from));
    }
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::named(word).ok_or_else(|| "must be read, support, manage or admin".to_owned())
}

fn print(result: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(result)?)
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("stdout")
}

fn table(keys: &[KeyView]) -> anyhow::Result<()> {
    keys.iter().try_for_each(|key| say(&key.line()))
}
