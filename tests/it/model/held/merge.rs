//! From webhooks to events: which observations are one event, and what that event says.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::super::story::{Kind, Message, Sent, Story};

/// What is known of one event after all its observations.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: Kind,
    /// `None` only for kind `other`.
    pub transaction_id: Option<String>,
    pub product_id: Option<String>,
    pub price_point: Option<String>,
    pub subscription: Option<String>,
    pub original: Option<String>,
    pub parent: Option<String>,
    /// The date as told, which may lie in the future of the receipt.
    pub date: DateTime<Utc>,
    pub occurred_at: DateTime<Utc>,
    /// In cents, never negative.
    pub amount: i64,
    pub pay_number: Option<i64>,
    pub trial: Option<i64>,
    pub trial_period: Option<i64>,
    pub rebill_circle: Option<i64>,
    pub installments: Option<i64>,
    pub payments_left: Option<i64>,
    /// Kartra's lead id or `email:<address>`; none when the event names nobody.
    pub lead: Option<String>,
    pub has_lead_id: bool,
    pub profile_email: Option<String>,
    pub transaction_email: Option<String>,
    /// The hash of the body that the person was taken from.
    pub person_hash: [u8; 32],
}

impl Event {
    /// The trial's days, when this is a sale that begins a trial.
    pub fn trial_days(&self) -> Option<i64> {
        let trialing = self.kind == Kind::Sale && self.trial == Some(1);
        self.trial_period.filter(|days| trialing && *days >= 1)
    }

    /// Where the event stands inside a purchase.
    pub fn fold_order(&self) -> (DateTime<Utc>, IdOrder, Kind) {
        (self.date, id_order(self.transaction_id.as_deref()), self.kind)
    }

    /// Where the event stands in a lead's life: the greatest is the latest, and of equals the lowest hash.
    pub fn life_order(&self) -> (DateTime<Utc>, IdOrder, Reverse<[u8; 32]>) {
        (self.occurred_at, id_order(self.transaction_id.as_deref()), Reverse(self.person_hash))
    }
}

/// Sorts no id first, numeric ids by number, all others after them as text.
pub type IdOrder = (u8, usize, String);

/// The place of a transaction id among others.
pub fn id_order(id: Option<&str>) -> IdOrder {
    let Some(id) = id else { return (0, 0, String::new()) };
    if id.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = id.trim_start_matches('0');
        return (1, digits.len(), digits.to_owned());
    }
    (2, 0, id.to_owned())
}

/// An address as members are told apart by it.
pub fn normalised(email: &str) -> String {
    email.trim().to_lowercase()
}

/// All events of the story, in no order that matters.
pub fn events(story: &Story) -> Vec<Event> {
    let mut others = Vec::new();
    let mut money: BTreeMap<(Kind, &str), Vec<&Sent>> = BTreeMap::new();
    for sent in story.sent.iter().filter(|sent| !sent.discarded) {
        if sent.message.kind == Kind::Other {
            others.push(merged(story.time_zone, &[sent]));
        } else if let Some(id) = readable_id(&sent.message) {
            money.entry((sent.message.kind, id)).or_default().push(sent);
        }
    }
    others.extend(money.into_values().map(|observations| merged(story.time_zone, &observations)));
    others
}

/// The transaction id of a money event that says enough to be one.
fn readable_id(message: &Message) -> Option<&str> {
    let person = message.lead_id.is_some()
        || message.profile_email.is_some()
        || message.transaction_email.is_some();
    message.transaction_id.as_deref().filter(|_| person && message.product_id.is_some())
}

fn merged(zone: Tz, observations: &[&Sent]) -> Event {
    let mut ranked: Vec<(&Sent, [u8; 32])> =
        observations.iter().map(|sent| (*sent, Sha256::digest(&sent.body).into())).collect();
    ranked.sort_by_key(|(sent, hash)| (sent.vouched, *hash));
    let receipt = observations
        .iter()
        .map(|sent| sent.received_at)
        .min()
        .expect("an event has an observation");
    let (first, person_hash) =
        ranked.iter().find(|(sent, _)| has_person(&sent.message)).unwrap_or(&ranked[0]);
    let person = &first.message;
    let kind = person.kind;
    let told = pick(&ranked, |message| message.date).filter(|_| kind != Kind::Other);
    let date = told.map_or(receipt, |naive| instant(zone, naive));
    let profile_email = person.profile_email.as_deref().map(normalised);
    let transaction_email = person.transaction_email.as_deref().map(normalised);
    let address = transaction_email.clone().or_else(|| profile_email.clone());
    Event {
        kind,
        transaction_id: person.transaction_id.clone().filter(|_| kind != Kind::Other),
        product_id: pick(&ranked, |message| message.product_id.clone()),
        price_point: pick(&ranked, |message| message.price_point.clone()),
        subscription: pick(&ranked, |message| message.subscription_id.clone()),
        original: pick(&ranked, |message| message.original_id.clone()),
        parent: pick(&ranked, |message| message.parent_id.clone()),
        date,
        occurred_at: date.min(receipt),
        amount: pick(&ranked, |message| message.amount).unwrap_or(0).abs(),
        pay_number: pick(&ranked, |message| message.pay_number),
        trial: pick(&ranked, |message| message.trial),
        trial_period: pick(&ranked, |message| message.trial_period),
        rebill_circle: pick(&ranked, |message| message.rebill_circle),
        installments: pick(&ranked, |message| message.installments),
        payments_left: pick(&ranked, |message| message.payments_left),
        lead: person.lead_id.clone().or_else(|| address.map(|address| format!("email:{address}"))),
        has_lead_id: person.lead_id.is_some(),
        profile_email,
        transaction_email,
        person_hash: *person_hash,
    }
}

fn has_person(message: &Message) -> bool {
    message.lead_id.is_some()
        || message.profile_email.is_some()
        || message.transaction_email.is_some()
}

/// The field as the best observation that says something there has it.
fn pick<T>(ranked: &[(&Sent, [u8; 32])], field: impl Fn(&Message) -> Option<T>) -> Option<T> {
    ranked.iter().find_map(|(sent, _)| field(&sent.message))
}

/// The instant that a clock of the zone showed this time: the earlier of two, and the jump itself for a skipped time.
pub fn instant(zone: Tz, naive: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(only) => only.to_utc(),
        LocalResult::Ambiguous(one, other) => one.to_utc().min(other.to_utc()),
        LocalResult::None => jump(zone, naive),
    }
}

/// The first second at which the zone's clock is past the skipped time.
fn jump(zone: Tz, skipped: NaiveDateTime) -> DateTime<Utc> {
    let centre = skipped.and_utc().timestamp();
    let (mut before, mut after) = (centre - 93_600, centre + 93_600);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if shown(zone, middle) > skipped {
            after = middle;
        } else {
            before = middle;
        }
    }
    DateTime::UNIX_EPOCH + Duration::seconds(after)
}

fn shown(zone: Tz, second: i64) -> NaiveDateTime {
    (DateTime::UNIX_EPOCH + Duration::seconds(second)).with_timezone(&zone).naive_local()
}
