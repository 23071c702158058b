//! The daemon is killed with SIGKILL while it releases all that is held open: it goes on where it was.

use super::{email, event};
use crate::support::daemon::{Daemon, Home, until};
use crate::support::{ADMIN_KEY, Database};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many are held open: far more than are released between two looks.
const MEMBERS: u32 = 150;
const SITE: &str = "/api/v1/sites/default";

#[test]
fn a_release_goes_on_after_a_kill_on_sqlite() {
    killed(Home::new(Database::sqlite()));
}

#[test]
fn a_release_goes_on_after_a_kill_on_postgres() {
    if let Some(database) = Database::postgres() {
        killed(Home::new(database));
    }
}

fn killed(mut home: Home) {
    home.set("FLOW__BATCH_PURCHASES_MAX", "1");
    home.set("FLOW__INLINE_MEMBERS_MAX", "1");
    let mut daemon = home.serve();
    let limit = json!({ "max_revocations": { "count": 0, "percent": 0 } });
    let client = daemon.client.clone();
    let site = format!("{}{SITE}", daemon.base);
    let set = daemon.send(client.patch(site).bearer_auth(ADMIN_KEY).body(limit.to_string()));
    assert_eq!(set.status, 200, "{set:?}");
    daemon.make(&format!("{SITE}/levels"), &json!({ "id": "gold" }));
    daemon.make(&format!("{SITE}/mappings"), &json!({ "product_id": "501", "level": "gold" }));
    for kind in ["sale", "refund"] {
        for number in 1..=MEMBERS {
            daemon.receives(event(kind, number).body());
        }
        daemon.drained();
    }
    assert_eq!(daemon.all(&format!("{SITE}/held-open")).len(), MEMBERS as usize);

    let release = format!("{}{SITE}/held-open/release", daemon.base);
    let asked = daemon.send(client.post(release).bearer_auth(ADMIN_KEY));
    assert_eq!(
        (asked.status, &asked.json["recompute"]["members"]),
        (202, &json!(MEMBERS)),
        "{asked:?}"
    );
    let path =
        format!("{SITE}/recomputes/{}", asked.json["recompute"]["id"].as_str().expect("an id"));
    let begun = until("the first release", || done(&daemon, &path).filter(|done| *done > 0));
    daemon.child.kill().expect("killed");
    daemon.child.wait().expect("its end");
    assert!(begun < MEMBERS, "killed in the middle of it: {begun}");

    let daemon = home.serve();
    until("its end", || done(&daemon, &path).filter(|done| *done == MEMBERS));
    assert!(daemon.all(&format!("{SITE}/held-open")).is_empty());
    assert!(daemon.all(&format!("{SITE}/members?level=gold")).is_empty());
    let feed = daemon.all(&format!("{SITE}/changes"));
    let revoked = feed.iter().filter(|change| change["what"] == "revoked");
    let who: Vec<&Value> = revoked.map(|change| &change["email"]).collect();
    assert_eq!(who.len(), MEMBERS as usize, "each once");
    let everybody: BTreeSet<String> = (1..=MEMBERS).map(email).collect();
    assert_eq!(
        who.iter().filter_map(|email| Some(email.as_str()?.to_owned())).collect::<BTreeSet<_>>(),
        everybody
    );
    daemon.stop();
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// How many are released; `None` where the recompute cannot be seen.
fn done(daemon: &Daemon, path: &str) -> Option<u32> {
    let found = daemon.get(path);
    found.json["done"].as_u64().and_then(|done| u32::try_from(done).ok())
}
