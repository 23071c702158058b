//! The answers that operations share: every problem, declared once, and told of by the routes at which it
//! can happen.

use super::examples;
use super::schemas::Schemas;
use crate::web::extract::API_BODY_BYTES_MAX;
use crate::web::problem::Problem;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

/// Every problem that an operation can answer, as (name, when, the problem itself as an example).
fn problems() -> Vec<(&'static str, &'static str, Problem)> {
    vec![
        (
            "Malformed",
            "A query parameter that is unknown, missing or unreadable, a cursor that no list has given, or a body that is not JSON.",
            Problem::malformed("limit must be from 1 to 500."),
        ),
        (
            "Unauthorized",
            "No key, or one that is not known or has expired.",
            Problem::unauthorized("This key has expired. Ask an admin for another."),
        ),
        (
            "Forbidden",
            "The key has not the scope that this needs.",
            Problem::forbidden("Use a key with the scope manage."),
        ),
        (
            "NotFound",
            "Something that the path or the question names is not there, or the key is bound to another site.",
            Problem::not_found("site"),
        ),
        ("TooSlow", "The body did not arrive in time.", Problem::too_slow()),
        (
            "Conflict",
            "It does not fit what is there.",
            Problem::conflict("There is a level with this id already. Choose another id."),
        ),
        (
            "Gone",
            "What comes after the position has aged out, or the feed has never been that far, as the site was made anew or its database restored; `detail` says where to go on.",
            Problem::gone(
                "What came after that has aged out. Read the members anew, then go on from 17.",
            ),
        ),
        (
            "ChangedSince",
            "`If-Match` names another state than the present one.",
            Problem::changed_since(),
        ),
        ("TooLarge", "The body is larger than 256 KiB.", Problem::too_large(API_BODY_BYTES_MAX)),
        (
            "Invalid",
            "The body is JSON that says what cannot be; `errors` point at each place.",
            Problem::invalid_at("/level", "There is no such level. Make it first."),
        ),
        ("Internal", "An error of the server; its log says what.", Problem::internal()),
        (
            "Unavailable",
            "The database cannot be reached or refuses.",
            Problem::unavailable(
                "The database cannot be reached or refuses. Try again in a moment.",
            ),
        ),
    ]
}

/// The problems as responses, by name.
pub fn shared(schemas: &mut Schemas) -> Value {
    let schema = schemas.of_answered(SchemaGenerator::subschema_for::<Problem>);
    let one = |(name, when, problem): (&str, &str, Problem)| {
        let mut response = json!({
            "description": when,
            "content": { "application/problem+json": { "schema": schema, "example": problem } },
        });
        let header = match problem.status.as_u16() {
            401 => Some("WWW-Authenticate"),
            503 => Some("Retry-After"),
            _ => None,
        };
        if let Some(header) = header {
            response["headers"] = json!({ header: named_header(header) });
        }
        (name.to_owned(), response)
    };
    problems().into_iter().map(one).collect::<Map<_, _>>().into()
}

/// The responses of the problems that can happen, by status; `conflict` says when it is a conflict.
pub fn of(happens: impl Fn(u16) -> bool, conflict: Option<&'static str>) -> Vec<(String, Value)> {
    let one = |(name, _, problem): (&str, &str, Problem)| {
        let status = problem.status.as_u16();
        let mut response = json!({ "$ref": format!("#/components/responses/{name}") });
        if let (409, Some(when)) = (status, conflict) {
            response["description"] = when.into();
        }
        happens(status).then(|| (status.to_string(), response))
    };
    problems().into_iter().filter_map(one).collect()
}

/// The headers of answers, by name.
pub fn headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "required": true, "schema": { "type": "string" }, "example": example });
    json!({
        "Cache-Control": text("Whoever keeps the answer asks before they use it again.", "no-cache"),
        "ETag": text("The state of the thing, for `If-Match` and `If-None-Match`.", examples::ETAG),
        "Location": text("Where the thing is.", "/api/v1/sites/default/levels/gold"),
        "WWW-Authenticate": text("How to authenticate.", "Bearer"),
        "Retry-After": text("After how many seconds to try again.", "5"),
    })
}

/// One of them.
pub fn named_header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}
