//! `latchkey mappings`: the rules of a site as a file. Exported, compared, and brought back.

mod apply;
mod file;
mod show;
mod text;

use super::{EXIT_USAGE, bars};
use crate::first_start::DEFAULT_SITE;
use crate::flow::settle::Bench;
use crate::flow::{Flow, FlowError};
use crate::settings::Settings;
use crate::store::conn::Conn;
use crate::store::{products, rules};
use anyhow::Context;
use clap::Subcommand;
use file::RulesFile;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Levels that are read from the database at once.
const LEVELS_AT_ONCE: i64 = 500;

/// Levels, mappings and the site's policy as a file.
#[derive(Debug, clap::Args)]
pub struct Mappings {
    #[command(subcommand)]
    what: What,
    /// The site
    #[arg(long, global = true, default_value = DEFAULT_SITE)]
    site: String,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the rules of the site as a commented TOML file
    Export {
        /// Where to; without it, to stdout
        #[arg(value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Show what a file would change, and who would gain and who would lose; nothing is changed
    Plan {
        /// The file; `-` is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the result as JSON, with every member
        #[arg(long)]
        json: bool,
    },
    /// Bring the site to what a file says; what the file does not name is removed
    Apply {
        /// The file; `-` is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Mappings {
    /// Does what was asked, on the configured database.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let site = &self.site;
        let of_site = || format!("site {site}");
        match self.what {
            What::Export { to } => {
                let text = export(&*super::open(settings)?, site).with_context(of_site)?;
                match to {
                    Some(path) => std::fs::write(&path, text)
                        .with_context(|| format!("cannot write {}", path.display()))?,
                    None => std::io::stdout().lock().write_all(text.as_bytes())?,
                }
            }
            What::Plan { file, json } => {
                let Some(wanted) = read(&file)? else { return Ok(ExitCode::from(EXIT_USAGE)) };
                let (flow, bar) = (super::open(settings)?, bars::bar("members compared"));
                let plan = apply::plan(&flow, site, &wanted, &bar).with_context(of_site)?;
                bar.finish_and_clear();
                show::plan(&plan, json)?;
            }
            What::Apply { file, json } => {
                let Some(wanted) = read(&file)? else { return Ok(ExitCode::from(EXIT_USAGE)) };
                let (flow, bar) = (super::open(settings)?, bars::bar("members computed again"));
                let applied = apply::apply(&flow, site, &wanted, &bar).with_context(of_site)?;
                bar.finish_and_clear();
                show::applied(&applied, json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads a file; `None` where it has faults, which are then told on stderr, each with its line.
#[expect(clippy::print_stderr, reason = "errors of commands go to stderr")]
fn read(path: &Path) -> anyhow::Result<Option<RulesFile>> {
    let mut text = String::new();
    let name = path.display();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    }
    match file::read(&text) {
        Ok(rules) => Ok(Some(rules)),
        Err(faults) => {
            faults.iter().for_each(|fault| eprintln!("latchkey: {name}, {fault}"));
            Ok(None)
        }
    }
}

fn export(flow: &Flow, site: &str) -> Result<String, FlowError> {
    flow.on_snapshot(site, |conn, bench| {
        let rules = as_they_are(conn, bench)?;
        let ids: Vec<String> = rules.mappings.iter().map(|m| m.product_id.clone()).collect();
        let known = products::with_ids(conn, site, &ids)?.into_iter();
        let names: BTreeMap<String, String> =
            known.filter_map(|product| Some((product.product_id, product.name?))).collect();
        Ok(text::write(&rules, &names))
    })
}

/// The rules of a site, as a file would say them.
fn as_they_are(conn: &mut Conn, bench: &Bench) -> Result<RulesFile, FlowError> {
    let mut levels = BTreeMap::new();
    let mut before = None;
    loop {
        let page = rules::list_levels(conn, &bench.site.id, before.take(), LEVELS_AT_ONCE)?;
        let Some(last) = page.last() else { break };
        before = Some((last.created_at, last.id.clone()));
        levels.extend(page.into_iter().map(|level| (level.id, level.name)));
    }
    let (policy, mappings) = (bench.site.policy.clone(), bench.book.mappings.to_vec());
    Ok(RulesFile { policy, levels, mappings })
}
