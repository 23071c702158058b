//! Nothing personal and nothing secret is ever written to the log: a life at the chattiest level, and
//! the log is searched for everything that went in.

use super::on_each;
use crate::support::daemon::{Daemon, Home};
use crate::support::{ADMIN_KEY, Ipn};
use serde_json::{Value, json};

const IPN_SECRET: &str = "ipn-secret-EXAMPLE";
const WRONG_SECRET: &str = "another-secret-EXAMPLE";
const WRONG_KEY: &str = "lk_a_key_that_nobody_made";

/// Words that stand for everything personal and secret in this life.
const NEVER: [&str; 11] = [
    "@example",
    "%40example",
    "ada",
    "lovelace",
    "augusta",
    "4242",
    "198.51.100",
    IPN_SECRET,
    WRONG_SECRET,
    WRONG_KEY,
    ADMIN_KEY,
];

fn purchase(kind: &str, id: u32) -> Ipn {
    Ipn::new(kind, id)
        .of("ada@example.com")
        .subscription(91)
        .with("lead_first_name", "Augusta")
        .with("lead_last_name", "Lovelace")
        .with("lead_ip", "198.51.100.7")
        .with("transaction_last_4_card_digits", 4242)
}

fn life(daemon: &Daemon) {
    let site = "/api/v1/sites/default";
    daemon.make(&format!("{site}/levels"), &json!({"id": "gold"}));
    daemon.make(&format!("{site}/mappings"), &json!({"product_id": "501", "level": "gold"}));
    let url = |path: &str| format!("{}{path}", daemon.base);
    let set = json!({"ipn_secret": IPN_SECRET}).to_string();
    let set = daemon.client.patch(url(site)).bearer_auth(ADMIN_KEY).body(set);
    assert_eq!(daemon.send(set).status, 200);
    daemon.receives(purchase("sale", 1).body());
    daemon.receives(purchase("rebill", 2).with("secret_key", WRONG_SECRET).body());
    daemon.receives(purchase("rebill", 3).with("product_id", "").body());
    daemon.receives(b"lead_email=ada@example.com and nothing else".to_vec());
    daemon.receives(b"{\"lead\":{\"email\":\"ada@example.com\"".to_vec());
    daemon.receives(purchase("chargeback", 4).body());
    daemon.drained();
    let member = format!("{site}/members/ada@example.com");
    daemon.make(&format!("{member}/grants"), &json!({"level": "gold", "note": "Augusta asked"}));
    for path in [
        &format!("{site}/access?email=ada@example.com&level=gold"),
        &format!("{site}/access?email=ada%40example.com&level=none"),
        &format!("{member}/access"),
        &format!("{site}/members/ada%40example.com/access?at=lovelace"),
        &format!("{site}/members?q=ada"),
        &format!("{site}/webhooks?q=ada@example.com"),
        &format!("/hooks/kartra/{WRONG_KEY}"),
        &format!("/{WRONG_KEY}/ada@example.com"),
    ] {
        let reply = daemon.get(path);
        assert!(reply.status < 500, "{path}: {reply:?}");
    }
    let wrong = daemon.client.get(url(site)).bearer_auth(WRONG_KEY);
    assert_eq!(daemon.send(wrong).status, 401);
}

/// A line of the log without its instant and without how long an answer took: their digits are anybody's.
fn untimed(line: &str) -> String {
    let Ok(mut line) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    for time in ["timestamp", "micros"] {
        line.as_object_mut().and_then(|fields| fields.remove(time));
    }
    line.to_string()
}

on_each! {
    fn the_log_holds_nothing_personal_and_nothing_secret_at_its_chattiest(home: &mut Home) {
        home.set("LOG__LEVEL", "trace");
        let mut daemon = home.serve();
        life(&daemon);
        // What the database refuses is complained of in the database's own words.
        home.sql("ALTER TABLE event_ties RENAME TO elsewhere");
        daemon.receives(purchase("sale", 9).body());
        daemon.drained();
        let failed = daemon.get("/api/v1/sites/default/webhooks?status=failed");
        assert_eq!(failed.json["items"].as_array().map(Vec::len), Some(1), "{failed:?}");
        let token = daemon.hook.rsplit('/').next().expect("a token").to_owned();
        daemon.terminate();
        assert_eq!(daemon.ended().code(), Some(0));
        let log = daemon.log().to_lowercase();
        assert!(log.contains("answered") && log.contains("could not be applied"), "{log}");
        let made = std::fs::read_to_string(home.path().join("data/admin-key")).expect("a key");
        for word in NEVER.into_iter().chain([token.as_str(), made.trim()]) {
            let word = word.to_lowercase();
            let line = log.lines().find(|line| untimed(line).contains(&word));
            assert_eq!(line, None, "{word} stands in the log");
        }
    }
}
