//! `latchkey explain`: why a person has what they have, in sentences.

use crate::api::{AccessView, answer_of};
use crate::core::Instant;
use crate::core::explain::sentences;
use crate::core::kartra::values::email;
use crate::first_start::DEFAULT_SITE;
use crate::flow::FlowError;
use crate::settings::Settings;
use crate::store::members;
use anyhow::Context;
use std::io::Write;
use std::process::ExitCode;

/// Say why a person has what they have.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The person's e-mail address
    #[arg(value_name = "E-MAIL", value_parser = address)]
    email: String,
    /// Only about this level
    #[arg(long)]
    level: Option<String>,
    /// At this instant (RFC 3339), instead of now
    #[arg(long, value_name = "T")]
    at: Option<Instant>,
    /// The site
    #[arg(long, default_value = DEFAULT_SITE)]
    site: String,
    /// Print the answer as JSON, as the API gives it
    #[arg(long)]
    json: bool,
}

impl Explain {
    /// Answers on stdout.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let flow = super::open(settings)?;
        let (member, answer) = flow
            .on_snapshot(&self.site, |conn, bench| {
                let member = members::with_email(conn, &self.site, &self.email)?;
                let at = self.at.unwrap_or(bench.at);
                Ok::<_, FlowError>((member, answer_of(conn, bench, &self.email, at)?))
            })
            .with_context(|| format!("site {}", self.site))?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let (id, version) = member.map_or((None, 0), |m| (Some(m.id), m.version));
            let view = AccessView::of(id, self.email, version, &answer);
            writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        for sentence in sentences(&self.email, &answer, self.level.as_deref()) {
            writeln!(out, "{sentence}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn address(text: &str) -> Result<String, String> {
    email(text).ok_or_else(|| "must be an e-mail address".to_owned())
}
