//! A plan over many members beside the webhooks: it delays none of them for long, and holds none of the members
//! in memory.

use super::Arguments;
use super::database::Database;
use super::grown::{Grown, SITE};
use super::report::{Table, Target};
use super::shared::load;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Webhooks a second that come meanwhile: a busy day, and far from what the machine can do.
const RATE: f64 = 100.0;
/// Connections that they come over.
const CONNECTIONS: usize = 8;
/// Seconds of a stretch of them.
const STRETCH: f64 = 1.0;
/// How long between two looks at the plan.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long batches of webhooks took, as the server tells it.
const SECONDS: &str = r#"latchkey_flow_batch_seconds_bucket{work="webhooks",le=""#;

/// Plans to take a level from everybody, while webhooks come.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<()> {
    let members = arguments.plan_members;
    let grown = Grown::start(arguments, database)?;
    grown.told(usize::try_from(members)?, |_| grown.webhooks.next())?;
    let alone = Batches::during(&grown, || {
        webhooks_come(&grown, &|| false, arguments.seconds)?;
        Ok(())
    })?;

    let process = grown.server.process();
    process.forget_peak()?;
    let mapping = grown.server.ask("GET", &format!("{SITE}/mappings"), &json!(null))?;
    let change = json!({ "op": "delete_mapping", "id": mapping["items"][0]["id"] });
    let ready = AtomicBool::new(false);
    let began = Instant::now();
    let made =
        grown.server.ask("POST", &format!("{SITE}/plans"), &json!({ "changes": [change] }))?;
    let plan = format!("{SITE}/plans/{}", made["id"].as_str().unwrap_or_default());
    let mut looks = Vec::new();
    let beside = Batches::during(&grown, || {
        std::thread::scope(|scope| {
            let load = scope
                .spawn(|| webhooks_come(&grown, &|| ready.load(Ordering::Relaxed), f64::INFINITY));
            while !ready.load(Ordering::Relaxed) {
                let shown = grown.server.ask("GET", &plan, &json!(null))?;
                looks.push(shown["done"].as_f64().unwrap_or_default());
                ready.store(shown["state"] != "computing", Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
            load.join().map_err(|_| anyhow::anyhow!("the load broke off"))?
        })
    })?;
    let shown = grown.server.ask("GET", &plan, &json!(null))?;
    anyhow::ensure!(shown["state"] == "ready", "the plan is {shown}");
    anyhow::ensure!(shown["losses"].as_f64() >= Some(f64::from(members)), "the plan is {shown}");
    looks.dedup();
    table.note(format!("a plan over {members} members"), began.elapsed().as_secs_f64(), "s");
    #[expect(clippy::cast_precision_loss, reason = "it is looked at a few times a second")]
    table.note("… shown in so many steps on the way", looks.len() as f64, "");
    table.note("a batch of webhooks, beside no plan: p99", alone.quantile(0.99) * 1_000.0, "ms");
    table.note("… mean", alone.mean() * 1_000.0, "ms");
    table.ratio("… mean, beside the plan", beside.mean() / alone.mean(), Target::AtMost(2.0));
    // Who does not know how long it takes beside no plan cannot say that it takes no longer beside one.
    let p99 = [&beside, &alone].map(|batches| batches.quantile(0.99));
    let slower = if p99[1].is_finite() { p99[0] / p99[1] } else { f64::INFINITY };
    table.ratio("… p99, beside the plan", slower, Target::AtMost(2.0));
    table.bounded(
        "memory of the server at most, beside the plan",
        process.peak_mb()?,
        "MB",
        Target::AtMost(150.0),
    );
    Ok(())
}

/// Webhooks come at their rate until it is enough, or for so many seconds; then they are applied.
fn webhooks_come(grown: &Grown<'_>, enough: &dyn Fn() -> bool, seconds: f64) -> anyhow::Result<()> {
    let began = Instant::now();
    while !enough() && began.elapsed().as_secs_f64() < seconds {
        let request = || grown.server.webhook(grown.webhooks.next());
        load::open(&grown.server.address, CONNECTIONS, STRETCH, RATE, request)?;
    }
    grown.drained()
}

/// How long batches took.
struct Batches {
    /// How many took at most so many seconds.
    within: Vec<(f64, f64)>,
    sum: f64,
}

impl Batches {
    /// Those of a stretch of work.
    fn during(
        grown: &Grown<'_>,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let before = grown.server.metrics()?;
        work()?;
        let after = grown.server.metrics()?;
        let grew = |name: &str| {
            let of = |metrics: &BTreeMap<String, f64>| metrics.get(name).copied();
            of(&after).unwrap_or_default() - of(&before).unwrap_or_default()
        };
        let bounds = after.keys().filter_map(|name| {
            let bound = name.strip_prefix(SECONDS)?.strip_suffix("\"}")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), grew(name)))
        });
        let mut within: Vec<(f64, f64)> = bounds.collect();
        within.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(Self { within, sum: grew(r#"latchkey_flow_batch_seconds_sum{work="webhooks"}"#) })
    }

    fn count(&self) -> f64 {
        self.within.last().map_or(0.0, |(_, count)| *count)
    }

    fn mean(&self) -> f64 {
        self.sum / self.count()
    }

    /// A quantile in seconds, between the bounds that it lies between; endless beyond the last of them, where nobody
    /// knows how long it took.
    fn quantile(&self, quantile: f64) -> f64 {
        let wanted = quantile * self.count();
        let (mut from, mut below) = (0.0, 0.0);
        for (bound, count) in &self.within {
            if *count >= wanted && bound.is_finite() {
                return from + (bound - from) * (wanted - below) / (count - below).max(1.0);
            }
            (from, below) = (*bound, *count);
        }
        f64::INFINITY
    }
}
