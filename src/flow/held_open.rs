//! What an operator decides about levels that are held open: released, what the events say is recorded;
//! discarded, the revocation never happens, and the member keeps the level by a manual grant.

use super::recompute::Batch;
use super::record::Dossier;
use super::settle::{Bench, Cause, Touched, settle};
use crate::core::Instant;
use crate::core::access::{Answer, Block};
use crate::core::event::LeadKey;
use crate::core::member::{Override, OverrideKind};
use crate::store::conn::Conn;
use crate::store::recomputes::{self, Recompute};
use crate::store::{Result, held_open, members, overrides};
use std::collections::{BTreeMap, BTreeSet};

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The level goes, unless something else gives it.
    Release,
    /// The member keeps the level.
    Discard,
}

impl Decision {
    /// The word that it is stored under.
    fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Discard => "discard",
        }
    }

    fn from_word(word: &str) -> Self {
        if word == Self::Discard.as_str() { Self::Discard } else { Self::Release }
    }
}

/// Decides about one level of one member; answers whether it was held open.
pub fn decide_one(
    conn: &mut Conn,
    bench: &mut Bench,
    id: &str,
    decision: Decision,
) -> Result<bool> {
    if !held_open::is_open(conn, &bench.site.id, id)? {
        return Ok(false);
    }
    decide(conn, bench, &[id.to_owned()], decision, &Cause::new("breaker", id))?;
    Ok(true)
}

/// Asks that everything be decided that is held open now: what is held open later stays so.
pub fn ask_for_all(conn: &mut Conn, bench: &Bench, decision: Decision) -> Result<Recompute> {
    let id = crate::ids::new();
    let recompute = Recompute {
        plan_id: None,
        site_id: bench.site.id.clone(),
        cause_kind: "breaker".to_owned(),
        cause_id: id.clone(),
        id,
        product_id: None,
        reread_dates: false,
        members: held_open::count(conn, &bench.site.id)?,
        done: 0,
        reached: String::new(),
        created_at: bench.at.naive_utc(),
        finished_at: None,
        decides: Some(decision.as_str().to_owned()),
        decides_up_to: Some(bench.site.held_open_position),
    };
    recomputes::insert(conn, &recompute)?;
    bench.makes_work();
    Ok(recompute)
}

/// Decides a batch of what a recompute is to decide.
pub(super) fn batch(
    conn: &mut Conn,
    bench: &mut Bench,
    recompute: &Recompute,
    word: &str,
    limit: i64,
) -> Result<Batch> {
    let after = recompute.reached.parse().unwrap_or_default();
    let up_to = recompute.decides_up_to.unwrap_or_default();
    let found = held_open::ids_between(conn, &bench.site.id, after, up_to, limit)?;
    let reached = found.last().map(|(_, number)| number.to_string());
    let ids: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let cause = Cause::new("breaker", recompute.cause_id.clone());
    decide(conn, bench, &ids, Decision::from_word(word), &cause)?;
    Ok(Batch { reached, count, members: count })
}

/// Decides about what some overrides hold open, and answers those anew to whom they belong.
fn decide(
    conn: &mut Conn,
    bench: &mut Bench,
    ids: &[String],
    decision: Decision,
    cause: &Cause,
) -> Result<()> {
    let site_id = bench.site.id.clone();
    let decided = overrides::load(conn, &site_id, ids)?;
    held_open::end(conn, &site_id, ids, bench.at)?;
    let emails = owners(conn, &site_id, &decided)?;
    if decision == Decision::Discard {
        for held_open in &decided {
            if let OverrideKind::HeldOpen(level) = &held_open.what {
                let kept = kept(held_open, level, bench.at);
                overrides::insert(conn, &site_id, &kept)?;
            }
        }
        lift(conn, bench, &decided, &emails)?;
    }
    let members = emails.into_iter().map(|email| (email, cause.clone())).collect();
    settle(conn, bench, Touched { members, ..Touched::default() })?;
    Ok(())
}

/// The addresses of everybody to whom some overrides belong: leads may have parted since.
fn owners(conn: &mut Conn, site_id: &str, all: &[Override]) -> Result<BTreeSet<String>> {
    let leads: BTreeSet<&LeadKey> = all.iter().flat_map(|o| &o.leads).collect();
    let leads: Vec<LeadKey> = leads.into_iter().cloned().collect();
    let addresses = members::emails_of(conn, site_id, &leads)?.into_values().flatten();
    Ok(addresses.chain(all.iter().map(|o| o.email.clone())).collect())
}

/// The manual grant by which a member keeps what was held open; it ends like any other.
fn kept(held_open: &Override, level: &str, at: Instant) -> Override {
    let why = held_open.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    Override {
        id: crate::ids::new(),
        what: OverrideKind::Grant(level.to_owned()),
        email: held_open.email.clone(),
        leads: held_open.leads.clone(),
        begun_at: at,
        until: None,
        ended_at: None,
        note: Some(format!("The revocation was discarded{why}")),
    }
}

/// Lifts the chargebacks' blocks that would take away what members are to keep.
fn lift(
    conn: &mut Conn,
    bench: &Bench,
    decided: &[Override],
    emails: &BTreeSet<String>,
) -> Result<()> {
    let emails: Vec<String> = emails.iter().cloned().collect();
    let dossier = Dossier::load(conn, &bench.site.id, &emails)?;
    let mut levels: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    for email in &emails {
        let leads = dossier.leads(email);
        for o in decided.iter().filter(|o| o.belongs_to(email, &leads)) {
            if let OverrideKind::HeldOpen(level) = &o.what {
                levels.entry(email).or_default().push(level);
            }
        }
    }
    for (email, levels) in levels {
        let answer = dossier.answer(email, bench.at);
        if levels.into_iter().any(|level| is_blocked_by_chargebacks_alone(&answer, level)) {
            let lift = Override {
                id: crate::ids::new(),
                what: OverrideKind::Lift,
                email: email.clone(),
                leads: dossier.leads(email),
                begun_at: bench.at,
                until: None,
                ended_at: None,
                note: None,
            };
            overrides::insert(conn, &bench.site.id, &lift)?;
        }
    }
    Ok(())
}

fn is_blocked_by_chargebacks_alone(answer: &Answer, level: &str) -> bool {
    let is_operators = |b: &&Block| b.chargeback.is_none() && b.is_on(level);
    let by_chargeback = answer.blocks.iter().any(|block| block.chargeback.is_some());
    by_chargeback && !answer.blocks.iter().any(|b| is_operators(&b)) && !answer.holds(level)
}
