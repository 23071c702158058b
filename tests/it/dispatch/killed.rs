//! A daemon that is killed between sending and noting.

use crate::alarms::receiver::{Answer, Receiver};
use crate::support::daemon::{Daemon, Home, until_or_tell};
use crate::support::{Database, Ipn};
use serde_json::{Value, json};
use std::sync::mpsc::channel;

const SITE: &str = "/api/v1/sites/default";
/// As if the claims had run out.
const CLAIMS_ARE_OVER: &str =
    "UPDATE pushes SET next_attempt_at = '2000-01-01 00:00:00' WHERE claim IS NOT NULL";

fn homes() -> impl Iterator<Item = Home> {
    [Some(Database::sqlite()), Database::postgres()].into_iter().flatten().map(|database| {
        let mut home = Home::new(database);
        home.set("EGRESS__ALLOW", "127.0.0.0/8");
        home.set("LOG__LEVEL", "trace");
        home
    })
}

fn the_push(daemon: &Daemon) -> Value {
    daemon.get(&format!("{SITE}/pushes")).json["items"][0].clone()
}

#[test]
fn what_it_was_sending_is_sent_again_the_same_and_counted_once() {
    for home in homes() {
        let receiver = Receiver::start();
        let mut daemon = home.serve();
        daemon.make(&format!("{SITE}/levels"), &json!({ "id": "gold" }));
        daemon.make(&format!("{SITE}/mappings"), &json!({ "product_id": "501", "level": "gold" }));
        let made = daemon.make(
            &format!("{SITE}/destinations"),
            &json!({
                "kind": "webhook", "name": "A receiver",
                "config": { "url": receiver.url("/url-token"), "types": ["access.changed"] },
            }),
        );
        let (_go, gone) = channel();
        receiver.answers([Answer::When(gone)]);
        daemon.receives(Ipn::new("sale", 1).of("ada@example.com").subscription(7).body());
        receiver.waits_for_one();
        assert_eq!(the_push(&daemon)["status"], "pending", "it is under way");
        daemon.signal("KILL");
        daemon.ended();
        home.sql(CLAIMS_ARE_OVER);
        let again = home.serve();
        receiver.waits_for_one();
        let done = || (the_push(&again)["status"] == "done").then(|| the_push(&again));
        let push = until_or_tell("the note", done, || the_push(&again).to_string());
        let heard = receiver.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(
            (&heard[0].body, &heard[0].headers["webhook-id"]),
            (&heard[1].body, &heard[1].headers["webhook-id"])
        );
        assert_eq!(push["attempts"], 2, "{push}");
        let (log, secret) = (again.log(), made["secret"].as_str().expect("a secret").to_owned());
        for word in ["ada@example.com", "url-token", &secret] {
            assert!(!log.contains(word), "{word} in {log}");
        }
        again.stop();
    }
}
