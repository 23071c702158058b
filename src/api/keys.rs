//! API keys: made, listed and revoked. A key is shown once, when it is made.
//!
//! Whoever's key is bound to a site sees and makes keys of that site alone.

use crate::app::App;
use crate::core::Instant;
use crate::core::scope::Scope;
use crate::secrets;
use crate::store::conn::Conn;
use crate::store::keys::{self, Key};
use crate::store::sites;
use crate::web::answer::{self, IfMatch, Resource};
use crate::web::auth::{Admin, Auth, Caller};
use crate::web::extract::{Json, Listing, Nothing, Query, name_fault};
use crate::web::problem::{Fault, Problem};
use crate::web::shapes::{Name, Slug};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A key as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub struct KeyView {
    /// Its id, to revoke it by.
    id: String,
    /// What people call it.
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// The one site that it opens; null opens all.
    site: Option<String>,
    /// When it was made.
    created_at: Instant,
    /// When it ends; null never.
    expires_at: Option<Instant>,
    /// When it was last used, to within a minute; null where it never was.
    last_used_at: Option<Instant>,
}

impl Resource for KeyView {
    // Nothing of a key is edited: it is made and revoked.
    fn decided(&self) -> Option<Value> {
        Some(json!([self.id]))
    }
}

impl KeyView {
    /// Its id, to revoke it by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// All of it in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let at = |at: Option<Instant>| {
            at.map_or("never".to_owned(), |at| at.format("%F %R UTC").to_string())
        };
        format!(
            "{}  {}  site: {}  expires: {}  last used: {}  {}",
            self.id,
            Scope::words(&self.scopes),
            self.site.as_deref().unwrap_or("all"),
            at(self.expires_at),
            at(self.last_used_at),
            self.name,
        )
    }
}

impl From<Key> for KeyView {
    fn from(key: Key) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: Scope::all_in(&key.scopes),
            site: key.site_id,
            created_at: key.created_at.and_utc(),
            expires_at: key.expires_at.map(|at| at.and_utc()),
            last_used_at: key.last_used_at.map(|at| at.and_utc()),
        }
    }
}

/// A key when it is made: the only time that it can be seen.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MadeKey")]
pub struct MadeView {
    /// What is known of it later.
    #[serde(flatten)]
    pub known: KeyView,
    /// The key itself, shown this once.
    pub key: String,
}

impl Resource for MadeView {
    fn decided(&self) -> Option<Value> {
        self.known.decided()
    }
}

/// `GET /keys`
pub async fn list(
    app: web::Data<App>,
    auth: Auth<Admin>,
    query: Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let page = query.0.page(1)?;
    let (asked, before) = (page.asked(), page.after_one().map(str::to_owned));
    let found = app.blocking(move |app| {
        let site = auth.caller.site_id.as_deref();
        Ok(app.store().read(|conn| keys::list(conn, site, before.as_deref(), asked))?)
    });
    let views: Vec<KeyView> = found.await?.into_iter().map(KeyView::from).collect();
    Ok(answer::page(&page, views, |key| vec![key.id.clone()]))
}

/// `GET /keys/{id}`
pub async fn get(
    app: web::Data<App>,
    auth: Auth<Admin>,
    request: HttpRequest,
    id: web::Path<String>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let found = app.blocking(move |app| {
        let found = app.store().read(|conn| keys::get(conn, &id))?;
        found.filter(|key| reaches(&auth.caller, key)).ok_or_else(|| Problem::not_found("key"))
    });
    Ok(answer::thing(&request, &KeyView::from(found.await?)))
}

/// Whether a caller has a say about a key.
fn reaches(caller: &Caller, key: &Key) -> bool {
    caller.site_id.is_none() || caller.site_id == key.site_id
}

/// What a new key shall be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateKey")]
pub struct Create {
    /// What people call it.
    #[schemars(with = "Name")]
    pub name: String,
    /// What it may do; each scope contains those before it.
    #[schemars(length(min = 1))]
    pub scopes: Vec<Scope>,
    /// The one site that it opens; null opens all.
    #[serde(default)]
    #[schemars(with = "Option<Slug>")]
    pub site: Option<String>,
    /// When it ends, in the future; null never.
    #[serde(default)]
    pub expires_at: Option<Instant>,
}

/// `POST /keys`
pub async fn create(
    app: web::Data<App>,
    auth: Auth<Admin>,
    body: Json<Create>,
) -> Result<HttpResponse, Problem> {
    let made = app.blocking(move |app| {
        let mut asked = body.0;
        if let Some(only) = &auth.caller.site_id {
            if asked.site.as_ref().is_some_and(|site| site != only) {
                return Err(Problem::invalid_at("/site", "There is no such site."));
            }
            asked.site = Some(only.clone());
        }
        let now = app.clock().now();
        app.store().write(|conn| make(conn, asked, now))
    });
    let made = made.await?;
    Ok(answer::created(&format!("/api/v1/keys/{}", made.known.id), &made))
}

/// Makes a key, or says what is wrong with what was asked.
pub fn make(conn: &mut Conn, asked: Create, now: Instant) -> Result<MadeView, Problem> {
    let mut faults = Vec::new();
    let mut note = |pointer: &str, detail: String| {
        faults.push(Fault { pointer: pointer.to_owned(), detail });
    };
    if let Some(fault) = name_fault(&asked.name) {
        note("/name", fault);
    }
    if asked.scopes.is_empty() {
        note("/scopes", "must name at least one of read, support, manage and admin".to_owned());
    }
    if let Some(site) = &asked.site
        && sites::get(conn, site)?.is_none()
    {
        note("/site", "There is no such site.".to_owned());
    }
    if asked.expires_at.is_some_and(|at| at <= now) {
        note("/expires_at", "must lie in the future, or be null for never".to_owned());
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let secret = secrets::new_api_key().map_err(|error| {
        tracing::error!(%error, "no key could be made");
        Problem::internal()
    })?;
    let micros = |at: Instant| Instant::from_timestamp_micros(at.timestamp_micros());
    let key = Key {
        id: crate::ids::new(),
        name: asked.name,
        scopes: Scope::words(&asked.scopes),
        site_id: asked.site,
        created_at: now.naive_utc(),
        expires_at: asked.expires_at.and_then(micros).map(|at| at.naive_utc()),
        last_used_at: None,
    };
    keys::insert(conn, &key, &secrets::hash(&secret))?;
    Ok(MadeView { known: key.into(), key: secret })
}

/// `DELETE /keys/{id}`: refused everywhere within a second.
pub async fn revoke(
    app: web::Data<App>,
    auth: Auth<Admin>,
    request: HttpRequest,
    id: web::Path<String>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let if_match = IfMatch::of(&request);
    let revoked = app.blocking(move |app| {
        let unknown = || Problem::not_found("key");
        app.store().write(|conn| {
            let found = keys::get(conn, &id)?.filter(|key| reaches(&auth.caller, key));
            if_match.check(&KeyView::from(found.ok_or_else(unknown)?))?;
            if keys::delete(conn, &id)? { Ok(()) } else { Err(unknown()) }
        })?;
        app.remembered_keys().forget();
        Ok(())
    });
    revoked.await?;
    Ok(HttpResponse::NoContent().finish())
}
