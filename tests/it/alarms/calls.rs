//! The client of every call that goes out, against those who would lead it astray.

use super::receiver::{Answer, Receiver};
use latchkey::egress::{ANSWER_BYTES_MAX, CallError, Egress, Lookup, Message};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// A server of names that answers each question with the next of its answers.
struct Names(Mutex<Vec<Vec<&'static str>>>);

impl Names {
    fn answering(answers: &[&[&'static str]]) -> Arc<Self> {
        let mut answers: Vec<_> = answers.iter().map(|answer| answer.to_vec()).collect();
        answers.reverse();
        Arc::new(Self(Mutex::new(answers)))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Lookup for Names {
    fn lookup(&self, _: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let answer = self.0.lock().unwrap().pop().expect("a question that was expected");
        let ips = answer.into_iter().map(|ip| ip.parse().expect("an address")).collect();
        Box::pin(async move { Ok(ips) })
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A client to which only 127.0.0.2 of this machine is public.
fn egress(names: &Arc<Names>) -> Egress {
    let allow = ["127.0.0.2/32".parse().unwrap()];
    Egress::with_lookup(&allow, Arc::clone(names) as Arc<dyn Lookup>)
}

#[test]
fn a_name_that_changes_its_address_between_check_and_connect_leads_nowhere() {
    let public = Receiver::start_on("127.0.0.2");
    let port = public.address().port();
    // The same port on the address that must not be reached.
    let private = Receiver::start_at(([127, 0, 0, 1], port).into());
    let names = Names::answering(&[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2"]]);
    let egress = egress(&names);
    let url = format!("http://hooks.example.com:{port}/");
    assert!(egress.check(&url).is_ok());
    assert_eq!(run(egress.get(&url)).map(|answer| answer.status), Ok(200));
    assert!(egress.check(&url).is_ok(), "nothing can be seen of it");
    assert_eq!(run(egress.get(&url)), Err(CallError::Forbidden));
    assert_eq!(run(egress.get(&url)).map(|answer| answer.status), Ok(200));
    assert_eq!((public.heard().len(), private.heard().len(), names.left()), (2, 0, 0));
}

#[test]
fn of_a_name_with_several_addresses_only_the_public_ones_are_reached() {
    let public = Receiver::start_on("127.0.0.2");
    let port = public.address().port();
    let private = Receiver::start_at(([127, 0, 0, 1], port).into());
    let names = Names::answering(&[&["127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.1"]]);
    let answer = run(egress(&names).get(&format!("http://hooks.example.com:{port}/")));
    assert_eq!(answer.map(|answer| answer.status), Ok(200));
    assert_eq!((public.heard().len(), private.heard().len()), (1, 0));
}

#[test]
fn an_address_in_the_url_itself_is_vetted_at_each_call_and_never_looked_up() {
    let private = Receiver::start();
    let port = private.address().port();
    let names = Names::answering(&[]);
    let egress = egress(&names);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
    ] {
        let url = format!("http://{host}:{port}/");
        assert_eq!(run(egress.get(&url)), Err(CallError::Forbidden), "{url}");
    }
    let with_user = format!("http://dana:secret@127.0.0.1:{port}/");
    assert!(matches!(run(egress.get(&with_user)), Err(CallError::Url(_))));
    assert_eq!(private.heard().len(), 0);
}

#[test]
fn every_address_of_a_name_is_vetted_however_it_is_written() {
    let forbidden = [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        "2001:0:808:808::1",
        "224.0.0.1",
        "0.0.0.0",
        "::",
        "192.0.2.1",
        "2001:db8::1",
    ];
    for ip in forbidden {
        let names = Names::answering(&[&[ip]]);
        let answer = run(egress(&names).get("http://hooks.example.com:9/"));
        assert_eq!(answer, Err(CallError::Forbidden), "{ip}");
        assert_eq!(names.left(), 0, "it was asked");
    }
    let nobody = run(egress(&Names::answering(&[&[]])).get("http://hooks.example.com:9/"));
    assert!(matches!(nobody, Err(CallError::Connect(_))), "{nobody:?}");
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let public = Receiver::start_on("127.0.0.2");
    public.answers([Answer::With(302, "Location: http://127.0.0.2/elsewhere\r\n", Vec::new())]);
    let answer = run(egress(&Names::answering(&[])).post(&public.url("/"), Message::default()));
    assert_eq!(answer.map(|answer| (answer.status, answer.is_success())), Ok((302, false)));
    assert_eq!(public.heard().len(), 1);
}

#[test]
fn no_more_of_an_answer_is_kept_than_its_limit() {
    let public = Receiver::start_on("127.0.0.2");
    let egress = egress(&Names::answering(&[]));
    for (sent, kept) in
        [(0, 0), (ANSWER_BYTES_MAX, ANSWER_BYTES_MAX), (8 * ANSWER_BYTES_MAX + 7, ANSWER_BYTES_MAX)]
    {
        public.answers([Answer::With(200, "", vec![b'x'; sent])]);
        let answer = run(egress.get(&public.url("/"))).expect("an answer");
        assert_eq!(answer.body.len(), kept, "{sent} were sent");
    }
}

#[test]
fn what_is_asked_of_by_tls_is_never_told_without_it() {
    let public = Receiver::start_on("127.0.0.2");
    let url = format!("https://{}/secret", public.address());
    let answer = run(egress(&Names::answering(&[])).get(&url));
    assert!(
        matches!(&answer, Err(CallError::Connect(why)) if !why.contains("secret")),
        "{answer:?}"
    );
    assert_eq!(public.heard().len(), 0);
    let client = include_str!("../../../src/egress/mod.rs");
    assert!(!client.contains("danger"), "every certificate is checked");
}
