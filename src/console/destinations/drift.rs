//! How a destination differs from what is wanted there.

use super::show::{Run, runs};
use super::words::{Told, told};
use super::{Destination, path_of};
use crate::console::desk::{Cursor, Desk, Listed, query, segment};
use crate::console::refused::Refused;
use crate::console::shell::Shell;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// Something that a destination has otherwise than is wanted.
#[derive(Debug, Deserialize)]
struct Difference {
    email: Option<String>,
    remote: Option<String>,
    what: String,
    detail: Option<String>,
}

impl Difference {
    /// What else is to be said of it, in words.
    fn why(&self) -> Told {
        told(self.detail.as_deref().unwrap_or_default())
    }

    /// How it differs: a tone and words.
    fn standing(&self) -> (&'static str, &'static str) {
        match self.what.as_str() {
            "missing" => ("warn", "missing there"),
            "surplus" => ("warn", "too much there"),
            _ => ("neutral", "could not be looked at"),
        }
    }
}

/// What the latest look has found.
#[derive(Debug, Deserialize)]
struct Report {
    runs: Vec<Run>,
    #[serde(flatten)]
    listed: Listed<Difference>,
}

#[derive(Template)]
#[template(path = "destination_drift.html")]
struct DriftPage {
    shell: Shell,
    destination: Destination,
    here: String,
    back: String,
    looked: Option<Run>,
    open: Option<Run>,
    items: Vec<Difference>,
    first: String,
    next: String,
}

/// `GET /sites/{site}/destinations/{id}/drift`
pub async fn show(
    desk: Desk,
    path: web::Path<(String, String)>,
    from: web::Query<Cursor>,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let site = desk.site(&site).await?;
    let path = path_of(&site.id, &id);
    let destination: Destination = desk.get(&path).await?;
    let cursor = from.cursor.as_deref().unwrap_or_default();
    let asked = query(&[("destination", &id), ("cursor", cursor)]);
    let report: Report = desk.get(&format!("/sites/{}/drift{asked}", segment(&site.id))).await?;
    let open = runs(&desk, &site.id, &id).await?.into_iter().find(Run::is_open);
    let title = format!("Differences at {}", destination.name);
    let shell = desk.shell_of(&site, "destinations", title);
    let back = format!("{}{path}", shell.base);
    let here = format!("{back}/drift");
    desk.page(&DriftPage {
        first: from.first(&here),
        next: report.listed.next(&here),
        looked: report.runs.into_iter().find(|run| !run.is_open()),
        items: report.listed.items,
        destination,
        shell,
        here,
        back,
        open,
    })
}
