//! One suite for the store, on both databases: the schema, what is read back, what is refused, and
//! what a failure leaves behind.

#[path = "store/writer.rs"]
mod writer;

use crate::support::{Database, instant, unreadable};
use chrono::{NaiveDateTime, TimeDelta};
use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use latchkey::core::event::LeadKey;
use latchkey::core::member::{Override, OverrideKind};
use latchkey::first_start::new_site;
use latchkey::store::keys::Key;
use latchkey::store::members::Member;
use latchkey::store::rules::Level;
use latchkey::store::webhooks::NewWebhook;
use latchkey::store::{
    Store, StoreError, bodies, keys, members, overrides, rules, sites, webhooks,
};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// A fresh database, and stores on it.
struct Fresh {
    directory: TempDir,
    database: Database,
}

impl Fresh {
    fn new(database: Database) -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), database }
    }

    fn url(&self) -> String {
        self.database.url(self.directory.path())
    }

    /// Another store on it, as another process would open it.
    fn open(&self) -> Store {
        Store::open(&self.url(), 4).expect("a store")
    }

    fn migrated(&self) -> Store {
        let store = self.open();
        store.migrate().expect("a schema");
        store
    }
}

/// Makes one test for each database out of a function that takes a [`Fresh`] one.
macro_rules! on_each {
    ($(fn $name:ident($fresh:ident: &Fresh) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all that its file imports")]
            use super::*;

            fn suite($fresh: &Fresh) $body

            #[test]
            fn on_sqlite() {
                suite(&Fresh::new(Database::sqlite()));
            }

            #[test]
            fn on_postgres() {
                if let Some(database) = Database::postgres() {
                    suite(&Fresh::new(database));
                }
            }
        }
    )*};
}

/// How many migrations there are.
fn migrations() -> usize {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    std::fs::read_dir(directory).expect("a directory").count()
}

fn revert_all(url: &str) {
    fn revert<DB: diesel::backend::Backend>(
        conn: &mut impl MigrationHarness<DB>,
        source: EmbeddedMigrations,
    ) where
        EmbeddedMigrations: MigrationSource<DB>,
    {
        conn.revert_all_migrations(source).expect("reverted");
    }
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut conn = SqliteConnection::establish(path).expect("the file");
        revert(&mut conn, SQLITE);
    } else {
        let mut conn = PgConnection::establish(url).expect("the database");
        revert(&mut conn, POSTGRES);
    }
}

fn site(store: &Store, id: &str) {
    let site = new_site(id, id, instant("2026-01-01T00:00:00Z"));
    store.write(|conn| sites::insert(conn, &site)).expect("a site");
}

fn member(site_id: &str, id: &str, email: &str) -> Member {
    let at = instant("2026-01-01T00:00:00Z").naive_utc();
    Member {
        site_id: site_id.to_owned(),
        id: id.to_owned(),
        email: email.to_owned(),
        version: 0,
        next_change_at: None,
        created_at: at,
        held: "{}".to_owned(),
        held_version: 0,
    }
}

fn webhook(site_id: &str, id: &str, body: Vec<u8>, at: NaiveDateTime) -> NewWebhook {
    NewWebhook { body, next_attempt_at: Some(at), ..unreadable(site_id, id, at) }
}

#[expect(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    reason = "the result is made at the call, the kind is named once for several"
)]
fn refused_as(result: Result<(), StoreError>, kind: &DatabaseErrorKind) {
    let wanted = std::mem::discriminant(kind);
    let refused = matches!(
        &result,
        Err(StoreError::Database(Error::DatabaseError(found, _)))
            if std::mem::discriminant(found) == wanted
    );
    assert!(refused, "{result:?} is not {kind:?}");
}

/// Texts that a careless column would change or refuse.
fn texts() -> Vec<String> {
    vec![
        String::new(),
        " blanks around ".to_owned(),
        "quote ' double \" backslash \\ percent % underscore _ dollar $1 ?".to_owned(),
        "Straße, naïve, Ωμέγα, 日本語, العربية, e\u{301} is not é, 👩‍👩‍👧‍👦".to_owned(),
        "line\nline\r\n\ttab \u{1} \u{7f} \u{2028}".to_owned(),
        "x".repeat(300_000) + "ÿ",
    ]
}

on_each! {
    fn an_empty_database_is_brought_up_to_date_once(fresh: &Fresh) {
        let store = fresh.open();
        assert_eq!(store.migrate().expect("a schema").len(), migrations());
        site(&store, "default");
        assert_eq!(store.migrate().expect("nothing to do"), Vec::<String>::new());
        assert_eq!(fresh.open().migrate().expect("nothing to do"), Vec::<String>::new());
        let kept = store.read(|conn| sites::get(conn, "default")).expect("read");
        assert!(kept.is_some(), "a second start keeps what is there");
    }

    fn starters_at_the_same_moment_wait_for_each_other(fresh: &Fresh) {
        let starters = 6;
        let barrier = std::sync::Barrier::new(starters);
        let ran: Vec<usize> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                let store = Store::open(&fresh.url(), 1).expect("a store");
                store.migrate().expect("no error").len()
            };
            let threads: Vec<_> = (0..starters).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(ran.iter().sum::<usize>(), migrations(), "one ran them: {ran:?}");
    }

    fn what_goes_up_comes_down_and_goes_up_again(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "default");
        revert_all(&fresh.url());
        assert!(store.read(|conn| sites::get(conn, "default")).is_err(), "the tables are gone");
        let again = fresh.open();
        assert_eq!(again.migrate().expect("a schema").len(), migrations());
        assert_eq!(again.read(|conn| sites::get(conn, "default")).expect("read").map(|s| s.id), None);
    }

    fn instants_come_back_to_the_microsecond(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "default");
        let instants = [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000001Z",
            "2026-06-30T23:59:59.999999Z",
            "2026-03-08T07:00:00.5Z",
            "1969-12-31T23:59:59.999999Z",
            "1753-01-01T00:00:00.123456Z",
            "9999-12-31T23:59:59.999999Z",
        ];
        for (number, at) in instants.iter().enumerate() {
            let at = instant(at);
            let made = Override {
                id: number.to_string(),
                what: OverrideKind::Block(None),
                email: "ada@example.com".to_owned(),
                leads: BTreeSet::from([LeadKey("701".to_owned()), LeadKey("email:ä@b".to_owned())]),
                begun_at: at,
                until: Some(at + TimeDelta::microseconds(1)).filter(|_| number != 6),
                ended_at: None,
                note: None,
            };
            store.write(|conn| overrides::insert(conn, "default", &made)).expect("stored");
            let ids = [made.id.clone()];
            let read = store.read(|conn| overrides::load(conn, "default", &ids)).expect("read");
            assert_eq!(read, [made], "{at}");
        }
        // The edge of a due instant is as sharp.
        let at = instant(instants[1]);
        let row = Member { next_change_at: Some(at.naive_utc()), ..member("default", "1", "a@b.c") };
        store.write(|conn| members::insert(conn, &[row])).expect("stored");
        let due = |at| store.read(|conn| members::due(conn, "default", at, 10)).expect("read").len();
        assert_eq!((due(at - TimeDelta::microseconds(1)), due(at)), (0, 1));
    }

    fn texts_and_bytes_come_back_as_they_were(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "default");
        let at = instant("2026-01-01T00:00:00Z").naive_utc();
        for (number, text) in texts().into_iter().enumerate() {
            let level = Level {
                site_id: "default".to_owned(), id: number.to_string(), name: text, created_at: at,
            };
            store.write(|conn| rules::insert_level(conn, &level)).expect("stored");
            let read = store.read(|conn| rules::level(conn, "default", &level.id)).expect("read");
            assert_eq!(read, Some(level));
        }
        let all_bytes: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
        for (number, body) in [vec![], vec![0], all_bytes].into_iter().enumerate() {
            let id = number.to_string();
            let rows = [webhook("default", &id, body.clone(), at)];
            store.write(|conn| webhooks::insert(conn, &rows)).expect("stored");
            let read = store.read(|conn| bodies::get(conn, "default", &id)).expect("read");
            assert!(read.is_some_and(|read| read == body), "{number}");
        }
    }

    fn ids_and_addresses_are_told_apart_byte_by_byte(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "default");
        // Upper case, an accent of its own, a wildcard: none of them is the plain one.
        let emails = ["ada@example.com", "Ada@example.com", "áda@example.com", "a%@example.com", "a_a@example.com"];
        let rows: Vec<Member> = (0..).zip(emails).map(|(n, email): (u8, _)| member("default", &n.to_string(), email)).collect();
        store.write(|conn| members::insert(conn, &rows)).expect("stored");
        for row in rows {
            let found = store.read(|conn| members::with_email(conn, "default", &row.email));
            assert_eq!(found.expect("read"), Some(row));
        }
    }

    fn what_is_unique_is_refused_twice(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "one");
        site(&store, "two");
        let twice = &DatabaseErrorKind::UniqueViolation;
        let again = new_site("one", "again", instant("2026-01-01T00:00:00Z"));
        refused_as(store.write(|conn| sites::insert(conn, &again)), twice);
        let meet = |site: &str, id: &str| {
            let row = member(site, id, "ada@example.com");
            store.write(|conn| members::insert(conn, &[row]))
        };
        meet("one", "1").expect("stored");
        refused_as(meet("one", "2"), twice);
        meet("two", "1").expect("another site has its own members");
        let at = instant("2026-01-01T00:00:00Z");
        let key = |id: &str| {
            let key = Key {
                id: id.to_owned(),
                name: "k".to_owned(),
                scopes: "read".to_owned(),
                site_id: None,
                created_at: at.naive_utc(),
                expires_at: None,
                last_used_at: None,
            };
            store.write(|conn| keys::insert(conn, &key, &[7; 32]))
        };
        key("1").expect("stored");
        refused_as(key("2"), twice);
        let row = || webhook("one", "w", vec![1], at.naive_utc());
        refused_as(store.write(|conn| webhooks::insert(conn, &[row(), row()])), twice);
        let orphan = webhook("three", "w", vec![1], at.naive_utc());
        let missing = &DatabaseErrorKind::ForeignKeyViolation;
        refused_as(store.write(|conn| webhooks::insert(conn, &[orphan])), missing);
    }

    fn nothing_remains_of_a_transaction_that_fails_or_panics(fresh: &Fresh) {
        let store = fresh.migrated();
        let new = |id: &str| new_site(id, id, instant("2026-01-01T00:00:00Z"));
        let failed: Result<(), StoreError> = store.write(|conn| {
            sites::insert(conn, &new("half"))?;
            Err(StoreError::Corrupt("on purpose".to_owned()))
        });
        assert!(failed.is_err());
        let broken = store.write(|conn| {
            sites::insert(conn, &new("half"))?;
            sites::insert(conn, &new("half"))
        });
        refused_as(broken, &DatabaseErrorKind::UniqueViolation);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(|conn| -> Result<(), StoreError> {
                sites::insert(conn, &new("half"))?;
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.read(|conn| sites::list(conn, None, 10)).expect("read").len(), 0);
        // Every connection of the pool is as good as before.
        for number in 0..8 {
            site(&store, &format!("whole-{number}"));
        }
        assert_eq!(store.read(|conn| sites::list(conn, None, 10)).expect("read").len(), 8);
    }

    fn a_read_sees_one_moment_and_hinders_no_writer(fresh: &Fresh) {
        let store = fresh.migrated();
        site(&store, "one");
        let count = |conn: &mut _| sites::list(conn, None, 10).map(|sites| sites.len());
        let seen = store.read(|conn| {
            let before = count(conn)?;
            std::thread::scope(|scope| scope.spawn(|| site(&store, "two")).join().expect("written"));
            Ok::<_, StoreError>((before, count(conn)?))
        });
        assert_eq!(seen.expect("read"), (1, 1));
        assert_eq!(store.read(count).expect("read"), 2);
    }

    fn writers_of_two_processes_take_turns(fresh: &Fresh) {
        fresh.migrated();
        let stores = [fresh.open(), fresh.open()];
        std::thread::scope(|scope| {
            for (number, store) in stores.iter().enumerate() {
                scope.spawn(move || {
                    for step in 0..50 {
                        site(store, &format!("{number}-{step}"));
                    }
                });
            }
        });
        let found = stores[0].read(|conn| sites::list(conn, None, 500)).expect("read");
        assert_eq!(found.len(), 100);
    }
}

#[test]
fn sqlite_is_new_enough_and_set_to_survive_a_power_cut() {
    #[derive(diesel::QueryableByName)]
    struct Text {
        #[diesel(sql_type = diesel::sql_types::Text)]
        value: String,
    }
    let fresh = Fresh::new(Database::sqlite());
    let store = fresh.migrated();
    let ask = |query: &str| {
        let rows: Result<Vec<Text>, StoreError> = store
            .read(|conn| Ok(diesel::RunQueryDsl::load::<Text>(diesel::sql_query(query), conn)?));
        rows.expect("read").pop().expect("a row").value
    };
    let version = ask("SELECT sqlite_version() AS value");
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(parts >= vec![3, 53], "SQLite {version} may lose a commit at a checkpoint");
    let pragma = |name: &str, column: &str| {
        ask(&format!("SELECT CAST({column} AS TEXT) AS value FROM pragma_{name}"))
    };
    assert_eq!(pragma("journal_mode", "journal_mode"), "wal");
    assert_eq!(pragma("synchronous", "synchronous"), "2", "FULL");
    assert_eq!(pragma("foreign_keys", "foreign_keys"), "1");
}

#[test]
fn a_url_that_names_no_database_says_what_to_write() {
    for url in ["", "mysql://localhost/x", "sqlite://", "latchkey.db", "sqlite:latchkey.db"] {
        let Err(StoreError::Url(message)) = Store::open(url, 1) else { panic!("{url} was opened") };
        assert!(message.contains("sqlite://"), "{url}: {message}");
    }
}

#[test]
fn a_read_on_postgres_cannot_write() {
    let Some(database) = Database::postgres() else { return };
    let fresh = Fresh::new(database);
    let store = fresh.migrated();
    let written = store.read(|conn| Ok(conn.batch_execute("DELETE FROM sites")?));
    refused_as(written, &DatabaseErrorKind::ReadOnlyTransaction);
}
