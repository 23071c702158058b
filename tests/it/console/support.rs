//! Somebody at the console: a browser without JavaScript, as far as HTTP goes.

use crate::support::{ADMIN_KEY, Reply, TestApp};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Somebody at the console, with their cookies.
pub struct Console {
    base: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// A page as it came.
#[derive(Debug, Clone)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// What was answered.
    pub html: String,
    /// Where it sends the browser to; empty where it does not.
    pub location: String,
    /// The whole answer.
    pub reply: Reply,
}

impl Page {
    /// Whether a text stands on the page, as a reader sees it.
    pub fn says(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// What a reader sees: without tags, entities read, white space closed up. Only what begins a box of its own parts words.
    pub fn text(&self) -> String {
        const WITHIN_A_LINE: [&str; 8] =
            ["a", "code", "em", "span", "strong", "summary", "time", "abbr"];
        let mut text = String::new();
        for part in self.html.split('<') {
            let (tag, rest) = part.split_once('>').unwrap_or(("", part));
            let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
            if !WITHIN_A_LINE.contains(&name) {
                text.push(' ');
            }
            text.push_str(rest);
        }
        entities_read(&text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What the first field of a name holds.
    pub fn value_of(&self, name: &str) -> Option<String> {
        let at = self.html.find(&format!("name=\"{name}\""))?;
        let tag = self.html[..at].rfind('<')?;
        let tag = &self.html[tag..tag + self.html[tag..].find('>')?];
        let value = tag.split_once("value=\"")?.1;
        Some(entities_read(&value[..value.find('"')?]))
    }
}

/// Text as a browser reads it.
fn entities_read(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"");
    text.replace("&#39;", "'").replace("&#38;", "&").replace("&amp;", "&")
}

impl Console {
    /// A browser that nobody has signed in with.
    pub fn open(app: &TestApp) -> Self {
        Self::at(&format!("http://{}", app.address()))
    }

    /// A browser at any program.
    pub fn at(base: &str) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let base = base.trim_end_matches('/').to_owned();
        let cookies = RefCell::default();
        Self { base, client, runtime: runtime.expect("a runtime"), cookies }
    }

    /// A browser that somebody has signed in with, by the admin key.
    pub fn sign_in(app: &TestApp) -> Self {
        Self::sign_in_with(app, ADMIN_KEY)
    }

    /// A browser that somebody has signed in with, by a key.
    pub fn sign_in_with(app: &TestApp, key: &str) -> Self {
        let console = Self::open(app);
        let done = console.form_from("/sign-in", "/sign-in", &[("key", key)]);
        assert_eq!(done.status, 303, "{done:?}");
        console
    }

    /// Opens a page; where it sends to is not followed.
    pub fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], None)
    }

    /// Opens a page, and whatever it sends to.
    pub fn follow(&self, path: &str) -> Page {
        let mut page = self.get(path);
        for _ in 0..5 {
            if page.location.is_empty() {
                return page;
            }
            page = self.get(&page.location.clone());
        }
        panic!("sent on and on: {page:?}")
    }

    /// Sends a form of a page at the address that it goes to, with the token that the first page of the site carries.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.form_from("/sites", path, fields)
    }

    /// As [`Console::form`], from the page that holds it.
    pub fn form_from(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.get(page).value_of("csrf").expect("a token in the page");
        let fields: Vec<(&str, &str)> =
            [("csrf", &*csrf)].into_iter().chain(fields.iter().copied()).collect();
        self.send("POST", path, &[("sec-fetch-site", "same-origin")], Some(&fields))
    }

    /// Sends anything at all.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Page {
        let method: reqwest::Method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(form) = form {
            let body: String =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request =
                request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let reply = self
            .runtime
            .block_on(async { Reply::read(request.send().await.expect("an answer")).await });
        self.keep(&reply);
        Page {
            status: reply.status,
            html: reply.text.clone(),
            location: reply.header("location").unwrap_or_default().to_owned(),
            reply,
        }
    }

    /// Takes the cookies of an answer, as a browser does.
    fn keep(&self, reply: &Reply) {
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// A cookie that the browser holds.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    /// Puts a cookie into the browser.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }
}
