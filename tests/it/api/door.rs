//! `/sites/{site}/access` once more: what a membership site that asks at every page relies on.

use super::bodies::{PRODUCT, rebill, refund, sale};
use super::{SITE, applied, gold, problem};
use crate::on_both_databases;
use crate::support::{ADMIN_KEY, Database, Reply, TestApp, instant};
use diesel::connection::SimpleConnection;
use latchkey::store::StoreError;
use serde_json::json;

const DOOR: &str = "/api/v1/sites/default/access?email=dana@x.example&level=gold";

/// Asks with what is known already, in one header or in several.
fn ask(app: &TestApp, known: &[&str]) -> Reply {
    app.request("GET", DOOR, |request| {
        let request = request.bearer_auth(ADMIN_KEY);
        known.iter().fold(request, |request, known| request.header("if-none-match", *known))
    })
}

#[track_caller]
fn tag(reply: &Reply) -> String {
    assert_eq!(reply.header("cache-control"), Some("no-cache"), "{reply:?}");
    let tag = reply.header("etag").expect("an ETag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "{tag} is strong");
    tag
}

/// The answer is that nothing has changed.
#[track_caller]
fn unchanged(reply: &Reply, known: &str) {
    assert_eq!((reply.status, reply.text.as_str()), (304, ""), "{reply:?}");
    assert_eq!(tag(reply), known);
}

#[track_caller]
fn is_allowed(reply: &Reply, allowed: bool) {
    assert_eq!((reply.status, &reply.json["allowed"]), (200, &json!(allowed)), "{reply:?}");
}

on_both_databases! {
    fn whoever_knows_the_answer_is_told_that_it_is_still_so(app: &TestApp) {
        gold(app);
        let outside = tag(&ask(app, &[]));
        unchanged(&ask(app, &[&outside]), &outside);
        applied(app, &sale(1001, "dana@x.example"));
        let bought = ask(app, &[&outside]);
        is_allowed(&bought, true);
        let inside = tag(&bought);
        assert_ne!(inside, outside);
        let weak = format!("W/{inside}");
        let lists = [format!("\"other\", {inside}"), format!("\"other\",{weak} , \"more\"")];
        for known in [&[&*inside][..], &["*"], &[&weak], &[&lists[0]], &[&lists[1]], &["\"other\"", &inside]] {
            unchanged(&ask(app, known), &inside);
        }
        let bare = inside.trim_matches('"');
        for other in ["", "\"other\"", bare, &format!("\"{bare}.\""), &outside] {
            is_allowed(&ask(app, &[other]), true);
        }
        let head = app.request("HEAD", DOOR, |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!((head.status, tag(&head), head.text.as_str()), (200, inside.clone(), ""));
        // A question that is posted is answered, whatever is known.
        let question = json!({ "email": "dana@x.example", "level": "gold" }).to_string();
        let posted = app.request("POST", &format!("{SITE}/access/check"), |request| {
            request.bearer_auth(ADMIN_KEY).header("if-none-match", &inside).body(question)
        });
        is_allowed(&posted, true);
        applied(app, &refund(1002, 1001, "dana@x.example"));
        let refunded = ask(app, &[&inside]);
        is_allowed(&refunded, false);
        assert_eq!(tag(&refunded), outside, "the same answer has the same ETag");
    }

    fn what_a_process_of_an_older_release_has_recorded_lets_nobody_in(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        applied(app, &refund(1002, 1001, "dana@x.example"));
        // It revokes, and leaves what the door reads as it was.
        let left_behind = [
            r#"held = '{"gold":null}', held_version = version - 1"#,
            "held = 'neither JSON nor a form', held_version = version",
        ];
        for left in left_behind {
            let set = format!("UPDATE members SET {left}");
            app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(&set)?)).expect("written");
            is_allowed(&ask(app, &[]), false);
        }
        applied(app, &sale(1003, "dana@x.example"));
        is_allowed(&ask(app, &[]), true);
        app.is_as_the_events_say();
    }

    fn what_another_process_has_applied_is_seen_by_the_very_next_question(app: &TestApp) {
        gold(app);
        let other = app.beside();
        let both = [app, &other];
        for round in 0..4 {
            let (here, there) = (both[round % 2], both[(round + 1) % 2]);
            let number = 1001 + 10 * u64::try_from(round).expect("a number");
            applied(there, &sale(number, "dana@x.example"));
            let inside = ask(here, &[]);
            is_allowed(&inside, true);
            unchanged(&ask(there, &[&tag(&inside)]), &tag(&inside));
            applied(there, &refund(number + 1, number, "dana@x.example"));
            is_allowed(&ask(here, &[&tag(&inside)]), false);
            applied(there, &rebill(number + 2, number, "dana@x.example"));
            is_allowed(&ask(here, &[]), true);
            applied(there, &refund(number + 3, number, "dana@x.example").with("transaction_date", "2025-12-02 09:00:00"));
            is_allowed(&ask(here, &[&tag(&inside)]), false);
        }
    }

    fn an_end_that_no_timer_has_fired_yet_is_kept_all_the_same(app: &TestApp) {
        app.level("gold");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold", "policy": { "duration_days": 60 } }));
        applied(app, &sale(1001, "dana@x.example"));
        app.clock.set(instant("2026-01-30T13:59:59.999999Z"));
        let inside = ask(app, &[]);
        assert_eq!(inside.json, json!({ "allowed": true, "until": "2026-01-30T14:00:00Z" }));
        let other = app.beside();
        for at in ["2026-01-30T14:00:00Z", "2026-03-01T00:00:00Z"] {
            for asked in [app, &other] {
                asked.clock.set(instant(at));
                let gone = ask(asked, &[&tag(&inside)]);
                assert_eq!((gone.status, &gone.json), (200, &json!({ "allowed": false, "until": null })));
            }
        }
        assert_eq!(app.changes().len(), 1, "nothing has fired");
        app.drain();
    }

    fn nothing_is_told_of_what_is_not_there_whatever_is_known(app: &TestApp) {
        gold(app);
        app.post("/api/v1/sites", &json!({ "id": "other" }));
        app.post("/api/v1/sites/other/levels", &json!({ "id": "silver" }));
        let bound = json!({ "name": "door", "scopes": ["read"], "site": "other" });
        let key = app.post("/api/v1/keys", &bound).json["key"].as_str().expect("a key").to_owned();
        let ask = |key: &str, site: &str, level: &str| {
            let path = format!("/api/v1/sites/{site}/access?email=dana@x.example&level={level}");
            app.request("GET", &path, |request| request.bearer_auth(key).header("if-none-match", "*"))
        };
        assert_eq!(ask(&key, "other", "silver").status, 304);
        for (key, site, level) in [
            (ADMIN_KEY, "nowhere", "gold"), (ADMIN_KEY, "default", "silver"), (ADMIN_KEY, "other", "gold"),
            (&*key, "default", "gold"), (&*key, "nowhere", "gold"), (&*key, "other", "gold"),
        ] {
            problem(&ask(key, site, level), 404, "not-found");
        }
        assert_eq!(app.delete("/api/v1/sites/other?confirm=other").status, 204);
        problem(&ask(ADMIN_KEY, "other", "silver"), 404, "not-found");
    }

    fn a_question_waits_for_nobody_who_writes(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        let asked = app.app.store().write(|conn| {
            let site = latchkey::store::sites::get(conn, "default")?.expect("a site");
            latchkey::store::sites::update(conn, &site)?;
            Ok::<_, StoreError>(ask(app, &[]))
        });
        is_allowed(&asked.expect("written"), true);
    }
}

#[test]
fn on_sqlite_the_door_has_connections_of_its_own() {
    let app = TestApp::start_with(Database::sqlite(), &[("database.connections_max", "1")]);
    gold(&app);
    applied(&app, &sale(1001, "dana@x.example"));
    let asked = app.app.store().read(|_| Ok::<_, StoreError>(ask(&app, &[])));
    is_allowed(&asked.expect("read"), true);
}
