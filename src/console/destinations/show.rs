//! The page of a destination.

use super::changed::Changed;
use super::standing::{Standing, ever_confirmed, next_call};
use super::words::{Told, told};
use super::{Counts, Destination, NONE, PUSHES_COUNTED_MAX, count, kind, path_of};
use crate::console::desk::{Desk, Listed, segment};
use crate::console::refused::Refused;
use crate::console::rules::Levels;
use crate::console::shell::Shell;
use crate::core::Instant;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// A run over every member of a destination, as pages show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    kind: String,
    /// Where it stands: `running`, `waiting`, `finished`.
    pub state: String,
    /// How many members it is done with.
    pub done: i64,
    /// How many there are; 0 while they are not counted.
    pub total: i64,
    missing: i64,
    surplus: i64,
    unseen: i64,
    failed: i64,
    /// What keeps it from going on, or what else is to be said.
    pub detail: Option<String>,
    /// When it came to its end.
    pub finished_at: Option<String>,
}

impl Run {
    /// What it is for.
    pub fn purpose(&self) -> &'static str {
        match self.kind.as_str() {
            "resync" => "Resyncing everybody",
            "repair" => "Looking for differences and repairing them",
            _ => "Looking for differences",
        }
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.state != "finished"
    }

    /// Whether it goes on by itself to call its destination; a resync waits for pushes instead.
    pub fn is_looking(&self) -> bool {
        self.is_open() && self.kind != "resync"
    }

    /// Whether it had come to its end before an instant.
    pub fn has_ended_before(&self, at: Instant) -> bool {
        let end = self.finished_at.as_deref().and_then(|end| end.parse::<Instant>().ok());
        end.is_some_and(|end| end < at)
    }

    /// How many of those whom it is done with, at most, may lack at its end what they should have there; `None` before
    /// its end, and where it found something missing and was not to mend it.
    pub fn left_out(&self) -> Option<i64> {
        let left_out = match self.kind.as_str() {
            "resync" => Some(0),
            "repair" => Some(self.unseen),
            _ => Some(self.unseen).filter(|_| self.missing == 0),
        };
        left_out.filter(|_| !self.is_open())
    }

    /// What keeps it from going on, or what else is to be said, in words.
    pub fn why(&self) -> Told {
        told(self.detail.as_deref().unwrap_or_default())
    }

    /// What came of it, in a sentence.
    pub fn outcome(&self) -> String {
        let members = |number: i64| match number {
            1 => "1 member".to_owned(),
            number => format!("{number} members"),
        };
        let mut said = match self.kind.as_str() {
            "resync" => format!("{} brought in line", members(self.done - self.failed)),
            _ if self.missing + self.surplus == 0 => {
                format!("{} looked at, no difference", members(self.done))
            }
            kind => format!(
                "{} looked at: {} missing, {} too much{}",
                members(self.done),
                self.missing,
                self.surplus,
                if kind == "repair" { ", and pushed" } else { "" }
            ),
        };
        if self.unseen > 0 {
            said = format!("{said}; {} could not be looked at", members(self.unseen));
        }
        if self.failed > 0 {
            said = format!("{said}; {} failed", members(self.failed));
        }
        said.push('.');
        said
    }
}

#[derive(Template)]
#[template(path = "destination.html")]
struct ShowPage {
    shell: Shell,
    destination: Destination,
    standing: Standing,
    /// Whether it is called again by now, where it was left alone.
    is_pause_over: bool,
    /// The whole path of this page.
    here: String,
    /// Name of a level, and what it is called there.
    told: Vec<(String, String)>,
    confirmed: String,
    counts: Counts,
    /// Why everybody is to be resynced, where an edit has just made that needful; empty where not.
    offer: &'static str,
    is_on: bool,
    runs: Vec<Run>,
    stays: &'static str,
    is_webhook: bool,
}

impl ShowPage {
    /// Whether what is sent to it can be read on the way.
    fn is_in_the_clear(&self) -> bool {
        self.destination.place().starts_with("http://")
    }

    /// Where the pushes with a status are listed.
    fn pushes(&self, status: &str) -> String {
        format!("{}/pushes?status={status}", self.here)
    }

    fn open_run(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.is_open())
    }

    fn last_run(&self) -> Option<&Run> {
        self.runs.iter().find(|run| !run.is_open())
    }
}

/// The runs of a destination that are kept, newest first.
pub async fn runs(desk: &Desk, site_id: &str, id: &str) -> Result<Vec<Run>, Refused> {
    let path = format!("/sites/{}/runs?destination={}&limit=10", segment(site_id), segment(id));
    Ok(desk.get::<Listed<Run>>(&path).await?.items)
}

/// What is asked for in the address.
#[derive(Deserialize)]
pub struct Asked {
    /// What an edit has just changed.
    #[serde(default)]
    changed: String,
}

/// `GET /sites/{site}/destinations/{id}`
pub async fn show(
    desk: Desk,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let site = desk.site(&site).await?;
    let path = path_of(&site.id, &id);
    let destination: Destination = desk.get(&path).await?;
    let names = Levels::all(&desk, &site.id).await?;
    let name_of = |level: &str| names.name(level).to_owned();
    let levels = destination.levels.iter();
    let levels =
        levels.map(|level| (name_of(&level.level), level.remote.clone().unwrap_or_default()));
    let shell = desk.shell_of(&site, "destinations", destination.name.clone());
    let runs = runs(&desk, &site.id, &id).await?;
    let may_offer = shell.may_manage && !runs.iter().any(Run::is_open);
    let changed = Changed::named(&asked.changed).filter(|_| may_offer);
    let confirmed = count(&desk, &site.id, &id, "done", PUSHES_COUNTED_MAX).await?;
    let has_confirmed =
        confirmed != NONE || ever_confirmed(&desk, &site.id, Some(&destination.id)).await?;
    let now = desk.app().clock().now();
    let next_call = next_call(&desk, &site.id, &destination, now).await?;
    desk.page(&ShowPage {
        here: format!("{}{path}", shell.base),
        told: levels.collect(),
        standing: Standing::of(&destination, has_confirmed, next_call, now),
        is_pause_over: destination.is_pause_over(now),
        confirmed,
        counts: Counts::of(&desk, &site.id, &id, PUSHES_COUNTED_MAX).await?,
        offer: changed.map_or("", Changed::why),
        is_on: destination.enabled,
        runs,
        stays: kind::named(&destination.kind).map_or("", |kind| kind.stays),
        is_webhook: destination.kind == "webhook",
        destination,
        shell,
    })
}
