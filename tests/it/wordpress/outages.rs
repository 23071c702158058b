//! A site that is down, being updated, or hidden behind something else.

use super::Club;
use latchkey::destinations::{Failure, Finding};

#[test]
fn a_site_that_is_down_was_not_reached_and_is_found_as_it_was_when_it_is_back() {
    let Some(club) = Club::open() else { return };
    let mut front = club.wordpress.front("", &[]);
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&front.url()));
    let account = there.make("dina@down.example", &[]).expect("made");

    front.down();
    for failed in [there.find("dina@down.example").err(), there.write(&account, &["x"], &[]).err()]
    {
        assert!(matches!(failed, Some(Failure::Unreached(_))), "{failed:?}");
    }
    let findings = there.test(&[]);
    assert_eq!((findings[0].what, findings[0].ok, findings.len()), ("connection", false, 1));

    front.back();
    assert_eq!(there.found("dina@down.example"), account);
}

#[test]
fn a_site_under_a_path_is_reached_there() {
    let Some(club) = Club::open() else { return };
    let front = club.wordpress.front("/members/area", &[]);
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&format!("{}/", front.url())));
    let account = there.make("pia@path.example", &[]).expect("made");
    there.welcome(&account).expect("welcomed");
    let mails = club.wordpress.mails_to("pia@path.example");
    assert!(mails[0].contains(&format!("{}/wp-login.php?action=rp", front.url())), "{}", mails[0]);
    assert_eq!(club.found("pia@path.example"), account);
}

#[test]
fn a_site_that_is_being_updated_is_left_alone_for_as_long_as_it_asks() {
    let Some(club) = Club::open() else { return };
    let front = club.wordpress.front("", &[("WORDPRESS_MAINTENANCE", "1")]);
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&front.url()));
    let account = club.make("mia@maintenance.example", &[]).expect("made");
    let why = "the site answered 503: it is being maintained, or is overloaded".to_owned();
    let busy = Failure::Busy { why: why.clone(), seconds: Some(600) };
    assert_eq!(there.find("mia@maintenance.example"), Err(busy.clone()));
    assert_eq!(there.make("moe@maintenance.example", &[]), Err(busy.clone()));
    assert_eq!(there.write(&account, &["x"], &[]), Err(busy.clone()));
    assert_eq!(there.welcome(&account), Err(busy));
    assert_eq!(there.test(&[]), [Finding::bad("connection", format!("{why}."))]);
    assert_eq!(club.wordpress.mails_to("mia@maintenance.example"), [""; 0]);
}

#[test]
fn a_page_of_something_else_is_never_taken_for_an_answer() {
    let Some(club) = Club::open() else { return };
    let front = club.wordpress.front("", &[("WORDPRESS_WALL", "1")]);
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&front.url()));
    let account = club.make("wanda@wall.example", &[]).expect("made");
    let why = "the site answered 403 with a page, and not with its REST API: a plugin, a proxy or the maintenance of \
               the site stands before it";
    let unsure = Failure::Unsure(why.to_owned());
    assert_eq!(there.find("wanda@wall.example"), Err(unsure.clone()));
    assert_eq!(there.get("999999"), Err(unsure.clone()));
    assert_eq!(there.make("walt@wall.example", &[]), Err(unsure.clone()));
    assert_eq!(there.write(&account, &["x"], &[]), Err(unsure.clone()));
    assert_eq!(there.rename(&account, "walt@wall.example"), Err(unsure));
    let why = "the mail to set a password was not sent: wp-login.php answered 403, and not as WordPress does";
    assert_eq!(there.welcome(&account), Err(Failure::Unsure(why.to_owned())));
}

#[test]
fn an_address_that_is_no_wordpress_says_so() {
    let Some(club) = Club::open() else { return };
    let front = club.wordpress.front("/members", &[]);
    let elsewhere = front.url().replace("/members", "/elsewhere");
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&elsewhere));
    let why = "the site answered 404 with a page, and not with its REST API: is this the address of a WordPress, and \
               are its permalinks (Settings → Permalinks) anything else than plain?";
    assert_eq!(there.find("x@wall.example"), Err(Failure::Unsure(why.to_owned())));
}

#[test]
fn a_site_that_has_moved_is_not_followed_and_says_where_it_is() {
    let Some(club) = Club::open() else { return };
    let front = club.wordpress.front("", &[("WORDPRESS_MOVED", "1")]);
    let there = Club::by(club.wordpress, &club.wordpress.config_by(&front.url()));
    let account = club.make("milo@moved.example", &[]).expect("made");
    let why = "the site answered 301 and leads on to https://club.example/wp-json/wp/v2/users: write down the address \
               that the site has itself";
    assert_eq!(there.find("milo@moved.example"), Err(Failure::Unsure(why.to_owned())));
    let why =
        "the mail to set a password was not sent: wp-login.php answered 301 and leads elsewhere";
    assert_eq!(there.welcome(&account), Err(Failure::Unsure(why.to_owned())));
}
