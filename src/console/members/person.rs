//! One person: what they have and why, over time, how far each destination is, and what happened.

use super::aside::{self, Aside};
use super::bought::{self, Products, Purchase, Unmapped};
use super::doors::{self, Door};
use super::let_in;
use super::picture::{self, Band};
use super::story::{self, Told};
use crate::console::desk::{Desk, Listed, Site, segment};
use crate::console::phrases;
use crate::console::refused::{Fault, Refused};
use crate::console::rules::Levels;
use crate::console::shell::Shell;
use crate::core::Instant;
use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Things on a page of the time line.
const TOLD_PER_PAGE: usize = 50;

/// The places of what is decided by hand that have a field of their own.
const FIELDS: [&str; 3] = ["/level", "/until", "/note"];

/// What an address of the page asks for.
#[derive(Default, Deserialize)]
pub struct Asked {
    /// An instant instead of now: a day, a day with a time, or RFC 3339; UTC.
    #[serde(default)]
    pub at: String,
    /// Where the page of the time line begins.
    #[serde(default)]
    pub cursor: String,
}

/// What was typed into a form that was refused, and why.
#[derive(Default)]
pub struct Typed {
    pub level: String,
    pub until: String,
    pub note: String,
    pub refused: Option<Refused>,
}

impl Typed {
    /// What is wrong at a place of what was typed; empty where nothing is.
    fn fault(&self, pointer: &str) -> &str {
        self.refused.as_ref().map_or("", |refused| refused.at(pointer))
    }

    /// What is wrong beside what stands at its field; `None` where nothing is.
    fn whole(&self) -> Option<String> {
        let refused = self.refused.as_ref()?;
        if refused.errors.is_empty() {
            return Some(refused.detail.clone());
        }
        let elsewhere = refused.errors.iter().filter(|fault| !FIELDS.contains(&&*fault.pointer));
        let told: Vec<String> = elsewhere.map(Fault::told).collect();
        (!told.is_empty()).then(|| told.join(" "))
    }
}

/// The forms of the page, as they were filled in.
#[derive(Default)]
pub struct Forms {
    pub grant: Typed,
    pub block: Typed,
}

/// What is held, as the API says it.
#[derive(Deserialize)]
struct Access {
    id: Option<String>,
    email: String,
    at: String,
    blocked: bool,
    levels: Vec<Held>,
    next_change_at: Option<String>,
}

#[derive(Deserialize)]
struct Held {
    level: String,
    since: String,
    until: Option<String>,
}

/// Why, as the API says it.
#[derive(Deserialize)]
struct Explanation {
    sentences: Vec<String>,
    considered: Vec<Explained>,
    history: Vec<picture::History>,
    /// The instant from which on every step of access is still recorded.
    recorded_from: Option<Instant>,
}

impl Explanation {
    /// Every purchase that was considered.
    fn bought(&self) -> impl Iterator<Item = &Purchase> {
        self.considered.iter().filter_map(|one| one.grant.purchase.as_ref())
    }

    /// The purchases that are held: they have no level yet.
    fn held(&self) -> impl Iterator<Item = &Purchase> {
        let held = self.considered.iter().filter(|one| one.grant.level.is_none());
        held.filter_map(|one| one.grant.purchase.as_ref())
    }
}

#[derive(Deserialize)]
struct Explained {
    because: String,
    grant: Considered,
    manual: Option<Manual>,
}

/// A manual grant, as it was made.
#[derive(Deserialize)]
struct Manual {
    until: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
struct Considered {
    level: Option<String>,
    held: bool,
    reason: String,
    purchase: Option<Purchase>,
    /// The event that decided.
    event: Option<Decided>,
    mapping: Option<IgnoredAny>,
    grant: Option<String>,
    changes_at: Option<String>,
}

#[derive(Deserialize)]
struct Decided {
    occurred_at: String,
}

#[derive(Deserialize)]
struct Block {
    id: String,
    level: Option<String>,
    begun_at: String,
    until: Option<String>,
    by: String,
    transaction_id: Option<String>,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "members/person.html")]
struct PersonPage {
    shell: Shell,
    /// The path of this page.
    here: String,
    access: Access,
    explanation: Explanation,
    /// What of the purchases is unmapped.
    unmapped: Vec<Unmapped>,
    products: Products,
    bands: Vec<Band>,
    /// What today's rules say of a level and what the door did, a sentence for each where they differ.
    let_in: Vec<String>,
    /// What the door did at the instant that is shown, where that differs from what is shown.
    let_in_then: Vec<String>,
    blocks: Vec<Block>,
    /// The webhooks about the person that count for nothing.
    aside: Vec<Aside>,
    doors: Vec<Door>,
    told: Vec<Told>,
    /// Whether a rebill is told of, so that it has to be said what that is.
    any_rebill: bool,
    levels: Levels,
    asked: Asked,
    /// What is wrong with the instant that was asked about.
    at_fault: &'static str,
    /// Whether an instant is shown that is over.
    is_past: bool,
    first: String,
    next: String,
    forms: Forms,
}

impl PersonPage {
    fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.levels.name(level)
    }

    /// The last day of a level that ends as an operator decided; empty where it ends otherwise.
    fn last_day_by_hand(&self, held: &Held) -> String {
        let Some(until) = held.until.as_deref() else { return String::new() };
        let mut given = self.explanation.considered.iter().filter_map(|one| one.manual.as_ref());
        let is_by_hand = given.any(|manual| manual.until.as_deref() == Some(until));
        Some(until).filter(|_| is_by_hand).and_then(last_day).unwrap_or_default()
    }

    /// The last day of what was decided by hand; empty where it ends within a day.
    #[expect(clippy::unused_self, reason = "templates call what belongs to their page")]
    fn last_day(&self, until: &str) -> String {
        last_day(until).unwrap_or_default()
    }

    /// The instant that is shown, in words.
    fn at(&self) -> String {
        phrases::instant(&self.access.at)
    }

    /// Where a product is mapped.
    fn mapped_at(&self, product_id: &str) -> String {
        self.shell.at(&bought::path_of(product_id))
    }

    /// Whether a bar of the picture goes on beyond it.
    fn goes_on(&self) -> bool {
        self.bands.iter().flat_map(|band| &band.held).any(|held| held.goes_on)
    }

    /// Where a manual grant is ended.
    fn end(&self, id: &str) -> String {
        format!("{}/grants/{}/end", self.here, segment(id))
    }

    /// Where a block is lifted.
    fn lift(&self, id: &str) -> String {
        format!("{}/blocks/{}/lift", self.here, segment(id))
    }

    /// Where a push is tried again.
    fn retry(&self, id: &str) -> String {
        format!("{}/pushes/{}/retry", self.here, segment(id))
    }

    /// The page of a destination.
    fn door(&self, id: &str) -> String {
        let site = segment(&self.shell.site_id);
        format!("{}/sites/{site}/destinations/{}", self.shell.base, segment(id))
    }

    /// Whether an instant other than now is shown.
    fn is_then(&self) -> bool {
        !self.asked.at.is_empty() && self.at_fault.is_empty()
    }

    /// Whether anything is known of the address.
    fn is_known(&self) -> bool {
        self.access.id.is_some() || !self.told.is_empty()
    }

    /// Manual grants that can be ended: those that have not.
    fn manual(&self) -> impl Iterator<Item = (&str, &Explained)> {
        let lives = |grant: &Considered| matches!(&*grant.reason, "manual" | "blocked");
        let all = self.explanation.considered.iter().filter(move |one| lives(&one.grant));
        all.filter_map(|one| Some((one.grant.grant.as_deref()?, one)))
    }

    /// Whether something on the page is on its way, so that the page looks again.
    fn moves(&self) -> bool {
        self.doors.iter().any(Door::moves)
    }
}

/// `GET /sites/{site}/members/{member}`
pub async fn show(
    desk: Desk,
    path: web::Path<(String, String)>,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refused> {
    let (site, member) = path.into_inner();
    let site = desk.site(&site).await?;
    desk.page(&page(&desk, &site, &member, asked.0, Forms::default()).await?)
}

/// The page again, with a form that was refused.
pub async fn again(
    desk: &Desk,
    site: &Site,
    member: &str,
    forms: Forms,
) -> Result<HttpResponse, Refused> {
    desk.form_again(&page(desk, site, member, Asked::default(), forms).await?)
}

async fn page(
    desk: &Desk,
    site: &Site,
    member: &str,
    asked: Asked,
    forms: Forms,
) -> Result<PersonPage, Refused> {
    let api = path_of(&site.id, member);
    let at = instant(&asked.at);
    let query = at.as_ref().map(|at| format!("?at={}", segment(at))).unwrap_or_default();
    let access: Access = desk.get(&format!("{api}/access{query}")).await?;
    let explanation: Explanation = desk.get(&format!("{api}/explain{query}")).await?;
    let blocks: Listed<Block> = desk.get(&format!("{api}/blocks?limit=100")).await?;
    let levels = Levels::all(desk, &site.id).await?;
    let aside = aside::of(desk, &site.id, &access.email).await?;
    let doors = doors::of(desk, &site.id, &access.email).await?;
    let after = match asked.cursor.as_str() {
        "" => String::new(),
        cursor => format!("&cursor={}", segment(cursor)),
    };
    let list = format!("{api}/timeline?order=newest_first&limit={TOLD_PER_PAGE}{after}");
    let timeline: Listed<story::Item> = desk.get(&list).await?;
    let bought = explanation.bought().map(|purchase| &*purchase.product_id);
    let told_of = timeline.items.iter().filter_map(story::Item::product_id);
    let products = Products::of(desk, &site.id, bought.chain(told_of)).await?;
    let shell = desk.shell_of(site, "members", access.email.clone());
    let here = format!("{}{}", shell.base, path_of(&site.id, member));
    let now = desk.app().clock().now();
    let shown = at.as_ref().and_then(|at| at.parse::<Instant>().ok());
    let bands = picture::bands(&explanation.history, &timeline.items, &levels, now, shown);
    let (let_in, let_in_then) = let_in_of(&explanation, &levels, now, shown);
    let names: BTreeMap<&str, &str> =
        doors.iter().map(|door| (&*door.destination.id, &*door.destination.name)).collect();
    let of_site = format!("{}/sites/{}", shell.base, segment(&site.id));
    let known = story::Known { levels: &levels, products: &products, doors: &names };
    let told = timeline.items.iter().map(|item| story::told(item, &of_site, &known));
    let told: Vec<Told> = told.collect();
    Ok(PersonPage {
        told,
        any_rebill: timeline.items.iter().any(story::Item::is_rebill),
        first: if asked.cursor.is_empty() { String::new() } else { format!("{here}#told") },
        next: timeline
            .next_cursor
            .map_or_else(String::new, |cursor| format!("{here}?cursor={}#told", segment(&cursor))),
        at_fault: match (&at, asked.at.trim()) {
            (None, text) if !text.is_empty() => "Write a day and a time such as 2026-01-31 12:00.",
            _ => "",
        },
        is_past: shown.is_some_and(|at| at < now),
        blocks: blocks.items,
        unmapped: products.unmapped(explanation.held()),
        products,
        shell,
        here,
        access,
        explanation,
        bands,
        let_in,
        let_in_then,
        aside,
        doors,
        levels,
        asked,
        forms,
    })
}

/// What the door did, of each level of which today's rules say otherwise: in all, and at the instant that is shown.
fn let_in_of(
    explanation: &Explanation,
    levels: &Levels,
    now: Instant,
    shown: Option<Instant>,
) -> (Vec<String>, Vec<String>) {
    let from = explanation.recorded_from;
    let history = explanation.history.iter().map(|one| (one, levels.name(&one.level)));
    let all = history.clone().filter_map(|(one, name)| let_in::told(one, name, from, now));
    let then = history.filter_map(|(one, name)| let_in::told_at(one, name, from, (shown?, now)));
    (all.collect(), then.collect())
}

/// The path of a person, in the console as in the API.
pub fn path_of(site_id: &str, member: &str) -> String {
    format!("/sites/{}/members/{}", segment(site_id), segment(member))
}

/// An instant as it was typed, as the API reads it; `None` where it is none.
fn instant(typed: &str) -> Option<String> {
    let typed = typed.trim();
    if typed.parse::<Instant>().is_ok() {
        return Some(typed.to_owned());
    }
    let plain = typed.replace(' ', "T");
    let minute = |format| NaiveDateTime::parse_from_str(&plain, format).ok();
    let midnight = || plain.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    let read = minute("%Y-%m-%dT%H:%M").or_else(|| minute("%Y-%m-%dT%H:%M:%S")).or_else(midnight);
    Some(read?.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The end of the last day that somebody typed, as the API reads it; `None` where nothing was typed.
pub fn end_of(last_day: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(typed) = last_day else { return Ok(None) };
    let next = typed.parse::<NaiveDate>().ok().and_then(|day| day.succ_opt());
    let end = next.map(|day| format!("{day}T00:00:00Z"));
    end.map(Some)
        .ok_or_else(|| Refused::input("/until", "Write a day such as 2026-01-31, or nothing."))
}

/// The last day of what ends at an instant, in words: what is decided by hand ends when a day of UTC does. `None` where
/// it ends within a day.
pub fn last_day(until: &str) -> Option<String> {
    let until: Instant = until.parse().ok()?;
    let last = until.date_naive().pred_opt().filter(|_| until.time() == NaiveTime::MIN)?;
    Some(last.format("%-d %B %Y (UTC)").to_string())
}

#[cfg(test)]
mod tests {
    use super::{end_of, instant, last_day};

    #[test]
    fn an_instant_may_be_typed_as_a_day_a_minute_or_exactly() {
        let cases = [
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31T12:30", Some("2026-01-31T12:30:00Z")),
            (" 2026-01-31 12:30 ", Some("2026-01-31T12:30:00Z")),
            ("2026-01-31T12:30:05", Some("2026-01-31T12:30:05Z")),
            ("2026-01-31T12:30:05.5Z", Some("2026-01-31T12:30:05.5Z")),
            ("yesterday", None),
            ("2026-02-30", None),
            ("", None),
        ];
        for (typed, read) in cases {
            assert_eq!(instant(typed).as_deref(), read, "{typed:?}");
        }
    }

    #[test]
    fn the_last_day_is_over_when_the_next_begins() {
        assert_eq!(end_of(None).expect("nothing"), None);
        let end = end_of(Some("2028-02-28")).expect("a day");
        assert_eq!(end.as_deref(), Some("2028-02-29T00:00:00Z"));
        let shown = end.as_deref().and_then(last_day);
        assert_eq!(
            shown.as_deref(),
            Some("28 February 2028 (UTC)"),
            "and is shown as it was typed"
        );
        assert_eq!(last_day("2028-02-29T00:00:01Z"), None);
        let refused = end_of(Some("soon")).expect_err("no day");
        assert_eq!(refused.at("/until"), "Write a day such as 2026-01-31, or nothing.");
    }
}
