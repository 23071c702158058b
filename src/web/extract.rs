//! Bodies and queries: what cannot be read is refused with a word on what to do.

use super::problem::{Fault, Problem};
use crate::core::Instant;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Datelike, NaiveDateTime};
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_path_to_error::Segment;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

/// The largest body that the API reads, in bytes.
pub const API_BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive, in seconds.
const BODY_SECONDS_MAX: u64 = 30;
/// Items on a page when nothing else is asked for.
pub const PAGE_ITEMS: i64 = 50;
/// Items on a page at most.
pub const PAGE_ITEMS_MAX: i64 = 500;

/// Reads a body, but no more than `bytes_max` of it and no longer than `seconds_max`.
/// One that says itself that it is larger is refused before it comes.
pub async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    bytes_max: usize,
    seconds_max: u64,
) -> Result<Vec<u8>, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if length.and_then(|it| it.parse().ok()).is_some_and(|length: usize| length > bytes_max) {
        return Err(Problem::too_large(bytes_max));
    }
    let reading = collect(payload, bytes_max);
    let read = actix_web::rt::time::timeout(Duration::from_secs(seconds_max), reading).await;
    read.unwrap_or_else(|_| Err(Problem::too_slow()))
}

async fn collect(mut payload: web::Payload, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::malformed("The body broke off. Send it again."))?;
        if body.len() + chunk.len() > bytes_max {
            return Err(Problem::too_large(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A JSON body: malformed is 400, wrong content (unknown fields included) is 422.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        Box::pin(async move { parse(&body.await?).map(Json) })
    }
}

/// As [`Json`], where nothing has to be said: no body at all is the default.
pub struct Optional<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for Optional<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        Box::pin(async move {
            let body = body.await?;
            if body.is_empty() { Ok(Self(T::default())) } else { parse(&body).map(Self) }
        })
    }
}

/// The body of a request of the API.
fn body(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Vec<u8>, Problem>> + use<> {
    let payload = web::Payload::from_request(request, payload);
    let request = request.clone();
    async move {
        // Whatever takes a body takes no query.
        let query = request.query_string();
        let Nothing {} = serde_urlencoded::from_str(query).map_err(unreadable_query)?;
        let payload = payload.await.map_err(|_| Problem::internal())?;
        read_body(&request, payload, API_BODY_BYTES_MAX, BODY_SECONDS_MAX).await
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Two steps, so that a body that is no JSON is never taken for one with wrong content.
    let value: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Problem::malformed(format!("The body is not JSON: {error}.")))?;
    let value = whole(value);
    if let Some(pointer) = nul(&value) {
        return Err(Problem::invalid_at(pointer, "must not hold the character U+0000"));
    }
    read_value(value).map_err(|fault| Problem::invalid(vec![fault]))
}

/// Reads a JSON object, or says what is wrong with it and where.
pub fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Fault> {
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(value);
    read.map(|Object(read)| read).map_err(|error| {
        let pointer: String = error.path().iter().map(pointer_part).collect();
        Fault { pointer, detail: error.inner().to_string() }
    })
}

fn pointer_part(segment: &Segment) -> String {
    match segment {
        Segment::Map { key } => format!("/{}", escaped(key)),
        Segment::Enum { variant } => format!("/{}", escaped(variant)),
        Segment::Seq { index } => format!("/{index}"),
        Segment::Unknown => String::new(),
    }
}

/// A key as a JSON pointer writes it (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What has to be a JSON object: serde would take a list for a struct as well, by position.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(OnlyMaps(PhantomData)).map(Self)
    }
}

/// The largest number up to which every whole number of JSON is one of its own: 2⁵³.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Takes 24.0 for 24: JSON knows no difference, and some languages write the one for the other.
fn whole(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= WHOLE_MAX => {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
                let whole = float as i64;
                whole.into()
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, member)| (key, whole(member))).collect()
        }
        other => other,
    }
}

/// Where a body holds a NUL, which PostgreSQL cannot keep.
fn nul(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| nul(item).map(|rest| format!("/{at}{rest}"))),
        Value::Object(members) => members.iter().find_map(|(key, item)| {
            let rest = if key.contains('\0') { Some(String::new()) } else { nul(item) };
            rest.map(|rest| format!("/{}{rest}", escaped(key)))
        }),
        _ => None,
    }
}

/// A query string: a parameter that is unknown, missing or unreadable is 400.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = serde_urlencoded::from_str(request.query_string());
        ready(read.map(Query).map_err(unreadable_query))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn unreadable_query(error: serde_urlencoded::de::Error) -> Problem {
    Problem::malformed(format!("The query cannot be read: {error}."))
}

/// No query parameters at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The query of a list that is asked for nothing but its page. serde cannot flatten and refuse unknown
/// keys at once, so a list with more to ask names `limit` and `cursor` beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    limit: Option<i64>,
    cursor: Option<String>,
}

impl Listing {
    /// The page, of a list whose cursor has so many parts.
    pub fn page(&self, parts: usize) -> Result<Page, Problem> {
        Page::of(self.limit, self.cursor.as_deref(), parts)
    }
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items.
    pub limit: i64,
    /// Where the page begins: the key of the item before it.
    pub after: Option<Vec<String>>,
}

impl Page {
    /// Reads `limit` and `cursor`; a cursor is what a list gave, of as many parts as it has keys.
    pub fn of(limit: Option<i64>, cursor: Option<&str>, parts: usize) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(PAGE_ITEMS);
        if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
            return Err(Problem::malformed(format!("limit must be from 1 to {PAGE_ITEMS_MAX}.")));
        }
        let after = cursor.map(|cursor| read_cursor(cursor, parts)).transpose()?;
        Ok(Self { limit, after })
    }

    /// How many items to ask for: one more than the page shows, which tells whether there is a next
    /// page.
    #[must_use]
    pub fn asked(&self) -> i64 {
        self.limit + 1
    }

    /// The key of the item before the page, where it has one part.
    #[must_use]
    pub fn after_one(&self) -> Option<&str> {
        self.after.as_ref().and_then(|parts| parts.first()).map(String::as_str)
    }

    /// The key of the item before the page, where it is an instant and an id.
    pub fn after_instant(&self) -> Result<Option<(NaiveDateTime, String)>, Problem> {
        let Some([at, id]) = self.after.as_deref() else { return Ok(None) };
        let at = at.parse().ok().filter(|at: &NaiveDateTime| (0..=9999).contains(&at.year()));
        Ok(Some((at.ok_or_else(no_cursor)?, id.clone())))
    }
}

fn read_cursor(cursor: &str, parts: usize) -> Result<Vec<String>, Problem> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let read: Vec<String> = serde_json::from_slice(&bytes).ok()?;
        // What no list gives, no database is asked for: PostgreSQL cannot look for a NUL.
        let plain = read.len() == parts && read.iter().all(|part| !part.contains('\0'));
        plain.then_some(read)
    };
    read().ok_or_else(no_cursor)
}

fn no_cursor() -> Problem {
    Problem::malformed("cursor must be a next_cursor that this list has given.")
}

/// The cursor that leads to the page after an item with this key.
#[must_use]
pub fn cursor(key: &[String]) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The key of an item that is listed by an instant and its id.
#[must_use]
pub fn instant_key(at: NaiveDateTime, id: &str) -> Vec<String> {
    vec![at.format("%FT%T%.f").to_string(), id.to_owned()]
}

/// Tells a written `null` from an absent key.
pub fn written<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A key that may be absent, but not `null`.
pub fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An instant as callers write it (RFC 3339): a year has four digits, which both databases can keep,
/// and whole microseconds are kept of it, as the databases do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub Instant);

impl TryFrom<String> for Moment {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let four_digits = text.bytes().take_while(u8::is_ascii_digit).count() == 4;
        let read = four_digits.then(|| text.parse::<Instant>().ok()).flatten();
        read.and_then(|at| Instant::from_timestamp_micros(at.timestamp_micros()))
            .filter(|at| (0..=9999).contains(&at.year()))
            .map(Self)
            .ok_or("must be an instant such as 2026-01-31T00:00:00Z")
    }
}

/// A position in a site's feed, as a reader gives it: 0 is before the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Position(pub i64);

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = text.parse().ok().filter(|position| *position >= 0);
        read.map(Self).ok_or("a position must be 0 or the id of a change")
    }
}

impl TryFrom<String> for Position {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

/// An id of Kartra's: text, or a number as their own pages show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub struct KartraId(pub String);

impl TryFrom<serde_json::Value> for KartraId {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        use crate::core::kartra::values::ID_BYTES_MAX;
        let id = match value {
            serde_json::Value::String(text) => text.trim().to_owned(),
            serde_json::Value::Number(number) if number.is_u64() => number.to_string(),
            _ => return Err("must be an id: a text or a whole number".to_owned()),
        };
        let plain = !id.is_empty() && !id.chars().any(char::is_control);
        if !plain || id.len() > ID_BYTES_MAX || id.bytes().all(|b| b == b'0') {
            return Err(format!("must be an id of 1 to {ID_BYTES_MAX} bytes that is not 0"));
        }
        Ok(Self(id))
    }
}

/// Whether a text can be a name to show: not empty, not over-long, no control characters.
pub fn name_fault(name: &str) -> Option<String> {
    let max = crate::core::kartra::values::NAME_CHARS_MAX;
    let fits = !name.trim().is_empty()
        && name.chars().count() <= max
        && !name.chars().any(char::is_control);
    (!fits).then(|| format!("must be a text of 1 to {max} characters"))
}

/// Whether a text can be the id of a site or a level.
pub fn slug_fault(id: &str) -> Option<String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = id.len() <= 63 && id.starts_with(first) && id.chars().all(inner);
    (!fits).then(|| {
        "must be 1 to 63 of a–z, 0–9, - and _, beginning with a letter or digit".to_owned()
    })
}
