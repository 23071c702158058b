//! Access is carried to the destinations: what is wanted there is there in the end, whatever goes wrong.

mod alarms;
mod apart;
mod histories;
mod killed;
mod moves;
mod stands;
mod survive;
mod told;
mod wordpress;

use crate::alarms::receiver::Receiver;
use crate::support::{Database, Ipn, TestApp};
use chrono::TimeDelta;
use latchkey::dispatch::worker::Worker;
use latchkey::store::destinations::{self, Destination};
use latchkey::store::pushes::{self, ACCESS, Push, Wanted};
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";

/// Tells a story to an application that may call this machine, on both databases. In the end no change is without its
/// push.
fn on_both(story: impl Fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("egress.allow", "127.0.0.0/8")]);
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        story(&app);
        app.is_as_the_events_say();
        each_change_has_its_push(&app);
    }
}

fn worker(app: &TestApp) -> Worker {
    Worker::new(app.app.dispatch().clone()).expect("a worker")
}

/// Applies what has come, and sends until nothing is due.
fn carry(app: &TestApp) {
    app.drain();
    worker(app).drain().expect("sent");
}

/// The same, a while later.
fn carry_after(app: &TestApp, pause: TimeDelta) {
    app.clock.set(app.clock.now() + pause);
    carry(app);
}

/// Makes a destination; answers what the API says of it.
#[track_caller]
fn makes(app: &TestApp, destination: &Value) -> Value {
    let made = app.post(&format!("{SITE}/destinations"), destination);
    assert_eq!(made.status, 201, "{made:?}");
    made.json
}

/// Makes a signed webhook; answers its id.
#[track_caller]
fn tells(app: &TestApp, url: &str) -> String {
    let made = makes(app, &json!({ "kind": "webhook", "name": url, "config": { "url": url } }));
    made["id"].as_str().expect("an id").to_owned()
}

/// The same for one type of message only: which message is heard first is certain where there is one.
#[track_caller]
fn hears_only(app: &TestApp, receiver: &Receiver, type_: &str) -> String {
    let id = tells(app, &receiver.url("/told"));
    let config = json!({ "config": { "types": [type_] } });
    assert_eq!(app.patch(&format!("{SITE}/destinations/{id}"), &config).status, 200);
    id
}

/// A destination as it is now.
fn destination(app: &TestApp, id: &str) -> Destination {
    let found = app.app.store().read(|conn| destinations::get(conn, "default", id));
    found.expect("read").expect("a destination")
}

/// All pushes, newest first.
fn all_pushes(app: &TestApp) -> Vec<Push> {
    let all = Wanted::default();
    app.app.store().read(|conn| pushes::list(conn, "default", &all, 10_000)).expect("read").0
}

/// The push of an address at a destination.
#[track_caller]
fn push_of(app: &TestApp, destination_id: &str, email: &str) -> Push {
    let found = all_pushes(app).into_iter().filter(|push| {
        push.destination_id == destination_id && push.email.as_deref() == Some(email)
    });
    let found: Vec<Push> = found.collect();
    assert_eq!(found.len(), 1, "{email}: {found:#?}");
    found[0].clone()
}

/// Lets the time of each further attempt come until none is left. The nights on the way pass on their own: one that
/// falls together with the last attempt may take up at once what that has left as failed.
fn is_tried_to_the_last(app: &TestApp, destination_id: &str, email: &str) {
    while push_of(app, destination_id, email).status == "retrying" {
        let due = push_of(app, destination_id, email).next_attempt_at.expect("it is tried again");
        let destination = destination(app, destination_id);
        let due = destination.paused_until.max(Some(due.and_utc())).expect("an instant");
        let night = destination.next_drift_at.filter(|night| *night < due);
        app.clock.set(night.unwrap_or(due));
        carry(app);
    }
}

/// Somebody buys product 501.
fn buys(app: &TestApp, number: u32, email: &str) {
    let reply = app.receives(Ipn::new("sale", number).of(email).subscription(number).body());
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// What was bought under a number is given back.
fn gives_back(app: &TestApp, number: u32, email: &str) {
    let refund = Ipn::new("refund", number + 500_000).of(email).subscription(number);
    assert_eq!(app.receives(refund.body()).status, 200);
}

/// There is no change without its push: each one that concerns a destination, and was recorded since that was made, is
/// wanted there.
fn each_change_has_its_push(app: &TestApp) {
    let all = app.app.store().read(|conn| destinations::of_site(conn, "default")).expect("read");
    let pushes = all_pushes(app);
    for destination in all.iter().filter(|destination| destination.wants(ACCESS)) {
        for change in app.changes() {
            let level = change["level"].as_str().expect("a level");
            let at: chrono::DateTime<chrono::Utc> =
                change["at"].as_str().expect("an instant").parse().expect("an instant");
            if at <= destination.created_at || !destination.is_told_of(level) {
                continue;
            }
            let (email, position) = (change["email"].as_str(), change["id"].as_i64());
            let wanted = pushes.iter().any(|push| {
                push.destination_id == destination.id
                    && push.email.as_deref() == email
                    && Some(push.wanted) >= position
            });
            assert!(wanted, "{change} is not wanted at {}", destination.name);
        }
    }
}
