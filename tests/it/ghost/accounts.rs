//! Accounts: made once, found by any address, renamed.

use super::{Site, member, set};
use crate::support::ghost::Fault;
use chrono::TimeDelta;
use latchkey::destinations::{Account, Failure};
use serde_json::json;

#[test]
fn a_member_is_made_once_with_its_labels_and_one_sign_up_mail() {
    let site = Site::start();
    assert_eq!(site.find("jo@example.com"), Ok(None));
    let made = site.make("jo@example.com", &["Gold", "Extras"]).expect("made");
    let there = site.ghost.member("jo@example.com");
    let expected = Account {
        remote_id: there.id.clone(),
        email: "jo@example.com".to_owned(),
        holds: set(&["Extras", "Gold"]),
        untouchable: None,
    };
    assert_eq!(made, expected);
    assert_eq!(site.find("jo@example.com"), Ok(Some(expected.clone())));
    assert_eq!(site.get(&there.id), Ok(Some(expected)));
    assert_eq!(site.ghost.state().mails, ["jo@example.com"]);
    assert_eq!(
        site.ghost.state().bodies,
        [
            json!({ "email": "jo@example.com", "labels": [{ "name": "Extras" }, { "name": "Gold" }] })
        ]
    );
    assert_eq!(site.run(site.accounts.welcome(&made)), Ok(()));
    assert_eq!(site.ghost.state().mails.len(), 1, "the welcome has gone out with the making");
}

#[test]
fn somebody_who_is_there_already_is_answered_as_they_are_and_gets_no_mail() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &["VIP"]));
    assert_eq!(site.make("jo@example.com", &["Gold"]), Ok(there));
    assert_eq!(site.ghost.member("jo@example.com").labels, ["VIP"]);
    assert!(site.ghost.state().mails.is_empty());
}

#[test]
fn an_address_that_ghost_has_in_capitals_is_found() {
    let site = Site::start();
    site.ghost.state().has(member("Jo@Example.com", &[]));
    let found = site.find("jo@example.com").expect("asked").expect("found");
    assert_eq!(found.email, "jo@example.com");
    assert_eq!(site.make("jo@example.com", &[]), Ok(found));
    assert_eq!(site.ghost.state().members.len(), 1);
}

#[test]
fn a_member_whose_making_was_not_heard_of_is_not_made_again_and_gets_no_second_mail() {
    let site = Site::start();
    site.ghost.fails("POST", Fault::Lost);
    let lost = site.make("jo@example.com", &["Gold"]);
    assert!(matches!(&lost, Err(Failure::Unsure(_))), "{lost:?}");
    let found = site.find("jo@example.com").expect("asked");
    assert_eq!(found.as_ref().map(|found| &found.holds), Some(&set(&["Gold"])));
    assert_eq!(site.make("jo@example.com", &["Gold"]).map(Some), Ok(found));
    assert_eq!(site.ghost.state().mails, ["jo@example.com"]);
    assert_eq!(site.ghost.state().members.len(), 1);
}

#[test]
fn odd_addresses_are_found_again_and_take_nobody_else() {
    let site = Site::start();
    let odd = [
        "o'neil@example.com",
        "jo+gold@example.com",
        "\"jo\"@example.com",
        "a'b\"c+d&e=f%20#g@example.com",
        "jo@example.com",
        "x'+email:'jo@example.com",
        "ü@example.com",
    ];
    for email in odd {
        assert_eq!(site.find(email), Ok(None), "{email}");
        let made = site.make(email, &["Gold"]).expect(email);
        assert_eq!(made.email, email);
        assert_eq!(site.find(email), Ok(Some(made)), "{email}");
    }
    assert_eq!(site.ghost.state().members.len(), odd.len());
}

#[test]
fn a_member_is_renamed_and_keeps_the_rest() {
    let site = Site::start();
    let there = site.has(member("old@example.com", &["Gold", "VIP"]));
    let renamed = site.rename(&there, "new+1@example.com").expect("renamed");
    assert_eq!(renamed, Account { email: "new+1@example.com".to_owned(), ..there });
    assert_eq!(site.ghost.state().bodies, [json!({ "email": "new+1@example.com" })]);
    assert_eq!(site.find("old@example.com"), Ok(None));
    assert_eq!(site.ghost.member("new+1@example.com").labels, ["Gold", "VIP"]);
    assert!(site.ghost.state().mails.is_empty());
}

#[test]
fn an_address_that_is_another_members_is_refused_in_ghosts_words() {
    let site = Site::start();
    let there = site.has(member("old@example.com", &[]));
    site.has(member("new@example.com", &[]));
    let expected = "Validation error, cannot edit member. Member already exists. Attempting to edit member with \
                    existing email address";
    assert_eq!(site.rename(&there, "new@example.com"), Err(Failure::Refused(expected.to_owned())));
    assert_eq!(site.get(&there.remote_id), Ok(Some(there)));
}

#[test]
fn somebody_who_is_gone_is_no_account_and_is_not_written() {
    let site = Site::start();
    let there = site.has(member("jo@example.com", &[]));
    site.ghost.state().members.clear();
    assert_eq!(site.get(&there.remote_id), Ok(None));
    let gone = Failure::Unsure("the member is not there any more".to_owned());
    assert_eq!(site.write(&there, &["Gold"], &[]), Err(gone.clone()));
    assert_eq!(site.rename(&there, "new@example.com"), Err(gone));
}

#[test]
fn each_call_has_a_token_of_its_own_time() {
    let site = Site::start();
    assert_eq!(site.find("jo@example.com"), Ok(None));
    let later = site.ghost.clock().now() + TimeDelta::days(400);
    site.ghost.clock().set(later);
    assert_eq!(site.find("jo@example.com"), Ok(None));
}
