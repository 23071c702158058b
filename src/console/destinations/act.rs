//! What is done to a destination with one button.

use super::ask::Tested;
use super::changed::Changed;
use super::{Destination, all_of, path_of};
use crate::console::desk::{Answered, Desk, read, segment};
use crate::console::guard::Fields;
use crate::console::once::Once;
use crate::console::refused::Refused;
use crate::console::shell::{Flash, Shell};
use crate::web::problem::Problem;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde_json::{Value, json};

/// The page that an answer to a form stands on is opened again: the destination itself is shown.
pub async fn back(
    desk: Desk,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (site, id, _) = path.into_inner();
    Ok(desk.go(&path_of(&site, &id), None))
}

/// `POST /sites/{site}/destinations/{id}/{act}`
pub async fn act(
    desk: Desk,
    path: web::Path<(String, String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id, act) = path.into_inner();
    let path = path_of(&site, &id);
    let drift = format!("/sites/{}/drift", segment(&site));
    let only = json!({ "destination": id });
    match act.as_str() {
        "test" => tested(&desk, &site, &id, None).await,
        "rotate-secret" => rotate(&desk, &site, &id, &fields).await,
        "enable" => {
            let done =
                desk.send(Method::PATCH, &path, Some(&json!({ "enabled": true })), None).await;
            then(&desk, done, &path, "It is switched on. What waited is sent now.")
        }
        "disable" => {
            let done =
                desk.send(Method::PATCH, &path, Some(&json!({ "enabled": false })), None).await;
            then(&desk, done, &path, "It is switched off. Nothing is sent until you switch it on.")
        }
        "resync" => {
            let asked = json!({ "adopt": fields.is_on("adopt") });
            let done = desk.post(&format!("{path}/resync"), &asked).await;
            then(&desk, done, &path, "Resyncing everybody has begun.")
        }
        "look" => {
            let done = desk.post(&drift, &only).await;
            then(&desk, done, &format!("{path}/drift"), "Looking for differences has begun.")
        }
        "repair" => {
            let done = desk.post(&format!("{drift}/repair"), &only).await;
            then(&desk, done, &format!("{path}/drift"), "Repairing has begun.")
        }
        "delete" => {
            let done = desk.send(Method::DELETE, &path, None, None).await;
            match done {
                Ok(_) => {
                    let text = "The destination is deleted. What it had stays there.";
                    Ok(desk.go(&all_of(&site), Some(Flash::success(text))))
                }
                Err(refused) => Err(refused),
            }
        }
        _ => Err(Problem::not_found("page").into()),
    }
}

/// Goes on to a page with what was done, or with why it was not.
fn then(
    desk: &Desk,
    done: Result<Answered, Refused>,
    path: &str,
    text: &str,
) -> Result<HttpResponse, Refused> {
    match done {
        Ok(_) => Ok(desk.go(path, Some(Flash::success(text)))),
        Err(refused) if refused.is_of_input() => Ok(desk.go(path, Some(refused.flash()))),
        Err(refused) => Err(refused),
    }
}

#[derive(Template)]
#[template(path = "destination_tested.html")]
struct TestedPage {
    shell: Shell,
    tested: Tested,
    here: String,
    name: String,
    /// Why everybody is to be resynced, where an edit has just made that needful; empty where not.
    offer: &'static str,
    is_on: bool,
}

/// Tests a destination, and shows what was found; `changed` is what an edit before it has changed.
pub async fn tested(
    desk: &Desk,
    site_id: &str,
    id: &str,
    changed: Option<Changed>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(site_id).await?;
    let path = path_of(site_id, id);
    let destination: Destination = desk.get(&path).await?;
    let answered = desk.send(Method::POST, &format!("{path}/test"), None, None).await?;
    let shell = desk.shell_of(&site, "destinations", format!("Test of {}", destination.name));
    desk.page(&TestedPage {
        tested: read(answered.body)?,
        here: format!("{}{path}", shell.base),
        name: destination.name,
        offer: changed.map_or("", Changed::why),
        is_on: destination.enabled,
        shell,
    })
}

async fn rotate(
    desk: &Desk,
    site_id: &str,
    id: &str,
    fields: &Fields,
) -> Result<HttpResponse, Refused> {
    let path = path_of(site_id, id);
    let hours = fields.get("overlap_hours").trim();
    let hours = hours.parse::<i64>().map_or_else(|_| json!(hours), Value::from);
    let asked = json!({ "overlap_hours": hours });
    let rotated = match desk.post(&format!("{path}/rotate-secret"), &asked).await {
        Ok(answered) => answered,
        Err(refused) if refused.is_of_input() => {
            return Ok(desk.go(&path, Some(refused.flash())));
        }
        Err(refused) => return Err(refused),
    };
    let site = desk.site(site_id).await?;
    let shell = desk.shell_of(&site, "destinations", "Another secret");
    let unit = if hours == 1 { "hour" } else { "hours" };
    let done = match rotated.text("previous_ends_at") {
        Some(_) => format!(
            "Messages are signed with the new secret now, and for {hours} {unit} with the old one, too."
        ),
        None => {
            "Messages are signed with the new secret from now on, and with no other.".to_owned()
        }
    };
    Once {
        href: format!("{}{path}", shell.base),
        shell,
        done,
        label: "Secret for checking signatures",
        secret: rotated.text("secret").unwrap_or_default().to_owned(),
        then: "Give it to the program that receives the messages.".to_owned(),
        go_on: "Back to the destination",
    }
    .show(desk)
}
