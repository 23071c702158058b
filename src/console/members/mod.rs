//! Members: who there is, and one page a person.

mod acts;
mod aside;
mod bought;
mod doors;
mod download;
mod let_in;
mod person;
mod picture;
mod story;

pub use bought::Products;
pub use let_in::LetIn;
pub use picture::History;

use super::desk::{Desk, Listed, query, segment};
use super::refused::Refused;
use super::rules::Levels;
use super::shell::Shell;
use super::{form_at, page};
use crate::app::resource;
use crate::core::kartra::values::email;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// The pages of members.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = "/sites/{site}/members/{member}";
    let act = |path: &str| form_at(&format!("{one}/{path}"), one);
    config
        .service(page(resource("/sites/{site}/members", "GET, HEAD").get(list)))
        .service(page(resource("/sites/{site}/members.csv", "GET").get(download::csv)))
        .service(page(resource(one, "GET, HEAD").get(person::show)))
        .service(page(act("grants").post(acts::grant)))
        .service(page(act("blocks").post(acts::block)))
        .service(page(act("grants/{id}/end").post(acts::end_grant)))
        .service(page(act("blocks/{id}/lift").post(acts::lift_block)))
        .service(page(act("pushes/{id}/retry").post(acts::retry_push)));
}

/// What an address of the list asks for.
#[derive(Default, Deserialize)]
pub struct Asked {
    /// A part of an address, or all of it.
    #[serde(default)]
    q: String,
    /// Only those who hold this level.
    #[serde(default)]
    level: String,
    /// Where the page begins.
    #[serde(default)]
    cursor: String,
}

impl Asked {
    /// What is asked for, as a query.
    fn query(&self, cursor: &str) -> String {
        self.query_of(cursor, "")
    }

    /// The same with so many on a page.
    fn query_of(&self, cursor: &str, limit: &str) -> String {
        query(&[("q", self.q.trim()), ("level", &self.level), ("cursor", cursor), ("limit", limit)])
    }
}

/// A member in the list.
#[derive(Deserialize)]
struct Member {
    id: Option<String>,
    email: String,
    levels: Vec<String>,
    /// Whether every level is blocked.
    blocked: bool,
    /// The levels that are blocked one by one.
    blocked_levels: Vec<String>,
    /// How many purchases are held.
    held_purchases: i64,
    /// When the level that was asked for ends.
    until: Option<String>,
    next_change_at: Option<String>,
    created_at: Option<String>,
}

#[derive(Template)]
#[template(path = "members/list.html")]
struct ListPage {
    shell: Shell,
    /// The path of this page.
    here: String,
    asked: Asked,
    levels: Levels,
    members: Listed<Member>,
    /// The address that was typed whole, where nobody has it.
    nobody: Option<String>,
    /// The beginning of the same list; empty there.
    first: String,
    /// What follows; empty at the end.
    next: String,
}

impl ListPage {
    /// What a level is called.
    fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.levels.name(level)
    }

    /// The page of a person.
    fn person(&self, key: &str) -> String {
        format!("{}/{}", self.here, segment(key))
    }

    /// The page that tells how to connect Kartra.
    fn setup(&self) -> String {
        format!("{}/sites/{}/setup", self.shell.base, segment(&self.shell.site_id))
    }

    /// What is said of a level that is blocked.
    fn blocked(&self, level: &str) -> String {
        format!("{} blocked", self.name(level))
    }

    /// What is said of purchases that are held.
    #[expect(clippy::unused_self, reason = "templates call what belongs to their page")]
    fn held(&self, member: &Member) -> String {
        match member.held_purchases {
            1 => "1 purchase waits for a mapping".to_owned(),
            count => format!("{count} purchases wait for a mapping"),
        }
    }

    /// What can be done about an address that nobody has.
    fn ahead(&self) -> &'static str {
        if self.shell.may_support {
            "Nothing that Kartra has told names this address. You can open its page all the same, and give it a level ahead of the purchase."
        } else {
            "Nothing that Kartra has told names this address. You can open its page all the same; giving it a level ahead of the purchase takes a key with the scope support."
        }
    }

    /// Whether anybody on the page has a purchase that is held, so that it has to be said what that means.
    fn any_held(&self) -> bool {
        self.members.items.iter().any(|member| member.held_purchases > 0)
    }

    /// Whether a date is shown on which something begins or ends.
    fn any_next(&self) -> bool {
        self.members.items.iter().any(|member| member.next_change_at.is_some())
    }

    #[expect(clippy::unused_self, reason = "templates call what belongs to their page")]
    fn nobody_has(&self, address: &str) -> String {
        format!("Nobody has {address} yet")
    }

    /// Where all of the list is downloaded.
    fn download(&self) -> String {
        format!("{}.csv{}", self.here, self.asked.query(""))
    }

    /// Whether the list is narrowed.
    fn is_narrowed(&self) -> bool {
        !self.asked.q.is_empty() || !self.asked.level.is_empty()
    }

    /// What those hear who do not see the list change.
    fn announced(&self) -> String {
        match self.members.items.len() {
            0 => "No members found".to_owned(),
            1 => "1 member on this page".to_owned(),
            count => format!("{count} members on this page"),
        }
    }
}

/// `GET /sites/{site}/members`
async fn list(
    desk: Desk,
    site: web::Path<String>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let site = desk.site(&site).await?;
    let mut asked = asked.0;
    asked.q = asked.q.trim().to_owned();
    let levels = Levels::all(&desk, &site.id).await?;
    let of_page = asked.query(&asked.cursor);
    let members: Listed<Member> =
        desk.get(&format!("/sites/{}/members{of_page}", segment(&site.id))).await?;
    let shell = desk.shell_of(&site, "members", "Members");
    let here = format!("{}/sites/{}/members", shell.base, segment(&site.id));
    desk.page(&ListPage {
        first: if asked.cursor.is_empty() {
            String::new()
        } else {
            format!("{here}{}", asked.query(""))
        },
        next: match &members.next_cursor {
            None => String::new(),
            Some(cursor) => format!("{here}{}", asked.query(cursor)),
        },
        nobody: email(&asked.q).filter(|_| members.items.is_empty() && asked.level.is_empty()),
        shell,
        here,
        asked,
        levels,
        members,
    })
}
