//! What is recorded though nothing says so: the keys of all rows, against those that should be there.

use super::Discrepancy;
use super::part::Compared;
use crate::core::access::Picture;
use crate::flow::rebuild::BATCH_ROWS_MAX;
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::{Result, events, level_counts, members, overrides, product_counts, purchases};
use std::collections::BTreeSet;

/// Adds what is recorded and was met in no part, and what was met and no member has.
pub(super) fn find(
    conn: &mut Conn,
    bench: &Bench,
    mut compared: Compared,
) -> Result<Vec<Discrepancy>> {
    compared.events.close();
    compared.purchases.close();
    compared.leads.close();
    compared.members.close();
    events(conn, bench, &mut compared)?;
    purchases(conn, bench, &mut compared)?;
    leads(conn, bench, &mut compared)?;
    members(conn, bench, &mut compared)?;
    levels(conn, bench, &mut compared)?;
    products(conn, bench, &mut compared)?;
    if compared.missing > 0 {
        let detail = format!("{} addresses of leads are no members", compared.missing);
        compared.say("member", "", &detail);
    }
    Ok(compared.found)
}

fn events(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    let mut reached = String::new();
    loop {
        let ids = events::ids_after(conn, &bench.site.id, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = ids.last() else { return Ok(()) };
        reached.clone_from(&last.0);
        for id in ids.iter().filter(|id| !compared.events.has(&id.0)).collect::<Vec<_>>() {
            compared.say("event", &id.0, "has no observation");
        }
    }
}

fn purchases(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    let mut reached = String::new();
    loop {
        let ids = purchases::ids_after(conn, &bench.site.id, None, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = ids.last() else { return Ok(()) };
        reached.clone_from(&last.0);
        for id in ids.iter().filter(|id| !compared.purchases.has(&id.0)).collect::<Vec<_>>() {
            compared.say("purchase", &id.0, "has no payment");
        }
    }
}

fn leads(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    let mut reached = String::new();
    loop {
        let keys = members::lead_keys_after(conn, &bench.site.id, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = keys.last() else { return Ok(()) };
        reached.clone_from(&last.0);
        let surplus = keys.iter().filter(|key| !compared.leads.has(&key.0)).count();
        (0..surplus).for_each(|_| compared.say_lead("has no event"));
    }
}

/// Members whom no lead has the address of: what they hold, overrides give them.
fn members(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    let (mut reached, nothing) = (String::new(), Picture::default());
    loop {
        let mut batch = members::ids_after(conn, &bench.site.id, &reached, BATCH_ROWS_MAX)?;
        let Some(last) = batch.last() else { return Ok(()) };
        reached.clone_from(&last.id);
        batch.retain(|member| !compared.members.has(&member.email));
        let emails: Vec<String> = batch.iter().map(|member| member.email.clone()).collect();
        let overrides = overrides::concerning(conn, &bench.site.id, &emails, &[])?;
        let overrides = overrides::at_home(conn, &bench.site.id, overrides, &BTreeSet::new())?;
        compared.compare_members(conn, bench, &nothing, &overrides, batch)?;
    }
}

/// How many hold each level, against those who are recorded to.
fn levels(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    for level in level_counts::wrong(conn, &bench.site.id)? {
        compared.say("level", &level, "is held by another number of members");
    }
    Ok(())
}

/// How many purchases there are of each product, against those that are recorded.
fn products(conn: &mut Conn, bench: &Bench, compared: &mut Compared) -> Result<()> {
    for product in product_counts::wrong(conn, &bench.site.id)? {
        compared.say("product", &product, "is noted with another number of purchases");
    }
    Ok(())
}
