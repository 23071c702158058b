//! Whether all that is needed works at a site.

use super::super::{Failure, Finding};
use super::reply::INVALID_ROLE;
use super::site::Site;
use super::user::{PROTECTED_ROLES, User};
use crate::secrets::new_password;
use serde_json::json;
use std::collections::BTreeSet;

/// What has to be allowed to whoever calls are made as.
const NEEDED: [&str; 4] = ["list_users", "create_users", "edit_users", "promote_users"];

/// What is needed and not allowed to a user.
pub fn missing(user: &User) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|capability| !user.may(capability)).collect()
}

/// That these rights are missing, and what to do, without a full stop.
pub fn lacks(username: &str, missing: &[&str]) -> String {
    let missing = missing.join(", ");
    format!(
        "{username} lacks {missing}: give that user the role of an administrator, or one with these rights"
    )
}

/// Looks at connection, credentials, rights and names, until something is so wrong that the rest cannot be seen.
pub async fn findings(site: &Site, remotes: &BTreeSet<String>) -> Vec<Finding> {
    let connection = Finding::good("connection", "WordPress's REST API answers.");
    let me = match site.me().await {
        Ok(me) => me,
        Err(failure @ (Failure::Stopped(_) | Failure::Refused(_))) => {
            return vec![connection, Finding::bad("credentials", format!("{failure}."))];
        }
        Err(failure) => return vec![Finding::bad("connection", format!("{failure}."))],
    };
    let username = &site.username;
    let mut findings =
        vec![connection, Finding::good("credentials", format!("The site knows {username}."))];
    let missing = missing(&me);
    if missing.is_empty() {
        let detail = format!("{username} may list, create, edit and promote users.");
        findings.push(Finding::good("rights", detail));
        for remote in remotes {
            findings.push(name(site, &me, remote).await);
        }
    } else {
        findings.push(Finding::bad("rights", format!("{}.", lacks(username, &missing))));
    }
    findings
}

/// Whether a role is there and may be given.
async fn name(site: &Site, me: &User, role: &str) -> Finding {
    if PROTECTED_ROLES.contains(&role) {
        let detail =
            format!("Latchkey gives nobody the role {role}: write down another one for the level.");
        return Finding::bad("names", detail);
    }
    match given(site, me, role).await {
        Given::Yes => {
            Finding::good("names", format!("The role {role} is there, and may be given."))
        }
        Given::No(why) => Finding::bad("names", format!("{why}.")),
        Given::Unseen(why) => {
            let detail = format!("Whether the role {role} is there cannot be seen: {why}.");
            Finding::bad("names", detail)
        }
    }
}

/// Whether a role is there and may be given; where not, why, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// It is.
    Yes,
    /// It is not.
    No(String),
    /// Nobody knows.
    Unseen(String),
}

/// Looks whether a role is there and may be given. Nothing lists the roles of a site, but each is looked at before an
/// account is made; this asks for an account that cannot be made, because its name and its address are taken: by who
/// asks.
pub async fn given(site: &Site, me: &User, role: &str) -> Given {
    let Ok(password) = new_password() else {
        return Given::Unseen("this machine gave no random bytes".to_owned());
    };
    let body = json!({ "username": me.username, "email": me.email, "password": password, "roles": [role] });
    match site.save("", &body).await {
        Ok(Err(problem)) if problem.is_taken() => Given::Yes,
        Ok(Err(problem)) if problem.code == INVALID_ROLE => {
            Given::No(problem.failure(&site.username).to_string())
        }
        Ok(Err(problem)) => Given::Unseen(super::words::unfinished(&problem.said).to_owned()),
        Ok(Ok(user)) => {
            Given::Unseen(format!("the site made the account {} when it could not", user.id))
        }
        Err(failure) => Given::Unseen(failure.to_string()),
    }
}
