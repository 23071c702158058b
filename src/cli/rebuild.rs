//! `latchkey rebuild`: all that is derived, made again or compared.

use super::EXIT_FOUND;
use crate::flow::Flow;
use crate::flow::rebuild::{Discrepancy, check, rebuild};
use crate::settings::Settings;
use crate::store::sites;
use indicatif::ProgressBar;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// How many sites are asked for at once.
const SITES_AT_ONCE: i64 = 500;

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
            None => all_sites(&flow)?,
        };
        let mut found = Vec::new();
        for site in &sites {
            if self.check {
                let of_site = check(&flow, site)?;
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

fn all_sites(flow: &Flow) -> anyhow::Result<Vec<String>> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let batch = flow.store().read(|conn| sites::list(conn, before.clone(), SITES_AT_ONCE))?;
        let Some(last) = batch.last() else {
            return Ok(ids);
        };
        before = Some((last.created_at.naive_utc(), last.id.clone()));
        ids.extend(batch.into_iter().map(|site| site.id));
    }
}

fn rebuild_with_progress(flow: &Flow, site: &str) -> anyhow::Result<()> {
    let progress = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    rebuild(flow, site, |pass, done| {
        progress.set_message(format!("{site}: {done} {}", pass.as_str()));
        progress.tick();
    })?;
    progress.finish_and_clear();
    Ok(())
}
