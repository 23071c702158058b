//! Requests by hand, for what no HTTP client sends: the bytes are the test's own.

use crate::support::TestApp;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The address that the application listens on, as `host:port`.
pub fn address(app: &TestApp) -> String {
    let url = app.get(super::SITE).json["webhook_url"].as_str().expect("a URL").to_owned();
    let behind = url.split_once("://").expect("a scheme").1;
    behind.split_once('/').expect("a path").0.to_owned()
}

/// An answer that was read by hand.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON; null where it is none.
    pub json: Value,
}

/// Sends some pieces on a connection of its own, and reads until the server closes it.
pub fn send<'a>(app: &TestApp, pieces: impl IntoIterator<Item = &'a [u8]>) -> Answer {
    let mut stream = TcpStream::connect(address(app)).expect("connected");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a deadline");
    for piece in pieces {
        // A server that has answered may close before everything is sent.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Answer { status, json: serde_json::from_str(body).unwrap_or_default() }
}
