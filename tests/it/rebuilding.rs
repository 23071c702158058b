//! What comes while everything is made again waits for nothing but a batch of it.

use crate::support::{Database, Ipn, TestApp};
use latchkey::flow::rebuild::{Pass, rebuild};
use serde_json::json;

const SITE: &str = "/api/v1/sites/default";

fn sale(app: &TestApp, number: u32, email: &str) {
    let reply = app.receives(Ipn::new("sale", number).of(email).body());
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Rebuilds the site, and has somebody buy in the midst of the first pass; answers what they hold in the last.
fn levels_of_who_buys_meanwhile(app: &TestApp) -> Vec<String> {
    let mut levels = None;
    let (mut bought, mut looked) = (false, false);
    let progress = |pass, _, _| match pass {
        Pass::Webhooks if !bought => {
            sale(app, 2, "late@x.example");
            bought = true;
        }
        Pass::Members if !looked => {
            levels = Some(app.levels_of("late@x.example"));
            looked = true;
        }
        _ => {}
    };
    rebuild(app.app.flow(), "default", progress).expect("rebuilt");
    levels.expect("the pass over members")
}

/// On PostgreSQL alone: on SQLite the workers of the daemon have a turn after each batch (store/writer.rs).
fn on_postgres(story: fn(&TestApp)) {
    let Some(database) = Database::postgres() else { return };
    let app = TestApp::start(database);
    app.level("gold");
    app.map(&json!({"product_id": "501", "level": "gold"}));
    sale(&app, 1, "dana@x.example");
    app.drain();
    story(&app);
    app.is_as_the_events_say();
}

#[test]
fn whoever_buys_during_a_rebuild_is_let_in_before_it_ends() {
    on_postgres(|app| assert_eq!(levels_of_who_buys_meanwhile(app), ["gold"]));
}

#[test]
fn a_rebuild_of_a_disabled_site_applies_nothing_that_waits() {
    on_postgres(|app| {
        assert_eq!(app.patch(SITE, &json!({"enabled": false})).status, 200);
        assert_eq!(levels_of_who_buys_meanwhile(app), [""; 0]);
        assert_eq!(app.patch(SITE, &json!({"enabled": true})).status, 200);
        app.drain();
        assert_eq!(app.levels_of("late@x.example"), ["gold"]);
    });
}
