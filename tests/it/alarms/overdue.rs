//! A payment that was expected and has not come is listed, and takes nothing from anybody.

use super::{MINUTE, SITE, on_both, the_alarm, wants, watch_at};
use crate::support::{Ipn, START, TestApp, instant};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The day on which everybody is looked at.
const TODAY: i64 = 100;

fn day(number: i64) -> DateTime<Utc> {
    instant(START) + TimeDelta::days(number)
}

/// What happened to one subscription: on which day, and what.
type Story = Vec<(i64, Ipn)>;

/// A story by its name, with the day on which its payment was due where it is overdue today.
struct Told {
    name: &'static str,
    story: Story,
    due: Option<i64>,
}

fn told(name: &'static str, due: Option<i64>, story: Story) -> Told {
    Told { name, story, due }
}

/// Every story that matters. The number of a story is its subscription, and its transactions begin with it.
fn stories() -> Vec<Told> {
    let of = |kind: &str| Ipn::new(kind, 0).with("rebill_circle", 30);
    let (sale, rebill) = (|| of("sale"), || of("rebill"));
    let trial = || sale().with("trial", 1).with("trial_period", 7);
    let plan = |ipn: Ipn, number: u32, left: u32| {
        ipn.with("installments", 3)
            .with("payments_left", left)
            .with("transaction_subscription_pay_number", number)
    };
    let word = |kind: &str| Ipn::new(kind, 0);
    vec![
        told("never rebilled", Some(30), vec![(0, sale())]),
        told(
            "rebilled in time",
            None,
            vec![(0, sale()), (30, rebill()), (60, rebill()), (90, rebill())],
        ),
        told("rebilled late, and not again", Some(65), vec![(0, sale()), (35, rebill())]),
        told(
            "rebilled late, but rebilled",
            None,
            vec![(0, sale()), (30, rebill()), (98, rebill())],
        ),
        told("due, within the slack", None, vec![(0, sale()), (68, rebill())]),
        told("due, at the end of the slack", Some(97), vec![(0, sale()), (67, rebill())]),
        told("a trial that was never paid", Some(7), vec![(0, trial())]),
        told("a trial that goes on", None, vec![(95, trial())]),
        told("a trial that was paid", None, vec![(65, trial()), (72, rebill())]),
        told(
            "a finite plan that is completed",
            None,
            vec![(0, plan(sale(), 1, 2)), (30, plan(rebill(), 2, 1)), (60, plan(rebill(), 3, 0))],
        ),
        told(
            "a finite plan that is not",
            Some(60),
            vec![(0, plan(sale(), 1, 2)), (30, plan(rebill(), 2, 1))],
        ),
        told("cancelled", None, vec![(0, sale()), (10, word("cancellation"))]),
        told("refunded", None, vec![(0, sale()), (10, word("refund"))]),
        told("charged back", None, vec![(0, sale()), (10, word("chargeback"))]),
        told(
            "refunded in part",
            Some(30),
            vec![(0, sale()), (10, word("partial_refund").with("transaction_full_amount", 1))],
        ),
        told(
            "past due, Kartra still tries",
            None,
            vec![(0, sale()), (30, rebill()), (60, rebill()), (90, word("failed"))],
        ),
        told("past due, and no word since", Some(39), vec![(0, sale()), (30, word("failed"))]),
        told("past due of unknown length", Some(39), vec![(0, word("sale")), (30, word("failed"))]),
        told(
            "past due, and then rebilled",
            None,
            vec![(0, sale()), (30, word("failed")), (80, rebill())],
        ),
        told(
            "cancelled after it was past due",
            None,
            vec![(0, sale()), (30, word("failed")), (39, word("cancellation"))],
        ),
        told("of unknown length", None, vec![(0, word("sale"))]),
        told("as long as its mapping says", Some(31), vec![(0, word("sale").product(502))]),
        told("of an ignored product", None, vec![(0, sale().product(503))]),
        told("held", Some(30), vec![(0, sale().product(504))]),
        told("switched, and paid since", None, vec![(0, sale()), (80, rebill().product(502))]),
        told(
            "switched, and not paid since",
            Some(70),
            vec![(0, sale()), (40, rebill().product(502))],
        ),
    ]
}

/// Tells all stories, each by its own days, until today. One more person bought something that is paid once.
fn tell(app: &TestApp, stories: &[Told]) {
    let mut events: Vec<(i64, Ipn)> = Vec::new();
    for (number, told) in (1..).zip(stories) {
        for (step, (day, ipn)) in (1..).zip(&told.story) {
            let ipn = ipn.clone().with("transaction_id", number * 100 + step).subscription(number);
            events.push((*day, ipn.of(&format!("buyer-{number}@example.com"))));
        }
    }
    events.push((0, Ipn::new("sale", 9_999).with("rebill_circle", 30).of("once@example.com")));
    events.sort_by_key(|(day, _)| *day);
    for (number, ipn) in events {
        app.at(day(number));
        assert_eq!(app.receives(ipn.body()).status, 200);
        app.drain();
    }
    app.at(day(TODAY));
}

/// The subscriptions that are listed, by their names, page by page, with the day on which each was due.
fn listed(app: &TestApp, stories: &[Told]) -> BTreeMap<&'static str, i64> {
    let (mut found, mut order) = (BTreeMap::new(), Vec::new());
    let mut path = format!("{SITE}/subscriptions/overdue?limit=3");
    loop {
        let page = app.get(&path);
        assert_eq!(page.status, 200, "{page:?}");
        for item in page.json["items"].as_array().expect("items") {
            let number: usize = item["purchase"]
                .as_str()
                .and_then(|id| id.strip_prefix("subscription:"))
                .expect("a subscription")
                .parse()
                .expect("a number");
            assert_eq!(item["email"], format!("buyer-{number}@example.com"), "{item}");
            let due: DateTime<Utc> =
                item["due_since"].as_str().expect("an instant").parse().expect("one");
            let told = &stories[number - 1];
            let paid = |kind: &(i64, Ipn)| kind.1.is_payment().then_some(kind.0);
            let last = told.story.iter().filter_map(paid).max().expect("a payment");
            assert_eq!(item["last_payment_at"], json!(day(last)), "{}", told.name);
            found.insert(told.name, (due - day(0)).num_days());
            order.push(due);
        }
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("{SITE}/subscriptions/overdue?limit=3&cursor={cursor}");
    }
    assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");
    assert_eq!(found.len(), order.len(), "each once");
    found
}

fn prepared(app: &TestApp) {
    app.level("gold");
    app.level("silver");
    app.map(&json!({ "product_id": "501", "level": "gold" }));
    app.map(&json!({ "product_id": "501", "level": "silver" }));
    app.map(&json!({ "product_id": "502", "level": "gold", "policy": { "billing_period": { "months": 1 } } }));
    wants(app, &json!({ "off": ["silent", "held_purchases"] }));
    // A product is ignored when it is known.
    app.receives(Ipn::new("sale", 5_000).of("first@example.com").product(503).body());
    app.drain();
    assert_eq!(app.patch(&format!("{SITE}/products/503"), &json!({ "ignored": true })).status, 200);
}

#[test]
fn exactly_those_whose_payment_is_missing_are_listed_and_nobody_is_cut() {
    on_both(|app| {
        prepared(app);
        let stories = stories();
        tell(app, &stories);
        let expected: BTreeMap<&str, i64> =
            stories.iter().filter_map(|told| Some((told.name, told.due?))).collect();
        assert_eq!(listed(app, &stories), expected);
        let (levels, changes) = (held_by_all(app, &stories), app.changes());
        watch_at(app, app.clock.now());
        let alarm = the_alarm(app);
        assert_eq!(alarm["kind"], "subscriptions_overdue");
        assert_eq!(alarm["count"], expected.len());
        app.drain();
        assert_eq!(
            (held_by_all(app, &stories), app.changes()),
            (levels.clone(), changes),
            "nobody is cut"
        );
        for (number, told) in stories.iter().enumerate().filter(|(_, told)| told.due.is_some()) {
            let holds = !levels[number].is_empty();
            assert_eq!(holds, told.name != "held", "{}", told.name);
        }
    });
}

fn held_by_all(app: &TestApp, stories: &[Told]) -> Vec<Vec<String>> {
    (1..=stories.len())
        .map(|number| app.levels_of(&format!("buyer-{number}@example.com")))
        .collect()
}

#[test]
fn what_comes_at_last_ends_the_alarm_and_the_slack_is_the_sites_own() {
    on_both(|app| {
        prepared(app);
        let monthly = |kind: &str, id: u32| {
            Ipn::new(kind, id).with("rebill_circle", 30).subscription(1).of("dana@example.com")
        };
        app.receives(monthly("sale", 1).body());
        app.drain();
        let count = || {
            app.get(&format!("{SITE}/subscriptions/overdue")).json["items"]
                .as_array()
                .expect("items")
                .len()
        };
        let due = day(30);
        watch_at(app, due + TimeDelta::days(3) - TimeDelta::microseconds(1));
        assert_eq!((count(), open(app)), (0, 0));
        watch_at(app, due + TimeDelta::days(3) + MINUTE);
        assert_eq!((count(), open(app)), (1, 1));
        wants(app, &json!({ "overdue_days": 10 }));
        watch_at(app, due + TimeDelta::days(3) + MINUTE * 2);
        assert_eq!((count(), open(app)), (0, 0));
        watch_at(app, due + TimeDelta::days(10));
        assert_eq!((count(), open(app)), (1, 1));
        app.receives(monthly("rebill", 2).body());
        app.drain();
        watch_at(app, due + TimeDelta::days(10) + MINUTE);
        assert_eq!((count(), open(app)), (0, 0));
    });
}

fn open(app: &TestApp) -> usize {
    super::alarms(app, "open").len()
}

#[test]
fn a_mapping_that_says_how_long_a_payment_lasts_reaches_those_who_have_paid() {
    on_both(|app| {
        prepared(app);
        app.receives(Ipn::new("sale", 1).subscription(1).of("dana@example.com").body());
        app.at(day(TODAY));
        let items = || app.get(&format!("{SITE}/subscriptions/overdue")).json["items"].clone();
        assert_eq!(items(), json!([]), "nothing tells when a payment is due");
        let policy = json!({ "policy": { "billing_period": { "days": 90 } } });
        assert_eq!(app.patch(SITE, &policy).status, 200);
        app.drain();
        assert_eq!(
            items()[0],
            json!({
                "purchase": "subscription:1", "email": "dana@example.com", "product_id": "501", "price_point": "1",
                "status": "active", "last_payment_at": "2026-01-01T00:00:00Z", "due_since": "2026-04-01T00:00:00Z",
            })
        );
        assert_eq!(app.patch(SITE, &json!({ "policy": null })).status, 200);
        app.drain();
        assert_eq!(items(), json!([]) as Value);
    });
}
