//! Whoever is called: it keeps what it heard, and answers as it was told to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its first line without the version.
    pub what: String,
    /// Its headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
}

/// How a request is answered.
pub enum Answer {
    /// With a status, more headers, and a body.
    With(u16, &'static str, Vec<u8>),
    /// When it is told to, with 200: whoever asked hangs until then.
    When(Inbox<()>),
    /// Not at all: the connection is closed.
    Never,
}

/// A status and nothing else.
pub fn status(status: u16) -> Answer {
    Answer::With(status, "", Vec::new())
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    answers: VecDeque<Answer>,
}

/// Whoever is called.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    told: Inbox<()>,
}

impl Receiver {
    /// Listens on an address of loopback.
    pub fn start_on(ip: &str) -> Self {
        Self::serving(TcpListener::bind((ip, 0)).expect("a port"))
    }

    /// Listens.
    pub fn start() -> Self {
        Self::start_on("127.0.0.1")
    }

    /// Listens again where it did before.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::serving(TcpListener::bind(address).expect("the port"))
    }

    fn serving(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let (tell, told) = channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, tell) = (Arc::clone(&shared), tell.clone());
                std::thread::spawn(move || serve(stream, &shared, &tell));
            }
        });
        Self { address, state, told }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers next, in order; with 200 when it was told nothing.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// All that it has heard.
    pub fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
    }

    /// Waits until a request has come.
    pub fn waits_for_one(&self) {
        self.told.recv_timeout(Duration::from_mins(3)).expect("a request");
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, tell: &Sender<()>) {
    let mut reader = BufReader::new(stream);
    let Some(heard) = read(&mut reader) else { return };
    let answer = {
        let mut state = state.lock().unwrap();
        state.heard.push(heard);
        state.answers.pop_front().unwrap_or_else(|| status(200))
    };
    let _ = tell.send(());
    let (status, headers, body) = match answer {
        Answer::With(status, headers, body) => (status, headers, body),
        Answer::When(go) => {
            let _ = go.recv();
            (200, "", Vec::new())
        }
        Answer::Never => return,
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    let stream = reader.get_mut();
    // Whoever asked may have gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let what = first.strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = BTreeMap::new();
    while let Some(header) = line().filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ").expect("a header");
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("bytes"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { what, headers, body: String::from_utf8(body).expect("a text") })
}
