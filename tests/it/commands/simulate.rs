//! `latchkey simulate` against a running daemon: whole lives, shuffled and repeated.

mod check;
mod waits;

use super::on_each;
use crate::support::daemon::Home;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PRODUCTS: [u32; 5] = [557_920, 557_931, 558_001, 558_002, 558_044];

/// Everything that is answered about the members of a site, by address.
fn access(daemon: &crate::support::daemon::Daemon) -> Vec<(String, Value)> {
    let members = daemon.all("/api/v1/sites/default/members");
    let mut emails: Vec<String> =
        members.iter().map(|member| member["email"].as_str().expect("one").to_owned()).collect();
    emails.sort();
    let at = "2026-10-01T00:00:00Z";
    let about = |email: String| {
        let path = format!("/api/v1/sites/default/members/{email}/access?at={at}");
        let levels = daemon.get(&path).json["levels"].clone();
        let names = levels.as_array().expect("levels").iter();
        let held: Vec<Value> = names.map(|l| json!([l["level"], l["since"], l["until"]])).collect();
        (email, json!(held))
    };
    emails.into_iter().map(about).collect()
}

fn told(home: &Home, options: &[&str]) -> Vec<(String, Value)> {
    let daemon = home.serve();
    daemon.stops_no_flood();
    daemon.make("/api/v1/sites/default/levels", &json!({"id": "kitchen"}));
    for product in PRODUCTS {
        let mapping = json!({"product_id": product, "level": "kitchen"});
        daemon.make("/api/v1/sites/default/mappings", &mapping);
    }
    let url = format!("{}{}", daemon.base, daemon.hook);
    let mut arguments = vec!["simulate", "--to", &url, "--members", "25", "--seed", "7", "--json"];
    arguments.extend(options);
    let ran = home.run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.err, "", "silent in a pipe");
    let tally = ran.json();
    assert_eq!((&tally["failed"], &tally["unsent"]), (&json!(0), &json!(0)), "{tally}");
    daemon.drained();
    let webhooks = daemon.all("/api/v1/sites/default/webhooks");
    assert_eq!(json!(webhooks.len()), tally["sent"]);
    let statuses: BTreeSet<&str> =
        webhooks.iter().map(|webhook| webhook["status"].as_str().expect("a status")).collect();
    let expected = BTreeSet::from(["applied", "duplicate", "no_effect"]);
    assert!(statuses.is_subset(&expected), "{statuses:?}");
    assert!(statuses.contains("applied"));
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let access = access(&daemon);
    daemon.stop();
    access
}

on_each! {
    fn whole_lives_end_alike_in_whatever_order_they_are_told(home: &mut Home) {
        let straight = told(home, &["--ipn", "1"]);
        assert!(straight.iter().any(|(_, levels)| levels != &json!([])), "somebody holds something");
        assert!(straight.iter().any(|(_, levels)| levels == &json!([])), "somebody lost something");
        let other = Home::new(crate::support::Database::sqlite());
        let shuffled = told(&other, &["--ipn", "1", "--shuffle", "--duplicate", "0.3"]);
        assert_eq!(straight, shuffled);
    }
}

#[test]
fn a_simulation_that_reaches_nobody_says_what_to_do() {
    let home = Home::new(crate::support::Database::sqlite());
    let daemon = home.serve();
    let (base, port) =
        (daemon.base.clone(), daemon.base.rsplit(':').next().expect("a port").to_owned());
    let unknown =
        home.run(&["simulate", "--members", "1", "--to", &format!("{base}/hooks/kartra/none")]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(unknown.err.contains("copy the webhook URL of the site again"), "{unknown:?}");
    daemon.stop();
    let gone = format!("http://127.0.0.1:{port}/hooks/kartra/none");
    let refused = home.run(&["simulate", "--members", "1", "--to", &gone]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("is Latchkey running"), "{refused:?}");
    let public =
        home.run(&["simulate", "--members", "1", "--to", "http://192.0.2.1/hooks/kartra/x"]);
    assert_eq!(public.code, Some(2), "{public:?}");
    assert!(public.err.contains("--yes"), "{public:?}");
}
