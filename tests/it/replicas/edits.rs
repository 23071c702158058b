//! A hand that edits mappings and settings through whichever process it meets, and in the end makes
//! them what the tales say.

use super::crowd::Tale;
use super::load::{Shared, no_more_than, runtime};
use crate::model::MappingSpec;
use crate::support::{ADMIN_KEY, Reply};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long an edit may take: longer than any process is stopped, so that none is done after it has
/// been given up.
const PATIENCE: Duration = Duration::from_mins(3);
/// How many recomputes may be open before the next edit.
const RECOMPUTES_MAX: i64 = 6;

/// Somebody who edits.
pub struct Hand<'a> {
    shared: &'a Shared,
    runtime: Runtime,
    client: reqwest::Client,
    rng: ChaCha8Rng,
}

impl<'a> Hand<'a> {
    /// Somebody who decides by a seed.
    pub fn new(shared: &'a Shared, seed: u64) -> Self {
        let client =
            reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { shared, runtime: runtime(), client, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Asks one process, whichever it is; `None` where no answer came, or that it cannot just now.
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Option<Reply> {
        let url = format!("{}/api/v1/sites/{path}", self.shared.base(self.rng.random_range(0..3)));
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, url).bearer_auth(ADMIN_KEY);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let reply = self.runtime.block_on(async {
            let reply = request.send().await.ok()?;
            let status = reply.status().as_u16();
            let text = reply.text().await.ok()?;
            let json = serde_json::from_str(&text).unwrap_or(Value::Null);
            Some(Reply { status, headers: reqwest::header::HeaderMap::new(), text, json })
        });
        reply.filter(|reply| reply.status != 503)
    }

    /// Asks until there is an answer, which has to be one of these.
    fn insist(&mut self, method: &str, path: &str, body: &Value, statuses: &[u16]) -> Reply {
        let reply = (0..1_000).find_map(|_| self.ask(method, path, body)).expect("an answer");
        assert!(statuses.contains(&reply.status), "{method} {path}: {reply:?}");
        reply
    }

    /// Edits at random until the disturbances are over; answers how many edits were done.
    pub fn edit(&mut self, tales: &[(Tale, String)]) -> usize {
        let mut done = 0;
        while !self.shared.is_over() {
            self.runtime.block_on(no_more_than(RECOMPUTES_MAX, &self.shared.recomputes));
            let (tale, _) = tales.choose(&mut self.rng).expect("a tale");
            if let Some(reply) = self.edit_one(tale) {
                let expected = [200, 201, 202, 204, 404, 409];
                assert!(expected.contains(&reply.status), "{reply:?}");
                done += usize::from(reply.status < 300);
            }
        }
        done
    }

    fn edit_one(&mut self, tale: &Tale) -> Option<Reply> {
        let site = &tale.site;
        let crowd = site == "default";
        match self.rng.random_range(0..6) {
            0 if !crowd => {
                let policies = [json!({}), json!({"on_cancellation": "keep"})];
                let policy = policies.choose(&mut self.rng).expect("a policy");
                self.ask("PATCH", site, &json!({ "policy": policy }))
            }
            1 if !crowd => {
                let zones = ["UTC", "Asia/Kolkata"];
                let zone = zones.choose(&mut self.rng).expect("a zone");
                self.ask("PATCH", site, &json!({ "kartra_time_zone": zone }))
            }
            2 | 3 => {
                let mapping = tale.story.mappings.choose(&mut self.rng)?;
                self.ask("POST", &format!("{site}/mappings"), &body(mapping))
            }
            kind => {
                let found = self.ask("GET", &format!("{site}/mappings?limit=500"), &Value::Null)?;
                let mut mappings = found.json["items"].as_array().expect("items").clone();
                // Whoever has bought gold keeps it throughout, and can be told so once.
                mappings.retain(|mapping| !(crowd && mapping["level"] == "gold"));
                let mapping = mappings.choose(&mut self.rng)?;
                let path = format!("{site}/mappings/{}", mapping["id"].as_str().expect("an id"));
                let enabled = mapping["enabled"] == false;
                match kind {
                    4 => self.ask("PATCH", &path, &json!({ "enabled": enabled })),
                    _ => self.ask("DELETE", &path, &Value::Null),
                }
            }
        }
    }

    /// Makes the rules of a site what its tale says.
    pub fn make_good(&mut self, tale: &Tale) {
        let (site, story) = (&tale.site, &tale.story);
        let set =
            json!({ "policy": story.site_policy, "kartra_time_zone": story.time_zone.name() });
        self.insist("PATCH", site, &set, &[200, 202]);
        let path = format!("{site}/mappings");
        let found = self.insist("GET", &format!("{path}?limit=500"), &Value::Null, &[200]);
        for mapping in found.json["items"].as_array().expect("items") {
            if site == "default" && mapping["level"] == "gold" {
                continue;
            }
            let one = format!("{path}/{}", mapping["id"].as_str().expect("an id"));
            self.insist("DELETE", &one, &Value::Null, &[202, 204, 404]);
        }
        for mapping in &story.mappings {
            self.insist("POST", &path, &body(mapping), &[201, 202, 409]);
        }
    }
}

/// A mapping as the API takes it.
pub fn body(mapping: &MappingSpec) -> Value {
    json!({
        "product_id": mapping.product_id, "price_point": mapping.price_point, "level": mapping.level,
        "enabled": mapping.enabled, "purchased_from": mapping.purchased_from,
        "purchased_before": mapping.purchased_before, "policy": mapping.policy,
    })
}
