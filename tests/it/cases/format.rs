//! How a case is written. `tests/cases/README.md` explains it to whoever writes one.
//!
//! A key that is not known is refused, so that a slip of the pen cannot quietly weaken a case.

use super::words::{Until, When, Word};
use serde::Deserialize;
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
    /// What every message says that does not say otherwise.
    #[serde(default)]
    pub every_message: EveryMessage,
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

/// What most messages of a case have in common.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct EveryMessage {
    pub feed: Option<Feed>,
    pub product: Option<Word>,
    pub price_point: Option<Word>,
    pub subscription: Option<Word>,
    pub lead: Option<Word>,
    pub email: Option<String>,
    pub secret: Option<String>,
}

impl Case {
    /// Reads a case, with what every message says written into each.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        let mut case: Self = toml::from_str(text)?;
        let every = &case.every_message;
        for message in &mut case.kartra {
            message.feed = message.feed.or(every.feed);
            fill(&mut message.product, every.product.as_ref());
            fill(&mut message.price_point, every.price_point.as_ref());
            fill(&mut message.subscription, every.subscription.as_ref());
            fill(&mut message.lead, every.lead.as_ref());
            fill(&mut message.email, every.email.as_ref());
            fill(&mut message.secret, every.secret.as_ref());
        }
        for expect in &mut case.expect {
            fill(&mut expect.who, every.email.as_ref());
        }
        Ok(case)
    }
}

fn fill<T: Clone>(field: &mut Option<T>, usual: Option<&T>) {
    if field.is_none() {
        *field = usual.cloned();
    }
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
    /// The lead id in the profile, where it is not the transaction's.
    pub profile_lead: Option<Word>,
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

impl Expect {
    /// The address that is asked about.
    pub fn who(&self) -> &str {
        self.who.as_deref().expect("`who`, or an address of every message")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub at: When,
    /// The instant that is asked about, where that is not now.
    pub as_of: Option<When>,
    /// The address that is asked about; that of every message where none is named.
    pub who: Option<String>,
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
