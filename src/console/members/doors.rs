//! How far each destination is with a person.

use crate::console::desk::{Desk, Listed, segment};
use crate::console::destinations::{Run, runs};
use crate::console::refused::Refused;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The work of bringing a person in line at a destination.
#[derive(Deserialize)]
pub struct Push {
    pub id: String,
    destination: String,
    pub status: String,
    pub next_attempt_at: Option<String>,
    pub last_error: Option<String>,
    pub wanted_at: String,
    pub done_at: Option<String>,
}

/// A destination, by its name.
#[derive(Deserialize)]
pub struct Destination {
    pub id: String,
    pub name: String,
    pub enabled: bool,
}

/// A destination, and how far it is with this person.
pub struct Door {
    pub destination: Destination,
    pub push: Option<Push>,
    /// Whether a run goes over every member there that has not told it of this person, or not yet.
    pub is_gone_over: bool,
}

impl Door {
    /// Whether something is on its way there.
    pub fn moves(&self) -> bool {
        let under_way = |push: &Push| matches!(&*push.status, "pending" | "retrying");
        self.push.as_ref().map_or(self.is_gone_over, under_way)
    }
}

/// Every destination of a site, with how far it is with an address.
pub async fn of(desk: &Desk, site_id: &str, email: &str) -> Result<Vec<Door>, Refused> {
    let site = format!("/sites/{}", segment(site_id));
    let all: Listed<Destination> = desk.get(&format!("{site}/destinations?limit=100")).await?;
    let of_person = format!("{site}/pushes?limit=100&q={}", segment(email));
    let pushes: Listed<Push> = desk.get(&of_person).await?;
    let mut pushes: BTreeMap<String, Push> =
        pushes.items.into_iter().rev().map(|push| (push.destination.clone(), push)).collect();
    let mut doors = Vec::new();
    for destination in all.items {
        let push = pushes.remove(&destination.id);
        let asks = push.is_none() && destination.enabled;
        let is_gone_over =
            asks && runs(desk, site_id, &destination.id).await?.iter().any(Run::is_open);
        doors.push(Door { destination, push, is_gone_over });
    }
    Ok(doors)
}
