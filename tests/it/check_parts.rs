//! `rebuild --check` looks at a site in parts, and finds what it would find if it looked at all of it.

use crate::flow_agrees::tell;
use crate::support::{Database, TestApp, instant};
use diesel::connection::SimpleConnection;
use latchkey::flow::check::{Discrepancy, Step, check_in_parts};
use latchkey::flow::rebuild::rebuild;
use latchkey::simulate::{Plan, messages};
use latchkey::store::StoreError;
use serde_json::json;

/// How many stories are told, each to a site of its own. All that happens in one mostly hangs together.
const STORIES: u64 = 4;

/// The site of a crowd, in which hardly anybody hangs together with anybody.
const CROWD: &str = "default";

/// Webhooks of a small part: what hangs together is often more.
const FEW: usize = 3;

/// What somebody with a database shell can do to some of the rows, and what is said of it then.
const DAMAGES: [(&str, &str, &str); 13] = [
    ("DELETE FROM access WHERE substr(member_id, 36, 1) < '8'", "member", "has other access"),
    (
        "UPDATE members SET next_change_at = '2050-01-01 00:00:00' WHERE substr(id, 36, 1) < '8'",
        "member",
        "has another next change",
    ),
    (
        "UPDATE members SET email = 'x' || email WHERE substr(id, 36, 1) > 'b'",
        "member",
        "addresses of leads are no members",
    ),
    ("DELETE FROM leads WHERE lead_key LIKE '%1'", "lead", "is not recorded"),
    (
        "UPDATE leads SET email = 'nobody@example.com' WHERE lead_key LIKE '%2'",
        "lead",
        "has another address",
    ),
    ("INSERT INTO leads SELECT site_id, lead_key || 'x', email FROM leads", "lead", "has no event"),
    (
        "UPDATE purchases SET standing = 'no_effect' WHERE id LIKE '%3'",
        "purchase",
        "is listed otherwise",
    ),
    (
        "DELETE FROM purchase_terms WHERE purchase_id LIKE '%1'",
        "purchase",
        "is not found or counted by what it holds",
    ),
    ("UPDATE purchases SET id = id || 'x' WHERE id LIKE '%2'", "purchase", "has no payment"),
    ("DELETE FROM event_ties WHERE event_id LIKE '%1'", "event", "is not found by what it says"),
    (
        "UPDATE events SET purchase_id = NULL WHERE id LIKE '%2'",
        "event",
        "belongs to another purchase",
    ),
    ("UPDATE events SET lead_key = '999' WHERE id LIKE '%3'", "event", "says something else"),
    ("UPDATE events SET id = id || 'x' WHERE id LIKE '%4'", "event", "has no observation"),
];

/// The sites of the stories and of the crowd.
fn sites() -> Vec<String> {
    (0..STORIES).map(|seed| format!("story-{seed}")).chain([CROWD.to_owned()]).collect()
}

/// All that is found, site by site, and into how many parts the crowd was cut.
fn found(app: &TestApp, webhooks_min: usize) -> (Vec<Vec<Discrepancy>>, usize) {
    let mut parts = 0;
    let of_site = |site: String| {
        parts = 0;
        let count = |step, _, _| parts += usize::from(step == Step::Compare);
        check_in_parts(app.app.flow(), &site, webhooks_min, count).expect("checked")
    };
    (sites().into_iter().map(of_site).collect(), parts)
}

/// Invented members, half of whose webhooks come by both feeds, and whose products are mapped.
fn crowd(app: &TestApp) {
    let plan = Plan {
        members: 30,
        seed: 1,
        shuffle: true,
        duplicate: 0.1,
        ipn: 0.5,
        loss: 0.1,
        secret: None,
    };
    let hook = app.hook_of(CROWD);
    for message in messages(&plan) {
        assert_eq!(app.post_raw(&hook, message.body).status, 200);
    }
    app.drain();
    app.level("gold");
    let products = app.get("/api/v1/sites/default/products?limit=500");
    for product in products.json["items"].as_array().expect("items") {
        app.map(&json!({"product_id": product["product_id"], "level": "gold"}));
    }
    app.drain();
}

fn with_stories(database: Database) -> TestApp {
    let app = TestApp::start(database);
    (0..STORIES).for_each(|seed| tell(&app, seed));
    crowd(&app);
    app.at(instant("2030-01-01T00:00:00Z"));
    app
}

#[test]
fn a_check_in_parts_finds_what_a_check_of_the_whole_finds() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let app = with_stories(database);
        let clean = vec![vec![]; sites().len()];
        assert_eq!(found(&app, 1), (clean.clone(), 30), "each of the crowd is looked at alone");
        assert_eq!(found(&app, usize::MAX), (clean.clone(), 1));
        for (damage, what, detail) in DAMAGES {
            let done =
                app.app.store().write(|conn| Ok::<_, StoreError>(conn.batch_execute(damage)?));
            done.expect(damage);
            let ((in_parts, parts), (whole, _)) = (found(&app, FEW), found(&app, usize::MAX));
            assert!(parts > 15, "{parts}");
            assert_eq!(in_parts, whole, "{damage}");
            let said = |d: &Discrepancy| d.what == what && d.detail.ends_with(detail);
            assert!(whole.iter().flatten().any(said), "{damage}: {whole:?}");
        }
        for site in sites() {
            rebuild(app.app.flow(), &site, |_, _, _| {}).expect("rebuilt");
        }
        assert_eq!(found(&app, FEW).0, clean, "all of it is made good");
    }
}

#[test]
fn a_check_says_how_far_it_has_come_and_of_how_much() {
    let app = TestApp::start(Database::sqlite());
    crowd(&app);
    let all = app.webhooks().len();
    assert!(all < 500, "the list is whole");
    let mut steps = Vec::new();
    let told = |step, done, all| steps.push((step, done, all));
    check_in_parts(app.app.flow(), CROWD, FEW, told).expect("checked");
    assert_eq!(steps.iter().rfind(|(step, ..)| *step == Step::Read), Some(&(Step::Read, all, all)));
    let compared: Vec<_> = steps.iter().filter(|(step, ..)| *step == Step::Compare).collect();
    assert!(compared.len() > 15 && compared.is_sorted_by(|a, b| a.1 < b.1), "{compared:?}");
    assert!(compared.last().is_some_and(|(_, done, all)| done == all), "{compared:?}");
}
