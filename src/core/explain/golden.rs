//! One story for each reason code, told to the real core, and the text that comes of it word for word in
//! `golden.txt`. A code that is added without a story does not compile here; one without a text fails.

use super::{Names, sentences};
use crate::core::Instant;
use crate::core::access::{Answer, Known, Picture, answer};
use crate::core::event::{Event, EventId, Vouched, Witness};
use crate::core::grant::{Core, Folded, Reason, Rules};
use crate::core::kartra::read;
use crate::core::mapping::Mapping;
use crate::core::member::{Override, OverrideKind};
use crate::core::policy::Policy;
use chrono_tz::Tz;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const TEXTS: &str = include_str!("golden.txt");
const EMAIL: &str = "dana@example.com";

fn day(text: &str) -> Instant {
    format!("2026-{text}:00Z").replace(' ', "T").parse().expect("an instant")
}

/// What happened to one person, by the day and minute of 2026.
struct Story {
    bodies: Vec<(Instant, String)>,
    policy: Value,
    product: u64,
    overrides: Vec<Override>,
    asked_at: Instant,
    /// Whether the purchases are known to whoever is asked although they have not begun by then: so it is
    /// beside a process whose clock runs ahead.
    knows_ahead: bool,
    level: Option<&'static str>,
}

/// A story under a policy, which is asked about at an instant.
fn story(policy: Value, asked_at: &str) -> Story {
    let (bodies, overrides) = (Vec::new(), Vec::new());
    let asked_at = day(asked_at);
    Story { bodies, policy, product: 1, overrides, asked_at, knows_ahead: false, level: None }
}

impl Story {
    /// An event of subscription 910233.
    fn then(self, kind: &str, transaction: u64, at: &str, more: &Value) -> Self {
        let mut details = json!({ "transaction_internal_subscription_id": 910_233 });
        let fields = more.as_object().into_iter().flatten();
        fields.for_each(|(key, value)| details[key] = value.clone());
        self.event(kind, transaction, at, details)
    }

    /// An event of order 4001.
    fn once(self, kind: &str, transaction: u64, at: &str) -> Self {
        self.event(kind, transaction, at, json!({ "original_id": 4001 }))
    }

    fn event(mut self, kind: &str, transaction: u64, at: &str, mut details: Value) -> Self {
        let action = match kind {
            "cancellation" => "cancel_subscription",
            "refund" => "refund_product",
            "partial_refund" => "partial_refund_product",
            _ => "buy_product",
        };
        let at = day(at);
        details["transaction_id"] = json!(transaction);
        details["transaction_type"] = json!(kind);
        details["transaction_date"] = json!(at.format("%F %T").to_string());
        if details["product_id"].is_null() {
            details["product_id"] = json!(self.product);
        }
        if details["transaction_full_amount"].is_null() {
            details["transaction_full_amount"] = json!(29);
        }
        details["lead_id"] = json!(2_087_311);
        let body = json!({
            "lead": { "id": 2_087_311, "email": EMAIL },
            "action": action,
            "action_details": { "transaction_details": details },
        });
        self.bodies.push((at, body.to_string()));
        self
    }

    fn by_hand(mut self, what: OverrideKind, begun_at: &str, until: Option<&str>) -> Self {
        self.overrides.push(Override {
            id: self.overrides.len().to_string(),
            what,
            email: EMAIL.to_owned(),
            leads: BTreeSet::new(),
            begun_at: day(begun_at),
            until: until.map(day),
            ended_at: None,
            note: Some("not for customers".to_owned()),
        });
        self
    }

    fn about(mut self, level: &'static str) -> Self {
        self.level = Some(level);
        self
    }

    fn events(&self) -> Vec<Event> {
        let mut witnesses: BTreeMap<EventId, Vec<Witness>> = BTreeMap::new();
        for (number, (at, body)) in (0_u8..).zip(&self.bodies) {
            let observation = read(body.as_bytes()).says.expect("readable");
            let webhook_id = number.to_string();
            let id = EventId::of(&observation, &webhook_id);
            let (vouched, body_hash) = (Vouched::Outbound, [number; 32]);
            let witness = Witness { webhook_id, received_at: *at, vouched, body_hash, observation };
            witnesses.entry(id).or_default().push(witness);
        }
        let merge = |(id, told)| Event::merge(id, told, Tz::UTC).expect("an event");
        witnesses.into_iter().map(merge).collect()
    }

    fn answer(&self) -> Answer {
        let mapping = |id: &str, product_id: &str, level: &str| Mapping {
            id: id.to_owned(),
            version: 1,
            product_id: product_id.to_owned(),
            price_point: None,
            level: level.to_owned(),
            enabled: true,
            purchased_from: None,
            purchased_before: None,
            policy: serde_json::from_value(self.policy.clone()).expect("a policy"),
        };
        let mappings = vec![mapping("m1", "1", "gold"), mapping("m2", "2", "silver-2026")].into();
        let (site_policy, ignored) = (Policy::default(), BTreeSet::new());
        let rules = Rules {
            mappings: &mappings,
            site_policy: &site_policy,
            ignored: &ignored,
            core: Core::CURRENT,
        };
        if !self.knows_ahead {
            let picture = Picture::draw(&self.events(), rules, self.asked_at);
            return picture.answer(EMAIL, &self.overrides, self.asked_at);
        }
        let picture = Picture::draw(&self.events(), rules, Instant::MAX_UTC);
        let purchases: Vec<Folded> = picture.purchases.into_values().collect();
        let known = Known { purchases: &purchases, overrides: &self.overrides };
        answer(known, self.asked_at)
    }

    fn text(&self) -> String {
        let names = Names::from([("gold".to_owned(), "Gold".to_owned())]);
        sentences(EMAIL, &self.answer(), &names, self.level).join("\n")
    }
}

fn gold() -> OverrideKind {
    OverrideKind::Grant("gold".to_owned())
}

/// A story that ends in a reason code.
fn ending_in(reason: Reason) -> Story {
    let none = &json!({});
    let trial = &json!({ "trial": 1, "trial_period": 14 });
    let monthly = &json!({ "rebill_circle": 30 });
    let default = json!({});
    match reason {
        Reason::Active => story(default, "03-05 12:00")
            .then("sale", 1001, "02-01 09:00", none)
            .then("rebill", 1002, "03-01 09:00", none),
        Reason::Trialing => story(default, "02-05 12:00").then("sale", 1001, "02-01 09:00", trial),
        Reason::WaitingForFirstPayment => story(json!({ "trial": "wait" }), "02-05 12:00").then(
            "sale",
            1001,
            "02-01 09:00",
            trial,
        ),
        Reason::Completed => story(default, "05-05 12:00")
            .then("sale", 1001, "02-01 09:00", &json!({ "installments": 2, "payments_left": 1 }))
            .then("rebill", 1002, "03-01 09:00", &json!({ "installments": 2, "payments_left": 0 })),
        Reason::InGrace => {
            story(json!({ "on_payment_failed": { "grace_days": 7 } }), "03-05 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .then("failed", 1002, "03-03 09:00", none)
        }
        Reason::GraceOver => {
            story(json!({ "on_payment_failed": { "grace_days": 7 } }), "04-05 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .then("failed", 1002, "03-03 09:00", none)
        }
        Reason::Canceled => story(default, "06-12 12:00")
            .then("sale", 1001, "02-01 09:00", none)
            .then("cancellation", 1002, "06-11 09:00", none),
        Reason::UntilPeriodEnd => story(json!({ "on_cancellation": "period_end" }), "06-12 12:00")
            .then("sale", 1001, "06-01 09:00", monthly)
            .then("cancellation", 1002, "06-11 09:00", none),
        Reason::Refunded => story(default, "06-12 12:00").once("sale", 4001, "06-01 09:00").once(
            "refund",
            1002,
            "06-11 09:00",
        ),
        Reason::PartiallyRefunded => story(json!({ "on_partial_refund": "revoke" }), "06-12 12:00")
            .once("sale", 4001, "06-01 09:00")
            .once("partial_refund", 4002, "06-11 09:00"),
        Reason::ChargedBack => story(default, "06-12 12:00")
            .once("sale", 4001, "06-01 09:00")
            .once("chargeback", 4002, "06-11 09:00"),
        Reason::KeptByPolicy => story(json!({ "on_cancellation": "keep" }), "06-12 12:00")
            .then("sale", 1001, "06-01 09:00", none)
            .then("cancellation", 1002, "06-11 09:00", none),
        Reason::DurationOver => {
            story(json!({ "duration_days": 60 }), "04-05 12:00").once("sale", 4001, "02-01 09:00")
        }
        Reason::Switched => story(default, "06-12 12:00")
            .then("sale", 1001, "02-01 09:00", none)
            .then("rebill", 1002, "06-11 09:00", &json!({ "product_id": 2 })),
        Reason::NotStarted => Story { knows_ahead: true, ..story(default, "06-10 12:00") }.once(
            "sale",
            1001,
            "06-11 09:00",
        ),
        Reason::Manual => {
            story(default, "06-12 12:00").by_hand(gold(), "06-01 09:00", Some("07-01 00:00"))
        }
        Reason::ManualEnded => {
            story(default, "07-12 12:00").by_hand(gold(), "06-01 09:00", Some("07-01 00:00"))
        }
        Reason::Blocked => story(default, "06-12 12:00")
            .then("sale", 1001, "02-01 09:00", none)
            .by_hand(OverrideKind::Block(None), "06-03 09:00", Some("07-01 00:00")),
        Reason::Held => Story { product: 7, ..story(default, "06-12 12:00") }.event(
            "sale",
            1001,
            "06-01 09:00",
            json!({ "price_point": "2" }),
        ),
        Reason::HeldOpen => story(default, "06-12 12:00")
            .once("sale", 4001, "06-01 09:00")
            .once("refund", 1002, "06-11 09:00")
            .by_hand(OverrideKind::HeldOpen("gold".to_owned()), "06-11 09:00", None),
    }
}

/// Stories that need more than one code, or none, each under its title.
fn more_stories() -> Vec<(&'static str, Story)> {
    let none = &json!({});
    let default = || json!({});
    vec![
        (
            "two give it",
            story(default(), "06-12 12:00").then("sale", 1001, "02-01 09:00", none).by_hand(
                gold(),
                "06-01 09:00",
                Some("07-01 00:00"),
            ),
        ),
        (
            "one of two gives it no more",
            story(default(), "06-12 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .once("sale", 4001, "03-01 09:00")
                .once("refund", 4002, "06-11 09:00"),
        ),
        (
            "both have ended",
            story(default(), "06-12 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .once("sale", 4001, "03-01 09:00")
                .once("refund", 4002, "05-03 09:00")
                .then("cancellation", 1002, "06-11 09:00", none),
        ),
        (
            "cancelled, and paid for until the end",
            story(json!({ "on_cancellation": "period_end" }), "07-12 12:00")
                .then("sale", 1001, "06-01 09:00", &json!({ "rebill_circle": 30 }))
                .then("cancellation", 1002, "06-11 09:00", none),
        ),
        (
            "ends on the day of the question",
            story(default(), "06-11 12:00").then("sale", 1001, "02-01 09:00", none).then(
                "cancellation",
                1002,
                "06-11 09:30",
                none,
            ),
        ),
        (
            "a chargeback blocks everything",
            story(json!({ "on_chargeback": "block" }), "06-12 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .once("sale", 4001, "03-01 09:00")
                .once("chargeback", 4002, "06-11 09:00"),
        ),
        (
            "blocked before anything was bought",
            story(default(), "06-12 12:00").by_hand(OverrideKind::Block(None), "06-03 09:00", None),
        ),
        (
            "cancelled before the first payment",
            story(json!({ "trial": "wait" }), "06-12 12:00")
                .then("sale", 1001, "06-01 09:00", &json!({ "trial": 1, "trial_period": 14 }))
                .then("cancellation", 1002, "06-05 09:00", none),
        ),
        (
            "held open against a chargeback, and blocked by hand",
            story(json!({ "on_chargeback": "block" }), "06-12 12:00")
                .once("sale", 4001, "06-01 09:00")
                .once("chargeback", 4002, "06-11 09:00")
                .by_hand(OverrideKind::HeldOpen("gold".to_owned()), "06-11 09:00", None)
                .by_hand(OverrideKind::Block(Some("gold".to_owned())), "06-12 09:00", None),
        ),
        ("nothing is known", story(default(), "06-12 12:00")),
        ("nothing is known of the level", story(default(), "06-12 12:00").about("gold")),
        (
            "asked about one level of two",
            story(default(), "06-12 12:00")
                .then("sale", 1001, "02-01 09:00", none)
                .then("rebill", 1002, "06-11 09:00", &json!({ "product_id": 2 }))
                .about("gold"),
        ),
    ]
}

/// Every reason code that answers can carry, as the document of the API lists them.
fn every_reason() -> Vec<Reason> {
    let schema = schemars::schema_for!(Reason).to_value();
    let words = schema["oneOf"].as_array().expect("words").iter().map(|one| one["const"].clone());
    words.map(|word| serde_json::from_value(word).expect("a reason")).collect()
}

#[test]
fn every_reason_code_has_its_text_and_so_have_the_stories_of_more_than_one() {
    let reasons = every_reason();
    assert_eq!(reasons.len(), 20, "{reasons:?}");
    let of_reason = |reason: Reason| {
        let story = ending_in(reason);
        let answer = story.answer();
        assert!(answer.considered.iter().any(|c| c.reason == reason), "{reason:?}: {answer:#?}");
        (reason.as_str(), story)
    };
    let stories = reasons.into_iter().map(of_reason).chain(more_stories());
    let told: Vec<String> =
        stories.map(|(title, story)| format!("# {title}\n{}\n", story.text())).collect();
    let told = told.join("\n");
    assert_eq!(told.trim_end(), TEXTS.trim_end(), "\n{told}");
}

#[test]
fn what_operators_wrote_for_each_other_is_not_told() {
    for reason in [Reason::Manual, Reason::ManualEnded, Reason::Blocked] {
        assert!(!ending_in(reason).text().contains("not for customers"), "{reason:?}");
    }
}
