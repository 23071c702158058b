//! Random histories of changes at a destination that fails, lies, answers twice and loses answers, with workers that are
//! cut in the middle: in the end everybody holds there what is wanted, what others gave is untouched, and each account
//! was made once.

use super::{SITE, all_pushes, each_change_has_its_push, makes, worker};
use crate::support::ghost::{Fault, Ghost, KEY, Member, Mood};
use crate::support::{Database, Ipn, TestApp};
use chrono::TimeDelta;
use latchkey::core::push::Status;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: u32 = 6;
const STEPS: u32 = 40;
const LABELS: [(&str, &str); 3] = [("gold", "Gold"), ("silver", "Shared"), ("tin", "Shared")];
/// What others have given some of them, before and besides.
const THEIRS: [&str; 2] = ["VIP", "Gold"];

fn email(person: u32) -> String {
    format!("person-{person}@example.com")
}

/// A Ghost in a bad mood: a third of all calls go wrong somehow.
fn mood(seed: u64) -> Mood {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Box::new(move |method| match rng.random_range(0..18) {
        0 => Some(Fault::Lost),
        1 => Some(Fault::Instead(500, "", "<h1>Error</h1>".to_owned())),
        2 => Some(Fault::Instead(429, "Retry-After: 7\r\n", "{}".to_owned())),
        3 => Some(Fault::Instead(200, "", "a page of something in front".to_owned())),
        4 => Some(Fault::Twice),
        5 if method == "PUT" => Some(Fault::Lie),
        _ => None,
    })
}

struct History {
    app: TestApp,
    ghost: Ghost,
    rng: ChaCha8Rng,
    theirs: BTreeMap<String, BTreeSet<String>>,
    numbers: u32,
}

impl History {
    fn begin(database: Database, seed: u64) -> Self {
        let app = TestApp::start_with(database, &[("egress.allow", "127.0.0.0/8")]);
        let breaker = app.patch(SITE, &json!({ "max_revocations": null }));
        assert_eq!(breaker.status, 200, "{breaker:?}");
        for (number, (level, _)) in (501..).zip(LABELS) {
            app.level(level);
            app.map(&json!({ "product_id": number.to_string(), "level": level }));
        }
        let ghost = Ghost::start_by(app.clock.clone());
        let levels: Vec<_> = LABELS
            .iter()
            .map(|(level, label)| json!({ "level": level, "remote": label }))
            .collect();
        makes(
            &app,
            &json!({
                "kind": "ghost", "name": "Ghost", "levels": levels,
                "config": { "url": ghost.url(), "admin_api_key": KEY },
                "limits": { "calls_per_second": 1000, "concurrency": 4 },
            }),
        );
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut theirs = BTreeMap::new();
        for person in (0..PEOPLE).filter(|person| person % 2 == 0) {
            let labels: Vec<String> =
                THEIRS.iter().filter(|_| rng.random_bool(0.6)).map(ToString::to_string).collect();
            theirs.insert(email(person), labels.iter().cloned().collect());
            let status = "free".to_owned();
            ghost.state().has(Member { email: email(person), labels, status, ..Member::default() });
        }
        ghost.is_in(Some(mood(seed)));
        Self { app, ghost, rng, theirs, numbers: 0 }
    }

    /// Something happens to somebody.
    fn step(&mut self) {
        let person = self.rng.random_range(0..PEOPLE);
        let (product, subscription) =
            (self.rng.random_range(501..504), self.rng.random_range(0..2));
        let subscription = person * 1_000 + product * 10 + subscription;
        self.numbers += 1;
        let ipn = |kind: &str| {
            let ipn = Ipn::new(kind, self.numbers).of(&email(person)).product(product);
            ipn.subscription(subscription).body()
        };
        let body = match self.rng.random_range(0..6) {
            0..3 => ipn("sale"),
            3 => ipn("cancellation"),
            4 => ipn("refund"),
            _ => ipn("rebill"),
        };
        assert_eq!(self.app.receives(body).status, 200);
        if self.rng.random_bool(0.7) {
            self.app.drain();
        }
        match self.rng.random_range(0..10) {
            0..5 => worker(&self.app).drain().expect("sent"),
            // A worker is cut: what it has begun is lost sight of.
            5 => {
                let mut cut = worker(&self.app);
                cut.turn().expect("begun");
            }
            _ => {}
        }
        let pause = [1, 6, 120, 400, 2_000][self.rng.random_range(0..5)];
        self.app.clock.set(self.app.clock.now() + TimeDelta::seconds(pause));
    }

    /// The destination is well again, and all is worked off; what it lied about is found by a push to everybody.
    fn end(&self) {
        self.ghost.is_in(None);
        for again in [false, true] {
            if again {
                for push in all_pushes(&self.app) {
                    let path = format!("{SITE}/pushes/{}/retry", push.id);
                    assert_eq!(self.app.post(&path, &json!({})).status, 200);
                }
            }
            for _ in 0..12 {
                self.app.clock.set(self.app.clock.now() + TimeDelta::hours(30));
                self.app.drain();
                worker(&self.app).drain().expect("sent");
            }
        }
    }

    /// Everybody holds what is wanted, and what others gave.
    fn holds(&self) {
        for push in all_pushes(&self.app) {
            assert_eq!(Status::from_word(&push.status), Some(Status::Done), "{push:#?}");
        }
        for person in 0..PEOPLE {
            let email = email(person);
            let levels = self.app.levels_of(&email);
            let ours = LABELS.iter().filter(|(level, _)| levels.contains(&(*level).to_owned()));
            let mut wanted: BTreeSet<String> = ours.map(|(_, label)| (*label).to_owned()).collect();
            wanted.extend(self.theirs.get(&email).into_iter().flatten().cloned());
            let state = self.ghost.state();
            let accounts: Vec<&Member> =
                state.members.iter().filter(|member| member.email == email).collect();
            assert!(accounts.len() <= 1, "{email} was made twice");
            let holds: BTreeSet<String> =
                accounts.iter().flat_map(|member| &member.labels).cloned().collect();
            assert_eq!(holds, wanted, "{email} holds {levels:?}");
            let mails = state.mails.iter().filter(|mail| **mail == email).count();
            let made_by_us = !accounts.is_empty() && !self.theirs.contains_key(&email);
            assert_eq!(mails, usize::from(made_by_us), "{email} was welcomed");
        }
    }
}

fn random_histories(database: impl Fn() -> Database, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut history = History::begin(database(), seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.end();
        history.holds();
        history.app.is_as_the_events_say();
        each_change_has_its_push(&history.app);
    }
}

#[test]
fn in_the_end_everybody_holds_what_is_wanted_on_sqlite() {
    random_histories(Database::sqlite, 0..8);
}

#[test]
fn in_the_end_everybody_holds_what_is_wanted_on_postgres() {
    if Database::postgres().is_some() {
        random_histories(|| Database::postgres().expect("there"), 100..102);
    }
}
