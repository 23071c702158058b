//! Which roles are offered, by the real WordPress.

use super::Club;
use latchkey::destinations::{Failure, Offered};

fn roles(offered: &Offered) -> Vec<&str> {
    offered.offers.iter().map(|offer| offer.remote.as_str()).collect()
}

#[test]
fn roles_that_accounts_hold_that_are_written_down_and_that_are_usual_are_offered() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["offeredheld", "offerednamed", "offeredunseen"]);
    club.make("offered@club.example", &["offeredheld"]).expect("made");
    let before = club.wordpress.count("owner@club.example");
    let offered =
        club.offered(&["offerednamed", "offeredmissing", "administrator"]).expect("offered");
    let roles = roles(&offered);
    for role in ["offeredheld", "offerednamed", "subscriber", "contributor", "author"] {
        assert_eq!(
            roles.iter().filter(|offered| **offered == role).count(),
            1,
            "{role}: {roles:?}"
        );
    }
    for role in ["offeredunseen", "offeredmissing", "administrator", "editor", "customer"] {
        assert!(!roles.contains(&role), "{role}: {roles:?}");
    }
    let named =
        |role: &str| offered.offers.iter().find(|offer| offer.remote == role).expect("offered");
    assert_eq!(named("subscriber").name.as_deref(), Some("Subscriber"));
    assert_eq!(named("offeredheld").name, None, "WordPress does not tell it");
    assert!(offered.offers.iter().all(|offer| offer.what == "role" && offer.unfit.is_none()));
    assert_eq!(roles.last(), Some(&"subscriber"), "the usual ones come last: {roles:?}");
    assert!(!offered.makes_missing);
    let why = "WordPress lists its roles to nobody: these are the ones that the first 500 accounts hold, and the usual \
               ones that the site takes. Any other can be written down by its name.";
    assert_eq!(offered.incomplete.as_deref(), Some(why));
    assert_eq!(club.wordpress.count("owner@club.example"), before, "no account was made for it");
}

#[test]
fn whoever_may_not_look_is_told_what_is_missing() {
    let Some(club) = Club::open() else { return };
    let subscriber = club.as_one_who_is("subscriber");
    let why = "callersubscriber lacks list_users, create_users, edit_users, promote_users: give that user the role of an \
               administrator, or one with these rights";
    assert_eq!(subscriber.offered(&[]), Err(Failure::Refused(why.to_owned())));
}
