//! One mapping: its price point, its dates, and its policy beside a picture of what that leads to.

use super::desk::{Desk, segment};
use super::guard::Fields;
use super::page;
use super::plans;
use super::policy::{Answers, PolicyForm};
use super::refused::Refused;
use super::rules::{Faults, Levels, Mapping, Product, RuledSite, from_field, in_field, slug_of};
use super::shell::Shell;
use crate::app::resource;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value, json};

/// What the fields of its policy begin with, and those of its level.
const AT: &str = "mapping.";
const ORIGIN: &str = "mapping";

/// The page of a mapping.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = resource("/sites/{site}/mappings/{id}", "GET, HEAD, POST");
    config.service(page(one.get(show).post(save)));
}

#[derive(Template)]
#[template(path = "mapping.html")]
struct MappingPage {
    shell: Shell,
    mapping: Mapping,
    /// The version of the mapping that the form was made from.
    version: String,
    title: String,
    levels: Levels,
    typed: Typed,
    policy: PolicyForm,
    faults: Faults,
    error: String,
    /// What whoever comes back from a plan is told.
    notice: &'static str,
    window_hint: String,
}

/// What the fields hold, but for the policy.
struct Typed {
    level: String,
    level_name: String,
    state: String,
    price_point: String,
    price_points: Vec<String>,
    purchased_from: String,
    purchased_before: String,
}

impl MappingPage {
    /// What is wrong with the level; empty where nothing is.
    fn level_error(&self) -> String {
        ["/level", "/level/name", "/level/id"].map(|at| self.faults.at(ORIGIN, at)).concat()
    }

    /// How an instant is typed: browsers forget one that is finer than a thousandth of a second.
    #[expect(clippy::unused_self, reason = "templates call what belongs to their page")]
    fn kind(&self, at: &str) -> &'static str {
        if at.contains('.') { "text" } else { "datetime-local" }
    }

    /// What is wrong at a place of the mapping; empty where nothing is.
    fn fault(&self, pointer: &str) -> &str {
        self.faults.at(ORIGIN, pointer)
    }
}

/// `GET /sites/{site}/mappings/{id}`
async fn show(desk: Desk, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let found = Found::of(&desk, &site, &id).await?;
    desk.page(&found.page(&desk, &Fields::default(), Faults::default()))
}

/// `POST /sites/{site}/mappings/{id}`: a plan of what was changed, or of its end; or the picture of what is chosen.
async fn save(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let found = Found::of(&desk, &site, &id).await?;
    if plans::is_look(&fields) {
        return desk.page(&found.page(&desk, &fields, Faults::default()));
    }
    let mut faults = Faults::default();
    let changes = if fields.get("do") == "delete" {
        vec![json!({ "op": "delete_mapping", "id": id })]
    } else if fields.get("version") == found.mapping.version.to_string() {
        changes(&found.mapping, &fields, &mut faults)
    } else {
        faults.note("", "", "Somebody changed this mapping while you were at it. What you typed is still here; look at what differs from what is saved, then save again.");
        Vec::new()
    };
    if changes.is_empty() && faults.is_empty() {
        faults.note("", "", "Nothing was changed yet.");
    }
    if faults.is_empty() {
        match plans::make(&desk, &site, &changes).await {
            Ok(answer) => return Ok(answer),
            Err(refused) if refused.is_of_input() => {
                let origins = vec![ORIGIN.to_owned(); changes.len()];
                faults = Faults::of(&refused, &origins);
            }
            Err(refused) => return Err(refused),
        }
    }
    desk.form_again(&found.page(&desk, &fields, faults))
}

/// What differs from the mapping as it is.
fn changes(mapping: &Mapping, fields: &Fields, faults: &mut Faults) -> Vec<Value> {
    let of = |name: &str| fields.get(&format!("{AT}{name}")).trim();
    let (mut changes, mut edit) = (Vec::new(), Map::new());
    let level = match of("level") {
        super::products::NEW_LEVEL => {
            let id = slug_of(of("level_name"));
            if id.is_empty() {
                faults.note(ORIGIN, "/level/name", "Name the new level.");
            }
            let level = json!({ "id": id, "name": of("level_name") });
            changes.push(json!({ "op": "create_level", "level": level }));
            id
        }
        chosen => chosen.to_owned(),
    };
    if level != mapping.level {
        edit.insert("level".to_owned(), level.into());
    }
    if (of("state") == "on") != mapping.enabled {
        edit.insert("enabled".to_owned(), (of("state") == "on").into());
    }
    let window = [
        ("purchased_from", &mapping.purchased_from),
        ("purchased_before", &mapping.purchased_before),
    ];
    for (name, before) in window {
        let at = from_field(of(name));
        if at != *before && of(name) != in_field(before.as_deref()) {
            edit.insert(name.to_owned(), at.into());
        }
    }
    let policy = Answers::read(fields, AT).policy();
    if serde_json::to_value(&mapping.policy).ok().as_ref() != Some(&policy) {
        edit.insert("policy".to_owned(), policy);
    }
    let price_point = Some(of("price_point")).filter(|point| !point.is_empty());
    if !edit.is_empty() || price_point != mapping.price_point.as_deref() {
        // Always written: by it the plan knows that it came from here, and not from the page of the products.
        edit.insert("price_point".to_owned(), price_point.into());
        changes.push(json!({ "op": "update_mapping", "id": mapping.id, "mapping": edit }));
    }
    changes
}

/// What is said of faults at the top of the page; empty where there are none.
fn wrong(faults: &Faults) -> String {
    let of_all = [faults.text_of(""), faults.at(ORIGIN, "").to_owned()].concat();
    if of_all.is_empty() { faults.summary() } else { of_all }
}

/// The fields of the form that makes a mapping what it is here, as a plan has it; `new_level` names its level where
/// that is to be made.
pub fn fields_of(mapping: &Mapping, new_level: Option<&str>) -> Vec<(String, String)> {
    let level = new_level.map_or(mapping.level.as_str(), |_| super::products::NEW_LEVEL);
    let typed = [
        ("level", level.to_owned()),
        ("level_name", new_level.unwrap_or_default().to_owned()),
        ("state", if mapping.enabled { "on" } else { "off" }.to_owned()),
        ("price_point", mapping.price_point.clone().unwrap_or_default()),
        ("purchased_from", in_field(mapping.purchased_from.as_deref())),
        ("purchased_before", in_field(mapping.purchased_before.as_deref())),
    ];
    // The plan has it as it would be: one version on from the one that was edited.
    let mut fields = vec![("version".to_owned(), (mapping.version - 1).to_string())];
    fields.extend(typed.map(|(name, value)| (format!("{AT}{name}"), value)));
    fields.extend(Answers::of(&mapping.policy).fields(AT));
    fields
}

/// What the page is about.
struct Found {
    site: RuledSite,
    mapping: Mapping,
    product: Option<Product>,
    levels: Levels,
}

impl Found {
    async fn of(desk: &Desk, site_id: &str, id: &str) -> Result<Self, Refused> {
        let base = format!("/sites/{}", segment(site_id));
        let site: RuledSite = desk.get(&base).await?;
        let mapping: Mapping = desk.get(&format!("{base}/mappings/{}", segment(id))).await?;
        let product = format!("{base}/products/{}", segment(&mapping.product_id));
        let product = match desk.get::<Product>(&product).await {
            Ok(product) => Some(product),
            // A product may be mapped before anybody has bought it.
            Err(refused) if refused.is_not_found() => None,
            Err(refused) => return Err(refused),
        };
        let levels = Levels::of(desk, site_id).await?;
        Ok(Self { site, mapping, product, levels })
    }

    /// The page; what was typed, where a form was sent, stands over what is.
    fn page(self, desk: &Desk, fields: &Fields, faults: Faults) -> MappingPage {
        let Self { site, mapping, product, levels } = self;
        let is_sent = fields.is_on("version");
        let or = |name: &str, otherwise: String| {
            if is_sent { fields.get(&format!("{AT}{name}")).to_owned() } else { otherwise }
        };
        let points = product.iter().flat_map(|product| &product.price_points);
        let typed = Typed {
            level: or("level", mapping.level.clone()),
            level_name: or("level_name", String::new()),
            state: or("state", if mapping.enabled { "on" } else { "off" }.to_owned()),
            price_point: or("price_point", mapping.price_point.clone().unwrap_or_default()),
            price_points: points.filter_map(|it| it.price_point.clone()).collect(),
            purchased_from: or("purchased_from", in_field(mapping.purchased_from.as_deref())),
            purchased_before: or("purchased_before", in_field(mapping.purchased_before.as_deref())),
        };
        let answers =
            if is_sent { Answers::read(fields, AT) } else { Answers::of(&mapping.policy) };
        let title = product.as_ref().map_or(mapping.product_id.as_str(), Product::title).to_owned();
        // Somebody who only looks at the picture has not been told yet what somebody else has changed meanwhile.
        let version = if plans::is_look(fields) {
            fields.get("version").to_owned()
        } else {
            mapping.version.to_string()
        };
        MappingPage {
            version,
            notice: plans::welcome(fields),
            window_hint: site.window_hint(),
            shell: desk.shell_of(&site.site, "products", format!("What {title} gives")),
            policy: PolicyForm::of_mapping(AT, &answers, &site.policy, &faults.all_of(ORIGIN)),
            error: wrong(&faults),
            mapping,
            title,
            levels,
            typed,
            faults,
        }
    }
}
