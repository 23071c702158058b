//! The revocation breaker: of a flood of revocations, whatever led to it, what exceeds `max_revocations` is held
//! open, until an operator has looked.

mod alike;
mod decided;
mod edits;
mod floods;
mod killed;
mod listed;
mod set;
mod together;

use crate::support::{Ipn, TestApp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SITE: &str = "/api/v1/sites/default";
const HELD_OPEN: &str = "/api/v1/sites/default/held-open";

fn email(number: u32) -> String {
    format!("buyer-{number:03}@x.example")
}

/// An event of a member's order, whose sale has the member's number and was on the first of December.
fn event(kind: &str, number: u32) -> Ipn {
    let (id, date) = match kind {
        "sale" => (number, "2025-12-01 09:00:00"),
        _ => (number + 10_000, "2025-12-20 09:00:00"),
    };
    Ipn::new(kind, id).of(&email(number)).with("original_id", number).on(date)
}

/// Hears of something from some members at once; nothing is applied yet.
fn hear(app: &TestApp, kind: &str, members: impl IntoIterator<Item = u32>) {
    let bodies = members.into_iter().map(|number| event(kind, number).body());
    app.post_raw_at_once(&app.hook(), bodies.collect());
}

/// Lets so many lose a level, whatever their share, within an hour.
fn limit(app: &TestApp, count: u32) {
    let limit = json!({ "count": count, "percent": 0, "window_minutes": 60 });
    let set = app.patch(SITE, &json!({ "max_revocations": limit }));
    assert_eq!((set.status, &set.json["max_revocations"]), (200, &limit), "{set:?}");
}

/// So many have bought gold; answers its mapping.
fn members(app: &TestApp, count: u32) -> Value {
    app.level("gold");
    let mapping = app.map(&json!({ "product_id": "501", "level": "gold" }));
    hear(app, "sale", 1..=count);
    app.drain();
    assert_eq!(holders(app).len(), count as usize);
    mapping
}

/// Every item of a list of the default site.
fn all(app: &TestApp, path: &str) -> Vec<Value> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}{mark}limit=500{cursor}"));
        assert_eq!(page.status, 200, "{page:?}");
        items.extend(page.json["items"].as_array().expect("items").iter().cloned());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn held_open(app: &TestApp) -> Vec<Value> {
    all(app, HELD_OPEN)
}

fn emails(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["email"].as_str().expect("an address").to_owned()).collect()
}

/// Who is recorded to hold gold.
fn holders(app: &TestApp) -> BTreeSet<String> {
    let found = emails(&all(app, &format!("{SITE}/members?level=gold")));
    let counted = app.get(&format!("{SITE}/levels/gold")).json["members"].clone();
    assert_eq!(counted, json!(found.len()), "the number that is kept is that of the members");
    found
}

/// What was recorded of one sort.
fn changes(app: &TestApp, what: &str) -> Vec<Value> {
    let all = all(app, &format!("{SITE}/changes"));
    all.into_iter().filter(|change| change["what"] == what).collect()
}

/// Decides about all that is held open, and waits until it is done.
fn decide_all(app: &TestApp, decision: &str, count: usize) {
    let decided = app.post(&format!("{HELD_OPEN}/{decision}"), &json!({}));
    assert_eq!(decided.status, 200, "{decided:?}");
    let recompute = &decided.json["recompute"];
    assert_eq!((&recompute["members"], &recompute["done"]), (&json!(count), &json!(count)));
}

/// Why a member holds gold, or does not: the reasons of the grants that give it, and of the others.
fn reasons(app: &TestApp, email: &str) -> (Vec<Value>, Vec<Value>) {
    let considered = app.access_of(email)["considered"].as_array().expect("grants").clone();
    let (held, not): (Vec<Value>, Vec<Value>) =
        considered.into_iter().partition(|c| c["held"] == true);
    let words = |all: Vec<Value>| all.into_iter().map(|c| c["reason"].clone()).collect();
    (words(held), words(not))
}
