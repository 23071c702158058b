//! The form of a destination: a new one, or what shall change about one.

use super::act;
use super::ask::{self, Finding, Offer, Offered, Tested};
use super::changed::Changed;
use super::draft::{Draft, TYPES};
use super::words::told;
use super::{Destination, all_of, kind, listed, path_of, takes_manage};
use crate::console::desk::{Answered, Desk, Site, query, read};
use crate::console::guard::Fields;
use crate::console::once::Once;
use crate::console::refused::Refused;
use crate::console::rules::Levels;
use crate::console::shell::{Flash, Shell};
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// Among how many destinations a name is looked for that is free.
const NAMES_MAX: usize = 500;

#[derive(Template)]
#[template(path = "destination_form.html")]
struct FormPage {
    shell: Shell,
    /// Where the form goes to.
    action: String,
    /// Where it is left to.
    back: String,
    is_new: bool,
    draft: Draft,
    /// A secret that was pasted before, sealed.
    kept: String,
    /// The tag of what is changed.
    tag: String,
    /// What the destination has that levels can be told as; `None` where it was not asked.
    offered: Option<Offered>,
    tested: Option<Tested>,
    refused: Option<Refused>,
    types: [(&'static str, &'static str); TYPES.len()],
}

impl FormPage {
    /// What a level can be told as, where that is known.
    fn names(&self) -> Vec<&Offer> {
        self.offered.as_ref().map(Offered::names).unwrap_or_default()
    }

    /// Whether a level is chosen from a list and nothing else can be written.
    fn is_closed(&self) -> bool {
        self.offered.as_ref().is_some_and(Offered::is_closed)
    }

    /// What there is to say of the list of names; empty where nothing.
    fn names_note(&self) -> String {
        let Some(offered) = &self.offered else { return String::new() };
        let detail = told(offered.detail.as_deref().unwrap_or_default()).whole();
        match (offered.ok, offered.makes_missing) {
            (false, _) => format!(
                "What there is could not be asked for, so write the names yourself. {detail}"
            ),
            (_, true) => {
                format!(
                    "Choose one that is there, or write another name: it is made when somebody first gets it. {detail}"
                )
            }
            _ => detail,
        }
    }

    /// The tiers that there are; empty where that is not known.
    fn tiers(&self) -> String {
        self.offered.as_ref().map(Offered::tiers).unwrap_or_default()
    }

    /// What is wrong at a place.
    fn at(&self, pointer: &str) -> &str {
        self.refused.as_ref().map_or("", |refused| refused.at(pointer))
    }

    /// What is wrong with the pasted secret.
    fn secret_fault(&self) -> &str {
        self.at(&format!("/config/{}", self.draft.kind.secret))
    }

    /// What is wrong with the tiers, the first thing of it.
    fn tiers_fault(&self) -> &str {
        let faults = self.refused.iter().flat_map(|refused| &refused.errors);
        let mut faults = faults.filter(|fault| fault.pointer.starts_with("/config/tiers"));
        faults.next().map_or("", |fault| &fault.detail)
    }

    /// What is wrong with the row of a level.
    fn row_fault(&self, row: &super::draft::Row) -> String {
        self.draft.fault_of(row, self.refused.as_ref())
    }
}

fn blank(desk: &Desk, site: &Site, draft: Draft) -> FormPage {
    let title = format!("Add {}", draft.kind.a_name);
    let shell = desk.shell_of(site, "destinations", title);
    let back = format!("{}{}", shell.base, all_of(&site.id));
    FormPage {
        action: format!("{back}/new"),
        back,
        shell,
        is_new: true,
        kept: draft.kept(desk),
        draft,
        tag: String::new(),
        offered: None,
        tested: None,
        refused: None,
        types: TYPES,
    }
}

/// Which kind is to be added.
#[derive(Deserialize)]
pub struct New {
    kind: Option<String>,
}

/// `GET /sites/{site}/destinations/new?kind=`
pub async fn ask(
    desk: Desk,
    site: web::Path<String>,
    new: web::Query<New>,
) -> Result<HttpResponse, Refused> {
    takes_manage(&desk, "Adding a destination")?;
    let Some(kind) = kind::named(new.0.kind.as_deref().unwrap_or_default()) else {
        return Ok(desk.go(&format!("{}#add", all_of(&site)), None));
    };
    let site = desk.site(&site).await?;
    let mut draft = Draft::new(kind, Levels::all(&desk, &site.id).await?.items);
    draft.name = free_name(&desk, &site.id, kind.name).await?;
    desk.page(&blank(&desk, &site, draft))
}

/// A name that no other destination of the site has: the one that is wished for, or that and a number.
async fn free_name(desk: &Desk, site_id: &str, wished: &str) -> Result<String, Refused> {
    let others = listed(desk, site_id, NAMES_MAX).await?;
    let is_free = |name: &String| others.iter().all(|other| other.name != *name);
    // Of one more name than there are others, one is free.
    let numbered = (2..=others.len() + 1).map(|number| format!("{wished} {number}"));
    let mut names = std::iter::once(wished.to_owned()).chain(numbered);
    Ok(names.find(is_free).unwrap_or_else(|| wished.to_owned()))
}

/// `POST /sites/{site}/destinations/new`
pub async fn make(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let Some(kind) = kind::named(fields.get("kind")) else {
        return Ok(desk.go(&all_of(&site), None));
    };
    let site = desk.site(&site).await?;
    let mut draft = Draft::sent(kind, Levels::all(&desk, &site.id).await?.items, &fields);
    draft.take_kept(&desk, fields.get("kept"));
    let body = draft.body();
    let mut page = blank(&desk, &site, draft);
    let body = match body {
        Ok(body) => body,
        Err(refused) => return again(&desk, page, refused),
    };
    if fields.get("act") == "test" {
        return test(&desk, &site, page, &body).await;
    }
    match desk.post(&all_of(&site.id), &body).await {
        Ok(answered) => {
            let id = answered.text("id").unwrap_or_default();
            let secret = answered.text("secret");
            Ok(made(&desk, &site, id, &page.draft.name, secret)?)
        }
        Err(refused) if refused.is_of_input() => {
            if fields.is_on("offered") {
                page.offered = ask::unsaved(&desk, &site.id, &body).await.ok();
            }
            again(&desk, page, refused)
        }
        Err(refused) => Err(refused),
    }
}

fn again(desk: &Desk, page: FormPage, refused: Refused) -> Result<HttpResponse, Refused> {
    // Each kind calls its address otherwise.
    let address = match page.draft.kind.id {
        "webhook" => "“Address of the receiver”",
        _ => "“Address of the site”",
    };
    let detail = refused.detail.replace("“Address”", address);
    desk.form_again(&FormPage { refused: Some(Refused { detail, ..refused }), ..page })
}

/// Shows what a test of the form finds, and what there is to choose from.
async fn test(
    desk: &Desk,
    site: &Site,
    mut page: FormPage,
    body: &serde_json::Value,
) -> Result<HttpResponse, Refused> {
    let has_names = !page.draft.kind.remote.is_empty();
    if has_names {
        match ask::unsaved(desk, &site.id, body).await {
            Ok(offered) => page.offered = Some(offered),
            Err(refused) if refused.is_of_input() => return again(desk, page, refused),
            Err(refused) => return Err(refused),
        }
    }
    if let Some(offered) = page.offered.as_ref().filter(|_| !page.draft.names_levels()) {
        // Nothing is chosen yet, and there is no destination of this kind without that.
        page.tested = Some(reached(offered));
        return desk.page(&page);
    }
    match ask::test_unsaved(desk, &site.id, body).await {
        Ok(tested) => desk.page(&FormPage { tested: Some(tested), ..page }),
        Err(refused) if refused.is_of_input() => again(desk, page, refused),
        Err(refused) => Err(refused),
    }
}

/// What asking what there is has shown.
fn reached(offered: &Offered) -> Tested {
    let good = "It answers, and lets Latchkey in.".to_owned();
    let why = offered.detail.clone().filter(|_| !offered.ok);
    let detail = why.unwrap_or(good);
    let finding = Finding { what: "connection".to_owned(), ok: offered.ok, detail };
    Tested { ok: offered.ok, findings: vec![finding] }
}

fn made(
    desk: &Desk,
    site: &Site,
    id: &str,
    name: &str,
    secret: Option<&str>,
) -> Result<HttpResponse, Refused> {
    let path = path_of(&site.id, id);
    let done = format!(
        "{name} is saved and switched on: it is sent every change from now on. Nothing has tested yet whether it \
         answers: choose Test on its page."
    );
    let Some(secret) = secret else {
        return Ok(desk.go(&path, Some(Flash::success(done))));
    };
    let shell = desk.shell_of(site, "destinations", "The secret of your webhook");
    let href = format!("{}{path}", shell.base);
    let then = "Give it to the program that receives the messages: it needs it to tell that a message is Latchkey's. \
                If you lose it, make another one on the page of the destination.";
    Once {
        shell,
        done,
        label: "Secret for checking signatures",
        secret: secret.to_owned(),
        then: then.to_owned(),
        href,
        go_on: "Go on to the destination",
    }
    .show(desk)
}

/// The form of a destination that is there.
async fn of_saved(
    desk: &Desk,
    site_id: &str,
    id: &str,
) -> Result<(Site, Destination, FormPage), Refused> {
    let site = desk.site(site_id).await?;
    let path = path_of(&site.id, id);
    let (destination, tag): (Destination, String) = desk.get_tagged(&path).await?;
    let levels = Levels::all(desk, &site.id).await?.items;
    let draft = Draft::of(&destination, levels).ok_or_else(|| {
        Refused::from(crate::web::problem::Problem::not_found("form for this kind of destination"))
    })?;
    let title = format!("Edit {}", destination.name);
    let shell = desk.shell_of(&site, "destinations", title);
    let back = format!("{}{path}", shell.base);
    let action = format!("{back}/edit");
    let page = FormPage { action, back, shell, is_new: false, tag, ..blank(desk, &site, draft) };
    Ok((site, destination, page))
}

/// `GET /sites/{site}/destinations/{id}/edit`
pub async fn open(desk: Desk, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    takes_manage(&desk, "Editing a destination")?;
    let (site, id) = path.into_inner();
    let (site, destination, mut page) = of_saved(&desk, &site, &id).await?;
    offer(&desk, &site, &destination, &mut page).await;
    desk.page(&page)
}

/// What a destination offers, where there is hope that it answers.
async fn offer(desk: &Desk, site: &Site, destination: &Destination, page: &mut FormPage) {
    let has_names = !page.draft.kind.remote.is_empty();
    if has_names && destination.enabled && destination.state == "ok" {
        // Whatever keeps it from answering: names can be written as well.
        page.offered = ask::saved(desk, &path_of(&site.id, &destination.id)).await.ok();
    }
}

/// `POST /sites/{site}/destinations/{id}/edit`
pub async fn save(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let (site, destination, mut page) = of_saved(&desk, &site, &id).await?;
    let levels = page.draft.rows.drain(..).map(|row| row.level).collect();
    page.draft = Draft::sent(page.draft.kind, levels, &fields);
    page.draft.take_kept(&desk, fields.get("kept"));
    page.kept = page.draft.kept(&desk);
    let path = path_of(&site.id, &id);
    let saved = match page.draft.patch() {
        Ok(patch) => desk.send(Method::PATCH, &path, Some(&patch), fields.text("tag")).await,
        Err(refused) => Err(refused),
    };
    match saved {
        Ok(answered) => edited(&desk, &site, &destination, answered, fields.get("act")).await,
        Err(refused) if refused.is_of_input() => {
            offer(&desk, &site, &destination, &mut page).await;
            again(&desk, page, refused)
        }
        Err(refused) => Err(refused),
    }
}

/// Goes on from an edit: to its test, or to the destination; either offers to resync everybody where that is needful.
async fn edited(
    desk: &Desk,
    site: &Site,
    before: &Destination,
    answered: Answered,
    then: &str,
) -> Result<HttpResponse, Refused> {
    let after: Destination = read(answered.body)?;
    let changed = Changed::between(before, &after);
    if then == "save-and-test" {
        return act::tested(desk, &site.id, &after.id, changed).await;
    }
    let asked = query(&[("changed", changed.map_or("", Changed::word))]);
    let place = format!("{}{asked}", path_of(&site.id, &after.id));
    Ok(desk.go(&place, Some(Flash::success("Saved."))))
}
