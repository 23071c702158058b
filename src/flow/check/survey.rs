//! The first pass of a check: every webhook that is an observation is read once, and only how they hang
//! together is kept.

use super::kin::Kin;
use crate::core::event::{Event, EventId, Observation, Vouched, Witness};
use crate::core::kartra::read;
use crate::flow::rebuild::{BATCH_ROWS_MAX, bounded_after};
use crate::flow::settle::Bench;
use crate::store::conn::Conn;
use crate::store::observations::{self, Due};
use crate::store::{Result, StoreError, bodies};
use std::collections::BTreeMap;

/// The webhooks of a site that are observations, in parts.
pub(super) struct Survey {
    ids: Ids,
    /// Webhooks by their number in the order of receipt; those that hang together stand together.
    order: Vec<u32>,
    /// Of each webhook, by its number, what it hangs together with.
    roots: Vec<u32>,
}

impl Survey {
    /// Reads all webhooks of a site; `progress` is told how many, of the others too.
    pub(super) fn of(
        conn: &mut Conn,
        bench: &Bench,
        mut progress: impl FnMut(usize),
    ) -> Result<Self> {
        let (mut kin, mut ids, mut roots) = (Kin::new(), Ids::default(), Vec::new());
        let (mut reached, mut done) = (String::new(), 0);
        loop {
            let batch = bounded_after(conn, &bench.site.id, &reached)?;
            let Some(last) = batch.last() else { break };
            reached.clone_from(&last.id);
            for (webhook, says) in observed(conn, bench, &batch)? {
                roots.push(kin.join(&webhook.id, &says));
                ids.push(&webhook.id);
            }
            done += batch.len();
            progress(done);
        }
        for root in &mut roots {
            *root = kin.root(*root);
        }
        drop(kin);
        let mut order: Vec<u32> = (0..).take(roots.len()).collect();
        order.sort_unstable_by_key(|number| (roots.get(*number as usize), *number));
        Ok(Self { ids, order, roots })
    }

    /// How many webhooks there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The ids of the next part, from a place on: at least so many webhooks, if there are any left, and all
    /// that hang together with them. Empty at the end.
    pub(super) fn part(&self, from: usize, webhooks_min: usize) -> Vec<String> {
        let root =
            |at: usize| self.order.get(at).and_then(|number| self.roots.get(*number as usize));
        let mut to = from.saturating_add(webhooks_min).min(self.order.len());
        while to > from && to < self.order.len() && root(to) == root(to - 1) {
            to += 1;
        }
        let numbers = self.order.get(from..to).unwrap_or_default();
        numbers.iter().filter_map(|number| self.ids.get(*number as usize)).collect()
    }
}

/// The events that some webhooks tell of, which hang together with no others.
pub(super) fn events_of(conn: &mut Conn, bench: &Bench, ids: &[String]) -> Result<Vec<Event>> {
    let mut witnesses: BTreeMap<EventId, Vec<Witness>> = BTreeMap::new();
    let limit = usize::try_from(BATCH_ROWS_MAX).unwrap_or(1);
    for ids in ids.chunks(limit) {
        let mut rest = observations::load(conn, &bench.site.id, ids)?;
        while !rest.is_empty() {
            let fits = bodies::fitting(conn, &bench.site.id, &rest)?;
            let batch: Vec<Due> = rest.drain(..fits).collect();
            for (webhook, says) in observed(conn, bench, &batch)? {
                let id = EventId::of(&says, &webhook.id);
                let vouched = Vouched::from_rank(webhook.vouched.unwrap_or(i16::MAX));
                let witness = observations::witness_of(webhook, vouched, says)?;
                witnesses.entry(id).or_default().push(witness);
            }
        }
    }
    let zone = bench.site.kartra_time_zone;
    Ok(witnesses.into_iter().filter_map(|(id, told)| Event::merge(id, told, zone)).collect())
}

/// What those of some webhooks say that are observations.
fn observed<'a>(
    conn: &mut Conn,
    bench: &Bench,
    batch: &'a [Due],
) -> Result<Vec<(&'a Due, Observation)>> {
    let observed = || batch.iter().filter(|webhook| webhook.event_id.is_some());
    let ids: Vec<&str> = observed().map(|webhook| webhook.id.as_str()).collect();
    let bodies = bodies::of(conn, &bench.site.id, &ids)?;
    let says = |webhook: &'a Due| Ok((webhook, observation(webhook, bodies.get(&webhook.id))?));
    observed().map(says).collect()
}

/// What a webhook says by its body, or, where that has aged out, by what was read of it.
fn observation(webhook: &Due, body: Option<&Vec<u8>>) -> Result<Observation> {
    let says = match body {
        Some(body) => read(body).says.ok(),
        None => observations::heard(webhook.said.as_deref())?,
    };
    let unreadable = || format!("webhook {} cannot be read any more", webhook.id);
    says.ok_or_else(|| StoreError::Corrupt(unreadable()))
}

/// Ids of webhooks, in little room: 16 bytes for one as they are made today.
#[derive(Default)]
struct Ids {
    short: Vec<u128>,
    /// What is no UUID in its usual spelling, by its number.
    others: BTreeMap<usize, String>,
}

impl Ids {
    fn push(&mut self, id: &str) {
        let short = uuid::Uuid::parse_str(id).ok().filter(|uuid| uuid.to_string() == id);
        if short.is_none() {
            self.others.insert(self.short.len(), id.to_owned());
        }
        self.short.push(short.unwrap_or_default().as_u128());
    }

    fn get(&self, number: usize) -> Option<String> {
        let short = || self.short.get(number).map(|id| uuid::Uuid::from_u128(*id).to_string());
        self.others.get(&number).cloned().or_else(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were() {
        let ids = [
            "019a8f3c-7b1e-7c55-8a11-0123456789ab",
            "a00001",
            "019A8F3C-7B1E-7C55-8A11-0123456789AB",
            "",
        ];
        let mut kept = Ids::default();
        ids.iter().for_each(|id| kept.push(id));
        assert_eq!(
            (0..5).map(|at| kept.get(at)).collect::<Vec<_>>(),
            [
                Some(ids[0].to_owned()),
                Some(ids[1].to_owned()),
                Some(ids[2].to_owned()),
                Some(String::new()),
                None,
            ]
        );
    }

    #[test]
    fn a_part_never_cuts_what_hangs_together() {
        let mut ids = Ids::default();
        (0..6).for_each(|number| ids.push(&number.to_string()));
        let survey = Survey { ids, order: vec![0, 2, 1, 3, 4, 5], roots: vec![0, 1, 0, 1, 1, 5] };
        let parts = |webhooks_min: usize| {
            let (mut from, mut parts) = (0, Vec::new());
            loop {
                let part = survey.part(from, webhooks_min);
                if part.is_empty() {
                    return parts;
                }
                from += part.len();
                parts.push(part.concat());
            }
        };
        assert_eq!(parts(1), ["02", "134", "5"]);
        assert_eq!(parts(3), ["02134", "5"]);
        assert_eq!(parts(usize::MAX), ["021345"]);
    }
}
