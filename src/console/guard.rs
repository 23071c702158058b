//! What stands before every page: who is signed in, whether a form is ours, and how a refusal looks.

use super::desk::{base_path, is_secure};
use super::refused::Refused;
use super::shell::{Flash, Shell};
use super::sign_in::{SESSION_COOKIE, end_cookie};
use crate::app::App;
use crate::secrets;
use crate::web::extract::{API_BODY_BYTES_MAX, read_body};
use crate::web::problem::Problem;
use crate::web::session::{self, Session};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use std::future::{Ready, ready};

/// How long a form may take to arrive, in seconds.
const FORM_SECONDS_MAX: u64 = 30;

/// What every page is sent with: nothing runs or is asked for but what this program serves.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With "no-referrer" a browser would not even tell a form's own server where the form comes from.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The fields of a form, in their order.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// What a field says; empty where it is not there.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// What all fields of a name say.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// What a field says without spaces around it; `None` where it says nothing.
    pub fn text(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|text| !text.is_empty())
    }

    /// Whether a box is ticked.
    pub fn is_on(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromRequest for Fields {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Self>().cloned().unwrap_or_default()))
    }
}

/// Lets through whoever is signed in, with forms that are ours; all others are sent to sign in.
pub async fn signed_in(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let session = match session_of(request.request()).await {
        Ok(Some(session)) => session,
        Ok(None) => return Ok(to_sign_in(request)),
        Err(problem) => return Ok(answer(request, &problem.into())),
    };
    if request.method() != Method::GET
        && let Err(problem) = take_form(&mut request, &session.csrf()).await
    {
        return Ok(answer(request, &problem.into()));
    }
    request.extensions_mut().insert(session);
    Ok(finish(next.call(request).await?))
}

/// Lets through anybody, with forms that are ours.
pub async fn anybody(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method() != Method::GET {
        let token = request.cookie(super::sign_in::FORM_COOKIE);
        let csrf = token.map(|token| session::csrf_of(token.value())).unwrap_or_default();
        if let Err(problem) = take_form(&mut request, &csrf).await {
            return Ok(answer(request, &problem.into()));
        }
    }
    Ok(finish(next.call(request).await?))
}

/// Who is signed in; `None` where nobody is, or no more.
async fn session_of(request: &HttpRequest) -> Result<Option<Session>, Problem> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(Problem::internal)?;
    let Some(cookie) = request.cookie(SESSION_COOKIE) else { return Ok(None) };
    match session::of(app, cookie.value().to_owned()).await {
        Ok(session) => Ok(Some(session)),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Reads a form, and refuses one that did not come from a page of ours.
async fn take_form(request: &mut ServiceRequest, csrf: &str) -> Result<(), Problem> {
    let foreign = || {
        Problem::forbidden(
            "This form did not come from a page of this console, or its page is too old. Open the page again and send the form from there.",
        )
    };
    if !is_same_origin(request.request()) {
        return Err(foreign());
    }
    let payload = request.take_payload();
    let payload = web::Payload::from_request(request.request(), &mut { payload }).await;
    let payload = payload.map_err(|_| Problem::internal())?;
    let body = read_body(request.request(), payload, API_BODY_BYTES_MAX, FORM_SECONDS_MAX).await?;
    let fields = Fields(form_urlencoded::parse(&body).into_owned().collect());
    if csrf.is_empty() || !secrets::same(fields.get("csrf").as_bytes(), csrf.as_bytes()) {
        return Err(foreign());
    }
    request.extensions_mut().insert(fields);
    Ok(())
}

/// Whether a browser says that a request comes from this console; a program that says nothing is believed, for it
/// has no cookies that somebody else could use.
fn is_same_origin(request: &HttpRequest) -> bool {
    let named = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = named(header::ORIGIN) else {
        let site = named(HeaderName::from_static("sec-fetch-site"));
        return site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    let base = request.app_data::<web::Data<App>>().and_then(|app| host_of(app.base_url()));
    host.is_some() && (host == base || host == named(header::HOST))
}

/// Host and port of a URL.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()
}

fn to_sign_in(request: ServiceRequest) -> ServiceResponse<BoxBody> {
    let base = base_path(request.request());
    // Whoever followed a link finds what it names once they are signed in; a form that was sent is not sent again.
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let next: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    let place = if request.method() == Method::GET && wanted != "/" {
        format!("{base}/sign-in?next={next}")
    } else {
        format!("{base}/sign-in")
    };
    let mut sent = HttpResponse::SeeOther();
    sent.insert_header((header::LOCATION, place));
    if request.cookie(SESSION_COOKIE).is_some() {
        sent.cookie(end_cookie(&base, is_secure(request.request())));
    }
    request.into_response(with_headers(sent.finish()))
}

/// Shows refusals as pages, and sends what every page is sent with.
fn finish(answered: ServiceResponse<impl MessageBody + 'static>) -> ServiceResponse {
    let (request, response) = answered.into_parts();
    let refused = response.error().and_then(|error| {
        let refused = error.as_error::<Refused>().cloned();
        refused.or_else(|| error.as_error::<Problem>().cloned().map(Refused::from))
    });
    let response = match refused {
        Some(refused) => page_of(&request, &refused),
        None => response.map_into_boxed_body(),
    };
    ServiceResponse::new(request, with_headers(response))
}

fn answer(request: ServiceRequest, refused: &Refused) -> ServiceResponse<BoxBody> {
    let page = page_of(request.request(), refused);
    request.into_response(with_headers(page))
}

/// A refusal as a page where no page is.
pub fn refusal(request: &HttpRequest, refused: &Refused) -> HttpResponse {
    with_headers(page_of(request, refused))
}

fn with_headers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A refusal as a page.
#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    shell: Shell,
    refused: &'a Refused,
}

fn page_of(request: &HttpRequest, refused: &Refused) -> HttpResponse {
    let base = base_path(request);
    if refused.status == StatusCode::UNAUTHORIZED.as_u16() {
        // The key was revoked while its holder was at work.
        let flash = Flash::danger(refused.detail.clone());
        return HttpResponse::SeeOther()
            .insert_header((header::LOCATION, format!("{base}/sign-in")))
            .cookie(flash.cookie(&base, is_secure(request)))
            .finish();
    }
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let page = RefusedPage { shell: Shell::for_anybody(base, refused.title.clone()), refused };
    let mut answer = HttpResponse::build(status);
    match page.render() {
        Ok(page) => answer.content_type("text/html; charset=utf-8").body(page),
        Err(_) => answer.finish(),
    }
}
