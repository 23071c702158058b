//! The values that a case is written with: instants, and what may be a number or a text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An instant, or `"open"` where none is known.
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
