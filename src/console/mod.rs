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
use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{Resource, web};

/// Every page.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/static/{file}", "GET, HEAD").get(statics::get))
        .service(open(
            resource("/sign-in", "GET, HEAD, POST").get(sign_in::show).post(sign_in::sign_in),
        ))
        .service(page(resource("/sign-out", "POST").post(sign_in::sign_out)))
        .configure(sites::routes)
        .service(page(resource("/sites/{site}", "GET, HEAD").get(home::show)))
        .service(page(resource("/sites/{site}/setup", "GET, HEAD").get(setup::show)))
        .service(page(
            resource("/sites/{site}/setup/test-purchase", "POST").post(setup::test_purchase),
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

/// A page for whoever is signed in.
fn page(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(guard::signed_in))
}

/// A page for anybody.
fn open(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(guard::anybody))
}
