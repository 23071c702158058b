//! The heartbeat URL is called while all is well, and at no other time.

use super::receiver::Receiver;
use super::{SITE, discards, hears_nonsense, on_both, sale, wants, watch, watch_at, worker};
use crate::support::TestApp;
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use latchkey::store::StoreError;
use latchkey::store::sites::Busy;
use serde_json::json;

fn beats_to(app: &TestApp, receiver: &Receiver) {
    wants(app, &json!({ "heartbeat_url": receiver.url("/beat?of=us"), "off": ["silent"] }));
}

fn sql(app: &TestApp, statement: &str) {
    let done = app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(statement)?));
    done.expect("done");
}

#[test]
fn a_heartbeat_comes_every_minute_and_stops_while_an_alarm_is_open() {
    on_both(|app| {
        let receiver = Receiver::start();
        beats_to(app, &receiver);
        watch(app);
        assert_eq!(receiver.heard().len(), 1);
        let beat = &receiver.heard()[0];
        assert_eq!((beat.what.as_str(), beat.body.as_str()), ("GET /beat?of=us", ""));
        worker(app).drain().expect("watched");
        assert_eq!(receiver.heard().len(), 1, "not twice in a minute");
        watch(app);
        assert_eq!(receiver.heard().len(), 2);
        let heard = hears_nonsense(app);
        watch(app);
        watch(app);
        assert_eq!(receiver.heard().len(), 2, "an alarm is open");
        discards(app, &heard);
        watch(app);
        assert_eq!(receiver.heard().len(), 3);
        wants(app, &json!({ "heartbeat_url": null }));
        watch(app);
        assert_eq!(receiver.heard().len(), 3, "nobody wants it any more");
    });
}

#[test]
fn a_disabled_site_is_not_well() {
    on_both(|app| {
        let receiver = Receiver::start();
        beats_to(app, &receiver);
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        watch(app);
        assert_eq!(receiver.heard().len(), 0);
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        watch(app);
        assert_eq!(receiver.heard().len(), 1);
    });
}

#[test]
fn webhooks_that_nobody_applies_stop_the_heartbeat() {
    on_both(|app| {
        let receiver = Receiver::start();
        beats_to(app, &receiver);
        app.receives(sale(1).body());
        let received_at = app.clock.now();
        watch_at(app, received_at + TimeDelta::minutes(5) - TimeDelta::microseconds(1));
        assert_eq!(receiver.heard().len(), 1, "five minutes are not long");
        watch(app);
        assert_eq!(receiver.heard().len(), 1);
        app.drain();
        watch(app);
        assert_eq!(receiver.heard().len(), 2);
    });
}

#[test]
fn a_webhook_that_fails_by_an_error_of_ours_stops_the_heartbeat() {
    on_both(|app| {
        let receiver = Receiver::start();
        beats_to(app, &receiver);
        app.receives(sale(1).body());
        sql(app, "ALTER TABLE event_ties RENAME TO hidden");
        app.drain();
        watch(app);
        assert_eq!(receiver.heard().len(), 0);
        sql(app, "ALTER TABLE hidden RENAME TO event_ties");
        app.drain();
        watch(app);
        assert_eq!(receiver.heard().len(), 1);
    });
}

#[test]
fn a_turn_of_the_flow_that_fails_stops_the_heartbeat_until_the_next_one_succeeds() {
    on_both(|app| {
        let receiver = Receiver::start();
        beats_to(app, &receiver);
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold", "policy": { "duration_days": 1 } }));
        app.receives(sale(1).body());
        app.drain();
        app.clock.set(app.clock.now() + TimeDelta::days(1));
        sql(app, "ALTER TABLE access RENAME TO hidden");
        let turn = app.app.flow().turn(Busy::Skip);
        assert!(turn.is_err(), "{turn:?}");
        sql(app, "ALTER TABLE hidden RENAME TO access");
        watch(app);
        assert_eq!(receiver.heard().len(), 0);
        app.drain();
        watch(app);
        assert_eq!(receiver.heard().len(), 1);
    });
}

#[test]
fn one_sites_alarm_stops_no_others_heartbeat() {
    on_both(|app| {
        let (here, there) = (Receiver::start(), Receiver::start());
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "other" })).status, 201);
        beats_to(app, &here);
        let wanted = json!({ "alarms": { "heartbeat_url": there.url("/beat") } });
        assert_eq!(app.patch("/api/v1/sites/other", &wanted).status, 200);
        hears_nonsense(app);
        watch(app);
        assert_eq!((here.heard().len(), there.heard().len()), (0, 1));
        assert_eq!(app.delete("/api/v1/sites/other?confirm=other").status, 204);
        watch(app);
        assert_eq!(there.heard().len(), 1, "the site is gone");
    });
}
