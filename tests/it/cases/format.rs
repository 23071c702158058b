//! How a case is written. `tests/cases/README.md` explains it to whoever writes one.
//!
//! A key that is not known is refused, so that a slip of the pen cannot quietly weaken a case.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One case file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is promised, in plain words; only readers need it, and none may go without.
    pub promise: String,
    /// Why the order of arrival decides here; where it is not set, the messages are told backwards too.
    pub arrival_decides: Option<String>,
    /// The site's `kartra_time_zone`; UTC where none is named, so that Kartra's dates read as they stand.
    pub time_zone: Option<String>,
    /// The site's policy from the beginning.
    pub policy: Option<Value>,
    /// The site's IPN secret from the beginning.
    pub ipn_secret: Option<String>,
    /// The mappings that stand from the beginning.
    #[serde(default)]
    pub map: Vec<Map>,
    /// What Kartra says, and when.
    #[serde(default)]
    pub kartra: Vec<Message>,
    /// What the operator does, and when.
    #[serde(default)]
    pub operator: Vec<Act>,
    /// What must be seen of a person.
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// What must be seen of a product.
    #[serde(default)]
    pub expect_product: Vec<ExpectProduct>,
    /// What must be seen of a message.
    #[serde(default)]
    pub expect_message: Vec<ExpectMessage>,
    /// What the feed must tell.
    #[serde(default)]
    pub expect_changes: Vec<ExpectChanges>,
}

/// A mapping.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Map {
    pub product: Word,
    pub price_point: Option<Word>,
    pub level: String,
    pub enabled: Option<bool>,
    pub purchased_from: Option<When>,
    pub purchased_before: Option<When>,
    pub policy: Option<Value>,
}

/// A message of Kartra's; what it leaves out is written as Kartra writes "none".
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// What the case calls it.
    pub name: Option<String>,
    /// The kind of IPN (`sale`, `rebill`, `failed`, …), or an outbound `action`.
    pub says: String,
    /// `outbound` or `ipn`; where it is not named, outbound for what Kartra tells there.
    pub feed: Option<Feed>,
    /// The outbound `action`, where it is not the usual one for what it says.
    pub action: Option<String>,
    /// The date that Kartra writes.
    pub on: Option<When>,
    /// When it is received, if that is not its date read as UTC.
    pub arrives: Option<When>,
    pub transaction: Option<Word>,
    pub product: Option<Word>,
    pub price_point: Option<Word>,
    pub subscription: Option<Word>,
    pub original: Option<Word>,
    pub parent: Option<Word>,
    pub amount: Option<Word>,
    pub trial: Option<Word>,
    pub trial_period: Option<Word>,
    pub rebill_circle: Option<Word>,
    pub installments: Option<Word>,
    pub payments_left: Option<Word>,
    pub pay_number: Option<Word>,
    pub lead: Option<Word>,
    /// The address in the transaction, and in the profile where that is not named by itself.
    pub email: Option<String>,
    /// The address in the lead's profile, which only the outbound feed carries; `""` for none.
    pub profile_email: Option<String>,
    /// The `secret_key` of an IPN.
    pub secret: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    Outbound,
    Ipn,
}

/// Something that the operator does. Exactly one of the deeds is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    pub at: When,
    #[serde(flatten)]
    pub deed: Deed,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Maps(Map),
    Unmaps(Which),
    Disables(Which),
    Enables(Which),
    SetsPolicy(Value),
    SetsTimeZone(String),
    SetsIpnSecret(String),
    Ignores(Word),
    Grants(Override),
    EndsGrant(Override),
    Blocks(Override),
    /// Lifts the youngest block of an address.
    LiftsBlockOf(String),
    Discards(String),
    Restores(String),
    Replays(String),
}

/// One of the mappings, by what it names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    pub product: Word,
    pub price_point: Option<Word>,
    pub level: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub who: String,
    pub level: Option<String>,
    pub until: Option<When>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub at: When,
    /// The instant that is asked about, where that is not now.
    pub as_of: Option<When>,
    pub who: String,
    pub holds: Vec<String>,
    /// Since when each of the levels is held; needs levels.
    pub since: Option<When>,
    /// Until when: an instant, or `"open"`.
    pub until: Option<Until>,
    /// The reasons of everything considered, in alphabetical order.
    pub why: Option<Vec<String>>,
    /// Whether every level is blocked.
    pub blocked: Option<bool>,
    /// When the answer will next change by time alone: an instant, or `"open"`.
    pub next_change: Option<Until>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectProduct {
    pub at: When,
    pub product: Word,
    /// `unmapped`, `mapped`, `ignored`, or `unknown` where there is no such product.
    pub status: String,
    pub held: Option<i64>,
    pub held_since: Option<When>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectMessage {
    pub at: When,
    pub message: String,
    pub status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectChanges {
    pub at: When,
    /// The whole feed until then, as `anna@example.com granted gold`; in one instant, by the alphabet.
    pub all: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Until {
    At(When),
    Word(Open),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    Open,
}

impl Until {
    /// The instant as the API writes it; null where none is known.
    pub fn json(&self) -> Value {
        match self {
            Self::At(when) => Value::String(when.text()),
            Self::Word(Open::Open) => Value::Null,
        }
    }
}

/// A date, which is its midnight, or a date with a time; both in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub DateTime<Utc>);

impl When {
    /// As the API writes it.
    pub fn text(self) -> String {
        self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = toml::value::Datetime::deserialize(deserializer)?.to_string();
        let day = text.parse::<NaiveDate>().map(|day| day.and_time(chrono::NaiveTime::MIN));
        let naive = day
            .or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S"))
            .or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M"));
        let naive = naive.map_err(|error| {
            serde::de::Error::custom(format!("{text}: a date, or date and time in UTC: {error}"))
        })?;
        Ok(Self(naive.and_utc()))
    }
}

/// A number or a text; Kartra writes both as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(pub String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Integer(number) => Ok(Self(number.to_string())),
            other => Err(serde::de::Error::custom(format!("{other}: a number or a text"))),
        }
    }
}
