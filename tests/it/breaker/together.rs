//! Two processes on one database share one window.

use super::{changes, emails, event, hear, held_open, holders, limit, members};
use crate::on_both_databases;

on_both_databases! {
    fn two_processes_let_no_more_go_than_one(app: &TestApp) {
        members(app, 60);
        limit(app, 10);
        let other = app.beside();
        other.clock.set(app.clock.now());
        // Turn by turn, and at last both at once.
        for number in 1..=20 {
            hear(app, "refund", [number]);
            if number % 2 == 0 { app.drain() } else { other.drain() }
        }
        let (one, another) = (&app.hook(), &other.hook());
        app.post_raw_at_once(one, (21..=40).map(|number| event("refund", number).body()).collect());
        other.post_raw_at_once(another, (41..=60).map(|number| event("refund", number).body()).collect());
        std::thread::scope(|scope| {
            let flow = other.app.flow();
            scope.spawn(move || flow.drain().expect("drained"));
            app.app.flow().drain().expect("drained");
        });
        app.drain();
        let (revoked, parked) = (changes(app, "revoked"), held_open(app));
        assert_eq!((revoked.len(), parked.len()), (10, 50));
        assert_eq!(holders(app), emails(&parked));
        assert_eq!(held_open(&other), parked);
    }
}
