//! The REST API under `/api/v1`: one route table, one file a noun.

mod access;
mod changes;
mod levels;
mod mappings;
mod members;
mod overrides;
mod products;
mod recomputes;
mod sites;
mod views;
mod webhooks;

pub use members::answer_of;
pub use views::AccessView;

use crate::app::method_not_allowed;
use crate::web::auth::authenticate;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

/// Every route of the API.
pub fn routes(config: &mut ServiceConfig) {
    let resource =
        |path: &str| web::resource(path).default_service(web::route().to(method_not_allowed));
    let scope = web::scope("/api/v1")
        .wrap(from_fn(authenticate))
        .service(resource("/sites").get(sites::list).post(sites::create))
        .service(resource("/sites/{site}").get(sites::get).patch(sites::edit))
        .service(resource("/sites/{site}/products").get(products::list))
        .service(
            resource("/sites/{site}/products/{product}").get(products::get).patch(products::edit),
        )
        .service(resource("/sites/{site}/levels").get(levels::list).post(levels::create))
        .service(
            resource("/sites/{site}/levels/{level}")
                .get(levels::get)
                .patch(levels::edit)
                .delete(levels::remove),
        )
        .service(resource("/sites/{site}/mappings").get(mappings::list).post(mappings::create))
        .service(
            resource("/sites/{site}/mappings/{id}")
                .get(mappings::get)
                .patch(mappings::edit)
                .delete(mappings::remove),
        )
        .service(resource("/sites/{site}/recomputes/{id}").get(recomputes::get))
        .service(resource("/sites/{site}/members").get(members::list))
        .service(resource("/sites/{site}/members/{member}").get(members::get))
        .service(resource("/sites/{site}/members/{member}/access").get(members::access))
        .service(resource("/sites/{site}/members/{member}/grants").post(overrides::grant))
        .service(
            resource("/sites/{site}/members/{member}/grants/{id}").delete(overrides::end_grant),
        )
        .service(
            resource("/sites/{site}/members/{member}/blocks")
                .get(overrides::blocks)
                .post(overrides::block),
        )
        .service(
            resource("/sites/{site}/members/{member}/blocks/{id}").delete(overrides::end_block),
        )
        .service(resource("/sites/{site}/access").get(access::allowed))
        .service(resource("/sites/{site}/access/check").post(access::check))
        .service(resource("/sites/{site}/webhooks").get(webhooks::list))
        .service(resource("/sites/{site}/webhooks/{id}").get(webhooks::get))
        .service(resource("/sites/{site}/webhooks/{id}/replay").post(webhooks::replay))
        .service(resource("/sites/{site}/webhooks/{id}/discard").post(webhooks::discard))
        .service(resource("/sites/{site}/webhooks/{id}/restore").post(webhooks::restore))
        .service(resource("/sites/{site}/changes").get(changes::list));
    config.service(scope);
}
