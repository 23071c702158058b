//! Calls Ghost's Admin API, and reads what it says.

use super::super::caller::judged;
use super::filter::quoted;
use super::shapes::{Label, Member, Tier, said};
use super::{Caller, Failure, Wrong};
use crate::core::token::TokenKey;
use crate::egress::{Answer, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The version of the API that this is written for; newer ones answer as it does.
const ACCEPT_VERSION: &str = "v5.0";
/// Whom tokens are for.
const AUDIENCE: &str = "/admin/";
/// How long a token is good for, in seconds: the longest that Ghost takes, for clocks that are not alike.
const TOKEN_SECONDS: i64 = 300;
/// Where the API stands below the site.
const ADMIN_PATH: &str = "/ghost/api/admin";
/// What is read with a member.
const INCLUDE: &str = "labels,tiers";
/// The most that Ghost lists at once.
const LIMIT_MAX: &str = "100";
/// How many pages of labels are read at most.
const LABEL_PAGES_MAX: u32 = 10;

const NOT_FOUND: u16 = 404;
const NOT_ACCEPTABLE: u16 = 406;
const UNPROCESSABLE: u16 = 422;

/// What Ghost says of an address that is a member's already.
const ALREADY_EXISTS: &str = "Member already exists";

/// The Admin API of one Ghost.
pub(super) struct Api {
    caller: Caller,
    /// Where it stands, without a slash at its end.
    base: String,
    key: TokenKey,
}

/// Members cannot be read.
pub(super) struct Unread {
    /// The status that was answered; `None` where nothing was.
    pub(super) status: Option<u16>,
    /// Why.
    pub(super) why: Failure,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Labels {
    labels: Vec<Label>,
}

/// What Ghost says of the pages of a list.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Paged {
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    pagination: Pagination,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pagination {
    /// The next page; none behind the last.
    next: Option<u32>,
}

#[derive(Deserialize)]
struct Tiers {
    tiers: Vec<Tier>,
}

#[derive(Deserialize)]
struct Site {
    site: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Api {
    /// What calls a Ghost; says what is wrong with its address or its key.
    pub(super) fn new(caller: Caller, url: &str, key: &str) -> Result<Self, Wrong> {
        caller.check(url).map_err(|detail| Wrong::at("url", detail))?;
        if url.contains(['?', '#']) {
            return Err(Wrong::at("url", "must be the site's own address, without ? and #"));
        }
        let site = url.trim_end_matches('/');
        let site = site.strip_suffix(ADMIN_PATH).unwrap_or(site);
        let site = site.strip_suffix("/ghost").unwrap_or(site);
        let key = TokenKey::from_written(key.trim()).ok_or_else(|| {
            Wrong::at(
                "admin_api_key",
                "must be the Admin API key of a custom integration: an id, a colon, and hexadecimal digits",
            )
        })?;
        Ok(Self { caller, base: format!("{site}{ADMIN_PATH}"), key })
    }

    /// The member with an address.
    pub(super) async fn member_of(&self, email: &str) -> Result<Option<Member>, Failure> {
        let filter = format!("email:{}", quoted(email));
        let query = [("filter", &*filter), ("include", INCLUDE)];
        let found: Members = done(&self.get("members/", &query).await?)?;
        // Whether case counts depends on the database below Ghost.
        Ok(found.members.into_iter().find(|member| member.email() == email))
    }

    /// The member with an id.
    pub(super) async fn member(&self, id: &str) -> Result<Option<Member>, Failure> {
        let answer = self.get(&path_of(id), &[("include", INCLUDE)]).await?;
        if is_no_such_member(&answer) { Ok(None) } else { the_one(&answer).map(Some) }
    }

    /// Makes a member, whom Ghost sends its sign-up mail; `None` where there is one with this address.
    pub(super) async fn add(&self, member: &Map<String, Value>) -> Result<Option<Member>, Failure> {
        let query = [("send_email", "true"), ("email_type", "signup")];
        let answer = self.send(Method::POST, "members/", &query, &of_one(member)).await?;
        let exists = answer.status == UNPROCESSABLE && said(&answer.body).contains(ALREADY_EXISTS);
        if exists { Ok(None) } else { the_one(&answer).map(Some) }
    }

    /// Changes these fields of a member; `None` where there is none any more.
    pub(super) async fn edit(
        &self,
        id: &str,
        changes: &Map<String, Value>,
    ) -> Result<Option<Member>, Failure> {
        let answer = self.send(Method::PUT, &path_of(id), &[], &of_one(changes)).await?;
        if is_no_such_member(&answer) { Ok(None) } else { the_one(&answer).map(Some) }
    }

    /// All tiers, archived ones too.
    pub(super) async fn tiers(&self) -> Result<Vec<Tier>, Failure> {
        let found: Tiers = done(&self.get("tiers/", &[("limit", LIMIT_MAX)]).await?)?;
        Ok(found.tiers)
    }

    /// How Ghost writes a label; `None` where it has none of this name.
    pub(super) async fn label(&self, name: &str) -> Result<Option<String>, Failure> {
        let filter = format!("name:{}", quoted(name.trim()));
        let query = [("filter", &*filter), ("limit", "1")];
        let found: Labels = done(&self.get("labels/", &query).await?)?;
        Ok(found.labels.into_iter().next().map(|label| label.name))
    }

    /// The names of the labels, page by page up to so many, and whether these are all.
    pub(super) async fn labels(&self) -> Result<(Vec<String>, bool), Failure> {
        let mut names = Vec::new();
        for page in 1..=LABEL_PAGES_MAX {
            let page = page.to_string();
            let query = [("limit", LIMIT_MAX), ("page", &*page), ("order", "name asc")];
            let answered = self.get("labels/", &query).await?;
            let found: Labels = done(&answered)?;
            let pages = serde_json::from_slice::<Paged>(&answered.body).unwrap_or_default();
            let is_last = found.labels.is_empty() || pages.meta.pagination.next.is_none();
            names.extend(found.labels.into_iter().map(|label| label.name));
            if is_last {
                return Ok((names, true));
            }
        }
        Ok((names, false))
    }

    /// Which version of Ghost answers; needs no key.
    pub(super) async fn version(&self) -> Result<String, Failure> {
        let found: Site = done(&self.get("site/", &[]).await?)?;
        Ok(found.site.version)
    }

    /// Looks whether members may be read.
    pub(super) async fn may_read(&self) -> Result<(), Unread> {
        let answer = self.get("members/", &[("limit", "1")]).await;
        let answer = answer.map_err(|why| Unread { status: None, why })?;
        let status = Some(answer.status);
        done::<Members>(&answer).map(drop).map_err(|why| Unread { status, why })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.call(Method::GET, path, query, String::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Answer, Failure> {
        self.call(method, path, query, body.to_string()).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, Failure> {
        let mut url = format!("{}/{path}", self.base);
        if !query.is_empty() {
            let mut written = form_urlencoded::Serializer::new(String::new());
            url.push('?');
            url.push_str(&written.extend_pairs(query).finish());
        }
        let now = self.caller.now();
        let token = self.key.token(AUDIENCE, now, now + TOKEN_SECONDS);
        let mut headers = vec![
            ("authorization", format!("Ghost {token}")),
            ("accept-version", ACCEPT_VERSION.to_owned()),
        ];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.caller.call(method, &url, headers, body).await
    }
}

/// Where a member stands.
fn path_of(id: &str) -> String {
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("members/{id}/")
}

/// One member as Ghost takes it.
fn of_one(member: &Map<String, Value>) -> Value {
    json!({ "members": [member] })
}

/// Whether Ghost says that there is no member with this id. That nothing stands at this path at all is another thing.
fn is_no_such_member(answer: &Answer) -> bool {
    answer.status == NOT_FOUND && said(&answer.body).to_lowercase().contains("member")
}

/// The member that an answer is about.
fn the_one(answer: &Answer) -> Result<Member, Failure> {
    let found: Members = done(answer)?;
    let one = found.members.into_iter().next();
    one.ok_or_else(|| Failure::Unsure("Ghost answered without the member".to_owned()))
}

/// What an answer says, where Ghost has done what it was asked for.
fn done<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let words = said(&answer.body);
    judged(answer, &words)?;
    if answer.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|_| {
            Failure::Unsure(format!("what answered {} is no Admin API of Ghost", answer.status))
        });
    }
    let why = match words.as_str() {
        "" => format!("the destination answered {}", answer.status),
        _ => words,
    };
    Err(match answer.status {
        // Ghost has words for whatever it refuses; a path that nothing stands at is no member's fault.
        NOT_FOUND => Failure::Unsure(format!("no Admin API of Ghost is there: {why}")),
        NOT_ACCEPTABLE => Failure::Stopped(why),
        _ => Failure::Refused(why),
    })
}
