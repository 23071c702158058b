//! What tells an open page that a webhook came.

use super::support::Console;
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Ipn, TestApp, instant};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const STREAM: &str = "/sites/default/activity/stream";

/// An open stream of the console.
struct Live(TcpStream);

impl Live {
    fn open(app: &TestApp, console: &Console) -> Self {
        let session = console.cookie("latchkey_session").expect("a session");
        let mut socket = TcpStream::connect(app.address()).expect("connected");
        // Longer than any of these tests takes: what does not come then never comes.
        socket.set_read_timeout(Some(Duration::from_mins(3))).expect("a deadline");
        let request = format!(
            "GET {STREAM} HTTP/1.1\r\nhost: {}\r\ncookie: latchkey_session={session}\r\n\r\n",
            app.address()
        );
        socket.write_all(request.as_bytes()).expect("asked");
        let mut live = Self(socket);
        let head = live.until(": open");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        live
    }

    /// What comes, up to a text.
    fn until(&mut self, text: &str) -> String {
        let (mut heard, mut buffer) = (String::new(), [0; 1024]);
        while !heard.contains(text) {
            let count = self.0.read(&mut buffer).expect("something in time");
            assert!(count > 0, "the stream has ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        heard
    }

    /// Waits until the stream has ended.
    fn ends(mut self) -> String {
        let (mut heard, mut buffer) = (String::new(), [0; 1024]);
        loop {
            match self.0.read(&mut buffer).expect("the end in time") {
                0 => return heard,
                count => heard.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
            // A chunk of no length is the last.
            if heard.ends_with("0\r\n\r\n") {
                return heard;
            }
        }
    }
}

fn received(app: &TestApp, number: u32) -> String {
    let body = Ipn::new("sale", number).of("dana@x.example").on("2025-12-01 09:00:00").body();
    app.receives(body).json["webhook_id"].as_str().expect("an id").to_owned()
}

on_both_databases! {
    fn an_open_page_is_told_of_every_webhook_and_of_what_became_of_it(app: &TestApp) {
        received(app, 1);
        app.drain();
        let mut live = Live::open(app, &Console::sign_in(app));
        let id = received(app, 2);
        let told = live.until("data: news");
        assert!(told.contains(&format!("id: {id}")), "{told}");
        // It was waiting: that it is applied is news again.
        app.drain();
        live.until("data: news");
    }

    fn a_stream_ends_when_whoever_opened_it_signs_out(app: &TestApp) {
        let console = Console::sign_in(app);
        let live = Live::open(app, &console);
        assert_eq!(console.form("/sign-out", &[]).status, 303);
        assert!(!live.ends().contains("news"));
    }

    fn a_stream_ends_with_the_key_and_keeps_no_session_alive(app: &TestApp) {
        let made = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] })).json;
        let of_key = Live::open(app, &Console::sign_in_with(app, made["key"].as_str().expect("a key")));
        let id = made["id"].as_str().expect("an id");
        assert_eq!(app.delete(&format!("/api/v1/keys/{id}")).status, 204);
        of_key.ends();
        let console = Console::sign_in_with(app, ADMIN_KEY);
        let idle = Live::open(app, &console);
        app.clock.set(instant("2026-01-01T12:00:01Z"));
        idle.ends();
    }

    fn there_is_room_for_so_many_streams(app: &TestApp) {
        let console = Console::sign_in(app);
        let room = app.app.streams();
        let all = room.try_acquire_many(u32::try_from(room.available_permits()).expect("a count")).expect("all of it");
        let refused = console.get(STREAM);
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.says("Too many pages are being kept up to date."), "{refused:?}");
        drop(all);
        drop(Live::open(app, &console));
        assert_eq!(Console::open(app).get(STREAM).status, 303, "nobody is told who is not signed in");
    }
}
