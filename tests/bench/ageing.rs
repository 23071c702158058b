//! Bodies that age out while webhooks come: whether anybody has to wait for it.

use super::database::{Database, Fresh};
use super::grown::SITE;
use super::kartra::Webhooks;
use super::report::{Table, Target};
use super::server::Server;
use super::shared::row::row;
use super::{Arguments, load};
use chrono::TimeDelta;
use latchkey::clock::Clock;
use latchkey::store::Store;
use latchkey::store::webhooks::{self, NewWebhook, Status};
use serde_json::json;

/// Rows of one transaction that stores.
const ROWS_AT_ONCE: usize = 500;
/// How long ago those were received whose bodies have aged, in days: longer than any is kept.
const RECEIVED_DAYS_AGO: i64 = 500;
/// Seconds for which it is found out what saturates intake here; a server that was just started is warm after them.
const SECONDS_OF_LOOK: f64 = 2.0;
/// How many times as long as others each measurement takes: the workers rest between two batches.
const TIMES_AS_LONG: f64 = 3.0;
/// The most that the slowest answers may take while bodies age out, of what they take while none does.
const SLOWER_MAX: f64 = 2.0;

/// Measures how long answers take while no body ages out, and while as many do as can.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let fresh = database.fresh(directory.path())?;
    let server = Server::start_keeping(&fresh.url, directory.path(), 0)?;
    // Intake alone, as where its latencies are measured: application has a part of its own.
    server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    store_aged(&fresh, arguments.aged)?;
    let webhooks = Webhooks::new();
    fresh.look()?;
    let look = |server: &Server| {
        let request = || server.webhook(webhooks.next());
        load::closed(&server.address, arguments.connections, SECONDS_OF_LOOK, request)
    };
    let rate = look(&server)?.rate() / 2.0;
    let at_half = |server: &Server| {
        let request = || server.webhook(webhooks.next());
        let seconds = TIMES_AS_LONG * arguments.seconds;
        load::open(&server.address, arguments.connections, seconds, rate, request)
    };
    let quiet = at_half(&server)?;
    let (server, _) = server.restart_keeping(&fresh.url, 1)?;
    look(&server)?;
    let before = fresh.rows("bodies")?;
    let ageing = at_half(&server)?;
    let came = load::count(ageing.latencies.len());
    let aged = before + came - fresh.rows("bodies")?;
    anyhow::ensure!(aged > 0.0, "no body has aged out");
    let left = load::count(u64::try_from(arguments.aged)?) - aged;
    anyhow::ensure!(left > 0.0, "all bodies aged out before the load was over; raise --aged");
    table.note(
        "bodies aged out a second, beside half of what saturates intake",
        aged / ageing.seconds,
        "/s",
    );
    table.note("… p99 of the answers meanwhile", ageing.millis(0.99), "ms");
    let slower = |quantile: f64| ageing.millis(quantile) / quiet.millis(quantile);
    table.ratio("… to the p99 while none ages out", slower(0.99), Target::AtMost(SLOWER_MAX));
    table.note("… longest pause meanwhile", ageing.millis(1.0), "ms");
    table.ratio("… to the longest while none ages out", slower(1.0), Target::AtMost(SLOWER_MAX));
    Ok(())
}

/// Stores webhooks that were applied long ago.
fn store_aged(fresh: &Fresh, count: usize) -> anyhow::Result<()> {
    let store = Store::open(&fresh.url, 1)?;
    let webhooks = Webhooks::new();
    let received_at = Clock::system().now() - TimeDelta::days(RECEIVED_DAYS_AGO);
    let applied = |_| NewWebhook {
        status: Status::Applied.as_str(),
        next_attempt_at: None,
        ..row("default", &webhooks.next().1, received_at.naive_utc())
    };
    for first in (0..count).step_by(ROWS_AT_ONCE) {
        let rows: Vec<NewWebhook> = (first..count.min(first + ROWS_AT_ONCE)).map(applied).collect();
        store.write(|conn| webhooks::insert(conn, &rows))?;
    }
    Ok(())
}
