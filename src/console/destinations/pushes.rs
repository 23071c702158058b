//! What is on its way to a destination, and what has not arrived.

use super::words::{Told, told};
use super::{Destination, path_of};
use crate::console::desk::{Desk, Listed, query, segment};
use crate::console::guard::Fields;
use crate::console::refused::Refused;
use crate::console::shell::{Flash, Shell};
use crate::core::Instant;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

/// The ways to narrow the list: the status, and what it is called.
const STATUSES: [(&str, &str); 5] = [
    ("", "All"),
    ("pending", "Waiting"),
    ("retrying", "Trying again"),
    ("failed", "Failed"),
    ("done", "Confirmed"),
];

/// A push as pages show it.
#[derive(Debug, Deserialize)]
struct Push {
    id: String,
    email: Option<String>,
    status: String,
    attempts: i64,
    next_attempt_at: Option<String>,
    last_error: Option<String>,
    what: String,
    wanted_at: String,
    done_at: Option<String>,
    owned: Vec<String>,
    account: Option<String>,
    welcome: Option<String>,
    /// Whether its next attempt is due by now.
    #[serde(skip)]
    is_due: bool,
}

impl Push {
    /// Whom or what it is about.
    fn subject(&self) -> String {
        match (&self.email, self.what.as_str()) {
            (Some(email), _) => email.clone(),
            (None, "product.discovered") => "A new product".to_owned(),
            (None, "alarm.raised") => "An alarm".to_owned(),
            (None, "member.email_changed") => "A change of address".to_owned(),
            (None, what) => what.to_owned(),
        }
    }

    /// Where it stands: a tone and words.
    fn standing(&self) -> (&'static str, &'static str) {
        match self.status.as_str() {
            "pending" => ("info", "waiting"),
            "retrying" => ("warn", "trying again"),
            "done" => ("good", "confirmed"),
            _ => ("bad", "failed"),
        }
    }

    /// With whether its next attempt is due at an instant.
    fn at(self, now: Instant) -> Self {
        let next = self.next_attempt_at.as_deref().and_then(|at| at.parse::<Instant>().ok());
        Self { is_due: next.is_some_and(|next| next <= now), ..self }
    }

    /// Why the last attempt failed, in words.
    fn why(&self) -> Told {
        told(self.last_error.as_deref().unwrap_or_default())
    }

    /// Whether there is a reason to try it again by hand.
    fn may_retry(&self) -> bool {
        self.status != "done"
    }

    /// Whether its owner can be welcomed again.
    fn may_welcome(&self) -> bool {
        self.account.is_some() && self.welcome.is_some()
    }
}

/// Which pushes are asked for.
#[derive(Deserialize)]
pub struct Asked {
    status: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "destination_pushes.html")]
struct PushesPage {
    shell: Shell,
    destination: Destination,
    here: String,
    back: String,
    status: String,
    q: String,
    statuses: [(&'static str, &'static str); STATUSES.len()],
    pushes: Vec<Push>,
    first: String,
    next: String,
}

impl PushesPage {
    /// The address of the list with another status.
    fn filtered(&self, status: &str) -> String {
        format!("{}{}", self.here, query(&[("status", status), ("q", &self.q)]))
    }
}

/// `GET /sites/{site}/destinations/{id}/pushes`
pub async fn list(
    desk: Desk,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let Asked { status, q, cursor } = asked.0;
    let wanted = status.unwrap_or_default();
    let known = STATUSES.iter().any(|(status, _)| *status == wanted);
    let status = if known { wanted } else { String::new() };
    let q = q.unwrap_or_default().trim().to_owned();
    let site = desk.site(&site).await?;
    let path = path_of(&site.id, &id);
    let destination: Destination = desk.get(&path).await?;
    let of_site = format!("/sites/{}/pushes", segment(&site.id));
    let from = cursor.as_deref().unwrap_or_default();
    let asked = query(&[("destination", &id), ("status", &status), ("q", &q), ("cursor", from)]);
    let found: Listed<Push> = desk.get(&format!("{of_site}{asked}")).await?;
    let shell = desk.shell_of(&site, "destinations", format!("Pushes to {}", destination.name));
    let back = format!("{}{path}", shell.base);
    let here = format!("{back}/pushes");
    let at = |cursor: &str| {
        format!("{here}{}", query(&[("status", &status), ("q", &q), ("cursor", cursor)]))
    };
    let next = found.next_cursor.as_deref().map(at);
    let now = desk.app().clock().now();
    desk.page(&PushesPage {
        first: cursor.map(|_| at("")).unwrap_or_default(),
        next: next.unwrap_or_default(),
        pushes: found.items.into_iter().map(|push| push.at(now)).collect(),
        statuses: STATUSES,
        destination,
        status,
        shell,
        here,
        back,
        q,
    })
}

/// `POST /sites/{site}/destinations/{id}/pushes/{push}/retry`
pub async fn retry(
    desk: Desk,
    path: web::Path<(String, String, String)>,
    fields: Fields,
) -> Result<HttpResponse, Refused> {
    let (site, id, push) = path.into_inner();
    let asked = format!("/sites/{}/pushes/{}/retry", segment(&site), segment(&push));
    let done = desk.post(&asked, &json!({ "welcome": fields.is_on("welcome") })).await;
    let status = fields.get("status");
    let back = query(&[("status", status), ("q", fields.get("q"))]);
    let back = format!("{}/pushes{back}", path_of(&site, &id));
    match done {
        Ok(_) => Ok(desk.go(&back, Some(Flash::success("It is tried again now.")))),
        Err(refused) if refused.is_of_input() => Ok(desk.go(&back, Some(refused.flash()))),
        Err(refused) => Err(refused),
    }
}
