//! Ends, recomputes and retries belong to nobody: who is killed at them, or stopped until their lease
//! is over, leaves them to the next process, and does no harm when waking.

use super::judge::feed;
use super::{count, home_of_replicas, idle_at_a_site, now, settled, stop_at_a_site};
use crate::support::daemon::{Daemon, Home, until};
use crate::support::{Database, Ipn};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many members are concerned, and how many of them are worked in one transaction.
const MEMBERS: usize = 40;
const BATCH: &str = "10";
/// How long the ends are ahead when the purchases are made, which have to be applied by then.
const AHEAD: TimeDelta = TimeDelta::seconds(8);
/// Each change takes its time, so that a process can be met in the middle of a batch.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END $$; \
                    CREATE TRIGGER slow BEFORE INSERT ON changes FOR EACH ROW EXECUTE FUNCTION slow()";
/// No event can be recorded.
const REFUSE: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                      $$ BEGIN RAISE EXCEPTION 'not now'; END $$; \
                      CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()";
const SITE: &str = "/api/v1/sites/default";

/// What happens to the process that holds the work.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Killed,
    Stopped,
}

fn home() -> Option<Home> {
    let mut home = home_of_replicas()?;
    for limit in ["BATCH_TIMERS_MAX", "BATCH_PURCHASES_MAX"] {
        home.set(&format!("FLOW__{limit}"), BATCH);
    }
    home.set("FLOW__INLINE_MEMBERS_MAX", "1");
    home.set("FLOW__POLL_MS", "200");
    Some(home)
}

/// Everybody buys product 501.
fn sales(daemon: &Daemon, date: DateTime<Utc>) {
    let date = date.format("%Y-%m-%d %H:%M:%S").to_string();
    for number in 0..MEMBERS {
        let sale = Ipn::new("sale", number + 1).of(&format!("buyer-{number}@example.com"));
        daemon.receives(sale.on(&date).body());
    }
    daemon.drained();
}

/// Meets the first process in the middle of its work, which makes it so `of` changes; lets another one finish that, and wakes the
/// first where it only slept; answers both, as far as they live.
fn handed_over(
    home: &Home,
    mut first: Daemon,
    fate: Fate,
    of: usize,
    done: impl Fn(&Daemon) -> bool,
) -> Vec<Daemon> {
    let store = home.store();
    stop_at_a_site(&first, "first", &store);
    let changes = count(&store, "SELECT count(*) AS count FROM changes");
    assert!(usize::try_from(changes).is_ok_and(|changes| changes < of), "there is work left");
    if fate == Fate::Killed {
        first.child.kill().expect("killed");
        first.ended();
    }
    let second = home.serve_as("second");
    until("the end of the work by another process", || done(&second).then_some(()));
    if fate == Fate::Killed {
        return vec![second];
    }
    first.signal("CONT");
    // It serves, and what it takes is applied.
    first.receives(Ipn::new("sale", 1_000).product(777).of("late@example.com").body());
    settled(&store);
    vec![second, first]
}

/// What the feed says of each address: (what, kind of cause, instant).
fn told(daemon: &Daemon) -> BTreeMap<String, Vec<(String, String, DateTime<Utc>)>> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut told: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (position, change) in (1..).zip(feed(daemon, "default")) {
        assert_eq!(change["id"], position, "the feed has a gap");
        let at = text(&change["at"]).parse().expect("an instant");
        let step = (text(&change["what"]), text(&change["cause"]["kind"]), at);
        told.entry(text(&change["email"])).or_default().push(step);
    }
    told
}

fn over(home: &Home, daemons: Vec<Daemon>) {
    daemons.into_iter().for_each(Daemon::stop);
    let checked = home.run(&["rebuild", "--check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

fn ends_are_fired_once(fate: Fate) {
    let Some(home) = home() else { return };
    let first = home.serve_as("first");
    let patch = |body: Value| {
        let url = format!("{}{SITE}", first.base);
        let request = first.client.patch(url).bearer_auth(crate::support::ADMIN_KEY);
        assert_eq!(first.send(request.body(body.to_string())).status, 200);
    };
    first.stops_no_flood();
    patch(json!({"kartra_time_zone": "UTC", "policy": {"duration_days": 1}}));
    first.make(&format!("{SITE}/levels"), &json!({"id": "gold"}));
    first.make(&format!("{SITE}/mappings"), &json!({"product_id": "501", "level": "gold"}));
    let end = now().trunc_subsecs(0) + AHEAD;
    sales(&first, end - TimeDelta::days(1));
    // The ends fall due while nothing is applied, and are all late when the site is enabled.
    patch(json!({"enabled": false}));
    assert_eq!(told(&first).len(), MEMBERS, "the machine was too slow for this test");
    home.sql(SLOW);
    until("the ends", || (now() > end).then_some(()));
    patch(json!({"enabled": true}));

    let revoked = |daemon: &Daemon| told(daemon).values().filter(|steps| steps.len() == 2).count();
    let daemons = handed_over(&home, first, fate, 2 * MEMBERS, |daemon| revoked(daemon) == MEMBERS);
    for (email, steps) in told(&daemons[0]) {
        let [(granted, ..), (revoked, cause, at)] = &steps[..] else {
            panic!("{email}: {steps:?}")
        };
        assert_eq!([granted, revoked, cause], ["granted", "revoked", "timer"], "{email}");
        assert_eq!(*at, end, "{email}");
    }
    over(&home, daemons);
}

#[test]
fn the_ends_that_a_killed_process_was_firing_fire_once() {
    ends_are_fired_once(Fate::Killed);
}

#[test]
fn the_ends_that_a_stopped_process_was_firing_fire_once() {
    ends_are_fired_once(Fate::Stopped);
}

fn recompute_is_finished(fate: Fate) {
    let Some(home) = home() else { return };
    let first = home.serve_as("first");
    first.make(&format!("{SITE}/levels"), &json!({"id": "gold"}));
    sales(&first, now() - TimeDelta::days(1));
    home.sql(SLOW);
    let mapping = json!({"product_id": "501", "level": "gold"});
    let request = first.client.post(format!("{}{SITE}/mappings", first.base));
    let request = request.bearer_auth(crate::support::ADMIN_KEY).body(mapping.to_string());
    let made = first.send(request);
    assert_eq!(
        (made.status, &made.json["recompute"]["members"]),
        (202, &json!(MEMBERS)),
        "{made:?}"
    );
    let recompute = made.json["recompute"]["id"].as_str().expect("an id").to_owned();

    let followed = format!("{SITE}/recomputes/{recompute}");
    let daemons = handed_over(&home, first, fate, MEMBERS, |daemon| {
        daemon.get(&followed).json["done"] == MEMBERS
    });
    let told = told(&daemons[0]);
    assert_eq!(told.len(), MEMBERS);
    for (email, steps) in told {
        let [(granted, cause, _)] = &steps[..] else { panic!("{email}: {steps:?}") };
        assert_eq!([granted, cause], ["granted", "mapping"], "{email}");
    }
    over(&home, daemons);
}

#[test]
fn the_recompute_that_a_killed_process_was_at_is_finished_by_another() {
    recompute_is_finished(Fate::Killed);
}

#[test]
fn the_recompute_that_a_stopped_process_was_at_is_finished_by_another() {
    recompute_is_finished(Fate::Stopped);
}

#[test]
fn a_process_stopped_within_a_batch_keeps_no_webhook_from_being_stored() {
    let Some(database) = Database::postgres() else { return };
    // With a lease that is longer than anything here takes.
    let mut home = Home::new(database);
    home.set("DATABASE__LEASE_SECONDS", "60");
    let first = home.serve_as("first");
    first.make(&format!("{SITE}/levels"), &json!({"id": "gold"}));
    first.make(&format!("{SITE}/mappings"), &json!({"product_id": "501", "level": "gold"}));
    home.sql(SLOW);
    let (second, store) = (home.serve_as("second"), home.store());
    // Whoever is at the site is the first: the second sleeps until then.
    second.signal("STOP");
    let sale = |number: usize| Ipn::new("sale", number).of(&format!("{number}@example.com")).body();
    (0..MEMBERS).for_each(|number| drop(first.receives(sale(number + 1))));
    stop_at_a_site(&first, "first", &store);
    second.signal("CONT");
    second.receives(sale(1_000));
    assert!(idle_at_a_site(&store, "first") > 0, "stored while the site was held");
    first.signal("CONT");
    settled(&store);
    assert_eq!(told(&second).len(), MEMBERS + 1);
    over(&home, vec![first, second]);
}

#[test]
fn what_one_process_failed_to_apply_another_one_tries_again() {
    let Some(home) = home() else { return };
    let mut first = home.serve_as("first");
    first.make(&format!("{SITE}/levels"), &json!({"id": "gold"}));
    first.make(&format!("{SITE}/mappings"), &json!({"product_id": "501", "level": "gold"}));
    home.sql(REFUSE);
    let id = first.receives(Ipn::new("sale", 1).of("ann@example.com").body());
    let webhook = format!("{SITE}/webhooks/{id}");
    until("its failure", || (first.get(&webhook).json["status"] == "failed").then_some(()));
    first.child.kill().expect("killed");
    first.ended();
    home.sql("DROP FUNCTION refuse CASCADE");
    let second = home.serve_as("second");
    until("the next attempt", || (second.get(&webhook).json["status"] == "applied").then_some(()));
    assert_eq!(second.get(&webhook).json["changes"], 1);
    assert_eq!(told(&second).len(), 1);
    over(&home, vec![second]);
}
