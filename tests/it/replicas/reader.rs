//! A reader of the feed that is cut off at random, against writers on three processes: what it read, put
//! together, is the feed.

use super::home_of_replicas;
use crate::support::daemon::Daemon;
use crate::support::{ADMIN_KEY, Ipn, Listener};
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

const FEED: &str = "/api/v1/sites/default/changes";
/// What each writer sends: a sale and, for every other buyer, its end.
const BUYERS_EACH: u32 = 120;

/// Sends sales and cancellations of a writer's own buyers.
fn write(daemon: &Daemon, writer: u32) {
    for number in 1..=BUYERS_EACH {
        let id = writer * 10_000 + number * 10;
        let email = format!("w{writer}-{number}@example.com");
        let of = |kind: &str, id: u32| {
            Ipn::new(kind, id).of(&email).subscription(id / 10).on("2026-01-01 00:00:00")
        };
        daemon.receives(of("sale", id).body());
        if number % 2 == 0 {
            daemon.receives(of("cancellation", id + 1).body());
        }
    }
}

/// Whether this is a grant of a buyer to whom [`write`] sent no cancellation.
fn grants_one_who_stays(change: &Value) -> bool {
    let number = change["email"].as_str().and_then(|email| email.split(['-', '@']).nth(1));
    let number: u32 = number.and_then(|number| number.parse().ok()).expect("a buyer's number");
    change["what"] == "granted" && number % 2 == 1
}

/// Reads the whole feed, cut off after a random number of changes and going on at a random process,
/// until `done` and nothing is left.
fn read(daemons: &[Daemon; 3], done: &AtomicBool) -> Vec<Value> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(17);
    let mut heard: Vec<Value> = Vec::new();
    loop {
        let daemon = &daemons[random.random_range(0..3)];
        let last = heard.last().map(|change| change["id"].as_i64().expect("a position"));
        let was_done = done.load(Ordering::SeqCst);
        let left = daemon.get(&format!("{FEED}?after={}&limit=500", last.unwrap_or(0)));
        let left = left.json["items"].as_array().expect("items").len();
        if left == 0 {
            if was_done {
                return heard;
            }
            continue;
        }
        let address = daemon.base.strip_prefix("http://").expect("an address");
        let mut listener = Listener::new(address, ADMIN_KEY, FEED, Some(last.unwrap_or(0)));
        for _ in 0..random.random_range(1..=left) {
            let (id, change) = listener.event();
            assert_eq!(change["id"], json!(id));
            heard.push(change);
        }
    }
}

#[test]
fn whatever_a_reader_is_cut_off_it_has_read_the_feed_in_the_end() {
    let Some(home) = home_of_replicas() else { return };
    let daemons = ["first", "second", "third"].map(|name| home.serve_as(name));
    daemons[0].make("/api/v1/sites/default/levels", &json!({"id": "gold"}));
    daemons[0]
        .make("/api/v1/sites/default/mappings", &json!({"product_id": "501", "level": "gold"}));
    let done = AtomicBool::new(false);
    let heard = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&daemons, &done));
        std::thread::scope(|writers| {
            for (writer, daemon) in (1..).zip(&daemons) {
                writers.spawn(move || write(daemon, writer));
            }
        });
        daemons[0].drained();
        done.store(true, Ordering::SeqCst);
        reader.join().expect("read")
    });
    let feed = daemons[0].all(FEED);
    assert_eq!(heard, feed, "nothing is missing, nothing is there twice");
    let positions: Vec<i64> = heard.iter().filter_map(|change| change["id"].as_i64()).collect();
    assert!(positions.iter().copied().eq((1..).take(heard.len())), "without a gap");
    // A sale and its cancellation applied in one batch are no change: only those who stay are counted.
    let grants = heard.iter().filter(|change| grants_one_who_stays(change)).count();
    assert_eq!(grants, 3 * BUYERS_EACH as usize / 2, "each buyer who stays was granted once");
}
