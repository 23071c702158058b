//! What is changed through one process counts in another: mappings with its very next batch, keys and
//! secrets within a second, a webhook URL at once.

use super::home_of_replicas;
use crate::support::daemon::{DEADLINE, Daemon, until};
use crate::support::{ADMIN_KEY, Ipn, Listener, Reply};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SITE: &str = "/api/v1/sites/default";
/// How long what was known may still count.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

fn patch(daemon: &Daemon, path: &str, body: &Value) -> Reply {
    let url = format!("{}{SITE}{path}", daemon.base);
    let reply = daemon.send(daemon.client.patch(url).bearer_auth(ADMIN_KEY).body(body.to_string()));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

/// Asks again and again: whatever is asked a second from now has to be answered the new way, and is
/// answered the old way before.
fn is_noticed_within_a_second(what: &str, mut is_noticed: impl FnMut() -> bool) {
    let began = Instant::now();
    loop {
        let asked = began.elapsed();
        if is_noticed() {
            return;
        }
        assert!(asked < TRUSTED_FOR, "{what}: not noticed after {asked:?}");
        assert!(asked < DEADLINE);
    }
}

#[test]
fn rules_made_through_one_process_decide_the_next_batch_of_another() {
    let Some(home) = home_of_replicas() else { return };
    let (first, second) = (home.serve_as("first"), home.serve_as("second"));
    // The first one sleeps while the second one works, so that nobody else can have applied it.
    let buys = |number: u32| {
        first.signal("STOP");
        let email = format!("buyer-{number}@example.com");
        let id = second.receives(Ipn::new("sale", number).of(&email).body());
        let webhook = until("its turn", || {
            let webhook = second.get(&format!("{SITE}/webhooks/{id}")).json;
            (webhook["status"] != "pending").then_some(webhook)
        });
        let access = second.get(&format!("{SITE}/access?email={email}&level=gold"));
        first.signal("CONT");
        (webhook["status"].as_str().expect("a word").to_owned(), access.json["allowed"] == true)
    };
    first.make(&format!("{SITE}/levels"), &json!({"id": "gold"}));
    assert_eq!(buys(1), ("held".to_owned(), false));
    let mapping = json!({"product_id": "501", "level": "gold"});
    let mapping = first.make(&format!("{SITE}/mappings"), &mapping);
    let path = format!("/mappings/{}", mapping["id"].as_str().expect("an id"));
    assert_eq!(buys(2), ("applied".to_owned(), true));
    patch(&first, &path, &json!({"enabled": false}));
    assert_eq!(buys(3), ("applied".to_owned(), false));
    patch(&first, &path, &json!({"enabled": true}));
    assert_eq!(buys(4), ("applied".to_owned(), true));
    patch(&first, "", &json!({"policy": {"trial": "wait"}}));
    let trial =
        Ipn::new("sale", 5).of("trial@example.com").with("trial", 1).with("trial_period", 7);
    first.signal("STOP");
    second.receives(trial.body());
    second.drained();
    let access = second.get(&format!("{SITE}/access?email=trial@example.com&level=gold"));
    assert_eq!(access.json["allowed"], false, "the site's new policy counts: {access:?}");
    first.signal("CONT");
}

#[test]
fn keys_secrets_and_urls_changed_through_one_process_count_in_another() {
    let Some(home) = home_of_replicas() else { return };
    let (first, second) = (home.serve_as("first"), home.serve_as("second"));

    let key = first.make("/api/v1/keys", &json!({"name": "a script", "scopes": ["read"]}));
    let (id, key) = (key["id"].as_str().expect("an id"), key["key"].as_str().expect("a key"));
    let ask = || {
        let request = second.client.get(format!("{}{SITE}", second.base)).bearer_auth(key);
        second.send(request).status
    };
    assert_eq!(ask(), 200, "known at once where it was not made");
    let address = second.base.strip_prefix("http://").expect("an address");
    let mut stream = Listener::new(address, key, &format!("{SITE}/changes"), None);
    let url = format!("{}/api/v1/keys/{id}", first.base);
    assert_eq!(first.send(first.client.delete(url).bearer_auth(ADMIN_KEY)).status, 204);
    is_noticed_within_a_second("a revoked key", || ask() == 401);
    stream.hears_the_end();

    let post = |hook: &str, number: u32| {
        let sale = Ipn::new("sale", number).of("ann@example.com").with("secret_key", "old");
        second.send(second.client.post(format!("{}{hook}", second.base)).body(sale.body()))
    };
    assert_eq!(post(&second.hook, 1).json["reading"], "sale");
    patch(&first, "", &json!({"ipn_secret": "new"}));
    is_noticed_within_a_second("a secret", || {
        let reading = post(&second.hook, 2).json["reading"].as_str().expect("a text").to_owned();
        reading.starts_with("rejected")
    });

    let url = format!("{}{SITE}/webhook-url/rotate", first.base);
    let rotate = first.client.post(url).bearer_auth(ADMIN_KEY).body(r#"{"overlap_hours":0}"#);
    let rotated = first.send(rotate);
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let url = rotated.json["webhook_url"].as_str().expect("a URL").to_owned();
    let hook = &url[url.find("/hooks/").expect("a hook")..];
    assert_eq!(post(hook, 3).status, 200, "the new URL is taken at once");
    is_noticed_within_a_second("the end of the old URL", || post(&second.hook, 4).status == 404);
}
