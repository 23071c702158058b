//! The loose scalars of Kartra's payloads.
//!
//! Kartra writes numbers as numbers or as strings, and "none" as `""`, `null` or `N/A`, in ids and
//! dates also as `0` (wire.md 1.8, documented). Every reader goes through here, so that the same
//! text means the same thing in both feeds.

use chrono::{Datelike, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;

/// The longest id that is accepted, in bytes. Kartra's are numbers; an index row has to hold several.
pub const ID_BYTES_MAX: usize = 255;
/// The longest e-mail address that is accepted, in bytes (RFC 5321 allows 254 in a path).
pub const EMAIL_BYTES_MAX: usize = 320;
/// The longest name that is kept, in characters; what is longer is cut, it is only ever shown.
pub const NAME_CHARS_MAX: usize = 200;

/// The named scalars of one object, whichever feed it came from.
#[derive(Debug, Clone, Copy)]
pub enum Fields<'a> {
    /// An object of the outbound JSON.
    Json(&'a Map<String, Value>),
    /// The pairs of the IPN form; of a repeated key the last one counts, as in PHP.
    Form(&'a HashMap<String, String>),
}

/// An id that is too long to be one of Kartra's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong(pub &'static str);

impl Fields<'_> {
    /// The value as text without its surroundings; `None` where Kartra says none.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        let raw = match self {
            Self::Json(object) => scalar(object.get(key)?)?,
            Self::Form(pairs) => pairs.get(key)?.clone(),
        };
        // PostgreSQL cannot store NUL, and no name or id of Kartra's has control characters.
        let text: String = raw.chars().filter(|c| !c.is_control()).collect();
        let text = text.trim();
        if text.is_empty() || text.eq_ignore_ascii_case("n/a") {
            return None;
        }
        Some(text.to_owned())
    }

    /// An id: `0` is none as well, and `12.0` is `12`.
    ///
    /// # Errors
    /// When it is longer than [`ID_BYTES_MAX`].
    pub fn id(&self, key: &'static str) -> Result<Option<String>, TooLong> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        if text.len() > ID_BYTES_MAX {
            return Err(TooLong(key));
        }
        Ok(Some(whole_part(&text).to_owned()).filter(|id| !is_zero(id)))
    }

    /// The first of several spellings of the same id that says something.
    ///
    /// # Errors
    /// As [`Fields::id`].
    pub fn first_id(&self, keys: &[&'static str]) -> Result<Option<String>, TooLong> {
        for key in keys {
            if let Some(id) = self.id(key)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// A count, a flag or a number of days: nought is nought, not none.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<i64> {
        let text = self.text(key)?;
        whole_part(&text).parse().ok()
    }

    /// An amount of money by its absolute value.
    #[must_use]
    pub fn amount(&self, key: &str) -> Option<Amount> {
        Amount::parse(&self.text(key)?)
    }

    /// A naive date of Kartra's, `2025-03-04 09:20:03`; unset (`0000-00-00 …`) and unreadable are none.
    #[must_use]
    pub fn date(&self, key: &str) -> Option<NaiveDateTime> {
        date(&self.text(key)?.replace('T', " "))
    }

    /// An e-mail address, trimmed and in lower case; what cannot be an address is none.
    #[must_use]
    pub fn email(&self, key: &str) -> Option<String> {
        email(&self.text(key)?)
    }

    /// A name to show, cut to [`NAME_CHARS_MAX`].
    #[must_use]
    pub fn name(&self, key: &str) -> Option<String> {
        Some(self.text(key)?.chars().take(NAME_CHARS_MAX).collect())
    }
}

/// The naive date that a text spells exactly. Signed years, the year 0 and leap seconds, which the
/// calendar would take too, are no dates of Kartra's, and the last year of four digits would have
/// five in some time zone: the databases keep none of them in order.
fn date(text: &str) -> Option<NaiveDateTime> {
    const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
    let date = NaiveDateTime::parse_from_str(text, FORMAT).ok()?;
    let sound = (1..=9_998).contains(&date.year()) && date.nanosecond() == 0;
    (sound && date.format(FORMAT).to_string() == text).then_some(date)
}

/// An e-mail address as members are known by: trimmed, in lower case. `None` for what cannot be one.
#[must_use]
pub fn email(text: &str) -> Option<String> {
    let address = text.trim().to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let odd = |c: char| c.is_whitespace() || c.is_control();
    let fits = !local.is_empty()
        && !domain.is_empty()
        && address.len() <= EMAIL_BYTES_MAX
        && !address.contains(odd);
    fits.then_some(address)
}

/// Money in ten-thousandths of the currency's unit. Kartra names no currency (wire.md 1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Amount(pub i64);

impl Amount {
    const DECIMALS: usize = 4;

    /// Reads `29`, `29.00`, `-29.00` or `1,234.50`; the sign is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.trim_start_matches(['-', '+']);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = without_thousands(whole)?;
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(&whole) || !all_digits(fraction)
        {
            return None;
        }
        let fraction: String =
            fraction.chars().chain(std::iter::repeat('0')).take(Self::DECIMALS).collect();
        format!("{whole}{fraction}").parse().ok().map(Self)
    }
}

/// With a point, and two decimals at least; the inverse of [`Amount::parse`].
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % 10_000);
        let (cents, rest) = fraction.split_at(2);
        write!(f, "{}.{cents}{}", self.0 / 10_000, rest.trim_end_matches('0'))
    }
}

/// A comma is a separator of thousands only where exactly three digits follow it.
fn without_thousands(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let mut digits = groups.next()?.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `12.0` and `12.00` are how a float spells 12.
fn whole_part(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if all_digits(whole) && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn none_has_many_spellings_and_zero_is_one_only_for_ids() {
        let values = object(&json!({
            "a": "", "b": null, "c": "N/A", "d": 0, "e": "0", "f": " n/a ", "g": [], "h": 0.0
        }));
        let fields = Fields::Json(&values);
        for key in ["a", "b", "c", "d", "e", "f", "g", "h", "absent"] {
            assert_eq!(fields.id(Box::leak(key.to_owned().into_boxed_str())), Ok(None), "{key}");
        }
        assert_eq!(fields.count("d"), Some(0));
        assert_eq!(fields.count("e"), Some(0));
        assert_eq!(fields.count("c"), None);
    }

    #[test]
    fn numbers_may_come_as_strings_and_floats() {
        let values =
            object(&json!({"a": 558_001, "b": "558001", "c": 558_001.0, "d": "558001.00"}));
        let fields = Fields::Json(&values);
        for key in ["a", "b", "c", "d"] {
            let id = fields.id(Box::leak(key.to_owned().into_boxed_str()));
            assert_eq!(id, Ok(Some("558001".to_owned())), "{key}");
            assert_eq!(fields.count(key), Some(558_001), "{key}");
        }
    }

    #[test]
    fn amounts_are_exact_and_unsigned() {
        for (text, expected) in [
            ("29", Some(290_000)),
            ("29.00", Some(290_000)),
            ("-29.5", Some(295_000)),
            ("1,234.50", Some(12_345_000)),
            (".5", Some(5_000)),
            ("12,5", None),
            ("free", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(Amount::parse(text).map(|a| a.0), expected, "{text}");
        }
    }

    #[test]
    fn control_characters_never_reach_a_database() {
        let values = object(&json!({"a": "Dana\u{0}\u{1b}[31m"}));
        assert_eq!(Fields::Json(&values).text("a"), Some("Dana[31m".to_owned()));
    }

    #[test]
    fn an_unset_date_is_none() {
        let values = object(&json!({
            "unset": "0000-00-00 00:00:00", "set": "2025-03-04 09:20:03", "odd": "04 Mar 2025 09:14:51"
        }));
        let fields = Fields::Json(&values);
        assert_eq!(fields.date("unset"), None);
        assert_eq!(fields.date("odd"), None);
        assert!(fields.date("set").is_some());
    }
}
