//! Five of everything that a list shows, for a test to walk.

use crate::api::bodies::{PRODUCT, sale};
use crate::api::{SITE, applied, gold};
use crate::support::{TestApp, instant};
use latchkey::alarms::post::new_alarm;
use latchkey::core::alarm;
use latchkey::ids;
use latchkey::store::alarms;
use latchkey::store::runs::{self, Run, Stage};
use serde_json::json;

/// Five of everything, a day apart but for two of the same instant. What has a name of its own is named the other way
/// round, so that no list is in order by chance.
pub(super) fn five_of_everything(app: &TestApp) {
    gold(app);
    let first = destination(app, "first", "access.changed");
    for (number, kind) in (1_u64..=5).zip(alarm::Kind::ALL) {
        if number != 4 {
            app.at(instant(&format!("2026-01-0{number}T12:00:00.5Z")));
        }
        let name = 9 - number;
        app.post("/api/v1/sites", &json!({ "id": format!("s{name}") }));
        key(app, &format!("k{name}"));
        app.level(&format!("l{name}"));
        destination(app, &format!("d{name}"), "alarm.raised");
        app.map(&json!({ "product_id": 70, "level": format!("l{name}") }));
        let email = format!("m{number}@x.example");
        applied(app, &sale(1000 + number, &email));
        applied(app, &sale(2000 + number, &email).with("product_id", 80 + number));
        let blocks = format!("{SITE}/members/m1@x.example/blocks");
        app.post(&blocks, &json!({ "level": "l8", "note": number.to_string() }));
        alarm(app, kind);
        run(app, &first);
        plan(app, &format!("p{name}"));
    }
    // The last plan is computed, too.
    app.drain();
}

/// A destination that is told of one thing; answers its id.
fn destination(app: &TestApp, name: &str, what: &str) -> String {
    let config = json!({ "url": "https://a.example/in", "types": [what] });
    let asked = json!({ "kind": "webhook", "name": name, "config": config });
    let made = app.post(&format!("{SITE}/destinations"), &asked);
    assert_eq!(made.status, 201, "{made:?}");
    made.json["id"].as_str().expect("an id").to_owned()
}

fn key(app: &TestApp, name: &str) {
    let made = app.post("/api/v1/keys", &json!({ "name": name, "scopes": ["read"] }));
    assert_eq!(made.status, 201, "{made:?}");
}

/// An alarm that is open, as if its cause had been seen: of each kind there is at most one.
fn alarm(app: &TestApp, kind: alarm::Kind) {
    let alarm = new_alarm("default", kind, 1, String::new(), app.clock.now());
    let begun = app.app.store().write(|conn| alarms::begin(conn, &alarm));
    assert!(begun.expect("written"), "{kind:?}");
}

/// A run that has come to its end, as if a worker had carried it: only one of a destination may be under way.
fn run(app: &TestApp, destination: &str) {
    let now = app.clock.now();
    let run = Run::new("default", destination, ids::new(), runs::Kind::Resync, now);
    let run = Run { stage: Stage::Finished, finished_at: Some(now), ..run };
    app.app.store().write(|conn| runs::insert(conn, &run)).expect("written");
}

/// A plan that would give a level more to whoever has bought the usual product.
fn plan(app: &TestApp, level: &str) {
    let changes = json!([
        { "op": "create_level", "level": { "id": level } },
        { "op": "create_mapping", "mapping": { "product_id": PRODUCT, "level": level } },
    ]);
    let made = app.post(&format!("{SITE}/plans"), &json!({ "changes": changes }));
    assert_eq!(made.status, 202, "{made:?}");
}
