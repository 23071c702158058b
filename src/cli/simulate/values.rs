//! How the values of flags are read.

use std::path::PathBuf;

use crate::core::Instant;

/// A share of a whole.
pub fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1, such as 0.25".to_owned())
}

/// Messages per second.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    rate.filter(|rate| (0.001..=1_000_000.0).contains(rate))
        .ok_or_else(|| "a rate is a number of messages per second, such as 50".to_owned())
}

/// An instant, in the precision of the API.
pub fn instant(text: &str) -> Result<Instant, String> {
    let at = text
        .parse::<Instant>()
        .map_err(|error| format!("{error}; say it as 2026-01-31T00:00:00Z"))?;
    // As the API reads it.
    Instant::from_timestamp_micros(at.timestamp_micros()).ok_or_else(|| "out of range".to_owned())
}

/// A file that is no stream.
pub fn file(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        return Err("the result is what stdout is for; name a file".to_owned());
    }
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_are_checked() {
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("1.1").is_err() && share("NaN").is_err() && share("-0.1").is_err());
        assert_eq!(rate("50"), Ok(50.0));
        assert!(rate("0").is_err() && rate("inf").is_err());
    }

    #[test]
    fn an_instant_is_one_of_the_api_and_a_file_is_not_stdout() {
        let at = instant("2026-01-31T01:00:00.1234567+01:00").expect("an instant");
        assert_eq!(at.to_rfc3339(), "2026-01-31T00:00:00.123456+00:00");
        assert!(instant("yesterday").is_err());
        assert!(file("-").is_err() && file("expected.jsonl").is_ok());
    }
}
