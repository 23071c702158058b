//! Products, mappings and levels on one page, and one plan of all that was changed on it.

mod chosen;
mod draft;
mod list;
mod view;

use super::desk::{Desk, segment};
use super::guard::Fields;
use super::plans;
use super::policy::{Answers, PolicyForm};
use super::refused::Refused;
use super::rules::{Faults, Levels, RuledSite};
use super::shell::{Flash, Shell};
use crate::app::resource;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
pub use chosen::fields_of;
use draft::Draft;
pub use draft::NEW_LEVEL;
use list::Asked;
pub use list::PLANNED_MAX;
use serde_json::json;
use view::{Add, Row};

/// What the parts of the form are called that belong to no product on the page.
pub const ADD: &str = "add";

/// The page of products, and what is done from it.
pub fn routes(config: &mut web::ServiceConfig) {
    let (all, levels) = ("/sites/{site}/products", "/sites/{site}/levels");
    let level = super::form_at(&format!("{levels}/{{level}}"), all);
    config
        .service(super::page(resource(all, "GET, HEAD, POST").get(show).post(save)))
        .service(super::page(super::form_at(&format!("{all}/heeded"), all).post(heed)))
        .service(super::page(super::form_at(levels, all).post(make_level)))
        .service(super::page(level.post(change_level)));
}

#[derive(Template)]
#[template(path = "products.html")]
struct ProductsPage {
    shell: Shell,
    asked: Asked,
    levels: Levels,
    rows: Vec<Row>,
    next: String,
    add: Add,
    policy: PolicyForm,
    notice: &'static str,
    /// What is said at the top of what is wrong.
    error: String,
    renaming: Renaming,
    /// What is said beside the dates of a mapping that is added.
    window_hint: String,
}

impl ProductsPage {
    /// The address of the beginning of the list; empty at its beginning.
    fn first_href(&self) -> String {
        if self.asked.is_first() {
            return String::new();
        }
        format!("{}{}{}", self.shell.base, home(&self.shell.site_id), self.asked.first())
    }

    /// The address of what follows; empty at the end.
    fn next_href(&self) -> String {
        if self.next.is_empty() {
            String::new()
        } else {
            format!("{}{}", self.shell.base, self.next)
        }
    }
}

/// What was typed as the name of a level, and what is wrong with it.
#[derive(Default)]
pub struct Renaming {
    /// The level that is renamed; empty for the one that is made.
    id: String,
    name: String,
    error: String,
}

/// `GET /sites/{site}/products`
async fn show(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let page = page(&desk, &site, asked.0, &Fields::default(), &Faults::default()).await?;
    desk.page(&page)
}

/// `POST /sites/{site}/products`: all that was changed on the page, as one plan; or, for whoever has no
/// JavaScript, the same page with the picture of what is chosen.
async fn save(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Asked>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    if plans::is_look(&fields) {
        let mut page = page(&desk, &site, asked.0, &fields, &Faults::default()).await?;
        page.notice = plans::welcome(&fields);
        return desk.page(&page);
    }
    let draft = Draft::of(&fields);
    if draft.changes.is_empty() && draft.faults.is_empty() {
        let mut page = page(&desk, &site, asked.0, &fields, &draft.faults).await?;
        page.notice = "Nothing was changed yet. Choose a level for a product, or add a mapping, and save then.";
        return desk.form_again(&page);
    }
    let faults = if draft.faults.is_empty() {
        match plans::make(&desk, &site, &draft.changes).await {
            Ok(answer) => return Ok(answer),
            Err(refused) if refused.is_of_input() => Faults::of(&refused, &draft.origins),
            Err(refused) => return Err(refused),
        }
    } else {
        draft.faults
    };
    desk.form_again(&page(&desk, &site, asked.0, &fields, &faults).await?)
}

/// `POST /sites/{site}/products/heeded`: ends the ignoring of a product.
async fn heed(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let product_id = fields.get("product_id");
    let path = format!("/sites/{}/products/{}", segment(&site), segment(product_id));
    desk.send(Method::PATCH, &path, Some(&json!({ "ignored": false })), None).await?;
    let text = format!(
        "Product {product_id} is no longer ignored. It is unmapped now: its purchases wait for a mapping, until you choose a level for it."
    );
    Ok(desk.go(&home(&site), Some(Flash::success(text))))
}

/// `POST /sites/{site}/levels`: makes a level.
async fn make_level(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let name = fields.get("name").trim().to_owned();
    if let Some(error) = taken(&desk, &site, "", &name).await? {
        return level_again(&desk, &site, Renaming { id: String::new(), name, error }).await;
    }
    let id = super::rules::slug_of(&name);
    let level = json!({ "id": id, "name": name });
    let refused = match desk.post(&format!("/sites/{}/levels", segment(&site)), &level).await {
        Ok(_) => {
            let text =
                format!("The level {name} is there now. Choose below which products give it.");
            return Ok(desk.go(&home(&site), Some(Flash::success(text))));
        }
        Err(refused) if refused.is_of_input() => refused,
        Err(refused) => return Err(refused),
    };
    let error = match refused.status {
        // No level is called so now: one was, and has kept its id.
        409 => format!(
            "Another level has the id “{id}”, which this name would get. Choose another name."
        ),
        _ if name.is_empty() => "Give the level a name.".to_owned(),
        _ => refused.at("/name").to_owned(),
    };
    level_again(&desk, &site, Renaming { id: String::new(), name, error }).await
}

/// `POST /sites/{site}/levels/{level}`: renames a level, or deletes it.
async fn change_level(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let level = format!("/sites/{}/levels/{}", segment(&site), segment(&id));
    if fields.get("do") == "delete" {
        let flash = match desk.send(Method::DELETE, &level, None, None).await {
            Ok(_) => Flash::success(format!("The level {id} is gone.")),
            Err(refused) if refused.status == 409 => refused.flash(),
            Err(refused) => return Err(refused),
        };
        return Ok(desk.go(&home(&site), Some(flash)));
    }
    let name = fields.get("name").trim().to_owned();
    if let Some(error) = taken(&desk, &site, &id, &name).await? {
        return level_again(&desk, &site, Renaming { id, name, error }).await;
    }
    match desk.send(Method::PATCH, &level, Some(&json!({ "name": name })), None).await {
        Ok(_) => {
            Ok(desk
                .go(&home(&site), Some(Flash::success(format!("The level is called {name} now.")))))
        }
        Err(refused) if refused.is_of_input() => {
            let error = match refused.at("/name") {
                "" => refused.detail.clone(),
                fault => fault.to_owned(),
            };
            level_again(&desk, &site, Renaming { id, name, error }).await
        }
        Err(refused) => Err(refused),
    }
}

/// What is said of a name that another level than the one with this id has; `None` where none has it. Levels are
/// chosen by their names, so that two with the same could not be told apart.
async fn taken(desk: &Desk, site: &str, id: &str, name: &str) -> Result<Option<String>, Refused> {
    let mut levels = Levels::all(desk, site).await?;
    levels.items.retain(|level| level.id != id);
    let told = "There is a level with this name already. Choose another name.";
    Ok(levels.named(name).map(|_| told.to_owned()))
}

async fn level_again(desk: &Desk, site: &str, renaming: Renaming) -> Result<HttpResponse, Refused> {
    let mut page =
        page(desk, site, Asked::default(), &Fields::default(), &Faults::default()).await?;
    "The level was not saved. What is wrong with its name stands beside it."
        .clone_into(&mut page.error);
    page.renaming = renaming;
    desk.form_again(&page)
}

fn home(site: &str) -> String {
    format!("/sites/{}/products", segment(site))
}

async fn page(
    desk: &Desk,
    site_id: &str,
    asked: Asked,
    fields: &Fields,
    faults: &Faults,
) -> Result<ProductsPage, Refused> {
    let ruled: RuledSite = desk.get(&format!("/sites/{}", segment(site_id))).await?;
    let window_hint = ruled.window_hint();
    let RuledSite { site, policy, .. } = ruled;
    let levels = Levels::of(desk, &site.id).await?;
    let listed = list::load(desk, &site.id, &asked).await?;
    let rows = listed.rows.into_iter().map(|found| Row::of(found, fields, faults)).collect();
    let next = listed.next.map(|next| asked.next(&home(&site.id), &next)).unwrap_or_default();
    let answers = Answers::read(fields, view::ADD_AT);
    Ok(ProductsPage {
        shell: desk.shell_of(&site, "products", "Products"),
        policy: PolicyForm::of_mapping(view::ADD_AT, &answers, &policy, &faults.all_of(ADD)),
        add: Add::of(fields, faults),
        error: Some(faults.text_of(""))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| faults.summary()),
        notice: "",
        renaming: Renaming::default(),
        window_hint,
        asked,
        levels,
        rows,
        next,
    })
}
