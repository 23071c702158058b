//! The site that is simulated against, as its API shows it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono_tz::Tz;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::host::api_and_token;
use crate::core;
use crate::core::event::Vouched;
use crate::core::mapping::Mapping;
use crate::core::policy::Policy;
use crate::simulate::{Level, Rules};

/// Where a key may come from, besides `--key-file`.
pub const KEY_VARIABLE: &str = "LATCHKEY_KEY";
/// No more of an answer is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many items of a list are asked for at once.
const PAGE: &str = "500";
/// No more pages of a list are read.
const PAGES_MAX: usize = 1_000;
/// A question that is not answered is asked so many times …
const ASKED_MAX: u32 = 4;
/// … with this much between.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// So often it is looked whether everything has been applied.
const LOOKED_EVERY: Duration = Duration::from_millis(200);

const HOW_TO_MAKE_ONE: &str = "`latchkey keys create --name simulate --scope manage` makes one";

/// An API key. It is in no log and in no list of processes.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key in a file, else the one in the environment; or why there is none.
    #[expect(
        clippy::disallowed_methods,
        reason = "a key to another Latchkey is no setting of this one"
    )]
    pub fn given(file: Option<&Path>) -> Result<Self, String> {
        let (key, place) = match file {
            Some(file) => {
                let place = file.display().to_string();
                let text = std::fs::read_to_string(file);
                (text.map_err(|error| format!("--key-file names {place}: {error}"))?, place)
            }
            None => (std::env::var(KEY_VARIABLE).unwrap_or_default(), format!("${KEY_VARIABLE}")),
        };
        let key = key.trim();
        if key.is_empty() {
            return Err(match file {
                Some(_) => format!("{place} is empty; put an API key there: {HOW_TO_MAKE_ONE}"),
                None => format!(
                    "--check reads the site over its API, which needs a key: {HOW_TO_MAKE_ONE}. Name its file with \
                     --key-file, or set {KEY_VARIABLE}"
                ),
            });
        }
        Ok(Self(key.to_owned()))
    }
}

/// A site and the way to it.
#[derive(Debug, Clone)]
pub struct Site {
    client: Client,
    api: Url,
    key: Key,
    /// Its id.
    pub id: String,
}

/// What of a site matters here.
#[derive(Debug, Deserialize)]
struct Shown {
    id: String,
    /// Only a key with the scope `manage` is shown it.
    webhook_url: Option<String>,
    kartra_time_zone: Tz,
    enabled: bool,
    ipn_secret_set: bool,
    policy: Policy,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// A webhook that has not been applied.
#[derive(Debug, Deserialize)]
struct Pending {
    received_at: core::Instant,
}

/// What somebody holds, as the site answers.
#[derive(Debug, Deserialize)]
pub struct Answered {
    /// The instant that it answers for.
    pub at: core::Instant,
    /// The levels held.
    pub levels: Vec<Level>,
}

impl Site {
    /// The site whose webhook URL this is.
    pub async fn find(client: Client, to: &Url, key: Key) -> anyhow::Result<Self> {
        let (api, token) = api_and_token(to).context(
            "--check needs a webhook URL of Latchkey, …/hooks/kartra/…; copy it as `latchkey serve` prints it",
        )?;
        let mut site = Self { client, api, key, id: String::new() };
        let sites: Vec<Shown> = site.list(&["sites"]).await?;
        if sites.iter().any(|shown| shown.webhook_url.is_none()) {
            bail!("{} shows no webhook URL to this key: {HOW_TO_MAKE_ONE}", site.origin());
        }
        let is_it = |shown: &Shown| {
            let shown = shown.webhook_url.as_deref().and_then(|url| Url::parse(url).ok());
            shown.as_ref().and_then(api_and_token).is_some_and(|(_, shown)| shown == token)
        };
        let found = sites.into_iter().find(is_it).with_context(|| {
            format!(
                "no site that this key opens at {} has this webhook URL; copy the URL again, or take a key of its site",
                site.origin()
            )
        })?;
        site.must_apply(&found)?;
        site.id = found.id;
        Ok(site)
    }

    /// What the site makes of what it is told now; `rejected` says whether it has rejected IPNs.
    pub async fn rules(&self, rejected: bool) -> anyhow::Result<Rules> {
        let shown = self.shown().await?;
        let mappings: Vec<Mapping> = self.list(&["sites", &self.id, "mappings"]).await?;
        let ipn = match (shown.ipn_secret_set, rejected) {
            (_, true) => None,
            (true, false) => Some(Vouched::Ipn),
            (false, false) => Some(Vouched::Unchecked),
        };
        Ok(Rules { zone: shown.kartra_time_zone, policy: shown.policy, mappings, ipn })
    }

    /// Returns when the site has applied all that it had received by an instant; `tick` is called while it has not.
    pub async fn applied(
        &self,
        by: core::Instant,
        within: Duration,
        tick: impl Fn(),
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let pending = [("status", "pending"), ("limit", PAGE)];
        loop {
            let page: Page<Pending> = self.get(&["sites", &self.id, "webhooks"], &pending).await?;
            // The newest come first. What Kartra sends meanwhile is not waited for.
            let earlier = page.next_cursor.is_some();
            if !earlier && page.items.iter().all(|webhook| webhook.received_at > by) {
                return Ok(());
            }
            self.must_apply(&self.shown().await?)?;
            if began.elapsed() >= within {
                bail!(
                    "the site {} has not applied everything within {} seconds; give it longer with --wait, and look at \
                     {}sites/{}/webhooks?status=pending",
                    self.id,
                    within.as_secs(),
                    self.api,
                    self.id
                );
            }
            tick();
            sleep(LOOKED_EVERY).await;
        }
    }

    /// What somebody with an address holds at an instant; now where none is given.
    pub async fn access(&self, email: &str, at: Option<core::Instant>) -> anyhow::Result<Answered> {
        let path = ["sites", &self.id, "members", email, "access"];
        let at = at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        let query: Vec<_> = at.iter().map(|at| ("at", at.as_str())).collect();
        self.get(&path, &query).await
    }

    async fn shown(&self) -> anyhow::Result<Shown> {
        self.get(&["sites", &self.id], &[]).await
    }

    /// A disabled site applies nothing, however long one waits.
    fn must_apply(&self, shown: &Shown) -> anyhow::Result<()> {
        if !shown.enabled {
            bail!(
                "the site {} is disabled: it stores what it is told and applies nothing; enable it with \
                 PATCH {}sites/{} {{\"enabled\": true}}",
                shown.id,
                self.api,
                shown.id
            );
        }
        Ok(())
    }

    fn origin(&self) -> String {
        self.api.origin().ascii_serialization()
    }

    async fn list<T: DeserializeOwned>(&self, path: &[&str]) -> anyhow::Result<Vec<T>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(path, &query).await?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(items);
            }
        }
        bail!("{} lists more than can be read", self.origin())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let mut url = self.api.clone();
        let mut segments = url.path_segments_mut().map_err(|()| anyhow!("no web address"))?;
        segments.pop_if_empty().extend(path);
        drop(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut asked = 0;
        let (status, body) = loop {
            asked += 1;
            match self.ask(url.clone()).await {
                Ok((status, _)) if is_passing(status) && asked < ASKED_MAX => {}
                Ok(answer) => break answer,
                Err(_) if asked < ASKED_MAX => {}
                Err(error) => {
                    let error = error.without_url();
                    bail!("{} does not answer ({error}); is it still running?", self.origin());
                }
            }
            sleep(ASKED_AGAIN_AFTER).await;
        };
        if status == StatusCode::OK {
            let read = serde_json::from_slice(&body);
            return read.with_context(|| {
                format!("{} answers in words of another version of Latchkey", self.origin())
            });
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str).unwrap_or_default();
        let why = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
                "refused the key ({status}): {detail} --check needs one that may read: {HOW_TO_MAKE_ONE}"
            ),
            StatusCode::NOT_FOUND => format!("has no /{} (404): {detail}", path.join("/")),
            status => format!("could not answer ({status}): {detail}"),
        };
        Err(anyhow!("{} {}", self.origin(), why.trim_end()))
    }

    async fn ask(&self, url: Url) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let request = self.client.request(Method::GET, url).bearer_auth(&self.key.0);
        let mut response = request.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok((response.status(), body))
    }
}

/// Whether it may be answered otherwise in a moment.
fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
        || status == StatusCode::BAD_GATEWAY
        || status == StatusCode::GATEWAY_TIMEOUT
}
