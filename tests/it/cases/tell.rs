//! Tells a case to three sites: as it happened, with every message sent twice and those of a moment applied together, and
//! backwards.

use super::format::{Case, Expect, ExpectChanges, ExpectMessage, ExpectProduct};
use super::site::Site;
use super::wire;
use super::words::When;
use crate::support::{Database, TestApp, names};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Reads the case of a name, tells it, and holds what is seen against what must be seen.
pub fn case(name: &str, database: Database) {
    let path = format!("tests/cases/{name}.toml");
    let text = std::fs::read_to_string(&path).expect("the case file");
    let case = Case::read(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(case.promise.ends_with('.'), "{path}: a promise is a sentence");
    assert!(checks(&case) > 0, "{path}: a case that expects nothing promises nothing");
    let app = TestApp::start(database);
    tell(&app, &case);
    app.is_as_the_events_say();
}

fn checks(case: &Case) -> usize {
    case.expect.len()
        + case.expect_product.len()
        + case.expect_message.len()
        + case.expect_changes.len()
}

fn tell(app: &TestApp, case: &Case) {
    let mut told = Site::open(app, "told", case);
    let mut doubled = Site::open(app, "doubled", case);
    let moments = moments(case);
    for at in &moments {
        app.at(*at);
        let arrives = |(_, message): &(usize, &_)| received_at(message) == *at;
        for (number, message) in case.kartra.iter().enumerate().filter(arrives) {
            told.receives(number, &wire::body(message));
            app.drain();
        }
        // What this one is sent at a time is applied together.
        for (number, message) in case.kartra.iter().enumerate().filter(arrives) {
            let body = wire::body(message);
            doubled.receives(number, &body);
            doubled.receives(number, &body);
        }
        app.drain();
        for site in [&told, &doubled] {
            for act in case.operator.iter().filter(|act| act.at.0 == *at) {
                site.does(case, &act.deed);
            }
            look(site, case, *at);
        }
    }
    app.at(*moments.last().expect("a moment") + TimeDelta::days(1));
    let expected = final_answers(&told, case, &moments);
    assert_eq!(final_answers(&doubled, case, &moments), expected, "with every message sent twice");
    if case.arrival_decides.is_none() {
        let backwards = tell_backwards(app, case);
        let found = final_answers(&backwards, case, &moments);
        assert_eq!(found, expected, "with the messages received in reversed order");
    }
}

/// Everything arrives at once, the last message first; then the operator does everything.
fn tell_backwards<'a>(app: &'a TestApp, case: &Case) -> Site<'a> {
    let mut site = Site::open(app, "backwards", case);
    for (number, message) in case.kartra.iter().enumerate().rev() {
        site.receives(number, &wire::body(message));
        app.drain();
    }
    case.operator.iter().for_each(|act| site.does(case, &act.deed));
    site
}

fn received_at(message: &super::format::Message) -> DateTime<Utc> {
    message.arrives.or(message.on).expect("a message has `on` or `arrives`").0
}

/// Every instant at which something happens or is asked, in order.
fn moments(case: &Case) -> Vec<DateTime<Utc>> {
    let messages = case.kartra.iter().map(received_at);
    let acts = case.operator.iter().map(|act| act.at);
    let asked = case.expect.iter().map(|expect| expect.at);
    let products = case.expect_product.iter().map(|expect| expect.at);
    let statuses = case.expect_message.iter().map(|expect| expect.at);
    let feeds = case.expect_changes.iter().map(|expect| expect.at);
    let others = acts.chain(asked).chain(products).chain(statuses).chain(feeds);
    let all: BTreeSet<_> = messages.chain(others.map(|when| when.0)).collect();
    all.into_iter().collect()
}

fn look(site: &Site<'_>, case: &Case, at: DateTime<Utc>) {
    case.expect.iter().filter(|e| e.at.0 == at).for_each(|e| person(site, e));
    case.expect_product.iter().filter(|e| e.at.0 == at).for_each(|e| product(site, e));
    for expect in case.expect_message.iter().filter(|e| e.at.0 == at) {
        let ExpectMessage { at, message, status } = expect;
        let found = site.status_of(case, message);
        assert_eq!(found, status.as_str(), "{}: {message} at {}", site.id, at.text());
    }
    case.expect_changes.iter().filter(|e| e.at.0 == at).for_each(|e| feed(site, e));
}

fn person(site: &Site<'_>, expect: &Expect) {
    let found = site.access(expect.who(), expect.as_of.map(|when| when.0));
    let asked = expect.as_of.unwrap_or(expect.at).text();
    let context = format!("{}: {} at {asked}: {found:#}", site.id, expect.who());
    assert_eq!(names(&found), expect.holds, "levels of {context}");
    for held in found["levels"].as_array().expect("levels") {
        if let Some(since) = expect.since {
            assert_eq!(held["since"], since.text(), "since, {context}");
        }
        if let Some(until) = &expect.until {
            assert_eq!(held["until"], until.json(), "until, {context}");
        }
    }
    let asks_of_levels = expect.since.is_some() || expect.until.is_some();
    assert!(!asks_of_levels || !expect.holds.is_empty(), "since and until need a level");
    if let Some(why) = &expect.why {
        let considered = found["considered"].as_array().expect("considered");
        let mut reasons: Vec<&str> =
            considered.iter().filter_map(|grant| grant["reason"].as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(&reasons, why, "reasons, {context}");
    }
    if let Some(blocked) = expect.blocked {
        assert_eq!(found["blocked"], blocked, "blocked, {context}");
    }
    if let Some(next) = &expect.next_change {
        assert_eq!(found["next_change_at"], next.json(), "next change, {context}");
    }
}

fn product(site: &Site<'_>, expect: &ExpectProduct) {
    let found = site.product(&expect.product.0);
    let Some(found) = found else {
        assert_eq!(expect.status, "unknown", "{}: product {}", site.id, expect.product.0);
        return;
    };
    assert_eq!(found["status"], expect.status.as_str(), "{}: {found:#}", site.id);
    if let Some(held) = expect.held {
        assert_eq!(found["held"], held, "{}: {found:#}", site.id);
    }
    if let Some(since) = expect.held_since {
        assert_eq!(found["oldest_held_at"], since.text(), "{}: {found:#}", site.id);
    }
}

fn feed(site: &Site<'_>, expect: &ExpectChanges) {
    let mut found: Vec<(String, String)> = site
        .list("changes?limit=500")
        .iter()
        .map(|change| {
            let word = |key: &str| change[key].as_str().expect("a word").to_owned();
            (word("at"), format!("{} {} {}", word("email"), word("what"), word("level")))
        })
        .collect();
    // The steps of one instant have no order that anybody promises.
    assert!(found.is_sorted_by_key(|(at, _)| at.clone()), "oldest first: {found:?}");
    found.sort();
    let found: Vec<String> = found.into_iter().map(|(_, step)| step).collect();
    assert_eq!(found, expect.all, "{}: the feed at {}", site.id, expect.at.text());
}

/// What a site says in the end of everybody, at every instant of the case.
fn final_answers(site: &Site<'_>, case: &Case, moments: &[DateTime<Utc>]) -> Vec<Value> {
    let as_of = case.expect.iter().filter_map(|expect| expect.as_of);
    let instants: BTreeSet<_> = moments.iter().copied().chain(as_of.map(|When(at)| at)).collect();
    let people: BTreeSet<&str> = case.expect.iter().map(Expect::who).collect();
    let mut answers = Vec::new();
    for who in people {
        for at in &instants {
            answers.push(gist(who, &site.access(who, Some(*at))));
        }
    }
    answers
}

/// An answer without what differs from site to site: ids of our own making, and versions.
fn gist(who: &str, access: &Value) -> Value {
    let levels = access["levels"].as_array().expect("levels").iter();
    let levels = levels.map(|held| json!([held["level"], held["since"], held["until"]]));
    let considered = access["considered"].as_array().expect("considered").iter().map(|grant| {
        let event = ["kind", "transaction_id", "occurred_at"].map(|key| &grant["event"][key]);
        json!([
            grant["level"],
            grant["held"],
            grant["reason"],
            grant["purchase"],
            event,
            grant["changes_at"]
        ])
    });
    let mut considered: Vec<Value> = considered.collect();
    considered.sort_by_key(Value::to_string);
    json!({
        "who": who, "at": access["at"], "blocked": access["blocked"], "levels": levels.collect::<Vec<_>>(),
        "considered": considered, "next_change_at": access["next_change_at"],
    })
}
