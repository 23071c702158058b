//! Time zones to choose from.

use chrono_tz::TZ_VARIANTS;

/// The places that zones are named after; the other names are older ones for the same zones.
const PLACES: [&str; 10] = [
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
];

/// The zone that Kartra's dates are in unless an account says otherwise.
pub const USUAL: &str = "America/New_York";

/// Whether a name is that of a zone.
pub fn is_one(name: &str) -> bool {
    TZ_VARIANTS.iter().any(|zone| zone.name() == name)
}

/// The names of zones, `chosen` among them whatever it is.
pub fn names(chosen: &str) -> Vec<&str> {
    let is_place = |name: &&str| PLACES.iter().any(|place| name.starts_with(place));
    let mut names: Vec<&str> =
        TZ_VARIANTS.iter().map(|zone| zone.name()).filter(is_place).collect();
    names.push("UTC");
    if !chosen.is_empty() && !names.contains(&chosen) {
        names.push(chosen);
    }
    names
}
