//! `/sites/{site}/pushes`: how far each member has been carried, and taking it up again.

use super::bodies::{cancellation, sale};
use super::destinations::{SECRET, address, make, now, on_both, sends, told, webhook};
use super::paging::walk;
use super::{SITE, applied, each, gold, items, problem, refused_at};
use crate::alarms::receiver::{Answer, Receiver, status};
use crate::support::ghost::{Ghost, KEY};
use crate::support::{TestApp, instant};
use diesel::connection::SimpleConnection;
use latchkey::store::pushes::{self, Push};
use latchkey::store::{StoreError, destinations};
use serde_json::{Value, json};

const PUSHES: &str = "/api/v1/sites/default/pushes";

/// The pushes that a query finds, newest first.
fn found(app: &TestApp, query: &str) -> Vec<Value> {
    items(&app.get(&format!("{PUSHES}?{query}")))
}

/// The one push there is.
#[track_caller]
fn the_push(app: &TestApp) -> Value {
    let all = found(app, "");
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

fn retry(push: &Value) -> String {
    format!("{PUSHES}/{}/retry", push["id"].as_str().expect("an id"))
}

#[test]
fn a_push_says_how_far_it_is_and_nothing_is_done_before_the_destination_has_said_so() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        let destination = make(app, &webhook(&receiver));
        applied(app, &sale(1001, "dana@x.example"));
        let pending = the_push(app);
        let expected = json!({
            "id": pending["id"], "destination": destination["id"], "email": "dana@x.example", "status": "pending",
            "attempts": 0, "next_attempt_at": "2026-01-01T00:00:00Z", "last_error": null, "version": 0,
            "what": "access.changed", "wanted_at": "2026-01-01T00:00:00Z", "done_at": null, "owned": [],
            "account": null, "welcome": null,
        });
        assert_eq!(pending, expected);
        receiver.answers([status(500)]);
        sends(app);
        let retrying = the_push(app);
        assert_eq!(
            (&retrying["status"], &retrying["attempts"], &retrying["last_error"]),
            (&json!("retrying"), &json!(1), &json!("the destination answered 500"))
        );
        let again = instant(retrying["next_attempt_at"].as_str().expect("an instant"));
        assert!(again > app.clock.now(), "{retrying}");
        app.at(again);
        sends(app);
        let done = the_push(app);
        assert_eq!((&done["status"], &done["attempts"]), (&json!("done"), &json!(2)));
        assert_eq!((&done["next_attempt_at"], &done["last_error"]), (&Value::Null, &Value::Null));
        assert_eq!(instant(done["done_at"].as_str().expect("an instant")), again);
        assert_eq!((&done["owned"], &done["version"]), (&json!(["gold"]), &retrying["version"]));
        let alone = app.get(&format!("{PUSHES}/{}", done["id"].as_str().expect("an id")));
        assert_eq!((&alone.json, alone.header("etag").is_some()), (&done, true));
        problem(&app.get(&format!("{PUSHES}/nonsense")), 404, "not-found");
    });
}

#[test]
fn pushes_are_found_by_status_destination_address_and_id() {
    on_both(|app| {
        let (taken, failing) = (Receiver::start(), Receiver::start());
        gold(app);
        let good = make(app, &webhook(&taken));
        let bad = make(app, &webhook(&failing));
        failing.answers((0..4).map(|_| status(500)));
        for (number, name) in [(1001, "ada"), (1002, "bob"), (1003, "cleo")] {
            applied(app, &sale(number, &format!("{name}@x.example")));
        }
        sends(app);
        let of = |query: &str| {
            let found = found(app, query);
            let one = |push: &Value| {
                format!(
                    "{} {}",
                    push["email"].as_str().expect("one"),
                    push["status"].as_str().expect("one")
                )
            };
            found.iter().map(one).collect::<Vec<_>>()
        };
        let id = |destination: &Value| destination["id"].as_str().expect("an id").to_owned();
        assert_eq!(found(app, "").len(), 6);
        assert_eq!(of("status=failed"), [] as [&str; 0]);
        assert_eq!(
            of("status=done"),
            ["cleo@x.example done", "bob@x.example done", "ada@x.example done"]
        );
        assert_eq!(of(&format!("destination={}", id(&good))), of("status=done"));
        assert_eq!(of(&format!("destination={}", id(&bad))), of("status=retrying"));
        assert_eq!(of(&format!("destination={}&status=done", id(&bad))), [] as [&str; 0]);
        assert_eq!(of("destination=nonsense"), [] as [&str; 0]);
        let mut bobs = of("q=BOB@X.example");
        bobs.sort();
        assert_eq!(bobs, ["bob@x.example done", "bob@x.example retrying"]);
        assert_eq!(of("q=bob@x.example&status=done"), ["bob@x.example done"]);
        assert_eq!(of("q=bob"), [] as [&str; 0], "a part of an address finds nobody");
        let first = found(app, "")[0].clone();
        assert_eq!(found(app, &format!("q={}", id(&first))), [first]);
        for query in ["", "status=done", "q=bob@x.example", &format!("destination={}", id(&bad))] {
            let all = found(app, query);
            for limit in 1..=all.len() + 1 {
                assert_eq!(walk(app, &format!("{PUSHES}?{query}"), limit), all, "{query} {limit}");
            }
            let mut ids = each(&all, "id");
            assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
            ids.dedup();
            assert_eq!(ids.len(), all.len());
        }
        problem(&app.get(&format!("{PUSHES}?status=held")), 400, "malformed");
    });
}

#[test]
fn a_page_of_one_destination_among_many_pushes_of_another_may_be_empty_and_leads_on() {
    on_both(|app| {
        gold(app);
        let rare = make(app, &webhook(&Receiver::start()));
        applied(app, &sale(1001, "dana@x.example"));
        let many = make(app, &webhook(&Receiver::start()));
        let id = |destination: &Value| destination["id"].as_str().expect("an id").to_owned();
        let filled = app.app.store().write(|conn| {
            let many = destinations::get(conn, "default", &id(&many))?.expect("one");
            let push = |number: u32| {
                let subject = format!("nobody-{number}");
                Push::of_member(
                    &many,
                    format!("z{number:05}"),
                    &subject,
                    "n@x.example",
                    1,
                    app.clock.now(),
                )
            };
            pushes::want(conn, &(0..10_100).map(push).collect::<Vec<_>>())
        });
        filled.expect("filled");
        let path = format!("{PUSHES}?destination={}", id(&rare));
        let page = app.get(&path);
        assert_eq!(items(&page), [] as [Value; 0]);
        let cursor = page.json["next_cursor"].as_str().expect("a cursor");
        let last = app.get(&format!("{path}&cursor={cursor}"));
        assert_eq!(each(&items(&last), "email"), ["dana@x.example"]);
        assert_eq!(last.json["next_cursor"], Value::Null);
    });
}

#[test]
fn a_push_that_is_taken_up_again_is_sent_at_once_as_it_is_wanted_now() {
    on_both(|app| {
        let receiver = Receiver::start();
        gold(app);
        make(app, &webhook(&receiver));
        receiver.answers([status(500), status(400)]);
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        let taken_up = app.post(&retry(&the_push(app)), &json!({}));
        assert_eq!(taken_up.status, 200, "{taken_up:?}");
        assert_eq!(
            (&taken_up.json["status"], &taken_up.json["attempts"]),
            (&json!("pending"), &json!(0))
        );
        assert_eq!(taken_up.json, the_push(app));
        sends(app);
        assert_eq!(receiver.heard().len(), 2);
        applied(app, &cancellation(1002, 1001, "dana@x.example"));
        sends(app);
        assert_eq!(app.post(&retry(&the_push(app)), &json!({ "welcome": false })).status, 200);
        sends(app);
        let heard = receiver.heard();
        assert_eq!(told(&heard[2..]), ["dana@x.example ", "dana@x.example "]);
        assert_eq!(the_push(app)["status"], "done");
    });
}

#[test]
fn a_push_to_a_destination_that_is_gone_is_not_taken_up() {
    on_both(|app| {
        gold(app);
        let destination = make(app, &webhook(&Receiver::start()));
        applied(app, &sale(1001, "dana@x.example"));
        let push = the_push(app);
        assert_eq!(app.delete(&address(&destination)).status, 204);
        problem(&app.post(&retry(&push), &json!({})), 409, "conflict");
        problem(&app.post(&format!("{PUSHES}/nonsense/retry"), &json!({})), 404, "not-found");
    });
}

#[test]
fn a_push_to_a_site_with_accounts_says_what_is_ours_there() {
    on_both(|app| {
        let ghost = Ghost::start();
        gold(app);
        let asked = json!({
            "kind": "ghost", "name": "The magazine", "config": { "url": ghost.url(), "admin_api_key": KEY },
            "levels": [{ "level": "gold", "remote": "Gold" }], "limits": { "calls_per_second": 1_000 },
        });
        let destination = make(app, &asked);
        let tested = app.post(&format!("{}/test", address(&destination)), &json!({}));
        assert_eq!(tested.json["ok"], true, "{tested:?}");
        applied(app, &sale(1001, "dana@x.example"));
        sends(app);
        let push = the_push(app);
        assert_eq!((&push["status"], &push["owned"]), (&json!("done"), &json!(["Gold"])), "{push}");
        assert_eq!((&push["account"], &push["welcome"]), (&json!("ours"), &json!("sent")));
        assert_eq!(ghost.member("dana@x.example").labels, ["Gold"]);
        // Ghost sends its mail when it makes the account; nobody can ask it for another.
        refused_at(&app.post(&retry(&push), &json!({ "welcome": true })), &["/welcome"]);
        assert_eq!(ghost.state().mails, ["dana@x.example"]);
        assert_eq!(now(app, &destination)["state"], "ok");
    });
}

#[test]
fn only_the_owner_of_an_account_that_latchkey_has_made_is_welcomed_again() {
    on_both(|app| {
        gold(app);
        let asked = json!({
            "kind": "wordpress", "name": "The club", "levels": [{ "level": "gold", "remote": "member" }],
            "config": { "url": "https://a.example", "username": "u", "application_password": "p" },
        });
        make(app, &asked);
        applied(app, &sale(1001, "dana@x.example"));
        let push = the_push(app);
        refused_at(&app.post(&retry(&push), &json!({ "welcome": true })), &["/welcome"]);
        let remember = |what: &str| {
            let statement = format!("UPDATE pushes SET {what}");
            let done =
                app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(&statement)?));
            done.expect("done");
        };
        remember("account = 'done', welcome = 'begun', status = 'done', next_attempt_at = NULL");
        let made = the_push(app);
        assert_eq!((&made["account"], &made["welcome"]), (&json!("ours"), &json!("unknown")));
        remember("claim = 'somebody', next_attempt_at = '2026-01-01 00:01:00'");
        problem(&app.post(&retry(&push), &json!({ "welcome": true })), 409, "conflict");
        remember("claim = NULL, next_attempt_at = NULL");
        let again = app.post(&retry(&push), &json!({ "welcome": true }));
        assert_eq!(
            (again.status, &again.json["welcome"], &again.json["status"]),
            (200, &Value::Null, &json!("pending"))
        );
        assert_eq!(again.json["account"], "ours");
    });
}

#[test]
fn a_timeline_ends_in_what_each_destination_was_told() {
    on_both(|app| {
        let (taken, hanging) = (Receiver::start(), Receiver::start());
        gold(app);
        make(app, &webhook(&taken));
        let mut asked = webhook(&hanging);
        asked["config"]["secret"] = json!(SECRET);
        make(app, &asked);
        hanging.answers([Answer::Never]);
        app.at(instant("2026-01-02T00:00:00Z"));
        applied(app, &sale(1001, "dana@x.example"));
        app.at(instant("2026-01-03T00:00:00Z"));
        sends(app);
        let path = format!("{SITE}/members/dana@x.example/timeline");
        let all = walk(app, &path, 500);
        let one = |item: &Value| {
            let status = item["push"]["status"].as_str().unwrap_or_default();
            format!(
                "{} {} {status}",
                item["at"].as_str().expect("one"),
                item["kind"].as_str().expect("one")
            )
        };
        assert_eq!(
            all.iter().map(one).collect::<Vec<_>>(),
            [
                "2025-12-01T14:00:00Z event ",
                "2026-01-02T00:00:00Z webhook ",
                "2026-01-02T00:00:00Z change ",
                "2026-01-02T00:00:00Z push retrying",
                "2026-01-03T00:00:00Z push done",
            ]
        );
        let pushes = found(app, "");
        let shown =
            |status: &str| pushes.iter().find(|push| push["status"] == status).expect("one");
        assert_eq!((&all[3]["push"], &all[4]["push"]), (shown("retrying"), shown("done")));
        for limit in 1..=6 {
            assert_eq!(walk(app, &path, limit), all, "in pages of {limit}");
        }
    });
}
