//! What has to be true in the end, whatever happened on the way.

use super::crowd::{STAYER, Tale};
use super::{Store, count, now};
use crate::model::Replay;
use crate::support::daemon::Daemon;
use latchkey::store::bodies;
use latchkey::store::observations::{self, Due};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who holds what: (address, level).
type Held = BTreeSet<(String, String)>;

/// Every webhook of a site.
pub fn stored(store: &Store, site: &str) -> Vec<Due> {
    let (mut rows, mut reached) = (Vec::new(), String::new());
    loop {
        let page = store.read(|conn| observations::after(conn, site, &reached, 500)).expect("read");
        let Some(last) = page.last() else { return rows };
        reached.clone_from(&last.id);
        rows.extend(page);
    }
}

/// Each money event stands once, however often it was told; what else was received has its place.
pub fn each_event_counts_once(rows: &[Due]) {
    let mut standing: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let known = ["applied", "held", "no_effect", "unmatched", "duplicate", "unreadable"];
        assert!(known.contains(&row.status.as_str()), "{} is {}", row.id, row.status);
        if let Some(event) = &row.event_id {
            *standing.entry(event).or_default() += usize::from(row.status != "duplicate");
        }
    }
    let wrong: Vec<_> = standing.iter().filter(|(_, count)| **count != 1).collect();
    assert!(wrong.is_empty(), "events that stand not once: {wrong:?}");
}

/// The feed of a site has no gap, and each of its steps is one: nobody is granted what they hold, and
/// nobody loses what they do not. Answers what its steps lead to.
pub fn each_change_is_a_step(daemon: &Daemon, store: &Store, site: &str) -> Held {
    let changes = feed(daemon, site);
    let mut held = Held::new();
    for (position, change) in (1i64..).zip(&changes) {
        assert_eq!(change["id"], position, "the feed of {site} has a gap");
        let of = |name: &str| change[name].as_str().expect("a text").to_owned();
        let what = (of("email"), of("level"));
        match change["what"].as_str() {
            Some("granted") => assert!(held.insert(what), "granted twice: {change}"),
            Some("revoked") => assert!(held.remove(&what), "revoked and never granted: {change}"),
            _ => assert!(held.contains(&what), "updated and not held: {change}"),
        }
    }
    let by_event = changes.iter().filter(|change| change["cause"]["kind"] == "event").count();
    let sum = format!(
        "SELECT CAST(coalesce(sum(changes), 0) AS BIGINT) AS count FROM webhooks WHERE site_id = '{site}'"
    );
    assert_eq!(Ok(by_event), usize::try_from(count(store, &sum)), "changes counted on webhooks");
    held
}

/// The whole feed of a site.
pub fn feed(daemon: &Daemon, site: &str) -> Vec<Value> {
    let mut changes: Vec<Value> = Vec::new();
    loop {
        let path = format!("/api/v1/sites/{site}/changes?after={}&limit=500", changes.len());
        let page = daemon.get(&path).json["items"].as_array().expect("items").clone();
        if page.is_empty() {
            return changes;
        }
        changes.extend(page);
    }
}

/// Whoever never moved was granted gold once, and never lost it.
pub fn stayers_were_told_once(daemon: &Daemon) -> usize {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for change in feed(daemon, "default") {
        let email = change["email"].as_str().expect("an address");
        if email.starts_with(STAYER) && change["level"] == "gold" {
            let what = change["what"].as_str().expect("a word").to_owned();
            told.entry(email.to_owned()).or_default().push(what);
        }
    }
    for (email, what) in &told {
        assert_eq!(what, &["granted"], "{email}");
    }
    told.len()
}

/// The bodies of some webhooks.
fn bodies(store: &Store, site: &str, rows: &[Due]) -> BTreeMap<String, Vec<u8>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    store.read(|conn| bodies::of(conn, site, &ids)).expect("read")
}

/// Who holds what is what the model says of all that was received; answers how many it were.
pub fn access_is_the_models(
    daemon: &Daemon,
    store: &Store,
    tale: &Tale,
    rows: &[Due],
    by_feed: &Held,
) -> usize {
    let mut story = tale.story.clone();
    let bodies = bodies(store, &tale.site, rows);
    story.sent =
        rows.iter().map(|row| tale.received(&bodies[&row.id], row.received_at.and_utc())).collect();
    let everyone = Replay::of(&story).everyone(now());
    let expected: Held = everyone
        .into_iter()
        .flat_map(|(email, levels)| levels.into_iter().map(move |level| (email.clone(), level)))
        .collect();
    let levels: BTreeSet<&String> = story.mappings.iter().map(|mapping| &mapping.level).collect();
    let mut found = Held::new();
    for level in levels {
        let path = format!("/api/v1/sites/{}/members?level={level}", tale.site);
        for member in daemon.all(&path) {
            let email = member["email"].as_str().expect("an address").to_owned();
            found.insert((email, level.clone()));
        }
    }
    let differ: Vec<_> = found.symmetric_difference(&expected).collect();
    assert!(differ.is_empty(), "{}: program and model differ on {differ:?}", tale.site);
    let differ: Vec<_> = found.symmetric_difference(by_feed).collect();
    assert!(differ.is_empty(), "{}: access and feed differ on {differ:?}", tale.site);
    expected.len()
}
