//! The console at `/`: pages that the server renders, for people who have never read a manual.
//!
//! It is the API's first customer. Its pages call the API inside the process, as whoever is signed in
//! ([`Desk`]), so that it can do nothing that a script could not, and what a key may do is checked in one place.
//! [`guard`] stands before every page: it knows who is signed in, refuses forms that come from elsewhere, and shows
//! refusals as pages. Every page works without JavaScript; `static/console.js` only makes some of it quicker.
//!
//! Absences that tests check: no page without [`guard`]; nothing inline in a page that could run; nothing asked of
//! any other server.

mod activity;
mod chart;
mod desk;
mod destinations;
mod guard;
mod held_open;
mod home;
mod keys;
mod mappings;
mod members;
mod once;
mod phrases;
mod plans;
mod policy;
mod products;
mod refused;
mod rules;
mod settings;
mod setup;
mod shell;
mod sign_in;
mod sites;
mod statics;
mod under_way;
mod zones;

use crate::app::resource;
use crate::web::problem::Problem;
use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Resource, web};

/// Every page.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/static/{file}", "GET, HEAD").get(statics::get))
        .service(open(
            resource("/sign-in", "GET, HEAD, POST").get(sign_in::show).post(sign_in::sign_in),
        ))
        .service(page(form_at("/sign-out", "/").post(sign_in::sign_out)))
        .configure(sites::routes)
        .service(page(resource("/sites/{site}", "GET, HEAD").get(home::show)))
        .service(page(resource("/sites/{site}/setup", "GET, HEAD").get(setup::show)))
        .service(page(
            form_at("/sites/{site}/setup/test-purchase", "/sites/{site}/setup")
                .post(setup::test_purchase),
        ))
        .configure(products::routes)
        .configure(mappings::routes)
        .configure(plans::routes)
        .configure(members::routes)
        .configure(activity::routes)
        .configure(destinations::routes)
        .configure(settings::routes)
        .configure(held_open::routes)
        .configure(keys::routes);
}

/// The page that says that there is none; `None` for whoever is not a browser that looks for one.
pub fn no_such_page(request: &HttpRequest) -> Option<HttpResponse> {
    let accepted = request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let looks = request.method() == Method::GET && !request.path().starts_with("/api/");
    let is_browser = looks && accepted.is_some_and(|accepted| accepted.contains("text/html"));
    is_browser.then(|| guard::refusal(request, &Problem::not_found("page").into()))
}

/// A page for whoever is signed in.
fn page(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(guard::signed_in))
}

/// An address that only takes what a form of a page sends. Whoever opens it all the same, by the bar of the browser or
/// after signing in again, is shown that page. Names in its pattern stand where they stand in the address.
fn form_at(path: &str, page: &'static str) -> Resource {
    resource(path, "GET, HEAD, POST")
        .get(move |request: HttpRequest| async move { to_page(&request, page) })
}

fn to_page(request: &HttpRequest, page: &str) -> HttpResponse {
    // What a name stands for is taken as it was written, so that it stays one part of a path.
    let parts = page.split('/').zip(request.path().split('/'));
    let parts = parts.map(|(part, written)| if part.starts_with('{') { written } else { part });
    let path = parts.collect::<Vec<&str>>().join("/");
    let place = format!("{}{path}", desk::base_path(request));
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

/// A page for anybody.
fn open(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(guard::anybody))
}
