//! The feed as Server-Sent Events, and what it no longer keeps.

use super::bodies::sale;
use super::{SITE, applied, each, gold, items, problem, raw, with_settings};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Database, TestApp};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Whoever reads a stream, line by line.
struct Listener(BufReader<TcpStream>);

impl Listener {
    /// Asks for the feed; `last` is what it had last.
    fn new(app: &TestApp, key: &str, query: &str, last: Option<i64>) -> Self {
        let mut stream = TcpStream::connect(raw::address(app)).expect("connected");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a deadline");
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "GET {SITE}/changes{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             Accept: text/event-stream\r\n{last}\r\n"
        )
        .expect("asked");
        let mut listener = Self(BufReader::new(stream));
        let head = listener.line().expect("a status line");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        listener
    }

    /// The next line; `None` when the stream has ended.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("a line before the deadline");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event: its id and its data.
    fn event(&mut self) -> (i64, Value) {
        let id = self.until("id: ").parse().expect("a position");
        assert_eq!(self.until("event: "), "change");
        (id, serde_json::from_str(&self.until("data: ")).expect("a change"))
    }

    /// Reads on to a line that begins so; answers the rest of it.
    fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line().expect("the stream goes on");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Reads on until the other side ends the stream.
    fn hears_the_end(&mut self) {
        while self.line().is_some_and(|line| !line.starts_with("id: ")) {}
        assert_eq!(self.line(), None, "nothing follows the end");
    }
}

/// Somebody buys: one change.
fn buys(app: &TestApp, number: u64) {
    applied(app, &sale(number, &format!("m{number}@x.example")));
}

on_both_databases! {
    fn a_stream_tells_what_was_recorded_and_then_what_is_being_recorded(app: &TestApp) {
        gold(app);
        buys(app, 1);
        buys(app, 2);
        let mut listener = Listener::new(app, ADMIN_KEY, "", None);
        let mut heard = vec![listener.event(), listener.event()];
        buys(app, 3);
        heard.push(listener.event());
        let listed = app.changes();
        assert_eq!(heard.iter().map(|(_, change)| change.clone()).collect::<Vec<_>>(), listed);
        assert_eq!(heard.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    }

    fn whoever_comes_back_misses_nothing_and_gets_nothing_twice(app: &TestApp) {
        gold(app);
        (1..=250).for_each(|number| {
            app.receives(sale(number, &format!("m{number}@x.example")).json());
        });
        app.drain();
        let (mut heard, mut last) = (Vec::new(), None);
        for stops_after in [1, 99, 100, 7, 43] {
            // What the header says goes before the query.
            let mut listener = Listener::new(app, ADMIN_KEY, "?after=3", last.or(Some(0)));
            for _ in 0..stops_after {
                heard.push(listener.event().0);
            }
            last = heard.last().copied();
        }
        assert_eq!(heard, (1..=250).collect::<Vec<i64>>());
    }

    fn a_stream_ends_with_its_key_and_with_its_site(app: &TestApp) {
        let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] })).json;
        let mut with_key = Listener::new(app, made["key"].as_str().expect("a key"), "", None);
        let mut of_site = Listener::new(app, ADMIN_KEY, "", None);
        assert_eq!(app.delete(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap())).status, 204);
        with_key.hears_the_end();
        assert_eq!(app.delete(&format!("{SITE}?confirm=default")).status, 204);
        of_site.hears_the_end();
    }

    fn a_stream_that_cannot_be_is_refused(app: &TestApp) {
        let ask = |path: &str, last: Option<&'static str>| {
            app.request("GET", path, |request| {
                let request = request.bearer_auth(ADMIN_KEY).header("accept", "text/event-stream");
                match last {
                    Some(last) => request.header("last-event-id", last),
                    None => request,
                }
            })
        };
        problem(&ask(&format!("{SITE}/changes"), Some("latest")), 400, "malformed");
        problem(&ask(&format!("{SITE}/changes?after=x"), None), 400, "malformed");
        problem(&ask("/api/v1/sites/nowhere/changes", None), 404, "not-found");
    }
}

#[test]
fn a_silent_stream_says_that_it_lives_and_a_stop_ends_it() {
    let app = TestApp::start_with(Database::sqlite(), &[("feed.heartbeat_seconds", "1")]);
    let mut listener = Listener::new(&app, ADMIN_KEY, "", None);
    assert_eq!(listener.until(": "), "open");
    assert_eq!(listener.until(": "), "still here");
    drop(app);
    listener.hears_the_end();
}

#[test]
fn what_has_aged_out_is_gone_and_is_said_to_be() {
    with_settings(&[("feed.kept_days", "400")], |app| {
        gold(app);
        buys(app, 1);
        buys(app, 2);
        app.at(app.clock.now() + TimeDelta::days(400));
        assert_eq!(app.changes().len(), 2, "kept to the day");
        app.at(app.clock.now() + TimeDelta::minutes(2));
        buys(app, 3);
        assert_eq!(
            each(&app.changes(), "id"),
            ["3"],
            "whoever names no position gets what there is"
        );
        problem(&app.get(&format!("{SITE}/changes?after=0")), 410, "gone");
        problem(&app.get(&format!("{SITE}/changes?after=1")), 410, "gone");
        let on = items(&app.get(&format!("{SITE}/changes?after=2")));
        assert_eq!(each(&on, "id"), ["3"], "who has read up to there has missed nothing");
        let stale = app.request("GET", &format!("{SITE}/changes"), |request| {
            let request = request.bearer_auth(ADMIN_KEY).header("accept", "text/event-stream");
            request.header("last-event-id", "1")
        });
        problem(&stale, 410, "gone");
        assert_eq!(Listener::new(app, ADMIN_KEY, "", Some(2)).event().0, 3);
    });
}
