//! The same story told to a site where everything is held open, and to one without a breaker: what is held open
//! left aside, they say the same, and once all of it is released they hold the same until the same ends.

use crate::flow_agrees::{open_site, play};
use crate::model::{emails, random_story};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many stories each database is told.
const STORIES: u64 = 16;

on_both_databases! {
    fn without_what_is_held_open_a_site_says_what_one_without_a_breaker_records(app: &TestApp) {
        let mut parked = 0;
        for seed in 0..STORIES {
            parked += tell(app, seed);
        }
        assert!(parked > 10, "hardly anything was held open: {parked}");
    }
}

/// Tells one story twice; answers how many levels of members were held open in the end.
fn tell(app: &TestApp, seed: u64) -> usize {
    let mut story = random_story(seed);
    // Overrides are made by people at the time of their making.
    story.overrides.clear();
    let (strict, free) = (format!("strict-{seed}"), format!("free-{seed}"));
    for (site, limit) in [(&strict, json!({ "count": 0, "percent": 0 })), (&free, json!(null))] {
        open_site(app, &story, site);
        let set = app.patch(&format!("/api/v1/sites/{site}"), &json!({ "max_revocations": limit }));
        assert_eq!(set.status, 200, "{set:?}");
        play(app, &story, site);
    }
    app.at(instant("2030-01-01T00:00:00Z"));
    let path = format!("/api/v1/sites/{strict}/held-open");
    let parked = app.get(&format!("{path}?limit=500")).json["items"].as_array().map_or(0, Vec::len);
    let addresses = emails(&story);
    for email in &addresses {
        let (by_others, free) =
            (given_by_others(&access(app, &strict, email)), access(app, &free, email));
        let held: BTreeSet<String> = crate::support::names(&free).into_iter().collect();
        assert_eq!(by_others, held, "seed {seed}, {email}: {free:#}");
    }
    let decided = app.post(&format!("{path}/release"), &json!({}));
    assert_eq!(decided.status, 200, "{decided:?}");
    for email in &addresses {
        let (strict, free) = (access(app, &strict, email), access(app, &free, email));
        assert_eq!(bounds(&strict), bounds(&free), "seed {seed}, {email}: {strict:#}");
        assert_eq!(strict["next_change_at"], free["next_change_at"], "seed {seed}, {email}");
    }
    parked
}

fn access(app: &TestApp, site: &str, email: &str) -> Value {
    let found = app.get(&format!("/api/v1/sites/{site}/members/{email}/access"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

/// The levels that something else gives than what is held open.
fn given_by_others(access: &Value) -> BTreeSet<String> {
    let considered = access["considered"].as_array().expect("grants").iter();
    let given = considered.filter(|c| c["held"] == true && c["reason"] != "held_open");
    given.filter_map(|c| Some(c["level"].as_str()?.to_owned())).collect()
}

/// Each level with its end. It may be held since earlier, where it was held open until something else gave it.
fn bounds(access: &Value) -> Vec<[&Value; 2]> {
    let levels = access["levels"].as_array().expect("levels").iter();
    levels.map(|held| [&held["level"], &held["until"]]).collect()
}
