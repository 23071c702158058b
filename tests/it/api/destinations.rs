//! `/sites/{site}/destinations`: made, shown without their secrets, edited, deleted, and told of what changes.

mod acts;
mod refused;
mod unsaved;

use super::bodies::sale;
use super::{SITE, applied, each, gold, honours_etags, items, made, problem, with_settings};
use crate::alarms::receiver::{Heard, Receiver, status};
use crate::support::TestApp;
use latchkey::dispatch::worker::Worker;
use latchkey::store::sites;
use serde_json::{Value, json};

/// What a test that calls somebody on this machine sets.
pub const MAY_CALL: [(&str, &str); 1] = [("egress.allow", "127.0.0.0/8")];
/// A secret that operators bring along.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Tells a story to an application that may call this machine, on both databases.
pub fn on_both(story: impl Fn(&TestApp)) {
    with_settings(&MAY_CALL, story);
}

/// Sends until nothing is due.
pub fn sends(app: &TestApp) {
    Worker::new(app.app.dispatch().clone()).expect("a worker").drain().expect("sent");
}

/// A signed webhook that is told of access only.
pub fn webhook(receiver: &Receiver) -> Value {
    let config = json!({ "url": receiver.url("/in"), "types": ["access.changed"] });
    json!({ "kind": "webhook", "name": "The course site", "config": config })
}

/// Makes a destination; answers it, with its secret where one was made.
#[track_caller]
pub fn make(app: &TestApp, asked: &Value) -> Value {
    let made = app.post(&format!("{SITE}/destinations"), asked);
    assert_eq!(made.status, 201, "{made:?}");
    made.json
}

/// Where a destination is.
pub fn address(destination: &Value) -> String {
    format!("{SITE}/destinations/{}", destination["id"].as_str().expect("an id"))
}

/// A destination as it is now.
pub fn now(app: &TestApp, destination: &Value) -> Value {
    let found = app.get(&address(destination));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

/// What messages told of access: the address, and the levels.
pub fn told(heard: &[Heard]) -> Vec<String> {
    let one = |heard: &Heard| {
        let message: Value = serde_json::from_str(&heard.body).expect("JSON");
        assert_eq!(message["type"], "access.changed", "{message}");
        let levels = each(message["data"]["levels"].as_array().expect("levels"), "level");
        format!("{} {}", message["data"]["email"].as_str().expect("an address"), levels.join("+"))
    };
    heard.iter().map(one).collect()
}

/// The configs as they lie in the database, secrets included.
fn stored(app: &TestApp) -> String {
    let all = app.app.store().read(|conn| latchkey::store::destinations::of_site(conn, "default"));
    let all = all.expect("read").into_iter().map(|d| {
        format!("{} {}", d.config, String::from_utf8_lossy(&d.secrets.unwrap_or_default()))
    });
    all.collect()
}

#[test]
fn a_signed_webhook_gets_a_secret_that_only_the_answer_to_its_making_shows() {
    on_both(|app| {
        gold(app);
        let asked = json!({
            "kind": "webhook", "name": "The course site", "config": { "url": "https://a.example/in", "types": null },
        });
        let reply = app.post(&format!("{SITE}/destinations"), &asked);
        let mut shown = reply.json.clone();
        let secret = shown.as_object_mut().expect("an object").remove("secret").expect("a secret");
        let secret = secret.as_str().expect("a text");
        assert!(secret.starts_with("whsec_") && secret.len() == 6 + 32, "{secret}");
        assert_eq!(
            shown,
            json!({
                "id": shown["id"], "kind": "webhook", "name": "The course site", "enabled": true,
                "config": { "url": "https://a.example/in" }, "secrets_set": ["secret"], "levels": [],
                "limits": { "calls_per_second": null, "concurrency": null }, "state": "ok", "detail": null,
                "paused_until": null, "secret_before_until": null, "version": 1,
                "created_at": "2026-01-01T00:00:00Z",
            })
        );
        assert_eq!((reply.status, reply.header("location")), (201, Some(&*address(&shown))));
        let found = app.get(&address(&shown));
        assert_eq!((&found.json, found.header("etag")), (&shown, reply.header("etag")));
        let list = app.get(&format!("{SITE}/destinations"));
        assert_eq!(items(&list), [shown]);
        assert!(!stored(app).contains(secret), "it is sealed");
    });
}

#[test]
fn a_secret_that_is_given_is_kept_and_never_shown() {
    on_both(|app| {
        let mut asked = webhook(&Receiver::start());
        asked["config"]["secret"] = json!(SECRET);
        let reply = app.post(&format!("{SITE}/destinations"), &asked);
        let made = made(app, &reply);
        assert_eq!(made["secrets_set"], json!(["secret"]));
        for text in [reply.text, app.get(&format!("{SITE}/destinations")).text, stored(app)] {
            assert!(!text.contains(SECRET), "{text}");
        }
    });
}

#[test]
fn the_kinds_with_accounts_are_made_with_the_names_that_levels_have_there() {
    on_both(|app| {
        gold(app);
        let levels = json!([{ "level": "gold", "remote": "member_gold" }]);
        let wordpress = json!({
            "kind": "wordpress", "name": "The club", "levels": levels, "enabled": false,
            "limits": { "calls_per_second": 3 },
            "config": {
                "url": "https://club.example.com", "username": "latchkey", "application_password": "abcd EFGH",
            },
        });
        let made_there = made(app, &app.post(&format!("{SITE}/destinations"), &wordpress));
        assert_eq!(made_there["secrets_set"], json!(["application_password"]));
        assert_eq!(
            made_there["config"],
            json!({ "url": "https://club.example.com", "username": "latchkey" })
        );
        assert_eq!(made_there["levels"], levels);
        assert_eq!(made_there["limits"], json!({ "calls_per_second": 3, "concurrency": null }));
        assert_eq!(made_there["enabled"], false);
        let ghost = json!({
            "kind": "ghost", "name": "The magazine", "levels": levels,
            "config": {
                "url": "https://magazine.example.com", "admin_api_key": crate::support::ghost::KEY,
                "tiers": [{ "remote": "member_gold", "tier": "gold" }],
            },
        });
        let made_there = made(app, &app.post(&format!("{SITE}/destinations"), &ghost));
        assert_eq!(made_there["secrets_set"], json!(["admin_api_key"]));
        assert_eq!(
            made_there["config"]["tiers"],
            json!([{ "remote": "member_gold", "tier": "gold" }])
        );
    });
}

#[test]
fn a_destination_is_told_of_changes_from_its_making_on_and_of_nothing_once_it_is_deleted() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        applied(app, &sale(1001, "early@x.example"));
        let destination = make(app, &webhook(&receiver));
        applied(app, &sale(1002, "dana@x.example"));
        sends(app);
        assert_eq!(told(&receiver.heard()), ["dana@x.example gold"]);
        applied(app, &sale(1003, "eva@x.example"));
        assert_eq!(app.delete(&address(&destination)).status, 204);
        applied(app, &sale(1004, "finn@x.example"));
        sends(app);
        assert_eq!(receiver.heard().len(), 1, "what was due is not sent, either");
        problem(&app.get(&address(&destination)), 404, "not-found");
        problem(&app.delete(&address(&destination)), 404, "not-found");
        assert_eq!(items(&app.get(&format!("{SITE}/destinations"))), [] as [Value; 0]);
        app.drain();
        assert_eq!(
            items(&app.get(&format!("{SITE}/pushes"))),
            [] as [Value; 0],
            "rows are removed"
        );
    });
}

#[test]
fn one_that_names_levels_is_told_of_these_only() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        app.level("silver");
        app.map(&json!({ "product_id": 7, "level": "silver" }));
        let mut asked = webhook(&receiver);
        asked["levels"] = json!([{ "level": "silver" }]);
        make(app, &asked);
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        assert_eq!(receiver.heard(), []);
        applied(app, &sale(1002, "dana@x.example").with("product_id", 7));
        sends(app);
        assert_eq!(told(&receiver.heard()), ["dana@x.example silver"]);
    });
}

#[test]
fn a_disabled_destination_is_sent_what_is_wanted_then_once_it_is_enabled() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let mut asked = webhook(&receiver);
        asked["enabled"] = json!(false);
        let destination = make(app, &asked);
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        assert_eq!(receiver.heard(), []);
        let enabled = app.patch(&address(&destination), &json!({ "enabled": true }));
        assert_eq!((enabled.status, &enabled.json["enabled"]), (200, &json!(true)));
        sends(app);
        assert_eq!(told(&receiver.heard()), ["dana@x.example gold"]);
    });
}

#[test]
fn an_edit_merges_what_it_names_and_keeps_the_rest() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let mut asked = webhook(&receiver);
        asked["config"]["secret"] = json!(SECRET);
        let first = make(app, &asked);
        let edit = |body: Value| {
            let edited = app.patch(&address(&first), &body);
            assert_eq!(edited.status, 200, "{edited:?}");
            let mut shown = edited.json.clone();
            shown.as_object_mut().expect("an object").remove("secret");
            assert_eq!(now(app, &first), shown);
            edited.json
        };
        let named = edit(json!({ "name": "Courses" }));
        let mut expected = first.clone();
        (expected["name"], expected["version"]) = (json!("Courses"), json!(2));
        assert_eq!(named, expected);
        let types = edit(json!({ "config": { "types": ["alarm.raised"] } }));
        assert_eq!(
            types["config"],
            json!({ "url": receiver.url("/in"), "types": ["alarm.raised"] })
        );
        assert_eq!(types["secrets_set"], json!(["secret"]));
        let all = edit(json!({ "config": { "types": null } }));
        assert_eq!(all["config"], json!({ "url": receiver.url("/in") }));
        let limited = edit(json!({ "limits": { "calls_per_second": 5, "concurrency": 2 } }));
        assert_eq!(limited["limits"], json!({ "calls_per_second": 5, "concurrency": 2 }));
        let half = edit(json!({ "limits": { "concurrency": null } }));
        assert_eq!(half["limits"], json!({ "calls_per_second": 5, "concurrency": null }));
        let free = edit(json!({ "limits": null }));
        assert_eq!(free["limits"], json!({ "calls_per_second": null, "concurrency": null }));
        let levels = edit(json!({ "levels": [{ "level": "gold" }] }));
        assert_eq!(levels["levels"], json!([{ "level": "gold", "remote": null }]));
        assert_eq!(edit(json!({ "levels": [] }))["levels"], json!([]));
        // A secret that is removed is made anew: nothing is sent unsigned.
        let anew = edit(json!({ "config": { "secret": null } }));
        let secret = anew["secret"].as_str().expect("a secret");
        assert!(secret.starts_with("whsec_") && secret != SECRET, "{secret}");
        assert_eq!(anew["version"], 10);
        honours_etags(app, &address(&first), &json!({ "name": "Again" }));
    });
}

#[test]
fn what_waits_is_sent_at_once_when_the_destination_has_been_edited() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let destination = make(app, &webhook(&receiver));
        receiver.answers([status(401)]);
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        let broken = now(app, &destination);
        assert_eq!(
            (&broken["state"], &broken["detail"]),
            (&json!("broken"), &json!("the destination answered 401"))
        );
        sends(app);
        assert_eq!(receiver.heard().len(), 1, "it is left alone");
        let renamed = app.patch(&address(&destination), &json!({ "name": "Still broken" }));
        assert_eq!(renamed.json["state"], "broken");
        // The next answer is an error of the receiver's: that is tried again later, and not yet.
        receiver.answers([status(500)]);
        let mended = app.patch(&address(&destination), &json!({ "config": {} }));
        // Nobody knows yet whether it is.
        assert_eq!(
            (&mended.json["state"], &mended.json["detail"], &mended.json["paused_until"]),
            (&json!("paused"), &broken["detail"], &json!(app.clock.now()))
        );
        sends(app);
        sends(app);
        assert_eq!(receiver.heard().len(), 2);
        assert_eq!(app.patch(&address(&destination), &json!({ "enabled": true })).status, 200);
        sends(app);
        assert_eq!(receiver.heard().len(), 3);
        assert_eq!(items(&app.get(&format!("{SITE}/pushes")))[0]["status"], "done");
        let up = now(app, &destination);
        assert_eq!((&up["state"], &up["detail"]), (&json!("ok"), &Value::Null));
    });
}

#[test]
fn a_level_that_a_destination_names_is_in_use() {
    on_both(|app| {
        app.level("silver");
        let mut asked = webhook(&Receiver::start());
        asked["levels"] = json!([{ "level": "silver" }]);
        let destination = make(app, &asked);
        let silver = format!("{SITE}/levels/silver");
        let refused = app.delete(&silver);
        problem(&refused, 409, "conflict");
        let why =
            "The level is in use by mappings, grants, blocks or destinations. Remove those first.";
        assert_eq!(refused.json["detail"], why);
        assert_eq!(app.delete(&address(&destination)).status, 204);
        assert_eq!(app.delete(&silver).status, 204);
    });
}

#[test]
fn destinations_are_no_rules_and_end_no_plan() {
    on_both(|app| {
        gold(app);
        let version = || {
            let site = app.app.store().read(|conn| sites::get(conn, "default"));
            site.expect("read").expect("a site").rules_version
        };
        let before = version();
        let destination = make(app, &webhook(&Receiver::start()));
        app.patch(&address(&destination), &json!({ "name": "Another" }));
        app.post(&format!("{}/rotate-secret", address(&destination)), &json!({}));
        assert_eq!(app.delete(&address(&destination)).status, 204);
        assert_eq!(version(), before);
    });
}

#[test]
fn a_site_has_at_most_100_destinations() {
    on_both(|app| {
        let asked = webhook(&Receiver::start());
        let first = make(app, &asked);
        for _ in 1..100 {
            make(app, &asked);
        }
        let refused = app.post(&format!("{SITE}/destinations"), &asked);
        problem(&refused, 409, "conflict");
        assert_eq!(app.delete(&address(&first)).status, 204);
        make(app, &asked);
    });
}
