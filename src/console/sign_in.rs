//! Signing in, with a key or by a link that works once, and signing out.

use super::desk::{Desk, base_path, is_secure};
use super::guard::Fields;
use super::refused::Refused;
use super::shell::{Flash, Shell, private_cookie};
use crate::app::App;
use crate::web::auth::Key;
use crate::web::problem::Problem;
use crate::web::session::{self, AGE_MAX};
use actix_web::cookie::{Cookie, time};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use std::time::Instant;

/// The cookie of a session.
pub const SESSION_COOKIE: &str = "latchkey_session";
/// The cookie that ties the form to whoever opened it, before there is a session.
pub const FORM_COOKIE: &str = "latchkey_form";

/// What an address to sign in at may say.
#[derive(Default, Deserialize)]
pub struct Asked {
    /// The page that was wanted.
    next: Option<String>,
    /// The token of a link that works once.
    link: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    next: String,
    link: String,
    fault: String,
}

/// `GET /sign-in`
pub async fn show(request: HttpRequest, asked: web::Query<Asked>) -> Result<HttpResponse, Refused> {
    form(&request, StatusCode::OK, &asked.0, String::new())
}

fn form(
    request: &HttpRequest,
    status: StatusCode,
    asked: &Asked,
    fault: String,
) -> Result<HttpResponse, Refused> {
    let base = base_path(request);
    // A form that is open in another tab stays good.
    let token = match request.cookie(FORM_COOKIE) {
        Some(cookie) if !cookie.value().is_empty() => cookie.value().to_owned(),
        _ => session::new_token()?,
    };
    let page = SignInPage {
        shell: Shell {
            csrf: session::csrf_of(&token),
            flash: Flash::of(request),
            ..Shell::for_anybody(base.clone(), "Sign in")
        },
        next: asked.next.clone().unwrap_or_default(),
        link: asked.link.clone().unwrap_or_default(),
        fault,
    };
    let page = page.render().map_err(|_| Problem::internal())?;
    let mut answer = HttpResponse::build(status);
    answer.cookie(private_cookie(FORM_COOKIE, token, &base, is_secure(request)));
    if Flash::of(request).is_some() {
        answer.cookie(Flash::shown(&base, is_secure(request)));
    }
    Ok(answer.content_type("text/html; charset=utf-8").body(page))
}

/// `POST /sign-in`
pub async fn sign_in(
    app: web::Data<App>,
    request: HttpRequest,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let asked = Asked {
        next: fields.text("next").map(str::to_owned),
        link: fields.text("link").map(str::to_owned),
    };
    let address = app.trusted_proxies().client_of(&request);
    if let Some(seconds) = app.sign_ins().wait(address, Instant::now()) {
        let fault = format!("Too many keys were wrong. Wait {seconds} seconds, then try again.");
        let mut again = form(&request, StatusCode::TOO_MANY_REQUESTS, &asked, fault)?;
        again.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return Ok(again);
    }
    let begun = match (&asked.link, fields.text("key")) {
        (Some(link), None) => session::begin_by_link(&app, link).await,
        (_, Some(key)) => session::begin(&app, Key::typed(key)).await,
        (None, None) => Err(Problem::unauthorized("Paste a key.")),
    };
    let token = match begun {
        Ok(token) => token,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => {
            app.sign_ins().failed(address, Instant::now());
            let again = Asked { next: asked.next, link: None };
            return form(&request, StatusCode::UNPROCESSABLE_ENTITY, &again, problem.detail);
        }
        Err(problem) => return Err(problem.into()),
    };
    // Whoever was signed in before on this browser is not any more: a session is never taken over.
    if let Some(before) = request.cookie(SESSION_COOKIE)
        && let Ok(before) = session::of(&app, before.value().to_owned()).await
    {
        before.end(&app).await?;
    }
    let (base, is_secure) = (base_path(&request), is_secure(&request));
    let mut cookie = private_cookie(SESSION_COOKIE, token, &base, is_secure);
    cookie.set_max_age(time::Duration::seconds(AGE_MAX.num_seconds()));
    let mut form_over = private_cookie(FORM_COOKIE, String::new(), &base, is_secure);
    form_over.make_removal();
    let next = asked.next.as_deref().filter(|next| is_here(next)).unwrap_or("/");
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, format!("{base}{next}")))
        .cookie(cookie)
        .cookie(form_over)
        .finish())
}

/// Whether an address is a path of this program, and not one of another: a browser reads `//` and `/\` as a host.
fn is_here(next: &str) -> bool {
    next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.contains(char::is_control)
}

/// `POST /sign-out`
pub async fn sign_out(desk: Desk) -> Result<HttpResponse, Refused> {
    desk.session().clone().end(desk.app()).await?;
    let request = desk.request();
    let mut answer = desk.go("/sign-in", Some(Flash::success("You have signed out.")));
    let ended = end_cookie(&base_path(request), is_secure(request));
    answer.add_cookie(&ended).map_err(|_| Problem::internal())?;
    Ok(answer)
}

/// The cookie that takes a session away from a browser.
pub fn end_cookie(base: &str, is_secure: bool) -> Cookie<'static> {
    let mut cookie = private_cookie(SESSION_COOKIE, String::new(), base, is_secure);
    cookie.make_removal();
    cookie
}
