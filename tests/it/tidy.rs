//! What nobody waits for comes to its turn all the same, and a site that is somebody else's is no
//! reason to look again at once.

use crate::replicas::queued::Holder;
use crate::support::{Database, Ipn, TestApp};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use latchkey::store::StoreError;
use latchkey::store::sites::Busy;
use serde_json::json;

/// An application that keeps changes for a day and works one webhook at a time, with one change that
/// is older than that.
fn with_an_aged_change(database: Database) -> TestApp {
    let settings = [("feed.kept_days", "1"), ("flow.batch_webhooks_max", "1")];
    let app = TestApp::start_with(database, &settings);
    app.level("gold");
    app.map(&json!({"product_id": "501", "level": "gold"}));
    sale(&app, 1);
    app.drain();
    assert_eq!((app.changes().len(), aged(&app)), (1, 0));
    app.clock.set(app.clock.now() + TimeDelta::days(3));
    app
}

fn sale(app: &TestApp, number: u32) {
    let sale = Ipn::new("sale", number).of(&format!("buyer-{number}@example.com"));
    assert_eq!(app.receives(sale.body()).status, 200);
}

/// Runs a story on both databases.
fn on_both(story: fn(&TestApp)) {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        story(&with_an_aged_change(database));
    }
}

#[test]
fn a_backlog_does_not_keep_the_feed_from_being_aged() {
    on_both(|app| {
        for number in 2..=4 {
            sale(app, number);
        }
        assert!(app.app.flow().turn(Busy::Skip).expect("a turn"));
        assert_eq!(aged(app), 1, "the first batch of the backlog is applied, and the feed is aged");
    });
}

#[test]
fn a_site_that_fails_does_not_keep_the_feed_from_being_aged() {
    on_both(|app| {
        sale(app, 2);
        // An end that cannot be computed.
        let broken = app.app.store().write(|conn| {
            let sql = "UPDATE members SET next_change_at = '2026-01-02 00:00:00'; \
                       UPDATE purchases SET folded = 'neither'";
            Ok::<_, StoreError>(conn.batch_execute(sql)?)
        });
        broken.expect("broken");
        let turn = app.app.flow().turn(Busy::Skip);
        assert!(turn.is_err(), "{turn:?}");
        assert_eq!(aged(app), 1);
    });
}

/// Up to which position the feed has been aged.
fn aged(app: &TestApp) -> i64 {
    let floor = app.app.store().read(|conn| latchkey::store::disposal::feed_floor(conn, "default"));
    floor.expect("read")
}

#[test]
fn an_aged_feed_of_a_site_that_somebody_holds_is_no_work_until_they_let_it_go() {
    let Some(database) = Database::postgres() else { return };
    let app = with_an_aged_change(database);
    let holder = Holder::of(&app, "default");
    assert!(!app.app.flow().turn(Busy::Skip).expect("a turn"), "nothing was done");
    holder.release();
    app.clock.set(app.clock.now() + TimeDelta::minutes(1));
    assert!(app.app.flow().turn(Busy::Skip).expect("a turn"));
    assert_eq!(aged(&app), 1);
}
