//! Errors as `application/problem+json` (RFC 9457).
//!
//! A `type` is stable and names the case; the `detail` says what to do next; for bodies, `errors`
//! point at what is wrong. What went wrong inside is logged, and never shown.

use crate::flow::FlowError;
use crate::store::StoreError;
use crate::store::plans::Moved;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// How long a caller is asked to wait when the store fails, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// An answer that says what went wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The case, as a URI reference that stays the same.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The case in words.
    pub title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schemars(with = "u16", range(min = 400, max = 599))]
    pub status: StatusCode,
    /// What to do next.
    pub detail: String,
    /// Where a body is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// What has moved since a plan was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
}

/// One place in a body that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// A JSON pointer (RFC 6901); empty for the body as a whole.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub detail: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, title, status, detail: detail.into(), errors: Vec::new(), moved: Vec::new() }
    }

    /// 400: JSON that is none, or a query that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "/problems/malformed",
            "The request cannot be read",
            detail,
        )
    }

    /// 401: no key, or one that is not known.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorized", "A key is needed", detail)
    }

    /// 403: the key may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/forbidden", "The key may not do this", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(what: &str) -> Self {
        let detail = format!("There is no such {what}. Look at the list it would be in.");
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "Not found", detail)
    }

    /// 405: the resource is there, but does not take this method.
    pub fn method_not_allowed() -> Self {
        let detail =
            "This address does not take this method; the Allow header names those it takes.";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "/problems/method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    /// 409: it does not fit what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "/problems/conflict",
            "It does not fit what is there",
            detail,
        )
    }

    /// 409: what a plan was computed from has moved since.
    pub fn moved(detail: impl Into<String>, moved: Vec<Moved>) -> Self {
        Self { moved, ..Self::conflict(detail) }
    }

    /// 410: it was there, and has aged out or been replaced.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "/problems/gone", "Not kept", detail)
    }

    /// 412: somebody else has changed it since.
    pub fn changed_since() -> Self {
        let detail =
            "It has been changed since it was read. Read it again, then write with the new ETag.";
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "/problems/changed-since",
            "Changed since",
            detail,
        )
    }

    /// 413: the body is larger than what is read.
    pub fn too_large(bytes_max: usize) -> Self {
        let detail = format!("A body of at most {bytes_max} bytes is read.");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "/problems/too-large",
            "The body is too large",
            detail,
        )
    }

    /// 408: the body did not arrive in time.
    pub fn too_slow() -> Self {
        let detail = "The body did not arrive in time. Send it again.";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "/problems/too-slow",
            "The body came too slowly",
            detail,
        )
    }

    /// 422: the body is JSON, but says what cannot be.
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = errors.first().map(|fault| fault.detail.clone()).unwrap_or_default();
        let title = "The body says what cannot be";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { errors, ..Self::new(status, "/problems/invalid", title, detail) }
    }

    /// 422 with one fault.
    pub fn invalid_at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// 503: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "/problems/unavailable", "Not possible right now", detail)
    }

    /// 500: an error of ours.
    pub fn internal() -> Self {
        let detail = "Something went wrong on this side. The log of the server says what.";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "/problems/internal", "An error of the server", detail)
    }
}

impl Problem {
    /// What is wrong and where, in one line, as a command says it.
    #[must_use]
    pub fn in_words(&self) -> String {
        if self.errors.is_empty() {
            return self.detail.clone();
        }
        let faults = self.errors.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail));
        faults.collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        response.body(serde_json::to_string(self).unwrap_or_default())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed under a request");
        match error {
            StoreError::Unavailable(_) | StoreError::Database(_) => Self::unavailable(
                "The database cannot be reached or refuses. Try again in a moment.",
            ),
            StoreError::Overtaken => Self::unavailable(
                "A newer version of Latchkey has taken over this site. Send this to that one, and stop this one.",
            ),
            StoreError::Url(_)
            | StoreError::UnsoundSqlite(_)
            | StoreError::Migration(_)
            | StoreError::Corrupt(_) => Self::internal(),
        }
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::NoSite => Self::not_found("site"),
            FlowError::Store(error) => error.into(),
        }
    }
}
