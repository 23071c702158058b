//! The `connection` of a site: whether Kartra talks to it, and the one thing to do next.

use super::bodies::{PRODUCT, chargeback, sale, tagged};
use super::{SITE, applied, gold, items};
use crate::on_both_databases;
use crate::support::{TestApp, instant};
use chrono::TimeDelta;
use serde_json::{Value, json};

const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

fn connection(app: &TestApp) -> Value {
    app.get(SITE).json["connection"].clone()
}

#[track_caller]
fn state(app: &TestApp) -> String {
    connection(app)["state"].as_str().expect("a state").to_owned()
}

#[track_caller]
fn next_step_says(app: &TestApp, words: &[&str]) {
    let connection = connection(app);
    let says = connection["next_step"].as_str().expect("words");
    assert!(words.iter().all(|word| says.contains(word)), "{connection}");
}

/// Receives something that is no money event, at an instant.
fn heard_at(app: &TestApp, at: chrono::DateTime<chrono::Utc>) {
    app.clock.set(at);
    assert_eq!(app.receives(tagged("dana@x.example").json()).status, 200);
}

/// The state turns silent just after an instant, and not at it.
#[track_caller]
fn silent_after(app: &TestApp, at: chrono::DateTime<chrono::Utc>) {
    app.clock.set(at);
    assert_eq!(state(app), "receiving", "at {at}");
    app.clock.set(at + MICROSECOND);
    assert_eq!(state(app), "silent", "just after {at}");
    next_step_says(app, &["longer than usual", "webhook_url"]);
}

on_both_databases! {
    fn one_webhook_is_followed_by_silence_after_a_day(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        app.clock.set(first);
        assert_eq!(state(app), "waiting_for_first_webhook");
        next_step_says(app, &["Paste webhook_url into Kartra"]);
        heard_at(app, first);
        assert_eq!(connection(app), json!({
            "state": "receiving", "last_webhook_at": "2026-03-01T00:00:00Z",
            "feeds_seen": ["outbound"], "next_step": connection(app)["next_step"],
        }));
        silent_after(app, first + TimeDelta::days(1));
        heard_at(app, first + TimeDelta::days(1) + MICROSECOND);
        assert_eq!(state(app), "receiving", "it speaks again");
    }

    fn short_pauses_never_make_it_silent_before_a_day(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        for hours in [0, 1, 4, 12] {
            heard_at(app, first + TimeDelta::hours(hours));
        }
        // Eight hours, three times over, are the very day.
        silent_after(app, first + TimeDelta::hours(12 + 24));
    }

    fn three_times_the_longest_pause_are_waited(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        let pause = TimeDelta::hours(50) + MICROSECOND;
        heard_at(app, first);
        heard_at(app, first + pause);
        // Many others do not hide it, nor does the other feed.
        for hours in [1, 2, 9, 30] {
            heard_at(app, first + pause + TimeDelta::hours(hours));
        }
        let last = first + pause + TimeDelta::hours(40);
        app.clock.set(last);
        app.receives(sale(1001, "erin@x.example").form(None));
        silent_after(app, last + pause * 3);
    }

    fn when_the_longest_pause_has_aged_out_the_next_longest_counts(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        heard_at(app, first);
        for day in 10..=26 {
            heard_at(app, first + TimeDelta::days(day));
        }
        // Ten days at first, which end on the tenth day: 28 days after that, a day is usual.
        silent_after(app, first + TimeDelta::days(10 + 28));
    }

    fn a_long_pause_that_has_aged_out_counts_no_more(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        heard_at(app, first);
        let last = first + TimeDelta::days(20);
        heard_at(app, last);
        // Twenty days, three times over, count as long as what ended them is of the last 28 days.
        silent_after(app, last + TimeDelta::days(28));
    }

    fn a_site_that_hears_once_a_month_is_not_silent_a_day_later(app: &TestApp) {
        let first = instant("2026-03-01T00:00:00Z");
        heard_at(app, first);
        let second = first + TimeDelta::days(30);
        heard_at(app, second);
        // The pause began before the last 28 days, and ended within them.
        silent_after(app, second + TimeDelta::days(28));
    }

    fn a_disabled_site_is_disabled_whatever_it_hears(app: &TestApp) {
        heard_at(app, instant("2026-03-01T00:00:00Z"));
        assert_eq!(app.patch(SITE, &json!({ "enabled": false })).status, 200);
        assert_eq!(state(app), "disabled");
        next_step_says(app, &["stored and not applied", "Enable"]);
        app.clock.set(instant("2026-05-01T00:00:00Z"));
        assert_eq!(state(app), "disabled");
        assert_eq!(app.patch(SITE, &json!({ "enabled": true })).status, 200);
        assert_eq!(state(app), "silent");
    }

    fn subscriptions_without_any_ipn_are_told_what_does_not_reach_them(app: &TestApp) {
        gold(app);
        applied(app, &sale(1001, "dana@x.example"));
        next_step_says(app, &["everything that Kartra has sent is connected"]);
        applied(app, &sale(1002, "erin@x.example").with("transaction_internal_subscription_id", 77));
        assert_eq!(connection(app)["feeds_seen"], json!(["outbound"]));
        next_step_says(app, &["rebills", "failed payments", "chargebacks", "IPN", "webhook_url"]);
        app.receives(chargeback(1003, 1001, "dana@x.example").form(None));
        app.drain();
        assert_eq!(connection(app)["feeds_seen"], json!(["outbound", "ipn"]));
        next_step_says(app, &["everything that Kartra has sent is connected"]);
    }

    fn held_purchases_are_to_be_mapped_first(app: &TestApp) {
        applied(app, &sale(1001, "dana@x.example").with("transaction_internal_subscription_id", 77));
        next_step_says(app, &["held", "Map", "IPN"]);
        gold(app);
        app.drain();
        next_step_says(app, &["IPN"]);
        applied(app, &sale(1002, "erin@x.example").with("product_id", 9));
        next_step_says(app, &["held", "Map", "ignore", "rebills", "IPN"]);
        let ignored = app.patch(&format!("{SITE}/products/9"), &json!({ "ignored": true }));
        assert_eq!(ignored.status, 200, "{ignored:?}");
        next_step_says(app, &["IPN"]);
        assert_eq!(items(&app.get(&format!("{SITE}/products"))).len(), 2, "{PRODUCT} and 9");
    }

    fn rejected_ipns_point_at_the_secret(app: &TestApp) {
        gold(app);
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "right" })).status, 200);
        let id = app.receives(sale(1001, "dana@x.example").form(Some("wrong"))).json["webhook_id"].clone();
        next_step_says(app, &["rejected", "ipn_secret", "replay"]);
        assert_eq!(connection(app)["feeds_seen"], json!(["ipn"]));
        assert_eq!(app.patch(SITE, &json!({ "ipn_secret": "wrong" })).status, 200);
        let path = format!("{SITE}/webhooks/{}/replay", id.as_str().expect("an id"));
        assert_eq!(app.post(&path, &json!({})).status, 200);
        next_step_says(app, &["everything that Kartra has sent is connected"]);
    }

    fn a_site_hears_only_its_own(app: &TestApp) {
        assert_eq!(app.post("/api/v1/sites", &json!({ "id": "second" })).status, 201);
        heard_at(app, instant("2026-03-01T00:00:00Z"));
        let second = app.get("/api/v1/sites/second").json["connection"].clone();
        assert_eq!(second["state"], "waiting_for_first_webhook");
        assert_eq!(second["feeds_seen"], json!([]));
    }

    fn what_is_of_no_feed_is_heard_and_names_no_feed(app: &TestApp) {
        app.receives("neither");
        let connection = connection(app);
        assert_eq!((&connection["state"], &connection["feeds_seen"]), (&json!("receiving"), &json!([])));
    }
}
