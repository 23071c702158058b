//! What happens to 1,000 buyers, step by step, and what each step costs.

use super::asked::{self, begins_to_read};
use super::costs::Costs;
use super::rows;
use crate::shared::kartra::{PRODUCT, Posted, Webhooks, email};
use crate::shared::row::row;
use crate::support::{Database, START, TestApp, instant};
use chrono::TimeDelta;
use latchkey::intake::commit;
use serde_json::json;
use std::time::Instant;

/// How many buyers there are, and webhooks of each kind.
const BUYERS: u32 = 1_000;
/// How many webhooks are committed at once here, where it must not depend on who is how fast.
const GROUP: usize = 50;
/// Days from a payment of the samples until the end of what it buys: it comes after [`START`].
const DURATION_DAYS: u32 = 365;

/// Buyers, and what their doings cost.
struct Story {
    app: TestApp,
    webhooks: Webhooks,
    costs: Costs,
}

impl Story {
    fn on(database: Database) -> Self {
        asked::listen();
        let app = TestApp::start(database);
        rows::count(&app);
        app.level("gold");
        app.level("silver");
        app.map(&json!({ "product_id": PRODUCT, "level": "gold" }));
        // The breaker is asked each time, and lets everybody go.
        let limit = json!({ "max_revocations": { "percent": 100 } });
        assert_eq!(app.patch("/api/v1/sites/default", &limit).status, 200);
        let story = Self { app, webhooks: Webhooks::new(), costs: Costs::default() };
        // Whatever is only done once is done before anything is counted.
        story.store(|webhooks| vec![webhooks.payment(BUYERS + 1)]);
        story.app.drain();
        story
    }

    /// Commits webhooks as intake does, in groups that are always the same.
    fn store(&self, told: impl Fn(&Webhooks) -> Vec<Posted>) {
        let now = self.app.clock.now().naive_utc();
        let rows: Vec<_> =
            told(&self.webhooks).iter().map(|(_, body)| row("default", body, now)).collect();
        for group in rows.chunks(GROUP) {
            assert_eq!(commit(self.app.app.flow(), group), vec![true; group.len()]);
        }
    }

    /// Takes down what something costs.
    fn costs(&mut self, name: &'static str, work: impl FnOnce(&Self)) {
        asked::since_last_look(&self.app.database_url);
        rows::since_last_look(&self.app);
        asked::since_last_look(&self.app.database_url);
        work(self);
        let asked = asked::since_last_look(&self.app.database_url);
        let rows = rows::since_last_look(&self.app);
        self.costs.note(name, &asked, &rows);
    }

    /// Stores a webhook of each buyer, and applies them, which is what is counted.
    fn applies(&mut self, name: &'static str, webhook: impl Fn(&Webhooks, u32) -> Posted) {
        self.store(|webhooks| (1..=BUYERS).map(|number| webhook(webhooks, number)).collect());
        self.costs(name, |story| story.app.drain());
    }

    /// All buyers hold just these levels.
    fn all_hold(&self, levels: &[&str]) {
        for number in [1, 2, 4, BUYERS / 2, BUYERS] {
            assert_eq!(self.app.levels_of(&email(number)), levels, "buyer {number}");
        }
    }
}

fn costs_are_as_written_down(name: &str, database: Database) {
    let mut story = Story::on(database);
    story.costs("first payments, stored in groups of 50", |story| {
        story.store(|webhooks| (1..=BUYERS).map(|number| webhooks.payment(number)).collect());
    });
    story.costs("first payments, applied", |story| story.app.drain());
    story.all_hold(&["gold"]);
    story.applies("the same by the other feed, applied", Webhooks::twin);
    story.costs("a mapping of what all have bought", |story| {
        let policy = json!({ "duration_days": DURATION_DAYS });
        let mapping = json!({ "product_id": PRODUCT, "level": "silver", "policy": policy });
        let made = story.app.post("/api/v1/sites/default/mappings", &mapping);
        assert_eq!(made.status, 202, "{made:?}");
        story.app.drain();
    });
    story.all_hold(&["gold", "silver"]);
    story.costs("ends that fall due", |story| {
        story.app.at(instant(START) + TimeDelta::days(i64::from(DURATION_DAYS)));
    });
    story.all_hold(&["gold"]);
    story.applies("rebills, applied", Webhooks::rebill);
    story.applies("refunds, applied", Webhooks::refund);
    story.all_hold(&[]);
    story.app.is_as_the_events_say();
    story.costs.are_as_written_down(name);
}

#[test]
fn what_1_000_buyers_cost_on_sqlite_is_written_down() {
    costs_are_as_written_down("sqlite", Database::sqlite());
}

#[test]
fn what_1_000_buyers_cost_on_postgres_is_written_down() {
    if let Some(database) = Database::postgres() {
        costs_are_as_written_down("postgres", database);
    }
}

/// Posts webhooks one by one: each has a transaction of its own to itself, and nothing else is asked for it but,
/// once a second, which site its URL is of.
fn a_webhook_asks_only_to_be_stored(database: Database) {
    const POSTED: u32 = 100;
    asked::listen();
    let app = TestApp::start(database);
    let (hook, webhooks) = (app.hook(), Webhooks::new());
    asked::since_last_look(&app.database_url);
    let began = Instant::now();
    for number in 1..=POSTED {
        assert_eq!(app.post_raw(&hook, webhooks.payment(number).1).status, 200);
    }
    let looks_max = 1 + began.elapsed().as_secs();
    let asked = asked::since_last_look(&app.database_url);
    let times = |of: fn(&str) -> bool| -> u64 {
        asked.iter().filter(|(statement, _)| of(statement)).map(|(_, times)| times).sum()
    };
    assert_eq!(times(asked::begins_to_write), u64::from(POSTED), "{asked:#?}");
    assert!(times(begins_to_read) <= looks_max, "{looks_max}: {asked:#?}");
}

#[test]
fn a_webhook_asks_only_to_be_stored_on_sqlite() {
    a_webhook_asks_only_to_be_stored(Database::sqlite());
}

#[test]
fn a_webhook_asks_only_to_be_stored_on_postgres() {
    if let Some(database) = Database::postgres() {
        a_webhook_asks_only_to_be_stored(database);
    }
}
