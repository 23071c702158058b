//! Asking a place that is not saved yet: what it offers to map levels to, and whether all is well there.

use super::all_of;
use super::words::{Told, told};
use crate::console::desk::{Desk, read};
use crate::console::refused::Refused;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a destination has that levels can be told as.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Offered {
    /// Whether it could be asked.
    pub ok: bool,
    /// What was seen there.
    remotes: Vec<Offer>,
    /// Whether these are all.
    complete: bool,
    /// Whether it makes a name that it does not have yet.
    pub makes_missing: bool,
    /// Why it could not be asked, or why there may be more, in words.
    pub detail: Option<String>,
}

/// Something that a level can be told as.
#[derive(Debug, Clone, Deserialize)]
pub struct Offer {
    what: String,
    /// What the API calls it.
    pub remote: String,
    name: Option<String>,
    usable: bool,
}

impl Offered {
    /// What a level can be told as.
    pub fn names(&self) -> Vec<&Offer> {
        self.remotes.iter().filter(|offer| offer.usable && !offer.is_tier()).collect()
    }

    /// What holders of a label can get for free besides.
    pub fn tiers(&self) -> String {
        let tiers = self.remotes.iter().filter(|offer| offer.usable && offer.is_tier());
        tiers.map(Offer::label).collect::<Vec<_>>().join(", ")
    }

    /// Whether nothing else can be written down.
    pub fn is_closed(&self) -> bool {
        self.ok && self.complete && !self.makes_missing && !self.names().is_empty()
    }
}

impl Offer {
    fn is_tier(&self) -> bool {
        self.what == "tier"
    }

    /// What stands in the list.
    pub fn label(&self) -> String {
        match self.name.as_deref() {
            None | Some("") => self.remote.clone(),
            Some(name) if name == self.remote => self.remote.clone(),
            Some(name) => format!("{name} ({})", self.remote),
        }
    }
}

/// One thing that a test has looked at.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it has to be.
    pub ok: bool,
    /// What was found, in words.
    pub detail: String,
}

impl Finding {
    /// What was found, in words for an operator.
    pub fn told(&self) -> Told {
        told(&self.detail)
    }

    /// What was looked at, in words.
    pub fn subject(&self) -> &str {
        match self.what.as_str() {
            "config" => "What you filled in",
            "connection" => "Reaching it",
            "credentials" => "Signing in there",
            "rights" => "What Latchkey may do there",
            "names" => "The names of the levels there",
            "message" => "A test message",
            other => other,
        }
    }
}

/// What a test has found.
#[derive(Debug, Clone, Deserialize)]
pub struct Tested {
    /// Whether all is as it has to be.
    pub ok: bool,
    /// What was looked at.
    pub findings: Vec<Finding>,
}

/// What a place that is not saved yet has; refused where it cannot be called by what was filled in.
pub async fn unsaved(desk: &Desk, site_id: &str, body: &Value) -> Result<Offered, Refused> {
    let asked = json!({ "kind": body.get("kind"), "config": body.get("config") });
    read(desk.post(&format!("{}/remotes", all_of(site_id)), &asked).await?.body)
}

/// What a destination has, by its path in the API.
pub async fn saved(desk: &Desk, path: &str) -> Result<Offered, Refused> {
    desk.get(&format!("{path}/remotes")).await
}

/// Tests a place that is not saved yet.
pub async fn test_unsaved(desk: &Desk, site_id: &str, body: &Value) -> Result<Tested, Refused> {
    read(desk.post(&format!("{}/test", all_of(site_id)), body).await?.body)
}
