//! Roles: what is asked for is added and removed, and nothing else is touched.

use super::{Club, set};
use latchkey::destinations::Failure;

fn refused(why: &str) -> Failure {
    Failure::Refused(why.to_owned())
}

#[test]
fn a_role_is_added_and_removed_and_those_of_others_keep_their_place() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["vendor", "roleone", "roletwo", "buyer"]);
    let email = "vera@roles.example";
    club.wordpress.add_user("vera", email, &["vendor", "buyer"]);
    let account = club.found(email);

    let written = club.write(&account, &["roleone", "roletwo"], &[]).expect("written");
    assert_eq!(written.holds, set(&["vendor", "buyer", "roleone", "roletwo"]));
    assert_eq!(club.wordpress.user(email).unwrap(), ["vendor", "buyer", "roleone", "roletwo"]);

    let written = club.write(&account, &[], &["roleone", "not there"]).expect("written");
    assert_eq!(written.holds, set(&["vendor", "buyer", "roletwo"]));
    assert_eq!(club.wordpress.user(email).unwrap(), ["vendor", "buyer", "roletwo"]);
}

#[test]
fn what_the_site_gave_since_an_account_was_read_stays() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["sincerole", "staff"]);
    let email = "stella@since.example";
    let account = club.make(email, &[]).expect("made");
    club.wordpress.changes(email, "add_role", "staff");
    club.write(&account, &["sincerole"], &[]).expect("written");
    assert_eq!(club.wordpress.user(email).unwrap(), ["subscriber", "staff", "sincerole"]);
}

#[test]
fn the_last_role_goes_and_comes_back() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["lastrole"]);
    let email = "lena@last.example";
    let account = club.make(email, &["lastrole"]).expect("made");
    assert_eq!(club.write(&account, &[], &["lastrole"]).expect("written").holds, set(&[]));
    assert_eq!(club.wordpress.user(email).unwrap(), [""; 0]);
    // Whoever holds nothing is still found, and is the same account.
    let account = club.found(email);
    assert_eq!(club.write(&account, &["lastrole"], &[]).expect("written"), club.found(email));
    assert_eq!(club.wordpress.user(email).unwrap(), ["lastrole"]);
    assert_eq!(club.wordpress.count("@last.example"), 1);
}

#[test]
fn what_is_so_already_is_no_failure() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["sorole"]);
    let account = club.make("sofia@so.example", &["sorole"]).expect("made");
    assert_eq!(club.write(&account, &["sorole"], &["another"]), Ok(account.clone()));
    assert_eq!(club.write(&account, &[], &[]), Ok(account));
}

#[test]
fn who_runs_the_site_is_found_and_never_touched() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["protectedrole"]);
    for role in ["administrator", "editor"] {
        let email = format!("{role}@protected.example");
        club.wordpress.add_user(&format!("protected{role}"), &email, &[role, "protectedrole"]);
        let account = club.found(&email);
        let why = format!("is {role} of the site, and Latchkey touches none of those");
        assert_eq!(account.untouchable.as_deref(), Some(&*why));

        let why = refused(&format!("the account {why}"));
        assert_eq!(club.write(&account, &["subscriber"], &[]), Err(why.clone()));
        assert_eq!(club.write(&account, &[], &["protectedrole"]), Err(why.clone()));
        assert_eq!(club.rename(&account, "mine@protected.example"), Err(why.clone()));
        assert_eq!(club.welcome(&account), Err(why.clone()));
        // Who became one since the account was read is not touched either.
        let before = latchkey::destinations::Account { untouchable: None, ..account };
        assert_eq!(club.write(&before, &["subscriber"], &[]), Err(why.clone()));
        assert_eq!(club.rename(&before, "mine@protected.example"), Err(why));
        assert_eq!(club.wordpress.user(&email).unwrap(), [role, "protectedrole"]);
        assert_eq!(club.wordpress.mails_to(&email), [""; 0]);
    }
}

#[test]
fn who_may_manage_users_by_another_role_is_not_touched() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_role("shopkeeper", &["read", "edit_users"]);
    let email = "sam@shop.example";
    club.wordpress.add_user("samshop", email, &["shopkeeper"]);
    let account = club.found(email);
    let why = "may edit_users at the site, and Latchkey touches nobody who may";
    assert_eq!(account.untouchable.as_deref(), Some(why));
    let why = refused(&format!("the account {why}"));
    assert_eq!(club.write(&account, &["subscriber"], &[]), Err(why));
}

#[test]
fn nobody_is_made_an_administrator_or_editor() {
    let Some(club) = Club::open() else { return };
    let account = club.make("eve@raised.example", &[]).expect("made");
    for role in ["administrator", "editor"] {
        let why =
            format!("Latchkey gives nobody the role {role}: write down another one for the level");
        assert_eq!(club.write(&account, &[role], &[]), Err(refused(&why)));
        assert_eq!(club.make("eva@raised.example", &[role]), Err(refused(&why)));
    }
    assert_eq!(club.wordpress.user("eve@raised.example").unwrap(), ["subscriber"]);
    assert_eq!(club.wordpress.count("@raised.example"), 1);
}

#[test]
fn a_role_that_is_not_there_is_refused_and_nothing_is_done_by_halves() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["halfrole"]);
    let why = "The role nosuchrole does not exist: make the role at the site, or write down another one for the level";
    assert_eq!(club.make("hal@half.example", &["halfrole", "nosuchrole"]), Err(refused(why)));
    assert_eq!(club.wordpress.user("hal@half.example"), None);
    let account = club.make("hal@half.example", &["halfrole"]).expect("made");
    assert_eq!(club.write(&account, &["nosuchrole"], &["halfrole"]), Err(refused(why)));
    assert_eq!(club.wordpress.user("hal@half.example").unwrap(), ["halfrole"]);
}
