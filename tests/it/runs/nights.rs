//! What happens by itself at night.

use super::{Club, asks, carries, counts, grants, on_both, push, run, stands};
use crate::support::ghost::Fault;
use crate::support::{TestApp, instant};
use chrono::{DateTime, TimeDelta, Utc};
use latchkey::store::destinations::{self, State};
use serde_json::{Value, json};

/// The next night of a club, as it is written down.
fn night(app: &TestApp, club: &Club) -> DateTime<Utc> {
    stands(app, &club.id).next_drift_at.expect("a night")
}

/// The runs of a club, newest first.
fn runs(app: &TestApp, club: &Club) -> Vec<Value> {
    let found = app.get(&format!("{}/runs?destination={}", super::SITE, club.id));
    assert_eq!(found.status, 200, "{found:?}");
    found.json["items"].as_array().expect("items").clone()
}

fn refused() -> Fault {
    Fault::Instead(
        401,
        "",
        r#"{"errors":[{"message":"Unknown Admin API Key","type":"UnauthorizedError"}]}"#.to_owned(),
    )
}

#[test]
fn each_destination_is_looked_over_at_three_by_the_clocks_of_the_site() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        carries(app);
        let first = night(app, &club);
        // The site goes by New York, five hours behind in winter.
        let (three, four) = (instant("2026-01-01T08:00:00Z"), instant("2026-01-01T09:00:00Z"));
        assert!(three <= first && first < four, "{first}");
        club.edits("ada@example.com", Vec::clear);
        club.at(app, first - TimeDelta::seconds(1));
        assert_eq!(runs(app, &club), Vec::<Value>::new());
        club.at(app, first);
        let all = runs(app, &club);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(
            (&all[0]["kind"], counts(&all[0])),
            (&json!("repair"), json!(["finished", 1, 1, 1, 0, 0, 0]))
        );
        assert_eq!(club.labels("ada@example.com"), ["Gold"]);
        assert_eq!(night(app, &club), first + TimeDelta::days(1));
        carries(app);
        assert_eq!(runs(app, &club).len(), 1);
    });
}

#[test]
fn what_has_failed_is_taken_up_at_night() {
    on_both(|app| {
        let club = Club::of(app);
        let no = r#"{"errors":[{"message":"No","type":"ValidationError"}]}"#;
        club.ghost.fails("POST", Fault::Instead(422, "", no.to_owned()));
        grants(app, "ada@example.com", "gold");
        carries(app);
        assert_eq!(push(app, &club.id, "ada@example.com").status, "failed");
        club.at(app, night(app, &club));
        assert_eq!(push(app, &club.id, "ada@example.com").status, "done");
        assert_eq!(club.labels("ada@example.com"), ["Gold"]);
        assert_eq!(counts(&runs(app, &club)[0]), json!(["finished", 1, 1, 0, 0, 0, 0]));
    });
}

#[test]
fn a_broken_destination_that_was_mended_is_well_after_the_night() {
    on_both(|app| {
        let club = Club::of(app);
        // Both are under way at once.
        club.ghost.fails("GET", refused());
        club.ghost.fails("GET", refused());
        grants(app, "ada@example.com", "gold");
        grants(app, "ben@example.com", "gold");
        carries(app);
        let broken = stands(app, &club.id);
        assert_eq!(broken.state, State::Broken, "{broken:?}");
        club.after(app, 3_600);
        assert!(club.ghost.state().members.is_empty(), "nobody is called who takes nothing");
        club.at(app, night(app, &club));
        let mended = stands(app, &club.id);
        assert_eq!((mended.state, mended.detail, mended.failures), (State::Ok, None, 0));
        assert_eq!(club.labels("ada@example.com"), ["Gold"]);
        assert_eq!(club.labels("ben@example.com"), ["Gold"]);
    });
}

#[test]
fn a_broken_destination_that_was_not_mended_is_tried_and_broken_still_and_its_run_waits() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        carries(app);
        club.edits("ada@example.com", Vec::clear);
        club.ghost.fails("GET", refused());
        let asked = asks(app, "/drift", &json!({}));
        carries(app);
        let waits = run(app, &asked);
        assert_eq!(counts(&waits), json!(["waiting", 0, 1, 0, 0, 0, 0]));
        assert!(waits["detail"].as_str().is_some_and(|why| why.contains("401")), "{waits}");
        let calls = club.ghost.count("GET");
        club.ghost.fails("GET", refused());
        club.at(app, night(app, &club));
        assert_eq!(stands(app, &club.id).state, State::Broken);
        assert_eq!(club.ghost.count("GET"), calls + 1, "with one call");
        assert_eq!(run(app, &asked)["state"], "waiting");
        club.at(app, night(app, &club));
        assert_eq!(stands(app, &club.id).state, State::Ok);
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 1, 1, 1, 0, 0, 0]));
    });
}

#[test]
fn a_destination_that_is_disabled_is_left_alone_at_night() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        carries(app);
        let first = night(app, &club);
        let mut disabled = stands(app, &club.id);
        disabled.enabled = false;
        app.app.store().write(|conn| destinations::update(conn, &disabled)).expect("written");
        let calls = club.ghost.state().calls.len();
        club.at(app, first);
        assert_eq!(club.ghost.state().calls.len(), calls);
        assert_eq!(runs(app, &club), Vec::<Value>::new());
    });
}

#[test]
fn only_the_latest_ten_runs_are_kept_with_what_they_found() {
    on_both(|app| {
        let club = Club::of(app);
        grants(app, "ada@example.com", "gold");
        carries(app);
        club.edits("ada@example.com", Vec::clear);
        let first = super::looks(app);
        for _ in 0..10 {
            super::looks(app);
        }
        let all = runs(app, &club);
        assert_eq!(all.len(), 10);
        let id = first["id"].as_str().expect("an id");
        assert_eq!(app.get(&format!("{}/runs/{id}", super::SITE)).status, 404);
        assert_eq!(super::drift(app).len(), 1, "what the latest one found");
    });
}
