//! A site that a case is told to: what Kartra sends, what the operator does, what is seen.

use super::format::{Case, Deed, Map, Override, Which};
use super::words::When;
use crate::support::{Reply, TestApp};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One of the sites of a case.
pub struct Site<'a> {
    app: &'a TestApp,
    /// Its id.
    pub id: &'static str,
    hook: String,
    /// The webhooks of each message, in the order of their arrival.
    webhooks: BTreeMap<usize, Vec<String>>,
}

impl<'a> Site<'a> {
    /// Opens a site with all that stands from the beginning, and every level that the case names.
    pub fn open(app: &'a TestApp, id: &'static str, case: &Case) -> Self {
        let zone = case.time_zone.as_deref().unwrap_or("UTC");
        let made = app.post("/api/v1/sites", &json!({ "id": id, "kartra_time_zone": zone }));
        assert_eq!(made.status, 201, "{made:?}");
        let site = Self { app, id, hook: app.hook_of(id), webhooks: BTreeMap::new() };
        for level in levels(case) {
            site.post("levels", &json!({ "id": level }));
        }
        let set = json!({ "policy": nulled(case.policy.as_ref()), "ipn_secret": case.ipn_secret });
        site.set(&set);
        case.map.iter().for_each(|mapping| site.map(mapping));
        site
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/sites/{}/{rest}", self.id)
    }

    fn post(&self, rest: &str, body: &Value) -> Reply {
        let done = self.app.post(&self.path(rest), body);
        assert!([200, 201].contains(&done.status), "{rest}: {done:?}");
        done
    }

    fn set(&self, body: &Value) {
        let set = self.app.patch(&format!("/api/v1/sites/{}", self.id), body);
        assert_eq!(set.status, 200, "{set:?}");
    }

    /// Everything in a list.
    pub fn list(&self, rest: &str) -> Vec<Value> {
        let found = self.app.get(&self.path(rest));
        assert_eq!(found.status, 200, "{found:?}");
        found.json["items"].as_array().expect("items").clone()
    }

    /// Posts a message as Kartra would; it is applied once the app has drained.
    pub fn receives(&mut self, number: usize, body: &str) {
        let reply = self.app.post_raw(&self.hook, body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.json["webhook_id"].as_str().expect("an id").to_owned();
        self.webhooks.entry(number).or_default().push(id);
    }

    /// Does what the operator does.
    pub fn does(&self, case: &Case, deed: &Deed) {
        match deed {
            Deed::Maps(mapping) => self.map(mapping),
            Deed::Unmaps(which) => self.delete(&format!("mappings/{}", self.mapping(which))),
            Deed::Disables(which) => self.enable(which, false),
            Deed::Enables(which) => self.enable(which, true),
            Deed::SetsPolicy(policy) => self.set(&json!({ "policy": nulled(Some(policy)) })),
            Deed::SetsTimeZone(zone) => self.set(&json!({ "kartra_time_zone": zone })),
            Deed::SetsIpnSecret(secret) => self.set(&json!({ "ipn_secret": secret })),
            Deed::Ignores(product) => {
                let path = self.path(&format!("products/{}", product.0));
                let set = self.app.patch(&path, &json!({ "ignored": true }));
                assert_eq!(set.status, 200, "{set:?}");
            }
            Deed::Grants(grant) => self.override_with("grants", grant),
            Deed::Blocks(block) => self.override_with("blocks", block),
            Deed::EndsGrant(grant) => self.end_grant(grant),
            Deed::LiftsBlockOf(who) => self.lift_youngest_block(who),
            Deed::Discards(name) => self.each_webhook(case, name, "discard"),
            Deed::Restores(name) => self.each_webhook(case, name, "restore"),
            Deed::Replays(name) => self.each_webhook(case, name, "replay"),
        }
        self.app.drain();
    }

    fn map(&self, mapping: &Map) {
        let body = json!({
            "product_id": mapping.product.0,
            "price_point": mapping.price_point.as_ref().map(|word| &word.0),
            "level": mapping.level,
            "enabled": mapping.enabled.unwrap_or(true),
            "purchased_from": mapping.purchased_from.map(When::text),
            "purchased_before": mapping.purchased_before.map(When::text),
            "policy": nulled(mapping.policy.as_ref()),
        });
        self.post("mappings", &body);
    }

    fn mapping(&self, which: &Which) -> String {
        let price_point = which.price_point.as_ref().map(|word| word.0.as_str());
        let found = self.list("mappings").into_iter().find(|mapping| {
            mapping["product_id"] == which.product.0.as_str()
                && mapping["price_point"].as_str() == price_point
                && mapping["level"] == which.level.as_str()
        });
        found.expect("a mapping that the case made")["id"].as_str().expect("an id").to_owned()
    }

    fn enable(&self, which: &Which, enabled: bool) {
        let path = self.path(&format!("mappings/{}", self.mapping(which)));
        let set = self.app.patch(&path, &json!({ "enabled": enabled }));
        assert_eq!(set.status, 200, "{set:?}");
    }

    fn delete(&self, rest: &str) {
        let done = self.app.delete(&self.path(rest));
        assert!([200, 204].contains(&done.status), "{rest}: {done:?}");
    }

    fn override_with(&self, list: &str, made: &Override) {
        let until = made.until.map(When::text);
        let body = json!({ "level": made.level, "until": until, "note": null });
        self.post(&format!("members/{}/{list}", made.who), &body);
    }

    fn end_grant(&self, grant: &Override) {
        let access = self.access(&grant.who, None);
        let found = access["considered"].as_array().expect("considered").iter().find(|given| {
            given["level"].as_str() == grant.level.as_deref() && given["grant"].is_string()
        });
        let id = found.expect("a manual grant")["grant"].as_str().expect("an id").to_owned();
        self.delete(&format!("members/{}/grants/{id}", grant.who));
    }

    fn lift_youngest_block(&self, who: &str) {
        let blocks = self.list(&format!("members/{who}/blocks"));
        let youngest = blocks.iter().max_by_key(|block| block["begun_at"].as_str());
        let id = youngest.expect("a block")["id"].as_str().expect("an id").to_owned();
        self.delete(&format!("members/{who}/blocks/{id}"));
    }

    fn each_webhook(&self, case: &Case, name: &str, deed: &str) {
        for id in self.webhooks_of(case, name) {
            self.post(&format!("webhooks/{id}/{deed}"), &json!({}));
        }
    }

    fn webhooks_of(&self, case: &Case, name: &str) -> &[String] {
        let number = case.kartra.iter().position(|message| message.name.as_deref() == Some(name));
        &self.webhooks[&number.expect("a message of that name")]
    }

    /// The status of the first webhook that carried a message.
    pub fn status_of(&self, case: &Case, name: &str) -> Value {
        let id = &self.webhooks_of(case, name)[0];
        self.app.get(&self.path(&format!("webhooks/{id}"))).json["status"].clone()
    }

    /// Access, now or at an instant.
    pub fn access(&self, who: &str, as_of: Option<DateTime<Utc>>) -> Value {
        let at = as_of.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        let question = at.map(|at| format!("?at={at}")).unwrap_or_default();
        let found = self.app.get(&self.path(&format!("members/{who}/access{question}")));
        assert_eq!(found.status, 200, "{found:?}");
        found.json
    }

    /// A product, or none.
    pub fn product(&self, id: &str) -> Option<Value> {
        self.list("products?limit=500").into_iter().find(|product| product["product_id"] == id)
    }
}

/// Every level that the case maps or grants.
fn levels(case: &Case) -> BTreeSet<&str> {
    let mapped = case.map.iter().map(|mapping| mapping.level.as_str());
    let later = case.operator.iter().filter_map(|act| match &act.deed {
        Deed::Maps(mapping) => Some(mapping.level.as_str()),
        Deed::Grants(made) | Deed::Blocks(made) => made.level.as_deref(),
        _ => None,
    });
    mapped.chain(later).collect()
}

/// A policy; TOML has no null, so a case writes `"null"`.
fn nulled(policy: Option<&Value>) -> Value {
    let mut policy = policy.cloned().unwrap_or_else(|| json!({}));
    for value in policy.as_object_mut().expect("a policy").values_mut() {
        if value == "null" {
            *value = Value::Null;
        }
    }
    policy
}
