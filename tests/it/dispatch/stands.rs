//! How a destination stands by what it answers: left alone while it fails, broken while it refuses us, and nothing is
//! lost meanwhile.

use super::{SITE, buys, carry, carry_after, destination, hears_only, on_both, push_of};
use crate::alarms::receiver::{Answer, Receiver, status};
use chrono::TimeDelta;
use latchkey::store::destinations::State;
use serde_json::json;

#[test]
fn one_that_refuses_us_hears_nothing_more_until_somebody_has_done_something() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = hears_only(app, &receiver, "access.changed");
        receiver.answers([status(401)]);
        buys(app, 1, "ada@example.com");
        carry(app);
        let stands = destination(app, &id);
        assert_eq!(stands.state, State::Broken);
        assert_eq!(stands.detail.as_deref(), Some("the destination answered 401"));
        buys(app, 2, "ben@example.com");
        carry_after(app, TimeDelta::hours(1));
        assert_eq!(receiver.heard().len(), 1, "nothing more was sent");
        for email in ["ada@example.com", "ben@example.com"] {
            assert_ne!(push_of(app, &id, email).status, "failed", "and nothing is given up");
        }
        let edited = app.patch(&format!("{SITE}/destinations/{id}"), &json!({ "enabled": true }));
        assert_eq!((edited.status, &edited.json["state"]), (200, &json!("paused")), "{edited:?}");
        carry(app);
        assert_eq!(destination(app, &id).state, State::Ok, "it has answered");
        for email in ["ada@example.com", "ben@example.com"] {
            assert_eq!(push_of(app, &id, email).status, "done");
        }
    });
}

#[test]
fn one_that_asks_to_wait_is_left_alone_for_so_long() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = hears_only(app, &receiver, "access.changed");
        receiver.answers([Answer::With(429, "Retry-After: 600\r\n", Vec::new())]);
        buys(app, 1, "ada@example.com");
        carry(app);
        assert_eq!(destination(app, &id).state, State::Paused);
        carry_after(app, TimeDelta::seconds(599));
        assert_eq!(receiver.heard().len(), 1);
        carry_after(app, TimeDelta::seconds(1));
        assert_eq!(receiver.heard().len(), 2);
        let push = push_of(app, &id, "ada@example.com");
        assert_eq!((push.status.as_str(), push.attempts), ("done", 1), "waiting is no attempt");
        assert_eq!(destination(app, &id).state, State::Ok);
    });
}

#[test]
fn one_that_is_down_is_tried_with_one_push_at_a_time_and_gets_everything_once_it_is_up() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = hears_only(app, &receiver, "access.changed");
        // More than can be under way at once: no answer that comes late says that all is well.
        receiver.answers((0..34).map(|_| status(500)));
        for number in 1..=30 {
            buys(app, number, &format!("buyer-{number}@example.com"));
        }
        carry(app);
        let stands = destination(app, &id);
        assert_eq!(stands.state, State::Paused, "{stands:?}");
        let home = || crate::console::support::Console::sign_in(app).get("/sites/default");
        assert!(home().says("does not take what it is told"), "{}", home().text());
        let before = receiver.heard().len();
        carry_after(app, TimeDelta::seconds(29));
        assert_eq!(receiver.heard().len(), before, "it is left alone");
        for _ in 0..60 {
            carry_after(app, TimeDelta::minutes(15));
        }
        let stands = destination(app, &id);
        assert_eq!((stands.state, stands.failures), (State::Ok, 0));
        assert!(!home().says("does not take what it is told"), "{}", home().text());
        for number in 1..=30 {
            let push = push_of(app, &id, &format!("buyer-{number}@example.com"));
            assert_eq!(push.status, "done", "{push:?}");
        }
    });
}

#[test]
fn what_is_disabled_keeps_what_is_wanted_until_it_is_enabled() {
    on_both(|app| {
        let receiver = Receiver::start();
        let id = hears_only(app, &receiver, "access.changed");
        let path = format!("{SITE}/destinations/{id}");
        assert_eq!(app.patch(&path, &json!({ "enabled": false })).status, 200);
        buys(app, 1, "ada@example.com");
        carry(app);
        assert_eq!(receiver.heard(), []);
        assert_eq!(app.patch(&path, &json!({ "enabled": true })).status, 200);
        carry(app);
        assert_eq!(receiver.heard().len(), 1);
    });
}
