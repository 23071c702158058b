//! `latchkey simulate`: sends the life stories of invented members, as Kartra would.

mod send;

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;

use crate::simulate::{MEMBERS_MAX, Plan};
use send::{Run, Tally};

/// Wrong usage: the host is not one to simulate against.
const EXIT_USAGE: u8 = 2;
/// Some messages were not accepted.
const EXIT_FAILED: u8 = 3;

/// Send the life stories of invented members to a webhook URL, as Kartra would.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// The webhook URL to send to, as `latchkey serve` prints it
    #[arg(long, value_name = "URL", value_parser = webhook_url)]
    to: Url,
    /// How many members to invent
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MEMBERS_MAX)))]
    members: u32,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Messages per second, at most; without it, as fast as they are taken
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// Send all messages in any order at all
    #[arg(long)]
    shuffle: bool,
    /// The share of messages that are sent twice
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    duplicate: f64,
    /// The share of members whose site has the IPN beside the outbound API; only the IPN tells of rebills, failed
    /// payments and chargebacks
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = share)]
    ipn: f64,
    /// The `secret_key` that the IPN carries
    #[arg(long, value_name = "SECRET")]
    ipn_secret: Option<String>,
    /// Connections to send over
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Send to a public host, too
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Simulate {
    /// Sends everything and prints what became of it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let client = match self.client().await? {
            Ok(client) => client,
            Err(refusal) => {
                writeln!(std::io::stderr(), "{refusal}")?;
                return Ok(ExitCode::from(EXIT_USAGE));
            }
        };
        let plan = Plan {
            members: self.members,
            seed: self.seed,
            shuffle: self.shuffle,
            duplicate: self.duplicate,
            ipn: self.ipn,
            secret: self.ipn_secret.clone(),
        };
        let run = Run::new(client, self.to.clone(), plan, self.connections, self.rate, progress());
        let tally = run.send_all().await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", tally.json())?;
        } else {
            self.print(&mut out, &tally)?;
        }
        for line in self.advice(&tally) {
            writeln!(std::io::stderr(), "{line}")?;
        }
        let accepted = tally.failed() == 0 && tally.unsent == 0;
        Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }

    /// A client that speaks to this host only; or why it must not be spoken to.
    async fn client(&self) -> anyhow::Result<Result<reqwest::Client, String>> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(send::ANSWER_WITHIN)
            // Well before a server closes a silent connection: what is sent into its closing is lost.
            .pool_idle_timeout(send::CONNECTION_IDLE_MAX)
            .user_agent(concat!("latchkey-simulate/", env!("CARGO_PKG_VERSION")));
        if self.yes {
            return Ok(Ok(builder.build()?));
        }
        let host = self.to.host_str().unwrap_or_default().to_owned();
        let addresses = addresses(&self.to).await?;
        if let Some(public) = addresses.iter().find(|a| !is_near(a.ip())) {
            let ip = public.ip().to_string();
            let named = if host == ip { ip } else { format!("{host} ({ip})") };
            return Ok(Err(format!(
                "{named} is a public host, and a simulation fills it with invented members; if you mean it, say --yes"
            )));
        }
        // What was judged is what is spoken to, whatever the name resolves to the next time.
        Ok(Ok(builder.resolve_to_addrs(&host, &addresses).build()?))
    }

    fn print(&self, out: &mut impl Write, tally: &Tally) -> std::io::Result<()> {
        let (sent, seconds) = (tally.sent(), tally.seconds);
        let members = self.members;
        writeln!(out, "Sent {sent} messages about {members} members in {seconds:.1} seconds.")?;
        for (reading, count) in &tally.readings {
            writeln!(out, "  {count:>9}  {reading}")?;
        }
        if tally.duplicates > 0 {
            writeln!(out, "  {:>9}  of these were sent before", tally.duplicates)?;
        }
        if tally.waited > 0 {
            let waited = tally.waited;
            writeln!(out, "  {waited:>9}  times waited, as a 503 asked to")?;
        }
        writeln!(out, "  {:>9}  failed", tally.failed())?;
        for (why, count) in &tally.failures {
            writeln!(out, "  {count:>9}    {why}")?;
        }
        if tally.unsent > 0 {
            writeln!(out, "  {:>9}  not sent", tally.unsent)?;
        }
        Ok(())
    }

    fn advice(&self, tally: &Tally) -> Vec<String> {
        let mut lines = Vec::new();
        let origin = self.to.origin().ascii_serialization();
        if tally.refused {
            lines.push(format!(
                "The connection was refused: is Latchkey running at {origin}? Start it with `latchkey serve`."
            ));
        }
        if tally.failures.keys().any(|why| why.starts_with("404")) {
            lines.push(format!(
                "{origin} answered 404: copy the webhook URL of the site again, its token is not known there."
            ));
        }
        if tally.readings.contains_key("rejected") {
            lines.push(
                "The site has another IPN secret than these messages: pass it with --ipn-secret."
                    .to_owned(),
            );
        }
        lines
    }
}

/// A progress bar on a terminal, nothing in a pipe.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{bar:40} {pos}/{len} messages, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn addresses(url: &Url) -> anyhow::Result<Vec<SocketAddr>> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let name = host.clone();
    let found = tokio::task::spawn_blocking(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        found.map(Iterator::collect::<Vec<_>>)
    });
    let found = found.await?;
    found.with_context(|| format!("cannot find the host {host}; check the address given to --to"))
}

/// Whether an address is this machine's or of a private network.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_unspecified()
        }
    }
}

fn webhook_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; give the whole webhook URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("a webhook URL begins with http:// or https://".to_owned());
    }
    Ok(url)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.25".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    rate.filter(|rate| (0.001..=1_000_000.0).contains(rate))
        .ok_or_else(|| "a rate is a number of messages per second, such as 50".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_this_machine_and_private_networks_are_near() {
        let near = [
            "127.0.0.1",
            "10.1.2.3",
            "172.20.0.2",
            "192.168.1.9",
            "::1",
            "fd00::7",
            "::ffff:127.0.0.1",
        ];
        for ip in near {
            assert!(is_near(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["203.0.113.7", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_near(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn shares_and_rates_are_checked() {
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("1.1").is_err() && share("NaN").is_err() && share("-0.1").is_err());
        assert_eq!(rate("50"), Ok(50.0));
        assert!(rate("0").is_err() && rate("inf").is_err());
    }

    #[test]
    fn a_webhook_url_is_a_web_address() {
        assert!(webhook_url("http://localhost:8080/hooks/kartra/abc").is_ok());
        assert!(webhook_url("localhost:8080/hooks").is_err());
        assert!(webhook_url("/hooks").is_err());
    }
}
