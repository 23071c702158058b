//! What somebody has written about a destination that is not saved.

use super::ask::Offer;
use super::kind::{self, Kind};
use super::{Destination, Told};
use crate::console::desk::Desk;
use crate::console::guard::Fields;
use crate::console::refused::Refused;
use crate::console::rules::Level;
use crate::secrets::Sealer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The types of messages that a signed webhook can be told, with what they say.
pub const TYPES: [(&str, &str); 4] = [
    ("access.changed", "Somebody's levels have changed"),
    ("member.email_changed", "Somebody has another address"),
    ("product.discovered", "A product was sold for the first time"),
    ("alarm.raised", "Something needs you"),
];

/// A form about a destination, as it was filled in.
pub struct Draft {
    /// Its kind.
    pub kind: &'static Kind,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The user that WordPress is called as.
    pub username: String,
    /// Which free tier the holders of a label get at Ghost: `label = tier`, one a line.
    pub tiers: String,
    /// What a signed webhook is told of.
    pub types: Vec<String>,
    /// Calls in a second; empty where its kind decides.
    pub calls_per_second: String,
    /// Pushes under way at once; empty where its kind decides.
    pub concurrency: String,
    /// What is pasted and never shown again; empty where nothing was pasted.
    secret: String,
    /// A row for each level of the site.
    pub rows: Vec<Row>,
}

/// What a level is called at a destination.
pub struct Row {
    /// The level.
    pub level: Level,
    /// What it is called there; empty where the destination is not told of it.
    pub remote: String,
    /// Whether a destination that names no levels is told of it.
    pub is_told: bool,
}

impl Row {
    /// The name of its field.
    pub fn field(&self) -> String {
        format!("level.{}", self.level.id)
    }

    /// How many members hold the level, in words.
    pub fn holders(&self) -> String {
        match self.level.members {
            0 => "Nobody holds this level now.".to_owned(),
            1 => "1 member holds this level now.".to_owned(),
            number => format!("{number} members hold this level now."),
        }
    }

    /// The name of the field for a name that is not on the list.
    pub fn other_field(&self) -> String {
        format!("other.{}", self.level.id)
    }

    /// Whether what is chosen is not on offer: it stays a choice, so that nothing is lost by saving.
    pub fn is_unknown(&self, names: &[&Offer]) -> bool {
        !self.remote.is_empty() && !names.iter().any(|offer| offer.remote == self.remote)
    }
}

impl Draft {
    /// An empty form.
    pub fn new(kind: &'static Kind, levels: Vec<Level>) -> Self {
        let types = TYPES.iter().map(|(what, _)| (*what).to_owned()).collect();
        let row = |level| Row { level, remote: String::new(), is_told: false };
        let text = String::new;
        Self {
            kind,
            name: kind.name.to_owned(),
            url: text(),
            username: text(),
            tiers: text(),
            types,
            calls_per_second: text(),
            concurrency: text(),
            secret: text(),
            rows: levels.into_iter().map(row).collect(),
        }
    }

    /// A form with what is saved.
    pub fn of(destination: &Destination, levels: Vec<Level>) -> Option<Self> {
        let kind = kind::named(&destination.kind)?;
        let text = |field: &str| {
            destination.config.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let number = |number: Option<i64>| number.map(|it| it.to_string()).unwrap_or_default();
        let told = |level: &Level| destination.levels.iter().find(|told| told.level == level.id);
        let row = |level: Level| {
            let told: Option<Told> = told(&level).cloned();
            let is_told = told.is_some();
            Row { remote: told.and_then(|it| it.remote).unwrap_or_default(), is_told, level }
        };
        let mut draft = Self::new(kind, Vec::new());
        if let Some(types) = destination.config.get("types").and_then(Value::as_array) {
            let types = types.iter().filter_map(Value::as_str).map(str::to_owned);
            draft.types = types.collect();
        }
        let tiers = destination.config.get("tiers").and_then(Value::as_array);
        let line = |of: &Value| {
            Some(format!("{} = {}", of.get("remote")?.as_str()?, of.get("tier")?.as_str()?))
        };
        let tiers: Vec<String> = tiers.into_iter().flatten().filter_map(line).collect();
        Some(Self {
            name: destination.name.clone(),
            url: text("url"),
            username: text("username"),
            tiers: tiers.join("\n"),
            calls_per_second: number(destination.limits.calls_per_second),
            concurrency: number(destination.limits.concurrency),
            rows: levels.into_iter().map(row).collect(),
            ..draft
        })
    }

    /// A form as it was sent.
    pub fn sent(kind: &'static Kind, levels: Vec<Level>, fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).trim().to_owned();
        let row = |level: Level| {
            // What was written beside the list counts for more than what is chosen from it.
            let [chosen, other] = ["level", "other"].map(|at| text(&format!("{at}.{}", level.id)));
            let remote = if other.is_empty() { chosen } else { other };
            Row { is_told: !remote.is_empty(), remote, level }
        };
        Self {
            kind,
            name: text("name"),
            url: text("url"),
            username: text("username"),
            tiers: fields.get("tiers").trim().to_owned(),
            types: fields.all("types").map(str::to_owned).collect(),
            calls_per_second: text("calls_per_second"),
            concurrency: text("concurrency"),
            secret: text("secret"),
            rows: levels.into_iter().map(row).collect(),
        }
    }

    /// Whether a type of message is ticked.
    pub fn tells(&self, what: &str) -> bool {
        self.types.iter().any(|told| told == what)
    }

    /// Takes over a secret that was pasted into the form before, where none was pasted into this one.
    pub fn take_kept(&mut self, desk: &Desk, kept: &str) {
        if self.secret.is_empty() {
            self.secret = open(desk, &self.purpose(desk), kept).unwrap_or_default();
        }
    }

    /// The pasted secret, sealed for the next form of the same session: the page never holds it as it is.
    pub fn kept(&self, desk: &Desk) -> String {
        if self.secret.is_empty() {
            return String::new();
        }
        let sealed = sealer(desk).seal(&self.purpose(desk), self.secret.as_bytes());
        sealed.map(|sealed| URL_SAFE_NO_PAD.encode(sealed)).unwrap_or_default()
    }

    /// A sealed secret opens for the same kind and the same session only.
    fn purpose(&self, desk: &Desk) -> String {
        format!("form/{}/{}", desk.session().csrf(), self.kind.id)
    }

    /// Whether anything is chosen to be told.
    pub fn names_levels(&self) -> bool {
        self.rows.iter().any(|row| row.is_told)
    }

    /// What the API is sent to make it.
    pub fn body(&self) -> Result<Value, Refused> {
        Ok(json!({
            "kind": self.kind.id,
            "name": self.name,
            "config": self.config(),
            "levels": self.levels(),
            "limits": self.limits()?,
        }))
    }

    /// What the API is sent to change it: a secret that was not pasted stays.
    pub fn patch(&self) -> Result<Value, Refused> {
        let mut body = self.body()?;
        if let Some(body) = body.as_object_mut() {
            body.remove("kind");
        }
        Ok(body)
    }

    fn config(&self) -> Value {
        let mut config = Map::new();
        let mut put = |field: &str, value: Value| config.insert(field.to_owned(), value);
        put("url", json!(self.url));
        match self.kind.id {
            "wordpress" => {
                put("username", json!(self.username));
            }
            "ghost" => {
                let tiers: Vec<Value> = self.tiers.lines().filter_map(tier).collect();
                put("tiers", if tiers.is_empty() { Value::Null } else { json!(tiers) });
            }
            _ => {
                let all = self.types.len() == TYPES.len();
                put("types", if all { Value::Null } else { json!(self.types) });
            }
        }
        if !self.kind.secret.is_empty() && !self.secret.is_empty() {
            put(self.kind.secret, json!(self.secret));
        }
        Value::Object(config)
    }

    fn levels(&self) -> Vec<Value> {
        let told = self.rows.iter().filter(|row| row.is_told);
        let named = !self.kind.remote.is_empty();
        let told = told.map(|row| {
            if named {
                json!({ "level": row.level.id, "remote": row.remote })
            } else {
                json!({ "level": row.level.id })
            }
        });
        told.collect()
    }

    fn limits(&self) -> Result<Value, Refused> {
        let number = |field: &str, text: &str| match text {
            "" => Ok(Value::Null),
            text => text.parse::<u32>().map(Value::from).map_err(|_| {
                Refused::input(format!("/limits/{field}"), "must be a whole number, or nothing")
            }),
        };
        Ok(json!({
            "calls_per_second": number("calls_per_second", &self.calls_per_second)?,
            "concurrency": number("concurrency", &self.concurrency)?,
        }))
    }

    /// What is wrong with the row of a level, as the API has put it: it counts only the levels that are told.
    pub fn fault_of(&self, row: &Row, refused: Option<&Refused>) -> String {
        let told = self.rows.iter().filter(|row| row.is_told);
        let index = told.into_iter().position(|told| told.level.id == row.level.id);
        let at = |refused: &Refused| {
            let pointer = |field: &str| index.map(|index| format!("/levels/{index}/{field}"));
            let faults = ["remote", "level"].map(|field| {
                pointer(field).map(|pointer| refused.at(&pointer).to_owned()).unwrap_or_default()
            });
            faults.into_iter().find(|fault| !fault.is_empty())
        };
        refused.and_then(at).unwrap_or_default()
    }
}

/// A line `label = tier`; one that is written otherwise is sent so that the API says what is wrong with it.
fn tier(line: &str) -> Option<Value> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let (remote, tier) = line.split_once('=').unwrap_or((line, ""));
    Some(json!({ "remote": remote.trim(), "tier": tier.trim() }))
}

fn sealer(desk: &Desk) -> &Sealer {
    desk.app().sealer()
}

fn open(desk: &Desk, purpose: &str, kept: &str) -> Option<String> {
    let sealed = URL_SAFE_NO_PAD.decode(kept).ok()?;
    String::from_utf8(sealer(desk).open(purpose, &sealed).ok()?).ok()
}
