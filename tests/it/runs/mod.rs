//! Runs over every member of a destination: what differs is found and repaired, everybody is pushed, and what was lost
//! is taken over again; with a Ghost that keeps accounts, and a receiver that is told.

mod adopted;
mod compared;
mod nights;
mod pushed;
mod survive;

use crate::support::ghost::{Ghost, KEY, Member};
use crate::support::{Database, TestApp};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::RunQueryDsl;
use latchkey::core::push::NamedLevel;
use latchkey::dispatch::sealed;
use latchkey::dispatch::worker::Worker;
use latchkey::ids;
use latchkey::store::destinations::{self, Destination, State};
use latchkey::store::pushes::{self, Push};
use serde_json::{Value, json};

const SITE: &str = "/api/v1/sites/default";

/// Tells a story to an application that may call this machine, on both databases.
fn on_both(story: impl Fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start_with(database, &[("egress.allow", "127.0.0.0/8")]);
        app.level("gold");
        app.level("silver");
        story(&app);
        app.is_as_the_events_say();
    }
}

fn worker(app: &TestApp) -> Worker {
    Worker::new(app.app.dispatch().clone()).expect("a worker")
}

/// Sends and runs until nothing is due.
fn carries(app: &TestApp) {
    app.drain();
    worker(app).drain().expect("carried");
}

/// Makes a destination that is told of access.
fn destination(app: &TestApp, kind: &str, config: &Value, levels: &[(&str, &str)]) -> String {
    let named = |(level, remote): &(&str, &str)| NamedLevel {
        level: (*level).to_owned(),
        remote: Some((*remote).to_owned()),
    };
    let mut made = Destination {
        site_id: "default".to_owned(),
        id: ids::new(),
        kind: kind.to_owned(),
        name: kind.to_owned(),
        enabled: true,
        config: String::new(),
        secrets: None,
        levels: levels.iter().map(named).collect(),
        types: vec![pushes::ACCESS.to_owned()],
        calls_per_second: Some(10_000),
        concurrency: Some(2),
        state: State::Ok,
        detail: None,
        down_since: None,
        failures: 0,
        paused_until: None,
        secret_before_until: None,
        next_drift_at: None,
        version: 1,
        created_at: app.clock.now(),
    };
    let config = config.as_object().expect("an object").clone();
    sealed::put(app.app.sealer(), &mut made, config).expect("sealed");
    app.app.store().write(|conn| destinations::insert(conn, &made)).expect("made");
    made.id
}

/// A Ghost that is told of two levels.
struct Club {
    ghost: Ghost,
    id: String,
}

impl Club {
    fn of(app: &TestApp) -> Self {
        let ghost = Ghost::start();
        ghost.clock().set(app.clock.now());
        let config = json!({ "url": ghost.url(), "admin_api_key": KEY });
        let levels = [("gold", "Gold"), ("silver", "Silver")];
        let id = destination(app, "ghost", &config, &levels);
        Self { ghost, id }
    }

    /// The labels of an address, in the order of the alphabet.
    fn labels(&self, email: &str) -> Vec<String> {
        let mut labels = self.ghost.member(email).labels;
        labels.sort();
        labels
    }

    /// What somebody at the destination makes of the labels of an address.
    fn edits(&self, email: &str, edit: impl FnOnce(&mut Vec<String>)) {
        let mut state = self.ghost.state();
        let member = state.members.iter_mut().find(|member| member.email == email);
        edit(&mut member.expect("a member").labels);
    }

    /// Moves both clocks on, and carries what that made due.
    fn at(&self, app: &TestApp, instant: DateTime<Utc>) {
        app.clock.set(instant);
        self.ghost.clock().set(instant);
        carries(app);
    }

    /// The same after so many seconds.
    fn after(&self, app: &TestApp, seconds: i64) {
        self.at(app, app.clock.now() + TimeDelta::seconds(seconds));
    }
}

/// Somebody whom the operator has made there by hand.
fn by_hand(email: &str, labels: &[&str]) -> Member {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    Member { email: email.to_owned(), labels, ..Member::default() }
}

/// Gives an address a level by hand; answers where that is.
fn grants(app: &TestApp, email: &str, level: &str) -> String {
    let grant = json!({ "level": level, "until": null, "note": "" });
    let made = app.post(&format!("{SITE}/members/{email}/grants"), &grant);
    assert_eq!(made.status, 201, "{made:?}");
    made.header("location").expect("a location").to_owned()
}

/// Takes it away again.
fn takes_back(app: &TestApp, grant: &str) {
    assert_eq!(app.delete(grant).status, 204);
}

/// Asks for a run; answers it as it begins.
#[track_caller]
fn asks(app: &TestApp, path: &str, body: &Value) -> Value {
    let asked = app.post(&format!("{SITE}{path}"), body);
    assert_eq!(asked.status, 202, "{asked:?}");
    match asked.json["items"].as_array() {
        Some(items) => items.first().expect("a run").clone(),
        None => asked.json,
    }
}

/// A run as it is now.
#[track_caller]
fn run(app: &TestApp, asked: &Value) -> Value {
    let id = asked["id"].as_str().expect("an id");
    let found = app.get(&format!("{SITE}/runs/{id}"));
    assert_eq!(found.status, 200, "{found:?}");
    found.json
}

/// Looks at every destination until that is done; answers the run of the first.
#[track_caller]
fn looks(app: &TestApp) -> Value {
    let asked = asks(app, "/drift", &json!({}));
    carries(app);
    run(app, &asked)
}

/// Repairs every destination until that is done; answers the run of the first.
#[track_caller]
fn repairs(app: &TestApp) -> Value {
    let asked = asks(app, "/drift/repair", &json!({}));
    carries(app);
    run(app, &asked)
}

/// Pushes everybody to a destination until that is done; answers the run.
#[track_caller]
fn resyncs(app: &TestApp, destination: &str, adopt: bool) -> Value {
    let path = format!("/destinations/{destination}/resync");
    let asked = asks(app, &path, &json!({ "adopt": adopt }));
    carries(app);
    run(app, &asked)
}

/// What the latest looks have found: address, thing and kind of each.
#[track_caller]
fn drift(app: &TestApp) -> Vec<(String, String, String)> {
    let found = app.get(&format!("{SITE}/drift"));
    assert_eq!(found.status, 200, "{found:?}");
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let items = found.json["items"].as_array().expect("items").clone();
    let mut all: Vec<_> = items
        .iter()
        .map(|item| (text(item, "email"), text(item, "remote"), text(item, "what")))
        .collect();
    all.sort();
    all
}

/// A line of what was found.
fn line(email: &str, remote: &str, what: &str) -> (String, String, String) {
    (email.to_owned(), remote.to_owned(), what.to_owned())
}

/// The counts of a run.
fn counts(run: &Value) -> Value {
    json!([
        run["state"],
        run["done"],
        run["total"],
        run["missing"],
        run["surplus"],
        run["unseen"],
        run["failed"]
    ])
}

/// The push of an address to a destination.
fn push(app: &TestApp, destination: &str, email: &str) -> Push {
    let wanted =
        pushes::Wanted { destination_id: Some(destination.to_owned()), ..Default::default() };
    let found = app.app.store().read_one(|conn| pushes::list(conn, "default", &wanted, 10_000));
    let mut found = found.expect("read").0;
    found.retain(|push| push.email.as_deref() == Some(email));
    assert_eq!(found.len(), 1, "{email}: {found:?}");
    found[0].clone()
}

/// A destination as it stands.
fn stands(app: &TestApp, id: &str) -> Destination {
    let found = app.app.store().read_one(|conn| destinations::get(conn, "default", id));
    found.expect("read").expect("a destination")
}

/// Runs a statement past the program.
fn sql(app: &TestApp, statement: &str) {
    let done = app.app.store().write(|conn| {
        Ok::<_, latchkey::store::StoreError>(diesel::sql_query(statement).execute(conn)?)
    });
    assert!(done.expect("done") > 0, "{statement}");
}
