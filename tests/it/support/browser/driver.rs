//! How chromedriver is talked to: one for all tests of this process, and a session of it for each browser.

use crate::support::daemon::until_or_tell;
use crate::support::supervised::Supervised;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// How long a page may take to load, and a script to answer, in milliseconds.
const PATIENCE_MS: u32 = 120_000;
/// How many dialogs one after another are still waited out.
const DIALOGS_MAX: usize = 20;
/// Under which key an element is in an answer; the standard chose it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What Chromium is started with: no window, no sandbox (the tests may run as root), and no word to anybody outside.
/// Scrollbars take no room, as on a phone, so that a width is the width of the page.
const ARGUMENTS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--password-store=basic",
];

static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);

/// A chromedriver that runs, with a directory of its own for the profiles of its browsers.
struct Driver {
    url: String,
    _process: Supervised,
}

impl Driver {
    fn start() -> Self {
        let prefix = "latchkey-browser.";
        let directory =
            tempfile::Builder::new().prefix(prefix).tempdir().expect("a directory").keep();
        let log = directory.join("driver.log");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", &directory);
        let process = Supervised::start(&command, &log, Some(&directory));
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let started = |line: &str| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        };
        let port = until_or_tell("chromedriver", || said().lines().find_map(started), said);
        Self { url: format!("http://127.0.0.1:{port}"), _process: process }
    }
}

/// Why the driver did not do what it was told.
#[derive(Debug)]
pub struct Refused {
    /// The standard's word for it, such as `stale element reference`.
    pub error: String,
    /// What the driver says.
    pub message: String,
}

/// An element of the page that is shown. It is stale once the page is another.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Element {
    /// The element in an answer, where there is one.
    pub fn of(value: &Value) -> Option<Self> {
        value[ELEMENT].as_str().map(|id| Self(id.to_owned()))
    }

    /// As a script is given it.
    pub fn to_json(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }

    /// The address of a command about it.
    pub fn path(&self, command: &str) -> String {
        format!("/element/{}/{command}", self.0)
    }
}

/// One browser with a fresh profile, gone with this value.
pub struct Session {
    url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    shown: RefCell<Vec<String>>,
    dialogs: RefCell<Vec<String>>,
}

impl Session {
    /// Starts a browser; scripts of pages run in it or not.
    pub fn start(javascript: bool) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = crate::support::client();
        let (shown, dialogs) = (RefCell::default(), RefCell::default());
        let mut session = Self { url: String::new(), client, runtime, shown, dialogs };
        let setting = if javascript { 1 } else { 2 };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "pageLoad": PATIENCE_MS, "script": PATIENCE_MS },
            // A dialog is closed as if by Escape, and told of with the next answer.
            "unhandledPromptBehavior": "dismiss and notify",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": ARGUMENTS,
                "prefs": { "profile.managed_default_content_settings.javascript": setting },
            },
        } } });
        let started = session.call("POST", &format!("{}/session", DRIVER.url), &wanted);
        let started = started.expect("a browser");
        let id = started["sessionId"].as_str().expect("a session");
        session.url = format!("{}/session/{id}", DRIVER.url);
        session
    }

    /// Asks something that changes nothing, so that it can be asked again when a dialog stands before the page.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refused> {
        for _ in 0..DIALOGS_MAX {
            let answer = self.call(method, &format!("{}{path}", self.url), body);
            match answer {
                Err(refused) if self.is_dialog(&refused) => {}
                answer => return answer,
            }
        }
        Err(Refused { error: "dialog after dialog".into(), message: format!("{:?}", self.dialogs) })
    }

    /// Does something, once. Where it has a dialog open, it is done nevertheless.
    pub fn act(&self, path: &str, body: &Value) -> Result<(), Refused> {
        // A dialog that has been open before would be in the way.
        self.shown();
        match self.call("POST", &format!("{}{path}", self.url), body) {
            Err(refused) if !self.is_dialog(&refused) => Err(refused),
            _ => Ok(()),
        }
    }

    /// What a script returns that only looks.
    pub fn script(&self, script: &str, arguments: &[Value]) -> Result<Value, Refused> {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Says something to the browser past the page.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.ask("POST", "/goog/cdp/execute", &body).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// The addresses of the pages that have been shown so far.
    pub fn shown(&self) -> Vec<String> {
        if let Ok(Value::String(url)) = self.ask("GET", "/url", &Value::Null) {
            self.shown.borrow_mut().push(url);
        }
        self.shown.borrow().clone()
    }

    /// What the dialogs said that have opened so far.
    pub fn dialogs(&self) -> Vec<String> {
        self.shown();
        self.dialogs.borrow().clone()
    }

    /// Whether this is the news of a dialog; if so, it is taken down.
    fn is_dialog(&self, refused: &Refused) -> bool {
        let is_dialog = refused.error == "unexpected alert open";
        if is_dialog {
            self.dialogs.borrow_mut().push(refused.message.clone());
        }
        is_dialog
    }

    fn call(&self, method: &str, url: &str, body: &Value) -> Result<Value, Refused> {
        let request = self.client.request(method.parse().expect("a method"), url);
        let request = if method == "POST" { request.body(body.to_string()) } else { request };
        // This is also used when a test has failed already, where a second panic would hide the first.
        let none = |error: &dyn std::fmt::Display| Refused {
            error: "no answer".into(),
            message: error.to_string(),
        };
        let answer = self.runtime.block_on(async { request.send().await?.bytes().await });
        let answer = answer.map_err(|error| none(&error))?;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| none(&error))?;
        let value = answer["value"].take();
        let text = |at: &Value| at.as_str().map(str::to_owned);
        match text(&value["error"]) {
            None => Ok(value),
            Some(error) => {
                let told = text(&value["data"]["text"]).or(text(&value["message"]));
                Err(Refused { error, message: told.unwrap_or_default() })
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.url.is_empty() {
            let _ = self.call("DELETE", &self.url, &Value::Null);
        }
    }
}

/// The file of axe-core, as `tests/run` has fetched it; `None`, loudly, where there is no
/// browser or this is missing, and it is no CI.
#[expect(clippy::disallowed_methods, reason = "tests/run says where the file is")]
pub fn axe() -> Option<PathBuf> {
    const AXE: &str = "LATCHKEY_TEST_AXE";
    if let Ok(file) = std::env::var(AXE) {
        return Some(PathBuf::from(file));
    }
    assert!(std::env::var("CI").is_err(), "{AXE} is not set: CI runs with a browser");
    eprintln!("SKIPPED in a browser: {AXE} is not set; tests/run sets it");
    None
}
