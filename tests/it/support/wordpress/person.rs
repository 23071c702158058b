//! A person with a browser, as far as one needs it to set a password and log in.

use std::collections::BTreeMap;

/// A browser: it keeps cookies, and follows where it is led.
pub struct Person {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    cookies: BTreeMap<String, String>,
}

/// A page that a browser has come to.
#[derive(Debug)]
pub struct Page {
    /// What is on it.
    pub text: String,
}

impl Page {
    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\"")).expect("the field");
        let (_, rest) = rest.split_once("value=\"").expect("its value");
        rest.split('"').next().expect("its end").to_owned()
    }
}

impl Person {
    /// Somebody who has been nowhere yet.
    pub fn new() -> Self {
        let policy = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(policy).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            client: client.expect("a client"),
            runtime: runtime.expect("a runtime"),
            cookies: BTreeMap::new(),
        }
    }

    /// Sets a password by the link in a mail of WordPress's, as the page behind it asks for.
    pub fn sets_password(&mut self, mail: &str, password: &str) {
        let link = mail.lines().find(|line| line.contains("action=rp")).expect("a link").trim();
        let page = self.opens(link);
        let key = page.hidden("rp_key");
        let root = link.split("/wp-login.php").next().expect("a site");
        let form = [("pass1", password), ("pass2", password), ("rp_key", key.as_str())];
        let page = self.sends(&format!("{root}/wp-login.php?action=resetpass"), &form);
        assert!(page.text.contains("Your password has been reset."), "{}", page.text);
    }

    /// Logs in; whether the site lets them.
    pub fn logs_in(&mut self, site: &str, login: &str, password: &str) -> bool {
        let page = format!("{site}/wp-login.php");
        self.opens(&page);
        let form = [("log", login), ("pwd", password), ("testcookie", "1")];
        self.sends(&page, &form);
        self.cookies.keys().any(|name| name.starts_with("wordpress_logged_in_"))
    }

    /// Opens a page.
    pub fn opens(&mut self, url: &str) -> Page {
        let request = self.client.get(url);
        self.goes(url, request)
    }

    /// Sends a form.
    pub fn sends(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url).body(body);
        self.goes(url, request.header("content-type", "application/x-www-form-urlencoded"))
    }

    /// Sends a request and follows where it leads.
    fn goes(&mut self, url: &str, mut request: reqwest::RequestBuilder) -> Page {
        let mut url = reqwest::Url::parse(url).expect("a URL");
        for _ in 0..5 {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request_now = request.header("cookie", cookies.join("; "));
            let response = self.runtime.block_on(request_now.send()).expect("an answer");
            let header =
                |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
            for cookie in response.headers().get_all("set-cookie").iter().map(header) {
                let pair = cookie.split(';').next().expect("a cookie");
                let (name, value) = pair.split_once('=').expect("a value");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers().get("location").map(header) else {
                let text = self.runtime.block_on(response.text()).expect("a page");
                return Page { text };
            };
            url = url.join(&location).expect("a URL");
            request = self.client.get(url.clone());
        }
        panic!("{url} leads on for ever");
    }
}
