//! What holds for every set of observations: the order of arrival and repetition never decide.

use super::*;
use crate::core::kartra::read;
use chrono::{TimeDelta, TimeZone, Utc};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn second(second: i64) -> Instant {
    Utc.with_ymd_and_hms(2025, 3, 4, 9, 0, 0).single().expect("an instant")
        + TimeDelta::seconds(second)
}

fn person() -> impl Strategy<Value = Person> {
    let word = |words: &'static [&'static str]| of(select(words).prop_map(str::to_owned));
    (word(&["1", "2"]), word(&["a@x.com", "b@x.com"]), word(&["p@x.com", "q@x.com"])).prop_map(
        |(lead_id, transaction_email, profile_email)| Person {
            lead_id,
            transaction_email,
            profile_email,
        },
    )
}

fn observation() -> impl Strategy<Value = Observation> {
    let number = || of(0..3i64);
    let id = || of((1..4u8).prop_map(|id| id.to_string()));
    let texts = (id(), id(), id(), id());
    let numbers = (number(), number(), number(), number(), number(), number());
    (person(), texts, numbers, number(), of(-5..15i64)).prop_map(
        |(person, texts, numbers, amount, date)| Observation {
            kind: Kind::Sale,
            transaction_id: Some("7".to_owned()),
            product_id: Some("558001".to_owned()),
            price_point: texts.0,
            subscription_id: texts.1,
            original_id: texts.2,
            parent_id: texts.3,
            amount: amount.map(Amount),
            date: date.map(|date| second(date).naive_utc()),
            trial: numbers.0,
            trial_period: numbers.1,
            rebill_circle: numbers.2,
            installments: numbers.3,
            payments_left: numbers.4,
            pay_number: numbers.5,
            ..Observation::other(person)
        },
    )
}

/// Witnesses of one event. The hash is of the body, so that equal hashes say the same.
fn witnesses() -> impl Strategy<Value = Vec<Witness>> {
    let vouched = select(vec![Vouched::Api, Vouched::Ipn, Vouched::Outbound, Vouched::Unchecked]);
    vec((vouched, 0..10i64, observation()), 1..6).prop_map(|given| {
        let witness =
            |(number, (vouched, at, observation)): (u8, (Vouched, i64, Observation))| Witness {
                webhook_id: number.to_string(),
                received_at: second(at),
                vouched,
                body_hash: [number.wrapping_mul(101); 32],
                observation,
            };
        (0u8..).zip(given).map(witness).collect()
    })
}

fn merge(witnesses: &[Witness]) -> Event {
    let id = EventId("sale:7".to_owned());
    Event::merge(id, witnesses.to_vec(), Tz::UTC).expect("there is an observation")
}

/// The best vouched observation that says something, found anew.
fn best<T>(given: &[Witness], says: impl Fn(&Observation) -> Option<T>) -> Option<T> {
    let speakers = given.iter().filter(|w| says(&w.observation).is_some());
    let best = speakers.min_by_key(|w| (w.vouched as u8, w.body_hash))?;
    says(&best.observation)
}

proptest! {
    #[test]
    fn the_order_of_arrival_never_decides(
        (given, shuffled) in witnesses().prop_flat_map(|w| (Just(w.clone()), Just(w).prop_shuffle()))
    ) {
        prop_assert_eq!(merge(&given), merge(&shuffled));
    }

    #[test]
    fn a_resend_changes_nothing(given in witnesses(), again in any::<proptest::sample::Index>(), late in 0..100i64) {
        let mut resent = again.get(&given).clone();
        resent.webhook_id = "again".to_owned();
        resent.received_at += TimeDelta::seconds(late);
        let more: Vec<Witness> = [given.clone(), vec![resent]].concat();
        prop_assert_eq!(merge(&more), merge(&given));
    }

    #[test]
    fn filling_is_associative_and_idempotent(a in observation(), b in observation(), c in observation()) {
        let fill = |mut a: Observation, b: &Observation| { a.fill_from(b); a };
        let left = fill(fill(a.clone(), &b), &c);
        let right = fill(a.clone(), &fill(b, &c));
        prop_assert_eq!(left, right);
        prop_assert_eq!(fill(a.clone(), &a), a);
    }

    #[test]
    fn each_field_comes_from_the_best_vouched_that_says_it(given in witnesses()) {
        let event = merge(&given);
        prop_assert_eq!(&event.said.price_point, &best(&given, |o| o.price_point.clone()));
        prop_assert_eq!(&event.said.subscription_id, &best(&given, |o| o.subscription_id.clone()));
        prop_assert_eq!(&event.said.original_id, &best(&given, |o| o.original_id.clone()));
        prop_assert_eq!(&event.said.parent_id, &best(&given, |o| o.parent_id.clone()));
        prop_assert_eq!(event.said.amount, best(&given, |o| o.amount));
        prop_assert_eq!(event.said.payments_left, best(&given, |o| o.payments_left));
        prop_assert_eq!(event.said.trial, best(&given, |o| o.trial));
        let named = |o: &Observation| Some(o.person.clone()).filter(|person| !person.is_nobody());
        prop_assert_eq!(&event.said.person, &best(&given, named).unwrap_or_default());
    }

    #[test]
    fn it_occurred_at_its_date_but_never_after_its_earliest_receipt(given in witnesses()) {
        let event = merge(&given);
        let earliest = given.iter().map(|w| w.received_at).min().expect("there is one");
        let date = best(&given, |o| o.date).map_or(earliest, |date| date.and_utc());
        prop_assert_eq!(event.date, date);
        prop_assert_eq!(event.occurred_at, date.min(earliest));
    }

    #[test]
    fn events_have_one_order(a in witnesses(), b in witnesses(), c in witnesses()) {
        let (a, b, c) = (merge(&a), merge(&b), merge(&c));
        for order in [Event::fold_order, Event::recency] {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
    }

    #[test]
    fn ids_of_transactions_have_one_order(ids in vec("[0-9]{1,4}|[A-Z0-9-]{1,4}", 0..8)) {
        let mut sorted = ids;
        sorted.sort_by(|a, b| TransactionOrder::of(Some(a)).cmp(&TransactionOrder::of(Some(b))));
        let number = |id: &String| id.parse::<u32>().ok();
        for pair in sorted.windows(2) {
            match (number(&pair[0]), number(&pair[1])) {
                (Some(first), Some(second)) => prop_assert!(first <= second),
                (None, Some(_)) => prop_assert!(false, "{:?} before a number", pair[0]),
                (Some(_), None) => {}
                (None, None) => prop_assert!(pair[0] <= pair[1]),
            }
        }
    }
}

fn witness_of(body: &[u8], vouched: Vouched, hash: u8) -> (EventId, Witness) {
    let observation = read(body).says.expect("it can be read");
    let id = EventId::of(&observation, "webhook");
    let webhook_id = format!("webhook {hash}");
    let body_hash = [hash; 32];
    (id, Witness { webhook_id, received_at: second(0), vouched, body_hash, observation })
}

#[test]
fn an_ipn_and_its_outbound_twin_are_one_event() {
    macro_rules! twins {
        ($outbound:literal, $ipn:literal) => {
            (
                include_bytes!(concat!("../../../tests/samples/outbound/", $outbound)).as_slice(),
                include_bytes!(concat!("../../../tests/samples/ipn/", $ipn)).as_slice(),
            )
        };
    }
    for (outbound, ipn) in [
        twins!("buy_product.one_time.json", "sale.one_time.form"),
        twins!("buy_product.subscription_first_payment.json", "sale.subscription.form"),
        twins!("buy_product.legacy_buyer_names.json", "sale.subscription.form"),
        twins!("buy_product.trial.json", "sale.trial.form"),
        twins!("cancel_subscription.json", "cancellation.form"),
        twins!("cancel_subscription.stringly.json", "cancellation.legacy_buyer_names.form"),
        twins!("refund_product.full.json", "refund.one_time.form"),
        twins!("partial_refund_product.json", "partial_refund.form"),
    ] {
        for vouched in [Vouched::Ipn, Vouched::Unchecked] {
            let (id, outbound) = witness_of(outbound, Vouched::Outbound, 1);
            let (same, ipn) = witness_of(ipn, vouched, 2);
            assert_eq!(id, same);
            let both = Event::merge(id.clone(), vec![outbound.clone(), ipn.clone()], Tz::UTC);
            assert_eq!(
                Event::merge(id.clone(), vec![ipn.clone(), outbound.clone()], Tz::UTC),
                both
            );
            let both = both.expect("an event");
            assert_eq!(both.lead, Some(LeadKey("2087311".to_owned())));
            // Persons come whole: only where the outbound feed speaks is a profile known.
            let profile = both.said.person.profile_email.is_some();
            assert_eq!(profile, vouched == Vouched::Unchecked, "{id:?}");
            for (said, known) in [
                (&both.said.original_id, [&outbound, &ipn].map(|w| &w.observation.original_id)),
                (&both.said.parent_id, [&outbound, &ipn].map(|w| &w.observation.parent_id)),
            ] {
                assert_eq!(said.is_some(), known.iter().any(|id| id.is_some()), "{id:?}");
            }
        }
    }
}

#[test]
fn an_event_is_known_by_its_kind_and_transaction_and_any_other_by_its_webhook() {
    let of = |kind, transaction: Option<&str>| {
        let transaction_id = transaction.map(str::to_owned);
        let observation =
            Observation { kind, transaction_id, ..Observation::other(Person::default()) };
        EventId::of(&observation, "webhook").0
    };
    assert_eq!(of(Kind::Sale, Some("7")), "sale:7");
    assert_eq!(of(Kind::Refund, Some("7")), "refund:7");
    assert_eq!(of(Kind::Other, None), "other:webhook");
    for kind in Kind::ALL {
        let id = EventId(of(kind, Some("I-1:2")));
        assert_eq!(id.parts(), (Some(kind), Some("I-1:2")));
    }
    assert_eq!(Event::merge(EventId("sale:7".to_owned()), Vec::new(), Tz::UTC), None);
}
