//! A signed webhook is told what a member holds, all of it, once for many changes.

use super::{buys, carry, carry_after, gives_back, on_both, push_of, tells};
use crate::alarms::receiver::{Answer, Receiver, status};
use crate::support::ADMIN_KEY;
use chrono::TimeDelta;
use serde_json::{Value, json};

fn said(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn many_changes_are_one_message_that_says_all() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = tells(app, &receiver.url("/access"));
        buys(app, 1, "ada@example.com");
        app.drain();
        gives_back(app, 1, "ada@example.com");
        app.drain();
        buys(app, 2, "ada@example.com");
        carry(app);
        let heard = receiver.heard();
        let about_access: Vec<Value> = heard
            .iter()
            .map(|heard| said(&heard.body))
            .filter(|said| said["type"] == "access.changed")
            .collect();
        assert_eq!(about_access.len(), 1, "{about_access:#?}");
        let data = &about_access[0]["data"];
        assert_eq!((&data["site"], &data["email"]), (&json!("default"), &json!("ada@example.com")));
        assert_eq!(data["levels"][0]["level"], "gold");
        assert_eq!((&data["granted"], &data["revoked"]), (&json!(["gold"]), &json!([])));
        assert_eq!(data["levels"], app.access_of("ada@example.com")["levels"].as_array().map(|l| {
            l.iter().map(|l| json!({"level": l["level"], "since": l["since"], "until": l["until"]})).collect::<Vec<_>>()
        }).into_iter().flatten().collect::<Value>());
        let push = push_of(app, &id, "ada@example.com");
        assert_eq!((push.status.as_str(), push.attempts), ("done", 1));
        assert_eq!(data["version"].as_i64(), Some(push.version));
        // What was told counts for what is said next.
        gives_back(app, 2, "ada@example.com");
        carry_after(app, TimeDelta::seconds(1));
        let last = said(&receiver.heard().last().expect("a message").body);
        assert_eq!(
            (&last["data"]["revoked"], &last["data"]["levels"]),
            (&json!(["gold"]), &json!([]))
        );
        assert!(last["data"]["version"].as_i64() > Some(push.version), "it only grows");
    });
}

#[test]
fn a_product_that_is_heard_of_first_and_an_address_that_changes_are_told_of() {
    on_both(|app| {
        let receiver = Receiver::start();
        tells(app, &receiver.url("/all"));
        let of = |email: &str, id: u32| {
            crate::support::Ipn::new("sale", id).of(email).subscription(7).with("lead_id", 77)
        };
        app.receives(of("old@example.com", 1).body());
        carry(app);
        app.clock.set(app.clock.now() + TimeDelta::days(1));
        app.receives(of("new@example.com", 2).on("2026-01-01 12:00:00").body());
        carry(app);
        let about = |what: &str| -> Vec<Value> {
            let all = receiver.heard();
            let all = all.iter().map(|heard| said(&heard.body));
            all.filter(|said| said["type"] == what).map(|said| said["data"].clone()).collect()
        };
        assert_eq!(about("product.discovered").len(), 1);
        assert_eq!(about("product.discovered")[0]["product_id"], "501");
        assert_eq!(
            about("member.email_changed"),
            [json!({"site": "default", "from": "old@example.com", "to": "new@example.com"})]
        );
        let last_of = |email: &str| {
            let all = about("access.changed");
            let of: Vec<Value> = all.into_iter().filter(|data| data["email"] == email).collect();
            of.last().expect("a message")["levels"].as_array().expect("levels").len()
        };
        assert_eq!((last_of("old@example.com"), last_of("new@example.com")), (0, 1));
    });
}

#[test]
fn it_is_tried_ten_times_by_the_schedule_under_one_id_then_kept_as_failed_and_taken_up_by_hand() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = super::hears_only(app, &receiver, "access.changed");
        receiver.answers((0..10).map(|_| status(500)));
        buys(app, 1, "ada@example.com");
        carry(app);
        super::is_tried_to_the_last(app, &id, "ada@example.com");
        let push = push_of(app, &id, "ada@example.com");
        assert_eq!((push.status.as_str(), push.attempts), ("failed", 10), "{push:?}");
        assert_eq!(push.last_error.as_deref(), Some("the destination answered 500"));
        let heard = receiver.heard();
        assert_eq!(heard.len(), 10);
        let first = &heard[0];
        for later in &heard {
            assert_eq!(later.headers["webhook-id"], first.headers["webhook-id"]);
            assert_eq!(later.body, first.body);
        }
        let path = format!("{}/pushes/{}/retry", super::SITE, push.id);
        let taken_up = app.request("POST", &path, |request| request.bearer_auth(ADMIN_KEY));
        assert_eq!(taken_up.status, 200, "{taken_up:?}");
        carry(app);
        assert_eq!(push_of(app, &id, "ada@example.com").status, "done");
    });
}

#[test]
fn it_is_not_done_before_the_destination_has_answered() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = super::hears_only(app, &receiver, "access.changed");
        let (go, gone) = std::sync::mpsc::channel();
        receiver.answers([Answer::When(gone)]);
        buys(app, 1, "ada@example.com");
        app.drain();
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| super::worker(app).drain().expect("sent"));
            receiver.waits_for_one();
            let push = push_of(app, &id, "ada@example.com");
            assert_eq!(
                (push.status.as_str(), push.done_at, push.confirmed),
                ("pending", None, None)
            );
            go.send(()).expect("it hangs");
            sending.join().expect("sent");
        });
        let push = push_of(app, &id, "ada@example.com");
        assert_eq!((push.status.as_str(), push.confirmed), ("done", Some(push.wanted)));
    });
}
