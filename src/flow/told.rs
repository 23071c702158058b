//! The webhooks that a transaction judges: what they say counts before it is written, and each row is
//! written once, with all that became of it.

use crate::core::event::{EventId, Witness};
use crate::store::Result;
use crate::store::conn::Conn;
use crate::store::observations::{self, Judged};
use crate::store::webhooks::Status;
use std::collections::BTreeMap;

/// What some webhooks tell, until it is written.
#[derive(Debug, Default)]
pub struct Told {
    webhooks: BTreeMap<String, Judged>,
    witnesses: BTreeMap<EventId, Vec<Witness>>,
}

impl Told {
    /// Takes what became of a webhook, and the observation that it is, if it is one.
    pub(super) fn add(&mut self, judged: Judged, observed: Option<(EventId, Witness)>) {
        self.webhooks.insert(judged.id.clone(), judged);
        if let Some((event, witness)) = observed {
            self.witnesses.entry(event).or_default().push(witness);
        }
    }

    /// All observations of some events: those that are recorded, and those told here.
    pub(super) fn witnesses(
        &mut self,
        conn: &mut Conn,
        site_id: &str,
        events: &[EventId],
    ) -> Result<BTreeMap<EventId, Vec<Witness>>> {
        let mut all = observations::witnesses(conn, site_id, events)?;
        // What is recorded of a webhook that is told anew is over.
        all.values_mut().for_each(|found| {
            found.retain(|witness| !self.webhooks.contains_key(&witness.webhook_id));
        });
        for event in events {
            if let Some(told) = self.witnesses.remove(event) {
                all.entry(event.clone()).or_default().extend(told);
            }
        }
        Ok(all)
    }

    /// Gives webhooks their status in the list.
    pub(super) fn list(
        &mut self,
        conn: &mut Conn,
        site_id: &str,
        ids: Vec<String>,
        status: Status,
    ) -> Result<()> {
        let mut recorded = Vec::new();
        for id in ids {
            match self.webhooks.get_mut(&id) {
                Some(told) => told.status = status.as_str(),
                None => recorded.push(id),
            }
        }
        observations::set_status(conn, site_id, &recorded, status)
    }

    /// Counts changes onto the webhook that led to them.
    pub(super) fn count(
        &mut self,
        conn: &mut Conn,
        site_id: &str,
        id: &str,
        changes: i32,
    ) -> Result<()> {
        match self.webhooks.get_mut(id) {
            Some(told) => {
                told.changes = told.changes.saturating_add(changes);
                Ok(())
            }
            None => observations::add_changes(conn, site_id, id, changes),
        }
    }

    /// Writes all of it.
    pub(super) fn write(self, conn: &mut Conn, site_id: &str) -> Result<()> {
        let judged: Vec<Judged> = self.webhooks.into_values().collect();
        observations::judge(conn, site_id, &judged)
    }
}
