//! Which sites there are, for whoever has more than one, and making and deleting them.

use super::desk::{Cursor, Desk, Listed, Site, segment};
use super::guard::Fields;
use super::refused::Refused;
use super::shell::{Flash, Shell};
use super::zones;
use super::{form_at, page};
use crate::app::resource;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::json;

/// The pages of sites.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(page(resource("/", "GET, HEAD").get(first)))
        .service(page(resource("/sites", "GET, HEAD, POST").get(list).post(make)))
        .service(page(form_at("/sites/{site}/delete", "/sites").post(delete)));
}

/// A form for a site, as it was filled in.
struct Draft {
    id: String,
    name: String,
    zone: String,
}

#[derive(Template)]
#[template(path = "sites.html")]
struct SitesPage {
    shell: Shell,
    sites: Vec<Site>,
    first: String,
    next: String,
    may_make: bool,
    draft: Draft,
    refused: Option<Refused>,
}

impl SitesPage {
    /// What is wrong at a place.
    fn at(&self, pointer: &str) -> &str {
        self.refused.as_ref().map_or("", |refused| refused.at(pointer))
    }

    /// The time zones to choose from.
    fn zones(&self) -> Vec<&str> {
        zones::names(&self.draft.zone)
    }
}

/// How a site is connected with Kartra: a tone and words.
pub fn standing(state: &str) -> (&'static str, &'static str) {
    match state {
        "receiving" => ("good", "webhooks come in"),
        "silent" => ("warn", "silent for longer than usual"),
        "disabled" => ("neutral", "switched off"),
        _ => ("info", "waiting for the first webhook"),
    }
}

/// `GET /`: the only site, or the list of them.
async fn first(desk: Desk) -> Result<HttpResponse, Refused> {
    let sites: Listed<Site> = desk.get("/sites?limit=2").await?;
    match sites.items.as_slice() {
        [only] => Ok(desk.go(&format!("/sites/{}", segment(&only.id)), None)),
        _ => Ok(desk.go("/sites", None)),
    }
}

async fn sites_page(
    desk: &Desk,
    from: &Cursor,
    draft: Draft,
    refused: Option<Refused>,
) -> Result<SitesPage, Refused> {
    let found: Listed<Site> = desk.get(&format!("/sites{}", from.query())).await?;
    let shell = Shell { here: "sites", ..desk.shell("Sites") };
    let all = format!("{}/sites", shell.base);
    Ok(SitesPage {
        may_make: shell.may_admin && desk.session().caller.site_id.is_none(),
        first: from.first(&all),
        next: found.next(&all),
        sites: found.items,
        shell,
        draft,
        refused,
    })
}

/// `GET /sites`
async fn list(desk: Desk, from: web::Query<Cursor>) -> Result<HttpResponse, Refused> {
    let draft = Draft { id: String::new(), name: String::new(), zone: zones::USUAL.to_owned() };
    let page = sites_page(&desk, &from, draft, None).await?;
    desk.page(&page)
}

/// `POST /sites`
async fn make(desk: Desk, fields: Fields) -> Result<HttpResponse, Refused> {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let draft = Draft { id: text("id"), name: text("name"), zone: text("kartra_time_zone") };
    let asked = json!({ "id": draft.id, "name": draft.name, "kartra_time_zone": draft.zone });
    match desk.post("/sites", &asked).await {
        Ok(_) => {
            let text = format!("{} is made. Connect it with Kartra next.", draft.name);
            Ok(desk.go(&format!("/sites/{}/setup", segment(&draft.id)), Some(Flash::success(text))))
        }
        Err(refused) if refused.is_of_input() => {
            let page = sites_page(&desk, &Cursor { cursor: None }, draft, Some(refused)).await?;
            desk.form_again(&page)
        }
        Err(refused) => Err(refused),
    }
}

/// `POST /sites/{site}/delete`
async fn delete(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let confirmed = fields.get("confirm").trim();
    if confirmed != site.as_str() {
        let text =
            format!("Nothing is deleted: what was typed is not the id of the site, {}.", *site);
        return Ok(desk.go("/sites", Some(Flash::danger(text))));
    }
    let path = format!("/sites/{0}?confirm={0}", segment(&site));
    desk.send(Method::DELETE, &path, None, None).await?;
    let text = format!("The site {} is deleted, with everything that belonged to it.", *site);
    Ok(desk.go("/sites", Some(Flash::success(text))))
}
