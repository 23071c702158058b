//! What the API refused, as a page reads it.

use super::shell::Flash;
use crate::web::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use std::fmt;

/// What forms call that which a body names otherwise, by how its place ends.
const LABELS: [(&str, &str); 10] = [
    ("/alarms/url", "Address that alarms are posted to"),
    ("/heartbeat_url", "Address that is called while all is well"),
    ("/ipn_secret", "Secret key of the IPN in Kartra"),
    ("/kartra_time_zone", "Time zone of the Kartra account"),
    ("/level/id", "Name of the new level"),
    ("/level/name", "Name of the new level"),
    ("/product_id", "Product"),
    ("/purchased_before", "Bought before (UTC)"),
    ("/purchased_from", "Bought on or after (UTC)"),
    ("/url", "Address"),
];

/// What is said for people where the API speaks of instants, texts and bytes: how its words begin, and what stands for
/// all of them.
const FOR_PEOPLE: [(&str, &str); 3] = [
    ("must be an instant", "Choose a day before 31 December 9999, such as 2026-01-31."),
    ("must be an id of", "Write it as Kartra shows it: a number other than 0."),
    (
        "must be a product id",
        "Write the product's number, or paste the address of its page in Kartra \
         (…/products/edit/558475).",
    ),
];

/// A refusal: an `application/problem+json` of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Written")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The case in words.
    pub title: String,
    /// What to do next; where fields are wrong, which, and how.
    pub detail: String,
    /// Where a body is wrong.
    pub errors: Vec<Fault>,
}

/// A refusal as the API writes it: its detail says what is wrong with a field, and its errors which one that is.
#[derive(Deserialize)]
struct Written {
    status: u16,
    title: String,
    detail: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

impl From<Written> for Refused {
    fn from(written: Written) -> Self {
        let Written { status, title, detail, mut errors } = written;
        for fault in &mut errors {
            fault.detail = for_people(&fault.detail);
        }
        let told: Vec<String> = errors.iter().map(Fault::told).collect();
        let detail = if told.is_empty() { detail } else { told.join(" ") };
        Self { status, title, detail, errors }
    }
}

/// One place in a body that is wrong.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// A JSON pointer.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub detail: String,
}

impl Fault {
    /// What is wrong, with the field that it is about, as it is said where that field is not beside it.
    pub fn told(&self) -> String {
        let Self { pointer, detail } = self;
        let end = if detail.ends_with('.') { "" } else { "." };
        match label(pointer) {
            label if label.is_empty() => format!("{detail}{end}"),
            label => format!("“{label}”: {detail}{end}"),
        }
    }
}

/// What is wrong, in words for people; what the API says well enough stays.
fn for_people(detail: &str) -> String {
    if let Some((_, words)) = FOR_PEOPLE.iter().find(|(begins, _)| detail.starts_with(*begins)) {
        return (*words).to_owned();
    }
    if let Some(most) = length(detail, "must be a text of 1 to ") {
        return format!("Write between 1 and {most} characters.");
    }
    if let Some(most) = length(detail, "must be a text of at most ") {
        return format!("Write at most {most} characters.");
    }
    detail.to_owned()
}

/// How long a text may be, of a sentence that begins so.
fn length<'a>(detail: &'a str, begins: &str) -> Option<&'a str> {
    let (most, _) = detail.strip_prefix(begins)?.split_once(" characters")?;
    Some(most).filter(|most| most.bytes().all(|letter| letter.is_ascii_digit()))
}

/// What a form calls a place of a body; empty for the body as a whole.
pub fn label(pointer: &str) -> String {
    if let Some(question) = super::policy::question(pointer) {
        return question.to_owned();
    }
    if let Some((_, label)) = LABELS.iter().find(|(end, _)| pointer.ends_with(*end)) {
        return (*label).to_owned();
    }
    let is_name = |part: &&str| !part.is_empty() && part.parse::<usize>().is_err();
    let Some(name) = pointer.rsplit('/').find(is_name) else { return String::new() };
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
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
        Problem::invalid_at(pointer, detail).into()
    }

    /// What is wrong, as a notice on the next page.
    pub fn flash(&self) -> Flash {
        Flash::danger(self.detail.clone())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let fault = |fault: crate::web::problem::Fault| Fault {
            pointer: fault.pointer,
            detail: fault.detail,
        };
        Self::from(Written {
            status: problem.status.as_u16(),
            title: problem.title.to_owned(),
            detail: problem.detail,
            errors: problem.errors.into_iter().map(fault).collect(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_told_with_the_name_of_its_field() {
        let refused: Refused = serde_json::from_value(json!({
            "type": "/problems/invalid", "title": "…", "status": 422, "detail": "must not be negative",
            "errors": [
                { "pointer": "/max_revocations/window_minutes", "detail": "must not be negative" },
                { "pointer": "/levels/0/level", "detail": "There is no such level. Make it first." },
                { "pointer": "/changes/0/policy/on_payment_failed/grace_days", "detail": "must be more" },
                { "pointer": "/kartra_time_zone", "detail": "must be a zone" },
                { "pointer": "", "detail": "There is one already." },
            ],
        }))
        .expect("a refusal");
        let told = "“Window minutes”: must not be negative. “Level”: There is no such level. Make it first. \
                    “A payment fails”: must be more. “Time zone of the Kartra account”: must be a zone. There is one already.";
        assert_eq!(refused.detail, told);
        assert_eq!(Refused::input("/until", "Write a day.").detail, "“Until”: Write a day.");
        assert_eq!(Refused::from(Problem::conflict("No.")).detail, "No.");
    }

    #[test]
    fn what_the_api_says_for_programs_is_said_for_people() {
        for (said, words) in [
            ("must be a text of 1 to 200 characters", "Write between 1 and 200 characters."),
            (
                "must be a text of 1 to 255 characters, or null for none",
                "Write between 1 and 255 characters.",
            ),
            ("must be a text of at most 500 characters", "Write at most 500 characters."),
            (
                "must be an instant such as 2026-01-31T00:00:00Z",
                "Choose a day before 31 December 9999, such as 2026-01-31.",
            ),
            ("must be from 0 to 36500, not 99999", "must be from 0 to 36500, not 99999"),
        ] {
            assert_eq!(Refused::input("/name", said).at("/name"), words);
        }
    }
}
