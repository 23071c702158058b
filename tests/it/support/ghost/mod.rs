//! A stand-in for Ghost's Admin API, on loopback.
//!
//! It is written from Ghost's documentation and its published source, not from watching one: the token, the filter,
//! what members, labels and tiers do when they are written, and the words of refusals are as they stand there.
//! Only two of its answers were seen with a real Ghost (6.65): that a member is made with 201, and that one who
//! exists is refused with 422 and "Member already exists". It knows no newsletters, and no more of the filter than
//! one property with one quoted text.
//!
//! What must never be sent makes the test fail when the stand-in goes: fields that are echoed, which would make
//! Stripe subscriptions, a version that is missing, and paths that the documentation does not have.

mod filter;
mod http;
mod members;
mod rules;
mod token;

pub use members::{Member, Tier};

use chrono::{DateTime, Utc};
use http::{Answer, Request};
use latchkey::clock::Clock;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};

/// Its Admin API key.
pub const KEY: &str =
    "65f0c0ffee65f0c0ffee65f0:a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// Where it stands below the site.
const ADMIN: &str = "/ghost/api/admin/";

/// What goes wrong with a call.
pub enum Fault {
    /// What is asked for is done, and the answer is lost.
    Lost,
    /// It is not done, and the answer says that it is.
    Lie,
    /// It is done, and answered twice.
    Twice,
    /// It is not done: something in front of Ghost, or Ghost itself, answers this instead, with these headers.
    Instead(u16, &'static str, String),
}

/// What it keeps.
#[derive(Default)]
pub struct State {
    /// All members.
    pub members: Vec<Member>,
    /// The names of all labels.
    pub labels: Vec<String>,
    /// All tiers.
    pub tiers: Vec<Tier>,
    /// Whether Stripe is connected.
    pub stripe: bool,
    /// Whom sign-up mails went to.
    pub mails: Vec<String>,
    /// The first line of each call, without the version.
    pub calls: Vec<String>,
    /// What was written, in order.
    pub bodies: Vec<Value>,
    /// What goes wrong with the next calls of a method.
    faults: VecDeque<(&'static str, Fault)>,
    /// What goes wrong with any call, as it is in the mood for.
    mood: Option<Mood>,
    /// What must never be sent, and was.
    wrong: Vec<String>,
    /// How many ids were given away.
    ids: u32,
}

/// What goes wrong with a call of a method, if anything.
pub type Mood = Box<dyn FnMut(&str) -> Option<Fault> + Send>;

/// A Ghost.
pub struct Ghost {
    address: SocketAddr,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

impl Ghost {
    /// Starts one with Stripe connected, and no tier but the free one.
    pub fn start() -> Self {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("an instant");
        Self::start_by(Clock::manual(start))
    }

    /// Starts one that goes by a clock.
    pub fn start_by(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = State { stripe: true, tiers: vec![Tier::free()], ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let (shared, time) = (Arc::clone(&state), clock.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, time) = (Arc::clone(&shared), time.clone());
                std::thread::spawn(move || {
                    http::serve(stream, |request| {
                        answer(&mut shared.lock().unwrap(), &time, request)
                    });
                });
            }
        });
        Self { address, clock, state }
    }

    /// The address of its site.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The clock by which it judges tokens.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What it keeps.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What goes wrong with the next call of a method that nothing went wrong with yet.
    pub fn fails(&self, method: &'static str, fault: Fault) {
        self.state().faults.push_back((method, fault));
    }

    /// What goes wrong from now on; `None` for nothing.
    pub fn is_in(&self, mood: Option<Mood>) {
        self.state().mood = mood;
    }

    /// The only member with an address.
    #[track_caller]
    pub fn member(&self, email: &str) -> Member {
        let state = self.state();
        let found: Vec<_> = state.members.iter().filter(|member| member.email == email).collect();
        assert_eq!(found.len(), 1, "{email}: {found:?}");
        found[0].clone()
    }

    /// How many calls of a method there were.
    pub fn count(&self, method: &str) -> usize {
        self.state().calls.iter().filter(|call| call.starts_with(method)).count()
    }
}

impl Drop for Ghost {
    fn drop(&mut self) {
        let wrong = std::mem::take(&mut self.state().wrong);
        assert!(std::thread::panicking() || wrong.is_empty(), "{wrong:#?}");
    }
}

/// Answers a request; `None` where the answer is lost.
fn answer(state: &mut State, clock: &Clock, request: &Request) -> Option<Answer> {
    state.calls.push(request.what());
    let fault = match state.faults.front() {
        Some((method, _)) if *method == request.method => state.faults.pop_front(),
        _ => None,
    };
    let moody = || state.mood.as_mut().and_then(|mood| mood(&request.method));
    let fault = fault.map(|(_, fault)| fault).or_else(moody);
    match fault {
        Some(Fault::Lie) => {
            let (members, labels) = (state.members.clone(), state.labels.clone());
            let mails = state.mails.clone();
            let said = done(state, clock, request);
            (state.members, state.labels, state.mails) = (members, labels, mails);
            Some(said)
        }
        Some(Fault::Twice) => {
            let said = done(state, clock, request);
            Some(Answer { body: said.body.repeat(2), length: Some(said.body.len()), ..said })
        }
        Some(Fault::Instead(status, headers, body)) => {
            Some(Answer { status, headers, body, length: None })
        }
        Some(Fault::Lost) => {
            done(state, clock, request);
            None
        }
        None => Some(done(state, clock, request)),
    }
}

/// Does what a request asks for.
fn done(state: &mut State, clock: &Clock, request: &Request) -> Answer {
    let Some(path) = request.path.strip_prefix(ADMIN) else {
        return Answer {
            status: 404,
            headers: "",
            body: "<h1>Page not found</h1>".to_owned(),
            length: None,
        };
    };
    let version = request.headers.get("accept-version").map_or("", String::as_str);
    if version.strip_prefix('v').is_none_or(|number| number.parse::<f32>().is_err()) {
        state.wrong.push(format!("{}: the accept-version {version:?}", request.what()));
    }
    if path != "site/"
        && let Err(refusal) = token::check(request, KEY, clock.now().timestamp())
    {
        return refusal;
    }
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["site", ""]) => {
            Answer::json(200, &json!({ "site": { "title": "A site", "version": "6.0" } }))
        }
        ("GET", ["members", ""]) => state.browse(request),
        ("POST", ["members", ""]) => state.add(request),
        ("GET", ["members", id, ""]) => state.read(id),
        ("PUT", ["members", id, ""]) => state.edit(id, request),
        ("GET", ["tiers", ""]) => Answer::json(200, &json!({ "tiers": state.tiers, "meta": {} })),
        ("GET", ["labels", ""]) => state.browse_labels(request),
        _ => {
            state.wrong.push(format!("{}: the documentation has no such path", request.what()));
            Answer::refusal(404, "NotFoundError", "Resource not found", "")
        }
    }
}
