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
        let missing = missing.join(", ");
        let detail = format!(
            "{username} lacks {missing}: give that user the role of an administrator, or one with these rights."
        );
        findings.push(Finding::bad("rights", detail));
    }
    findings
}

/// Whether a role is there and may be given. Nothing lists the roles of a site, but each is looked at before
/// an account is made; this asks for an account that cannot be made, because its name and its address are taken:
/// by who asks.
async fn name(site: &Site, me: &User, role: &str) -> Finding {
    if PROTECTED_ROLES.contains(&role) {
        let detail =
            format!("Latchkey gives nobody the role {role}: write down another one for the level.");
        return Finding::bad("names", detail);
    }
    let unseen = |why: &str| {
        Finding::bad("names", format!("Whether the role {role} is there cannot be seen: {why}."))
    };
    let Ok(password) = new_password() else { return unseen("this machine gave no random bytes") };
    let body = json!({ "username": me.username, "email": me.email, "password": password, "roles": [role] });
    match site.save("", &body).await {
        Ok(Err(problem)) if problem.is_taken() => {
            Finding::good("names", format!("The role {role} is there, and may be given."))
        }
        Ok(Err(problem)) if problem.code == INVALID_ROLE => {
            Finding::bad("names", format!("{}.", problem.failure(&site.username)))
        }
        Ok(Err(problem)) => unseen(super::words::unfinished(&problem.said)),
        Ok(Ok(user)) => unseen(&format!("the site made the account {} when it could not", user.id)),
        Err(failure) => unseen(&failure.to_string()),
    }
}
