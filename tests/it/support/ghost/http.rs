//! As much of HTTP as the stand-in needs: one request for each connection.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A request.
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// What its query says.
    pub query: BTreeMap<String, String>,
    /// Its headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// Its method and its path.
    pub fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What its query says of a name; empty where it says nothing.
    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The one thing that its body is about.
    pub fn one(&self, of: &str) -> Option<Value> {
        assert_eq!(self.headers.get("content-type").map(String::as_str), Some("application/json"));
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        match body[of].as_array()?.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// More of its headers, each with its end of line.
    pub headers: &'static str,
    /// Its body.
    pub body: String,
    /// How many bytes of it belong to the answer; `None` for all.
    pub length: Option<usize>,
}

impl Answer {
    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let (headers, body) = ("Content-Type: application/json\r\n", body.to_string());
        Self { status, headers, body, length: None }
    }

    /// Ghost's way to say no. An empty context is none.
    pub fn refusal(status: u16, kind: &str, message: &str, context: &str) -> Self {
        let context = Some(context).filter(|context| !context.is_empty());
        Self::json(
            status,
            &json!({ "errors": [{
                "message": message, "context": context, "type": kind, "details": null, "property": null,
                "help": null, "code": null, "id": "7c5d9c00-0000-11f0-8000-000000000000", "ghostErrorCode": null,
            }] }),
        )
    }
}

/// Reads a request, has it answered, and writes the answer; where there is none, the connection just ends.
pub fn serve(stream: TcpStream, answer: impl FnOnce(&Request) -> Option<Answer>) {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else { return };
    let Some(Answer { status, headers, body, length }) = answer(&request) else { return };
    let head = format!(
        "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        length.unwrap_or(body.len())
    );
    // Whoever asked may have gone.
    let _ = reader.get_mut().write_all(format!("{head}{body}").as_bytes());
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, url) = first.strip_suffix(" HTTP/1.1")?.split_once(' ')?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let (method, path) = (method.to_owned(), path.to_owned());
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut headers = BTreeMap::new();
    while let Some(header) = line().filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ")?;
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(Ok(0), |length| length.parse()).ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, query, headers, body })
}
