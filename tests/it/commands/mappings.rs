//! `latchkey mappings`: the rules as a file, beside a running daemon.

use super::on_each;
use crate::support::Database;
use crate::support::daemon::{Daemon, Home, Ran};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const SITE: &str = "/api/v1/sites/default";

/// Every rule there is, as `export` writes it.
const RULES: &str = r#"
[policy]
on_payment_failed = { grace_days = 7 }
on_cancellation = "period_end"
billing_period = "none"

[[levels]]
id = "gold"
name = 'Gold "24" carat'

[[levels]]
id = "silver"
name = "silver"

[[mappings]]
product_id = "557920"
level = "gold"
purchased_from = 2025-06-01T00:00:00Z
purchased_before = 2026-06-01T00:00:00.000001Z
policy.duration_days = "none"
policy.billing_period = { months = 1 }

[[mappings]]
product_id = "557931"
level = "gold"
policy.on_refund = "keep"
policy.duration_days = 30

[[mappings]]
product_id = "558001"
level = "silver"

[[mappings]]
product_id = "558001"
price_point = "2"
level = "gold"
enabled = false
"#;

/// The same rules with each sort of change.
fn changed() -> String {
    RULES
        .replace("on_cancellation = \"period_end\"", "on_cancellation = \"keep\"")
        .replace(
            "policy.on_refund = \"keep\"\npolicy.duration_days = 30\n",
            "policy.trial = \"wait\"\n",
        )
        .replace("enabled = false\n", "")
        .replace("name = \"silver\"", "name = \"Silver\"")
        .replace(
            "product_id = \"557920\"\nlevel = \"gold\"",
            "product_id = \"557920\"\nlevel = \"silver\"",
        )
}

fn with_file(home: &Home, what: &str, text: &str, more: &[&str]) -> Ran {
    std::fs::write(home.path().join("rules.toml"), text).expect("a file");
    home.run(&[&["mappings", what, "rules.toml"], more].concat())
}

#[track_caller]
fn done(ran: &Ran) -> &str {
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    &ran.out
}

/// What is exported, without comments; what stands before the first key is comment alone.
fn exported(home: &Home) -> String {
    let ran = home.run(&["mappings", "export"]);
    let lines = done(&ran).lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| line.split(" # ").next().expect("a line"));
    let text: Vec<&str> = lines.collect();
    // A comment of its own leaves a blank line before it and one behind it.
    text.join("\n").replace("\n\n\n", "\n\n") + "\n"
}

/// What everybody holds: until when, by address and level.
fn access(daemon: &Daemon) -> BTreeMap<(String, String), Value> {
    let mut held = BTreeMap::new();
    for member in daemon.all(&format!("{SITE}/members")) {
        let email = member["email"].as_str().expect("an address").to_owned();
        let levels = daemon.get(&format!("{SITE}/members/{email}/access")).json["levels"].take();
        for level in levels.as_array().expect("levels") {
            let id = level["level"].as_str().expect("an id").to_owned();
            held.insert((email.clone(), id), json!({ "until": level["until"] }));
        }
    }
    held
}

/// What differs between two times, as a plan names it.
fn moved(
    before: &BTreeMap<(String, String), Value>,
    after: &BTreeMap<(String, String), Value>,
) -> Vec<Value> {
    let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = all.into_iter().filter(|key| before.get(*key) != after.get(*key));
    let step = |key: &(String, String)| {
        let (before, after) = (before.get(key), after.get(key));
        json!({ "email": key.0, "level": key.1, "before": before, "after": after })
    };
    differ.map(step).collect()
}

/// The members who are given to the daemon.
fn lives(home: &Home, daemon: &Daemon) {
    daemon.stops_no_flood();
    let url = format!("{}{}", daemon.base, daemon.hook);
    done(&home.run(&["simulate", "--to", &url, "--members", "60", "--seed", "11"]));
    daemon.drained();
}

on_each! {
    fn a_file_that_was_applied_is_exported_again(home: &mut Home) {
        let daemon = home.serve();
        lives(home, &daemon);
        done(&with_file(home, "apply", RULES, &[]));
        assert_eq!(exported(home), RULES);
        done(&with_file(home, "apply", &changed(), &[]));
        assert_eq!(exported(home), changed());
        // Comments and all, too; and then there is nothing left to do.
        let whole = home.run(&["mappings", "export"]);
        let again = with_file(home, "apply", done(&whole), &[]);
        assert!(done(&again).contains("Nothing was changed."), "{again:?}");
        assert_eq!(home.run(&["mappings", "export"]).out, whole.out);
        daemon.stop();
    }

    fn a_plan_names_each_member_whom_applying_moves_and_no_other(home: &mut Home) {
        let daemon = home.serve();
        lives(home, &daemon);
        let mut before = access(&daemon);
        for text in [RULES, &changed(), "[[levels]]\nid = \"gold\"\n", RULES] {
            let planned = with_file(home, "plan", text, &["--json"]);
            let planned = serde_json::from_str::<Value>(done(&planned)).expect("JSON");
            assert_eq!(access(&daemon), before, "a plan changes nothing");
            let applied = with_file(home, "apply", text, &["--json"]);
            let applied = serde_json::from_str::<Value>(done(&applied)).expect("JSON");
            let after = access(&daemon);
            assert_eq!(planned["members"], json!(moved(&before, &after)));
            assert_ne!(before, after, "a story in which something happens");
            assert_eq!(applied["waits"], false, "{applied}");
            before = after;
        }
        daemon.stop();
        let checked = home.run(&["rebuild", "--check"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
    }

    fn words_say_what_would_change_and_who_gains_and_loses(home: &mut Home) {
        let daemon = home.serve();
        crate::commands::small_life(&daemon);
        let none = "[[levels]]\nid = \"gold\"\nname = \"gold\"\n";
        let planned = with_file(home, "plan", none, &[]);
        let out = done(&planned);
        for words in [
            "- product 501 → gold\n",
            "0 gain a level, 1 lose one, the end of 0 moves.",
            "ada@example.com loses gold, which was held until 2124-",
            "Nothing was changed.",
        ] {
            assert!(out.contains(words), "{words:?} is not in {out}");
        }
        // Dee has the level by hand, whatever is mapped.
        assert!(!out.contains("dee@"), "{out}");
        let held = daemon.get(&format!("{SITE}/access?email=ada@example.com&level=gold"));
        assert_eq!(held.json["allowed"], true, "nothing was changed");
        let applied = with_file(home, "apply", none, &[]);
        assert!(done(&applied).contains("Applied. 2 member(s) were computed again."), "{applied:?}");
        let held = daemon.get(&format!("{SITE}/access?email=ada@example.com&level=gold"));
        assert_eq!(held.json["allowed"], false);
        // The level that a grant still gives stays, and it is said so.
        let emptied = with_file(home, "apply", "", &[]);
        assert!(done(&emptied).contains("The level gold stays"), "{emptied:?}");
        daemon.stop();
    }

    fn a_disabled_site_has_its_rules_at_once_and_its_members_later(home: &mut Home) {
        let daemon = home.serve();
        lives(home, &daemon);
        let patch = |enabled: bool| {
            let url = format!("{}{SITE}", daemon.base);
            let body = json!({ "enabled": enabled }).to_string();
            let request = daemon.client.patch(url).bearer_auth(crate::support::ADMIN_KEY).body(body);
            assert_eq!(daemon.send(request).status, 200);
        };
        patch(false);
        let applied = with_file(home, "apply", RULES, &[]);
        assert!(done(&applied).contains("once the site is enabled"), "{applied:?}");
        assert_eq!((exported(home), access(&daemon)), (RULES.to_owned(), BTreeMap::new()));
        patch(true);
        crate::support::daemon::until("access", || (!access(&daemon).is_empty()).then_some(()));
        daemon.stop();
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line_and_key() {
    let home = Home::new(Database::sqlite());
    let wrong = [
        ("[policy]\non_refund = \"rewoke\"", "line 2: policy.on_refund: unknown variant `rewoke`"),
        (
            "[policy]\nduration_days = 0",
            "line 2: policy.duration_days: must be from 1 to 36500, not 0",
        ),
        ("[policy]\n\non_refunds = \"keep\"", "line 3: policy.on_refunds: unknown field"),
        ("levles = []", "line 1: unknown field `levles`"),
        ("[policy\n", "line 1: "),
        ("[[levels]]\nid = \"G O\"", "line 2: levels.id: must be 1 to 63"),
        ("[[levels]]\nid = \"a\"\n[[levels]]\nid = \"a\"", "line 4: levels.id: another level"),
        ("[[mappings]]\nlevel = \"gold\"", "line 1: missing field `product_id`"),
        (
            "[[mappings]]\nproduct_id = 5\nlevel = \"gold\"",
            "line 3: mappings.level: there is no such level",
        ),
        (
            "[[levels]]\nid = \"a\"\n[[mappings]]\nproduct_id = \"0\"\nlevel = \"a\"\npurchased_from = \"soon\"",
            "line 4: mappings.product_id: must be an id",
        ),
        (
            "[[levels]]\nid = \"a\"\n[[mappings]]\nproduct_id = 5\nlevel = \"a\"\npurchased_from = 2026-01-01",
            "line 6: mappings.purchased_from: must be an instant",
        ),
        (
            "[[levels]]\nid = \"a\"\n[[mappings]]\nproduct_id = 5\nlevel = \"a\"\n[[mappings]]\nproduct_id = \"5\"\nlevel = \"a\"",
            "line 7: mappings: another mapping has the same",
        ),
    ];
    for what in ["plan", "apply"] {
        for (text, words) in wrong {
            let ran = with_file(&home, what, text, &[]);
            let begins = format!("latchkey: rules.toml, {words}");
            assert!(ran.code == Some(2) && ran.out.is_empty(), "{text}: {ran:?}");
            assert!(ran.err.starts_with(&begins), "{text}: {ran:?}");
        }
    }
    // All faults of a file are told at once.
    let two = with_file(&home, "plan", "[policy]\ntrial = 1\non_refund = 2\n", &[]);
    assert_eq!(two.err.lines().count(), 2, "{two:?}");
    let gone = home.run(&["mappings", "plan", "no-such-file.toml"]);
    assert!(gone.code == Some(3) && gone.err.contains("no-such-file.toml"), "{gone:?}");
}
