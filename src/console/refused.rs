//! What the API refused, as a page reads it.

use super::shell::Flash;
use crate::web::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use std::fmt;

/// A refusal: an `application/problem+json` of the API.
#[derive(Debug, Clone, Deserialize)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The case in words.
    pub title: String,
    /// What to do next.
    pub detail: String,
    /// Where a body is wrong.
    #[serde(default)]
    pub errors: Vec<Fault>,
}

/// One place in a body that is wrong.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// A JSON pointer.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub detail: String,
}

impl Refused {
    /// Whether the same form may be shown again, with what was wrong beside it.
    pub fn is_of_input(&self) -> bool {
        matches!(self.status, 400 | 409 | 412 | 422)
    }

    /// Whether there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND.as_u16()
    }

    /// What is wrong at a place of the body; empty where nothing is.
    pub fn at(&self, pointer: &str) -> &str {
        let fault = self.errors.iter().find(|fault| fault.pointer == pointer);
        fault.map_or("", |fault| &fault.detail)
    }

    /// Something in a form that cannot even be put to the API.
    pub fn input(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let fault = Fault { pointer: pointer.into(), detail: detail.into() };
        let problem = Problem::invalid(Vec::new());
        Self { errors: vec![fault], ..Self::from(problem) }
    }

    /// All that is wrong, in one text.
    pub fn said(&self) -> String {
        let faults: Vec<String> =
            self.errors.iter().map(|f| format!("{} {}", f.pointer, f.detail)).collect();
        if faults.is_empty() { self.detail.clone() } else { faults.join("; ") }
    }

    /// What is wrong, as a notice on the next page.
    pub fn flash(&self) -> Flash {
        Flash::danger(self.said())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let fault = |fault: crate::web::problem::Fault| Fault {
            pointer: fault.pointer,
            detail: fault.detail,
        };
        Self {
            status: problem.status.as_u16(),
            title: problem.title.to_owned(),
            detail: problem.detail,
            errors: problem.errors.into_iter().map(fault).collect(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The guard makes a page of it.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}
