//! Alarms: each begins and ends with its cause, is posted once an episode, and cuts nobody.

mod calls;
mod heartbeat;
mod kinds;
mod overdue;
mod posts;
mod quiet;
pub mod receiver;
mod settings;
mod survive;

use crate::support::{Database, Ipn, TestApp};
use chrono::{DateTime, TimeDelta, Utc};
use latchkey::alarms::worker::Worker;
use receiver::Receiver;
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";
/// How long after a look the next one may be.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Tells a story to an application that may call this machine, on both databases.
fn on_both(story: impl Fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("egress.allow", "127.0.0.0/8")]);
        story(&app);
        app.is_as_the_events_say();
    }
}

fn worker(app: &TestApp) -> Worker {
    Worker::new(app.app.alarms().clone()).expect("a worker")
}

/// Looks, posts and beats at an instant, until nothing is due.
fn watch_at(app: &TestApp, at: DateTime<Utc>) {
    app.clock.set(at);
    worker(app).drain().expect("watched");
}

/// The same a minute later.
fn watch(app: &TestApp) {
    watch_at(app, app.clock.now() + MINUTE);
}

/// Changes what the site wants to be told; answers that as the answer shows it.
#[track_caller]
fn wants(app: &TestApp, alarms: &Value) -> Value {
    let edited = app.patch(SITE, &json!({ "alarms": alarms }));
    assert_eq!(edited.status, 200, "{edited:?}");
    edited.json["alarms"].clone()
}

/// The alarms in a state, newest first.
#[track_caller]
fn alarms(app: &TestApp, state: &str) -> Vec<Value> {
    let found = app.get(&format!("{SITE}/alarms?state={state}"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json["items"].as_array().expect("items").clone()
}

/// The one alarm that is open.
#[track_caller]
fn the_alarm(app: &TestApp) -> Value {
    let open = alarms(app, "open");
    assert_eq!(open.len(), 1, "{open:?}");
    open[0].clone()
}

/// The kinds of the open alarms, in the order of the alphabet.
fn open_kinds(app: &TestApp) -> Vec<String> {
    let kind = |alarm: &Value| alarm["kind"].as_str().expect("a kind").to_owned();
    let mut kinds: Vec<String> = alarms(app, "open").iter().map(kind).collect();
    kinds.sort();
    kinds
}

/// Something comes that cannot be read: an alarm from the next look on.
fn hears_nonsense(app: &TestApp) -> String {
    let reply = app.receives("neither JSON nor a form");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json["webhook_id"].as_str().expect("an id").to_owned()
}

/// What was heard is thrown away.
fn discards(app: &TestApp, id: &str) {
    let reply = app.post(&format!("{SITE}/webhooks/{id}/discard"), &json!({}));
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A site that posts its alarms to a receiver; answers the secret.
fn posts_to(app: &TestApp, receiver: &Receiver) -> String {
    let shown = wants(app, &json!({ "url": receiver.url("/alarms"), "off": ["silent"] }));
    shown["secret"].as_str().expect("a secret").to_owned()
}

/// A sale of product 501, dated when it comes.
fn sale(number: u32) -> Ipn {
    Ipn::new("sale", number).of(&format!("buyer-{number}@example.com"))
}
