//! `latchkey rebuild`: all that is derived, made again or compared.

use super::{EXIT_FOUND, bars};
use crate::flow::Flow;
use crate::flow::check::{Discrepancy, Step, check_with_progress};
use crate::flow::rebuild::rebuild;
use crate::settings::Settings;
use crate::store::sites;
use indicatif::ProgressBar;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;

/// Compute all access anew from the events.
#[derive(Debug, clap::Args)]
pub struct Rebuild {
    /// Only compare; exit 1 on a difference
    #[arg(long)]
    check: bool,
    /// Only this site
    #[arg(long)]
    site: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    /// Rebuilds or checks each site.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let flow = super::open(settings)?;
        let sites = match &self.site {
            Some(site) => vec![site.clone()],
            None => flow.store().read(sites::ids)?,
        };
        let mut found = Vec::new();
        for site in &sites {
            if self.check {
                let of_site = checked_with_progress(&flow, site)?;
                found.extend(of_site.into_iter().map(|discrepancy| (site.clone(), discrepancy)));
            } else {
                rebuild_with_progress(&flow, site)?;
            }
        }
        self.report(&sites, &found)?;
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
    }

    fn report(&self, sites: &[String], found: &[(String, Discrepancy)]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            let rows: Vec<_> = found
                .iter()
                .map(|(site, d)| json!({ "site": site, "what": d.what, "id": d.id, "detail": d.detail }))
                .collect();
            let result = json!({ "sites": sites, "checked": self.check, "differences": rows });
            writeln!(out, "{result}")?;
            return Ok(());
        }
        for (site, d) in found {
            writeln!(out, "{site}: {} {} {}", d.what, d.id, d.detail)?;
        }
        let count = sites.len();
        match (self.check, found.len()) {
            (false, _) => writeln!(out, "Rebuilt {count} site(s).")?,
            (true, 0) => {
                writeln!(out, "Checked {count} site(s): everything is as the events say.")?;
            }
            (true, differences) => writeln!(
                out,
                "Checked {count} site(s): {differences} difference(s). `latchkey rebuild` makes them good."
            )?,
        }
        Ok(())
    }
}

fn rebuild_with_progress(flow: &Flow, site: &str) -> anyhow::Result<()> {
    let bar = bars::bar("{msg}");
    rebuild(flow, site, |pass, done, all| show(&bar, site, pass.as_str(), done, all))?;
    bar.finish_and_clear();
    Ok(())
}

fn checked_with_progress(flow: &Flow, site: &str) -> anyhow::Result<Vec<Discrepancy>> {
    let bar = bars::bar("{msg}");
    let found = check_with_progress(flow, site, |step, done, all| {
        let what = match step {
            Step::Read => "webhooks read",
            Step::Compare => "webhooks compared",
        };
        show(&bar, site, what, done, all);
    })?;
    bar.finish_and_clear();
    Ok(found)
}

/// Shows how far a step has come; a step that begins starts anew.
fn show(bar: &ProgressBar, site: &str, what: &str, done: usize, all: usize) {
    let message = format!("{what} of {site}");
    if bar.message() != message {
        bar.reset();
        bar.set_message(message);
    }
    bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
    bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
}
