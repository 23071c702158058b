//! `latchkey simulate --check` and what it compares with.

use super::PRODUCTS;
use crate::commands::on_each;
use crate::support::daemon::{Daemon, Home, Ran};
use crate::support::{ADMIN_KEY, Database};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SITE: &str = "/api/v1/sites/default";

/// A key that may only read, in a file.
fn key_file(home: &Home, more: &[&str]) -> String {
    let create = ["keys", "create", "--name", "simulate", "--scope", "manage"];
    let made = home.run(&[&create, more].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let path = home.path().join(format!("key{}", more.concat()));
    std::fs::write(&path, made.out).expect("a file");
    path.display().to_string()
}

fn url_of(daemon: &Daemon) -> String {
    format!("{}{}", daemon.base, daemon.hook)
}

fn patch(daemon: &Daemon, path: &str, body: &Value) {
    let request = daemon.client.patch(format!("{}{path}", daemon.base));
    let edited = daemon.send(request.bearer_auth(ADMIN_KEY).body(body.to_string()));
    assert_eq!(edited.status, 200, "{edited:?}");
}

fn level(daemon: &Daemon, id: &str) {
    daemon.make(&format!("{SITE}/levels"), &json!({ "id": id }));
}

fn map(daemon: &Daemon, mapping: &Value) {
    daemon.make(&format!("{SITE}/mappings"), mapping);
}

/// A shop with mappings of every kind; the workshop is mapped by nobody.
fn shop(daemon: &Daemon) {
    for id in ["course", "early", "member", "plan", "premium", "mentored", "gone"] {
        level(daemon, id);
    }
    let policy = json!({"on_partial_refund": {"revoke_at_percent": 40}, "on_payment_failed": {"grace_days": 4}});
    // Whole lives that end within a moment are no flood here.
    let edit =
        json!({"kartra_time_zone": "America/Chicago", "policy": policy, "max_revocations": null});
    patch(daemon, SITE, &edit);
    for mapping in [
        json!({"product_id": 557_920, "level": "course", "policy": {"on_chargeback": "block"}}),
        json!({"product_id": 557_920, "level": "early", "purchased_before": "2025-09-01T00:00:00Z"}),
        json!({"product_id": 557_920, "level": "early", "purchased_from": "2025-09-01T00:00:00Z",
               "policy": {"duration_days": 60}}),
        json!({"product_id": 558_001, "level": "member", "policy": {"on_cancellation": "period_end"}}),
        json!({"product_id": 558_001, "price_point": 3, "level": "plan", "policy": {"on_payment_failed": "keep"}}),
        json!({"product_id": 558_001, "price_point": 4, "level": "member",
               "policy": {"trial": "wait", "billing_period": {"months": 1}}}),
        json!({"product_id": 558_002, "level": "premium", "policy": {"on_refund": "revoke_if_latest_payment"}}),
        json!({"product_id": 558_002, "level": "gone", "enabled": false}),
        json!({"product_id": 558_044, "level": "mentored", "policy": {"on_cancellation": "keep"}}),
    ] {
        map(daemon, &mapping);
    }
}

/// What the API answers about an address, as a line of `--expected` says it.
fn line_of(daemon: &Daemon, email: &str, at: &str) -> Value {
    let found = daemon.get(&format!("{SITE}/members/{email}/access?at={at}")).json;
    let levels = found["levels"].as_array().expect("levels").iter();
    let levels =
        levels.map(|l| json!({"level": l["level"], "since": l["since"], "until": l["until"]}));
    json!({"email": found["email"], "levels": levels.collect::<Vec<_>>()})
}

/// Every line of a file is what the API answers.
fn lines_are_answers(daemon: &Daemon, path: &std::path::Path, at: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the lines");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
    for line in &lines {
        assert_eq!(*line, line_of(daemon, line["email"].as_str().expect("an address"), at));
    }
    lines
}

fn holding(lines: &[Value]) -> usize {
    lines.iter().filter(|line| line["levels"] != json!([])).count()
}

on_each! {
    fn what_a_site_answers_is_what_access_should_result_whatever_was_lost(home: &mut Home) {
        let daemon = home.serve();
        shop(&daemon);
        let (url, key) = (url_of(&daemon), key_file(home, &[]));
        let file = home.path().join("expected.jsonl");
        let file_name = file.display().to_string();
        for (seed, more) in [
            ("11", vec!["--shuffle"]),
            ("12", vec!["--shuffle", "--duplicate", "0.3", "--ipn", "0.5", "--loss", "0.2"]),
            ("13", vec!["--duplicate", "0.5", "--ipn", "0", "--loss", "0.1"]),
            ("14", vec!["--loss", "0.4", "--at", "2025-12-24T12:00:00Z"]),
            ("15", vec!["--duplicate", "0.2", "--at", "2030-01-01T00:00:00Z"]),
        ] {
            let fixed = ["simulate", "--to", &url, "--members", "40", "--seed", seed, "--json", "--check",
                "--key-file", &key, "--expected", &file_name];
            let ran = home.run(&[&fixed, more.as_slice()].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            assert_eq!(ran.err, "", "silent in a pipe");
            let result = ran.json();
            assert_eq!(result["check"], json!({"site": "default", "equal": true, "members": 40, "differing": 0,
                "differences": 0, "shown": []}));
            assert_eq!(result["lost"] != 0, more.contains(&"--loss"), "{result}");
            let at = result["expected"]["at"].as_str().expect("an instant");
            let lines = lines_are_answers(&daemon, &file, at);
            assert!(lines.len() >= 40 && holding(&lines) > 5, "{lines:?}");
            let counted = result["expected"]["levels"].as_array().expect("levels").iter();
            let counted: u64 = counted.map(|level| level["members"].as_u64().expect("a number")).sum();
            let held = lines.iter().map(|line| line["levels"].as_array().expect("levels").len() as u64);
            assert_eq!(counted, held.sum::<u64>());
        }
        daemon.stop();
    }

    fn a_difference_is_found_and_names_exactly_whom_it_is_about(home: &mut Home) {
        let daemon = home.serve();
        daemon.stops_no_flood();
        level(&daemon, "gold");
        level(&daemon, "silver");
        for product in PRODUCTS {
            map(&daemon, &json!({"product_id": product, "level": "gold"}));
        }
        let (url, key) = (url_of(&daemon), key_file(home, &[]));
        let file = home.path().join("expected.jsonl");
        let file_name = file.display().to_string();
        let run = |more: &[&str]| {
            let fixed = ["simulate", "--to", &url, "--members", "25", "--check", "--key-file", &key,
                "--expected", &file_name];
            home.run(&[&fixed, more].concat())
        };
        // Somebody of a seed who holds something, when all is as it should be.
        let holder = |seed: &str| -> Value {
            assert_eq!(run(&["--seed", seed]).code, Some(0));
            let text = std::fs::read_to_string(&file).expect("the lines");
            let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
            lines.find(|line| line["levels"] != json!([])).expect("somebody holds something")
        };
        let shown = |ran: &Ran| -> BTreeSet<(String, String)> {
            let result = ran.json();
            assert_eq!((&result["check"]["equal"], &result["check"]["differing"]), (&json!(false), &json!(1)));
            let shown = result["check"]["shown"].as_array().expect("differences").clone();
            shown.iter().map(|d| (d["email"].as_str().expect("one").to_owned(), d["level"].to_string())).collect()
        };

        // Of somebody else the simulation knows nothing.
        let other = format!("{SITE}/members/other@example.com/grants");
        daemon.make(&other, &json!({"level": "gold"}));
        let holds = holder("1");
        let email = holds["email"].as_str().expect("an address");

        let block = daemon.make(&format!("{SITE}/members/{email}/blocks"), &json!({"level": "gold"}));
        let blocked = run(&["--json"]);
        assert_eq!(blocked.code, Some(1), "{blocked:?}");
        assert_eq!(shown(&blocked), BTreeSet::from([(email.to_owned(), "\"gold\"".to_owned())]));
        let first = &blocked.json()["check"]["shown"][0];
        assert_eq!(first["answered"], Value::Null);
        assert_eq!(first["expected"]["since"], holds["levels"][0]["since"]);
        let in_words = run(&[]);
        assert_eq!(in_words.code, Some(1), "{in_words:?}");
        let line = format!("{email}, gold: expected since ");
        assert!(in_words.out.contains(&line) && in_words.out.contains("answered nothing"), "{in_words:?}");
        assert!(in_words.err.contains("`latchkey explain <e-mail>` says why"), "{in_words:?}");

        // What was lifted has left a gap.
        let id = block["id"].as_str().expect("an id");
        let url = format!("{}{SITE}/members/{email}/blocks/{id}", daemon.base);
        let lifted = daemon.send(daemon.client.delete(url).bearer_auth(ADMIN_KEY));
        assert_eq!(lifted.status, 204);
        let since_later = run(&["--json"]);
        assert_eq!(since_later.code, Some(1), "{since_later:?}");
        assert_eq!(shown(&since_later), BTreeSet::from([(email.to_owned(), "\"gold\"".to_owned())]));
        let first = &since_later.json()["check"]["shown"][0];
        assert_ne!(first["answered"]["since"], first["expected"]["since"]);
        assert_eq!(first["answered"]["until"], first["expected"]["until"]);

        let holds = holder("2");
        let email = holds["email"].as_str().expect("an address");
        daemon.make(&format!("{SITE}/members/{email}/grants"), &json!({"level": "silver"}));
        let granted = run(&["--seed", "2", "--json"]);
        assert_eq!(granted.code, Some(1), "{granted:?}");
        assert_eq!(shown(&granted), BTreeSet::from([(email.to_owned(), "\"silver\"".to_owned())]));
        assert_eq!(granted.json()["check"]["shown"][0]["expected"], Value::Null);
        daemon.stop();
    }

    fn without_a_site_to_ask_each_product_gives_the_level_named_after_it(home: &mut Home) {
        let daemon = home.serve();
        daemon.stops_no_flood();
        for product in PRODUCTS {
            level(&daemon, &format!("product-{product}"));
            map(&daemon, &json!({"product_id": product, "level": format!("product-{product}")}));
        }
        let url = url_of(&daemon);
        let file = home.path().join("expected.jsonl");
        let file_name = file.display().to_string();
        let ran = home.run(&["simulate", "--to", &url, "--members", "30", "--loss", "0.2", "--ipn", "0.6",
            "--expected", &file_name, "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let result = ran.json();
        assert_eq!(result["check"], Value::Null);
        daemon.drained();
        let at = result["expected"]["at"].as_str().expect("an instant");
        assert!(holding(&lines_are_answers(&daemon, &file, at)) > 5);
        let levels = result["expected"]["levels"].as_array().expect("levels").iter();
        let names: Vec<String> = levels.map(|l| l["level"].as_str().expect("a name").to_owned()).collect();
        assert_eq!(names, PRODUCTS.map(|product| format!("product-{product}")));
        assert!(result["expected"]["otherwise"].as_u64().expect("a number") > 0, "{result}");
        daemon.stop();
    }
}

#[test]
fn an_ipn_that_is_rejected_is_not_expected_to_be_heard() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    daemon.stops_no_flood();
    // Only a rebill, and with it only the IPN, tells of an upgrade inside a subscription.
    for product in PRODUCTS {
        level(&daemon, &product.to_string());
        map(&daemon, &json!({"product_id": product, "level": product.to_string()}));
    }
    patch(&daemon, SITE, &json!({"ipn_secret": "s3cret"}));
    let (url, key) = (url_of(&daemon), key_file(&home, &[]));
    let fixed =
        ["simulate", "--to", &url, "--members", "30", "--json", "--check", "--key-file", &key];
    let wrong = home.run(&[&fixed, ["--seed", "21"].as_slice()].concat());
    assert_eq!(wrong.code, Some(0), "{wrong:?}");
    assert!(wrong.json()["readings"]["rejected"].as_u64().expect("a number") > 0);
    assert!(wrong.json()["expected"]["otherwise"].as_u64().expect("a number") > 0, "{wrong:?}");
    assert!(wrong.err.contains("pass it with --ipn-secret"), "{wrong:?}");
    let right = home.run(&[&fixed, ["--seed", "22", "--ipn-secret", "s3cret"].as_slice()].concat());
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(right.json()["expected"]["otherwise"], 0);
    daemon.stop();
}

#[test]
fn what_keeps_from_comparing_is_said_before_anything_is_sent() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    daemon.make("/api/v1/sites", &json!({"id": "other"}));
    let (url, key) = (url_of(&daemon), key_file(&home, &[]));
    let bound = key_file(&home, &["--site", "other"]);
    let unknown = home.path().join("unknown").display().to_string();
    std::fs::write(&unknown, "lk_nobody_made_this\n").expect("a file");
    let empty = home.path().join("empty").display().to_string();
    std::fs::write(&empty, "\n").expect("a file");
    let elsewhere = format!("{}/hooks/kartra/another", daemon.base);
    let no_hook = format!("{}/somewhere", daemon.base);
    let no_file = home.path().join("no/such/file").display().to_string();
    let refused = |to: &str, options: &[&str], code: i32, words: &str| {
        let ran = home.run(&[&["simulate", "--members", "2", "--to", to], options].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.err.contains(words), "{words:?} is not in {ran:?}");
        assert_eq!(ran.out, "", "{ran:?}");
        assert!(!ran.err.contains("lk_"), "no key is ever shown: {ran:?}");
        assert!(!ran.err.contains(&daemon.hook), "no webhook URL either: {ran:?}");
    };
    let how = "`latchkey keys create --name simulate --scope manage` makes one";
    refused(&url, &["--check"], 2, how);
    refused(&url, &["--check"], 2, "LATCHKEY_KEY");
    refused(&url, &["--check", "--key-file", &empty], 2, how);
    refused(&url, &["--check", "--key-file", &no_file], 2, "--key-file names");
    refused(&url, &["--key-file", &key], 2, "--check");
    refused(&url, &["--expected", "-"], 2, "name a file");
    refused(&url, &["--expected", &no_file], 3, "which --expected names");
    refused(&url, &["--loss", "2"], 2, "a share is a number from 0 to 1");
    refused(&url, &["--check", "--key-file", &unknown], 3, how);
    refused(&url, &["--check", "--key-file", &bound], 3, "take a key of its site");
    refused(&elsewhere, &["--check", "--key-file", &key], 3, "copy the URL again");
    refused(&no_hook, &["--check", "--key-file", &key], 3, "…/hooks/kartra/…");
    patch(&daemon, SITE, &json!({"enabled": false}));
    refused(&url, &["--check", "--key-file", &key], 3, "the site default is disabled");
    assert_eq!(daemon.all(&format!("{SITE}/webhooks")), Vec::<Value>::new());
    daemon.stop();
}

#[test]
fn the_key_may_come_from_the_environment_and_be_bound_to_the_site() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    let key = std::fs::read_to_string(key_file(&home, &["--site", "default"])).expect("a key");
    let mut command =
        home.command(&["simulate", "--members", "2", "--to", &url_of(&daemon), "--check"]);
    let ran = command.env("LATCHKEY_KEY", key.trim()).output().expect("a process");
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(out.contains("the site default answers what it should about all 2 members"), "{out}");
    daemon.stop();
}

#[test]
fn nobody_says_what_should_result_of_messages_that_were_not_accepted() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    let elsewhere = format!("{}/hooks/kartra/another", daemon.base);
    let file = home.path().join("expected.jsonl").display().to_string();
    let ran = home.run(&["simulate", "--to", &elsewhere, "--json", "--expected", &file]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(ran.json()["expected"], Value::Null, "{ran:?}");
    assert!(ran.err.contains("nobody can say what access should result"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "");
    daemon.stop();
}
