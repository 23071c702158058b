//! API keys: who and what may come in.

use super::desk::{Cursor, Desk, Listed, Site, segment};
use super::guard::Fields;
use super::once::Once;
use super::refused::Refused;
use super::shell::{Flash, Shell};
use super::{form_at, page};
use crate::app::resource;
use crate::core::Instant;
use crate::core::scope::Scope;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{SecondsFormat, TimeDelta};
use serde::Deserialize;
use serde_json::{Value, json};

/// The scopes, with what each may do.
const SCOPES: [(&str, &str, &str); 4] = [
    (
        "read",
        "Read",
        "Ask who has access, and look at everything but the bodies of webhooks. Right for a program that checks access.",
    ),
    (
        "support",
        "Support",
        "Also look at bodies, grant and block members, replay and discard webhooks, and try pushes again. Right for somebody who answers customers.",
    ),
    (
        "manage",
        "Manage",
        "Also change products, mappings, levels and destinations. Right for whoever runs the membership site.",
    ),
    ("admin", "Admin", "Also change settings and sites, and make keys. Right for you."),
];

/// For how long a key may be good: the value, and what it says.
const LASTING: [(&str, &str); 5] = [
    ("", "Until it is revoked"),
    ("1", "A day"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
];

/// Keys among which another one is looked for that may do everything; where there are more, there surely is one.
const LOOKED_THROUGH_MAX: usize = 500;

/// The pages of keys.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(page(resource("/keys", "GET, HEAD, POST").get(list).post(make)))
        .service(page(form_at("/keys/{id}/revoke", "/keys").post(revoke)));
}

/// A key as pages show it.
#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    name: String,
    scopes: Vec<String>,
    site: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl Key {
    /// The widest of its scopes: each contains those before it.
    fn scope(&self) -> &str {
        self.scopes.last().map_or("", String::as_str)
    }

    /// Whether it may do everything, everywhere, at an instant.
    fn may_everything(&self, now: Instant) -> bool {
        let ends_at = |at: &str| at.parse::<Instant>().ok();
        let lasts = self.expires_at.as_deref().and_then(ends_at).is_none_or(|at| at > now);
        lasts && self.site.is_none() && self.scope() == Scope::Admin.as_str()
    }
}

/// A form for a key, as it was filled in.
struct Draft {
    name: String,
    scope: String,
    site: String,
    lasts: String,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    shell: Shell,
    keys: Vec<Key>,
    /// The key that whoever looks is signed in with; `None` for the one in the settings file.
    mine: Option<String>,
    /// The only key of the list that may do everything; `None` where there are more.
    last_admin: Option<String>,
    /// Whether the settings file has a key, too, which may do everything.
    has_key_in_settings: bool,
    first: String,
    next: String,
    sites: Vec<Site>,
    /// Whether whoever looks is bound to a site: then every key of theirs is.
    is_bound: bool,
    draft: Draft,
    refused: Option<Refused>,
    scopes: [(&'static str, &'static str, &'static str); SCOPES.len()],
    lasting: [(&'static str, &'static str); LASTING.len()],
}

impl KeysPage {
    /// What is wrong at a place.
    fn at(&self, pointer: &str) -> &str {
        self.refused.as_ref().map_or("", |refused| refused.at(pointer))
    }

    /// Whether somebody is signed in with a key.
    fn is_mine(&self, key: &Key) -> bool {
        self.mine.as_ref() == Some(&key.id)
    }

    /// Whether no other key of the list may do everything.
    fn is_last_admin(&self, key: &Key) -> bool {
        self.last_admin.as_ref() == Some(&key.id)
    }

    /// What is asked before a key is revoked.
    fn question(&self, key: &Key) -> String {
        let name = &key.name;
        let mut text = format!("Whoever uses the key “{name}” is not let in any more, at once.");
        if self.is_mine(key) {
            text.push_str(" It is the key that you are signed in with: you are signed out.");
        }
        if self.is_last_admin(key) {
            text.push_str(if self.has_key_in_settings {
                " No other key of this list may do everything: then only the key in the settings file of the server may."
            } else {
                " It is the last key that may do everything: then nobody can change settings or make keys here, until somebody makes a key on the server with the command latchkey keys create."
            });
        }
        text
    }
}

/// The only key that may do everything; `None` where there are more, or where that cannot be told.
async fn last_admin(desk: &Desk) -> Result<Option<String>, Refused> {
    // Whoever is bound to a site sees no key of all sites.
    if desk.session().caller.site_id.is_some() {
        return Ok(None);
    }
    let all: Listed<Key> = desk.get(&format!("/keys?limit={LOOKED_THROUGH_MAX}")).await?;
    if all.next_cursor.is_some() {
        return Ok(None);
    }
    let now = desk.app().clock().now();
    let mut admins = all.items.into_iter().filter(|key| key.may_everything(now));
    let last = admins.next().filter(|_| admins.next().is_none());
    Ok(last.map(|key| key.id))
}

async fn keys_page(
    desk: &Desk,
    from: &Cursor,
    draft: Draft,
    refused: Option<Refused>,
) -> Result<KeysPage, Refused> {
    let found: Listed<Key> = desk.get(&format!("/keys{}", from.query())).await?;
    let sites: Listed<Site> = desk.get("/sites?limit=500").await?;
    let shell = Shell { here: "keys", ..desk.shell("Keys") };
    let all = format!("{}/keys", shell.base);
    Ok(KeysPage {
        first: from.first(&all),
        next: found.next(&all),
        keys: found.items,
        mine: desk.session().caller.key_id.clone(),
        last_admin: last_admin(desk).await?,
        has_key_in_settings: desk.app().admin_key_hash().is_some(),
        sites: sites.items,
        is_bound: desk.session().caller.site_id.is_some(),
        scopes: SCOPES,
        lasting: LASTING,
        shell,
        draft,
        refused,
    })
}

/// `GET /keys`
async fn list(desk: Desk, from: web::Query<Cursor>) -> Result<HttpResponse, Refused> {
    let text = String::new;
    let draft = Draft { name: text(), scope: "read".to_owned(), site: text(), lasts: text() };
    let page = keys_page(&desk, &from, draft, None).await?;
    desk.page(&page)
}

/// `POST /keys`
async fn make(desk: Desk, fields: Fields) -> Result<HttpResponse, Refused> {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let draft = Draft {
        name: text("name"),
        scope: text("scope"),
        site: text("site"),
        lasts: text("lasts"),
    };
    let site = Some(draft.site.as_str()).filter(|site| !site.is_empty());
    let asked = json!({
        "name": draft.name,
        "scopes": [draft.scope],
        "site": site,
        "expires_at": ends_at(&desk, &draft.lasts),
    });
    match desk.post("/keys", &asked).await {
        Ok(answered) => {
            let shell = Shell { here: "keys", ..desk.shell("Your new key") };
            Once {
                href: format!("{}/keys", shell.base),
                shell,
                done: format!("The key “{}” is made.", draft.name),
                label: "Key",
                secret: answered.text("key").unwrap_or_default().to_owned(),
                then: "Copy it now and keep it like a password. If it is lost, revoke it and make another one."
                    .to_owned(),
                go_on: "Back to the keys",
            }
            .show(&desk)
        }
        Err(refused) if refused.is_of_input() => {
            let page = keys_page(&desk, &Cursor { cursor: None }, draft, Some(refused)).await?;
            desk.form_again(&page)
        }
        Err(refused) => Err(refused),
    }
}

/// When a key ends that lasts so many days; null for never.
fn ends_at(desk: &Desk, days: &str) -> Value {
    let days = days.parse::<i64>().ok().and_then(TimeDelta::try_days);
    let at = days.map(|days| desk.app().clock().now() + days);
    at.map_or(Value::Null, |at| at.to_rfc3339_opts(SecondsFormat::Secs, true).into())
}

/// `POST /keys/{id}/revoke`
async fn revoke(desk: Desk, id: web::Path<String>) -> Result<HttpResponse, Refused> {
    desk.send(Method::DELETE, &format!("/keys/{}", segment(&id)), None, None).await?;
    if desk.session().caller.key_id.as_ref() == Some(&*id) {
        let text = "The key that you were signed in with is revoked. Sign in with another one.";
        return Ok(desk.go("/sign-in", Some(Flash::success(text))));
    }
    let text = "The key is revoked. Whoever used it, also to sign in here, is not let in any more.";
    Ok(desk.go("/keys", Some(Flash::success(text))))
}
