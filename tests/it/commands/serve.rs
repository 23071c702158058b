//! `latchkey serve`: its start, its work, its end.

use super::{on_each, small_life};
use crate::support::daemon::{Daemon, Home, until};
use crate::support::{Database, Ipn};
use chrono::{DateTime, TimeDelta, Utc};
use latchkey::clock::Clock;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// A daemon that has nothing to wait for is gone within this, on a machine that builds beside.
const PROMPTLY: Duration = Duration::from_secs(15);

on_each! {
    fn sigterm_finishes_the_request_in_flight_and_exits_0(home: &mut Home) {
        let mut daemon = home.serve();
        let body = Ipn::new("sale", 1).of("ada@example.com").body();
        let (begun, rest) = body.split_at(body.len() / 2);
        let address = daemon.base.strip_prefix("http://").expect("an address");
        let mut wire = TcpStream::connect(address).expect("a connection");
        let (hook, length) = (&daemon.hook, body.len());
        let head = format!("POST {hook} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        wire.write_all(head.as_bytes()).expect("sent");
        wire.write_all(begun).expect("sent");
        // Whoever only keeps a connection open is in nobody's way.
        let idle = TcpStream::connect(address).expect("a connection");
        assert_eq!(daemon.get("/livez").status, 200, "the worker has the request by now");
        let told = Instant::now();
        daemon.terminate();
        until("the daemon to say that it stops", || daemon.log().contains("stopping").then_some(()));
        wire.write_all(rest).expect("sent");
        let mut answer = String::new();
        wire.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (_, json) = answer.split_once("\r\n\r\n").expect("a body");
        let id = serde_json::from_str::<Value>(json).expect("JSON")["webhook_id"].clone();
        let status = daemon.ended();
        assert_eq!(status.code(), Some(0), "{}", daemon.log());
        assert!(told.elapsed() < PROMPTLY, "it took {:?}", told.elapsed());
        drop(idle);
        let daemon = home.serve();
        daemon.drained();
        let kept = daemon.get(&format!("/api/v1/sites/default/webhooks/{}", id.as_str().expect("an id")));
        assert_eq!(kept.json["status"], "held", "{kept:?}");
        daemon.stop();
    }

    fn ends_fire_by_themselves_while_nobody_asks(home: &mut Home) {
        home.set("FLOW__POLL_MS", "2000");
        let daemon = home.serve();
        small_life(&daemon);
        let end = Clock::system().now() + TimeDelta::milliseconds(700);
        let path = "/api/v1/sites/default/members/soon@example.com/grants";
        daemon.make(path, &json!({"level": "gold", "until": end}));
        let ended = until("the end of the grant", || {
            let feed = daemon.get("/api/v1/sites/default/changes?limit=500").json;
            let mut changes = feed["items"].as_array().expect("items").clone().into_iter();
            changes.find(|c| c["email"] == "soon@example.com" && c["what"] == "revoked")
        });
        let at: DateTime<Utc> = ended["at"].as_str().expect("an instant").parse().expect("one");
        assert_eq!(at.timestamp_micros(), end.timestamp_micros(), "{ended}");
        assert_eq!(ended["cause"]["kind"], "timer");
        daemon.stop();
    }
}

/// Two processes on one data directory and one database, fresh for each round.
#[test]
fn two_that_start_at_the_same_moment_serve_the_same_on_postgres() {
    for _ in 0..5 {
        let Some(database) = Database::postgres() else { return };
        let home = Home::new(database);
        let daemons: Vec<Daemon> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| home.serve())).collect();
            starts.into_iter().map(|start| start.join().expect("both run")).collect()
        });
        assert_eq!(daemons[0].hook, daemons[1].hook, "one webhook URL");
        for (id, daemon) in (1..).zip(&daemons) {
            daemon.receives(Ipn::new("sale", id).of("ada@example.com").body());
        }
        daemons.into_iter().for_each(Daemon::stop);
        let third = home.serve();
        assert_eq!(third.all("/api/v1/sites/default/webhooks").len(), 2);
        third.stop();
    }
}

#[test]
fn a_second_daemon_on_the_same_sqlite_is_refused_until_the_first_is_gone_however_it_goes() {
    let home = Home::new(Database::sqlite());
    let mut first = home.serve();
    let second = home.run(&["serve"]);
    assert_eq!(second.code, Some(3), "{second:?}");
    for words in ["another latchkey serves", "latchkey.db.lock", "stop that one first"] {
        assert!(second.err.contains(words), "{words}: {second:?}");
    }
    assert!(second.err.starts_with("latchkey: ") && second.out.is_empty(), "{second:?}");
    assert_eq!(first.get("/livez").status, 200, "the first does not notice");
    let beside = home.run(&["keys", "list"]);
    assert_eq!(beside.code, Some(0), "a command works beside it: {beside:?}");
    first.signal("KILL");
    first.ended();
    let third = home.serve();
    third.stop();
    home.serve().stop();
}

#[test]
fn a_second_daemon_is_refused_where_it_reaches_the_same_sqlite_by_a_link() {
    let home = Home::new(Database::sqlite());
    let first = home.serve();
    let mut other = Home::new(Database::sqlite());
    let link = other.path().join("link.db");
    std::os::unix::fs::symlink(home.path().join("latchkey.db"), &link).expect("a link");
    other.set("DATABASE__URL", &format!("sqlite://{}", link.display()));
    let second = other.run(&["serve"]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.err.contains("latchkey.db.lock"), "by the name of the file itself: {second:?}");
    assert_eq!(first.get("/livez").status, 200, "the first does not notice");
    first.stop();
}

#[test]
fn the_first_start_makes_what_is_missing_and_only_its_owner_may_read_it() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    for file in ["admin-key", "sealing-key"] {
        let metadata = std::fs::metadata(home.path().join("data").join(file)).expect("a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let key = std::fs::read_to_string(home.path().join("data/admin-key")).expect("a key");
    let url = format!("{}/api/v1/sites/default", daemon.base);
    let site = daemon.send(daemon.client.get(&url).bearer_auth(key.trim()));
    assert_eq!(site.status, 200, "{site:?}");
    assert_eq!(site.json["webhook_url"], format!("{}{}", daemon.base, daemon.hook));
    daemon.stop();
    // The second start makes nothing anew.
    let again = home.serve();
    let url = format!("{}/api/v1/sites/default", again.base);
    assert_eq!(again.send(again.client.get(&url).bearer_auth(key.trim())).status, 200);
    assert_eq!(std::fs::read_to_string(home.path().join("data/admin-key")).expect("a key"), key);
    again.stop();
}
