//! Bodies and changes that age out while webhooks come: whether anybody has to wait for it.

use super::database::Database;
use super::grown::SITE;
use super::kartra::Webhooks;
use super::report::{Table, Target};
use super::server::Server;
use super::shared::row::row;
use super::{Arguments, load};
use chrono::TimeDelta;
use latchkey::clock::Clock;
use latchkey::ids;
use latchkey::store::changes::{self, Change};
use latchkey::store::sites::{self, Busy};
use latchkey::store::webhooks::{self, NewWebhook, Status};
use latchkey::store::{Store, disposal};
use serde_json::json;

const SITE_ID: &str = "default";
/// How many changes have aged for each body: a batch of them is ten times as large, and they are to last as well.
const CHANGES_OF_A_BODY: usize = 4;
/// Rows of one transaction that stores.
const ROWS_AT_ONCE: usize = 500;
/// How long ago was received and recorded what has aged, in days: longer than any of it is kept.
const DAYS_AGO: i64 = 500;
/// Seconds for which it is found out what saturates intake here; a server that was just started is warm after them.
const SECONDS_OF_LOOK: f64 = 2.0;
/// How often each of the two is measured: they take turns, so that a machine that is slow for a while is slow for both.
const TURNS: u32 = 3;
/// How many days bodies and changes are kept where none ages out (0 is for ever), and where all that have aged do.
const KEEPING: u32 = 0;
const AGEING: u32 = 1;
/// The most that the slowest answers may take while something ages out, of what they take while nothing does.
const SLOWER_MAX: f64 = 2.0;

/// Measures how long answers take while nothing ages out, and while as much does as can.
pub fn measure(
    arguments: &Arguments,
    database: &Database,
    table: &mut Table,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let fresh = database.fresh(directory.path())?;
    let server = Server::start_keeping(&fresh.url, directory.path(), KEEPING)?;
    // Intake alone, as where its latencies are measured: application has a part of its own.
    server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    let store = Store::open(&fresh.url, 1)?;
    store_bodies(&store, arguments.aged)?;
    let changes = CHANGES_OF_A_BODY * arguments.aged;
    store_changes(&store, changes)?;
    let webhooks = Webhooks::new();
    fresh.look()?;
    let look = |server: &Server| {
        let request = || server.webhook(webhooks.next());
        load::closed(&server.address, arguments.connections, SECONDS_OF_LOOK, request)
    };
    let loaded = |server: &Server, rate: f64| {
        let request = || server.webhook(webhooks.next());
        load::open(&server.address, arguments.connections, arguments.seconds, rate, request)
    };
    let (mut quiet, mut ageing) = (load::Loaded::none(), load::Loaded::none());
    let (mut server, mut bodies_aged, mut changes_aged) = (server, 0.0, 0.0);
    for _ in 0..TURNS {
        (server, _) = server.restart_keeping(&fresh.url, KEEPING)?;
        let half = look(&server)?.rate() / 2.0;
        quiet.add(&loaded(&server, half)?)?;
        (server, _) = server.restart_keeping(&fresh.url, AGEING)?;
        look(&server)?;
        let before = fresh.rows("bodies")?;
        let changes_before = changes_gone(&store)?;
        let meanwhile = loaded(&server, half)?;
        changes_aged += changes_gone(&store)? - changes_before;
        bodies_aged += before + load::count(meanwhile.latencies.len()) - fresh.rows("bodies")?;
        ageing.add(&meanwhile)?;
    }
    anyhow::ensure!(bodies_aged > 0.0, "no body has aged out");
    anyhow::ensure!(changes_aged > 0.0, "no change has aged out");
    let left = load::count(u64::try_from(arguments.aged)?) - bodies_aged;
    anyhow::ensure!(left > 0.0, "all bodies aged out before the load was over; raise --aged");
    let left = load::count(u64::try_from(changes)?) - changes_gone(&store)?;
    anyhow::ensure!(left > 0.0, "all changes aged out before the load was over; raise --aged");
    table.note(
        "bodies aged out a second, beside half of what saturates intake",
        bodies_aged / ageing.seconds,
        "/s",
    );
    table.note("… changes aged out a second beside them", changes_aged / ageing.seconds, "/s");
    table.note("… p99 of the answers meanwhile", ageing.millis(0.99), "ms");
    let slower = |quantile: f64| ageing.millis(quantile) / quiet.millis(quantile);
    table.ratio("… to the p99 while none ages out", slower(0.99), Target::AtMost(SLOWER_MAX));
    table.note("… longest pause meanwhile", ageing.millis(1.0), "ms");
    table.ratio("… to the longest while none ages out", slower(1.0), Target::AtMost(SLOWER_MAX));
    Ok(())
}

/// How many changes have aged out so far: the feed begins behind them.
fn changes_gone(store: &Store) -> anyhow::Result<f64> {
    let floor = store.read(|conn| disposal::feed_floor(conn, SITE_ID))?;
    Ok(load::count(u64::try_from(floor)?))
}

/// Appends changes to the feed that were recorded long ago, each of another member.
fn store_changes(store: &Store, count: usize) -> anyhow::Result<()> {
    for first in (0..count).step_by(ROWS_AT_ONCE) {
        let number = i64::try_from(ROWS_AT_ONCE.min(count - first))?;
        store.write(|conn| {
            let site = sites::lock(conn, SITE_ID, Busy::Wait)?;
            let mut site = site.expect("every start makes this site where it is missing");
            let position = sites::take_positions(conn, &mut site, number)?;
            let rows: Vec<Change> = (position..position + number).map(change).collect();
            changes::insert(conn, &rows)
        })?;
    }
    Ok(())
}

/// A change at a position of the feed, as a first payment makes it.
fn change(position: i64) -> Change {
    let at = (Clock::system().now() - TimeDelta::days(DAYS_AGO)).naive_utc();
    Change {
        site_id: SITE_ID.to_owned(),
        position,
        at,
        member_id: ids::new(),
        email: format!("long-ago-{position}@example.com"),
        level: "gold".to_owned(),
        what: "granted".to_owned(),
        until: None,
        cause_kind: "event".to_owned(),
        cause_id: ids::new(),
        reason: "active".to_owned(),
        recorded_at: Some(at),
    }
}

/// Stores webhooks that were applied long ago.
fn store_bodies(store: &Store, count: usize) -> anyhow::Result<()> {
    let webhooks = Webhooks::new();
    let received_at = Clock::system().now() - TimeDelta::days(DAYS_AGO);
    let applied = |_| NewWebhook {
        status: Status::Applied.as_str(),
        next_attempt_at: None,
        ..row(SITE_ID, &webhooks.next().1, received_at.naive_utc())
    };
    for first in (0..count).step_by(ROWS_AT_ONCE) {
        let rows: Vec<NewWebhook> = (first..count.min(first + ROWS_AT_ONCE)).map(applied).collect();
        store.write(|conn| webhooks::insert(conn, &rows))?;
    }
    Ok(())
}
