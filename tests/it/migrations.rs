//! A migration moves what is there: nothing that was heard, decided or told is lost on the way, forth or back.

use crate::support::{Database, Ipn, TestApp, instant};
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use serde_json::{Value, json};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// The first migration that moved rows which were there.
const FIRST_THAT_MOVES: &str = "20261121000006";

const SITE: &str = "/api/v1/sites/default";

/// Undoes the latest migrations, until the first that moved rows is undone.
fn go_back(url: &str) {
    fn revert<DB: diesel::backend::Backend>(
        conn: &mut (impl MigrationHarness<DB> + SimpleConnection),
        source: &EmbeddedMigrations,
    ) where
        EmbeddedMigrations: MigrationSource<DB>,
    {
        let applied = conn.applied_migrations().expect("a list");
        let back = applied.iter().filter(|version| *version.to_string() >= *FIRST_THAT_MOVES);
        for version in back {
            let migrations = source.migrations().expect("migrations");
            let latest = migrations.iter().find(|m| m.name().version() == *version);
            conn.revert_migration(latest.expect("one of ours")).expect("reverted");
        }
    }
    if let Some(path) = url.strip_prefix("sqlite://") {
        revert(&mut SqliteConnection::establish(path).expect("the file"), &SQLITE);
    } else {
        revert(&mut PgConnection::establish(url).expect("the database"), &POSTGRES);
    }
}

/// Members of every sort: paid, refunded, blocked, given by hand, moved to another address, held, unheard of.
fn live(app: &TestApp) {
    app.level("gold");
    app.level("silver");
    app.map(&json!({"product_id": "501", "level": "gold"}));
    app.map(&json!({"product_id": "501", "level": "silver", "policy": {"duration_days": 30}}));
    let hear = |ipn: Ipn| assert_eq!(app.receives(ipn.body()).status, 200);
    for number in 1..=5 {
        hear(Ipn::new("sale", number).of(&format!("member-{number}@x.example")));
    }
    hear(Ipn::new("refund", 2).of("member-2@x.example"));
    // When its next payment is expected is worked out anew after an upgrade.
    let subscription = Ipn::new("sale", 7).subscription(77).with("rebill_circle", 30);
    hear(subscription.of("member-7@x.example"));
    hear(Ipn::new("sale", 6).of("member-6@x.example").product(777));
    assert_eq!(app.receives("neither JSON nor a form").status, 200);
    app.drain();
    let member = |name: &str, what: &str, body: &Value| {
        let made = app.post(&format!("{SITE}/members/{name}/{what}"), body);
        assert_eq!(made.status, 201, "{made:?}");
    };
    member("member-3@x.example", "blocks", &json!({"level": "gold"}));
    member("member-4@x.example", "grants", &json!({"level": "gold", "note": "a friend"}));
    member(
        "nobody@x.example",
        "grants",
        &json!({"level": "silver", "until": "2026-12-31T00:00:00Z"}),
    );
    app.drain();
}

/// All that can be seen of a site.
fn seen(app: &TestApp) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["members", "products", "levels", "mappings", "changes", "webhooks"] {
        let found = app.get(&format!("{SITE}/{path}?limit=500"));
        assert_eq!(found.status, 200, "{found:?}");
        assert!(!found.json["items"].as_array().expect("items").is_empty(), "{path}");
        seen.push(found.json);
    }
    seen.push(app.get(&format!("{SITE}/stats")).json["days"].clone());
    for webhook in app.webhooks() {
        let id = webhook["id"].as_str().expect("an id");
        seen.push(app.get(&format!("{SITE}/webhooks/{id}")).json);
    }
    for member in seen[0]["items"].as_array().expect("items").clone() {
        let email = member["email"].as_str().expect("an address");
        seen.push(app.access_of(email));
        seen.push(app.access_at(email, instant("2026-12-31T00:00:00Z")));
    }
    seen
}

#[test]
fn what_was_there_is_there_after_each_migration_that_moves_it() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start(database);
        live(&app);
        let before = seen(&app);
        go_back(&app.database_url);
        // Another process starts, as after an upgrade, and brings the schema up to date.
        let upgraded = app.beside();
        assert_eq!(seen(&upgraded), before);
        upgraded.is_as_the_events_say();
        live_on(&upgraded);
    }
}

#[test]
fn what_is_held_open_is_given_by_hand_once_one_has_gone_back_to_where_nothing_was() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = TestApp::start(database);
        app.level("gold");
        app.map(&json!({"product_id": "501", "level": "gold"}));
        let limit = json!({"max_revocations": {"count": 0, "percent": 0}});
        assert_eq!(app.patch(SITE, &limit).status, 200);
        for kind in ["sale", "refund"] {
            assert_eq!(app.receives(Ipn::new(kind, 1).of("dana@x.example").body()).status, 200);
            app.drain();
        }
        let held_open = |app: &TestApp| app.get(&format!("{SITE}/held-open")).json["items"].clone();
        assert_eq!(held_open(&app)[0]["email"], "dana@x.example");
        go_back(&app.database_url);
        let upgraded = app.beside();
        assert_eq!(
            (upgraded.levels_of("dana@x.example"), held_open(&upgraded)),
            (vec!["gold".to_owned()], json!([]))
        );
        let access = upgraded.access_of("dana@x.example");
        assert_eq!(access["levels"][0]["grants"][0]["reason"], "manual", "{access:#}");
        upgraded.is_as_the_events_say();
    }
}

/// What is written from then on goes where it belongs.
fn live_on(app: &TestApp) {
    assert_eq!(app.receives(Ipn::new("rebill", 1).of("member-1@x.example").body()).status, 200);
    assert_eq!(app.receives(Ipn::new("sale", 9).of("member-9@x.example").body()).status, 200);
    app.is_as_the_events_say();
    assert_eq!(app.levels_of("member-9@x.example"), ["gold", "silver"]);
}
