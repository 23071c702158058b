//! The forms of the settings, as they are filled in.

use super::{Alarms, MaxRevocations, Settings};
use crate::console::guard::Fields;
use crate::console::refused::Refused;
use crate::core::alarm::Kind;
use crate::core::breaker::MaxRevocations as Limit;
use serde_json::{Map, Value, json};

/// What the API reads as a whole number, or what is wrong with what was typed.
fn whole(text: &str, pointer: &str) -> Result<Value, Refused> {
    let number = text.parse::<u32>().map(Value::from);
    number.map_err(|_| Refused::input(pointer, "Write a whole number."))
}

/// Name, time zone, and whether anything is applied.
pub struct GeneralForm {
    /// What people call the site.
    pub name: String,
    /// The time zone that Kartra's dates are read in.
    pub zone: String,
    /// Whether webhooks are applied.
    pub enabled: bool,
}

impl GeneralForm {
    /// As it is saved.
    pub fn of(settings: &Settings) -> Self {
        Self {
            name: settings.site.name.clone(),
            zone: settings.kartra_time_zone.clone(),
            enabled: settings.site.enabled,
        }
    }

    /// As it was sent.
    pub fn sent(fields: &Fields) -> Self {
        Self {
            name: fields.get("name").trim().to_owned(),
            zone: fields.get("kartra_time_zone").trim().to_owned(),
            enabled: fields.is_on("enabled"),
        }
    }

    /// What the API is sent.
    pub fn body(&self) -> Value {
        json!({ "name": self.name, "kartra_time_zone": self.zone, "enabled": self.enabled })
    }
}

/// How many members may lose a level at once.
pub struct BreakerForm {
    /// Whether there is a limit.
    pub on: bool,
    /// So many may, however few hold the level.
    pub count: String,
    /// So many of a hundred may, if that is more.
    pub percent: String,
    /// Within so many minutes.
    pub window_minutes: String,
}

impl BreakerForm {
    /// As it is saved; where there is no limit, with the usual numbers.
    pub fn of(limit: Option<&MaxRevocations>) -> Self {
        let usual = Limit::default();
        let number = |set: Option<i64>, usual: u32| set.unwrap_or(i64::from(usual)).to_string();
        Self {
            on: limit.is_some(),
            count: number(limit.map(|it| it.count), usual.count),
            percent: number(limit.map(|it| it.percent), usual.percent),
            window_minutes: number(limit.map(|it| it.window_minutes), usual.window_minutes),
        }
    }

    /// As it was sent.
    pub fn sent(fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).trim().to_owned();
        Self {
            on: fields.is_on("on"),
            count: text("count"),
            percent: text("percent"),
            window_minutes: text("window_minutes"),
        }
    }

    /// What the API is sent.
    pub fn body(&self) -> Result<Value, Refused> {
        if !self.on {
            return Ok(json!({ "max_revocations": null }));
        }
        Ok(json!({ "max_revocations": {
            "count": whole(&self.count, "/max_revocations/count")?,
            "percent": whole(&self.percent, "/max_revocations/percent")?,
            "window_minutes": whole(&self.window_minutes, "/max_revocations/window_minutes")?,
        }}))
    }
}

/// What is watched, and where alarms go.
pub struct AlarmsForm {
    /// Where alarms are posted to.
    pub url: String,
    /// What is called while all is well.
    pub heartbeat_url: String,
    /// The kinds of alarms, and from when on each is one.
    pub watched: Vec<Watched>,
}

/// A kind of alarm.
pub struct Watched {
    /// Its name in the API.
    pub kind: &'static str,
    /// What is watched, in words.
    pub label: &'static str,
    /// Whether it is.
    pub on: bool,
    /// From when on it is an alarm, where that can be set.
    pub after: Option<After>,
}

/// From when on something is an alarm.
pub struct After {
    /// The name of its field, here and in the API.
    pub field: &'static str,
    /// What it counts.
    pub label: &'static str,
    /// What is typed.
    pub value: String,
}

/// What is watched, in words.
fn label_of(kind: Kind) -> &'static str {
    match kind {
        Kind::HeldPurchases => "Somebody has paid and has nothing: no mapping names the product",
        Kind::UnmatchedWebhooks => "A refund or a cancellation names no purchase that is known",
        Kind::UnreadableWebhooks => "A webhook could not be read",
        Kind::RejectedWebhooks => {
            "An IPN came with another secret than the one set here, or with none"
        }
        Kind::Silent => "Nothing has come from Kartra for longer than usual",
        Kind::TimersLate => "Access should have ended and has not",
        Kind::BreakerOpen => "Too many were about to lose a level, and are held open",
        Kind::SubscriptionsOverdue => "A payment of a subscription has not come",
        Kind::DestinationsDown => "A destination takes nothing",
        Kind::PushesFailed => "Somebody could not be brought in line at a destination",
    }
}

/// The field that says from when on it is an alarm, and what that counts.
fn after_of(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::HeldPurchases => Some(("held_hours", "Hours after the purchase")),
        Kind::UnmatchedWebhooks => Some(("unmatched_hours", "Hours after it came")),
        Kind::TimersLate => Some(("timers_late_minutes", "Minutes after the end")),
        Kind::SubscriptionsOverdue => Some(("overdue_days", "Days after it was due")),
        _ => None,
    }
}

impl AlarmsForm {
    fn new(
        url: &str,
        heartbeat_url: &str,
        is_on: impl Fn(&str) -> bool,
        after: impl Fn(&str) -> String,
    ) -> Self {
        let watched = |kind: Kind| Watched {
            kind: kind.as_str(),
            label: label_of(kind),
            on: is_on(kind.as_str()),
            after: after_of(kind).map(|(field, label)| After { field, label, value: after(field) }),
        };
        Self {
            url: url.to_owned(),
            heartbeat_url: heartbeat_url.to_owned(),
            watched: Kind::ALL.map(watched).into_iter().collect(),
        }
    }

    /// As it is saved.
    pub fn of(alarms: &Alarms) -> Self {
        let after = |field: &str| match field {
            "held_hours" => alarms.held_hours.to_string(),
            "unmatched_hours" => alarms.unmatched_hours.to_string(),
            "timers_late_minutes" => alarms.timers_late_minutes.to_string(),
            _ => alarms.overdue_days.to_string(),
        };
        let url = alarms.url.as_deref().unwrap_or_default();
        let heartbeat_url = alarms.heartbeat_url.as_deref().unwrap_or_default();
        Self::new(url, heartbeat_url, |kind| !alarms.off.iter().any(|off| off == kind), after)
    }

    /// As it was sent.
    pub fn sent(fields: &Fields) -> Self {
        let url = fields.get("url").trim();
        let heartbeat_url = fields.get("heartbeat_url").trim();
        let is_on = |kind: &str| fields.all("watched").any(|on| on == kind);
        Self::new(url, heartbeat_url, is_on, |field| fields.get(field).trim().to_owned())
    }

    /// What the API is sent. An address that stays is not sent again, unless its receiver had said that it is gone:
    /// to set it is to have all that is open posted.
    pub fn body(&self, now: &Alarms) -> Result<Value, Refused> {
        let mut alarms = Map::new();
        let is_other = now.url.as_deref().unwrap_or_default() != self.url;
        if is_other || now.gone_at.is_some() {
            alarms.insert("url".to_owned(), some(&self.url));
        }
        alarms.insert("heartbeat_url".to_owned(), some(&self.heartbeat_url));
        let off: Vec<&str> = self.watched.iter().filter(|it| !it.on).map(|it| it.kind).collect();
        alarms.insert("off".to_owned(), json!(off));
        for after in self.watched.iter().filter_map(|it| it.after.as_ref()) {
            let number = whole(&after.value, &format!("/alarms/{}", after.field))?;
            alarms.insert(after.field.to_owned(), number);
        }
        Ok(json!({ "alarms": alarms }))
    }
}

/// A text, or null where there is none.
fn some(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
