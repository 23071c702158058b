//! What Ghost does not do, and in whose words that is told.

use super::{Site, member, open};
use crate::support::ghost::{Fault, Ghost, KEY};
use latchkey::clock::Clock;
use latchkey::destinations::{Caller, Failure, Pace, Remote};
use latchkey::egress::Egress;
use serde_json::json;

#[test]
fn an_address_that_ghost_refuses_is_told_in_its_words() {
    let site = Site::start();
    let refused = site.make("jo@nowhere", &["Gold"]);
    let expected = "Validation error, cannot save member. Invalid Email";
    assert_eq!(refused, Err(Failure::Refused(expected.to_owned())));
    assert!(site.ghost.state().members.is_empty() && site.ghost.state().mails.is_empty());
}

#[test]
fn a_wrong_key_stops_the_destination() {
    let (id, secret) = KEY.split_once(':').expect("a key");
    for (key, expected) in [
        (format!("0{id}:{secret}"), "the destination answered 401: Unknown Admin API Key"),
        (
            format!("{id}:00{secret}"),
            "the destination answered 401: Invalid token: invalid signature",
        ),
    ] {
        let site = Site::with(Ghost::start(), &json!({ "admin_api_key": key }));
        let stopped = Failure::Stopped(expected.to_owned());
        assert_eq!(site.find("jo@example.com"), Err(stopped.clone()));
        assert_eq!(site.get("65f0"), Err(stopped.clone()));
        assert_eq!(site.make("jo@example.com", &["Gold"]), Err(stopped));
        assert!(site.ghost.state().members.is_empty());
    }
}

#[test]
fn a_token_from_a_clock_that_is_far_off_stops_the_destination() {
    let ghost = Ghost::start();
    let egress = Egress::new(&["127.0.0.0/8".parse().expect("a network")]);
    let behind = Clock::manual(ghost.clock().now() - chrono::TimeDelta::seconds(300));
    let caller =
        Caller::new(egress, Pace { calls_per_second: 100, concurrency: 1 }).timed_by(behind);
    let config = json!({ "url": ghost.url(), "admin_api_key": KEY });
    let kind = latchkey::destinations::kind("ghost").expect("a kind");
    let Ok(Remote::Accounts(accounts)) = (kind.open)(config.as_object().expect("one"), caller)
    else {
        panic!("it opens")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let expected = "the destination answered 401: Invalid token: jwt expired";
    assert_eq!(
        runtime.block_on(accounts.find("jo@example.com")),
        Err(Failure::Stopped(expected.to_owned()))
    );
}

#[test]
fn every_other_status_is_told_for_what_it_is() {
    let words = json!({ "errors": [{ "message": "Too many.", "context": "Wait.", "type": "x" }] });
    let html = "<h1>Bad gateway</h1>".to_owned();
    let busy = |why: &str, seconds| Failure::Busy { why: why.to_owned(), seconds };
    let unsure = |why: &str| Failure::Unsure(why.to_owned());
    for (status, headers, body, expected) in [
        (
            429,
            "Retry-After: 17\r\n",
            words.to_string(),
            busy("the destination answered 429: Too many. Wait.", Some(17)),
        ),
        (429, "", String::new(), busy("the destination answered 429", None)),
        (503, "Retry-After: 60\r\n", html.clone(), busy("the destination answered 503", Some(60))),
        (503, "", words.to_string(), unsure("the destination answered 503: Too many. Wait.")),
        (502, "", html.clone(), unsure("the destination answered 502")),
        (500, "", words.to_string(), unsure("the destination answered 500: Too many. Wait.")),
        (
            301,
            "Location: https://www.example.com/\r\n",
            String::new(),
            unsure("the destination answered 301"),
        ),
        (200, "", html.clone(), unsure("what answered 200 is no Admin API of Ghost")),
        (200, "", "{\"members\":[]}".to_owned(), unsure("Ghost answered without the member")),
        (
            404,
            "",
            html.clone(),
            unsure("no Admin API of Ghost is there: the destination answered 404"),
        ),
        (
            403,
            "",
            words.to_string(),
            Failure::Stopped("the destination answered 403: Too many. Wait.".to_owned()),
        ),
        (406, "", words.to_string(), Failure::Stopped("Too many. Wait.".to_owned())),
        (400, "", words.to_string(), Failure::Refused("Too many. Wait.".to_owned())),
        (413, "", html.clone(), Failure::Refused("the destination answered 413".to_owned())),
    ] {
        let site = Site::start();
        let there = site.has(member("jo@example.com", &[]));
        for method in ["GET", "POST"] {
            site.ghost.fails(method, Fault::Instead(status, headers, body.clone()));
        }
        assert_eq!(site.get(&there.remote_id), Err(expected.clone()), "{status} of a GET");
        assert_eq!(site.make("new@example.com", &[]), Err(expected), "{status} of a POST");
        assert_eq!(site.ghost.state().members.len(), 1);
    }
}

#[test]
fn a_page_that_is_not_there_is_no_member_who_is_not_there() {
    let site = Site::with(Ghost::start(), &json!({}));
    let there = site.has(member("jo@example.com", &[]));
    let elsewhere = format!("{}/elsewhere", site.ghost.url());
    let config = json!({ "url": elsewhere, "admin_api_key": KEY });
    let Ok(Remote::Accounts(accounts)) = open(&site.ghost, &config) else { panic!("it opens") };
    let found = site.run(accounts.get(&there.remote_id));
    let expected = "no Admin API of Ghost is there: the destination answered 404";
    assert_eq!(found, Err(Failure::Unsure(expected.to_owned())));
}

#[test]
fn where_nobody_listens_nothing_has_arrived() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let site = Site::with(Ghost::start(), &json!({ "url": url }));
    let made = site.make("jo@example.com", &["Gold"]);
    assert!(
        matches!(&made, Err(Failure::Unreached(why)) if why.starts_with("no connection: ")),
        "{made:?}"
    );
}
