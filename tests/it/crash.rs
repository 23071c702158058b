//! The daemon is killed with SIGKILL in the middle of load, again and again: whatever it has answered
//! 200 is there afterwards, and in the end applied.

use crate::replicas::unapplied;
use crate::support::daemon::{Daemon, Home, signal};
use crate::support::{Database, Ipn};
use latchkey::store::{Store, observations};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// The moments of the kills come from here; a failure is repeated by the same seed.
const SEED: u64 = 20_261_121;
/// How many requests are under way at every moment of the load.
const SENDERS: usize = 24;
/// How many are at least under way when the kill comes.
const IN_FLIGHT_MIN: usize = 16;
/// The kill comes after a number of answers out of this range, as soon as a batch is open …
const ANSWERS: std::ops::Range<usize> = 10..120;
/// … and not this many answers later.
const LATER_MAX: usize = 2_000;

/// How often the daemon is killed.
const ROUNDS: usize = 30;

#[test]
fn thirty_kills_under_load_lose_nothing_that_was_answered_on_sqlite() {
    crash(&Home::new(Database::sqlite()));
}

#[test]
fn thirty_kills_under_load_lose_nothing_that_was_answered_on_postgres() {
    if let Some(database) = Database::postgres() {
        crash(&Home::new(database));
    }
}

fn crash(home: &Home) {
    let store = home.store();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut daemon = home.serve();
    daemon.make("/api/v1/sites/default/levels", &json!({"id": "gold"}));
    let mapping = json!({"product_id": "501", "level": "gold"});
    daemon.make("/api/v1/sites/default/mappings", &mapping);
    let mut answered = BTreeMap::new();
    for round in 0..ROUNDS {
        let kill_after = rng.random_range(ANSWERS);
        println!("seed {SEED}, round {round}: killed after {kill_after} answers");
        // A transaction is open, and there is something for it to apply.
        let batch_is_open = || home.is_writing() && unapplied(&store) > 0;
        let of_round = load_until_killed(&mut daemon, round, kill_after, &batch_is_open);
        assert!(of_round.len() >= kill_after);
        daemon = home.serve();
        is_there(&store, &of_round);
        answered.extend(of_round);
    }
    everything_is_applied(&daemon, &answered);
    daemon.stop();
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// Sends from many sides at once; after a number of answers the daemon is killed in the middle of a
/// batch. Answers the webhooks that were answered 200, each with its buyer.
fn load_until_killed(
    daemon: &mut Daemon,
    round: usize,
    kill_after: usize,
    batch_is_open: &dyn Fn() -> bool,
) -> BTreeMap<String, String> {
    let url = format!("{}{}", daemon.base, daemon.hook);
    let client = daemon.client.clone();
    let (next, in_flight) = (Cell::new(0usize), Cell::new(0usize));
    let answered = RefCell::new(BTreeMap::new());
    let pid = daemon.child.id();
    let kill = RefCell::new(Some(&mut daemon.child));
    let sender = async || {
        loop {
            let number = next.replace(next.get() + 1);
            let buyer = format!("buyer-{round}-{number}@example.com");
            let sale = Ipn::new("sale", round * 1_000_000 + number + 1).of(&buyer);
            in_flight.set(in_flight.get() + 1);
            let reply = client.post(&url).body(sale.body()).send().await;
            // An answer counts when all of it has come.
            let reply = match reply {
                Ok(reply) if reply.status() == 200 => reply.text().await,
                Ok(reply) => panic!("answered {}", reply.status()),
                Err(error) => Err(error),
            };
            in_flight.set(in_flight.get() - 1);
            // Whoever gets no answer was cut off by the kill, or before it by a stop that was longer than connections
            // are kept: nothing is promised to them.
            let Ok(text) = reply else {
                let Some(child) = &mut *kill.borrow_mut() else { return };
                assert_eq!(child.try_wait().expect("its state"), None, "it ended by itself");
                continue;
            };
            let reply: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let id = reply["webhook_id"].as_str().expect("an id").to_owned();
            answered.borrow_mut().insert(id, buyer);
            let answers = answered.borrow().len();
            if answers < kill_after || kill.borrow().is_none() {
                continue;
            }
            assert!(answers < kill_after + LATER_MAX, "no batch was ever open");
            // Stopped first, so that what it would be killed in the middle of can be looked at.
            signal(pid, "STOP");
            if batch_is_open() {
                let child = kill.borrow_mut().take().expect("it is killed once");
                child.kill().expect("killed");
                assert!(in_flight.get() >= IN_FLIGHT_MIN, "{} in flight", in_flight.get());
            } else {
                signal(pid, "CONT");
            }
        }
    };
    let senders = (0..SENDERS).map(|_| sender());
    daemon.runtime.block_on(futures_util::future::join_all(senders));
    daemon.child.wait().expect("its end");
    answered.into_inner()
}

/// What was answered before the kill is found after it.
fn is_there(store: &Store, answered: &BTreeMap<String, String>) {
    let ids: Vec<String> = answered.keys().cloned().collect();
    let stored = store.read(|conn| observations::load(conn, "default", &ids)).expect("read");
    let stored: BTreeSet<&str> = stored.iter().map(|webhook| webhook.id.as_str()).collect();
    let lost: Vec<&String> = answered.keys().filter(|id| !stored.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "answered 200 and lost: {lost:?}");
}

/// Every buyer who was answered holds the level, and got it once; the feed has no gap.
fn everything_is_applied(daemon: &Daemon, answered: &BTreeMap<String, String>) {
    daemon.drained();
    let webhooks = daemon.all("/api/v1/sites/default/webhooks");
    for webhook in &webhooks {
        assert_eq!(webhook["status"], "applied", "{webhook}");
    }
    let members = daemon.all("/api/v1/sites/default/members?level=gold");
    let holders: BTreeSet<&str> =
        members.iter().map(|member| member["email"].as_str().expect("an address")).collect();
    for buyer in answered.values() {
        assert!(holders.contains(buyer.as_str()), "{buyer} has paid and stands before the door");
    }
    let changes = feed(daemon);
    let positions: Vec<i64> = changes.iter().map(|(position, _)| *position).collect();
    let count = i64::try_from(changes.len()).expect("a number");
    assert_eq!(positions, (1..=count).collect::<Vec<_>>(), "the feed has a gap");
    let told: BTreeSet<&str> = changes.iter().map(|(_, email)| email.as_str()).collect();
    assert_eq!(told.len(), changes.len(), "somebody was granted the same level twice");
    assert_eq!(told, holders);
}

/// The whole feed, as position and address; every change in it grants.
fn feed(daemon: &Daemon) -> Vec<(i64, String)> {
    let mut changes: Vec<(i64, String)> = Vec::new();
    loop {
        let after = changes.last().map_or(0, |(position, _)| *position);
        let path = format!("/api/v1/sites/default/changes?after={after}&limit=500");
        let page = daemon.get(&path).json["items"].as_array().expect("items").clone();
        if page.is_empty() {
            return changes;
        }
        changes.extend(page.into_iter().map(|change| {
            assert_eq!(change["what"], "granted", "{change}");
            let email = change["email"].as_str().expect("an address").to_owned();
            (change["id"].as_i64().expect("a position"), email)
        }));
    }
}
