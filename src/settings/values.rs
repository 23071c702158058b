//! Readers of single values that are more than a text or a number. Their errors say what is expected and never repeat
//! what was given.

use std::net::SocketAddr;

use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};

use super::{LogFormat, LogLevel, Upgrades};

pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| {
        D::Error::custom("an IP address and a port are expected, like 127.0.0.1:8080 or [::1]:8080")
    })
}

pub(super) fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

pub(super) fn cidr_list<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<IpNet>, D::Error> {
    let entries = Vec::<String>::deserialize(deserializer)?;
    let ranges = entries.iter().zip(1..).map(|(entry, position)| {
        entry.parse::<IpNet>().map(|range| range.trunc()).map_err(|_| {
            D::Error::custom(format!(
                "entry {position} is no CIDR range; write it like 10.0.0.0/8 or fd00::/8, one address as 192.0.2.7/32"
            ))
        })
    });
    ranges.collect()
}

/// The longest lease, a day: PostgreSQL counts it in milliseconds and takes no more than 24 days.
const LEASE_SECONDS_MAX: u32 = 86_400;

pub(super) fn lease_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(deserializer)?;
    if seconds > LEASE_SECONDS_MAX {
        let expected = format!("at most {LEASE_SECONDS_MAX} seconds are expected, which is a day");
        return Err(D::Error::custom(expected));
    }
    Ok(seconds)
}

/// The URL as it is put before a path: without a slash at its end.
pub(super) fn public_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let expected = "a URL is expected, http or https, without user, query and fragment, like https://latchkey.example.com";
    let url =
        Url::parse(&String::deserialize(deserializer)?).map_err(|_| D::Error::custom(expected))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !bare {
        return Err(D::Error::custom(expected));
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

pub(super) fn database_url<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SecretString, D::Error> {
    let url = String::deserialize(deserializer)?;
    let known = ["sqlite://", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
        return Err(D::Error::custom(
            "sqlite://path or postgres://user:password@host:port/database is expected",
        ));
    }
    Ok(SecretString::from(url))
}

pub(super) fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "error" => Ok(LogLevel::Error),
        "warn" => Ok(LogLevel::Warn),
        "info" => Ok(LogLevel::Info),
        "debug" => Ok(LogLevel::Debug),
        "trace" => Ok(LogLevel::Trace),
        _ => Err(D::Error::custom("one of error, warn, info, debug, trace is expected")),
    }
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<LogFormat>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "pretty" => Ok(Some(LogFormat::Pretty)),
        "json" => Ok(Some(LogFormat::Json)),
        _ => Err(D::Error::custom("pretty or json is expected")),
    }
}

pub(super) fn upgrades<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Upgrades, D::Error> {
    match &*String::deserialize(deserializer)? {
        "ask" => Ok(Upgrades::Ask),
        "apply" => Ok(Upgrades::Apply),
        _ => Err(D::Error::custom("ask or apply is expected")),
    }
}
