//! The daemon itself: what it logs and posts tells no secret, no URL and no person, and what it sent when it
//! was killed it sends again.

use super::receiver::{Answer, Receiver, status};
use super::{SITE, sale};
use crate::support::daemon::{Daemon, Home, until_or_tell};
use crate::support::{ADMIN_KEY, Database, Reply};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc::channel;

/// The lease of a look, or of a post, has run out: the next second has another.
const LEASES_ARE_OVER: &str = "UPDATE leases SET until = '2000-01-01 00:00:00'; \
    UPDATE alarms SET next_post_at = '2000-01-01 00:00:00' WHERE next_post_at IS NOT NULL";

fn homes() -> impl Iterator<Item = Home> {
    [Some(Database::sqlite()), Database::postgres()].into_iter().flatten().map(|database| {
        let mut home = Home::new(database);
        home.set("EGRESS__ALLOW", "127.0.0.0/8");
        home.set("LOG__LEVEL", "trace");
        home
    })
}

fn patch(daemon: &Daemon, site: &str, body: &Value) -> Reply {
    let url = format!("{}/api/v1/sites/{site}", daemon.base);
    let reply = daemon.send(daemon.client.patch(url).bearer_auth(ADMIN_KEY).body(body.to_string()));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

fn logs(daemon: &Daemon, line: &str) {
    until_or_tell(line, || daemon.log().contains(line).then_some(()), || daemon.log());
}

#[test]
fn nothing_that_goes_wrong_tells_a_secret_or_a_person() {
    for home in homes() {
        let daemon = home.serve();
        let receiver = Receiver::start();
        let wanted = json!({ "alarms": { "url": receiver.url("/alarms/url-token?key=url-key") } });
        let secret = patch(&daemon, "default", &wanted).json["alarms"]["secret"].clone();
        let secret = secret.as_str().expect("a secret").to_owned();
        daemon.make("/api/v1/sites", &json!({ "id": "well" }));
        let wanted = json!({ "alarms": { "heartbeat_url": "http://127.0.0.9:1/beat-token" } });
        patch(&daemon, "well", &wanted);
        receiver.answers([status(500), Answer::Never]);
        daemon.receives(sale(1).on("2020-01-01 00:00:00").body());
        daemon.receives(b"neither".to_vec());
        daemon.drained();
        home.sql(LEASES_ARE_OVER);
        logs(&daemon, "an alarm was raised");
        logs(&daemon, "an alarm was not taken");
        logs(&daemon, "a heartbeat was not taken");
        receiver.waits_for_one();
        receiver.waits_for_one();
        let heard = receiver.heard();
        let bodies = heard.iter().map(|heard| heard.body.as_str()).collect::<String>();
        let kinds = ["held_purchases", "unreadable_webhooks"];
        assert!(kinds.iter().any(|kind| bodies.contains(kind)), "{bodies}");
        let log = daemon.log();
        for word in ["url-token", "url-key", "beat-token", &secret, "example.com", "buyer", "@"] {
            assert!(!log.contains(word), "{word} in {log}");
            assert!(!bodies.contains(word), "{word} in {bodies}");
        }
        daemon.stop();
    }
}

#[test]
fn a_daemon_that_is_killed_between_sending_and_noting_has_it_sent_again_under_the_same_id() {
    for home in homes() {
        let receiver = Receiver::start();
        let mut daemon = home.serve();
        patch(&daemon, "default", &json!({ "alarms": { "url": receiver.url("/alarms") } }));
        let (_go, gone) = channel();
        receiver.answers([Answer::When(gone)]);
        daemon.receives(b"neither".to_vec());
        home.sql(LEASES_ARE_OVER);
        receiver.waits_for_one();
        daemon.signal("KILL");
        daemon.ended();
        home.sql(LEASES_ARE_OVER);
        let again = home.serve();
        receiver.waits_for_one();
        let alarm = || again.get(&format!("{SITE}/alarms")).json["items"][0].clone();
        let done = || (alarm()["post"]["status"] == "done").then(alarm);
        let alarm = until_or_tell("the note", done, || alarm().to_string());
        let heard = receiver.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(
            (&heard[0].body, &heard[0].headers["webhook-id"]),
            (&heard[1].body, &heard[1].headers["webhook-id"])
        );
        assert_eq!(
            (alarm["id"].as_str(), alarm["post"]["attempts"].as_i64()),
            (Some(&*heard[0].headers["webhook-id"]), Some(2))
        );
        again.stop();
    }
}

#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    let Some(home) = homes().next() else { return };
    let (receiver, proxy) = (Receiver::start(), Receiver::start());
    let url = proxy.url("");
    let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let daemon = home.serve_under(proxies.map(|name| (name, Path::new(&url))));
    patch(&daemon, "default", &json!({ "alarms": { "url": receiver.url("/alarms") } }));
    daemon.receives(b"neither".to_vec());
    home.sql(LEASES_ARE_OVER);
    receiver.waits_for_one();
    assert_eq!((receiver.heard()[0].what.as_str(), proxy.heard().len()), ("POST /alarms", 0));
    daemon.stop();
}
