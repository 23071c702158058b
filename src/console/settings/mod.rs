//! The settings of a site, on one page: each part has a form of its own.

mod forms;
mod policy;
mod save;

use super::desk::{Desk, Listed, Site, segment};
use super::destinations::words::{Told, told};
use super::page;
use super::phrases;
use super::refused::Refused;
use super::shell::Shell;
use super::under_way::{Followed, UnderWay};
use super::zones;
use crate::app::resource;
use actix_web::{HttpResponse, web};
use askama::Template;
use forms::{AlarmsForm, BreakerForm, GeneralForm};
use serde::Deserialize;

/// The pages of settings.
pub fn routes(config: &mut web::ServiceConfig) {
    let of = "/sites/{site}/settings";
    let policy = resource(&format!("{of}/policy"), "GET, HEAD, POST");
    let part = resource(&format!("{of}/{{part}}"), "GET, HEAD, POST");
    config
        .service(page(resource(of, "GET, HEAD").get(show)))
        .service(page(policy.get(policy::show).post(policy::plan)))
        .service(page(part.get(back).post(save::save)));
}

/// A site with its settings.
#[derive(Debug, Clone, Deserialize)]
struct Settings {
    #[serde(flatten)]
    site: Site,
    kartra_time_zone: String,
    max_revocations: Option<MaxRevocations>,
    alarms: Alarms,
}

#[derive(Debug, Clone, Deserialize)]
struct MaxRevocations {
    count: i64,
    percent: i64,
    window_minutes: i64,
}

#[derive(Debug, Clone, Deserialize)]
struct Alarms {
    url: Option<String>,
    secret_set: bool,
    gone_at: Option<String>,
    heartbeat_url: Option<String>,
    held_hours: i64,
    unmatched_hours: i64,
    timers_late_minutes: i64,
    overdue_days: i64,
    off: Vec<String>,
}

/// An alarm that is open.
#[derive(Debug, Clone, Deserialize)]
struct Alarm {
    kind: String,
    first_seen_at: String,
    detail: String,
    next_step: String,
    post: Post,
}

impl Alarm {
    /// What to do about it, for whoever reads it on a page.
    fn next_step(&self) -> &str {
        phrases::alarm(&self.kind).unwrap_or(&self.next_step)
    }

    /// Where it can be mended, and what that is called; `None` where no page can.
    fn mend(&self) -> Option<(&'static str, &'static str)> {
        phrases::mend(&self.kind)
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Post {
    status: String,
    last_error: Option<String>,
}

impl Post {
    /// Whether anybody was told, in words.
    fn said(&self) -> &'static str {
        match self.status.as_str() {
            "done" => "posted",
            "pending" => "being posted",
            "retrying" => "could not be posted yet, and is tried again",
            "failed" => "could not be posted",
            _ => "posted nowhere",
        }
    }

    /// Why it could not be posted, in words.
    fn why(&self) -> Told {
        told(self.last_error.as_deref().unwrap_or_default())
    }
}

/// The path of a site's settings, below the base.
fn path_of(site_id: &str) -> String {
    format!("/sites/{}/settings", segment(site_id))
}

/// What somebody has written into the forms; what nobody has is as it is saved.
#[derive(Default)]
struct Written {
    general: Option<GeneralForm>,
    breaker: Option<BreakerForm>,
    alarms: Option<AlarmsForm>,
    overlap_hours: Option<String>,
    /// The tag of a form that would change the time zone, which is asked about before it is done.
    zone_question: Option<String>,
    refused: Option<Refused>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    here: String,
    settings: Settings,
    /// The tag of what is changed.
    tag: String,
    general: GeneralForm,
    breaker: BreakerForm,
    alarms: AlarmsForm,
    overlap_hours: String,
    open_alarms: Vec<Alarm>,
    under_way: Option<UnderWay>,
    /// The tag of a form that would change the time zone; `None` where nothing is to be asked.
    zone_question: Option<String>,
    refused: Option<Refused>,
}

impl SettingsPage {
    /// What is wrong at a place.
    fn at(&self, pointer: &str) -> &str {
        self.refused.as_ref().map_or("", |refused| refused.at(pointer))
    }

    /// The time zones to choose from.
    fn zones(&self) -> Vec<&str> {
        zones::names(&self.general.zone)
    }
}

async fn settings_page(
    desk: &Desk,
    site_id: &str,
    written: Written,
    recompute: Option<&str>,
) -> Result<SettingsPage, Refused> {
    let path = format!("/sites/{}", segment(site_id));
    let (settings, tag): (Settings, String) = desk.get_tagged(&path).await?;
    let open_alarms: Listed<Alarm> = desk.get(&format!("{path}/alarms")).await?;
    let shell = desk.shell_of(&settings.site, "settings", "Settings");
    let Written { general, breaker, alarms, overlap_hours, zone_question, refused } = written;
    Ok(SettingsPage {
        here: format!("{}{}", shell.base, path_of(&settings.site.id)),
        general: general.unwrap_or_else(|| GeneralForm::of(&settings)),
        breaker: breaker.unwrap_or_else(|| BreakerForm::of(settings.max_revocations.as_ref())),
        alarms: alarms.unwrap_or_else(|| AlarmsForm::of(&settings.alarms)),
        overlap_hours: overlap_hours.unwrap_or_else(|| "24".to_owned()),
        under_way: UnderWay::followed(desk, &settings.site.id, recompute).await?,
        open_alarms: open_alarms.items,
        settings,
        zone_question,
        refused,
        shell,
        tag,
    })
}

/// `GET /sites/{site}/settings`
async fn show(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Followed>,
) -> Result<HttpResponse, Refused> {
    let followed = asked.0.recompute;
    let page = settings_page(&desk, &site, Written::default(), followed.as_deref()).await?;
    desk.page(&page)
}

/// The page that an answer to a form stands on is opened again: the settings are shown.
async fn back(desk: Desk, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    Ok(desk.go(&path_of(&path.0), None))
}
