//! What the REST API answers, and what that means.
//!
//! Errors are told apart by their `code`: the status says little (a login name that exists is an HTTP 500). What is
//! no JSON comes from something else, a page of a plugin or of a proxy, and says nothing about what was asked.

use super::super::Failure;
use super::words::{plain, unfinished};
use crate::egress::{ANSWER_BYTES_MAX, Answer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The header that says how many pages a list has.
const PAGES_HEADER: &str = "x-wp-totalpages";
/// The code of an account that is not there.
pub const NO_SUCH_USER: &str = "rest_user_invalid_id";
/// The code of a role that is not there, or may not be given.
pub const INVALID_ROLE: &str = "rest_user_invalid_role";
/// The code of an address that another account has, or that is none, when an account is changed.
pub const INVALID_EMAIL: &str = "rest_user_invalid_email";
/// The code of an address that an account has, when another is made.
pub const EXISTING_EMAIL: &str = "existing_user_email";
/// The code of a login name that an account has.
pub const EXISTING_LOGIN: &str = "existing_user_login";
/// What a login name is called where several sites are in one WordPress.
const NETWORK_NAME: &str = "user_name";
/// What an address is called there.
const NETWORK_EMAIL: &str = "user_email";
/// The code of a path that the REST API does not have.
const NO_ROUTE: &str = "rest_no_route";

/// The codes that refuse what was asked, and would again, although their status is 500.
const REFUSALS: [&str; 7] = [
    EXISTING_EMAIL,
    EXISTING_LOGIN,
    "empty_data",
    "empty_user_login",
    "invalid_email",
    "invalid_username",
    "user_login_too_long",
];

/// Something that was done, or shown.
#[derive(Debug)]
pub struct Done {
    value: Value,
    /// How many pages the list has that this is of; `None` where nothing says so.
    pub pages: Option<u64>,
}

impl Done {
    /// What was answered, as what it has to be.
    pub fn into<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_value(self.value).map_err(|error| {
            Failure::Unsure(format!(
                "the site answered something that is not of WordPress's REST API: {error}"
            ))
        })
    }
}

/// An error of WordPress's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status that WordPress gives it.
    pub status: u16,
    /// What it is.
    pub code: String,
    /// What WordPress says, in plain words.
    pub said: String,
    /// What else it is about: names of parameters, and codes of further errors.
    pub parameters: Vec<String>,
}

/// An error as it is written.
#[derive(Deserialize)]
struct Written {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
    /// Where several sites are in one WordPress: what is wrong with a name or an address.
    #[serde(default)]
    additional_errors: Vec<Additional>,
}

/// An error beside another one.
#[derive(Deserialize)]
struct Additional {
    code: String,
    #[serde(default)]
    message: String,
}

impl Problem {
    fn read(http_status: u16, written: Written) -> Self {
        let status = written.data.get("status").and_then(Value::as_u64);
        let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(http_status);
        let none = Map::new();
        let faults = written.data.get("params").and_then(Value::as_object).unwrap_or(&none);
        let faults =
            faults.iter().map(|(name, fault)| (name.clone(), fault.as_str().unwrap_or("")));
        let others =
            written.additional_errors.iter().map(|more| (more.code.clone(), &*more.message));
        let mut said = plain(&written.message);
        let mut parameters = Vec::new();
        for (parameter, fault) in faults.chain(others) {
            said = format!("{}: {}", unfinished(&said), plain(fault));
            parameters.push(parameter);
        }
        let said = if said.is_empty() { written.code.clone() } else { said };
        Self { status, code: written.code, said, parameters }
    }

    /// Whether the address has an account already, or may have one.
    pub fn is_about_the_address(&self) -> bool {
        self.code == EXISTING_EMAIL || self.names(NETWORK_EMAIL)
    }

    /// Whether another login name may help.
    pub fn is_about_the_name(&self) -> bool {
        let codes = [EXISTING_LOGIN, "invalid_username"];
        codes.contains(&self.code.as_str()) || self.names("username") || self.names(NETWORK_NAME)
    }

    /// Whether an account was not made only because its name or its address is taken.
    pub fn is_taken(&self) -> bool {
        let codes = [EXISTING_LOGIN, EXISTING_EMAIL];
        codes.contains(&self.code.as_str()) || self.names(NETWORK_NAME) || self.names(NETWORK_EMAIL)
    }

    fn names(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|named| named == parameter)
    }

    /// Whether it says no because of who asks, known to the site as who it is.
    pub fn is_about_rights(&self) -> bool {
        self.status == 403 && self.code != INVALID_ROLE
    }

    /// What it means, where nothing more is known about what was asked; `username` is who asks.
    pub fn failure(&self, username: &str) -> Failure {
        let said = &self.said;
        let words = unfinished(said);
        match self {
            Self { status: 401, .. } => Failure::Stopped(format!(
                "the site does not take the credentials of {username} ({words}): make a new application password \
                 in the profile of that user; where a new one is not taken either, the web server does not hand on \
                 the Authorization header, or application passwords are switched off, as they are without https"
            )),
            Self { code, .. } if code == INVALID_ROLE => Failure::Refused(format!(
                "{words}: make the role at the site, or write down another one for the level"
            )),
            Self { status: 403, .. } => Failure::Stopped(format!(
                "{username} may not do what is needed ({words}): let that user list, create, edit and promote \
                 users, as an administrator does"
            )),
            Self { code, .. } if code == NO_ROUTE => Failure::Stopped(format!(
                "the site's REST API knows no users ({words}): a plugin that switches that off has to leave it \
                 to {username}"
            )),
            Self { code, status, .. }
                if REFUSALS.contains(&code.as_str()) || (400..500).contains(status) =>
            {
                Failure::Refused(format!("the site refuses: {said}"))
            }
            Self { code, .. } => Failure::Unsure(format!("the site answered {code}: {said}")),
        }
    }
}

/// Reads an answer of the REST API.
pub fn read(answer: &Answer) -> Result<Result<Done, Problem>, Failure> {
    asks_for_patience(answer)?;
    let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err(no_json(answer));
    };
    if answer.is_success() {
        let pages = answer.header(PAGES_HEADER).and_then(|pages| pages.trim().parse().ok());
        return Ok(Ok(Done { value, pages }));
    }
    match Written::deserialize(value) {
        Ok(written) => Ok(Err(Problem::read(answer.status, written))),
        Err(_) => Err(no_json(answer)),
    }
}

/// A site that asks to be left alone, whoever answers for it: WordPress itself while it is being updated.
pub fn asks_for_patience(answer: &Answer) -> Result<(), Failure> {
    let seconds = answer.retry_after_seconds;
    let (status, why) = match answer.status {
        429 => (429, "it is asked too often"),
        503 if seconds.is_some() => (503, "it is being maintained, or is overloaded"),
        _ => return Ok(()),
    };
    Err(Failure::Busy { why: format!("the site answered {status}: {why}"), seconds })
}

/// What it means that something else than the REST API answers.
fn no_json(answer: &Answer) -> Failure {
    let status = answer.status;
    let why = match answer.header("location") {
        _ if answer.body.len() >= ANSWER_BYTES_MAX => {
            format!("with more than {ANSWER_BYTES_MAX} bytes, and was not read to its end")
        }
        Some(location) if (300..400).contains(&status) => {
            let location = plain(location.split(['?', '#']).next().unwrap_or_default());
            format!("and leads on to {location}: write down the address that the site has itself")
        }
        _ if status == 404 => "with a page, and not with its REST API: is this the address of a WordPress, and are \
                               its permalinks (Settings → Permalinks) anything else than plain?"
            .to_owned(),
        _ => "with a page, and not with its REST API: a plugin, a proxy or the maintenance of the site stands before \
              it"
        .to_owned(),
    };
    Failure::Unsure(format!("the site answered {status} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problem(status: u16, written: Value) -> Failure {
        Problem::read(status, Written::deserialize(written).unwrap()).failure("owner")
    }

    #[test]
    fn the_code_decides_and_not_the_status() {
        let existing = json!({"code": "existing_user_login", "message": "Exists!", "data": null});
        assert_eq!(
            problem(500, existing),
            Failure::Refused("the site refuses: Exists!".to_owned())
        );
        let unknown =
            json!({"code": "db_insert_error", "message": "<b>Could not</b> insert.", "data": null});
        let words = "the site answered db_insert_error: Could not insert.";
        assert_eq!(problem(500, unknown), Failure::Unsure(words.to_owned()));
        // A status that stands in the answer counts, whatever a proxy made of the other one.
        let away = json!({"code": "incorrect_password", "message": "No.", "data": {"status": 401}});
        assert!(matches!(problem(500, away), Failure::Stopped(_)));
    }

    #[test]
    fn what_is_wrong_with_a_parameter_is_told_in_the_words_of_the_site() {
        let written = json!({"code": "rest_invalid_param", "message": "Invalid parameter(s): email",
            "data": {"status": 400, "params": {"email": "Invalid email address."}}});
        let words = "the site refuses: Invalid parameter(s): email: Invalid email address.";
        assert_eq!(problem(400, written), Failure::Refused(words.to_owned()));
    }

    #[test]
    fn one_of_several_sites_says_what_is_taken_beside_its_error() {
        let written = json!({"code": "rest_invalid_param", "message": "Invalid user parameter(s).",
            "data": {"status": 400}, "additional_errors": [{"code": "user_name", "message": "Taken!"}]});
        let problem = Problem::read(400, Written::deserialize(written).unwrap());
        assert!(
            problem.is_about_the_name() && problem.is_taken() && !problem.is_about_the_address()
        );
        assert_eq!(problem.said, "Invalid user parameter(s): Taken!");
    }
}
