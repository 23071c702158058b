//! Labels: written as a whole list that keeps what is somebody else's.

use super::{Site, member, set};
use crate::support::ghost::Fault;
use latchkey::destinations::Failure;
use serde_json::json;

#[test]
fn labels_are_added_and_removed_and_foreign_ones_stay() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["VIP", "Silver", "Import 2024"]));
    let written = site.write(&there, &["Gold"], &["Silver", "Bronze"]).expect("written");
    assert_eq!(written.holds, set(&["Gold", "Import 2024", "VIP"]));
    assert_eq!(
        site.ghost.state().bodies,
        [json!({ "labels": [{ "name": "Gold" }, { "name": "Import 2024" }, { "name": "VIP" }] })],
        "nothing but the labels is sent"
    );
    let written = site.write(&written, &[], &["Gold"]).expect("written");
    assert_eq!(written.holds, set(&["Import 2024", "VIP"]));
}

#[test]
fn a_label_that_was_put_there_meanwhile_stays() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["VIP"]));
    site.ghost.state().members[0].labels.push("Since".to_owned());
    let written = site.write(&there, &["Gold"], &[]).expect("written");
    assert_eq!(written.holds, set(&["Gold", "Since", "VIP"]));
}

#[test]
fn what_is_so_already_is_not_written() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["Gold"]));
    assert_eq!(site.write(&there, &["Gold"], &["Silver"]), Ok(there));
    assert_eq!(site.ghost.count("PUT"), 0);
}

#[test]
fn a_label_that_ghost_writes_in_another_case_is_the_same_one() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["gold", "VIP"]));
    let written = site.write(&there, &["Gold", "Extras"], &[]).expect("written");
    assert_eq!(written.holds, set(&["Extras", "Gold", "VIP"]), "as it was asked for");
    assert_eq!(site.ghost.member("jo@example.com").labels, ["Extras", "VIP", "gold"]);
    let written = site.write(&there, &[], &["GOLD"]).expect("written");
    assert_eq!(written.holds, set(&["Extras", "VIP"]));
}

#[test]
fn what_was_written_and_not_heard_of_is_written_once() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["Silver", "VIP"]));
    site.ghost.fails("PUT", Fault::Lost);
    let lost = site.write(&there, &["Gold"], &["Silver"]);
    assert!(matches!(&lost, Err(Failure::Unsure(_))), "{lost:?}");
    let written = site.write(&there, &["Gold"], &["Silver"]).expect("written");
    assert_eq!(written.holds, set(&["Gold", "VIP"]));
    assert_eq!(site.ghost.count("PUT"), 1);
}
