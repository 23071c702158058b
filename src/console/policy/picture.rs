//! Access over time under a policy, in the stories that matter: an invented purchase, and what [`crate::core`]
//! makes of it. Nothing here knows what a policy means, so the picture cannot say anything else than what happens.

use crate::core::Instant;
use crate::core::access::{Answer, Known, answer};
use crate::core::event::{Event, EventId, Kind, LeadKey, Observation, Person};
use crate::core::grant::{Core, Folded, Rules};
use crate::core::kartra::values::Amount;
use crate::core::link::PurchaseId;
use crate::core::mapping::Mapping;
use crate::core::policy::{OnRefund, Policy, days_after};
use crate::core::purchase::Purchase;
use std::collections::BTreeSet;

/// How many days the picture shows.
const DAYS: i64 = 100;
/// Days from one payment to the next.
const CIRCLE_DAYS: i64 = 30;
/// Days of a trial.
const TRIAL_DAYS: i64 = 14;
/// What one payment is of, and what a part of it is.
const AMOUNTS: [&str; 2] = ["100", "50"];

/// Access over time.
pub struct Picture {
    /// The stories, in order.
    pub stories: Vec<Story>,
    /// How the invented purchase is paid.
    pub note: &'static str,
}

/// One story.
pub struct Story {
    /// What happens.
    pub title: &'static str,
    /// What becomes of access, in a sentence.
    pub sentence: String,
    /// When there is access.
    pub bars: Vec<Bar>,
    /// What happens when.
    pub marks: Vec<Mark>,
}

/// A stretch of access, in per cent of the picture's width.
pub struct Bar {
    /// Where it begins.
    pub x: i64,
    /// How wide it is.
    pub width: i64,
}

/// Something that happens.
pub struct Mark {
    /// Where, in per cent of the picture's width.
    pub x: i64,
    /// A word for it.
    pub label: &'static str,
}

/// One thing that happens in a story: on which day, of what kind, in a word, and on which day the payment was made
/// that it reverses.
struct Happening {
    day: i64,
    kind: Kind,
    word: &'static str,
    reverses: Option<i64>,
}

const fn on(day: i64, kind: Kind, word: &'static str) -> Happening {
    Happening { day, kind, word, reverses: None }
}

const fn reversal(day: i64, kind: Kind, word: &'static str, reverses: i64) -> Happening {
    Happening { day, kind, word, reverses: Some(reverses) }
}

/// What is told of a purchase.
struct Tale {
    title: &'static str,
    is_trial: bool,
    /// Whether it is only told where a refund of an older payment is another thing.
    of_older_payment: bool,
    happenings: &'static [Happening],
}

const BOUGHT: Happening = on(0, Kind::Sale, "bought");
const PAID: Happening = on(CIRCLE_DAYS, Kind::Rebill, "paid");

const TALES: [Tale; 7] = [
    Tale {
        title: "A subscription is cancelled",
        is_trial: false,
        of_older_payment: false,
        happenings: &[BOUGHT, PAID, on(45, Kind::Cancellation, "cancelled")],
    },
    Tale {
        title: "A payment fails, and comes 20 days later",
        is_trial: false,
        of_older_payment: false,
        happenings: &[
            BOUGHT,
            PAID,
            on(60, Kind::PaymentFailed, "fails"),
            on(80, Kind::Rebill, "paid"),
        ],
    },
    Tale {
        title: "The latest payment is refunded",
        is_trial: false,
        of_older_payment: false,
        happenings: &[BOUGHT, PAID, reversal(45, Kind::Refund, "refunded", CIRCLE_DAYS)],
    },
    Tale {
        title: "An older payment is refunded",
        is_trial: false,
        of_older_payment: true,
        happenings: &[BOUGHT, PAID, reversal(45, Kind::Refund, "refunded", 0)],
    },
    Tale {
        title: "Half of one of two payments is refunded",
        is_trial: false,
        of_older_payment: false,
        happenings: &[BOUGHT, PAID, reversal(45, Kind::PartialRefund, "refunded", CIRCLE_DAYS)],
    },
    Tale {
        title: "The bank takes a payment back",
        is_trial: false,
        of_older_payment: false,
        happenings: &[BOUGHT, PAID, reversal(45, Kind::Chargeback, "taken back", CIRCLE_DAYS)],
    },
    Tale {
        title: "A trial of 14 days, then payments",
        is_trial: true,
        of_older_payment: false,
        happenings: &[
            on(0, Kind::Sale, "begins"),
            on(TRIAL_DAYS, Kind::Rebill, "paid"),
            on(TRIAL_DAYS + CIRCLE_DAYS, Kind::Rebill, "paid"),
        ],
    },
];

impl Picture {
    /// Draws what a policy leads to, over the site's.
    pub fn draw(policy: &Policy, site: &Policy) -> Self {
        let terms = policy.over(site);
        let kartra_says = terms.billing_period.is_none();
        let tells_apart = terms.on_refund == OnRefund::RevokeIfLatestPayment;
        let told = TALES.iter().filter(|tale| tells_apart || !tale.of_older_payment);
        let stories = told.filter_map(|tale| story(tale, policy, site, kartra_says)).collect();
        let note = if kartra_says {
            "Drawn for a subscription that is paid every 30 days, as Kartra says."
        } else {
            "Drawn for a subscription of which Kartra does not say how long a payment lasts."
        };
        Self { stories, note }
    }
}

fn story(tale: &Tale, policy: &Policy, site: &Policy, kartra_says: bool) -> Option<Story> {
    let begun = Instant::from_timestamp(1_767_225_600, 0)?;
    let events: Option<Vec<Event>> =
        tale.happenings.iter().map(|it| event(tale, it, begun, kartra_says)).collect();
    let events = events?;
    let purchase =
        Purchase::fold(PurchaseId("invented".to_owned()), &events.iter().collect::<Vec<_>>())?;
    let mapping = Mapping {
        id: "invented".to_owned(),
        version: 1,
        product_id: "1".to_owned(),
        price_point: None,
        level: "level".to_owned(),
        enabled: true,
        purchased_from: None,
        purchased_before: None,
        policy: policy.clone(),
    };
    let rules = Rules {
        mappings: &vec![mapping].into(),
        site_policy: site,
        ignored: &BTreeSet::new(),
        core: Core::CURRENT,
    };
    let folded = rules.judge(&purchase)?;
    let held = held(&folded, begun)?;
    let bars = held.iter().map(|(from, until)| {
        let until = until.unwrap_or(DAYS).min(DAYS);
        Bar { x: from * 100 / DAYS, width: (until - from) * 100 / DAYS }
    });
    Some(Story {
        title: tale.title,
        sentence: sentence(&held, !folded.blocks.is_empty()),
        bars: bars.collect(),
        marks: tale
            .happenings
            .iter()
            .map(|it| Mark { x: it.day * 100 / DAYS, label: it.word })
            .collect(),
    })
}

/// The stretches of access, from the day on which each begins until that on which it ends; `None` is no known end.
type Held = Vec<(i64, Option<i64>)>;

/// Asks day by day: whatever a policy names is days or months, so nothing changes in between.
fn held(folded: &Folded, begun: Instant) -> Option<Held> {
    let (mut held, mut day) = (Vec::new(), 0);
    while day < DAYS {
        let known = Known { purchases: std::slice::from_ref(folded), overrides: &[] };
        let Answer { levels, .. } = answer(known, days_after(begun, day)?);
        day = match levels.first() {
            Some(level) => {
                let until = level.until.map(|until| (until - begun).num_days());
                held.push((day, until));
                until.unwrap_or(DAYS)
            }
            None => day + 1,
        };
    }
    Some(held)
}

fn event(tale: &Tale, happening: &Happening, begun: Instant, kartra_says: bool) -> Option<Event> {
    let Happening { day, kind, reverses, .. } = *happening;
    let transaction = |day: i64| (day + 1).to_string();
    let is_trial = tale.is_trial && kind == Kind::Sale;
    let amount = AMOUNTS.get(usize::from(kind == Kind::PartialRefund))?;
    let person = Person { lead_id: Some("1".to_owned()), ..Person::default() };
    let said = Observation {
        kind,
        transaction_id: Some(transaction(day)),
        product_id: Some("1".to_owned()),
        parent_id: reverses.map(transaction),
        amount: Amount::parse(amount),
        trial: is_trial.then_some(1),
        trial_period: is_trial.then_some(TRIAL_DAYS),
        rebill_circle: (kind.is_payment() && kartra_says).then_some(CIRCLE_DAYS),
        ..Observation::other(person)
    };
    let at = days_after(begun, day)?;
    Some(Event {
        id: EventId::of(&said, ""),
        lead: Some(LeadKey("1".to_owned())),
        said,
        date: at,
        occurred_at: at,
        hash: [0; 32],
    })
}

fn sentence(held: &Held, is_blocked: bool) -> String {
    let stretch = |(from, until): &(i64, Option<i64>)| match until {
        Some(until) => format!("from day {from} until day {until}"),
        None => format!("from day {from} on"),
    };
    let stretches: Vec<String> = held.iter().map(stretch).collect();
    let access = match stretches.as_slice() {
        [] => "No access.".to_owned(),
        stretches => format!("Access {}.", stretches.join(", and again ")),
    };
    if is_blocked { format!("{access} Then every level is blocked.") } else { access }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(policy: &str) -> Vec<String> {
        let policy: Policy = serde_json::from_str(policy).expect("a policy");
        let picture = Picture::draw(&policy, &Policy::default());
        picture.stories.iter().map(|story| format!("{}: {}", story.title, story.sentence)).collect()
    }

    #[test]
    fn the_picture_of_the_defaults() {
        assert_eq!(
            sentences("{}"),
            [
                "A subscription is cancelled: Access from day 0 until day 45.",
                "A payment fails, and comes 20 days later: Access from day 0 on.",
                "The latest payment is refunded: Access from day 0 until day 45.",
                "Half of one of two payments is refunded: Access from day 0 on.",
                "The bank takes a payment back: Access from day 0 until day 45.",
                "A trial of 14 days, then payments: Access from day 0 on.",
            ]
        );
    }

    #[test]
    fn each_key_changes_the_picture() {
        for (policy, sentence) in [
            (
                r#"{"on_cancellation":"period_end"}"#,
                "A subscription is cancelled: Access from day 0 until day 60.",
            ),
            (r#"{"on_cancellation":"keep"}"#, "A subscription is cancelled: Access from day 0 on."),
            (
                r#"{"on_payment_failed":{"grace_days":7}}"#,
                "A payment fails, and comes 20 days later: Access from day 0 until day 67, and again from day 80 on.",
            ),
            (r#"{"on_refund":"keep"}"#, "The latest payment is refunded: Access from day 0 on."),
            (
                r#"{"on_refund":"revoke_if_latest_payment"}"#,
                "The latest payment is refunded: Access from day 0 until day 45.",
            ),
            (
                r#"{"on_refund":"revoke_if_latest_payment"}"#,
                "An older payment is refunded: Access from day 0 on.",
            ),
            (
                r#"{"on_partial_refund":{"revoke_at_percent":25}}"#,
                "Half of one of two payments is refunded: Access from day 0 until day 45.",
            ),
            (
                r#"{"on_chargeback":"block"}"#,
                "The bank takes a payment back: Access from day 0 until day 45. Then every level is blocked.",
            ),
            (r#"{"trial":"wait"}"#, "A trial of 14 days, then payments: Access from day 14 on."),
            (
                r#"{"duration_days":365}"#,
                "A trial of 14 days, then payments: Access from day 0 until day 365.",
            ),
            (
                r#"{"billing_period":{"months":1},"on_cancellation":"period_end"}"#,
                "A subscription is cancelled: Access from day 0 until day 58.",
            ),
        ] {
            let found = sentences(policy);
            assert!(found.contains(&sentence.to_owned()), "{policy}: {found:#?}");
        }
    }

    #[test]
    fn bars_and_marks_stay_inside_the_picture() {
        for policy in
            [r#"{"duration_days":365}"#, r#"{"on_payment_failed":{"grace_days":0}}"#, "{}"]
        {
            let policy: Policy = serde_json::from_str(policy).expect("a policy");
            for story in Picture::draw(&policy, &Policy::default()).stories {
                assert!(!story.bars.is_empty(), "{}", story.title);
                assert!(
                    story
                        .bars
                        .iter()
                        .all(|bar| bar.x >= 0 && bar.width > 0 && bar.x + bar.width <= 100)
                );
                assert!(story.marks.iter().all(|mark| (0..=100).contains(&mark.x)));
            }
        }
    }
}
