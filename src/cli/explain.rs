//! `latchkey explain`: why a person has what they have, in sentences.

use crate::api::{AccessView, answer_of};
use crate::core::Instant;
use crate::core::access::Answer;
use crate::core::explain::{Names, sentences};
use crate::core::kartra::values::email;
use crate::first_start::DEFAULT_SITE;
use crate::flow::FlowError;
use crate::settings::Settings;
use crate::store::members::{self, Member};
use crate::store::rules;
use anyhow::{Context, bail};
use std::io::Write;
use std::process::ExitCode;

/// Say why a person has what they have.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The person's e-mail address
    #[arg(value_name = "E-MAIL", value_parser = address)]
    email: String,
    /// Only about this level: its id, or its name
    #[arg(long)]
    level: Option<String>,
    /// At this instant (RFC 3339), past or future, instead of now
    #[arg(long, value_name = "T")]
    at: Option<Instant>,
    /// The site
    #[arg(long, default_value = DEFAULT_SITE)]
    site: String,
    /// Print the answer as JSON, as the API gives it
    #[arg(long)]
    json: bool,
}

/// What is known of whom was asked about.
struct Found {
    member: Option<Member>,
    answer: Answer,
    names: Names,
}

impl Explain {
    /// Answers on stdout.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let Found { member, answer, names } = self.find(settings)?;
        let level = self.level.as_deref().map(|level| known(&names, level)).transpose()?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let (id, version) = member.map_or((None, 0), |m| (Some(m.id), m.version));
            let view = AccessView::of(id, self.email, version, &answer);
            writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        for sentence in sentences(&self.email, &answer, &names, level) {
            writeln!(out, "{sentence}")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn find(&self, settings: &Settings) -> anyhow::Result<Found> {
        let found = super::open(settings)?.on_snapshot(&self.site, |conn, bench| {
            let at = self.at.unwrap_or(bench.at);
            Ok::<_, FlowError>(Found {
                member: members::with_email(conn, &self.site, &self.email)?,
                answer: answer_of(conn, bench, &self.email, at)?,
                names: rules::level_names(conn, &self.site)?,
            })
        });
        found.with_context(|| format!("site {}", self.site))
    }
}

/// The id of the level that an operator names.
fn known<'a>(names: &'a Names, level: &str) -> anyhow::Result<&'a str> {
    let named = |(id, name): &(&String, &String)| *id == level || name.eq_ignore_ascii_case(level);
    let by_id = names.get_key_value(level);
    if let Some((id, _)) = by_id.or_else(|| names.iter().find(named)) {
        return Ok(id);
    }
    if names.is_empty() {
        bail!("there is no level {level}: this site has none yet");
    }
    let ids: Vec<&str> = names.keys().map(String::as_str).collect();
    bail!("there is no level {level}; the levels of this site are {}", ids.join(", "))
}

fn address(text: &str) -> Result<String, String> {
    email(text).ok_or_else(|| "must be an e-mail address".to_owned())
}
