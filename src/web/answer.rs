//! Answers: single resources with their `ETag`, lists with their cursor.

use super::extract::{Page, cursor};
use super::problem::Problem;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many bytes of each hash make an `ETag`.
const ETAG_HASH_BYTES: usize = 9;

/// A single resource, as it is shown.
pub trait Resource: Serialize {
    /// The part of it that writers decide; `None` where that is all of it, and nothing else moves what is
    /// shown.
    ///
    /// `If-Match` is held against this part alone: a count that a webhook moves refuses nobody's
    /// write.
    fn decided(&self) -> Option<Value> {
        None
    }
}

impl Resource for Value {}

/// The `ETag` of a resource: its first half changes with what writers decide, its second with
/// anything that is shown.
pub fn etag(thing: &impl Resource) -> String {
    etag_of(thing, &written(thing))
}

fn etag_of(thing: &impl Resource, body: &[u8]) -> String {
    let shown = short_hash(body);
    let decided = thing.decided().map(|decided| short_hash(&written(&decided)));
    format!("\"{}.{shown}\"", decided.as_ref().unwrap_or(&shown))
}

/// A thing as it is sent.
fn written(thing: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(thing).unwrap_or_default()
}

fn short_hash(shown: &[u8]) -> String {
    let hash = Sha256::digest(shown);
    URL_SAFE_NO_PAD.encode(hash.get(..ETAG_HASH_BYTES).unwrap_or_default())
}

/// The half of an `ETag` that `If-Match` looks at.
fn decided_half(etag: &str) -> &str {
    etag.split_once('.').map_or(etag, |(decided, _)| decided)
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
    pub fn check(&self, thing: &impl Resource) -> Result<(), Problem> {
        let now = etag(thing);
        let same = |listed: &str| listed == "*" || decided_half(listed) == decided_half(&now);
        match &self.0 {
            Some(wanted) if !listed(wanted).any(same) => Err(Problem::changed_since()),
            _ => Ok(()),
        }
    }
}

fn listed(header: &str) -> impl Iterator<Item = &str> {
    header.split(',').map(str::trim)
}

/// Says that whoever keeps an answer asks before they use it again, unless it says something itself: nobody is let in by
/// what was once true.
pub fn ask_again(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
}

/// 200 with a thing, or 304 where the caller has it already.
pub fn thing(request: &HttpRequest, thing: &impl Resource) -> HttpResponse {
    let body = written(thing);
    let tag = etag_of(thing, &body);
    if knows(request, &tag) {
        return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
    }
    HttpResponse::Ok()
        .insert_header((header::ETAG, tag))
        .content_type(header::ContentType::json())
        .body(body)
}

/// Whether a caller has the thing with this tag already (RFC 9110, 13.1.2).
fn knows(request: &HttpRequest, tag: &str) -> bool {
    // A proxy that compresses makes a tag weak; what is shown is the same.
    let same = |listed: &str| listed == "*" || listed.strip_prefix("W/").unwrap_or(listed) == tag;
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    known.filter_map(|known| known.to_str().ok()).any(|known| listed(known).any(same))
}

/// 201 with `Location` and the thing that was made.
pub fn created(location: &str, thing: &impl Resource) -> HttpResponse {
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
    let next = items.last().filter(|_| more).map(key);
    items_until(&items, next.as_deref())
}

/// Some items of a list; `next` is the key of the last item that was looked at, where more follow.
pub fn items_until<T: Serialize>(items: &[T], next: Option<&[String]>) -> HttpResponse {
    let next = next.map(cursor);
    HttpResponse::Ok().json(json!({ "items": items, "next_cursor": next }))
}
