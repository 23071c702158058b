//! Whoever dies between sending and noting has it sent again under the same id; whoever wakes up late notes
//! nothing.

use super::receiver::{Answer, Heard, Receiver, status};
use super::{hears_nonsense, on_both, posts_to, the_alarm, watch_at, worker};
use crate::support::TestApp;
use chrono::TimeDelta;
use latchkey::alarms::post::LEASE;
use latchkey::alarms::worker::Worker;
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
        let worker = Worker::new(app.app.alarms().clone()).expect("a worker");
        let (stop, stopped) = watch::channel(false);
        Self { thread: std::thread::spawn(move || worker.run(stopped)), stop }
    }

    /// Ends it where it stands: whatever is under way is dropped, and nothing of it is noted.
    fn cut(self) {
        self.stop.send_replace(true);
        self.thread.join().expect("ended");
    }
}

/// An alarm whose post hangs at its receiver; whoever is told lets it be answered.
fn hanging(app: &TestApp, receiver: &Receiver) -> (Beside, Sender<()>) {
    posts_to(app, receiver);
    let (go, gone) = channel();
    receiver.answers([Answer::When(gone)]);
    hears_nonsense(app);
    app.clock.set(app.clock.now() + TimeDelta::minutes(1));
    let worker = Beside::of(app);
    receiver.waits_for_one();
    (worker, go)
}

fn same_message(heard: &[Heard]) {
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].headers["webhook-id"], heard[1].headers["webhook-id"]);
    assert_eq!(heard[0].body, heard[1].body);
}

#[test]
fn what_was_sent_and_not_noted_is_sent_again_under_the_same_id() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (dying, _go) = hanging(app, &receiver);
        dying.cut();
        let sent_at = app.clock.now();
        watch_at(app, sent_at + LEASE - TimeDelta::microseconds(1));
        assert_eq!(receiver.heard().len(), 1, "its claim still holds");
        watch_at(app, sent_at + LEASE);
        same_message(&receiver.heard());
        let post = &the_alarm(app)["post"];
        assert_eq!((post["status"].as_str(), post["attempts"].as_i64()), (Some("done"), Some(2)));
    });
}

#[test]
fn whoever_wakes_up_after_their_claim_notes_nothing() {
    on_both(|app| {
        let receiver = Receiver::start();
        let (late, go) = hanging(app, &receiver);
        receiver.answers([status(500)]);
        let attempts = || {
            let text = app.get("/metrics").text;
            let counted =
                text.lines().filter(|line| line.starts_with("latchkey_alarm_posts_total"));
            counted
                .map(|line| {
                    line.rsplit_once(' ').expect("a value").1.parse::<u32>().expect("a count")
                })
                .sum::<u32>()
        };
        app.clock.set(app.clock.now() + LEASE);
        // The other worker may look at the clock, too, and take the post again: either of them has it sent
        // again, once.
        worker(app).drain().expect("watched");
        let deadline = Instant::now() + Duration::from_mins(3);
        while attempts() < 1 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        same_message(&receiver.heard());
        let after = the_alarm(app)["post"].clone();
        assert_eq!(
            (after["status"].as_str(), after["last_error"].as_str()),
            (Some("retrying"), Some("the receiver answered 500"))
        );
        go.send(()).expect("it still hangs");
        while attempts() < 2 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(attempts(), 2, "the late answer has been looked at");
        assert_eq!(the_alarm(app)["post"], after, "and nothing is noted of it");
        late.cut();
    });
}

#[test]
fn two_processes_post_an_alarm_once() {
    on_both(|app| {
        let receiver = Receiver::start();
        posts_to(app, &receiver);
        hears_nonsense(app);
        app.clock.set(app.clock.now() + TimeDelta::minutes(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let alarms = app.app.alarms().clone();
                scope.spawn(move || {
                    Worker::new(alarms).expect("a worker").drain().expect("watched");
                });
            }
        });
        assert_eq!(receiver.heard().len(), 1);
        assert_eq!(the_alarm(app)["post"]["attempts"], 1);
    });
}
