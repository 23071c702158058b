//! What an operator decides about a person: giving a level, blocking, and ending either.

use super::person::{Forms, Typed, again, end_of, path_of};
use crate::console::desk::{Desk, Listed, segment};
use crate::console::guard::Fields;
use crate::console::refused::Refused;
use crate::console::rules::Levels;
use crate::console::shell::Flash;
use crate::core::Instant;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which list of overrides.
#[derive(Clone, Copy)]
enum List {
    Grants,
    Blocks,
}

/// A block in force, as far as it matters here.
#[derive(Deserialize)]
struct Block {
    level: Option<String>,
    until: Option<String>,
}

/// `POST /sites/{site}/members/{member}/grants`
pub async fn grant(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    make(&desk, path.into_inner(), &fields, List::Grants).await
}

/// `POST /sites/{site}/members/{member}/blocks`
pub async fn block(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    make(&desk, path.into_inner(), &fields, List::Blocks).await
}

async fn make(
    desk: &Desk,
    (site, member): (String, String),
    fields: &Fields,
    list: List,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let here = path_of(&site.id, &member);
    let level = fields.text("level");
    let noun = match list {
        List::Grants => "grants",
        List::Blocks => "blocks",
    };
    let asked = |until: Option<String>| {
        // The API says itself what is wrong with a grant of no level.
        let level = match list {
            List::Grants => Value::from(level.unwrap_or_default()),
            List::Blocks => level.map_or(Value::Null, Value::from),
        };
        json!({ "level": level, "until": until, "note": fields.text("note") })
    };
    let made = match end_of(fields.text("until")) {
        Ok(until) => {
            let is_over = until.as_deref().is_some_and(|until| is_over(desk, until));
            let made = desk.post(&format!("{here}/{noun}"), &asked(until)).await;
            made.map_err(|refused| in_words_of_the_form(refused, is_over))
        }
        Err(refused) => Err(refused),
    };
    let refused = match made {
        Ok(_) => {
            let flash = match list {
                List::Grants => given(desk, &site.id, &here, level.unwrap_or_default()).await?,
                List::Blocks => Flash::success("The block is in force."),
            };
            return Ok(desk.go(&here, Some(flash)));
        }
        Err(refused) if refused.is_of_input() => refused,
        Err(refused) => return Err(refused),
    };
    let typed = Typed {
        level: fields.get("level").to_owned(),
        until: fields.get("until").to_owned(),
        note: fields.get("note").to_owned(),
        refused: Some(refused),
    };
    let forms = match list {
        List::Grants => Forms { grant: typed, ..Forms::default() },
        List::Blocks => Forms { block: typed, ..Forms::default() },
    };
    again(desk, &site, &member, forms).await
}

/// What is said of a grant that was made: what blocks its level keeps the door shut all the same.
async fn given(desk: &Desk, site_id: &str, here: &str, level: &str) -> Result<Flash, Refused> {
    let blocks: Listed<Block> = desk.get(&format!("{here}/blocks?limit=100")).await?;
    let is_on_it = |block: &&Block| block.level.as_deref().is_none_or(|blocked| blocked == level);
    let Some(block) = blocks.items.iter().find(is_on_it) else {
        return Ok(Flash::success("The level is given."));
    };
    let levels = Levels::all(desk, site_id).await?;
    let blocked = block.level.as_deref().map_or("every level", |level| levels.name(level));
    let ends = if block.until.is_some() { "ends or is lifted" } else { "is lifted" };
    let name = levels.name(level);
    let text =
        format!("{name} is granted, but the block on {blocked} keeps them out until it {ends}.");
    Ok(Flash { tone: "warning".to_owned(), text })
}

/// Whether an end lies behind us.
fn is_over(desk: &Desk, until: &str) -> bool {
    until.parse::<Instant>().is_ok_and(|until| until <= desk.app().clock().now())
}

/// What the API refuses, as the form asks for it: a day is typed there, where the API is told the instant at which it
/// is over.
fn in_words_of_the_form(mut refused: Refused, is_over: bool) -> Refused {
    for fault in refused.errors.iter_mut().filter(|fault| is_over && fault.pointer == "/until") {
        "The last day must be today or later. Leave it empty for no end."
            .clone_into(&mut fault.detail);
    }
    refused
}

/// `POST /sites/{site}/members/{member}/grants/{id}/end`
pub async fn end_grant(
    desk: Desk,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    end(&desk, path.into_inner(), "grants", "The grant has ended.").await
}

/// `POST /sites/{site}/members/{member}/blocks/{id}/lift`
pub async fn lift_block(
    desk: Desk,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    end(&desk, path.into_inner(), "blocks", "The block is lifted.").await
}

async fn end(
    desk: &Desk,
    (site, member, id): (String, String, String),
    noun: &str,
    done: &str,
) -> Result<HttpResponse, Refused> {
    let here = path_of(&site, &member);
    let path = format!("{here}/{noun}/{}", segment(&id));
    let flash = match desk.send(Method::DELETE, &path, None, None).await {
        Ok(_) => Flash::success(done),
        // Somebody else was quicker, or it ended by itself: the page shows how it is.
        Err(refused) if refused.is_not_found() => {
            Flash { tone: "info".to_owned(), text: "It had ended already.".to_owned() }
        }
        Err(refused) => return Err(refused),
    };
    Ok(desk.go(&here, Some(flash)))
}

/// `POST /sites/{site}/members/{member}/pushes/{id}/retry`
pub async fn retry_push(
    desk: Desk,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (site, member, id) = path.into_inner();
    let push = format!("/sites/{}/pushes/{}/retry", segment(&site), segment(&id));
    let flash = match desk.post(&push, &json!({})).await {
        Ok(_) => Flash::success("It is tried again now."),
        Err(refused) if refused.is_of_input() => refused.flash(),
        Err(refused) => return Err(refused),
    };
    Ok(desk.go(&path_of(&site, &member), Some(flash)))
}
