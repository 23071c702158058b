//! What a test of a Ghost finds, in words.

use super::{Site, member};
use crate::support::ghost::{Fault, Ghost, KEY, Tier};
use latchkey::destinations::Finding;
use serde_json::json;

#[test]
fn a_test_of_a_ghost_that_is_well_says_what_is_there() {
    let ghost = Ghost::start();
    ghost.state().tiers.push(Tier::paid("Gold"));
    let tiers = json!({ "tiers": [{ "remote": "Gold", "tier": "gold" }] });
    let site = Site::with(ghost, &tiers);
    site.has(member("jo@example.com", &["Gold"]));
    assert_eq!(
        site.test(&["Gold", "Silver"]),
        [
            Finding::good("connection", "Ghost 6.0 answers."),
            Finding::good("credentials", "The key is taken."),
            Finding::good("rights", "Members may be read."),
            Finding::good("names", "The label Gold is there."),
            Finding::good(
                "names",
                "The label Silver is not there yet; Ghost makes it with its first holder."
            ),
            Finding::good(
                "names",
                "The tier gold is there; it acts only where Stripe is connected."
            ),
        ]
    );
    assert_eq!((site.ghost.count("POST"), site.ghost.count("PUT")), (0, 0), "it only looks");
}

#[test]
fn names_that_cannot_be_are_told_with_what_to_do() {
    let ghost = Ghost::start();
    let archived = Tier { active: false, ..Tier::paid("Old") };
    ghost.state().tiers.extend([Tier::paid("Gold"), archived]);
    let tiers = json!({ "tiers": [
        { "remote": "Gold", "tier": "platinum" }, { "remote": "Silver", "tier": "old" },
        { "remote": "VIP", "tier": "gold" }, { "remote": " x", "tier": "free" },
    ] });
    let site = Site::with(ghost, &tiers);
    site.has(member("jo@example.com", &["gold"]));
    let found = site.test(&["Gold", "Silver", " x"]);
    assert_eq!(
        found[3..],
        [
            Finding::bad(
                "names",
                "“ x” is no name of a label: it has from 1 to 191 characters, and no space at its ends."
            ),
            Finding::bad(
                "names",
                "Ghost writes the label Gold as gold: write it so here, or rename it there."
            ),
            Finding::good(
                "names",
                "The label Silver is not there yet; Ghost makes it with its first holder."
            ),
            Finding::bad("names", "Ghost has no tier platinum; it has Free, Gold, Old."),
            Finding::bad("names", "The tier old is archived."),
            Finding::bad("names", "tiers names VIP, which is the name of no level here."),
            Finding::bad("names", "The tier free is the one that everybody has."),
        ]
    );
}

#[test]
fn a_key_that_is_not_taken_is_told_after_the_connection() {
    let (id, _) = KEY.split_once(':').expect("a key");
    let site = Site::with(Ghost::start(), &json!({ "admin_api_key": format!("{id}:00") }));
    assert_eq!(
        site.test(&["Gold"]),
        [
            Finding::good("connection", "Ghost 6.0 answers."),
            Finding::bad(
                "credentials",
                "the destination answered 401: Invalid token: invalid signature. Copy the Admin API key of the custom \
                 integration once more; it is good for a Ghost whose clock is less than five minutes away from ours."
            ),
        ]
    );
}

#[test]
fn a_key_without_rights_and_an_address_without_ghost_are_told() {
    let site = Site::start();
    let site_answers = json!({ "site": { "version": "5.1" } }).to_string();
    let words = json!({ "errors": [{ "message": "You may not.", "context": null }] }).to_string();
    site.ghost.fails("GET", Fault::Instead(200, "", site_answers));
    site.ghost.fails("GET", Fault::Instead(403, "", words));
    assert_eq!(
        site.test(&["Gold"]),
        [
            Finding::good("connection", "Ghost 5.1 answers."),
            Finding::bad(
                "rights",
                "the destination answered 403: You may not. Take the Admin API key of a custom integration, which may \
                 write members."
            ),
        ]
    );
    let elsewhere = format!("{}/elsewhere", site.ghost.url());
    let site = Site::with(Ghost::start(), &json!({ "url": elsewhere }));
    assert_eq!(
        site.test(&["Gold"]),
        [Finding::bad(
            "connection",
            "no Admin API of Ghost is there: the destination answered 404. Is the URL the address at which Ghost \
             itself shows its site?"
        )]
    );
}
