//! A site, and the calls that are made to it.

use super::super::{Caller, Failure};
use super::reply::{self, Done, NO_SUCH_USER, Problem};
use super::user::{Holder, Listed, User, normal};
use crate::egress::{Answer, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where the users are.
const USERS: &str = "/wp-json/wp/v2/users";
/// What is asked of each user in a list.
const LISTED_FIELDS: &str = "id,email,username,roles";
/// What is asked of one user: capabilities make an answer long, so only of one.
const USER_FIELDS: &str = "id,email,username,roles,capabilities";
/// How many users a page of a list has: each takes some hundred bytes of the 64 KiB that are read of an answer.
const USERS_PER_PAGE: u64 = 50;
/// How many pages are read at most: who has that many namesakes is not looked for.
const PAGES_MAX: u64 = 200;

/// How many users are on a page of which only the roles are read: a few dozen bytes each.
const ROLES_PER_PAGE: u64 = 100;
/// How many accounts are looked at for the roles that they hold.
pub const ACCOUNTS_LOOKED_AT: u64 = 500;

/// A site that can be called.
pub struct Site {
    caller: Caller,
    root: String,
    /// Who calls are made as.
    pub username: String,
    authorization: String,
}

impl Site {
    /// A site at an address without a slash at its end.
    pub fn new(caller: Caller, root: String, username: &str, password: &str) -> Self {
        let username = username.trim().to_owned();
        let authorization =
            format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.trim())));
        Self { caller, root, username, authorization }
    }

    /// The user with a number; `None` where there is none.
    pub async fn user(&self, id: &str) -> Result<Option<User>, Failure> {
        match self.get(&format!("/{id}"), &[("_fields", USER_FIELDS)]).await? {
            Ok(done) => done.into().map(Some),
            Err(problem) if problem.code == NO_SUCH_USER => Ok(None),
            Err(problem) => Err(self.failure(problem).await),
        }
    }

    /// Who calls are made as.
    pub async fn me(&self) -> Result<User, Failure> {
        match self.get("/me", &[("_fields", USER_FIELDS)]).await? {
            Ok(done) => done.into(),
            Err(problem) => Err(problem.failure(&self.username)),
        }
    }

    /// The number of the user with an address, by all pages of a search, which finds parts of addresses too.
    pub async fn search(&self, email: &str) -> Result<Option<u64>, Failure> {
        let email = normal(email);
        let per_page = USERS_PER_PAGE.to_string();
        for page in 1..=PAGES_MAX {
            let number = page.to_string();
            // By number, so that whoever is new in the meantime comes last.
            let query = [
                ("_fields", LISTED_FIELDS),
                ("search", term(&email)),
                ("orderby", "id"),
                ("order", "asc"),
                ("per_page", per_page.as_str()),
                ("page", number.as_str()),
            ];
            let done = match self.get("", &query).await? {
                Ok(done) => done,
                Err(problem) => return Err(problem.failure(&self.username)),
            };
            let pages = done.pages;
            let users: Vec<Listed> = done.into()?;
            if let Some(user) = users.iter().find(|user| normal(&user.email) == email) {
                return Ok(Some(user.id));
            }
            // A page leaves out whom we may not edit, so a short one need not be the last.
            if pages.map_or(users.is_empty(), |pages| page >= pages) {
                return Ok(None);
            }
        }
        let users = PAGES_MAX * USERS_PER_PAGE;
        Err(Failure::Refused(format!(
            "the addresses of more than {users} accounts contain this one"
        )))
    }

    /// The roles that the first accounts of the site hold, as far as they may be seen.
    pub async fn roles(&self) -> Result<BTreeSet<String>, Failure> {
        let mut roles = BTreeSet::new();
        let per_page = ROLES_PER_PAGE.to_string();
        for page in 1..=ACCOUNTS_LOOKED_AT / ROLES_PER_PAGE {
            let number = page.to_string();
            let query = [
                ("_fields", "roles"),
                ("orderby", "id"),
                ("order", "asc"),
                ("per_page", per_page.as_str()),
                ("page", number.as_str()),
            ];
            let done = match self.get("", &query).await? {
                Ok(done) => done,
                Err(problem) => return Err(problem.failure(&self.username)),
            };
            let pages = done.pages;
            let users: Vec<Holder> = done.into()?;
            let is_last = pages.map_or(users.is_empty(), |pages| page >= pages);
            roles.extend(users.into_iter().flat_map(|user| user.roles));
            if is_last {
                break;
            }
        }
        Ok(roles)
    }

    /// Writes a user, new (an empty path) or not.
    pub async fn save(&self, path: &str, body: &Value) -> Result<Result<User, Problem>, Failure> {
        let url = self.url(path, &[("_fields", USER_FIELDS)]);
        let headers = self.headers(Some("application/json"));
        let answer = self.caller.call(Method::POST, &url, headers, body.to_string()).await?;
        reply::read(&answer)?
            .map(Done::into)
            .map_or_else(|problem| Ok(Err(problem)), |user| user.map(Ok))
    }

    /// Posts a form to the page where people log in, as nobody.
    pub async fn post_login(&self, action: &str, form: &[(&str, &str)]) -> Result<Answer, Failure> {
        let url = format!("{}/wp-login.php?action={action}", self.root);
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded".to_owned());
        self.caller.call(Method::POST, &url, vec![kind], form).await
    }

    /// What a problem with one user means: it is about that user alone where our rights are whole.
    pub async fn failure(&self, problem: Problem) -> Failure {
        let failure = problem.failure(&self.username);
        if !problem.is_about_rights() {
            return failure;
        }
        match self.me().await {
            Ok(me) if super::check::missing(&me).is_empty() => Failure::Refused(format!(
                "the site keeps this account from {}, who may otherwise do all that is needed: {}",
                self.username, problem.said
            )),
            _ => failure,
        }
    }

    async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Result<Done, Problem>, Failure> {
        let query = [&[("context", "edit")], query].concat();
        let url = self.url(path, &query);
        let answer = self.caller.call(Method::GET, &url, self.headers(None), String::new()).await?;
        reply::read(&answer)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        format!("{}{USERS}{path}?{query}", self.root)
    }

    fn headers(&self, content_type: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("authorization", self.authorization.clone()),
            ("accept", "application/json".to_owned()),
        ];
        headers.extend(content_type.map(|kind| ("content-type", kind.to_owned())));
        headers
    }
}

/// What is searched for to find an address: WordPress takes what looks like an encoded character out of a search, so
/// of an address with `%` only what is behind the last one, which many more have.
fn term(email: &str) -> &str {
    email.rsplit('%').next().unwrap_or(email)
}
