//! What the answers of a receiver come to.

use super::{SECRET, Told, message, open_through};
use crate::alarms::receiver::{Answer, status};
use latchkey::destinations::{Failure, Finding, Remote};
use latchkey::egress::{Egress, Lookup};
use serde_json::json;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

#[test]
fn success_is_2xx_and_nothing_else() {
    let told = Told::start();
    for answered in [200, 201, 202, 204, 299] {
        told.receiver.answers([status(answered)]);
        assert_eq!(told.tell(&message()), Ok(()), "{answered}");
    }
    for answered in [300, 301, 302, 304, 307, 308, 400, 404, 409, 422, 500, 502, 503, 504, 599] {
        told.receiver.answers([status(answered)]);
        let expected = Failure::Unsure(format!("the destination answered {answered}"));
        assert_eq!(told.tell(&message()), Err(expected), "{answered}");
    }
}

#[test]
fn who_does_not_know_us_or_is_gone_is_told_nothing_more() {
    let told = Told::start();
    for (answered, expected) in [
        (401, "the destination answered 401"),
        (403, "the destination answered 403"),
        (410, "the destination answered 410: it is gone, and nothing more is sent to it"),
    ] {
        told.receiver.answers([status(answered)]);
        assert_eq!(told.tell(&message()), Err(Failure::Stopped(expected.to_owned())));
    }
}

#[test]
fn who_asks_to_be_left_alone_says_for_how_long() {
    let told = Told::start();
    for (answered, headers, seconds) in [
        (429, "Retry-After: 17\r\n", Some(17)),
        (429, "", None),
        (429, "Retry-After: Fri, 02 Jan 2026 00:00:00 GMT\r\n", None),
        (503, "Retry-After: 120\r\n", Some(120)),
    ] {
        told.receiver.answers([Answer::With(answered, headers, Vec::new())]);
        let why = format!("the destination answered {answered}");
        assert_eq!(told.tell(&message()), Err(Failure::Busy { why, seconds }), "{headers}");
    }
}

#[test]
fn a_redirect_leads_nowhere() {
    let told = Told::start();
    let headers = "Location: /elsewhere\r\n";
    told.receiver.answers([Answer::With(307, headers, Vec::new())]);
    let expected = Failure::Unsure("the destination answered 307".to_owned());
    assert_eq!(told.tell(&message()), Err(expected));
    assert_eq!(told.receiver.heard().len(), 1);
}

#[test]
fn an_answer_that_is_lost_leaves_it_open_whether_the_message_was_taken() {
    let told = Told::start();
    told.receiver.answers([Answer::Never]);
    let lost = told.tell(&message());
    assert!(
        matches!(&lost, Err(Failure::Unsure(why)) if why.starts_with("the connection broke off: ")),
        "{lost:?}"
    );
    assert_eq!(told.receiver.heard().len(), 1, "it has arrived");
}

#[test]
fn where_nobody_listens_nothing_has_arrived() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/secret", gone.local_addr().expect("an address"));
    drop(gone);
    let told = Told::with(&json!({ "url": url }));
    let failed = told.tell(&message());
    assert!(
        matches!(&failed, Err(Failure::Unreached(why)) if why.starts_with("no connection: ")),
        "{failed:?}"
    );
    assert!(!format!("{failed:?}").contains("secret"), "no URL is told, which may hold one");
}

/// A server of names by which every name is of this machine.
struct Private;

impl Lookup for Private {
    fn lookup(&self, _: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }
}

#[test]
fn a_name_that_leads_where_nobody_may_be_reached_is_not_called() {
    let told = Told::start();
    let url = format!("http://hooks.example.com:{}/in", told.receiver.address().port());
    let egress = Egress::with_lookup(&[], Arc::new(Private));
    let remote = open_through(egress, &json!({ "url": url, "secret": SECRET }));
    let Ok(Remote::Messages(messages)) = remote else { panic!("{remote:?}") };
    let expected = "the host has no public address; egress.allow names what may be reached besides";
    let failed = told.run(messages.tell(&message()));
    assert_eq!(failed, Err(Failure::Unreached(expected.to_owned())));
    assert_eq!(told.receiver.heard(), []);
}

#[test]
fn a_test_says_whether_the_message_was_taken() {
    let told = Told::start();
    assert_eq!(told.test(), [Finding::good("message", "A signed test message was taken.")]);
    assert_eq!(told.receiver.heard().len(), 1);
    told.receiver.answers([status(404)]);
    assert_eq!(told.test(), [Finding::bad("message", "the destination answered 404.")]);
}
