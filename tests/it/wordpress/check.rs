//! What a test of a destination finds, in words.

use super::{Club, open};
use latchkey::destinations::Finding;
use serde_json::json;

fn connection() -> Finding {
    Finding::good("connection", "WordPress's REST API answers.")
}

#[test]
fn a_site_that_has_all_that_is_needed_is_found_good_and_nothing_is_made() {
    let Some(club) = Club::open() else { return };
    club.wordpress.add_roles(&["checkrole"]);
    let before = club.wordpress.count("owner@club.example");
    let expected = [
        connection(),
        Finding::good("credentials", "The site knows owner."),
        Finding::good("rights", "owner may list, create, edit and promote users."),
        Finding::good("names", "The role checkrole is there, and may be given."),
    ];
    assert_eq!(club.test(&["checkrole"]), expected);
    assert_eq!(club.wordpress.count("owner@club.example"), before);
    assert_eq!(club.wordpress.user("owner@club.example").unwrap(), ["administrator"]);
}

#[test]
fn each_name_that_cannot_be_given_is_named() {
    let Some(club) = Club::open() else { return };
    let findings = club.test(&["administrator", "nocheckrole", "subscriber"]);
    let expected = [
        Finding::bad(
            "names",
            "Latchkey gives nobody the role administrator: write down another one for the level.",
        ),
        Finding::bad(
            "names",
            "The role nocheckrole does not exist: make the role at the site, or write down another one for the level.",
        ),
        Finding::good("names", "The role subscriber is there, and may be given."),
    ];
    assert_eq!(findings[3..], expected);
}

#[test]
fn what_a_user_may_not_do_is_named() {
    let Some(club) = Club::open() else { return };
    let author = club.as_one_who_is("author");
    let detail = "callerauthor lacks list_users, create_users, edit_users, promote_users: give that user the role of \
                  an administrator, or one with these rights.";
    let credentials = Finding::good("credentials", "The site knows callerauthor.");
    let expected = [connection(), credentials, Finding::bad("rights", detail)];
    assert_eq!(author.test(&["subscriber"]), expected);
}

#[test]
fn credentials_that_are_not_taken_are_told() {
    let Some(club) = Club::open() else { return };
    let mut config = club.wordpress.config();
    config["application_password"] = json!("wrong");
    let findings = Club::by(club.wordpress, &config).test(&["subscriber"]);
    assert_eq!(findings[0], connection());
    assert_eq!((findings[1].what, findings[1].ok, findings.len()), ("credentials", false, 2));
    let starts = "the site does not take the credentials of owner (You are not currently logged in): make a new";
    assert!(findings[1].detail.starts_with(starts), "{}", findings[1].detail);
    assert!(!findings[1].detail.contains("wrong"));
}

#[test]
fn a_config_says_where_it_is_wrong() {
    let good = json!({"url": "https://club.example", "username": "owner", "application_password": "abcd efgh"});
    assert!(open(&good).is_ok());
    for (field, value) in [
        ("url", json!("club.example")),
        ("url", json!("https://club.example/wp-admin/")),
        ("url", json!("http://10.0.0.1/")),
        ("username", json!(" ")),
        ("username", json!("owner:x")),
        ("application_password", json!("")),
    ] {
        let mut config = good.clone();
        config[field] = value.clone();
        let wrong = open(&config).expect_err("wrong");
        assert_eq!(wrong.pointer, format!("/{field}"), "{value}");
    }
    let mut config = good;
    config["password"] = json!("x");
    assert!(open(&config).is_err(), "an unknown field");
}
