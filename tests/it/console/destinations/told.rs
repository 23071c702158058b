//! What the pages of a destination tell whoever has to do something about it.

use super::{API, PAGES, adds_ghost, carries, grants, has_webhook, on_both};
use crate::alarms::receiver::Receiver;
use crate::console::support::{Console, Page};
use crate::support::ghost::Ghost;
use serde_json::json;

#[test]
fn after_an_edit_of_levels_or_address_the_page_offers_to_resync_everybody_and_says_why() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        let page = adds_ghost(&console, &ghost);
        let url = ghost.url();
        let edit = |name: &str, label: &str, act: &str| {
            let edit = format!("{page}/edit");
            let tag = console.get(&edit).value_of("tag").expect("a tag");
            let what = [("name", name), ("url", &*url), ("secret", ""), ("tag", &*tag)];
            let more = [("other.gold", label), ("act", act)];
            console.form(&edit, &[what.as_slice(), more.as_slice()].concat())
        };
        let offers = |page: &Page| page.says("The levels have changed. Until you resync everybody");
        let renamed = edit("The club", "Gold", "save");
        assert_eq!(renamed.location, page, "{}", renamed.text());
        assert!(!offers(&console.get(&page)));

        let saved = edit("The club", "Gold 2", "save");
        assert_eq!(saved.location, format!("{page}?changed=levels"), "{}", saved.text());
        let offered = console.get(&saved.location);
        assert!(offers(&offered), "{}", offered.text());
        let action = format!("action=\"{page}/resync\"");
        assert_eq!(
            offered.html.matches(&action).count(),
            1,
            "it is offered once: {}",
            offered.html
        );
        let made = app.post("/api/v1/keys", &json!({ "name": "r", "scopes": ["read"] }));
        let reader = Console::sign_in_with(app, made.json["key"].as_str().expect("a key"));
        assert!(!offers(&reader.get(&saved.location)), "who may not resync is offered nothing");
        assert_eq!(console.form(&format!("{page}/resync"), &[]).location, page);
        assert!(!offers(&console.get(&saved.location)), "it has begun");
        carries(app);

        let tested = edit("The club", "Gold 3", "save-and-test");
        assert_eq!(tested.status, 200, "{}", tested.text());
        assert!(offers(&tested) && tested.html.contains(&action), "{}", tested.text());

        let receiver = Receiver::start();
        let door = has_webhook(app, &receiver);
        let tag = console.get(&format!("{door}/edit")).value_of("tag").expect("a tag");
        let other = receiver.url("/other");
        let moved = [
            ("name", "Door"),
            ("url", &*other),
            ("types", "access.changed"),
            ("tag", &*tag),
            ("act", "save"),
        ];
        let moved = console.form(&format!("{door}/edit"), &moved);
        assert_eq!(moved.location, format!("{door}?changed=address"), "{}", moved.text());
        let offered = console.get(&moved.location);
        assert!(offered.says("The address has changed."), "{}", offered.text());
    });
}

#[test]
fn what_a_machine_says_of_an_address_where_nobody_answers_is_told_in_words() {
    on_both(|app| {
        let console = Console::sign_in(app);
        // Nobody listens at the first port of all.
        let asked = json!({ "kind": "webhook", "name": "Door", "config": { "url": "http://127.0.0.1:1/in" } });
        let made = app.post(API, &asked);
        assert_eq!(made.status, 201, "{made:?}");
        let page = format!("{PAGES}/{}", made.json["id"].as_str().expect("an id"));
        let words = "Nobody answers at this address: the connection was refused. Is the site running, and is the port right? \
                     In the words of the machine: no connection: Connection refused";
        let tested = console.form(&format!("{page}/test"), &[]);
        assert!(tested.says(&format!("A test message: {words}")), "{}", tested.text());
        grants(app, "ada@example.com");
        carries(app);
        let retrying = console.get(&format!("{page}/pushes?status=retrying"));
        assert!(retrying.says(words), "{}", retrying.text());
        // The API tells it as it is.
        let push = app.get("/api/v1/sites/default/pushes").json["items"][0].clone();
        assert!(push["last_error"].as_str().expect("why").starts_with("no connection:"), "{push}");
    });
}
