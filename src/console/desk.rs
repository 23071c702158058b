//! Where a page is made: who looks at it, and the API that it asks.

use super::refused::Refused;
use super::shell::{Flash, Shell};
use crate::app::App;
use crate::app::in_process::InProcess;
pub use crate::web::address::{query, segment};
use crate::web::problem::Problem;
use crate::web::session::Session;
use actix_web::body::to_bytes_limited;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::{Ready, ready};

/// The largest answer of the API that a page reads, in bytes: a page of members, or a body of 1 MiB in base64.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Somebody who is signed in, at work on a page.
pub struct Desk {
    request: HttpRequest,
    session: Session,
    app: web::Data<App>,
    api: web::Data<InProcess>,
}

impl FromRequest for Desk {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let desk = || {
            Some(Self {
                session: request.extensions().get::<Session>().cloned()?,
                app: request.app_data::<web::Data<App>>().cloned()?,
                api: request.app_data::<web::Data<InProcess>>().cloned()?,
                request: request.clone(),
            })
        };
        ready(desk().ok_or_else(|| Problem::internal().into()))
    }
}

/// What the API answered to a write or a read that a page goes on with.
pub struct Answered {
    /// The body; null where there was none.
    pub body: Value,
    /// The tag of the thing, for a write that shall only happen while it is as it was read.
    pub etag: Option<String>,
}

impl Answered {
    /// What a field of the body says; `None` where it says nothing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next_cursor: Option<String>,
}

/// Where a page of a list begins, in an address.
#[derive(Debug, Deserialize)]
pub struct Cursor {
    /// What the page before it said; `None` on the first.
    pub cursor: Option<String>,
}

impl Cursor {
    /// The query that asks for the page; empty for the first.
    pub fn query(&self) -> String {
        query(&[("cursor", self.cursor.as_deref().unwrap_or_default())])
    }

    /// The address of the beginning of a list; empty where this is it.
    pub fn first(&self, list: &str) -> String {
        self.cursor.as_ref().map(|_| list.to_owned()).unwrap_or_default()
    }
}

impl<T> Listed<T> {
    /// The address of what follows in a list; empty at its end.
    pub fn next(&self, list: &str) -> String {
        let next = self.next_cursor.as_deref();
        next.map(|next| format!("{list}{}", query(&[("cursor", next)]))).unwrap_or_default()
    }
}

/// A site as pages show it.
#[derive(Debug, Clone, Deserialize)]
pub struct Site {
    /// Its id, a slug.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether its webhooks are applied.
    pub enabled: bool,
    /// Where Kartra posts to; `None` for whoever may not know it.
    pub webhook_url: Option<String>,
    /// Until when an earlier one is still taken; `None` where none is.
    pub previous_webhook_urls_end_at: Option<String>,
    /// Whether an IPN secret is set.
    pub ipn_secret_set: bool,
    /// How it is connected with Kartra.
    pub connection: Connection,
}

/// How a site is connected with Kartra.
#[derive(Debug, Clone, Deserialize)]
pub struct Connection {
    /// `waiting_for_first_webhook`, `receiving`, `silent` or `disabled`.
    pub state: String,
    /// When the last webhook was received; `None` where none was.
    pub last_webhook_at: Option<String>,
    /// Which of Kartra's feeds were ever seen: `outbound`, `ipn`.
    pub feeds_seen: Vec<String>,
}

impl Desk {
    /// Who is signed in.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The program.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The request that the page answers.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Reads from the API; `path` is what follows `/api/v1`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        let answered = self.call(Method::GET, path, None, None).await?;
        read(answered.body)
    }

    /// Reads from the API, with the tag of what was read.
    pub async fn get_tagged<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, String), Refused> {
        let answered = self.call(Method::GET, path, None, None).await?;
        Ok((read(answered.body)?, answered.etag.unwrap_or_default()))
    }

    /// Sends a write to the API: `POST`, `PATCH` or `DELETE`; `if_match` makes it hang on what was read.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answered, Refused> {
        self.call(method, path, body, if_match).await
    }

    /// Posts to the API.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answered, Refused> {
        self.call(Method::POST, path, Some(body), None).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answered, Refused> {
        let uri: Uri = format!("/api/v1{path}").parse().map_err(|_| Problem::not_found("page"))?;
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| Problem::internal())?;
        let if_match = if_match.and_then(|tag| HeaderValue::from_str(tag).ok());
        let caller = self.session.caller.clone();
        let answer = self.api.call(caller, method, uri, if_match, body.unwrap_or_default()).await;
        let status = answer.status();
        let etag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let etag = etag.map(str::to_owned);
        let bytes = to_bytes_limited(answer.into_body(), ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Problem::internal())?.map_err(|_| Problem::internal())?;
        let body = match bytes.len() {
            0 => Value::Null,
            _ => serde_json::from_slice(&bytes).map_err(|_| Problem::internal())?,
        };
        if status.is_client_error() || status.is_server_error() {
            return Err(read(body)?);
        }
        Ok(Answered { body, etag })
    }

    /// The site that a page is about.
    pub async fn site(&self, site_id: &str) -> Result<Site, Refused> {
        self.get(&format!("/sites/{}", segment(site_id))).await
    }

    /// What stands around a page of a site.
    pub fn shell_of(&self, site: &Site, here: &'static str, title: impl Into<String>) -> Shell {
        Shell { site_id: site.id.clone(), site_name: site.name.clone(), here, ..self.shell(title) }
    }

    /// What stands around a page of no site.
    pub fn shell(&self, title: impl Into<String>) -> Shell {
        let shell = Shell::for_anybody(base_path(&self.request), title);
        Shell {
            more_sites: self.session.caller.site_id.is_none(),
            csrf: self.session.csrf(),
            flash: Flash::of(&self.request),
            ..shell.with_scope(self.session.caller.scope)
        }
    }

    /// A page, as it is sent.
    pub fn page(&self, page: &impl Template) -> Result<HttpResponse, Refused> {
        self.page_as(StatusCode::OK, page)
    }

    /// A form that was refused, shown again with what was wrong.
    pub fn form_again(&self, page: &impl Template) -> Result<HttpResponse, Refused> {
        self.page_as(StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    fn page_as(&self, status: StatusCode, page: &impl Template) -> Result<HttpResponse, Refused> {
        let page = page.render().map_err(|error| {
            tracing::error!(%error, "a page could not be rendered");
            Problem::internal()
        })?;
        let mut answer = HttpResponse::build(status);
        if Flash::of(&self.request).is_some() {
            answer.cookie(Flash::shown(&base_path(&self.request), is_secure(&self.request)));
        }
        Ok(answer.content_type("text/html; charset=utf-8").body(page))
    }

    /// Goes to another page after something was done there; `path` begins with a slash.
    pub fn go(&self, path: &str, flash: Option<Flash>) -> HttpResponse {
        let base = base_path(&self.request);
        let mut answer = HttpResponse::SeeOther();
        answer.insert_header((header::LOCATION, format!("{base}{path}")));
        if let Some(flash) = flash {
            answer.cookie(flash.cookie(&base, is_secure(&self.request)));
        }
        answer.finish()
    }
}

/// Reads an answer of the API as what a page needs of it.
pub fn read<T: DeserializeOwned>(body: Value) -> Result<T, Refused> {
    serde_json::from_value(body).map_err(|error| {
        tracing::error!(%error, "an answer of the API could not be read");
        Problem::internal().into()
    })
}

/// The path below which a proxy serves the program; empty where it is at the root.
pub fn base_path(request: &HttpRequest) -> String {
    let app = request.app_data::<web::Data<App>>();
    let after_scheme = app.and_then(|app| app.base_url().split_once("://"));
    let path = after_scheme.and_then(|(_, rest)| rest.split_once('/'));
    path.map(|(_, path)| format!("/{}", path.trim_end_matches('/'))).unwrap_or_default()
}

/// Whether browsers reach the program by TLS.
pub fn is_secure(request: &HttpRequest) -> bool {
    let app = request.app_data::<web::Data<App>>();
    app.is_some_and(|app| app.base_url().starts_with("https://"))
}
