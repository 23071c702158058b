//! What the pages of a destination tell whoever has to do something about it.

use super::{API, PAGES, adds_ghost, carries, grants, has_webhook, on_both};
use crate::alarms::receiver::{Receiver, status};
use crate::console::support::{Console, Page};
use crate::support::ghost::{Ghost, Member};
use crate::support::instant;
use chrono::TimeDelta;
use latchkey::store::destinations;
use serde_json::{Value, json};

/// What stands beside the name of a destination that is well.
const OK: &str = "good\">ok<";

#[test]
fn a_destination_is_ok_once_it_has_confirmed_something_and_an_edit_alone_says_nothing() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let receiver = Receiver::start();
        let page = has_webhook(app, &receiver);
        let both = || [console.get(&page), console.get(PAGES)];
        for fresh in both() {
            assert!(fresh.says("nothing confirmed yet"), "{}", fresh.text());
            assert!(!fresh.html.contains(OK), "{}", fresh.text());
        }
        receiver.answers([status(401)]);
        grants(app, "ada@example.com");
        carries(app);
        for broken in both() {
            assert!(broken.says("broken"), "{}", broken.text());
        }
        let setup = || console.get("/sites/default/setup");
        let words = "Door is added, and does not take what it is told.";
        assert!(setup().says(words), "{}", setup().text());
        let edit = format!("{page}/edit");
        let tag = console.get(&edit).value_of("tag").expect("a tag");
        let url = receiver.url("/in");
        let fields = [
            ("name", "Door"),
            ("url", &*url),
            ("types", "access.changed"),
            ("tag", &*tag),
            ("act", "save"),
        ];
        let saved = console.form(&edit, &fields);
        assert_eq!((saved.status, &saved.location), (303, &page), "{}", saved.text());
        for edited in both() {
            assert!(edited.says("not reached yet"), "{}", edited.text());
            assert!(!edited.html.contains(OK), "{}", edited.text());
        }
        assert!(console.get(&page).says("Choose Test to see whether it answers now."));
        let home = console.get("/sites/default");
        assert!(home.says("Door does not take what it is told"), "{}", home.text());
        let words = "It is called again by itself in a moment.";
        assert!(home.says(words) && !home.says("with growing pauses"), "{}", home.text());
        carries(app);
        for well in both() {
            assert!(well.html.contains(OK), "{}", well.text());
        }
        // What it has confirmed stays seen while all of it is on its way again.
        app.level("silver");
        let grant = json!({ "level": "silver", "note": "" });
        let again = app.post("/api/v1/sites/default/members/ada@example.com/grants", &grant);
        assert_eq!(again.status, 201, "{again:?}");
        app.drain();
        let done = app.get("/api/v1/sites/default/pushes?status=done");
        assert_eq!(done.json["items"], json!([]), "it is on its way");
        for well in both() {
            assert!(well.html.contains(OK), "{}", well.text());
        }
        let words = "A destination has confirmed the access of a member.";
        assert!(setup().says(words), "{}", setup().text());
        assert_eq!(console.form(&format!("{page}/disable"), &[]).status, 303);
        for off in both() {
            assert!(off.says("switched off"), "{}", off.text());
        }
    });
}

#[test]
fn a_destination_that_is_left_alone_no_more_is_called_when_what_waits_for_it_is_tried_again() {
    on_both(|app| {
        let receiver = Receiver::start();
        let page = has_webhook(app, &receiver);
        let next_attempt = || {
            let push = app.get("/api/v1/sites/default/pushes").json["items"][0].clone();
            instant(push["next_attempt_at"].as_str().expect("an instant"))
        };
        grants(app, "ada@example.com");
        app.drain();
        for _ in 0..5 {
            app.clock.set(next_attempt());
            receiver.answers([status(500)]);
            carries(app);
        }
        // The first pause of a destination is over by now; the push waits for hours.
        app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        let later = next_attempt();
        assert!(later > app.clock.now() + TimeDelta::hours(4), "{later}");
        let later_in_words = later.format("%-d %B %Y, %H:%M UTC");
        let words = format!(
            "It is called again by itself, on {later_in_words} at the latest; before that with the next change, or \
             when you test it."
        );
        let says = |words: &str| {
            let console = Console::sign_in(app);
            for path in [&*page, PAGES, "/sites/default"] {
                let page = console.get(path);
                assert!(page.says(words), "{path}: {}", page.text());
                assert!(!page.says("It is called again with the next change"), "{}", page.text());
            }
        };
        says(&words);
        app.clock.set(later);
        says("It is called again by itself in a moment.");
    });
}

#[test]
fn a_destination_that_nothing_waits_for_is_called_again_with_the_next_change() {
    on_both(|app| {
        let page = has_webhook(app, &Receiver::start());
        let id = page.rsplit('/').next().expect("an id");
        // As it stands once what it did not take is given up, or is for nobody any more.
        let now = app.clock.now();
        let failed = app.app.store().write(|conn| {
            let mut one = destinations::get(conn, "default", id)?.expect("a destination");
            one.is_down("the destination answered 500", Some(now), now);
            destinations::stands(conn, &one)
        });
        failed.expect("noted");
        let console = Console::sign_in(app);
        for path in [&*page, PAGES, "/sites/default"] {
            let page = console.get(path);
            let words = "It is called again with the next change, or when you test it.";
            assert!(page.says(words) && !page.says("by itself"), "{path}: {}", page.text());
        }
    });
}

#[test]
fn what_is_tried_again_is_told_on_the_home_page_with_its_age() {
    on_both(|app| {
        let receiver = Receiver::start();
        let page = has_webhook(app, &receiver);
        receiver.answers([status(500)]);
        grants(app, "ada@example.com");
        carries(app);
        app.clock.set(app.clock.now() + TimeDelta::hours(2));
        let lag = || app.get("/api/v1/sites/default/stats?days=1").json["lag"].clone();
        let told = lag();
        assert_eq!((&told["pushes"]["count"], &told["retrying"]["count"]), (&json!(1), &json!(1)));
        assert_eq!(told["pushes"]["oldest_at"], Value::Null, "none waits for its first attempt");
        assert_eq!(told["retrying"]["oldest_seconds"], 7_200, "{told}");
        let home = Console::sign_in(app).get("/sites/default");
        assert!(home.says("1 waits, for 2 hours; being tried again"), "{}", home.text());
        let off = app.patch(&page.replace(PAGES, API), &json!({ "enabled": false }));
        assert_eq!(off.status, 200, "{off:?}");
        let told = lag();
        assert_eq!(
            (&told["retrying"]["count"], &told["retrying"]["oldest_at"]),
            (&json!(1), &Value::Null),
            "nobody means to send it"
        );
    });
}

#[test]
fn whom_a_new_destination_was_never_told_of_is_told_on_the_home_page_until_it_is() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let home = || console.get("/sites/default");
        for email in ["ada@example.com", "ben@example.com"] {
            grants(app, email);
        }
        app.drain();
        let page = has_webhook(app, &Receiver::start());
        let two = home();
        assert!(two.says("2 members' access has not been brought to “Door” yet"), "{}", two.text());
        assert!(two.html.contains(&format!("href=\"{page}\"")), "{}", two.html);
        // Whoever changes from now on is told by itself; who had access before is not.
        grants(app, "cleo@example.com");
        carries(app);
        assert!(home().says("2 members' access has not been brought"), "{}", home().text());
        assert_eq!(console.form(&format!("{page}/resync"), &[]).location, page);
        assert!(!home().says("has not been brought"), "it is under way: {}", home().text());
        carries(app);
        assert!(!home().says("has not been brought"), "{}", home().text());
    });
}

#[test]
fn who_has_it_there_already_is_not_called_untold_once_the_destination_was_compared() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let home = || console.get("/sites/default");
        grants(app, "ada@example.com");
        app.drain();
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        let (email, labels) = ("ada@example.com".to_owned(), vec!["Gold".to_owned()]);
        ghost.state().has(Member { email, labels, ..Member::default() });
        adds_ghost(&console, &ghost);
        let one = home();
        assert!(one.says("1 member's access has not been brought to “Club” yet"), "{}", one.text());
        let words = "at the next comparison at night, or now when you resync everybody";
        assert!(one.says(words), "{}", one.text());
        let asked = app.post("/api/v1/sites/default/drift/repair", &json!({}));
        assert_eq!(asked.status, 202, "{asked:?}");
        carries(app);
        let pushes = app.get("/api/v1/sites/default/pushes").json["items"].clone();
        assert_eq!(pushes, json!([]), "nothing differs");
        assert!(!home().says("has not been brought"), "{}", home().text());
    });
}

#[test]
fn who_holds_a_level_that_was_added_after_a_comparison_is_called_untold_until_the_next_one() {
    on_both(|app| {
        app.level("silver");
        let gives_silver = |email: &str| {
            let path = format!("/api/v1/sites/default/members/{email}/grants");
            let made = app.post(&path, &json!({ "level": "silver", "note": "" }));
            assert_eq!(made.status, 201, "{made:?}");
        };
        grants(app, "ada@example.com");
        for email in ["ben@example.com", "cleo@example.com", "dan@example.com"] {
            gives_silver(email);
        }
        app.drain();
        let console = Console::sign_in(app);
        let home = || console.get("/sites/default");
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        for (email, label) in [("ada@example.com", "Gold"), ("ben@example.com", "Silver")] {
            let (email, labels) = (email.to_owned(), vec![label.to_owned()]);
            ghost.state().has(Member { email, labels, ..Member::default() });
        }
        let page = adds_ghost(&console, &ghost);
        let compares = || {
            let asked = app.post("/api/v1/sites/default/drift/repair", &json!({}));
            assert_eq!(asked.status, 202, "{asked:?}");
            carries(app);
        };
        compares();
        assert!(!home().says("has not been brought"), "{}", home().text());

        let levels = json!([{ "level": "gold", "remote": "Gold" }, { "level": "silver", "remote": "Silver" }]);
        let edited = app.patch(&page.replace(PAGES, API), &json!({ "levels": levels }));
        assert_eq!(edited.status, 200, "{edited:?}");
        // Three hold it, and of these at most one was looked at for the sake of the other level.
        let words = "2 members' access has not been brought to “Club” yet";
        assert!(home().says(words), "{}", home().text());
        assert!(home().says("or was told of that level, gets it there at the next comparison"));
        // Whoever changes from now on is told by itself.
        app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        ghost.clock().set(app.clock.now());
        gives_silver("eve@example.com");
        carries(app);
        assert!(home().says(words), "{}", home().text());
        // Whoever has it there already is sent nothing, and is not called untold for ever.
        compares();
        let pushes = app.get("/api/v1/sites/default/pushes").json["items"].clone();
        assert_eq!(pushes.as_array().map(Vec::len), Some(3), "cleo, dan and eve: {pushes}");
        assert!(!home().says("has not been brought"), "{}", home().text());
    });
}

#[test]
fn a_second_of_a_kind_is_offered_a_name_of_its_own_and_http_is_said_to_be_read_on_the_way() {
    on_both(|app| {
        let console = Console::sign_in(app);
        let form = || console.get(&format!("{PAGES}/new?kind=webhook"));
        assert_eq!(form().value_of("name").as_deref(), Some("Signed webhook"));
        let receiver = Receiver::start();
        let url = receiver.url("/in");
        let fields = [
            ("kind", "webhook"),
            ("name", "Signed webhook"),
            ("url", &*url),
            ("types", "access.changed"),
            ("act", "save"),
        ];
        let made = console.form(&format!("{PAGES}/new"), &fields);
        assert!(made.says("Nothing has tested yet whether it answers"), "{}", made.text());
        assert_eq!(form().value_of("name").as_deref(), Some("Signed webhook 2"));
        let id = app.get(API).json["items"][0]["id"].as_str().expect("an id").to_owned();
        let page = console.get(&format!("{PAGES}/{id}"));
        assert!(page.says("what is sent to it can be read on the way"), "{}", page.text());
    });
}

#[test]
fn before_it_is_saved_the_form_says_what_saving_does_and_how_many_hold_each_level() {
    on_both(|app| {
        let console = Console::sign_in(app);
        grants(app, "ada@example.com");
        app.drain();
        for kind in ["ghost", "webhook"] {
            let form = console.get(&format!("{PAGES}/new?kind={kind}"));
            assert!(form.says("Saving tells nobody there anything yet."), "{}", form.text());
            assert!(form.says("1 member holds this level now."), "{}", form.text());
        }
        let page = has_webhook(app, &Receiver::start());
        let form = console.get(&format!("{page}/edit"));
        for words in ["Saving changes nobody there at once.", "Resync everybody"] {
            assert!(form.says(words), "{words}: {}", form.text());
        }
    });
}

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
