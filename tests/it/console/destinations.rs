//! Destinations in the console: added, tested, changed, watched and deleted by their forms alone.

mod told;

use super::story::HOSTILE;
use super::support::{Console, Page};
use crate::alarms::receiver::{Receiver, status};
use crate::on_both_databases;
use crate::support::ghost::{Ghost, KEY, Member};
use crate::support::{Database, TestApp};
use latchkey::dispatch::worker::Worker;
use serde_json::{Value, json};

const PAGES: &str = "/sites/default/destinations";
const API: &str = "/api/v1/sites/default/destinations";
/// A key that could be one, and is not this Ghost's.
const OTHER_KEY: &str =
    "0123456789abcdef01234567:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Tells a story to an application that may call this machine, on both databases.
fn on_both(story: impl Fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("egress.allow", "127.0.0.0/8")]);
        app.level("gold");
        story(&app);
    }
}

/// Sends and runs until nothing is due.
fn carries(app: &TestApp) {
    app.drain();
    Worker::new(app.app.dispatch().clone()).expect("a worker").drain().expect("carried");
}

fn grants(app: &TestApp, email: &str) {
    let path = format!("/api/v1/sites/default/members/{email}/grants");
    assert_eq!(app.post(&path, &json!({ "level": "gold", "note": "" })).status, 201);
}

fn only(app: &TestApp) -> Value {
    let all = app.get(API).json["items"].as_array().expect("a list").clone();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

fn new(console: &Console, fields: &[(&str, &str)]) -> Page {
    console.form(&format!("{PAGES}/new"), fields)
}

/// Adds a Ghost by its form; answers the path of its page.
fn adds_ghost(console: &Console, ghost: &Ghost) -> String {
    let fields = [
        ("kind", "ghost"),
        ("name", "Club"),
        ("url", &*ghost.url()),
        ("secret", KEY),
        ("level.gold", "Gold"),
        ("act", "save"),
    ];
    let made = new(console, &fields);
    assert_eq!(made.status, 303, "{}", made.text());
    made.location
}

/// Adds a signed webhook by the API; answers the path of its page.
fn has_webhook(app: &TestApp, receiver: &Receiver) -> String {
    let asked = json!({ "kind": "webhook", "name": "Door", "config": { "url": receiver.url("/in"), "types": ["access.changed"] } });
    let made = app.post(API, &asked);
    assert_eq!(made.status, 201, "{made:?}");
    format!("{PAGES}/{}", made.json["id"].as_str().expect("an id"))
}

on_both_databases! {
    fn where_there_is_none_the_page_says_what_to_do(app: &TestApp) {
        let page = Console::sign_in(app).get(PAGES);
        assert!(page.says("No destination yet"), "{}", page.text());
        for kind in ["wordpress", "ghost", "webhook"] {
            assert!(page.html.contains(&format!("{PAGES}/new?kind={kind}")), "{kind}");
        }
    }

    fn a_signed_webhook_is_added_by_its_form_and_its_secret_is_shown_once(app: &TestApp) {
        let console = Console::sign_in(app);
        let fields = [("kind", "webhook"), ("name", HOSTILE), ("url", "https://a.example/in"), ("types", "access.changed"), ("act", "save")];
        let made = new(&console, &fields);
        assert_eq!(made.status, 200, "{}", made.text());
        let at = made.html.find("whsec_").expect("the secret");
        let secret: String = made.html[at..].chars().take_while(|c| !"<\"".contains(*c)).collect();
        let saved = only(app);
        assert_eq!((&saved["name"], &saved["config"]["types"]), (&json!(HOSTILE), &json!(["access.changed"])));
        let one = format!("{PAGES}/{}", saved["id"].as_str().expect("an id"));
        for path in [PAGES.to_owned(), one.clone(), format!("{one}/edit"), format!("{one}/pushes")] {
            let page = console.get(&path);
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            assert!(!page.html.contains(&secret), "{path}");
            assert!(page.says(HOSTILE) && !page.html.contains("<script>alert"), "{path}");
        }
    }

    fn what_is_wrong_stands_beside_its_field_and_what_was_pasted_is_kept_but_never_shown(app: &TestApp) {
        app.level("gold");
        let console = Console::sign_in(app);
        let wrong = [
            ("kind", "wordpress"), ("name", HOSTILE), ("url", "https://club.example.com/wp-admin"),
            ("username", "an:na"), ("secret", "abcd efgh ijkl"), ("level.gold", "subscriber"), ("act", "save"),
        ];
        let refused = new(&console, &wrong);
        assert_eq!(refused.status, 422);
        assert!(refused.says("must be the address of the site itself"), "{}", refused.text());
        assert_eq!(refused.value_of("username").as_deref(), Some("an:na"));
        assert_eq!(refused.value_of("level.gold").as_deref(), Some("subscriber"));
        assert!(!refused.html.contains("abcd efgh"), "a secret is not sent back");
        let kept = refused.value_of("kept").expect("what was pasted, sealed");
        let right = [
            ("kind", "wordpress"), ("name", "Club"), ("url", "https://club.example.com"), ("username", "anna"),
            ("secret", ""), ("kept", &*kept), ("level.gold", "subscriber"), ("act", "save"),
        ];
        let other = new(&Console::sign_in(app), &right);
        assert_eq!(other.status, 422, "what was pasted belongs to the session");
        assert!(other.says("must be an application password") || other.says("missing field"), "{}", other.text());
        assert_eq!(new(&console, &right).status, 303);
        let saved = only(app);
        assert_eq!(saved["secrets_set"], json!(["application_password"]));
        assert_eq!(saved["levels"], json!([{ "level": "gold", "remote": "subscriber" }]));
    }

    fn a_destination_is_changed_without_its_secret_and_nobody_overwrites_another_unseen(app: &TestApp) {
        app.level("gold");
        let asked = json!({ "kind": "wordpress", "name": "Club", "levels": [{ "level": "gold", "remote": "subscriber" }],
            "config": { "url": "https://club.example.com", "username": "anna", "application_password": "abcd" } });
        let made = app.post(API, &asked);
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json["id"].as_str().expect("an id");
        let edit = format!("{PAGES}/{id}/edit");
        let console = Console::sign_in(app);
        // It cannot be reached here: the form asks for nothing of it that the operator could not type.
        assert_eq!(app.patch(&format!("{API}/{id}"), &json!({ "enabled": false })).status, 200);
        let page = console.get(&edit);
        let tag = page.value_of("tag").expect("a tag");
        let change = |name: &str, tag: &str| {
            let fields = [("name", name), ("url", "https://club.example.com"), ("username", "berta"), ("secret", ""), ("tag", tag), ("level.gold", "member"), ("act", "save")];
            console.form(&edit, &fields)
        };
        let saved = change("Club 2", &tag);
        assert_eq!((saved.status, saved.location.clone()), (303, format!("{PAGES}/{id}?changed=levels")), "{}", saved.text());
        assert!(console.get(&saved.location).says("Switch it on, then resync everybody."), "it is switched off");
        let now = only(app);
        assert_eq!((&now["name"], &now["config"]["username"]), (&json!("Club 2"), &json!("berta")));
        assert_eq!(now["secrets_set"], json!(["application_password"]));
        assert_eq!(now["levels"][0]["remote"], "member");
        let late = change("Club 3", &tag);
        assert_eq!(late.status, 422);
        assert!(late.says("Somebody else has changed this destination"), "{}", late.text());
        assert_eq!(late.value_of("name").as_deref(), Some("Club 3"), "the input is kept");
        assert_eq!(change("Club 3", &late.value_of("tag").expect("a tag")).status, 303);
    }

    fn a_key_that_may_only_read_is_shown_no_forms_and_its_posts_are_refused(app: &TestApp) {
        let made = app.post(API, &json!({ "kind": "webhook", "name": "Door", "config": { "url": "https://a.example/in" } }));
        let id = made.json["id"].as_str().expect("an id").to_owned();
        let key = app.post("/api/v1/keys", &json!({ "name": "reader", "scopes": ["read"] }));
        let console = Console::sign_in_with(app, key.json["key"].as_str().expect("a key"));
        for path in [PAGES.to_owned(), format!("{PAGES}/{id}"), format!("{PAGES}/{id}/drift"), format!("{PAGES}/{id}/pushes")] {
            let page = console.get(&path);
            assert_eq!(page.status, 200, "{path}");
            let forms = page.html.matches("method=\"post\"").count();
            assert_eq!(forms, 1, "{path} has the form that signs out, and no other");
        }
        for path in [format!("{PAGES}/new"), format!("{PAGES}/new?kind=webhook"), format!("{PAGES}/{id}/edit")] {
            let refused = console.get(&path);
            assert_eq!(refused.status, 403, "{path}");
            assert!(refused.says("takes a key with the scope manage; yours is read."), "{path}: {}", refused.text());
        }
        for act in ["test", "disable", "rotate-secret", "resync", "look", "repair", "delete"] {
            let refused = console.form(&format!("{PAGES}/{id}/{act}"), &[("overlap_hours", "1")]);
            assert_eq!(refused.status, 403, "{act}: {}", refused.text());
        }
        let fields = [("kind", "webhook"), ("name", "x"), ("url", "https://b.example/in"), ("act", "save")];
        assert_eq!(new(&console, &fields).status, 403);
        assert_eq!(only(app)["enabled"], true);
    }
}

#[test]
fn a_new_destination_is_tested_before_it_is_saved_and_its_secret_is_pasted_once() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        let labels = vec!["Gold".to_owned()];
        ghost.state().has(Member {
            email: "by-hand@example.com".to_owned(),
            labels,
            ..Member::default()
        });
        let url = ghost.url();
        let form = |more: &[(&str, &str)]| {
            let common = [("kind", "ghost"), ("name", "Club"), ("url", &*url)];
            new(&console, &common.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
        };
        let bad = form(&[("secret", OTHER_KEY), ("act", "test")]);
        assert!(
            bad.status == 200 && bad.says("The test found something to mend."),
            "{}",
            bad.text()
        );
        let reached = form(&[("secret", KEY), ("act", "test")]);
        assert!(reached.says("Choose what each level is called there"), "{}", reached.text());
        assert!(reached.html.contains("<option value=\"Gold\""), "what there is can be chosen");
        assert!(
            !reached.html.contains(KEY) && !bad.html.contains(OTHER_KEY),
            "a secret is not sent back"
        );
        let kept = reached.value_of("kept").expect("what was pasted, sealed");
        let all = form(&[("secret", ""), ("kept", &kept), ("level.gold", "Gold"), ("act", "test")]);
        assert!(all.says("The test found everything as it has to be."), "{}", all.text());
        assert_eq!(app.get(API).json["items"], json!([]), "nothing is saved by a test");
        let typed = [
            ("secret", ""),
            ("kept", &*kept),
            ("level.gold", "Gold"),
            ("other.gold", "Gold 2"),
            ("act", "save"),
        ];
        assert_eq!(form(&typed).status, 303);
        assert_eq!(only(app)["levels"], json!([{ "level": "gold", "remote": "Gold 2" }]));
    });
}

#[test]
fn a_destination_is_tested_and_what_is_found_is_said_in_words() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        let page = adds_ghost(&console, &ghost);
        let good = console.form(&format!("{page}/test"), &[]);
        assert_eq!(good.status, 200);
        assert!(good.says("The test found everything as it has to be."), "{}", good.text());
        // Whoever opens the address of the answer again sees the destination.
        assert_eq!(console.get(&format!("{page}/test")).location, page);
        let tag = console.get(&format!("{page}/edit")).value_of("tag").expect("a tag");
        let fields = [
            ("name", "Club"),
            ("url", &*ghost.url()),
            ("secret", OTHER_KEY),
            ("tag", &*tag),
            ("level.gold", "Gold"),
            ("act", "save-and-test"),
        ];
        let bad = console.form(&format!("{page}/edit"), &fields);
        assert_eq!(bad.status, 200, "{}", bad.text());
        assert!(bad.says("The test found something to mend."), "{}", bad.text());
        assert!(!bad.html.contains(OTHER_KEY));
    });
}

#[test]
fn everybody_is_resynced_and_what_differs_is_found_and_repaired() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        grants(app, "ada@example.com");
        app.drain();
        let page = adds_ghost(&console, &ghost);
        let fresh = console.get(&page);
        assert!(fresh.says("Nobody has been brought in line yet"), "{}", fresh.text());
        let begun = console.form(&format!("{page}/resync"), &[]);
        assert_eq!((begun.status, &begun.location), (303, &page));
        let running = console.get(&page);
        assert!(
            running.says("Resyncing everybody") && running.html.contains("data-refresh"),
            "{}",
            running.text()
        );
        carries(app);
        let done = console.get(&page);
        assert!(done.says("1 member brought in line."), "{}", done.text());
        assert!(done.says("Confirmed 1 the destination has said so Waiting 0"), "{}", done.text());
        let listed = console.get(PAGES);
        let host = ghost.url().replace("http://", "");
        let host = host.split('/').next().unwrap_or_default();
        assert!(listed.says(&format!("Club {host} Ghost ok 1 0 0 0")), "{}", listed.text());
        assert!(!done.html.contains("data-refresh"));
        assert_eq!(ghost.member("ada@example.com").labels, ["Gold"]);

        ghost.state().members.iter_mut().for_each(|member| member.labels.clear());
        let drift = format!("{page}/drift");
        assert_eq!(console.form(&format!("{page}/look"), &[]).location, drift);
        carries(app);
        let found = console.get(&drift);
        for text in [
            "1 member looked at: 1 missing, 0 too much.",
            "ada@example.com",
            "Gold",
            "missing there",
        ] {
            assert!(found.says(text), "{text}: {}", found.text());
        }
        assert_eq!(console.form(&format!("{page}/repair"), &[]).location, drift);
        carries(app);
        assert_eq!(ghost.member("ada@example.com").labels, ["Gold"]);
        console.form(&format!("{page}/look"), &[]);
        carries(app);
        let none = console.get(&drift);
        assert!(none.says("No differences"), "{}", none.text());
    });
}

#[test]
fn what_has_not_arrived_is_listed_with_its_reason_and_tried_again() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let receiver = Receiver::start();
        let page = has_webhook(app, &receiver);
        receiver.answers([status(500)]);
        grants(app, "ada@example.com");
        carries(app);
        let pushes = format!("{page}/pushes");
        let retrying = console.get(&format!("{pushes}?status=retrying"));
        assert!(retrying.says("ada@example.com") && retrying.says("500"), "{}", retrying.text());
        assert!(console.get(&format!("{pushes}?status=failed")).says("Nothing here"));
        assert!(console.get(&format!("{pushes}?q=ben@example.com")).says("Nothing here"));
        let all = app.get("/api/v1/sites/default/pushes");
        let id = all.json["items"][0]["id"].as_str().expect("an id").to_owned();
        let again = console.form(&format!("{pushes}/{id}/retry"), &[("status", "retrying")]);
        assert_eq!(
            (again.status, again.location.clone()),
            (303, format!("{pushes}?status=retrying"))
        );
        carries(app);
        assert!(console.get(&format!("{pushes}?status=done")).says("ada@example.com"));
        assert_eq!(receiver.heard().len(), 2);
    });
}

#[test]
fn a_destination_is_switched_off_and_on_gets_another_secret_and_is_deleted() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let receiver = Receiver::start();
        let page = has_webhook(app, &receiver);
        assert_eq!(console.form(&format!("{page}/disable"), &[]).location, page);
        assert!(console.get(&page).says("Nothing is sent. What changes meanwhile is kept"));
        grants(app, "ada@example.com");
        carries(app);
        assert_eq!(receiver.heard().len(), 0);
        assert_eq!(console.form(&format!("{page}/enable"), &[]).status, 303);
        carries(app);
        assert_eq!(receiver.heard().len(), 1);

        let bad = console.form(&format!("{page}/rotate-secret"), &[("overlap_hours", "1000")]);
        assert_eq!(bad.location, page);
        assert!(console.get(&page).says("must be from 0 to 720"));
        let rotated = console.form(&format!("{page}/rotate-secret"), &[("overlap_hours", "12")]);
        assert!(rotated.status == 200 && rotated.says("whsec_"), "{}", rotated.text());
        let after = console.get(&page);
        assert!(
            !after.says("whsec_") && after.says("messages are signed with the secret before, too"),
            "{}",
            after.text()
        );

        assert_eq!(console.form(&format!("{page}/delete"), &[]).location, PAGES);
        assert_eq!(app.get(API).json["items"], json!([]));
        assert!(console.get(PAGES).says("The destination is deleted."));
        assert_eq!(console.get(&page).status, 404);
    });
}
