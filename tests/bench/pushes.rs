//! Pushes to sinks on loopback: how many a second, what each costs, and what one sink that hangs does to the others.

use super::Arguments;
use super::database::Database;
use super::grown::{Grown, SITE};
use super::http;
use super::report::{Table, Target};
use super::shared::load;
use super::sink::Sink;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Pushes under way at once at the one sink.
const CONCURRENCY: u32 = 64;
/// Calls a second that its destination may make: more than any machine does.
const CALLS_PER_SECOND: u32 = 10_000;
/// How many sinks are told beside each other.
const SINKS: usize = 10;
/// Webhooks a second that come meanwhile: each is a push to every sink.
const RATE: f64 = 30.0;
/// How many stretches of each load take turns: a machine is not equally fast at every moment.
const TURNS: u32 = 6;
/// Connections that they come over.
const CONNECTIONS: usize = 8;
/// How long between two looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

const CONFIRMED: &str = r#"latchkey_pushes_total{kind="webhook",outcome="confirmed"}"#;
const LAG_SUM: &str = r#"latchkey_push_lag_seconds_sum{kind="webhook"}"#;
const LAG_COUNT: &str = r#"latchkey_push_lag_seconds_count{kind="webhook"}"#;

/// Pushes of a backlog, and the lag of nine destinations beside one that hangs.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<()> {
    backlog(arguments, database, table)?;
    beside_one_that_hangs(arguments, database, table)
}

fn backlog(arguments: &Arguments, database: &Database, table: &mut Table) -> anyhow::Result<()> {
    let sink = Sink::start()?;
    let message = json!({ "type": "access.changed", "data": "x".repeat(300) }).to_string();
    let post = || http::post("/access", "application/json", message.as_bytes());
    let connections = usize::try_from(CONCURRENCY)?;
    let bare = load::closed(sink.address(), connections, arguments.seconds, post)?.rate();

    let grown = Grown::start(arguments, database)?;
    let id = makes(&grown, &sink, false)?;
    grown.told(arguments.pushes, |_| grown.webhooks.next())?;
    let wanted = load::count(u64::try_from(arguments.pushes)?);
    let cost = grown.costs(|| {
        grown.server.ask(
            "PATCH",
            &format!("{SITE}/destinations/{id}"),
            &json!({ "enabled": true }),
        )?;
        while number(&grown.server.metrics()?, CONFIRMED) < wanted {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    })?;
    let rate = wanted / cost.seconds;
    table.note("posts a second that a sink takes without Latchkey", bare, "/s");
    table.note("pushes a second to it, confirmed and noted", rate, "/s");
    table.compared("… of what it takes", rate / bare);
    table.note("CPU of 1,000 pushes", cost.cpu_seconds * 1_000.0 / wanted, "s");
    Ok(())
}

/// The lag of nine destinations whose tenth hangs, beside that of ten who all answer: two sites, each with a program of
/// its own, take turns.
fn beside_one_that_hangs(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<()> {
    let well = Ten::start(arguments, database)?;
    let hurt = Ten::start(arguments, database)?;
    hurt.sinks[0].hangs();
    let seconds = arguments.seconds / 2.0;
    // What is met for the first time costs more, and who hangs has been noticed by then.
    well.lag(seconds)?;
    hurt.lag(seconds)?;
    let (mut usual, mut beside) = (Lag::default(), Lag::default());
    for turn in 0..TURNS {
        // Neither always comes second.
        if turn % 2 == 0 {
            usual.add(&well.lag(seconds)?);
            beside.add(&hurt.lag(seconds)?);
        } else {
            beside.add(&hurt.lag(seconds)?);
            usual.add(&well.lag(seconds)?);
        }
    }
    let [usual, beside] = [usual.mean(), beside.mean()];
    table.note(
        format!("lag of ten destinations at {RATE} webhooks a second: mean"),
        usual * 1_000.0,
        "ms",
    );
    table.ratio("… of nine of them while the tenth hangs", beside / usual, Target::AtMost(1.2));
    Ok(())
}

/// A site with ten destinations.
struct Ten<'a> {
    grown: Grown<'a>,
    sinks: Vec<Sink>,
}

/// How long confirmed pushes took from the change to the confirmation.
#[derive(Default)]
struct Lag {
    seconds: f64,
    pushes: f64,
}

impl Lag {
    fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.pushes += other.pushes;
    }

    fn mean(&self) -> f64 {
        self.seconds / self.pushes
    }
}

impl<'a> Ten<'a> {
    fn start(arguments: &Arguments, database: &'a Database) -> anyhow::Result<Self> {
        let sinks = (0..SINKS).map(|_| Sink::start()).collect::<anyhow::Result<Vec<_>>>()?;
        let grown = Grown::start(arguments, database)?;
        for sink in &sinks {
            makes(&grown, sink, true)?;
        }
        Ok(Self { grown, sinks })
    }

    /// The lag while webhooks come for so long, one after the other.
    fn lag(&self, seconds: f64) -> anyhow::Result<Lag> {
        let before = self.grown.server.metrics()?;
        let webhook = || self.grown.server.webhook(self.grown.webhooks.next());
        let server = &self.grown.server;
        let sent = load::open(&server.address, CONNECTIONS, seconds, RATE, webhook)?;
        let answering = self.sinks.iter().filter(|sink| !sink.is_hanging()).count();
        let wanted = load::count(sent.latencies.len()) * load::count(u64::try_from(answering)?);
        loop {
            let after = server.metrics()?;
            let grew = |name| number(&after, name) - number(&before, name);
            if grew(LAG_COUNT) >= wanted {
                return Ok(Lag { seconds: grew(LAG_SUM), pushes: grew(LAG_COUNT) });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Makes a destination of a sink; answers its id.
fn makes(grown: &Grown<'_>, sink: &Sink, enabled: bool) -> anyhow::Result<String> {
    let url = format!("http://{}/access", sink.address());
    let made = grown.server.ask(
        "POST",
        &format!("{SITE}/destinations"),
        &json!({
            "kind": "webhook", "name": url, "enabled": enabled,
            "config": { "url": url, "types": ["access.changed"] },
            "limits": { "calls_per_second": CALLS_PER_SECOND, "concurrency": CONCURRENCY },
        }),
    )?;
    Ok(made["id"].as_str().unwrap_or_default().to_owned())
}

fn number(metrics: &BTreeMap<String, f64>, name: &str) -> f64 {
    metrics.get(name).copied().unwrap_or_default()
}
