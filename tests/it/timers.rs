//! Ends fire at their instant, in order: on time, many at once, and after a long sleep.

use crate::on_both_databases;
use crate::support::{Database, Ipn, TestApp, instant, names};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

/// One of each kind of end: who it concerns, the level, what is lost or won, its reason, and when.
/// Made by [`lives`].
const ENDS: [(&str, &str, &str, &str, &str); 7] = [
    ("grant@example.com", "vip", "revoked", "manual_ended", "2026-01-02T03:04:05.000007Z"),
    ("grace@example.com", "grace", "revoked", "grace_over", "2026-01-04T12:00:00Z"),
    ("block@example.com", "duration", "granted", "active", "2026-01-05T00:00:00.999999Z"),
    ("duration@example.com", "duration", "revoked", "duration_over", "2026-01-11T09:30:00Z"),
    ("block@example.com", "duration", "revoked", "duration_over", "2026-01-11T09:30:01Z"),
    ("trial@example.com", "period", "revoked", "canceled", "2026-01-15T00:00:00Z"),
    ("period@example.com", "period", "revoked", "canceled", "2026-02-28T10:00:00Z"),
];

/// Purchases and overrides of which each has one of the [`ENDS`], all made by 1 January 10:00.
fn lives(app: &TestApp) {
    let path = "/api/v1/sites/default";
    assert_eq!(app.patch(path, &json!({"kartra_time_zone": "UTC"})).status, 200);
    ["vip", "grace", "period", "duration"].iter().for_each(|level| app.level(level));
    let grace = json!({"on_payment_failed": {"grace_days": 3}});
    app.map(&json!({"product_id": "501", "level": "grace", "policy": grace}));
    let period = json!({"on_cancellation": "period_end", "billing_period": {"months": 1}});
    app.map(&json!({"product_id": "502", "level": "period", "policy": period}));
    app.map(&json!({"product_id": "503", "level": "duration", "policy": {"duration_days": 10}}));

    app.clock.set(instant("2026-01-01T12:00:00Z"));
    let sale = |id: u32, who: &str| Ipn::new("sale", id).of(&format!("{who}@example.com"));
    let later = |kind: &str, id: u32, who: &str| {
        Ipn::new(kind, id).of(&format!("{who}@example.com")).product(502)
    };
    let sent = [
        sale(1, "grace").subscription(91).on("2026-01-01 08:00:00"),
        sale(2, "grace")
            .subscription(91)
            .with("transaction_type", "failed")
            .on("2026-01-01 12:00:00"),
        sale(3, "duration").product(503).on("2026-01-01 09:30:00"),
        sale(4, "block").product(503).on("2026-01-01 09:30:01"),
        sale(5, "trial")
            .product(502)
            .subscription(92)
            .on("2026-01-01 00:00:00")
            .with("trial", 1)
            .with("trial_period", 14),
        later("cancellation", 6, "trial").subscription(92).on("2026-01-01 06:00:00"),
        sale(7, "period").product(502).subscription(93).on("2025-12-31 10:00:00"),
        later("rebill", 8, "period")
            .subscription(93)
            .on("2026-01-01 10:00:00")
            .with("rebill_circle", 58),
        later("cancellation", 9, "period").subscription(93).on("2026-01-01 11:00:00"),
    ];
    for ipn in sent {
        assert_eq!(app.receives(ipn.body()).status, 200);
    }
    app.drain();
    for (list, email, body) in [
        ("grants", ENDS[0].0, json!({"level": "vip", "until": ENDS[0].4})),
        ("blocks", ENDS[2].0, json!({"level": null, "until": ENDS[2].4})),
    ] {
        let made = app.post(&format!("{path}/members/{email}/{list}"), &body);
        assert_eq!(made.status, 201, "{made:?}");
    }
}

/// The changes that timers have made, as (address, level, what, reason, at).
fn fired(app: &TestApp) -> Vec<(String, String, String, String, DateTime<Utc>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let by_timer = app.changes().into_iter().filter(|change| change["cause"]["kind"] == "timer");
    let fired = by_timer.map(|c| {
        let at = instant(c["at"].as_str().expect("an instant"));
        (text(&c["email"]), text(&c["level"]), text(&c["what"]), text(&c["reason"]), at)
    });
    fired.collect()
}

fn expected(count: usize) -> Vec<(String, String, String, String, DateTime<Utc>)> {
    let row = |(email, level, what, reason, at): &(&str, &str, &str, &str, &str)| {
        (
            (*email).to_owned(),
            (*level).to_owned(),
            (*what).to_owned(),
            (*reason).to_owned(),
            instant(at),
        )
    };
    ENDS.iter().take(count).map(row).collect()
}

on_both_databases! {
    fn every_end_fires_at_its_instant_and_not_a_microsecond_before(app: &TestApp) {
        lives(app);
        for (number, (email, level, what, _, at)) in ENDS.iter().enumerate() {
            let held_before = *what == "revoked";
            let at = instant(at);
            app.at(at - MICROSECOND);
            assert_eq!(fired(app), expected(number), "nothing fires before {at}");
            let held = |app: &TestApp| app.levels_of(email).contains(&(*level).to_owned());
            assert_eq!(held(app), held_before, "{email} before {at}");
            assert_eq!(app.access_of(email)["next_change_at"], json!(at), "{email} is told when");
            // Nobody has fired the end yet, and all the same the door is no longer open.
            app.clock.set(at);
            assert_eq!(held(app), !held_before, "{email} at {at}");
            let door = format!("/api/v1/sites/default/access?email={email}&level={level}");
            assert_eq!(app.get(&door).json["allowed"], json!(!held_before), "{email} at {at}");
            assert_eq!(fired(app), expected(number));
            app.drain();
            assert_eq!(fired(app), expected(number + 1), "{email} at {at}");
        }
        app.at(instant("2030-01-01T00:00:00Z"));
        assert_eq!(fired(app), expected(ENDS.len()), "an end fires once");
    }

    fn a_daemon_that_slept_over_all_ends_records_each_at_its_own_instant(app: &TestApp) {
        lives(app);
        app.at(instant("2027-06-01T00:00:00Z"));
        assert_eq!(fired(app), expected(ENDS.len()));
    }

    fn an_event_that_arrives_after_a_long_sleep_does_not_overtake_the_ends(app: &TestApp) {
        lives(app);
        app.clock.set(instant("2026-01-20T00:00:00Z"));
        let rebill = Ipn::new("rebill", 20).of("grace@example.com").subscription(91);
        app.receives(rebill.on("2026-01-19 23:00:00").body());
        app.drain();
        assert_eq!(fired(app), expected(6), "the ends until then have fired");
        let last = app.changes().pop().expect("a change");
        assert_eq!(last["cause"]["kind"], "event", "{last}");
        assert_eq!((&last["what"], &last["level"]), (&json!("granted"), &json!("grace")));
        let access = app.access_of("grace@example.com");
        assert_eq!(access["levels"][0]["since"], "2026-01-19T23:00:00Z", "{access:#}");
        // The gap between the grace's end and the new payment is part of the past.
        let between = app.access_at("grace@example.com", instant("2026-01-10T00:00:00Z"));
        assert_eq!(names(&between), Vec::<String>::new());
    }

    fn an_end_that_a_write_finds_due_is_told_with_its_own_instant_and_cause(app: &TestApp) {
        lives(app);
        app.clock.set(instant("2026-01-20T00:00:00Z"));
        let path = "/api/v1/sites/default";
        let before = app.changes().len();
        let made = app.post(&format!("{path}/members/grace@example.com/grants"), &json!({"level": "vip"}));
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(fired(app), expected(6), "nobody has drained");
        let last = app.changes().split_off(before + 6);
        assert_eq!(last.len(), 1, "{last:#?}");
        assert_eq!((&last[0]["cause"]["kind"], &last[0]["level"]), (&json!("override"), &json!("vip")));
        // A disabled site stands still, until it is enabled.
        assert_eq!(app.patch(path, &json!({"enabled": false})).status, 200);
        app.clock.set(instant("2026-03-20T00:00:00Z"));
        let made = app.post(&format!("{path}/members/trial@example.com/grants"), &json!({"level": "vip"}));
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(fired(app), expected(6));
        assert_eq!(app.patch(path, &json!({"enabled": true})).status, 200);
        app.drain();
        assert_eq!(fired(app), expected(7));
    }

    fn a_rebill_in_time_takes_the_end_back(app: &TestApp) {
        lives(app);
        app.clock.set(instant("2026-01-04T11:00:00Z"));
        let rebill = Ipn::new("rebill", 20).of("grace@example.com").subscription(91);
        app.receives(rebill.on("2026-01-04 10:59:00").body());
        app.drain();
        app.at(instant("2026-01-10T00:00:00Z"));
        assert_eq!(app.levels_of("grace@example.com"), ["grace"]);
        assert!(fired(app).iter().all(|(email, ..)| email != "grace@example.com"));
    }

    fn a_payment_received_in_time_takes_the_end_back_however_late_it_is_applied(app: &TestApp) {
        lives(app);
        app.clock.set(instant("2026-01-04T11:00:00Z"));
        let rebill = Ipn::new("rebill", 20).of("grace@example.com").subscription(91);
        app.receives(rebill.on("2026-01-04 10:59:00").body());
        // It is stored; nobody gets to it until long after the end.
        app.at(instant("2026-01-10T00:00:00Z"));
        assert_eq!(app.levels_of("grace@example.com"), ["grace"]);
        assert!(fired(app).iter().all(|(email, ..)| email != "grace@example.com"));
        let at: Vec<String> = app.changes().iter().map(|change| change["at"].to_string()).collect();
        assert!(at.is_sorted(), "the feed tells in the order of time: {at:?}");
    }
}

/// Three ends of each of forty members, in batches of seven, all slept over.
fn many_at_once(database: Database) {
    const MEMBERS: u32 = 40;
    let app = TestApp::start_with(database, &[("flow.batch_timers_max", "7")]);
    let path = "/api/v1/sites/default";
    assert_eq!(app.patch(path, &json!({"kartra_time_zone": "UTC"})).status, 200);
    // The shortest ends last for one product, all at the same instant; the others lie between.
    for (product, level, days) in [(501, "five", 5), (502, "six", 6), (503, "seven", 7)] {
        app.level(level);
        let policy = json!({"duration_days": days});
        app.map(&json!({"product_id": product, "level": level, "policy": policy}));
    }
    for number in 0..MEMBERS {
        let email = format!("member-{number:02}@example.com");
        for (product, second) in [(501, 0), (502, number % 13), (503, 59 - number)] {
            let id = number * 10 + product - 500;
            let date = format!("2025-12-31 12:00:{second:02}");
            let sale = Ipn::new("sale", id).of(&email).product(product).on(&date);
            assert_eq!(app.receives(sale.body()).status, 200);
        }
    }
    app.drain();
    let first = instant("2026-01-05T12:00:00Z");
    app.at(first - MICROSECOND);
    assert_eq!(fired(&app), [], "nothing fires before");
    app.at(instant("2026-03-01T00:00:00Z"));
    let fired = fired(&app);
    assert_eq!(fired.len(), 3 * MEMBERS as usize);
    assert!(fired.windows(2).all(|pair| pair[0].4 <= pair[1].4), "in order: {fired:#?}");
    let at_once = fired.iter().filter(|(_, level, _, _, at)| level == "five" && *at == first);
    assert_eq!(at_once.count(), MEMBERS as usize);
    for number in 0..MEMBERS {
        let email = format!("member-{number:02}@example.com");
        let of_member = fired.iter().filter(|fired| fired.0 == email);
        let ends: Vec<_> = of_member.map(|(_, level, _, _, at)| (level.as_str(), *at)).collect();
        let at = |day: i64, second: u32| {
            first + TimeDelta::days(day) + TimeDelta::seconds(i64::from(second))
        };
        let expected =
            [("five", at(0, 0)), ("six", at(1, number % 13)), ("seven", at(2, 59 - number))];
        assert_eq!(ends, expected, "{email}");
    }
    app.is_as_the_events_say();
}

#[test]
fn many_ends_at_once_fire_in_order_in_bounded_batches_on_sqlite() {
    many_at_once(Database::sqlite());
}

#[test]
fn many_ends_at_once_fire_in_order_in_bounded_batches_on_postgres() {
    if let Some(database) = Database::postgres() {
        many_at_once(database);
    }
}
