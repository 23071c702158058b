//! What may grow with a site and what may not: the same work beside few members and beside many.

use super::full_load;
use super::grown::{Cost, Grown};
use super::kartra::{PRODUCT, replaced};
use super::report::{Table, Target};
use super::shared::load;
use super::{Arguments, database::Database};
use std::ops::Range;

/// The few members that the many are compared with.
const FEW: usize = 10_000;
/// Webhooks of one measurement: half of them first payments, half of them rebills.
const TYPICAL: usize = 6_000;
/// How often each cost is measured. The least counts: whatever else the machine is at only adds to it.
const TIMES: u32 = 3;
/// Events of the one member who has very many.
const OF_ONE_MEMBER: usize = 10_000;
/// Buyers of a product that is mapped late, and of the one that has more of them.
const BUYERS: u32 = 1_000;
const MORE_BUYERS: u32 = 4 * BUYERS;
/// The first of the products that are mapped late: beside few members, beside many, and of those that have more buyers.
const MAPPED_LATE: [u32; 3] = [558_010, 558_020, 558_030];
/// The most that anything here may cost, of what it costs on a smaller scale.
const DEARER_MAX: Target = Target::AtMost(1.3);
/// Megabytes that the server may take at most.
const MEMORY_MAX: Target = Target::AtMost(150.0);
/// How long a database of a gigabyte may keep a start waiting.
const READY_MS_MAX: f64 = 300.0;

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
    let mapped_beside_few = mapped_late(&grown, MAPPED_LATE[0], BUYERS)?;
    grows(&grown, members, later_payments, table)?;

    let many = typical(&grown)?;
    table.note(format!("CPU seconds to apply 1,000 webhooks, beside {FEW} members"), few, "s");
    let beside = if later_payments > 0 {
        format!("{members} with {} events, {} each", arguments.events, later_payments + 1)
    } else {
        members.to_string()
    };
    table.ratio(format!("… beside {beside}"), many / few, DEARER_MAX);
    let mapped_beside_many = mapped_late(&grown, MAPPED_LATE[1], BUYERS)?;
    table.note(
        format!("CPU seconds to map a product of {BUYERS} buyers, beside {FEW} members"),
        mapped_beside_few,
        "s",
    );
    table.ratio(format!("… beside {beside}"), mapped_beside_many / mapped_beside_few, DEARER_MAX);
    let mapped_of_more = mapped_late(&grown, MAPPED_LATE[2], MORE_BUYERS)?;
    let more_to_few = mapped_of_more / mapped_beside_many / f64::from(MORE_BUYERS / BUYERS);
    table.ratio(format!("… for each buyer, of {MORE_BUYERS} to {BUYERS}"), more_to_few, DEARER_MAX);
    one_member_with_many_events(&grown)?;
    let beside_one = typical(&grown)?;
    table.ratio(
        format!("CPU to apply a webhook, beside a member with {OF_ONE_MEMBER} events"),
        beside_one / many,
        DEARER_MAX,
    );
    full_load::measure(arguments, &grown, table)?;
    started_again(arguments, grown, table)
}

/// A site that has grown, for what is measured at one and not on the way there.
pub fn filled<'a>(arguments: &Arguments, database: &'a Database) -> anyhow::Result<Grown<'a>> {
    let grown = Grown::start(arguments, database)?;
    grown.told(usize::try_from(arguments.members)?, |_| grown.webhooks.next())?;
    Ok(grown)
}

/// The few members become many, each of whom pays so many times more.
fn grows(
    grown: &Grown<'_>,
    members: usize,
    later_payments: usize,
    table: &mut Table,
) -> anyhow::Result<()> {
    let process = grown.server.process();
    process.forget_peak()?;
    let buyers = members.saturating_sub(FEW);
    let filled = grown.told(buyers, |_| grown.webhooks.next())?;
    let rate = load::count(u64::try_from(buyers)?) / filled.seconds;
    table.note(format!("webhooks of {members} buyers applied a second"), rate, "/s");
    let peak = process.peak_mb()?;
    table.bounded("memory of the server at most, while buyers come", peak, "MB", MEMORY_MAX);
    if later_payments > 0 {
        let (rebills, cost) = paid_again(grown, FEW.min(members)..members, later_payments)?;
        let rate = load::count(rebills) / cost.seconds;
        table.note("rebills of them stored and applied a second", rate, "/s");
        let peak = process.peak_mb()?;
        table.bounded("memory of the server at most, while they pay", peak, "MB", MEMORY_MAX);
    }
    Ok(())
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

/// CPU seconds to apply 1,000 webhooks: new buyers, and rebills of members from all over the site.
fn typical(grown: &Grown<'_>) -> anyhow::Result<f64> {
    let known = grown.webhooks.told();
    let mut least = f64::INFINITY;
    for _ in 0..TIMES {
        let cost = grown.told(TYPICAL, |number| match number % 2 {
            0 => grown.webhooks.next(),
            _ => grown.webhooks.later_payment(grown.webhooks.one_of(known)),
        })?;
        least = least.min(cost.cpu_seconds);
    }
    Ok(least / load::count(u64::try_from(TYPICAL)?) * 1_000.0)
}

/// CPU seconds to map a product after so many have bought it.
fn mapped_late(grown: &Grown<'_>, first: u32, buyers: u32) -> anyhow::Result<f64> {
    let mut least = f64::INFINITY;
    for product in first..first + TIMES {
        let product = product.to_string();
        let bought = |_| replaced(grown.webhooks.next(), PRODUCT, &product);
        grown.told(usize::try_from(buyers)?, bought)?;
        least = least.min(grown.map(&product)?.cpu_seconds);
    }
    Ok(least)
}

/// The first member's subscription is paid again and again.
fn one_member_with_many_events(grown: &Grown<'_>) -> anyhow::Result<()> {
    grown.told(OF_ONE_MEMBER, |_| grown.webhooks.later_payment(1))?;
    Ok(())
}

/// Starts the program on all of it again, and says how large it is.
fn started_again<'a>(
    arguments: &Arguments,
    grown: Grown<'a>,
    table: &mut Table,
) -> anyhow::Result<Grown<'a>> {
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
