//! The one client for every call that goes out.
//!
//! An address is vetted where it is connected to: a name is looked up once for each connection, what is not
//! public is taken out of the answer, and exactly what is left is connected to ([`vet`] says what is public,
//! `egress.allow` what else may be reached). So a name that changes its address between a check and a call
//! leads nowhere else. An address that stands in a URL itself, in whatever form, is vetted before each call.
//!
//! Absences that tests check: no redirect is followed, no proxy of the environment is used, no certificate
//! goes unchecked, no call lasts longer than [`CALL_SECONDS_MAX`], no more than [`ANSWER_BYTES_MAX`] of an
//! answer is kept; no error tells a URL, which may hold a secret.

pub mod vet;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use reqwest::{Method, Url};

/// How long a connection may take to be made, in seconds.
pub const CONNECT_SECONDS_MAX: u64 = 10;
/// How long a call may take in all, in seconds.
pub const CALL_SECONDS_MAX: u64 = 30;
/// How many bytes of an answer are kept; the rest is not read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a connection is kept that nothing is sent over, in seconds.
const IDLE_SECONDS_MAX: u64 = 5;
/// How many such connections are kept for each host.
const IDLE_MAX: usize = 4;
/// The longest URL that is taken, in characters.
pub const URL_CHARS_MAX: usize = 2_000;

/// What finds the addresses of a name.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of a name.
    fn lookup(&self, name: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// Asks the system.
struct System;

impl Lookup for System {
    fn lookup(&self, name: &str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The URL is none that is called.
    #[error("the URL {0}")]
    Url(String),
    /// All addresses that the host has are private, or of this machine, or otherwise not public.
    #[error("the host has no public address; egress.allow names what may be reached besides")]
    Forbidden,
    /// It took too long.
    #[error(
        "no answer within {CALL_SECONDS_MAX} seconds, or no connection within {CONNECT_SECONDS_MAX}"
    )]
    TooSlow,
    /// No connection came about: no such host, nobody listens, a certificate that does not hold.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke off.
    #[error("the connection broke off: {0}")]
    Broken(String),
}

impl CallError {
    /// What to do about a URL that cannot be called, where it is written.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Url(what) => what.clone(),
            Self::Forbidden => {
                "must not lead to an address of this machine or of a private network, unless \
                 egress.allow in the configuration names it: two lines in config/local.toml, [egress] \
                 and allow = [\"127.0.0.0/8\"], say so of this machine"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// After how many seconds the receiver asks to be tried again; `None` where it does not say.
    pub retry_after_seconds: Option<i64>,
    /// The body, as far as it is kept.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Answer {
    /// A header, by its name; `None` where there is none, or none that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the receiver has taken what was sent: 2xx and nothing else.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Headers, as (name, value).
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    lookup: Arc<dyn Lookup>,
    allow: Arc<[IpNet]>,
    /// Made with the first call: it reads all certificates that the system trusts.
    client: Arc<OnceLock<Client>>,
}

impl Egress {
    /// A client that reaches public addresses, and those that are allowed besides.
    #[must_use]
    pub fn new(allow: &[IpNet]) -> Self {
        Self::with_lookup(allow, Arc::new(System))
    }

    /// The same, with another way to find the addresses of a name.
    #[must_use]
    pub fn with_lookup(allow: &[IpNet], lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, allow: allow.into(), client: Arc::default() }
    }

    fn client(&self) -> Result<&Client, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let (lookup, allow) = (Arc::clone(&self.lookup), Arc::clone(&self.allow));
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(Vetted { lookup, allow }))
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .timeout(Duration::from_secs(CALL_SECONDS_MAX))
            .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
            .pool_max_idle_per_host(IDLE_MAX)
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CallError::Connect(reason(&error)))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Reads a URL that is to be called, and says what can be seen to be wrong with it at once.
    pub fn check(&self, url: &str) -> Result<Url, CallError> {
        vet::url(url, &self.allow)
    }

    /// Asks for a URL.
    pub async fn get(&self, url: &str) -> Result<Answer, CallError> {
        self.call(Method::GET, url, Message::default()).await
    }

    /// Posts something to a URL.
    pub async fn post(&self, url: &str, message: Message) -> Result<Answer, CallError> {
        self.call(Method::POST, url, message).await
    }

    /// Sends something to a URL.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        message: Message,
    ) -> Result<Answer, CallError> {
        // An address that stands in the URL itself is never looked up.
        let url = self.check(url)?;
        let mut request = self.client()?.request(method, url);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        if !message.body.is_empty() {
            request = request.body(message.body);
        }
        let response = request.send().await.map_err(told)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let retry_after_seconds = retry_after(&headers);
        let body = read(response).await?;
        Ok(Answer { status, retry_after_seconds, body, headers })
    }
}

/// Reads an answer, as far as it is kept.
async fn read(mut response: Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        let room = ANSWER_BYTES_MAX - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    Ok(body)
}

/// What `Retry-After` asks for, where it is a number of seconds.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Why a call has failed, without its URL.
fn told(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    match () {
        () if causes(&error).any(<dyn Error>::is::<NothingPublic>) => CallError::Forbidden,
        () if error.is_timeout() => CallError::TooSlow,
        () if error.is_connect() => CallError::Connect(reason(&error)),
        () => CallError::Broken(reason(&error)),
    }
}

/// The innermost cause of an error: the outer ones only say that there is one.
fn reason(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// A name has addresses, but none that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct NothingPublic;

/// Finds the addresses of a name that may be reached.
struct Vetted {
    lookup: Arc<dyn Lookup>,
    allow: Arc<[IpNet]>,
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str());
        let allow = Arc::clone(&self.allow);
        Box::pin(async move {
            let mut found = found.await?;
            if found.is_empty() {
                return Err("no address".into());
            }
            found.retain(|ip| vet::may_be_reached(*ip, &allow));
            if found.is_empty() {
                return Err(NothingPublic.into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
