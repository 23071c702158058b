//! What happened to a person, thing by thing, in words.

use super::bought::Products;
use super::person::last_day;
use crate::console::activity;
use crate::console::desk::segment;
use crate::console::destinations::words;
use crate::console::phrases;
use crate::console::rules::Levels;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One thing of a time line, as the API says it.
#[derive(Deserialize)]
pub struct Item {
    pub at: String,
    pub id: String,
    webhook: Option<Webhook>,
    pub event: Option<Event>,
    #[serde(rename = "override")]
    made: Option<Step>,
    pub change: Option<Change>,
    push: Option<Push>,
}

impl Item {
    /// The product that an event is about.
    pub fn product_id(&self) -> Option<&str> {
        self.event.as_ref()?.product_id.as_deref()
    }

    /// Whether a rebill is told of.
    pub fn is_rebill(&self) -> bool {
        let by_webhook = self.webhook.as_ref().and_then(|webhook| webhook.kind.as_deref());
        let by_event = self.event.as_ref().map(|event| event.kind.as_str());
        by_event.or(by_webhook) == Some("rebill")
    }
}

#[derive(Deserialize)]
struct Webhook {
    feed: String,
    status: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
pub struct Event {
    pub kind: String,
    transaction_id: Option<String>,
    product_id: Option<String>,
}

#[derive(Deserialize)]
struct Step {
    what: String,
    #[serde(rename = "step")]
    end: String,
    level: Option<String>,
    until: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
pub struct Change {
    pub level: String,
    pub what: String,
    until: Option<String>,
    cause: Cause,
    reason: String,
}

#[derive(Deserialize)]
struct Cause {
    kind: String,
}

#[derive(Deserialize)]
struct Push {
    destination: String,
    status: String,
    last_error: Option<String>,
}

/// One thing in words.
pub struct Told {
    pub at: String,
    /// `good`, `bad`, `warn`, `info`, or empty.
    pub tone: &'static str,
    /// What happened.
    pub what: String,
    /// More about it; empty where there is none.
    pub more: String,
    /// An end that belongs to it.
    pub until: Option<String>,
    /// The last day of that, where it ends as a day does; empty where it does not.
    pub last_day: String,
    /// Where there is more to see; empty where there is not.
    pub href: String,
}

/// What things are called.
pub struct Known<'a> {
    pub levels: &'a Levels,
    pub products: &'a Products,
    /// Destinations by their id.
    pub doors: &'a BTreeMap<&'a str, &'a str>,
}

/// Puts a thing into words; `of_site` is the path of the site's pages.
pub fn told(item: &Item, of_site: &str, known: &Known<'_>) -> Told {
    let Known { levels, products, doors } = known;
    let bare = Told {
        at: item.at.clone(),
        tone: "",
        what: String::new(),
        more: String::new(),
        until: None,
        last_day: String::new(),
        href: String::new(),
    };
    if let Some(webhook) = &item.webhook {
        return of_webhook(webhook, format!("{of_site}/activity/{}", segment(&item.id)), bare);
    }
    if let Some(event) = &item.event {
        return of_event(event, products, bare);
    }
    if let Some(step) = &item.made {
        return of_step(step, levels, bare);
    }
    if let Some(change) = &item.change {
        return of_change(change, levels, bare);
    }
    if let Some(push) = &item.push {
        return of_push(push, of_site, doors, bare);
    }
    bare
}

fn of_webhook(webhook: &Webhook, href: String, bare: Told) -> Told {
    let title = activity::title(&webhook.status, webhook.kind.as_deref());
    let feed = match webhook.feed.as_str() {
        "ipn" => "by IPN",
        "outbound" => "by the outbound API",
        _ => "by a webhook",
    };
    let status = phrases::status(&webhook.status);
    let (what, more) = match webhook.status.as_str() {
        // Nobody knows whether Kartra told it.
        "rejected" => (title, "its secret key does not match, so it changes nothing"),
        _ => (format!("Kartra told {feed}: {title}"), status.map_or("", |status| status.label)),
    };
    Told {
        tone: match status.map_or("", |status| status.tone) {
            tone @ ("warn" | "bad") => tone,
            _ => "",
        },
        what,
        more: more.to_owned(),
        href,
        ..bare
    }
}

fn of_event(event: &Event, products: &Products, bare: Told) -> Told {
    let product = event.product_id.as_ref().map(|id| products.called(id));
    let transaction = event.transaction_id.as_ref().map(|id| format!("transaction {id}"));
    let more: Vec<String> = product.into_iter().chain(transaction).collect();
    let what = match event.kind.as_str() {
        "other" => "Something that is not about money".to_owned(),
        kind => phrases::kind(kind).to_owned(),
    };
    Told { tone: tone_of(&event.kind), what, more: more.join(", "), ..bare }
}

/// How a kind of event is shown.
pub fn tone_of(kind: &str) -> &'static str {
    match kind {
        "sale" | "rebill" => "info",
        "payment_failed" | "partial_refund" | "cancellation" => "warn",
        "refund" | "chargeback" => "bad",
        _ => "",
    }
}

fn of_step(step: &Step, levels: &Levels, bare: Told) -> Told {
    let level = step.level.as_deref().map_or("Every level", |level| levels.name(level));
    let (what, tone) = match (step.what.as_str(), step.end.as_str()) {
        ("grant", "began") => (format!("{level} was given by hand"), "good"),
        ("grant", _) => (format!("{level} is given by hand no longer"), ""),
        ("block", "began") => (format!("{level} was blocked by hand"), "bad"),
        ("block", _) => (format!("{level} is blocked no longer"), ""),
        ("lift", _) => ("What chargebacks had blocked was lifted".to_owned(), "good"),
        ("held_open", "began") => (
            format!(
                "{level} was kept by the limit (held open): too many were to go, so you decide"
            ),
            "warn",
        ),
        ("held_open", _) => (format!("It was decided about {level}, which had been held open"), ""),
        (what, step) => (format!("{level}: {what} {step}"), ""),
    };
    let until = step.until.clone().filter(|_| step.end == "began");
    let last_day = until.as_deref().and_then(last_day).unwrap_or_default();
    Told { tone, what, until, last_day, more: step.note.clone().unwrap_or_default(), ..bare }
}

fn of_change(change: &Change, levels: &Levels, bare: Told) -> Told {
    let level = levels.name(&change.level);
    let (what, tone) = match change.what.as_str() {
        "granted" => (format!("{level} was granted"), "good"),
        "revoked" => (format!("{level} was revoked"), "bad"),
        _ => (format!("{level} ends at another time"), "warn"),
    };
    let cause = phrases::cause(&change.cause.kind);
    let more = match (phrases::reason(&change.reason), cause) {
        (reason, "") => reason.to_owned(),
        (reason, cause) => format!("{reason}; {cause}"),
    };
    // What was decided by hand ends as a day does.
    let by_hand = change.until.as_deref().filter(|_| change.cause.kind == "override");
    let last_day = by_hand.and_then(last_day).unwrap_or_default();
    Told { tone, what, more, until: change.until.clone(), last_day, ..bare }
}

fn of_push(push: &Push, of_site: &str, doors: &BTreeMap<&str, &str>, bare: Told) -> Told {
    let door = doors.get(&*push.destination).copied();
    let name = door.unwrap_or("A destination that was deleted");
    let (what, tone) = match push.status.as_str() {
        "done" => (format!("{name} has confirmed it"), "good"),
        "failed" => (format!("{name} has not been told: giving up"), "bad"),
        "retrying" => (format!("{name} has not been told yet: trying again"), "warn"),
        _ => (format!("{name} is about to be told"), "info"),
    };
    let id = segment(&push.destination);
    let href = door.map(|_| format!("{of_site}/destinations/{id}")).unwrap_or_default();
    Told {
        tone,
        what,
        more: push.last_error.as_deref().map(|error| words::told(error).said).unwrap_or_default(),
        href,
        ..bare
    }
}
