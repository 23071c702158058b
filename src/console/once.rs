//! A secret that was just made, on a page that nobody can open again.

use super::desk::Desk;
use super::refused::Refused;
use super::shell::Shell;
use actix_web::HttpResponse;
use askama::Template;

/// A secret, shown in the answer to the form that made it and nowhere else: no cookie and no address carries it.
#[derive(Template)]
#[template(path = "once.html")]
pub struct Once {
    /// What stands around the page.
    pub shell: Shell,
    /// What was done.
    pub done: String,
    /// What the secret is called.
    pub label: &'static str,
    /// The secret.
    pub secret: String,
    /// What to do with it.
    pub then: String,
    /// Where to go on, as the whole path of a link.
    pub href: String,
    /// What is there.
    pub go_on: &'static str,
}

impl Once {
    /// The page.
    pub fn show(&self, desk: &Desk) -> Result<HttpResponse, Refused> {
        desk.page(self)
    }
}
