//! Accounts: made once, and found exactly.

use super::{Club, remote_id, set};
use latchkey::destinations::{Account, Failure};

#[test]
fn an_account_is_made_once_however_often_it_is_asked_for() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["maderole"]);
    let email = "Mona.Made@Made.example";
    assert_eq!(club.find(email), Ok(None));

    let made = club.make(email, &["maderole"]).expect("made");
    let expected = Account {
        remote_id: made.remote_id.clone(),
        email: "mona.made@made.example".to_owned(),
        holds: set(&["maderole"]),
        untouchable: None,
    };
    assert_eq!(made, expected);
    // Somebody who did not hear the answer asks again.
    assert_eq!(club.make(email, &["maderole"]), Ok(expected.clone()));
    assert_eq!(club.find(" MONA.made@made.example "), Ok(Some(expected.clone())));
    assert_eq!(club.get(&made.remote_id), Ok(Some(expected)));
    assert_eq!(club.wordpress.count("@made.example"), 1);
}

#[test]
fn who_is_gone_is_no_account() {
    let Some(club) = Club::open() else { return };
    assert_eq!(club.get("999999"), Ok(None));
}

#[test]
fn one_is_found_among_fifty_whose_addresses_contain_each_other() {
    let Some(club) = Club::open() else { return };
    // More than a page of addresses that a search for the shortest one finds, and it comes last.
    let mut emails: Vec<String> = (0..50).map(|n| format!("x{n}ann@many.example")).collect();
    emails.push("joann@many.example".to_owned());
    emails.push("ann@many.example.org".to_owned());
    emails.push("ANN@many.example".to_owned());
    let logins: Vec<String> = (0..emails.len()).map(|n| format!("many{n}")).collect();
    let role: &[&str] = &["subscriber"];
    let users: Vec<_> =
        logins.iter().zip(&emails).map(|(login, email)| (&**login, &**email, role)).collect();
    let numbers = club.wordpress.add_users(&users);

    for (number, email) in numbers.iter().zip(&emails).skip(48) {
        let found = club.found(email);
        assert_eq!((found.remote_id, found.email), (remote_id(*number), email.to_lowercase()));
    }
    for nobody in ["nn@many.example", "ann@many.exampl", "hann@many.example", "n@many.example.org"]
    {
        assert_eq!(club.find(nobody), Ok(None), "{nobody}");
    }
}

#[test]
fn an_address_that_looks_like_a_pattern_or_a_query_is_found_as_it_is() {
    let Some(club) = Club::open() else { return };
    for email in [
        "pat+tag@pattern.example",
        "o'neil@pattern.example",
        "p_t@pattern.example",
        "50%@pattern.example",
        "a*b@pattern.example",
    ] {
        let made = club.make(email, &[]).unwrap_or_else(|failure| panic!("{email}: {failure}"));
        assert_eq!(club.found(email), made, "{email}");
        assert_eq!(made.email, email);
    }
    for email in ["pattag@pattern.example", "pxt@pattern.example", "axb@pattern.example"] {
        assert_eq!(club.find(email), Ok(None), "{email}");
    }
}

#[test]
fn a_login_name_that_somebody_has_leads_to_another_one() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_user("dora", "somebody.else@name.example", &["subscriber"]);
    club.wordpress.add_user("dora2", "somebody.more@name.example", &["subscriber"]);
    let made = club.make("dora@name.example", &[]).expect("made");
    assert_eq!(club.found("dora@name.example"), made);
    assert_ne!(club.found("somebody.else@name.example").remote_id, made.remote_id);
    club.welcome(&made).expect("welcomed");
    let mails = club.wordpress.mails_to("dora@name.example");
    assert!(mails[0].contains("Username: dora3"), "{}", mails[0]);

    // One whose numbered names are taken as well has another one still.
    let again = club.make("dora@other.example", &[]).expect("made");
    assert_eq!(club.found("dora@other.example"), again);
}

#[test]
fn an_account_that_is_to_hold_nothing_gets_what_the_site_gives_to_everybody() {
    let Some(club) = Club::open() else { return };
    let made = club.make("nora.nothing@nothing.example", &[]).expect("made");
    assert_eq!(made.holds, set(&["subscriber"]));
}

#[test]
fn an_address_that_the_site_refuses_is_refused_in_its_words() {
    let Some(club) = Club::open() else { return };
    let words = "the site refuses: Invalid parameter(s): email: Invalid email address.";
    for email in ["no-domain@refused", "two@@refused.example", "ж@refused.example"] {
        assert_eq!(club.make(email, &[]), Err(Failure::Refused(words.to_owned())), "{email}");
    }
    assert_eq!(club.wordpress.count("refused"), 0);
}

#[test]
fn an_address_that_wordpress_would_keep_as_another_one_is_refused() {
    let Some(club) = Club::open() else { return };
    let account = club.make("salt@amp.example", &[]).expect("made");
    let words = "WordPress does not keep an address with & or with % and a number in it as it is";
    for email in ["salt&pepper@amp.example", "salt%40@amp.example"] {
        let refused = Err(Failure::Refused(words.to_owned()));
        assert_eq!(club.make(email, &[]), refused);
        assert_eq!(club.rename(&account, email), refused);
    }
    assert_eq!(club.wordpress.count("amp.example"), 1);
    // One that was made in another way is found all the same.
    let number = club.wordpress.add_user("encoded", "salt%40@amp.example", &["subscriber"]);
    assert_eq!(club.found("salt%40@amp.example").remote_id, remote_id(number));
}

#[test]
fn an_account_gets_another_address_and_stays_what_it_is() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["renamedrole"]);
    let account = club.make("rita@old.example", &["renamedrole"]).expect("made");
    let renamed = club.rename(&account, "Rita@New.example").expect("renamed");
    let expected = Account { email: "rita@new.example".to_owned(), ..account };
    assert_eq!(renamed, expected);
    assert_eq!(club.find("rita@old.example"), Ok(None));
    assert_eq!(club.find("rita@new.example"), Ok(Some(expected.clone())));
    assert_eq!(club.rename(&renamed, "rita@new.example"), Ok(expected));
}

#[test]
fn an_address_that_somebody_else_has_is_not_taken_from_them() {
    let Some(club) = Club::open() else { return };
    let account = club.make("tina@taken.example", &[]).expect("made");
    let other = club.make("theo@taken.example", &[]).expect("made");
    let words = "another account of the site has this address";
    let refused = club.rename(&account, "Theo@taken.example");
    assert_eq!(refused, Err(Failure::Refused(words.to_owned())));
    let words = "the site refuses: Invalid parameter(s): email: Invalid email address.";
    let refused = club.rename(&account, "theo@taken");
    assert_eq!(refused, Err(Failure::Refused(words.to_owned())));
    assert_eq!(club.found("tina@taken.example"), account);
    assert_eq!(club.found("theo@taken.example"), other);
}
