//! Two processes at one run, and one that dies in the middle.

use super::{Club, asks, carries, counts, drift, grants, on_both, run, worker};
use chrono::TimeDelta;
use latchkey::dispatch::LEASE;
use latchkey::store::runs::{self, Run};
use serde_json::{Value, json};

/// The open run that was asked for, as it is kept.
fn kept(app: &crate::support::TestApp, asked: &Value) -> Run {
    let id = asked["id"].as_str().expect("an id").to_owned();
    let found = app.app.store().read_one(|conn| runs::get(conn, "default", &id));
    found.expect("read").expect("a run")
}

#[test]
fn two_processes_share_a_run_and_nobody_is_looked_at_twice() {
    on_both(|app| {
        let club = Club::of(app);
        for number in 0..120 {
            grants(app, &format!("m{number:03}@example.com"), "gold");
        }
        carries(app);
        for number in (0..120).step_by(3) {
            club.edits(&format!("m{number:03}@example.com"), Vec::clear);
        }
        let other = app.beside_as(&[("egress.allow", "127.0.0.0/8")], None);
        let before = club.ghost.count("GET");
        let asked = asks(app, "/drift", &json!({}));
        let (mut one, mut two) = (worker(app), worker(&other));
        std::thread::scope(|scope| {
            scope.spawn(|| one.drain().expect("drained"));
            scope.spawn(|| two.drain().expect("drained"));
        });
        carries(app);
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 120, 120, 40, 0, 0, 0]));
        assert_eq!(club.ghost.count("GET") - before, 120);
        assert_eq!(drift(app).len(), 40);
        drop(other);
    });
}

#[test]
fn where_a_process_dies_another_goes_on_and_what_comes_late_of_the_first_is_not_written() {
    on_both(|app| {
        let club = Club::of(app);
        for number in 0..3 {
            grants(app, &format!("m{number}@example.com"), "gold");
        }
        carries(app);
        club.edits("m1@example.com", Vec::clear);
        let asked = asks(app, "/drift", &json!({}));
        // A process claims the page, and is not heard of again.
        let now = app.clock.now();
        let seen = kept(app, &asked);
        let dead = |span| app.app.store().write(|conn| runs::claim(conn, &seen, "dead", span));
        let claimed = dead((now, now + LEASE)).expect("claimed").expect("to be had");
        carries(app);
        assert_eq!(
            counts(&run(app, &asked)),
            json!(["running", 0, 0, 0, 0, 0, 0]),
            "it is somebody's"
        );
        assert_eq!(dead((now, now + LEASE)).expect("asked"), None, "it is had once");
        club.at(app, now + LEASE + TimeDelta::seconds(1));
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 3, 3, 1, 0, 0, 0]));
        let late = Run { missing: 99, ..claimed };
        let written = app.app.store().write(|conn| runs::go_on(conn, &late, "dead", None));
        assert!(!written.expect("asked"));
        assert_eq!(counts(&run(app, &asked)), json!(["finished", 3, 3, 1, 0, 0, 0]));
    });
}
