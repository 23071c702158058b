//! What an operator is told of destinations without asking.

use super::{SITE, buys, carry, hears_only, on_both, push_of};
use crate::alarms::receiver::{Receiver, status};
use crate::support::TestApp;
use chrono::TimeDelta;
use serde_json::{Value, json};

/// Looks for alarms a minute later.
fn looks(app: &TestApp) {
    app.clock.set(app.clock.now() + TimeDelta::minutes(1));
    let mut worker =
        latchkey::alarms::worker::Worker::new(app.app.alarms().clone()).expect("a worker");
    worker.drain().expect("looked");
}

fn open_kinds(app: &TestApp) -> Vec<Value> {
    let found = app.get(&format!("{SITE}/alarms?state=open"));
    let items = found.json["items"].as_array().expect("items").clone();
    items.into_iter().map(|alarm| alarm["kind"].clone()).filter(|kind| kind != "silent").collect()
}

#[test]
fn a_destination_that_refuses_us_and_a_push_that_has_failed_are_alarms_until_they_are_mended() {
    on_both(|app| {
        let (refusing, listening) = (Receiver::start(), Receiver::start());
        let id = hears_only(app, &refusing, "access.changed");
        hears_only(app, &listening, "alarm.raised");

        refusing.answers([status(403)]);
        buys(app, 1, "ada@example.com");
        carry(app);
        looks(app);
        assert_eq!(open_kinds(app), ["destinations_down"]);
        carry(app);
        let said: Value = serde_json::from_str(&listening.heard()[0].body).expect("JSON");
        assert_eq!(
            (&said["type"], &said["data"]["kind"], &said["data"]["site"]),
            (&json!("alarm.raised"), &json!("destinations_down"), &json!("default"))
        );
        assert_eq!(
            app.patch(&format!("{SITE}/destinations/{id}"), &json!({"enabled": true})).status,
            200
        );
        carry(app);
        looks(app);
        assert_eq!(open_kinds(app), Vec::<Value>::new());

        // After the last attempt it is failed, listed, and an alarm, and it is taken up again by hand.
        refusing.answers((0..10).map(|_| status(500)));
        super::gives_back(app, 1, "ada@example.com");
        carry(app);
        super::is_tried_to_the_last(app, &id, "ada@example.com");
        looks(app);
        assert!(open_kinds(app).contains(&json!("pushes_failed")), "{:?}", open_kinds(app));
        let push = push_of(app, &id, "ada@example.com");
        assert_eq!(app.post(&format!("{SITE}/pushes/{}/retry", push.id), &json!({})).status, 200);
        carry(app);
        looks(app);
        assert_eq!(open_kinds(app), Vec::<Value>::new());
    });
}
