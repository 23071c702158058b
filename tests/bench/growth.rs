//! What may grow with a site and what may not: the same work beside few members and beside many.

use super::grown::{Cost, Grown, SITE};
use super::kartra::{PRODUCT, replaced};
use super::process::Process;
use super::report::{Table, Target};
use super::shared::load;
use super::{Arguments, database::Database};
use serde_json::json;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The few members that the many are compared with.
const FEW: usize = 10_000;
/// Webhooks of one measurement: half of them first payments, half of them rebills.
const TYPICAL: usize = 6_000;
/// How often it is measured.
const TYPICAL_TIMES: usize = 3;
/// Events of the one member who has very many.
const OF_ONE_MEMBER: usize = 10_000;
/// Buyers of the product that is mapped late.
const BUYERS: usize = 1_000;
/// The products that are mapped late: beside few members, and beside many.
const MAPPED_LATE: [&str; 2] = ["558002", "558003"];
/// How long a database of a gigabyte may keep a start waiting.
const READY_MS_MAX: f64 = 300.0;
/// How long between two looks at a process that works.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Lets a site grow, and measures on the way.
pub fn measure<'a>(
    arguments: &Arguments,
    database: &'a Database,
    table: &mut Table,
) -> anyhow::Result<Grown<'a>> {
    let grown = Grown::start(arguments, database)?;
    let members = usize::try_from(arguments.members)?;
    let later_payments = (arguments.events / members).saturating_sub(1);
    grown.told(FEW.min(members), |_| grown.webhooks.next())?;
    paid_again(&grown, 0..FEW.min(members), later_payments)?;
    let few = typical(&grown)?;
    let mapped_beside_few = mapped_late(&grown, MAPPED_LATE[0])?;

    let process = grown.server.process();
    process.forget_peak()?;
    let filled = grown.told(members.saturating_sub(FEW), |_| grown.webhooks.next())?;
    let rate = load::count(u64::try_from(members.saturating_sub(FEW))?) / filled.seconds;
    table.note(format!("webhooks of {members} buyers applied a second"), rate, "/s");
    table.bounded(
        "… memory of the server at most",
        process.peak_mb()?,
        "MB",
        Target::AtMost(150.0),
    );

    if later_payments > 0 {
        let (rebills, cost) = paid_again(&grown, FEW.min(members)..members, later_payments)?;
        let rate = load::count(rebills) / cost.seconds;
        table.note(format!("{rebills} rebills of them stored and applied a second"), rate, "/s");
        table.bounded(
            "… memory of the server at most",
            process.peak_mb()?,
            "MB",
            Target::AtMost(150.0),
        );
    }

    let many = typical(&grown)?;
    table.note(format!("CPU seconds to apply 1,000 webhooks, beside {FEW} members"), few, "s");
    let beside = if later_payments > 0 {
        format!("{members} with {} events, {} each", arguments.events, later_payments + 1)
    } else {
        members.to_string()
    };
    table.ratio(format!("… beside {beside}"), many / few, Target::AtMost(1.3));
    let mapped_beside_many = mapped_late(&grown, MAPPED_LATE[1])?;
    let ratio = mapped_beside_many.cpu_seconds / mapped_beside_few.cpu_seconds;
    table.note(
        format!("CPU seconds to map a product of {BUYERS} buyers, beside {FEW} members"),
        mapped_beside_few.cpu_seconds,
        "s",
    );
    table.ratio(format!("… beside {beside}"), ratio, Target::AtMost(1.3));
    one_member_with_many_events(&grown)?;
    let beside_one = typical(&grown)?;
    table.ratio(
        format!("CPU to apply a webhook, beside a member with {OF_ONE_MEMBER} events"),
        beside_one / many,
        Target::AtMost(1.3),
    );
    under_full_load(arguments, &grown, table)?;
    let (grown, ready) = grown.restart()?;
    let bytes = grown.bytes()?;
    table.note("size of the database", bytes / 1e9, "GB");
    let kept = if arguments.without_bodies {
        "whose body has aged out"
    } else {
        "that is kept with its body"
    };
    table.note(format!("… for each webhook {kept}"), bytes / grown.fresh.rows("webhooks")?, "B");
    let ready = ready.as_secs_f64() * 1_000.0;
    table.bounded("ready after a start on it within", ready, "ms", Target::AtMost(READY_MS_MAX));
    Ok(grown)
}

/// A site that has grown, for what is measured at one and not on the way there.
pub fn filled<'a>(arguments: &Arguments, database: &'a Database) -> anyhow::Result<Grown<'a>> {
    let grown = Grown::start(arguments, database)?;
    grown.told(usize::try_from(arguments.members)?, |_| grown.webhooks.next())?;
    Ok(grown)
}

/// Some members, by their place, pay so many times more: each time one after the other, as they came. Answers how many
/// payments that were, and what they have cost.
fn paid_again(
    grown: &Grown<'_>,
    members: Range<usize>,
    times: usize,
) -> anyhow::Result<(u64, Cost)> {
    let (first, payments) = (u32::try_from(members.start)?, members.len() * times);
    let wave = u32::try_from(members.len())?;
    let cost = grown.filled_with(payments, |number| {
        let place = u32::try_from(number).expect("so many webhooks have numbers") % wave;
        grown.webhooks.later_payment(1 + first + place)
    })?;
    Ok((u64::try_from(payments)?, cost))
}

/// CPU seconds to apply 1,000 webhooks: new buyers, and rebills of members from all over the site. The least of
/// some times: whatever else the machine is at only adds to it.
fn typical(grown: &Grown<'_>) -> anyhow::Result<f64> {
    let known = grown.webhooks.told();
    let mut least = f64::INFINITY;
    for _ in 0..TYPICAL_TIMES {
        let cost = grown.told(TYPICAL, |number| match number % 2 {
            0 => grown.webhooks.next(),
            _ => grown.webhooks.later_payment(grown.webhooks.one_of(known)),
        })?;
        least = least.min(cost.cpu_seconds);
    }
    Ok(least / load::count(u64::try_from(TYPICAL)?) * 1_000.0)
}

/// What it costs to map a product after it was bought.
fn mapped_late(grown: &Grown<'_>, product: &str) -> anyhow::Result<Cost> {
    grown.told(BUYERS, |_| replaced(grown.webhooks.next(), PRODUCT, product))?;
    grown.map(product)
}

/// The first member's subscription is paid again and again.
fn one_member_with_many_events(grown: &Grown<'_>) -> anyhow::Result<()> {
    grown.told(OF_ONE_MEMBER, |_| grown.webhooks.later_payment(1))?;
    Ok(())
}

/// Webhooks come as fast as they are answered, and are applied meanwhile.
fn under_full_load(
    arguments: &Arguments,
    grown: &Grown<'_>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let server = &grown.server;
    server.process().forget_peak()?;
    let before = grown.applied()?;
    let request = || server.webhook(grown.webhooks.next());
    let came = load::closed(&server.address, arguments.connections, arguments.seconds, request)?;
    let applied = (grown.applied()? - before) / came.seconds;
    table.note("both at once: webhooks answered a second", came.rate(), "/s");
    table.note("… and applied a second meanwhile", applied, "/s");
    let peak = server.process().peak_mb()?;
    table.bounded("… memory of the server at most", peak, "MB", Target::AtMost(150.0));
    grown.drained()
}

/// Makes everything of the site again, in a process of its own.
pub fn rebuild(grown: &Grown<'_>, table: &mut Table) -> anyhow::Result<()> {
    grown.server.ask("PATCH", SITE, &json!({ "enabled": false }))?;
    let log = std::fs::File::create(format!("{}/rebuild.log", grown.directory()?))?;
    let began = Instant::now();
    let mut rebuild = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    rebuild.arg("rebuild").stdout(log.try_clone()?).stderr(log).stdin(Stdio::null());
    let mut child = grown.server.as_its_own(&mut rebuild, &grown.fresh.url).spawn()?;
    let process = Process(child.id());
    let mut peak: f64 = 0.0;
    let status = loop {
        peak = process.peak_mb().unwrap_or(0.0).max(peak);
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    anyhow::ensure!(status.success(), "rebuild failed; see {}/rebuild.log", grown.directory()?);
    table.note("`latchkey rebuild` of all of it", began.elapsed().as_secs_f64() / 60.0, "min");
    table.bounded("… memory at most", peak, "MB", Target::AtMost(200.0));
    grown.server.ask("PATCH", SITE, &json!({ "enabled": true }))?;
    Ok(())
}
