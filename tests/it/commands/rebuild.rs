//! `latchkey migrate`, `rebuild`, `rebuild --check` and `explain`.

use super::{on_each, small_life};
use crate::support::daemon::{Home, Ran};
use serde_json::{Value, json};

/// What somebody with a database shell can do to everything that is derived, and the kind of row that
/// `rebuild --check` then complains of.
const DAMAGES: [(&str, &str); 21] = [
    ("DELETE FROM access WHERE level = 'gold'", "member"),
    ("UPDATE access SET until = '2027-01-01 00:00:00'", "member"),
    ("UPDATE access SET since = '2025-01-01 00:00:00'", "member"),
    ("UPDATE members SET next_change_at = NULL", "member"),
    ("UPDATE members SET held = '{}'", "member"),
    ("UPDATE members SET held = '{\"gold\":null,\"silver\":null}'", "member"),
    ("UPDATE members SET held = 'neither'", "member"),
    ("DELETE FROM leads", "lead"),
    ("UPDATE leads SET email = 'nobody@example.com'", "lead"),
    ("DELETE FROM events", "event"),
    ("UPDATE events SET purchase_id = NULL", "event"),
    ("UPDATE events SET lead_key = '999'", "event"),
    ("DELETE FROM event_ties", "event"),
    ("DELETE FROM purchases", "purchase"),
    ("UPDATE purchases SET lead_key = '999'", "purchase"),
    ("UPDATE purchases SET standing = 'no_effect'", "purchase"),
    ("UPDATE purchases SET held_from = NULL", "purchase"),
    ("DELETE FROM purchase_terms", "purchase"),
    ("UPDATE level_counts SET members = 9", "level"),
    ("UPDATE product_counts SET purchases = 9", "product"),
    ("DELETE FROM price_point_counts", "product"),
];

const PEOPLE: [&str; 6] = [
    "ada@example.com",
    "ben@example.com",
    "cy@example.com",
    "dee@example.com",
    "eve@example.com",
    "nobody@example.com",
];

/// What is answered about everybody, but for how many steps it took.
fn answers(home: &Home) -> Vec<Value> {
    let about = |email: &&str| {
        let ran = home.run(&["explain", email, "--json", "--at", "2026-03-05T00:00:00Z"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let mut answer = ran.json();
        // A member who was met by mistake stays a member; what they hold is what counts.
        answer["version"].take();
        answer["id"].take();
        answer
    };
    PEOPLE.iter().map(about).collect()
}

/// What is counted of the products.
fn products(home: &Home) -> Vec<Value> {
    let daemon = home.serve();
    let mut products = daemon.all("/api/v1/sites/default/products");
    daemon.stop();
    products.sort_by_key(|product| product["product_id"].to_string());
    products
}

fn checked(home: &Home) -> Ran {
    home.run(&["rebuild", "--check", "--json"])
}

on_each! {
    fn rebuild_check_finds_every_damage_and_rebuild_makes_it_good(home: &mut Home) {
        let daemon = home.serve();
        small_life(&daemon);
        daemon.stop();
        let (whole, counts) = (answers(home), products(home));
        assert_eq!(whole[0]["levels"][0]["level"], "gold");
        let clean = checked(home);
        assert_eq!((clean.code, &clean.json()["differences"]), (Some(0), &json!([])), "{clean:?}");
        let mut wrong = Vec::new();
        for (damage, what) in DAMAGES {
            home.sql(damage);
            let found = checked(home);
            let differences = found.json()["differences"].as_array().cloned().unwrap_or_default();
            let differs = differences.iter().any(|d| d["what"] == what);
            if found.code != Some(1) || !differs {
                wrong.push(format!("{damage}: not found: {found:?}"));
            }
            if found.out.contains("@example.com") {
                wrong.push(format!("{damage}: names a person: {found:?}"));
            }
            let rebuilt = home.run(&["rebuild"]);
            if rebuilt.code != Some(0) || checked(home).code != Some(0) {
                wrong.push(format!("{damage}: not made good: {rebuilt:?} {:?}", checked(home)));
            }
            if answers(home) != whole {
                wrong.push(format!("{damage}: other answers than before"));
            }
        }
        if products(home) != counts {
            wrong.push(format!("other counts than before: {counts:#?} {:#?}", products(home)));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    fn a_check_for_people_says_what_to_do_and_one_site_can_be_named(home: &mut Home) {
        let daemon = home.serve();
        small_life(&daemon);
        // The daemon may run meanwhile.
        home.sql("DELETE FROM access");
        let found = home.run(&["rebuild", "--check"]);
        assert_eq!(found.code, Some(1), "{found:?}");
        assert!(found.out.contains("`latchkey rebuild` makes them good"), "{found:?}");
        let rebuilt = home.run(&["rebuild", "--site", "default"]);
        assert_eq!((rebuilt.code, rebuilt.out.as_str()), (Some(0), "Rebuilt 1 site(s).\n"));
        let clean = home.run(&["rebuild", "--check", "--site", "default"]);
        assert_eq!(clean.code, Some(0), "{clean:?}");
        let unknown = home.run(&["rebuild", "--check", "--site", "elsewhere"]);
        assert_eq!(unknown.code, Some(3), "{unknown:?}");
        assert!(unknown.err.contains("there is no such site"), "{unknown:?}");
        daemon.stop();
    }

    fn what_an_older_process_has_recorded_without_the_door_is_no_difference(home: &mut Home) {
        let daemon = home.serve();
        small_life(&daemon);
        daemon.stop();
        home.sql("UPDATE members SET held = '{}', held_version = version - 1");
        let clean = checked(home);
        assert_eq!((clean.code, &clean.json()["differences"]), (Some(0), &json!([])), "{clean:?}");
    }

    fn migrate_brings_the_schema_and_says_what_it_did(home: &mut Home) {
        let first = home.run(&["migrate"]);
        assert_eq!(first.code, Some(0), "{first:?}");
        assert!(first.out.starts_with("Ran ") && first.out.ends_with(": the database is up to date.\n"));
        let second = home.run(&["migrate"]);
        assert_eq!((second.code, second.out.as_str()), (Some(0), "The database is up to date.\n"));
        assert_eq!(home.run(&["migrate", "--json"]).json(), json!({"ran": []}));
        // It did nothing else: the site is made by the first start.
        let checked = home.run(&["rebuild", "--check", "--json"]);
        assert_eq!(checked.json(), json!({"sites": [], "checked": true, "differences": []}));
    }

    fn explain_says_why_in_sentences_and_as_the_api_does(home: &mut Home) {
        let daemon = home.serve();
        small_life(&daemon);
        home.sql("UPDATE levels SET name = 'Golden Table' WHERE id = 'gold'");
        let at = "2026-03-05T00:00:00Z";
        let said = home.run(&["explain", " ADA@Example.com ", "--at", at]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let first = "On 5 March 2026 at 00:00 UTC, ada@example.com has Golden Table.\nGolden Table counts from ";
        assert!(said.out.starts_with(first), "{said:?}");
        assert!(said.out.contains("; nothing else gives Golden Table.\n"), "{said:?}");
        for level in ["gold", "golden table"] {
            let one = home.run(&["explain", "ada@example.com", "--at", at, "--level", level]);
            assert!(one.code == Some(0) && one.out.starts_with(first), "{one:?}");
        }
        let later = home.run(&["explain", "ada@example.com", "--at", "2126-03-05T00:00:00Z"]);
        assert!(later.out.starts_with("On 5 March 2126 at 00:00 UTC, ada@example.com has "), "{later:?}");
        let before = home.run(&["explain", "ada@example.com", "--at", "2020-01-01T00:00:00Z", "--level", "gold"]);
        assert_eq!(before.out, "On 1 January 2020 at 00:00 UTC, ada@example.com does not have Golden Table.\n\
            No purchase and no manual grant is known that gives Golden Table.\n");
        let api = daemon.get(&format!("/api/v1/sites/default/members/ada@example.com/access?at={at}"));
        let ran = home.run(&["explain", "ada@example.com", "--at", at, "--json"]);
        assert_eq!(ran.json(), api.json);
        let nobody = home.run(&["explain", "nobody@example.com"]);
        assert_eq!(nobody.code, Some(0), "{nobody:?}");
        assert!(nobody.out.contains("No purchase that could give a level, and no manual grant, is known"), "{nobody:?}");
        for (arguments, code, word) in [
            (&["explain", "no-address"][..], 2, "must be an e-mail address"),
            (&["explain", "ada@example.com", "--at", "noon"][..], 2, "--at"),
            (&["explain", "ada@example.com", "--site", "elsewhere"][..], 3, "there is no such site"),
            (&["explain", "ada@example.com", "--level", "silver"][..], 3, "there is no level silver; the levels"),
            (&["explain"][..], 2, "E-MAIL"),
        ] {
            let wrong = home.run(arguments);
            assert_eq!(wrong.code, Some(code), "{wrong:?}");
            assert!(wrong.err.contains(word), "{wrong:?}");
        }
        daemon.stop();
    }
}
