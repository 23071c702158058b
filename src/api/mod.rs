//! The REST API under `/api/v1`: one route table, one file a noun.

mod access;
mod alarms;
mod changes;
mod connection;
mod destinations;
mod explain;
mod held_open;
mod hooks;
pub mod keys;
mod levels;
pub mod mappings;
mod members;
mod openapi;
mod overrides;
mod plans;
mod products;
mod pushes;
mod readings;
mod recomputes;
mod runs;
mod sites;
mod stats;
pub mod stream;
mod subscriptions;
mod test_purchase;
mod timeline;
mod views;
mod webhooks;

pub use members::answer_of;
pub use views::AccessView;

use crate::app::resource;
use crate::web::auth::authenticate;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

/// Every route of the API.
pub fn routes(config: &mut ServiceConfig) {
    let scope = web::scope("/api/v1")
        .wrap(from_fn(authenticate))
        // Routes are tried in this order, and no other is asked for as often as the door.
        .service(resource("/sites/{site}/access", "GET, HEAD").get(access::allowed))
        .service(resource("/sites", "GET, HEAD, POST").get(sites::list).post(sites::create))
        .service(
            resource("/sites/{site}", "GET, HEAD, PATCH, DELETE")
                .get(sites::get)
                .patch(sites::edit)
                .delete(sites::remove),
        )
        .service(resource("/sites/{site}/webhook-url/rotate", "POST").post(hooks::rotate))
        .service(resource("/sites/{site}/products", "GET, HEAD").get(products::list))
        .service(
            resource("/sites/{site}/products/{product}", "GET, HEAD, PATCH")
                .get(products::get)
                .patch(products::edit),
        )
        .service(
            resource("/sites/{site}/levels", "GET, HEAD, POST")
                .get(levels::list)
                .post(levels::create),
        )
        .service(
            resource("/sites/{site}/levels/{level}", "GET, HEAD, PATCH, DELETE")
                .get(levels::get)
                .patch(levels::edit)
                .delete(levels::remove),
        )
        .service(
            resource("/sites/{site}/mappings", "GET, HEAD, POST")
                .get(mappings::list)
                .post(mappings::create),
        )
        .service(
            resource("/sites/{site}/mappings/{id}", "GET, HEAD, PATCH, DELETE")
                .get(mappings::get)
                .patch(mappings::edit)
                .delete(mappings::remove),
        )
        .service(
            resource("/sites/{site}/plans", "GET, HEAD, POST").get(plans::list).post(plans::create),
        )
        .service(resource("/sites/{site}/plans/{id}", "GET, HEAD").get(plans::get))
        .service(resource("/sites/{site}/plans/{id}/members", "GET, HEAD").get(plans::members))
        .service(resource("/sites/{site}/plans/{id}/apply", "POST").post(plans::apply))
        .service(resource("/sites/{site}/recomputes/{id}", "GET, HEAD").get(recomputes::get))
        .configure(of_members)
        .service(resource("/sites/{site}/access/check", "POST").post(access::check))
        .service(resource("/sites/{site}/webhooks", "GET, HEAD").get(webhooks::list))
        .service(resource("/sites/{site}/webhooks/{id}", "GET, HEAD").get(webhooks::get))
        .service(resource("/sites/{site}/webhooks/{id}/reading", "GET, HEAD").get(readings::get))
        .service(resource("/sites/{site}/webhooks/{id}/replay", "POST").post(webhooks::replay))
        .service(resource("/sites/{site}/webhooks/{id}/discard", "POST").post(webhooks::discard))
        .service(resource("/sites/{site}/webhooks/{id}/restore", "POST").post(webhooks::restore))
        .service(resource("/sites/{site}/changes", "GET, HEAD").get(changes::list))
        .service(resource("/sites/{site}/test-purchase", "POST").post(test_purchase::create))
        .service(resource("/sites/{site}/stats", "GET, HEAD").get(stats::of_site))
        .service(resource("/sites/{site}/alarms", "GET, HEAD").get(alarms::list))
        .service(
            resource("/sites/{site}/subscriptions/overdue", "GET, HEAD")
                .get(subscriptions::overdue),
        )
        .configure(of_destinations)
        .service(resource("/sites/{site}/destinations/{id}/resync", "POST").post(runs::resync))
        .service(resource("/sites/{site}/runs", "GET, HEAD").get(runs::list))
        .service(resource("/sites/{site}/runs/{id}", "GET, HEAD").get(runs::get))
        .service(
            resource("/sites/{site}/drift", "GET, HEAD, POST").get(runs::drift).post(runs::observe),
        )
        .service(resource("/sites/{site}/drift/repair", "POST").post(runs::repair))
        .service(resource("/keys", "GET, HEAD, POST").get(keys::list).post(keys::create))
        .service(resource("/keys/{id}", "GET, HEAD, DELETE").get(keys::get).delete(keys::revoke))
        .service(resource("/stats", "GET, HEAD").get(stats::of_all))
        .service(resource("/openapi.json", "GET, HEAD").get(openapi::get));
    config.service(scope);
}

/// Who holds what, and what operators have decided about them.
fn of_members(config: &mut ServiceConfig) {
    config
        .service(resource("/sites/{site}/members", "GET, HEAD").get(members::list))
        .service(resource("/sites/{site}/members/{member}", "GET, HEAD").get(members::get))
        .service(
            resource("/sites/{site}/members/{member}/access", "GET, HEAD").get(members::access),
        )
        .service(
            resource("/sites/{site}/members/{member}/explain", "GET, HEAD").get(explain::explain),
        )
        .service(
            resource("/sites/{site}/members/{member}/timeline", "GET, HEAD").get(timeline::list),
        )
        .service(resource("/sites/{site}/members/{member}/grants", "POST").post(overrides::grant))
        .service(
            resource("/sites/{site}/members/{member}/grants/{id}", "DELETE")
                .delete(overrides::end_grant),
        )
        .service(
            resource("/sites/{site}/members/{member}/blocks", "GET, HEAD, POST")
                .get(overrides::blocks)
                .post(overrides::block),
        )
        .service(
            resource("/sites/{site}/members/{member}/blocks/{id}", "DELETE")
                .delete(overrides::end_block),
        )
        .service(resource("/sites/{site}/held-open", "GET, HEAD").get(held_open::list))
        .service(resource("/sites/{site}/held-open/release", "POST").post(held_open::release_all))
        .service(resource("/sites/{site}/held-open/discard", "POST").post(held_open::discard_all))
        .service(resource("/sites/{site}/held-open/{id}/release", "POST").post(held_open::release))
        .service(resource("/sites/{site}/held-open/{id}/discard", "POST").post(held_open::discard));
}

/// Where access is carried to, and how far it has come.
fn of_destinations(config: &mut ServiceConfig) {
    config
        .service(
            resource("/sites/{site}/destinations", "GET, HEAD, POST")
                .get(destinations::list)
                .post(destinations::create),
        )
        // Before those that an id is of.
        .service(
            resource("/sites/{site}/destinations/test", "POST").post(destinations::test_unsaved),
        )
        .service(
            resource("/sites/{site}/destinations/remotes", "POST")
                .post(destinations::remotes_of_unsaved),
        )
        .service(
            resource("/sites/{site}/destinations/{id}", "GET, HEAD, PATCH, DELETE")
                .get(destinations::get)
                .patch(destinations::edit)
                .delete(destinations::remove),
        )
        .service(resource("/sites/{site}/destinations/{id}/test", "POST").post(destinations::test))
        .service(
            resource("/sites/{site}/destinations/{id}/remotes", "GET, HEAD")
                .get(destinations::remotes),
        )
        .service(
            resource("/sites/{site}/destinations/{id}/rotate-secret", "POST")
                .post(destinations::rotate),
        )
        .service(resource("/sites/{site}/pushes", "GET, HEAD").get(pushes::list))
        .service(resource("/sites/{site}/pushes/{id}", "GET, HEAD").get(pushes::get))
        .service(resource("/sites/{site}/pushes/{id}/retry", "POST").post(pushes::retry));
}
