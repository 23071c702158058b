//! Saving a part of the settings.

use super::forms::{AlarmsForm, BreakerForm, GeneralForm};
use super::{Settings, Written, path_of, settings_page};
use crate::console::desk::{Answered, Desk, segment};
use crate::console::guard::Fields;
use crate::console::once::Once;
use crate::console::refused::Refused;
use crate::console::shell::Flash;
use crate::console::under_way::following;
use crate::console::zones;
use crate::core::scope::Scope;
use crate::web::problem::Problem;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

/// What is told once another time zone is saved.
const ZONE_MOVED: &str = "Saved. All dates that Kartra has sent are read anew, and everybody's access is worked out anew. \
                          Whose access changed by it, and how, stands on the page of each member, under Members.";

/// `POST /sites/{site}/settings/{part}`
pub async fn save(
    desk: Desk,
    path: web::Path<(String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, part) = path.into_inner();
    match part.as_str() {
        "general" => general(&desk, &site, &fields).await,
        "webhook-url" => webhook_url(&desk, &site, &fields).await,
        "ipn-secret" => ipn_secret(&desk, &site, &fields).await,
        "breaker" => breaker(&desk, &site, &fields).await,
        "alarms" => alarms(&desk, &site, &fields).await,
        "alarm-secret" => alarm_secret(&desk, &site).await,
        _ => Err(Problem::not_found("page").into()),
    }
}

/// Changes a site, if it is as the form was made from.
async fn patch(
    desk: &Desk,
    site_id: &str,
    fields: &Fields,
    body: Result<Value, Refused>,
) -> Result<Answered, Refused> {
    let path = format!("/sites/{}", segment(site_id));
    desk.send(Method::PATCH, &path, Some(&body?), fields.text("tag")).await
}

/// Goes back to the settings; what was refused is shown there with what was written.
async fn after(
    desk: &Desk,
    site_id: &str,
    text: &str,
    done: Result<Answered, Refused>,
    written: Written,
) -> Result<HttpResponse, Refused> {
    match done {
        Ok(answered) => {
            // To the page and to no part of it: what is told stands at its top.
            let path = following(&path_of(site_id), &answered.body);
            Ok(desk.go(&path, Some(Flash::success(text))))
        }
        Err(refused) if refused.is_of_input() => {
            let written = Written { refused: Some(refused), ..written };
            desk.form_again(&settings_page(desk, site_id, written, None).await?)
        }
        Err(refused) => Err(refused),
    }
}

async fn general(desk: &Desk, site: &str, fields: &Fields) -> Result<HttpResponse, Refused> {
    let form = GeneralForm::sent(fields);
    let now: Settings = desk.get(&format!("/sites/{}", segment(site))).await?;
    let is_moved = form.zone != now.kartra_time_zone && zones::is_one(&form.zone);
    let may_ask = desk.session().caller.scope >= Scope::Admin;
    if is_moved && may_ask && fields.get("zone_confirmed") != form.zone {
        // It moves the dates of everything that has ever come: that is asked about before it is done.
        let zone_question = Some(fields.get("tag").to_owned());
        let written = Written { general: Some(form), zone_question, ..Written::default() };
        return desk.page(&settings_page(desk, site, written, None).await?);
    }
    let done = patch(desk, site, fields, Ok(form.body())).await;
    let written = Written { general: Some(form), ..Written::default() };
    let text = if is_moved { ZONE_MOVED } else { "Saved." };
    after(desk, site, text, done, written).await
}

async fn webhook_url(desk: &Desk, site: &str, fields: &Fields) -> Result<HttpResponse, Refused> {
    let typed = fields.get("overlap_hours").trim().to_owned();
    let done = match typed.parse::<i64>() {
        Ok(hours) => {
            let path = format!("/sites/{}/webhook-url/rotate", segment(site));
            desk.post(&path, &json!({ "overlap_hours": hours })).await
        }
        Err(_) => Err(Refused::input("/overlap_hours", "Write a whole number.")),
    };
    let written = Written { overlap_hours: Some(typed), ..Written::default() };
    let text = "There is a new webhook URL. Paste it into Kartra now, in place of the old one, under the Outbound API and \
                in every IPN: the old one is taken only for the hours that you have named.";
    after(desk, site, text, done, written).await
}

async fn ipn_secret(desk: &Desk, site: &str, fields: &Fields) -> Result<HttpResponse, Refused> {
    let (secret, text) = match fields.get("act") {
        "remove" => (Value::Null, "The IPN secret is removed. IPNs are taken without one."),
        _ => (
            fields.get("ipn_secret").trim().into(),
            "The IPN secret is saved. IPNs with another one are rejected from now on; replay those that were rejected \
             before, under Activity.",
        ),
    };
    let done = patch(desk, site, fields, Ok(json!({ "ipn_secret": secret }))).await;
    after(desk, site, text, done, Written::default()).await
}

async fn breaker(desk: &Desk, site: &str, fields: &Fields) -> Result<HttpResponse, Refused> {
    let form = BreakerForm::sent(fields);
    let done = patch(desk, site, fields, form.body()).await;
    let written = Written { breaker: Some(form), ..Written::default() };
    after(desk, site, "Saved.", done, written).await
}

async fn alarms(desk: &Desk, site: &str, fields: &Fields) -> Result<HttpResponse, Refused> {
    let now: Settings = desk.get(&format!("/sites/{}", segment(site))).await?;
    let form = AlarmsForm::sent(fields);
    let done = patch(desk, site, fields, form.body(&now.alarms)).await;
    if let Some(secret) = secret_of(&done) {
        return show_secret(desk, &now, secret);
    }
    let written = Written { alarms: Some(form), ..Written::default() };
    after(desk, site, "Saved.", done, written).await
}

async fn alarm_secret(desk: &Desk, site: &str) -> Result<HttpResponse, Refused> {
    let path = format!("/sites/{}", segment(site));
    let now: Settings = desk.get(&path).await?;
    let body = json!({ "alarms": { "secret": null } });
    let done = desk.send(Method::PATCH, &path, Some(&body), None).await;
    if let Some(secret) = secret_of(&done) {
        return show_secret(desk, &now, secret);
    }
    after(desk, site, "Saved.", done, Written::default()).await
}

/// The secret that an answer shows this once.
fn secret_of(done: &Result<Answered, Refused>) -> Option<String> {
    let answered = done.as_ref().ok()?;
    answered.body.pointer("/alarms/secret")?.as_str().map(str::to_owned)
}

fn show_secret(desk: &Desk, settings: &Settings, secret: String) -> Result<HttpResponse, Refused> {
    let shell = desk.shell_of(&settings.site, "settings", "The secret of your alarms");
    Once {
        href: format!("{}{}#alarms", shell.base, path_of(&settings.site.id)),
        shell,
        done: "Saved. Alarms are signed with this secret from now on.".to_owned(),
        label: "Secret for checking signatures",
        secret,
        then: "Give it to whatever receives the alarms, if it checks signatures. If it is lost, make another one in the \
               settings."
            .to_owned(),
        go_on: "Back to the settings",
    }
    .show(desk)
}
