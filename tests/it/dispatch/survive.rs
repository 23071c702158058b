//! Whoever dies between sending and noting has it sent again, the same; whoever wakes up after their claim notes
//! nothing; of many workers, one sends.

use super::{all_pushes, buys, carry, on_both, push_of, tells, worker};
use crate::alarms::receiver::{Answer, Heard, Receiver, status};
use crate::support::TestApp;
use chrono::TimeDelta;
use latchkey::dispatch::LEASE;
use latchkey::dispatch::worker::Worker;
use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A worker on a thread of its own, which the test stops.
struct Beside {
    thread: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Beside {
    fn of(app: &TestApp) -> Self {
        let worker = Worker::new(app.app.dispatch().clone()).expect("a worker");
        let (stop, stopped) = watch::channel(false);
        Self { thread: std::thread::spawn(move || worker.run(stopped)), stop }
    }

    /// Ends it where it stands: whatever is under way is dropped, and nothing of it is noted.
    fn cut(self) {
        self.stop.send_replace(true);
        self.thread.join().expect("ended");
    }
}

/// A push that hangs at its receiver; whoever is told lets it be answered.
fn hanging(app: &TestApp, receiver: &Receiver) -> (String, Beside, Sender<()>) {
    buys(app, 1, "ada@example.com");
    app.drain();
    let id = tells(app, &receiver.url("/access"));
    let (go, gone) = channel();
    receiver.answers([Answer::When(gone)]);
    // The product is known by now, so there is nothing else to tell.
    buys(app, 2, "ben@example.com");
    app.drain();
    let worker = Beside::of(app);
    receiver.waits_for_one();
    (id, worker, go)
}

fn same_message(heard: &[Heard]) {
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].headers["webhook-id"], heard[1].headers["webhook-id"]);
    assert_eq!(heard[0].body, heard[1].body);
}

#[test]
fn what_was_sent_and_not_noted_is_sent_again_the_same_once_its_claim_is_over() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (id, dying, _go) = hanging(app, &receiver);
        dying.cut();
        let sent_at = app.clock.now();
        app.clock.set(sent_at + LEASE - TimeDelta::microseconds(1));
        carry(app);
        assert_eq!(receiver.heard().len(), 1, "its claim still holds");
        app.clock.set(sent_at + LEASE);
        carry(app);
        same_message(&receiver.heard());
        let push = push_of(app, &id, "ben@example.com");
        assert_eq!((push.status.as_str(), push.attempts), ("done", 2));
    });
}

#[test]
fn whoever_wakes_up_after_their_claim_notes_nothing() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (id, late, go) = hanging(app, &receiver);
        receiver.answers([status(500)]);
        app.clock.set(app.clock.now() + LEASE);
        // The late one may look at the clock, too, and take the push again: either of them has it sent again, once.
        worker(app).drain().expect("sent");
        let deadline = Instant::now() + Duration::from_mins(3);
        let push = || push_of(app, &id, "ben@example.com");
        while push().status == "pending" && Instant::now() < deadline {
            std::thread::yield_now();
        }
        same_message(&receiver.heard());
        let after = push();
        assert_eq!(
            (after.status.as_str(), after.last_error.as_deref()),
            ("retrying", Some("the destination answered 500"))
        );
        go.send(()).expect("it still hangs");
        late.cut();
        assert_eq!(push(), after, "nothing is noted of the late answer");
    });
}

#[test]
fn what_is_wanted_while_a_push_is_under_way_is_sent_after_it() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (id, sending, go) = hanging(app, &receiver);
        super::gives_back(app, 2, "ben@example.com");
        app.drain();
        assert_eq!(receiver.heard().len(), 1, "one push is in flight for a member and destination");
        go.send(()).expect("it hangs");
        let deadline = Instant::now() + Duration::from_mins(3);
        while receiver.heard().len() < 2 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        sending.cut();
        carry(app);
        let said: serde_json::Value =
            serde_json::from_str(&receiver.heard()[1].body).expect("JSON");
        assert_eq!(said["data"]["revoked"], serde_json::json!(["gold"]), "{said}");
        let _ = id;
    });
}

#[test]
fn what_is_wanted_while_a_push_is_under_way_that_is_never_noted_is_another_message() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (id, dying, _go) = hanging(app, &receiver);
        super::gives_back(app, 2, "ben@example.com");
        app.drain();
        dying.cut();
        app.clock.set(app.clock.now() + LEASE);
        carry(app);
        let heard = receiver.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_ne!(heard[0].headers["webhook-id"], heard[1].headers["webhook-id"]);
        let said = |heard: &Heard| {
            serde_json::from_str::<serde_json::Value>(&heard.body).expect("JSON")["data"].clone()
        };
        let (first, second) = (said(&heard[0]), said(&heard[1]));
        assert!(second["version"].as_i64() > first["version"].as_i64(), "{first} {second}");
        assert_eq!(second["levels"], serde_json::json!([]));
        assert_eq!(push_of(app, &id, "ben@example.com").status, "done");
    });
}

#[test]
fn of_many_workers_one_sends_each_push() {
    on_both(|app| {
        let receiver = Receiver::start();
        buys(app, 100, "first@example.com");
        app.drain();
        tells(app, &receiver.url("/access"));
        for number in 1..40 {
            buys(app, number, &format!("buyer-{number}@example.com"));
        }
        app.drain();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let dispatch = app.app.dispatch().clone();
                scope
                    .spawn(move || Worker::new(dispatch).expect("a worker").drain().expect("sent"));
            }
        });
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        for heard in receiver.heard() {
            *ids.entry(heard.headers["webhook-id"].clone()).or_default() += 1;
        }
        assert_eq!(ids.len(), 39);
        assert!(ids.values().all(|times| *times == 1), "{ids:?}");
        assert!(all_pushes(app).iter().all(|push| push.status == "done"));
    });
}
