//! Each kind of alarm begins and ends with its cause.

use super::{
    MINUTE, SITE, alarms, discards, hears_nonsense, on_both, open_kinds, sale, the_alarm, wants,
    watch, watch_at,
};
use crate::support::{ADMIN_KEY, Ipn, START, TestApp, instant};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// A gauge or counter as it stands; `None` where it is not told.
fn metric(app: &TestApp, series: &str) -> Option<String> {
    let text = app.get("/metrics").text;
    let line = text.lines().find(|line| line.starts_with(series))?;
    Some(line.rsplit_once(' ').expect("a value").1.to_owned())
}

fn texts(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// An alarm of this kind has just begun, and is the only one that is open; answers it.
#[track_caller]
fn has_begun(app: &TestApp, kind: &str, count: i64, episodes: usize) -> Value {
    let alarm = the_alarm(app);
    let now = app.clock.now();
    assert_eq!(
        (alarm["kind"].as_str(), alarm["count"].as_i64()),
        (Some(kind), Some(count)),
        "{alarm}"
    );
    assert_eq!((&alarm["first_seen_at"], &alarm["ended_at"]), (&json!(texts(now)), &Value::Null));
    assert!(alarm["next_step"].as_str().is_some_and(|words| words.len() > 40), "{alarm}");
    assert_eq!(alarm["post"]["status"], "none", "there is nowhere to post it to");
    let of = |name: &str| metric(app, &format!("latchkey_{name}{{kind=\"{kind}\"}}"));
    assert_eq!(of("alarms_open").as_deref(), Some("1"));
    assert_eq!(of("alarm_episodes_total"), Some(episodes.to_string()));
    let of_site = format!("latchkey_site_alarms_open{{kind=\"{kind}\",site=\"default\"}}");
    assert_eq!(metric(app, &of_site).as_deref(), Some("1"));
    alarm
}

/// It goes on at the next look, as the same episode.
#[track_caller]
fn goes_on(app: &TestApp, alarm: &Value) {
    watch(app);
    let now = the_alarm(app);
    assert_eq!((&now["id"], &now["first_seen_at"]), (&alarm["id"], &alarm["first_seen_at"]));
}

/// It has just ended, and nothing is open.
#[track_caller]
fn has_ended(app: &TestApp, alarm: &Value) {
    assert_eq!(alarms(app, "open"), [] as [Value; 0]);
    let ended = alarms(app, "ended");
    assert_eq!(
        (&ended[0]["id"], &ended[0]["first_seen_at"]),
        (&alarm["id"], &alarm["first_seen_at"])
    );
    assert_eq!(ended[0]["ended_at"], texts(app.clock.now()), "{ended:?}");
    let kind = alarm["kind"].as_str().expect("a kind");
    assert_eq!(metric(app, &format!("latchkey_alarms_open{{kind=\"{kind}\"}}")), None);
}

fn not_silent(app: &TestApp) {
    wants(app, &json!({ "off": ["silent"] }));
}

#[test]
fn a_purchase_that_is_held_for_a_day_is_an_alarm_until_it_is_mapped() {
    on_both(|app| {
        not_silent(app);
        app.level("gold");
        let start = instant(START);
        app.receives(sale(1).body());
        app.at(start + TimeDelta::hours(2));
        app.receives(sale(2).body());
        app.drain();
        watch_at(app, start + TimeDelta::hours(24) - TimeDelta::microseconds(1));
        assert_eq!(open_kinds(app), [""; 0]);
        watch_at(app, start + TimeDelta::hours(24) + MINUTE);
        let alarm = has_begun(app, "held_purchases", 1, 1);
        assert_eq!(alarm["detail"], "1 purchase is held, since 1 January 2026, 00:00 UTC.");
        goes_on(app, &alarm);
        watch_at(app, start + TimeDelta::hours(26));
        let more = the_alarm(app);
        assert_eq!((&more["id"], &more["count"]), (&alarm["id"], &json!(2)));
        assert_eq!(
            more["detail"],
            "2 purchases are held, the first since 1 January 2026, 00:00 UTC."
        );
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.drain();
        watch(app);
        has_ended(app, &alarm);
    });
}

#[test]
fn a_hold_that_ends_by_itself_ends_its_alarm() {
    on_both(|app| {
        not_silent(app);
        let policy = json!({ "policy": { "duration_days": 2 } });
        assert_eq!(app.patch(SITE, &policy).status, 200);
        app.receives(sale(1).body());
        app.drain();
        watch_at(app, instant(START) + TimeDelta::hours(25));
        let alarm = has_begun(app, "held_purchases", 1, 1);
        watch_at(app, instant(START) + TimeDelta::days(2));
        has_ended(app, &alarm);
    });
}

#[test]
fn a_reversal_of_nothing_known_is_an_alarm_after_an_hour_until_its_sale_is_heard_of() {
    on_both(|app| {
        not_silent(app);
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        app.receives(Ipn::new("refund", 9).of("dana@example.com").subscription(77).body());
        app.drain();
        watch_at(app, instant(START) + TimeDelta::minutes(59));
        assert_eq!(open_kinds(app), [""; 0], "its sale may be on its way by the other feed");
        watch_at(app, instant(START) + TimeDelta::hours(1));
        let alarm = has_begun(app, "unmatched_webhooks", 1, 1);
        goes_on(app, &alarm);
        app.receives(Ipn::new("sale", 8).of("dana@example.com").subscription(77).body());
        app.drain();
        watch(app);
        has_ended(app, &alarm);
    });
}

#[test]
fn what_cannot_be_read_is_an_alarm_until_it_is_discarded_and_the_next_is_another() {
    on_both(|app| {
        let first = hears_nonsense(app);
        watch(app);
        let alarm = has_begun(app, "unreadable_webhooks", 1, 1);
        goes_on(app, &alarm);
        discards(app, &first);
        watch(app);
        has_ended(app, &alarm);
        hears_nonsense(app);
        watch(app);
        let next = has_begun(app, "unreadable_webhooks", 1, 2);
        assert_ne!(next["id"], alarm["id"]);
        assert_eq!(alarms(app, "ended").len(), 1);
    });
}

#[test]
fn an_ipn_with_another_secret_is_an_alarm_until_the_secret_is_right_and_it_is_replayed() {
    on_both(|app| {
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "another" })).status, 200);
        let heard = app.receives(sale(1).body());
        app.drain();
        watch(app);
        let alarm = has_begun(app, "rejected_webhooks", 1, 1);
        goes_on(app, &alarm);
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "ipn-secret-EXAMPLE" })).status, 200);
        let id = heard.json["webhook_id"].as_str().expect("an id");
        let replayed = app.post(&format!("{SITE}/webhooks/{id}/replay"), &json!({}));
        assert_eq!(replayed.status, 200, "{replayed:?}");
        app.drain();
        watch(app);
        has_ended(app, &alarm);
    });
}

#[test]
fn silence_is_an_alarm_until_kartra_speaks() {
    on_both(|app| {
        watch(app);
        assert_eq!(open_kinds(app), [""; 0], "who has never spoken is not silent");
        let tag = r#"{"lead":{"id":1,"email":"d@example.com"},"action":"assign_tag","action_details":{}}"#;
        assert_eq!(app.receives(tag).status, 200);
        app.drain();
        let last = app.clock.now();
        watch_at(app, last + TimeDelta::days(1));
        assert_eq!(open_kinds(app), [""; 0]);
        watch(app);
        let alarm = has_begun(app, "silent", 1, 1);
        goes_on(app, &alarm);
        assert_eq!(app.get(SITE).json["connection"]["state"], "silent");
        app.receives(tag);
        app.drain();
        watch(app);
        has_ended(app, &alarm);
    });
}

#[test]
fn an_end_that_is_not_applied_is_an_alarm_until_it_is() {
    on_both(|app| {
        not_silent(app);
        app.level("gold");
        app.map(
            &json!({ "product_id": "501", "level": "gold", "policy": { "duration_days": 10 } }),
        );
        app.receives(sale(1).body());
        app.drain();
        let end = instant(START) + TimeDelta::days(10);
        // Nobody works: the test does not drain.
        watch_at(app, end + TimeDelta::minutes(14));
        assert_eq!(open_kinds(app), [""; 0]);
        watch_at(app, end + TimeDelta::minutes(15));
        let alarm = has_begun(app, "timers_late", 1, 1);
        assert_eq!(app.levels_of("buyer-1@example.com"), [""; 0], "a late timer is no open door");
        goes_on(app, &alarm);
        app.drain();
        watch(app);
        has_ended(app, &alarm);
    });
}

#[test]
fn what_is_off_is_not_watched_and_a_disabled_site_has_no_alarms() {
    on_both(|app| {
        hears_nonsense(app);
        watch(app);
        assert_eq!(open_kinds(app), ["unreadable_webhooks"]);
        wants(app, &json!({ "off": ["unreadable_webhooks"] }));
        watch(app);
        assert_eq!((open_kinds(app).len(), alarms(app, "ended").len()), (0, 1));
        wants(app, &json!({ "off": [] }));
        watch(app);
        assert_eq!(open_kinds(app), ["unreadable_webhooks"]);
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        watch(app);
        assert_eq!((open_kinds(app).len(), alarms(app, "ended").len()), (0, 2));
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
    });
}

#[test]
fn a_look_comes_at_most_once_a_minute_whoever_looks() {
    on_both(|app| {
        watch(app);
        let looked_at = app.clock.now();
        hears_nonsense(app);
        watch_at(app, looked_at + MINUTE - TimeDelta::microseconds(1));
        assert_eq!(open_kinds(app), [""; 0]);
        watch_at(app, looked_at + MINUTE);
        assert_eq!(open_kinds(app), ["unreadable_webhooks"]);
    });
}

#[test]
fn ended_alarms_are_listed_in_pages_newest_first() {
    on_both(|app| {
        for _ in 0..5 {
            let heard = hears_nonsense(app);
            watch(app);
            discards(app, &heard);
            watch(app);
        }
        let all = alarms(app, "ended");
        let seen = |alarm: &Value| alarm["first_seen_at"].as_str().expect("an instant").to_owned();
        let times: Vec<String> = all.iter().map(seen).collect();
        assert!(times.len() == 5 && times.is_sorted_by(|a, b| a > b), "{times:?}");
        let (mut paged, mut path) = (Vec::new(), format!("{SITE}/alarms?state=ended&limit=2"));
        loop {
            let page = app.get(&path);
            assert_eq!(page.status, 200, "{page:?}");
            paged.extend(page.json["items"].as_array().expect("items").clone());
            let Some(cursor) = page.json["next_cursor"].as_str() else { break };
            path = format!("{SITE}/alarms?state=ended&limit=2&cursor={cursor}");
        }
        assert_eq!(paged, all);
        assert_eq!(app.get(&format!("{SITE}/alarms?state=nonsense")).status, 400);
    });
}

#[test]
fn a_flood_that_is_held_open_is_an_alarm_until_somebody_has_decided() {
    on_both(|app| {
        wants(app, &json!({ "off": ["silent"] }));
        assert_eq!(
            app.patch(SITE, &json!({ "max_revocations": { "count": 0, "percent": 0 } })).status,
            200
        );
        app.level("gold");
        app.map(&json!({ "product_id": "501", "level": "gold" }));
        for number in [1, 2] {
            assert_eq!(app.receives(sale(number).body()).status, 200);
        }
        app.drain();
        app.clock.set(app.clock.now() + MINUTE);
        for number in [1, 2] {
            let refund = Ipn::new("refund", number + 10).of(&format!("buyer-{number}@example.com"));
            assert_eq!(app.receives(refund.body()).status, 200);
        }
        app.drain();
        watch(app);
        let alarm = has_begun(app, "breaker_open", 2, 1);
        goes_on(app, &alarm);
        let release = format!("{SITE}/held-open/release");
        let released = app.request("POST", &release, |request| request.bearer_auth(ADMIN_KEY));
        assert!(released.status < 300, "{released:?}");
        watch(app);
        has_ended(app, &alarm);
    });
}
