//! Levels that were to be revoked and are held open, because too many were at once.

use super::desk::{Cursor, Desk, Listed, segment};
use super::phrases;
use super::refused::Refused;
use super::rules::Levels;
use super::shell::{Flash, Shell};
use super::under_way::{Followed, UnderWay, following};
use super::{form_at, page};
use crate::app::resource;
use crate::web::problem::Problem;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// What stands for all of them in an address.
const ALL: &str = "all";

/// The pages of what is held open.
pub fn routes(config: &mut web::ServiceConfig) {
    let all = "/sites/{site}/held-open";
    config
        .service(page(resource(all, "GET, HEAD").get(list)))
        .service(page(form_at(&format!("{all}/{{id}}/{{act}}"), all).post(decide)));
}

/// A level of a member that is held open.
#[derive(Debug, Deserialize)]
struct HeldOpen {
    id: String,
    email: String,
    level: String,
    #[serde(rename = "held_open_at")]
    since: String,
    cause: Cause,
}

#[derive(Debug, Deserialize)]
struct Cause {
    kind: String,
}

impl HeldOpen {
    /// Why it would have gone, as the end of a sentence.
    fn why(&self) -> &'static str {
        phrases::cause(&self.cause.kind)
    }
}

#[derive(Template)]
#[template(path = "held_open.html")]
struct HeldOpenPage {
    shell: Shell,
    here: String,
    levels: Levels,
    items: Vec<HeldOpen>,
    first: String,
    next: String,
    under_way: Option<UnderWay>,
}

/// `GET /sites/{site}/held-open`
async fn list(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Followed>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let path = format!("/sites/{}/held-open", segment(&site.id));
    let Followed { recompute, cursor } = asked.0;
    let from = Cursor { cursor };
    let found: Listed<HeldOpen> = desk.get(&format!("{path}{}", from.query())).await?;
    let shell = desk.shell_of(&site, "settings", "Levels kept by the limit");
    let here = format!("{}{path}", shell.base);
    desk.page(&HeldOpenPage {
        first: from.first(&here),
        next: found.next(&here),
        under_way: UnderWay::followed(&desk, &site.id, recompute.as_deref()).await?,
        levels: Levels::all(&desk, &site.id).await?,
        items: found.items,
        shell,
        here,
    })
}

/// `POST /sites/{site}/held-open/{id}/{act}`; the id `all` stands for all of them.
async fn decide(
    desk: Desk,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (site, id, act) = path.into_inner();
    let done = match act.as_str() {
        "release" => "Released: the level goes, unless something else gives it.",
        "discard" => "Kept: a grant by hand holds the level from now on.",
        _ => return Err(Problem::not_found("page").into()),
    };
    let here = format!("/sites/{}/held-open", segment(&site));
    let asked =
        if id == ALL { format!("{here}/{act}") } else { format!("{here}/{}/{act}", segment(&id)) };
    match desk.send(Method::POST, &asked, None, None).await {
        Ok(answered) => Ok(desk.go(&following(&here, &answered.body), Some(Flash::success(done)))),
        Err(refused) if refused.is_not_found() => {
            let text = "Somebody has decided about it already.";
            Ok(desk.go(&here, Some(Flash::danger(text))))
        }
        Err(refused) => Err(refused),
    }
}
