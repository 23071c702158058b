//! WordPress, by its REST API: a level is a role of the site.
//!
//! Calls are made as a user of the site, with an application password of that user. Every sentence about WordPress
//! here was seen with WordPress 6.1.9 (Debian 12, PHP 8.2, MariaDB 10.11), which the tests drive, but for what
//! is said of multisite: that was read in its sources only.
//!
//! Absences that tests check: who is administrator or editor, or may manage users or settings, is never touched; a
//! role that is not of this call stays; none of these two roles is ever given; an account is made only when all
//! pages of a search have shown none; a page of something else than the REST API is never taken for an answer.

mod accounts;
mod check;
mod login;
mod offered;
mod reply;
mod site;
mod user;
mod words;

use super::{Caller, Config, Kind, Pace, Remote, Wrong, read};
use schemars::JsonSchema;
use serde::Deserialize;
use site::Site;

/// What the address of a site never ends in; with one of these it is the address of a page of it.
const PAGES_OF_A_SITE: [&str; 4] = ["/wp-json", "/wp-admin", "/wp-login.php", "/index.php"];

/// This kind. The pace is what small hosting bears beside its visitors.
pub const KIND: Kind = Kind {
    name: "wordpress",
    open,
    secrets: &["application_password"],
    is_signed: false,
    names_levels: true,
    pace: Pace { calls_per_second: 5, concurrency: 2 },
    schema: |generator| generator.subschema_for::<WordpressConfig>(),
};

/// What operators write down for a WordPress site.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WordpressConfig {
    /// The address of the site, as its visitors see it; it may have a path.
    url: String,
    /// The login name of the user that calls are made as: an administrator, or one who may list, create, edit and
    /// promote users.
    username: String,
    /// An application password of that user, from Users → Profile → Application Passwords.
    #[schemars(extend("writeOnly" = true))]
    application_password: String,
}

fn open(config: &Config, caller: Caller) -> Result<Remote, Wrong> {
    let WordpressConfig { url, username, application_password } = read(config)?;
    let root = root(&url)?;
    caller.check(&root).map_err(|detail| Wrong::at("url", detail))?;
    if username.trim().is_empty() || username.contains(':') {
        return Err(Wrong::at("username", "must be the login name of a user, without a colon"));
    }
    if application_password.trim().is_empty() {
        let detail =
            "must be an application password, from Users → Profile → Application Passwords";
        return Err(Wrong::at("application_password", detail));
    }
    Ok(Remote::Accounts(Box::new(Site::new(caller, root, &username, &application_password))))
}

/// The address of a site without the slash at its end.
fn root(url: &str) -> Result<String, Wrong> {
    let root = url.trim().trim_end_matches('/');
    if root.contains(['?', '#']) || PAGES_OF_A_SITE.iter().any(|page| root.ends_with(page)) {
        let detail = "must be the address of the site itself, such as https://club.example.com";
        return Err(Wrong::at("url", detail));
    }
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_site_is_kept_with_its_path_and_that_of_a_page_is_none() {
        let site = |url: &str| root(url).ok();
        for url in [
            "https://club.example/blog",
            "https://club.example/blog/",
            " https://club.example/blog// ",
        ] {
            assert_eq!(site(url).as_deref(), Some("https://club.example/blog"), "{url:?}");
        }
        assert_eq!(site("http://club.example:8080").as_deref(), Some("http://club.example:8080"));
        for url in [
            "https://club.example/wp-json/",
            "https://club.example/?p=1",
            "https://club.example/#x",
        ] {
            assert_eq!(site(url), None, "{url:?}");
        }
    }
}
