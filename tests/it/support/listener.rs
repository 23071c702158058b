//! Whoever listens to a feed as Server-Sent Events.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Whoever reads a stream, line by line.
pub struct Listener(BufReader<TcpStream>);

impl Listener {
    /// Asks a server for a feed; `last` is what it had last.
    pub fn new(address: &str, key: &str, path: &str, last: Option<i64>) -> Self {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a deadline");
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
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
    pub fn event(&mut self) -> (i64, Value) {
        let id = self.until("id: ").parse().expect("a position");
        assert_eq!(self.until("event: "), "change");
        (id, serde_json::from_str(&self.until("data: ")).expect("a change"))
    }

    /// Reads on to a line that begins so; answers the rest of it.
    pub fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line().expect("the stream goes on");
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Reads on until the other side ends the stream.
    pub fn hears_the_end(&mut self) {
        while self.line().is_some_and(|line| !line.starts_with("id: ")) {}
        assert_eq!(self.line(), None, "nothing follows the end");
    }
}
