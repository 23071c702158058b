//! No list costs more the longer it is, nor the deeper somebody reads in it: each page is found by a key
//! of an index, and no more is read than is shown.

mod holders;
mod pushed;

use crate::support::{Database, START, TestApp, instant, unreadable};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, sql_query};
use holders::{email, is_let_in};
use latchkey::alarms::post::new_alarm;
use latchkey::core::alarm::{COUNTED_MAX, Cause, Kind};
use latchkey::core::event::{EventId, LeadKey};
use latchkey::core::grant::{Folded, Hold};
use latchkey::core::link::{Outline, PurchaseId};
use latchkey::core::mapping::Mapping;
use latchkey::core::policy::Policy;
use latchkey::core::purchase::EventRef;
use latchkey::core::push::Status::Pending;
use latchkey::core::stretch::Stretch;
use latchkey::first_start::new_site;
use latchkey::store::alarms::{self, Alarm};
use latchkey::store::changes::{self, Change};
use latchkey::store::conn::Conn;
use latchkey::store::keys::{self, Key};
use latchkey::store::products::{self, Product, Status as Decided};
use latchkey::store::purchases::{self, Stored};
use latchkey::store::rules::{self, Level};
use latchkey::store::timeline::{self, Order, Place, Rest};
use latchkey::store::webhooks::{self, Filter, Status};
use latchkey::store::{
    Result, Store, StoreError, destinations, door, dues, members, pushes, sites, waiting, watch,
};
use std::sync::{Arc, Mutex};

/// How many there are of everything.
const MANY: i64 = 1_000;
/// How many members: of few, PostgreSQL rightly walks all rather than to look ten of them up.
const MEMBERS: i64 = 10 * MANY;
/// How many a page shows.
const PAGE: i64 = 10;
/// How many rows a page may read: a list of holders reads each and the member that it is of, and the
/// planner itself now and then looks at the ends of an index. To walk a table is to read a thousand.
const ROWS_READ_MAX: i64 = 5 * PAGE;

/// The tables that are filled.
const FILLED: [&str; 13] = [
    "sites",
    "levels",
    "mappings",
    "products",
    "keys",
    "members",
    "access",
    "webhooks",
    "changes",
    "alarms",
    "purchases",
    "destinations",
    "pushes",
];

/// An id that grows with its number.
fn id(number: i64) -> String {
    format!("n{number:06}")
}

fn at(number: i64) -> DateTime<Utc> {
    instant(START) + TimeDelta::seconds(number)
}

fn naive(number: i64) -> NaiveDateTime {
    at(number).naive_utc()
}

fn mapping(number: i64) -> Mapping {
    Mapping {
        id: id(number),
        version: 1,
        product_id: id(number),
        price_point: None,
        level: id(0),
        enabled: true,
        purchased_from: None,
        purchased_before: None,
        policy: Policy::default(),
    }
}

fn key(number: i64) -> Key {
    Key {
        id: id(number),
        name: id(number),
        scopes: "read".to_owned(),
        // Every other one is of the site.
        site_id: (number % 2 == 0).then(|| id(0)),
        created_at: naive(number),
        expires_at: None,
        last_used_at: None,
    }
}

fn product(number: i64) -> Product {
    Product {
        site_id: id(0),
        product_id: id(number),
        name: None,
        named_at: None,
        status: if number % 8 == 0 { Decided::Unmapped } else { Decided::Mapped }
            .as_str()
            .to_owned(),
        first_seen_at: naive(number),
        last_seen_at: naive(number),
    }
}

fn change(number: i64) -> Change {
    Change {
        site_id: id(0),
        position: number + 1,
        at: naive(number),
        member_id: id(number % 2),
        email: "dana@x.example".to_owned(),
        level: id(0),
        what: "granted".to_owned(),
        until: None,
        cause_kind: "event".to_owned(),
        cause_id: id(number),
        reason: "active".to_owned(),
        recorded_at: Some(naive(number)),
    }
}

/// An alarm that has ended.
fn alarm(number: i64) -> Alarm {
    let new = new_alarm(&id(0), Kind::Silent, 1, String::new(), at(number));
    Alarm { id: id(number), ended_at: Some(naive(number)), ..new }
}

/// A subscription that is paid until an instant, held until another, and of a lead of its own.
fn purchase(number: i64) -> Stored {
    let (id, lead) = (PurchaseId(id(number)), LeadKey(id(number)));
    let event = EventRef {
        id: EventId(id.0.clone()),
        kind: latchkey::core::event::Kind::Sale,
        transaction_id: None,
        occurred_at: at(number),
    };
    let until = (number % 2 == 0).then(|| at(2 * MANY));
    let folded = Folded {
        id: id.clone(),
        lead: lead.clone(),
        status: latchkey::core::purchase::Status::Active,
        started_at: at(number),
        product_id: id.0.clone(),
        price_point: None,
        named: false,
        grants: Vec::new(),
        blocks: Vec::new(),
        hold: Some(Hold { stretches: vec![Stretch { from: at(number), until }], event }),
        payment_due_at: Some(at(number)),
    };
    let first_payment = EventId(id.0.clone());
    let outline = Outline { id, lead, started_at: at(number), first_payment, terms: Vec::new() };
    Stored { outline, folded, standing: Status::Held }
}

/// Many of everything on the first of many sites.
fn fill(store: &Store) {
    let filled = store.write(|conn| {
        for number in 0..MANY {
            sites::insert(conn, &new_site(&id(number), "a site", at(number)))?;
        }
        for number in 0..MANY {
            let (site_id, id) = (id(0), id(number));
            let level = Level { site_id, name: id.clone(), id, created_at: naive(number) };
            rules::insert_level(conn, &level)?;
            keys::insert(conn, &key(number), &number.to_be_bytes())?;
        }
        for number in 0..MANY {
            rules::insert_mapping(conn, &id(0), &mapping(number))?;
        }
        products::replace(conn, &id(0), &(0..MANY).map(product).collect::<Vec<_>>())?;
        holders::fill(conn)?;
        let webhooks: Vec<_> = (0..MANY).map(|n| unreadable(&id(0), &id(n), naive(n))).collect();
        webhooks::insert(conn, &webhooks)?;
        changes::insert(conn, &(0..MANY).map(change).collect::<Vec<_>>())?;
        for number in 0..MANY {
            alarms::begin(conn, &alarm(number))?;
        }
        purchases::insert(conn, &id(0), &(0..MANY).map(purchase).collect::<Vec<_>>())?;
        pushed::fill(conn)?;
        // PostgreSQL learns by and by how much there is; the test does not wait for that. Table by table:
        // without a name it would be those of the whole server, too, where other tests are at work.
        for table in FILLED {
            conn.batch_execute(&format!("ANALYZE {table}"))?;
        }
        Ok::<_, StoreError>(())
    });
    filled.expect("filled");
}

/// What is read of a list: how many items it showed.
type Read = Box<dyn Fn(&mut Conn) -> Result<usize>>;

/// Boxes what reads a list.
fn reading<T>(read: impl Fn(&mut Conn) -> Result<Vec<T>> + 'static) -> Read {
    Box::new(move |conn| read(conn).map(|items| items.len()))
}

/// Every list that has pages, read from its beginning and from its middle.
fn lists() -> Vec<(&'static str, Read)> {
    let mut lists: Vec<(&'static str, Read)> = Vec::new();
    for from in [None, Some(MANY / 2)] {
        let key = move || from.map(|from| (naive(from), id(from)));
        let before = move || from.map(id);
        let after = from.unwrap_or(0);
        let filter = move |status| Filter { status, before: before() };
        lists.extend([
            ("sites", reading(move |c| sites::list(c, key(), PAGE))),
            ("levels", reading(move |c| rules::list_levels(c, &id(0), key(), PAGE))),
            ("products", reading(move |c| products::list(c, &id(0), None, key(), PAGE))),
            (
                "products that nobody has decided about",
                reading(move |c| products::list(c, &id(0), Some(Decided::Unmapped), key(), PAGE)),
            ),
            (
                "mappings",
                reading(move |c| rules::list_mappings(c, &id(0), before().as_deref(), PAGE)),
            ),
            ("keys", reading(move |c| keys::list(c, None, before().as_deref(), PAGE))),
            (
                "keys of a site",
                reading(move |c| keys::list(c, Some(&id(0)), before().as_deref(), PAGE)),
            ),
            ("members", reading(move |c| members::list(c, &id(0), before().as_deref(), PAGE))),
            (
                "holders",
                reading(move |c| members::holders(c, &id(0), &id(1), before().as_deref(), PAGE)),
            ),
            ("webhooks", reading(move |c| webhooks::list(c, &id(0), &filter(None), PAGE))),
            (
                "webhooks of a status",
                reading(move |c| {
                    webhooks::list(c, &id(0), &filter(Some(Status::Unreadable)), PAGE)
                }),
            ),
            ("changes", reading(move |c| changes::after(c, &id(0), after, PAGE))),
            ("ended alarms", reading(move |c| alarms::ended(c, &id(0), before().as_deref(), PAGE))),
            (
                "overdue subscriptions",
                reading(move |c| dues::overdue(c, &id(0), at(MANY), key(), PAGE)),
            ),
            (
                "destinations",
                reading(move |c| destinations::list(c, &id(0), before().as_deref(), PAGE)),
            ),
            ("pushes", reading(move |c| pushed::page(c, None, before()))),
            ("pushes of a status", reading(move |c| pushed::page(c, Some(Pending), before()))),
            (
                "changes of a member",
                reading(move |c| changes::newest_of_member(c, &id(0), &id(1), PAGE)),
            ),
        ]);
    }
    lists
}

/// A store with many of everything, and the application that it is of.
fn filled(database: Database) -> TestApp {
    let app = TestApp::start(database);
    fill(app.app.store());
    app
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many rows of tables this transaction has read until now, on PostgreSQL.
fn rows_read(conn: &mut Conn) -> Result<i64> {
    let counted = "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint \
                   AS count FROM pg_stat_xact_user_tables";
    Ok(sql_query(counted).get_result::<Count>(conn)?.count)
}

#[test]
fn on_postgres_a_page_reads_no_more_rows_than_it_shows() {
    let Some(database) = Database::postgres() else { return };
    let app = filled(database);
    for (name, list) in lists() {
        let read = app.app.store().read(|conn| {
            let before = rows_read(conn)?;
            let shown = list(conn)?;
            Ok::<_, StoreError>((shown, rows_read(conn)? - before))
        });
        let (shown, read) = read.expect("read");
        assert_eq!(i64::try_from(shown), Ok(PAGE), "{name} has many");
        assert!((PAGE..=ROWS_READ_MAX).contains(&read), "{name}: {read} rows read for {PAGE}");
    }
    let asked = app.app.store().read(|conn| {
        let before = rows_read(conn)?;
        let found = door::recorded(conn, &id(0), &email(7), &id(1))?;
        Ok::<_, StoreError>((found, rows_read(conn)? - before))
    });
    let (found, read) = asked.expect("read");
    assert!(is_let_in(found), "the seventh holds the first level");
    assert!((1..=PAGE).contains(&read), "the door: {read} rows read");
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The statements that a piece of work consists of.
fn statements(conn: &mut Conn, work: impl FnOnce(&mut Conn)) -> Vec<String> {
    struct Ear(Arc<Mutex<Vec<String>>>);
    impl Instrumentation for Ear {
        fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                self.0.lock().expect("nobody panicked").push(query.to_string());
            }
        }
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    conn.set_instrumentation(Ear(Arc::clone(&heard)));
    work(conn);
    conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
    let heard = heard.lock().expect("nobody panicked");
    heard.iter().map(|said| said.split(" -- binds").next().expect("a part").to_owned()).collect()
}

/// What SQLite does for a piece of work, step by step.
fn plan(store: &Store, work: impl Fn(&mut Conn)) -> Vec<String> {
    let plan = store.read(|conn| {
        let mut steps = Vec::new();
        for statement in statements(conn, &work) {
            let explained = sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
            steps.extend(explained.load::<Step>(conn)?.into_iter().map(|step| step.detail));
        }
        Ok::<_, StoreError>(steps)
    });
    plan.expect("a plan")
}

/// What costs the more the longer a table is: to walk it without an index, or to sort what was found.
fn grows(step: &str) -> bool {
    let walks = step.starts_with("SCAN") && !step.contains(" USING ");
    walks || step.contains("USE TEMP B-TREE")
}

#[test]
fn on_sqlite_a_page_is_found_in_an_index_and_nothing_is_sorted() {
    let app = filled(Database::sqlite());
    let store = app.app.store();
    for (name, list) in lists() {
        let steps = plan(store, |conn| assert_eq!(list(conn).expect("read"), 10, "{name}"));
        assert!(!steps.is_empty(), "{name} has a plan");
        assert!(!steps.iter().any(|step| grows(step)), "{name}: {steps:#?}");
    }
    let steps = plan(store, |conn| {
        let found = door::recorded(conn, &id(0), &email(7), &id(1)).expect("read");
        assert!(is_let_in(found));
    });
    let looked_up = |step: &&String| step.starts_with("SEARCH") && step.contains(" USING ");
    assert_eq!(steps.iter().filter(looked_up).count(), 3, "one look into each table: {steps:#?}");
    assert_eq!(steps.len(), 3, "and nothing else: {steps:#?}");
}

/// What a timeline reads of the database: no more than is known of one person.
fn of_a_person() -> Vec<(&'static str, Read)> {
    let mut all: Vec<(&'static str, Read)> = Vec::new();
    let rests = [None, Some(Rest::Nothing), Some(Rest::All), Some(Rest::Behind("a"))];
    let orders = [Order::OldestFirst, Order::NewestFirst];
    for (order, rest) in orders.into_iter().flat_map(|order| rests.map(|rest| (order, rest))) {
        let place = move || (order, rest.map(|rest| Place { at: naive(0), rest }));
        all.extend([
            ("events", reading(move |c| timeline::events(c, &id(0), &email(7), place(), PAGE))),
            ("webhooks", reading(move |c| timeline::webhooks(c, &id(0), &email(7), place(), PAGE))),
            ("changes", reading(move |c| timeline::changes(c, &id(0), &id(1), place(), PAGE))),
            ("pushes", reading(move |c| pushes::of_subject(c, &id(0), &id(7)))),
            (
                "caused",
                reading(move |c| changes::caused_by(c, &id(0), &[id(1), id(2)], &[id(3)], PAGE)),
            ),
        ]);
    }
    all
}

#[test]
fn on_sqlite_a_timeline_is_found_by_the_person_and_not_in_all_of_the_site() {
    let app = filled(Database::sqlite());
    for (name, list) in of_a_person() {
        let steps = plan(app.app.store(), |conn| assert!(list(conn).is_ok(), "{name}"));
        let looks: Vec<&String> = steps.iter().filter(|step| step.starts_with("SEARCH")).collect();
        assert!(!looks.is_empty(), "{name}: {steps:#?}");
        let walks = |step: &String| step.starts_with("SCAN") || step.contains("(site_id=?)");
        assert!(!steps.iter().any(walks), "{name}: {steps:#?}");
    }
}

#[test]
fn on_postgres_a_timeline_is_found_by_the_person_and_not_in_all_of_the_site() {
    let Some(database) = Database::postgres() else { return };
    let app = filled(database);
    for (name, list) in of_a_person() {
        let read = app.app.store().read(|conn| {
            let before = rows_read(conn)?;
            list(conn)?;
            Ok::<_, StoreError>(rows_read(conn)? - before)
        });
        let read = read.expect("read");
        // The members whose changes are asked for have many of them.
        let most = if ["changes", "caused"].contains(&name) { MANY } else { ROWS_READ_MAX };
        assert!(read <= most, "{name}: {read} rows read of one person");
    }
}

/// A look for alarms.
type Look = fn(&mut Conn) -> Result<Option<Cause>>;

/// Every look for what may be an alarm, or waits.
fn looks() -> [(&'static str, Look); 6] {
    [
        ("held purchases", |c| watch::held(c, &id(0), at(MANY), at(MANY))),
        ("webhooks of a status", |c| watch::webhooks(c, &id(0), Status::Unreadable, at(MANY))),
        ("late ends", |c| watch::late_ends(c, &id(0), at(MANY))),
        ("overdue subscriptions", |c| watch::overdue(c, &id(0), at(MANY))),
        ("webhooks that wait", |c| waiting::webhooks(c, &id(0)).map(|_| None)),
        ("what is stuck", |c| watch::is_stuck(c, &id(0), at(MANY)).map(|_| None)),
    ]
}

#[test]
fn on_sqlite_each_look_for_alarms_goes_by_an_index_of_what_it_counts() {
    let app = filled(Database::sqlite());
    for (name, look) in looks() {
        let steps = plan(app.app.store(), |conn| assert!(look(conn).is_ok(), "{name}"));
        let looks: Vec<&String> = steps.iter().filter(|step| step.starts_with("SEARCH")).collect();
        assert!(!looks.is_empty(), "{name}: {steps:#?}");
        let nothing = "SCAN CONSTANT ROW";
        let walks =
            |step: &String| (grows(step) && step != nothing) || step.ends_with("(site_id=?)");
        assert!(!steps.iter().any(walks), "{name}: {steps:#?}");
    }
}

#[test]
fn a_look_for_alarms_counts_what_there_is_and_no_further_than_its_limit() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = filled(database);
        let look = |at_most: i64| {
            app.app.store().read(|conn| {
                let held = watch::held(conn, &id(0), at(at_most), at(MANY))?;
                Ok::<_, StoreError>((held, watch::overdue(conn, &id(0), at(at_most))?))
            })
        };
        let of = |number| Some(Cause { number, since: at(0) });
        assert_eq!(
            look(6).expect("a look"),
            (of(7), of(7)),
            "held for good, held until an end, and due"
        );
        assert_eq!(look(MANY).expect("a look"), (of(COUNTED_MAX), of(COUNTED_MAX)));
        assert_eq!(look(-1).expect("a look"), (None, None));
    }
}

#[test]
fn what_would_grow_is_recognised() {
    let app = filled(Database::sqlite());
    let steps = plan(app.app.store(), |conn| {
        sql_query("SELECT id FROM members ORDER BY version LIMIT 10").execute(conn).expect("read");
    });
    assert!(steps.iter().any(|step| step == "SCAN members" && grows(step)), "{steps:#?}");
    assert!(steps.iter().any(|step| step == "USE TEMP B-TREE FOR ORDER BY"), "{steps:#?}");
}
