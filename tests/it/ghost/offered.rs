//! What levels can be told as at a Ghost.

use super::{Site, member, texts};
use crate::support::ghost::{Fault, Ghost, Tier};
use latchkey::destinations::{Failure, Offer, Offered};
use serde_json::json;

fn labels(offered: &Offered) -> Vec<String> {
    let labels = offered.offers.iter().filter(|offer| offer.what == "label");
    labels.map(|offer| offer.remote.clone()).collect()
}

#[test]
fn labels_are_offered_by_name_and_tiers_with_why_they_cannot_be_given() {
    let ghost = Ghost::start();
    let archived = Tier { active: false, ..Tier::paid("Old") };
    ghost.state().tiers.extend([Tier::paid("Gold"), archived]);
    let site = Site::with(ghost, &json!({}));
    site.has(member("jo@example.com", &["VIP", "a label"]));
    let tier = |remote: &str, name: &str, unfit: Option<&str>| Offer {
        what: "tier",
        remote: remote.to_owned(),
        name: Some(name.to_owned()),
        unfit: unfit.map(str::to_owned),
    };
    let offers = vec![
        Offer::named("label", "a label"),
        Offer::named("label", "VIP"),
        tier("free", "Free", Some("The tier Free is the one that everybody has.")),
        tier("gold", "Gold", None),
        tier("old", "Old", Some("The tier Old is archived.")),
    ];
    assert_eq!(site.offered(), Ok(Offered { offers, incomplete: None, makes_missing: true }));
    assert_eq!((site.ghost.count("POST"), site.ghost.count("PUT")), (0, 0), "it only looks");
}

#[test]
fn labels_are_read_page_by_page_up_to_a_bound() {
    let site = Site::start();
    let many =
        |count: usize| (0..count).map(|number| format!("label {number:04}")).collect::<Vec<_>>();
    site.ghost.state().labels = many(250);
    let offered = site.offered().expect("offered");
    assert_eq!((labels(&offered), &offered.incomplete), (many(250), &None));
    site.ghost.state().labels = many(1_001);
    let offered = site.offered().expect("offered");
    assert_eq!(labels(&offered), many(1_000));
    let why = "These are the first 1000 labels of Ghost; any other can be written down.";
    assert_eq!(offered.incomplete.as_deref(), Some(why));
}

#[test]
fn what_ghost_says_against_it_is_told_in_its_own_words() {
    let site = Site::start();
    let words = json!({ "errors": [{ "message": "You may not.", "context": null }] }).to_string();
    site.ghost.fails("GET", Fault::Instead(403, "", words));
    let why = "the destination answered 403: You may not.".to_owned();
    assert_eq!(site.offered(), Err(Failure::Stopped(why)));
    assert_eq!(labels(&site.offered().expect("offered")), texts(&[]));
}
