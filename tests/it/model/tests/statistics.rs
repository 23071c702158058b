//! Whether the generator is worth its keep: that access is held often enough, and that everything occurs.

use std::collections::{BTreeMap, BTreeSet};

use super::super::generate::story;
use super::super::held::{Replay, emails, interesting_instants};
use super::super::story::{Kind, OverrideKind, Story, Vouched};

/// How often each thing was seen.
type Counts = BTreeMap<String, usize>;

#[derive(Default)]
struct Survey {
    counts: Counts,
    samples: usize,
    held: usize,
}

impl Survey {
    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn inputs(&mut self, story: &Story) {
        for sent in &story.sent {
            self.count(format!("kind {:?}", sent.message.kind));
            self.count(format!("vouched {:?}", sent.vouched));
            if sent.discarded {
                self.count("discarded");
            }
        }
        for made in &story.overrides {
            self.count(format!(
                "override {:?}{}",
                made.kind,
                if made.leads.is_empty() { " to the address" } else { "" }
            ));
        }
        for _ in &story.ignored_products {
            self.count("ignored product");
        }
        for mapping in &story.mappings {
            if let Some(policy) = mapping.policy.as_object() {
                policy.iter().for_each(|(key, value)| self.count(format!("policy {key} {value}")));
            }
            if !mapping.enabled {
                self.count("disabled mapping");
            }
        }
    }

    fn answers(&mut self, story: &Story) {
        let replay = Replay::of(story);
        let addresses = emails(story).len();
        for at in interesting_instants(story) {
            self.samples += addresses;
            self.held += replay.everyone(at).len();
            replay.losses(at).into_iter().for_each(|loss| self.count(format!("loss {loss}")));
        }
    }
}

fn survey(seeds: std::ops::Range<u64>) -> Survey {
    let mut survey = Survey::default();
    for seed in seeds {
        let story = story(seed);
        survey.inputs(&story);
        survey.answers(&story);
    }
    survey
}

fn share(survey: &Survey) -> f64 {
    let exact = |count: usize| f64::from(u32::try_from(count).expect("a small count"));
    exact(survey.held) / exact(survey.samples)
}

#[test]
fn everything_occurs_and_access_is_often_held() {
    let survey = survey(0..150);
    let held = share(&survey);
    assert!((0.25..=0.60).contains(&held), "{held}");
    for loss in [
        "waiting",
        "duration",
        "failed",
        "canceled",
        "period_over",
        "refunded",
        "partially_refunded",
        "charged_back",
        "switched",
        "blocked",
        "unmapped",
        "unmatched",
    ] {
        assert!(survey.counts.contains_key(&format!("loss {loss}")), "{loss} never occurs");
    }
    for kind in [
        Kind::Sale,
        Kind::Rebill,
        Kind::PaymentFailed,
        Kind::PartialRefund,
        Kind::Cancellation,
        Kind::Refund,
        Kind::Chargeback,
        Kind::Other,
    ] {
        assert!(survey.counts.contains_key(&format!("kind {kind:?}")), "{kind:?} never occurs");
    }
    for kind in [
        OverrideKind::Grant,
        OverrideKind::Block,
        OverrideKind::LiftChargeback,
        OverrideKind::HeldOpen,
    ] {
        assert!(survey.counts.contains_key(&format!("override {kind:?}")), "{kind:?} never occurs");
    }
    for vouched in [Vouched::IpnRight, Vouched::Outbound, Vouched::IpnUnchecked] {
        assert!(
            survey.counts.contains_key(&format!("vouched {vouched:?}")),
            "{vouched:?} never occurs"
        );
    }
}

#[test]
fn one_seed_is_one_story() {
    for seed in 0..50 {
        assert_eq!(format!("{:?}", story(seed)), format!("{:?}", story(seed)));
    }
}

#[test]
fn receipts_are_unique_and_in_whole_microseconds() {
    for seed in 0..300 {
        let sent = story(seed).sent;
        let receipts: BTreeSet<_> = sent.iter().map(|webhook| webhook.received_at).collect();
        assert_eq!(receipts.len(), sent.len());
        assert!(receipts.iter().all(|receipt| receipt.timestamp_subsec_nanos() % 1_000 == 0));
    }
}

#[test]
fn the_order_of_arrival_never_decides() {
    for seed in 0..60 {
        let story = story(seed);
        let mut reversed = story.clone();
        reversed.sent.reverse();
        for at in interesting_instants(&story).into_iter().step_by(7) {
            assert_eq!(
                Replay::of(&story).everyone(at),
                Replay::of(&reversed).everyone(at),
                "seed {seed} at {at}"
            );
        }
    }
}
