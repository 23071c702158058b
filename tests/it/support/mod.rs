//! What the tests stand on: a whole Latchkey inside the test, on either database, with a clock of
//! the test's own and a flow that works when it is told to.
//!
//! A test never sleeps to wait: [`TestApp::drain`] works until nothing is due.

pub mod browser;
pub mod daemon;
mod database;
pub mod ghost;
pub mod hmac;
mod ipn;
mod listener;
mod reply;
mod row;
mod supervised;
pub mod wordpress;

pub use database::Database;
pub use ipn::Ipn;
pub use listener::Listener;
pub use reply::Reply;
pub use row::unreadable;

use chrono::{DateTime, Utc};
use latchkey::app::{self, App, Options};
use latchkey::clock::Clock;
use latchkey::core::grant::Core;
use latchkey::flow::rebuild;
use latchkey::settings::Settings;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The admin key that every test application accepts.
pub const ADMIN_KEY: &str = "lk_test_admin_key";
/// Where the clock of a test stands at first.
pub const START: &str = "2026-01-01T00:00:00Z";

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_hours(1);

/// Makes one test for each database out of a function that takes a [`TestApp`].
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* fn $name:ident($app:ident: &TestApp) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all that its file imports")]
            use super::*;

            fn story($app: &$crate::support::TestApp) $body

            #[test]
            fn on_sqlite() {
                let app = $crate::support::TestApp::start($crate::support::Database::sqlite());
                story(&app);
                app.is_as_the_events_say();
            }

            #[test]
            fn on_postgres() {
                if let Some(database) = $crate::support::Database::postgres() {
                    let app = $crate::support::TestApp::start(database);
                    story(&app);
                    app.is_as_the_events_say();
                }
            }
        }
    )*};
}

/// An instant out of RFC 3339.
pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A client that trusts no connection that the server may have closed since, after a long pause.
fn client() -> reqwest::Client {
    let idle_max = Duration::from_secs(2);
    reqwest::Client::builder().no_proxy().pool_idle_timeout(idle_max).build().expect("a client")
}

/// A Latchkey that runs inside the test.
pub struct TestApp {
    /// The parts.
    pub app: App,
    /// The test's own clock.
    pub clock: Clock,
    /// Where `/metrics` is alone, with its scheme; `None` where it is on the main address.
    pub metrics: Option<String>,
    base: String,
    /// The URL of its database.
    pub database_url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    data: TempDir,
    _database: Database,
}

impl TestApp {
    /// Starts one on a fresh database.
    pub fn start(database: Database) -> Self {
        Self::start_with(database, &[])
    }

    /// Starts one with settings of its own, as (key, value).
    pub fn start_with(database: Database, more: &[(&str, &str)]) -> Self {
        Self::start_as(database, more, &Options::default())
    }

    /// Starts another one on the same database and sealing key, as a process beside it. Its streams
    /// never look by themselves: they only hear. It has to be gone before the first one.
    pub fn beside(&self) -> Self {
        self.beside_as(&[], None)
    }

    /// As [`TestApp::beside`], with settings of its own, and perhaps another version of the core.
    pub fn beside_as(&self, more: &[(&str, &str)], core: Option<Core>) -> Self {
        let directory = self.data.path().display().to_string();
        let same = [("data_dir", &*directory), ("database.url", &*self.database_url)];
        let options = Options { core, stream_looks_every: Some(FOR_EVER), ..Options::default() };
        Self::start_as(Database::sqlite(), &[&same, more].concat(), &options)
    }

    fn start_as(database: Database, more: &[(&str, &str)], options: &Options) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let directory = data.path().display().to_string();
        let url = database.url(data.path());
        let mut overrides: Vec<(String, String)> = vec![
            ("data_dir".into(), directory),
            ("database.url".into(), url),
            ("server.bind".into(), "127.0.0.1:0".into()),
            ("server.workers".into(), "1".into()),
            ("admin.key".into(), ADMIN_KEY.into()),
            // A test jumps through the years, and looks at all that happened.
            ("feed.kept_days".into(), "0".into()),
            ("webhooks.bodies_kept_days".into(), "0".into()),
        ];
        overrides.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let no_file = data.path().join("no-such-file.toml");
        let settings = Settings::load_from(None, &no_file, [], &overrides).expect("settings");
        let clock = Clock::manual(instant(START));
        let options = Options { clock: clock.clone(), idle_flow: true, ..options.clone() };
        let database_url = settings.database.url.expose_secret().to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let running = app::start(&settings, &options).expect("started");
                tell.send((running.app.clone(), running.address, running.metrics_address))
                    .expect("told");
                let stopped = async { drop(stopped.await) };
                running.until(stopped).await.expect("stopped");
            });
        });
        let (app, address, metrics) = told.recv().expect("running");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = client();
        Self {
            app,
            clock,
            metrics: metrics.map(|address| format!("http://{address}")),
            base: format!("http://{address}"),
            database_url,
            client,
            runtime,
            stop: Some(stop),
            server: Some(server),
            data,
            _database: database,
        }
    }

    /// The webhook URL of the default site, without the base.
    pub fn hook(&self) -> String {
        self.hook_of("default")
    }

    /// The webhook URL of a site, without the base.
    pub fn hook_of(&self, site: &str) -> String {
        let found = self.get(&format!("/api/v1/sites/{site}"));
        let url = found.json["webhook_url"].as_str().expect("a webhook URL").to_owned();
        url[url.find("/hooks/").expect("a hook")..].to_owned()
    }

    /// Posts a body to the default site, as Kartra would; it is stored, not yet applied.
    pub fn receives(&self, body: impl Into<Vec<u8>>) -> Reply {
        let hook = self.hook();
        self.post_raw(&hook, body)
    }

    /// Posts bytes without a key.
    pub fn post_raw(&self, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.send(self.client.post(format!("{}{path}", self.base)).body(body.into()))
    }

    /// Posts many bodies at the same time, each of which has to be stored.
    pub fn post_raw_at_once(&self, path: &str, bodies: Vec<Vec<u8>>) {
        let url = format!("{}{path}", self.base);
        let posted = bodies.into_iter().map(|body| self.client.post(&url).body(body).send());
        for reply in self.runtime.block_on(futures_util::future::join_all(posted)) {
            assert_eq!(reply.expect("an answer").status(), 200);
        }
    }

    /// The address that it listens on, as `host:port`.
    pub fn address(&self) -> &str {
        self.base.strip_prefix("http://").expect("a scheme")
    }

    /// Works until nothing is due.
    pub fn drain(&self) {
        self.app.flow().drain().expect("drained");
    }

    /// Moves the clock on, and works off what that made due.
    pub fn at(&self, instant: DateTime<Utc>) {
        self.clock.set(instant);
        self.drain();
    }

    /// Asks with the admin key.
    pub fn get(&self, path: &str) -> Reply {
        self.send(self.client.get(format!("{}{path}", self.base)).bearer_auth(ADMIN_KEY))
    }

    /// Writes JSON with the admin key.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(
            self.client
                .post(format!("{}{path}", self.base))
                .bearer_auth(ADMIN_KEY)
                .body(body.to_string()),
        )
    }

    /// Merges JSON with the admin key.
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(
            self.client
                .patch(format!("{}{path}", self.base))
                .bearer_auth(ADMIN_KEY)
                .body(body.to_string()),
        )
    }

    /// Deletes with the admin key.
    pub fn delete(&self, path: &str) -> Reply {
        self.send(self.client.delete(format!("{}{path}", self.base)).bearer_auth(ADMIN_KEY))
    }

    /// Any request at all; `edit` is given the builder.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        edit: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Reply {
        let method = method.parse().expect("a method");
        self.send(edit(self.client.request(method, format!("{}{path}", self.base))))
    }

    /// Asks another address of the program, without a key.
    pub fn get_from(&self, base: &str, path: &str) -> Reply {
        self.send(self.client.get(format!("{base}{path}")))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.runtime.block_on(async { Reply::read(request.send().await.expect("an answer")).await })
    }

    /// Makes a level on the default site.
    pub fn level(&self, id: &str) {
        let made = self.post("/api/v1/sites/default/levels", &serde_json::json!({ "id": id }));
        assert_eq!(made.status, 201, "{made:?}");
    }

    /// Maps a product to a level on the default site; answers the mapping.
    pub fn map(&self, mapping: &Value) -> Value {
        let made = self.post("/api/v1/sites/default/mappings", mapping);
        assert_eq!(made.status, 201, "{made:?}");
        made.json
    }

    /// The access of an address on the default site, as the API gives it.
    pub fn access_of(&self, email: &str) -> Value {
        let found = self.get(&format!("/api/v1/sites/default/members/{email}/access"));
        assert_eq!(found.status, 200, "{found:?}");
        found.json
    }

    /// The access of an address at an instant.
    pub fn access_at(&self, email: &str, at: DateTime<Utc>) -> Value {
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let found = self.get(&format!("/api/v1/sites/default/members/{email}/access?at={at}"));
        assert_eq!(found.status, 200, "{found:?}");
        found.json
    }

    /// The names of the levels that an address holds now.
    pub fn levels_of(&self, email: &str) -> Vec<String> {
        names(&self.access_of(email))
    }

    /// Every change of the default site's feed.
    pub fn changes(&self) -> Vec<Value> {
        let found = self.get("/api/v1/sites/default/changes?limit=500");
        found.json["items"].as_array().expect("items").clone()
    }

    /// The webhooks of the default site, newest first.
    pub fn webhooks(&self) -> Vec<Value> {
        let found = self.get("/api/v1/sites/default/webhooks?limit=500");
        found.json["items"].as_array().expect("items").clone()
    }

    /// Nothing is recorded that the events do not say, on any site.
    pub fn is_as_the_events_say(&self) {
        self.drain();
        let sites = self.get("/api/v1/sites?limit=500");
        for site in sites.json["items"].as_array().expect("items") {
            if site["enabled"] == true {
                let found = rebuild::check(self.app.flow(), site["id"].as_str().expect("an id"));
                assert_eq!(found.expect("checked"), [], "rebuild --check");
            }
        }
    }
}

/// The names of the levels in an answer about access.
pub fn names(access: &Value) -> Vec<String> {
    let levels = access["levels"].as_array().expect("levels");
    levels.iter().map(|held| held["level"].as_str().expect("a level").to_owned()).collect()
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // The server ends by itself; it still holds the store until then, so nothing is joined here
        // that would wait for our own handle on it.
        drop(self.server.take());
    }
}
