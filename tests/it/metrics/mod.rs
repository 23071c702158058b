//! `/metrics`: each number moves when the thing happens, nothing personal is in it, and it stays small.

mod convention;
mod doors;
mod moves;

use crate::support::TestApp;
use std::collections::BTreeMap;

/// Past this, what the database says is read anew.
const LOOK_EVERY: chrono::TimeDelta = chrono::TimeDelta::seconds(5);

/// What a scrape says: the value of each series by its name with its labels.
fn scraped(app: &TestApp) -> BTreeMap<String, f64> {
    let reply = app.get("/metrics");
    assert_eq!(reply.status, 200, "{reply:?}");
    series(&reply.text)
}

/// The same, with what the database says read anew.
fn scraped_anew(app: &TestApp) -> BTreeMap<String, f64> {
    app.clock.set(app.clock.now() + LOOK_EVERY);
    scraped(app)
}

fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let of = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    lines.map(of).collect()
}

/// The series is there and stands at this.
#[track_caller]
fn stands(scraped: &BTreeMap<String, f64>, series: &str, at: f64) {
    let found = scraped.get(series).copied();
    assert!(found.is_some_and(|found| (found - at).abs() < 1e-9), "{series}: {found:?}, not {at}");
}
