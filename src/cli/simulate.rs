//! `latchkey simulate`: sends the life stories of invented members, as Kartra would.

mod check;
mod expect;
mod host;
mod pace;
mod say;
mod send;
mod site;
mod values;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{Days, NaiveTime};
use reqwest::{Client, Url};

use super::{EXIT_FAILED, EXIT_FOUND, EXIT_USAGE, bars};
use crate::clock::Clock;
use crate::core::Instant;
use crate::core::event::Vouched;
use crate::first_start::DEFAULT_TIME_ZONE;
use crate::simulate::{MEMBERS_MAX, Plan, Rules, addresses, stories_end};
use check::{Comparison, compare};
use expect::{Question, Summary, summary};
use send::{Run, Tally};
use site::{Key, Site};

/// Send the life stories of invented members to a webhook URL, as Kartra would.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct Simulate {
    /// The webhook URL to send to, as `latchkey serve` prints it
    #[arg(long, value_name = "URL", value_parser = host::webhook_url)]
    to: Url,
    /// How many members to invent
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MEMBERS_MAX)))]
    members: u32,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Messages per second, at most; without it, as fast as they are taken
    #[arg(long, value_name = "PER_SECOND", value_parser = values::rate)]
    rate: Option<f64>,
    /// Send all messages in any order at all
    #[arg(long)]
    shuffle: bool,
    /// The share of messages that are sent twice
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = values::share)]
    duplicate: f64,
    /// The share of members whose site has the IPN beside the outbound API; only the IPN tells of rebills, failed
    /// payments and chargebacks
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = values::share)]
    ipn: f64,
    /// The share of messages that are never sent
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = values::share)]
    loss: f64,
    /// The `secret_key` that the IPN carries
    #[arg(long, value_name = "SECRET")]
    ipn_secret: Option<String>,
    /// Connections to send over
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Say what access should result at this instant (RFC 3339), instead of now. Without --check the default policy and
    /// time zone are assumed, and that each product gives a level named after it, such as product-557920
    #[arg(long, value_name = "T", value_parser = values::instant)]
    at: Option<Instant>,
    /// Write that down, one JSON line for each address, in the spelling of the API's `members/{member}/access`
    #[arg(long, value_name = "FILE", value_parser = values::file)]
    expected: Option<PathBuf>,
    /// Wait until the site has applied everything, and compare what it answers about each member with what access should
    /// result by its own policy and mappings: exit 1 on a difference
    #[arg(long)]
    check: bool,
    /// The file of an API key with the scope `manage`, for --check; without it, the variable `LATCHKEY_KEY`
    #[arg(long, value_name = "FILE", requires = "check")]
    key_file: Option<PathBuf>,
    /// Seconds that --check waits for the site to apply everything
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "check")]
    wait: u64,
    /// Send to a public host, too
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What came of a run, besides what became of the messages.
#[derive(Debug)]
struct Outcome {
    summary: Summary,
    comparison: Option<Comparison>,
}

/// When the messages were sent.
#[derive(Debug, Clone, Copy)]
struct Sending {
    began: Instant,
    ended: Instant,
}

impl Simulate {
    /// Sends everything and prints what became of it, what should, and how that compares.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let refused = |refusal: String| -> anyhow::Result<ExitCode> {
            writeln!(std::io::stderr(), "{refusal}")?;
            Ok(ExitCode::from(EXIT_USAGE))
        };
        let client = match host::client(&self.to, self.yes).await? {
            Ok(client) => client,
            Err(refusal) => return refused(refusal),
        };
        // Whatever keeps from comparing is better heard before anything is sent.
        let site = match self.check.then(|| Key::given(self.key_file.as_deref())) {
            None => None,
            Some(Err(refusal)) => return refused(refusal),
            Some(Ok(key)) => Some(self.site(client.clone(), key).await?),
        };
        let file = self.expected.clone().map(|path| anyhow::Ok((expect::create(&path)?, path)));
        let file = file.transpose()?;
        let began = self.now(site.as_ref()).await?;
        let (to, plan, bar) = (self.to.clone(), self.plan(), bars::bar("messages"));
        let run = Run::new(client, to, plan, self.connections, self.rate, bar);
        let tally = run.send_all().await?;
        let outcome = if tally.is_complete() {
            let sending = Sending { began, ended: self.now(site.as_ref()).await? };
            self.outcome(site, sending, &tally, file).await.map(Some)
        } else {
            // What was told is not known.
            Ok(None)
        };
        self.say(&tally, outcome.as_ref().ok().and_then(Option::as_ref))?;
        Ok(match outcome? {
            None => ExitCode::from(EXIT_FAILED),
            Some(outcome) if outcome.is_as_expected() => ExitCode::SUCCESS,
            Some(_) => ExitCode::from(EXIT_FOUND),
        })
    }

    fn plan(&self) -> Plan {
        Plan {
            members: self.members,
            seed: self.seed,
            shuffle: self.shuffle,
            duplicate: self.duplicate,
            ipn: self.ipn,
            loss: self.loss,
            secret: self.ipn_secret.clone(),
        }
    }

    /// The site to compare with, if it can be.
    async fn site(&self, client: Client, key: Key) -> anyhow::Result<Site> {
        let site = Site::find(client, &self.to, key).await.context("--check")?;
        let (now, end) = (self.now(Some(&site)).await?, stories_end());
        // A day more than any zone is behind.
        if now.naive_utc() < (end + Days::new(1)).and_time(NaiveTime::MIN) {
            bail!(
                "--check: the stories reach until {end} and the site's clock stands at {now}; what is dated later than \
                 its receipt occurs at its receipt, so nothing can be compared before"
            );
        }
        Ok(site)
    }

    /// Now by the clock that stamps what is received; by this machine's where no site is asked.
    async fn now(&self, site: Option<&Site>) -> anyhow::Result<Instant> {
        let Some(site) = site else { return Ok(Clock::system().now()) };
        let email = addresses(&self.plan(), 0).into_iter().next().unwrap_or_default();
        Ok(site.access(&email, None).await.context("--check")?.at)
    }

    /// What access should result from what was told, and whether the site answers so.
    async fn outcome(
        &self,
        site: Option<Site>,
        sending: Sending,
        tally: &Tally,
        file: Option<(File, PathBuf)>,
    ) -> anyhow::Result<Outcome> {
        let Some(site) = site else {
            let at = self.at.unwrap_or(sending.ended);
            let checked = if self.ipn_secret.is_some() { Vouched::Ipn } else { Vouched::Unchecked };
            let ipn = (!tally.has_rejected()).then_some(checked);
            let question = self.question(Rules::assumed(DEFAULT_TIME_ZONE, ipn), sending, at);
            let summary = self.summary(question, file).await?;
            return Ok(Outcome { summary, comparison: None });
        };
        let waiting = bars::spinner("waiting until the site has applied everything");
        let within = Duration::from_secs(self.wait);
        let applied = site.applied(sending.ended, within, || waiting.tick()).await;
        waiting.finish_and_clear();
        applied.context("not compared")?;
        let rules = site.rules(tally.has_rejected()).await.context("not compared")?;
        let at = match self.at {
            Some(at) if (sending.began..sending.ended).contains(&at) => {
                bail!(
                    "not compared: --at {at} lies within the sending, and not all was told by then"
                )
            }
            Some(at) => at,
            None => self.now(Some(&site)).await?,
        };
        let question = self.question(rules, sending, at);
        let summary = self.summary(question.clone(), file).await?;
        let bar = bars::bar("members compared");
        let comparison = compare(&site, question, self.at, self.connections, &bar).await;
        Ok(Outcome { summary, comparison: Some(comparison.context("not compared")?) })
    }

    /// What is no money occurs at its receipt, so that counts.
    fn question(&self, rules: Rules, sending: Sending, at: Instant) -> Question {
        let received_at = match self.at {
            None => at,
            Some(at) if at < sending.began => sending.began,
            Some(_) => sending.ended,
        };
        Question { plan: self.plan(), rules, received_at, at }
    }

    async fn summary(
        &self,
        question: Question,
        file: Option<(File, PathBuf)>,
    ) -> anyhow::Result<Summary> {
        let bar = bars::bar("members worked out");
        tokio::task::spawn_blocking(move || summary(&question, file, &bar)).await?
    }
}

impl Outcome {
    fn is_as_expected(&self) -> bool {
        self.comparison.as_ref().is_none_or(Comparison::is_equal)
    }
}
