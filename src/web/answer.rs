//! Answers: single resources with their `ETag`, lists with their cursor.

use super::extract::{Page, cursor};
use super::problem::Problem;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

/// How many bytes of the hash make an `ETag`.
const ETAG_BYTES: usize = 12;

/// The `ETag` of a thing: it changes whenever what is shown of it does.
pub fn etag(thing: &impl Serialize) -> String {
    let shown = serde_json::to_vec(thing).unwrap_or_default();
    let hash = Sha256::digest(shown);
    let short = hash.get(..ETAG_BYTES).unwrap_or_default();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(short))
}

/// The `If-Match` of a write, to be held against the thing as it is inside the transaction.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// Takes it from a request.
    pub fn of(request: &HttpRequest) -> Self {
        let value = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok());
        Self(value.map(str::to_owned))
    }

    /// Refuses the write when the thing is not what the writer has read.
    pub fn check(&self, thing: &impl Serialize) -> Result<(), Problem> {
        match &self.0 {
            Some(wanted) if !lists(wanted, &etag(thing)) => Err(Problem::changed_since()),
            _ => Ok(()),
        }
    }
}

fn lists(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|listed| listed == "*" || listed == etag)
}

/// 200 with a thing, or 304 where the caller has it already.
pub fn thing(request: &HttpRequest, thing: &impl Serialize) -> HttpResponse {
    let tag = etag(thing);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| lists(known, &tag)) {
        return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
    }
    HttpResponse::Ok().insert_header((header::ETAG, tag)).json(thing)
}

/// 201 with `Location` and the thing that was made.
pub fn created(location: &str, thing: &impl Serialize) -> HttpResponse {
    HttpResponse::Created()
        .insert_header((header::LOCATION, location))
        .insert_header((header::ETAG, etag(thing)))
        .json(thing)
}

/// A page of a list, out of the items that were [asked](Page::asked) for; `key` tells of the last
/// item where the next page begins.
pub fn page<T: Serialize>(
    page: &Page,
    mut items: Vec<T>,
    key: impl Fn(&T) -> Vec<String>,
) -> HttpResponse {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor(&key(last)));
    HttpResponse::Ok().json(json!({ "items": items, "next_cursor": next }))
}
