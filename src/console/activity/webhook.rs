//! One webhook: what happened, its body beside its reading, and what it led to.

use super::body::Body;
use super::title;
use crate::console::desk::{Desk, Listed, Site, query, segment};
use crate::console::members::{History, LetIn};
use crate::console::phrases::{self, Status};
use crate::console::refused::Refused;
use crate::console::rules::Levels;
use crate::console::shell::Shell;
use crate::core::Instant;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

/// What is read of a webhook: what an operator calls it, where the reading has it, and Kartra's name for it.
const FIELDS: [(&str, &str, &str); 19] = [
    ("Kartra's word", "name", "action, or transaction_type"),
    ("Transaction", "transaction_id", "transaction_id"),
    ("E-mail of the purchase", "transaction_email", "lead_email"),
    ("E-mail of the profile", "profile_email", "lead.email"),
    ("Lead", "lead_id", "lead_id, or lead.id"),
    ("Product", "product_id", "product_id"),
    ("Name of the product", "product_name", "product_name"),
    ("Price point", "price_point", "product_price_point"),
    ("Amount", "amount", "transaction_full_amount"),
    ("Date", "date", "transaction_date"),
    ("Subscription", "subscription_id", "transaction_internal_subscription_id"),
    ("First transaction of the purchase", "original_id", "original_id"),
    ("Transaction that it takes back", "parent_id", "transaction_parent_id"),
    ("Trial", "trial", "trial"),
    ("Days of trial", "trial_period", "trial_period"),
    ("Days until the next payment", "rebill_circle", "rebill_circle"),
    ("Payments of the plan", "installments", "installments"),
    ("Payments left", "payments_left", "payments_left"),
    ("Number of the payment", "pay_number", "transaction_subscription_pay_number"),
];

/// The id of the first step of a site's feed; where the oldest that is kept has another, some have aged out.
const FIRST_STEP: i64 = 1;

/// A webhook, as the API says it.
#[derive(Deserialize)]
struct Webhook {
    id: String,
    received_at: String,
    feed: String,
    status: String,
    kind: Option<String>,
    email: Option<String>,
    reason: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    body_aged_out: Option<bool>,
    /// How many steps of access it has led to, whether or not they are still recorded.
    changes: i64,
}

/// What was read of it, and what it led to.
#[derive(Deserialize)]
struct Reading {
    says: Option<Value>,
    event: Option<Event>,
    member: Option<Member>,
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    occurred_at: String,
    purchase: Option<String>,
    told_by: Vec<String>,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    email: String,
}

#[derive(Deserialize)]
struct Change {
    at: String,
    email: String,
    level: String,
    what: String,
    until: Option<String>,
    reason: String,
}

impl Change {
    fn reason(&self) -> &str {
        phrases::reason(&self.reason)
    }
}

/// Why a person has what they have, as the API says it.
#[derive(Default, Deserialize)]
struct Explanation {
    considered: Vec<Given>,
    history: Vec<History>,
}

/// What a purchase gives now, or why it does not.
#[derive(Deserialize)]
struct Given {
    because: String,
    grant: Grant,
}

#[derive(Deserialize)]
struct Grant {
    /// `None` for a purchase that is held.
    level: Option<String>,
    held: bool,
    purchase: Option<Purchase>,
}

#[derive(Deserialize)]
struct Purchase {
    id: String,
}

/// A site with the zone in which Kartra writes dates.
#[derive(Deserialize)]
struct ZonedSite {
    #[serde(flatten)]
    site: Site,
    kartra_time_zone: String,
}

/// A line of the reading.
struct Field {
    label: &'static str,
    value: String,
    /// What Kartra calls it.
    from: &'static str,
}

#[derive(Template)]
#[template(path = "activity/webhook.html")]
struct WebhookPage {
    shell: Shell,
    /// The path of the list.
    list: String,
    /// The path of this page.
    here: String,
    webhook: Webhook,
    reading: Reading,
    /// What the purchase of its event gives now.
    given: Vec<Given>,
    /// When the person had which level.
    history: Vec<History>,
    /// Whether it has moved access, and the steps have aged out.
    is_forgotten: bool,
    fields: Vec<Field>,
    body: Body,
    levels: Levels,
}

impl WebhookPage {
    fn status(&self) -> Option<&'static Status> {
        phrases::status(&self.webhook.status)
    }

    fn title(&self) -> String {
        title(&self.webhook.status, self.webhook.kind.as_deref())
    }

    /// Whether it names no action at all, so that nothing is known of what it is about.
    fn is_nameless(&self) -> bool {
        let says = self.reading.says.as_ref();
        let name = says.and_then(|says| says.get("name")?.as_str()).unwrap_or_default();
        self.webhook.kind.as_deref() == Some("other") && name.is_empty()
    }

    fn is_rebill(&self) -> bool {
        self.webhook.kind.as_deref() == Some("rebill")
    }

    /// The feed that it came by; `None` where it does not say which.
    fn feed(&self) -> Option<&'static str> {
        match self.webhook.feed.as_str() {
            "outbound" => Some("the outbound API"),
            "ipn" => Some("the IPN"),
            _ => None,
        }
    }

    /// Whether an operator sent it, to try what would happen: it is never applied, whatever anybody does.
    fn is_test(&self) -> bool {
        self.webhook.feed == "test"
    }

    /// The page of a webhook.
    fn one(&self, id: &str) -> String {
        format!("{}/{}", self.list, segment(id))
    }

    /// Where something is done about this one.
    fn act(&self, act: &str) -> String {
        format!("{}/{act}", self.here)
    }

    /// Another page of the site.
    fn of_site(&self, page: &str) -> String {
        format!("{}/sites/{}/{page}", self.shell.base, segment(&self.shell.site_id))
    }

    /// The page of a person, by address or id.
    fn person(&self, key: &str) -> String {
        format!("{}/{}", self.of_site("members"), segment(key))
    }

    /// Where the product that it names is mapped.
    fn product(&self) -> String {
        let says = self.reading.says.as_ref();
        let id = says.and_then(|says| says.get("product_id")?.as_str()).unwrap_or_default();
        format!("{}{}", self.of_site("products"), query(&[("q", id)]))
    }

    /// Whether its purchase has a level to give: then something else than this webhook has brought it.
    fn gives_a_level(&self) -> bool {
        self.given.iter().any(|given| given.grant.level.is_some())
    }

    /// Whether it has never moved access, and nothing is recorded of its event either.
    fn moved_nothing(&self) -> bool {
        self.webhook.changes == 0 && self.reading.changes.is_empty()
    }

    /// Whether it has moved access under other addresses alone: what it led to is looked for only with those that it
    /// names, and with the one that its lead has now.
    fn moved_somebody_else(&self) -> bool {
        moved_unseen(&self.webhook, &self.reading) && !self.is_forgotten
    }

    /// What the feed has as the cause of what it led to.
    fn cause(&self) -> &str {
        self.reading.event.as_ref().map_or(&self.webhook.id, |event| &event.id)
    }

    /// What brought a level that its purchase gives, where this webhook did not and that is known.
    fn brought(&self, given: &Given) -> Option<&LetIn> {
        let level = given.grant.level.as_deref().filter(|_| given.grant.held)?;
        let history = self.history.iter().find(|history| history.level == level)?;
        let last = history.let_in.last().filter(|last| last.since().is_some());
        last.filter(|_| self.moved_nothing())
    }

    /// Whether that is known of anything that its purchase gives.
    fn is_brought(&self) -> bool {
        self.given.iter().any(|given| self.brought(given).is_some())
    }

    /// Whether it was not applied yet.
    fn is_on_its_way(&self) -> bool {
        matches!(self.webhook.status.as_str(), "pending" | "failed")
    }

    /// The other webhooks that tell of the same event.
    fn twins(&self) -> impl Iterator<Item = &String> {
        let told_by = self.reading.event.iter().flat_map(|event| &event.told_by);
        told_by.filter(|id| **id != self.webhook.id)
    }

    fn name<'a>(&'a self, level: &'a str) -> &'a str {
        self.levels.name(level)
    }
}

/// `GET /sites/{site}/activity/{id}`
pub async fn show(desk: Desk, path: web::Path<(String, String)>) -> Result<HttpResponse, Refused> {
    let (site, id) = path.into_inner();
    let ZonedSite { site, kartra_time_zone } =
        desk.get(&format!("/sites/{}", segment(&site))).await?;
    let api = format!("/sites/{}/webhooks/{}", segment(&site.id), segment(&id));
    let mut webhook: Webhook = desk.get(&api).await?;
    let reading: Reading = desk.get(&format!("{api}/reading")).await?;
    let Explanation { considered: given, history } = given(&desk, &site.id, &reading).await?;
    let levels = Levels::all(&desk, &site.id).await?;
    let is_forgotten =
        moved_unseen(&webhook, &reading) && has_aged_out(&desk, &site.id, &webhook).await?;
    let title = title(&webhook.status, webhook.kind.as_deref());
    let shell = desk.shell_of(&site, "activity", title);
    let list = format!("{}/sites/{}/activity", shell.base, segment(&site.id));
    let body = Body::of(webhook.body.take(), webhook.body_base64.take(), webhook.body_aged_out);
    desk.page(&WebhookPage {
        fields: reading
            .says
            .as_ref()
            .map(|says| fields(says, &kartra_time_zone))
            .unwrap_or_default(),
        here: format!("{list}/{}", segment(&webhook.id)),
        shell,
        list,
        webhook,
        reading,
        given,
        history,
        is_forgotten,
        body,
        levels,
    })
}

/// Whether a webhook has moved access, and no step of that is found.
fn moved_unseen(webhook: &Webhook, reading: &Reading) -> bool {
    webhook.changes > 0 && reading.changes.is_empty()
}

/// Whether the feed does not go back to what a webhook has led to, which was recorded after it came. A step is never
/// dated later than it was recorded.
async fn has_aged_out(desk: &Desk, site_id: &str, webhook: &Webhook) -> Result<bool, Refused> {
    #[derive(Deserialize)]
    struct Step {
        id: i64,
        at: Instant,
    }
    let path = format!("/sites/{}/changes?limit=1", segment(site_id));
    let kept: Listed<Step> = desk.get(&path).await?;
    let Some(oldest) = kept.items.first() else { return Ok(true) };
    let received_at = webhook.received_at.parse::<Instant>();
    Ok(oldest.id > FIRST_STEP && received_at.is_ok_and(|at| at < oldest.at))
}

/// What the purchase of an event gives now: a product may be mapped long after the sale, and then the mapping is what
/// led to the step.
async fn given(desk: &Desk, site_id: &str, reading: &Reading) -> Result<Explanation, Refused> {
    let purchase = reading.event.as_ref().and_then(|event| event.purchase.as_deref());
    let (Some(purchase), Some(member)) = (purchase, &reading.member) else {
        return Ok(Explanation::default());
    };
    let path = format!("/sites/{}/members/{}/explain", segment(site_id), segment(&member.id));
    let mut found: Explanation = match desk.get(&path).await {
        Ok(explanation) => explanation,
        // The person was erased a moment ago.
        Err(refused) if refused.is_not_found() => return Ok(Explanation::default()),
        Err(refused) => return Err(refused),
    };
    found.considered.retain(|one| one.grant.purchase.as_ref().is_some_and(|it| it.id == purchase));
    Ok(found)
}

/// What a webhook says, line by line; what it says nothing of is left out. A date is read in a zone.
fn fields(says: &Value, zone: &str) -> Vec<Field> {
    let one = |(label, key, from): (&'static str, &str, &'static str)| {
        let value = match says.get(key)? {
            Value::Null => return None,
            Value::String(date) if key == "date" => format!("{} ({zone})", date.replace('T', " ")),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(Field { label, value, from })
    };
    FIELDS.into_iter().filter_map(one).collect()
}
