//! Three processes on one PostgreSQL, under load on the same members, while their addresses move and
//! their mappings are edited, one process killed and another stopped past its lease, again and again.

use super::crowd::Tale;
use super::edits::Hand;
use super::load::{Shared, send};
use super::{
    Store, count, home_of_replicas, judge, lease_over, open_recomputes, settled, stop_at_a_site,
    unapplied,
};
use crate::support::Reply;
use crate::support::daemon::{Daemon, Home, until_or_tell};
use serde_json::json;
use std::collections::BTreeSet;

/// Everything random comes from here.
const SEED: u64 = 20_261_121;
/// How many stories are told beside the crowd, each on a site of its own.
const STORIES: u64 = 6;
/// How many people are in the crowd.
const PEOPLE: usize = 240;
/// How many people edit.
const EDITORS: u64 = 3;
/// How many webhooks have to be applied between one disturbance and the next.
const PROGRESS: i64 = 20;
/// How often a process is killed, and how often one is stopped.
const ROUNDS: usize = 10;

#[test]
fn three_processes_one_killed_and_one_stopped_again_and_again_are_one_truth() {
    let Some(mut home) = home_of_replicas() else { return };
    home.set("FLOW__BATCH_WEBHOOKS_MAX", "8");
    home.set("FLOW__BATCH_PURCHASES_MAX", "40");
    home.set("FLOW__INLINE_MEMBERS_MAX", "5");
    home.set("FLOW__POLL_MS", "200");
    let store = home.store();
    let mut daemons: Vec<Daemon> = (0..3).map(|number| home.serve_as(&name(number))).collect();
    let tales: &[(Tale, String)] = &(0..STORIES)
        .map(Tale::random)
        .chain([Tale::of_crowd(PEOPLE)])
        .map(|tale| (open(&daemons[0], &tale), tale))
        .map(|(hook, tale)| (tale, hook))
        .collect::<Vec<_>>();
    let shared = &Shared::of(daemons.iter().map(|daemon| daemon.base.clone()).collect());

    let (answered, edits) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(shared, tales, SEED));
        let editors: Vec<_> = (0..EDITORS)
            .map(|number| scope.spawn(move || Hand::new(shared, SEED + number).edit(tales)))
            .collect();
        let gauge = scope.spawn(|| shared.gauge(&home.store()));
        {
            // Also when a disturbance fails, the others have to end.
            let _over = Over(shared);
            for round in 0..ROUNDS {
                disturb(&home, &mut daemons, shared, round);
            }
        }
        gauge.join().expect("no panic");
        let edits: usize = editors.into_iter().map(|editor| editor.join().expect("no panic")).sum();
        let mut hand = Hand::new(shared, SEED);
        tales.iter().for_each(|(tale, _)| hand.make_good(tale));
        (sender.join().expect("no panic"), edits)
    });
    settled(&store);
    assert!(edits > 2 * ROUNDS, "only {edits} edits");

    let mut stored = BTreeSet::new();
    let mut held = 0;
    for (tale, _) in tales {
        let rows = judge::stored(&store, &tale.site);
        judge::each_event_counts_once(&rows);
        let by_feed = judge::each_change_is_a_step(&daemons[0], &store, &tale.site);
        held += judge::access_is_the_models(&daemons[1], &store, tale, &rows, &by_feed);
        stored.extend(rows.into_iter().map(|row| row.id));
    }
    println!("{} answered, {} stored, {edits} edits, {held} held", answered.len(), stored.len());
    assert!(answered.is_subset(&stored), "answered 200 and lost");
    assert_eq!(judge::stayers_were_told_once(&daemons[2]), PEOPLE / 2);
    daemons.into_iter().for_each(Daemon::stop);
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// How many webhooks have been applied so far.
fn applied(store: &Store) -> i64 {
    count(store, "SELECT count(*) AS count FROM webhooks WHERE next_attempt_at IS NULL")
}

/// What there is where nothing is applied.
fn stalled(store: &Store) -> String {
    let put_off =
        "SELECT count(*) AS count FROM webhooks WHERE next_attempt_at IS NOT NULL AND attempts > 0";
    let waiting = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    format!(
        "({} applied, {} wait, {} of them put off, {} recomputes are open, {} sessions wait for a lock)",
        applied(store),
        unapplied(store),
        count(store, put_off),
        open_recomputes(store),
        count(store, waiting),
    )
}

fn name(number: usize) -> String {
    format!("replica-{number}")
}

/// Says that the disturbances are over, however they ended.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.send_replace(true);
    }
}

/// Opens the site of a tale; answers the path of its webhook URL.
fn open(daemon: &Daemon, tale: &Tale) -> String {
    let story = &tale.story;
    // The model knows what is held open, but not how many may lose a level within an hour.
    if tale.site == "default" {
        daemon.stops_no_flood();
    } else {
        daemon.make("/api/v1/sites", &json!({"id": tale.site, "max_revocations": null}));
    }
    let path = format!("/api/v1/sites/{}", tale.site);
    let levels: BTreeSet<&String> = story.mappings.iter().map(|mapping| &mapping.level).collect();
    for level in levels {
        daemon.make(&format!("{path}/levels"), &json!({"id": level}));
    }
    if tale.site == "default" {
        for mapping in &story.mappings {
            daemon.make(&format!("{path}/mappings"), &super::edits::body(mapping));
        }
    }
    let Reply { json, .. } = daemon.get(&path);
    let url = json["webhook_url"].as_str().expect("a webhook URL");
    url[url.find("/hooks/").expect("a hook")..].to_owned()
}

/// Stops one process within a transaction until its lease is over, and kills another meanwhile.
fn disturb(home: &Home, daemons: &mut [Daemon], shared: &Shared, round: usize) {
    let (stopped, killed) = (round % 3, (round + 1) % 3);
    let store = home.store();
    let goes_on = || {
        let before = applied(&store);
        let further = || (applied(&store) >= before + PROGRESS).then_some(());
        until_or_tell("progress", further, || stalled(&store));
    };
    stop_at_a_site(&daemons[stopped], &name(stopped), &store);
    daemons[killed].child.kill().expect("killed");
    daemons[killed].ended();
    daemons[killed] = home.serve_as(&name(killed));
    shared.bases.lock().expect("bases")[killed].clone_from(&daemons[killed].base);
    lease_over(&store, &name(stopped));
    // The others are at its site by now; it wakes up to find that.
    goes_on();
    daemons[stopped].signal("CONT");
    goes_on();
}
