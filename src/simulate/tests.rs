mod expected;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn plan(members: u32) -> Plan {
    Plan { members, seed: 1, shuffle: false, duplicate: 0.0, ipn: 1.0, loss: 0.0, secret: None }
}

fn json(message: &Message) -> Value {
    serde_json::from_slice(&message.body).expect("outbound bodies are JSON")
}

fn form(message: &Message) -> Vec<(String, String)> {
    form_urlencoded::parse(&message.body).into_owned().collect()
}

fn of_feed(messages: &[Message], feed: Feed) -> impl Iterator<Item = &Message> {
    messages.iter().filter(move |m| m.feed == feed)
}

/// Kind and transaction id, or none for what is not money.
fn identity(message: &Message) -> Option<(String, String)> {
    if message.feed == Feed::Ipn {
        let form: BTreeMap<_, _> = form(message).into_iter().collect();
        return Some((form["transaction_type"].clone(), form["transaction_id"].clone()));
    }
    let body = json(message);
    let details = body["action_details"].get("transaction_details")?;
    let id = details["transaction_id"].to_string().replace('"', "");
    let kind = details["transaction_type"].as_str().unwrap().to_owned();
    Some((kind, id))
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let plan = Plan { shuffle: true, duplicate: 0.2, ipn: 0.5, ..plan(40) };
    assert_eq!(messages(&plan), messages(&plan));
}

/// What a build prints must not depend on the features of its dependencies, nor on their versions. Whoever changes the
/// stories on purpose writes down the new number.
#[test]
fn the_bytes_are_those_of_every_other_build() {
    let plan = Plan { shuffle: true, duplicate: 0.1, ..plan(30) };
    let all = messages(&plan);
    let bytes = all.iter().flat_map(|m| &m.body);
    let fnv = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(fnv, 14_734_190_813_264_256_600);
}

#[test]
fn another_seed_gives_other_bytes_and_other_people() {
    let one = messages(&plan(40));
    let two = messages(&Plan { seed: 2, ..plan(40) });
    let ids = |all: &[Message]| -> BTreeSet<_> { all.iter().filter_map(identity).collect() };
    assert!(ids(&one).is_disjoint(&ids(&two)));
    let emails = |all: &[Message]| -> BTreeSet<_> {
        of_feed(all, Feed::Outbound).map(|m| json(m)["lead"]["email"].to_string()).collect()
    };
    assert!(emails(&one).is_disjoint(&emails(&two)));
}

#[test]
fn a_shuffle_is_a_permutation() {
    let plain = messages(&plan(40));
    let shuffled = messages(&Plan { shuffle: true, ..plan(40) });
    assert_ne!(plain, shuffled);
    let sorted = |mut all: Vec<Message>| {
        all.sort_by(|a, b| a.body.cmp(&b.body));
        all
    };
    assert_eq!(sorted(plain), sorted(shuffled));
}

#[test]
fn without_the_ipn_there_is_none_and_the_rest_stays_the_same() {
    let both = messages(&plan(60));
    let outbound = messages(&Plan { ipn: 0.0, ..plan(60) });
    assert!(of_feed(&outbound, Feed::Ipn).next().is_none());
    let rest: Vec<_> = of_feed(&both, Feed::Outbound).cloned().collect();
    assert_eq!(rest, outbound);
}

#[test]
fn repeats_add_only_what_was_sent_before() {
    let once = messages(&plan(60)).len();
    let plan = Plan { duplicate: 1.0, ..plan(60) };
    assert_eq!(messages(&plan).len(), 2 * once);
    let mut seen = BTreeSet::new();
    for place in order(&plan).places {
        let body = message(&plan, place).unwrap().body;
        assert_eq!(seen.contains(&body), place.repeat);
        seen.insert(body);
    }
}

#[test]
fn a_member_is_told_of_in_the_order_in_which_it_happened() {
    let plan = Plan { duplicate: 0.3, ..plan(50) };
    let mut last = BTreeMap::new();
    for place in order(&plan).places {
        assert!(last.insert(place.member, place.nth).unwrap_or(0) <= place.nth);
    }
}

#[test]
fn a_member_lives_the_same_life_among_more() {
    let of_third = |members| {
        let plan = plan(members);
        let places = order(&plan).places.into_iter().filter(|p| p.member == 2);
        places.filter_map(|p| message(&plan, p)).collect::<Vec<_>>()
    };
    assert_eq!(of_third(3), of_third(30));
}

#[test]
fn everything_lies_in_the_window() {
    let plan = plan(300);
    for place in order(&plan).places {
        let date = place.at.date();
        assert!((story::WINDOW_START..story::WINDOW_END).contains(&date), "{place:?}");
    }
}

#[test]
fn nobody_who_changes_the_address_tells_of_a_profile_with_the_old_one() {
    let plan = plan(300);
    let mut moved = 0;
    for member in 0..plan.members {
        let (story, _) = member_of(&plan, member);
        let Some(changed) = story.email_changed_at else {
            continue;
        };
        moved += 1;
        let mut profiles = story.events.iter();
        assert!(profiles.all(|e| matches!(e.what, What::Money(_)) || e.at >= changed));
    }
    assert!(moved > 5);
}

#[test]
fn addresses_cannot_be_anybodys_and_differ() {
    let plan = plan(300);
    let mut seen = BTreeSet::new();
    for member in 0..plan.members {
        let (story, _) = member_of(&plan, member);
        let email = story.person.email.to_lowercase();
        assert!(email.ends_with("@example.com"));
        assert!(story.person.ip.starts_with("203.0.113."));
        assert!(seen.insert(email));
        assert!(story.person.new_email().contains(".new@"));
    }
}
