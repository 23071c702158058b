//! A command of the shell beside a running daemon on SQLite: two writers, and nothing is lost.

use super::settled;
use crate::support::daemon::Home;
use crate::support::{Database, Ipn};
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many webhooks are sent, by how many senders at once.
const WEBHOOKS: usize = 600;
const SENDERS: usize = 8;

#[test]
fn a_rebuild_beside_a_daemon_under_load_loses_nothing() {
    let home = Home::new(Database::sqlite());
    let daemon = home.serve();
    daemon.make("/api/v1/sites/default/levels", &json!({"id": "gold"}));
    let mapping = json!({"product_id": "501", "level": "gold"});
    daemon.make("/api/v1/sites/default/mappings", &mapping);
    let (url, client) = (format!("{}{}", daemon.base, daemon.hook), daemon.client.clone());

    let next = Cell::new(0);
    let sender = async || {
        while next.get() < WEBHOOKS {
            let number = next.replace(next.get() + 1);
            let sale = Ipn::new("sale", number + 1).of(&format!("buyer-{number}@example.com"));
            let reply = client.post(&url).body(sale.body()).send().await.expect("an answer");
            assert_eq!(reply.status(), 200, "two writers wait for each other");
        }
    };
    let load = futures_util::future::join_all((0..SENDERS).map(|_| sender()));
    let sending = AtomicBool::new(true);
    let rebuilt = std::thread::scope(|scope| {
        let commands = scope.spawn(|| {
            let mut rebuilt = 0;
            while sending.load(Ordering::SeqCst) {
                let ran = home.run(&["rebuild"]);
                assert_eq!(ran.code, Some(0), "{ran:?}");
                rebuilt += 1;
            }
            rebuilt
        });
        daemon.runtime.block_on(load);
        sending.store(false, Ordering::SeqCst);
        commands.join().expect("no panic")
    });
    assert!(rebuilt > 0, "no command was run under load");
    settled(&home.store());

    let holders = daemon.all("/api/v1/sites/default/members?level=gold");
    assert_eq!(holders.len(), next.get());
    let feed = super::judge::feed(&daemon, "default");
    let told: BTreeSet<&str> = feed.iter().filter_map(|change| change["email"].as_str()).collect();
    assert!(feed.iter().all(|change| change["what"] == "granted"), "nobody lost anything");
    assert_eq!((feed.len(), told.len()), (next.get(), next.get()), "each granted once");
    daemon.stop();
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
