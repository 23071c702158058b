//! What happens to access by default: a change of it is seen as a plan before it happens.

use crate::console::desk::{Desk, segment};
use crate::console::guard::Fields;
use crate::console::plans;
use crate::console::policy::{Answers, PolicyForm, SITE_AT};
use crate::console::refused::{Fault, Refused};
use crate::console::shell::Shell;
use crate::core::policy::Policy;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

/// Where the plan that is asked for has the policy.
const ORIGIN: &str = "/changes/0";

#[derive(Template)]
#[template(path = "settings_policy.html")]
struct PolicyPage {
    shell: Shell,
    here: String,
    back: String,
    policy: PolicyForm,
    refused: Option<Refused>,
    /// What whoever comes back from a plan is told.
    notice: &'static str,
}

#[derive(Deserialize)]
struct WithPolicy {
    policy: Policy,
}

async fn policy_page(
    desk: &Desk,
    site_id: &str,
    answers: Option<Answers>,
    refused: Option<Refused>,
) -> Result<PolicyPage, Refused> {
    let site = desk.site(site_id).await?;
    let saved: WithPolicy = desk.get(&format!("/sites/{}", segment(&site.id))).await?;
    let answers = answers.unwrap_or_else(|| Answers::of(&saved.policy));
    let faults = refused.iter().flat_map(|refused| &refused.errors).filter_map(|fault| {
        let pointer = fault.pointer.strip_prefix(ORIGIN)?.to_owned();
        Some(Fault { pointer, detail: fault.detail.clone() })
    });
    let faults: Vec<Fault> = faults.collect();
    let shell = desk.shell_of(&site, "settings", "What happens to access");
    let back = format!("{}{}", shell.base, super::path_of(&site.id));
    Ok(PolicyPage {
        here: format!("{back}/policy"),
        policy: PolicyForm::of_site(SITE_AT, &answers, &faults),
        notice: "",
        refused,
        shell,
        back,
    })
}

/// `GET /sites/{site}/settings/policy`
pub async fn show(desk: Desk, site: web::Path<String>) -> Result<HttpResponse, Refused> {
    desk.page(&policy_page(&desk, &site, None, None).await?)
}

/// `POST /sites/{site}/settings/policy`
pub async fn plan(
    desk: Desk,
    site: web::Path<String>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let answers = Answers::read(&fields, SITE_AT);
    if plans::is_look(&fields) {
        let mut page = policy_page(&desk, &site, Some(answers), None).await?;
        page.notice = plans::welcome(&fields);
        return desk.page(&page);
    }
    let change = json!({ "op": "set_policy", "policy": answers.policy() });
    match plans::make(&desk, &site, &[change]).await {
        Err(refused) if refused.is_of_input() => {
            desk.form_again(&policy_page(&desk, &site, Some(answers), Some(refused)).await?)
        }
        made => made,
    }
}
