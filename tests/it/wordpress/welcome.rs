//! The mail by which the owner of a new account gets in.

use super::Club;
use crate::support::wordpress::Person;
use latchkey::destinations::Failure;

#[test]
fn the_welcome_arrives_once_asked_for_and_its_link_sets_a_password_that_logs_in() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["welcomed"]);
    let email = "wendy.welcome@club.example";
    let account = club.make(email, &["welcomed"]).expect("made");
    assert_eq!(club.wordpress.mails_to(email), [""; 0], "an account is made without a word");

    assert!(club.accounts.welcomes_apart());
    club.welcome(&account).expect("welcomed");
    let mails = club.wordpress.mails_to(email);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("Username: wendywelcome"), "{}", mails[0]);

    let site = club.wordpress.url();
    let password = "a horse and a battery 7";
    assert!(!Person::new().logs_in(&site, email, password));
    Person::new().sets_password(&mails[0], password);
    assert!(Person::new().logs_in(&site, email, password));
}

#[test]
fn a_welcome_that_wordpress_does_not_send_is_no_success_and_told_in_its_words() {
    let Some(club) = Club::open() else { return };
    let mut account = club.make("nadia.nobody@club.example", &[]).expect("made");
    account.email = "nobody.of.that.name@club.example".to_owned();
    let words = "the mail to set a password was not sent: wp-login.php says: Error: There is no account with that \
                 username or email address.";
    assert_eq!(club.welcome(&account), Err(Failure::Unsure(words.to_owned())));
}
