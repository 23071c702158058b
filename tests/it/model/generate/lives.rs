//! The facts of people's lives as buyers.

mod endings;

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::super::story::{Kind, Message};
use super::stage::{Fact, Person, Product, Stage};

/// All facts of a story, in no order.
pub fn facts(rng: &mut ChaCha8Rng, stage: &Stage) -> Vec<Fact> {
    let mut teller =
        Teller { rng, stage, facts: Vec::new(), ids: transaction_ids(), next_subscription: 9001 };
    teller.ids.shuffle(teller.rng);
    for number in 0..stage.people.len() {
        for _ in 0..teller.rng.random_range(1..=2) {
            teller.purchase(number);
        }
        teller.profile_events(number);
    }
    teller.facts
}

/// Ids do not tell the order of things: some are longer than others, some are no numbers.
fn transaction_ids() -> Vec<String> {
    let numbers = (0..280).map(|number| (9_960 + number).to_string());
    let words = (0..6).map(|number| format!("T-{number}"));
    numbers.chain(words).collect()
}

struct Teller<'a> {
    rng: &'a mut ChaCha8Rng,
    stage: &'a Stage,
    facts: Vec<Fact>,
    ids: Vec<String>,
    next_subscription: u32,
}

/// What the facts of one purchase have in common.
#[derive(Clone)]
struct Deal {
    person: Person,
    product: Product,
    price_point: String,
    subscription: Option<String>,
    first: String,
    price: i64,
    circle: Option<i64>,
    installments: Option<i64>,
    /// The ids of the payments made, in their order.
    paid: Vec<String>,
}

impl Teller<'_> {
    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(self.rng).expect("something to pick from")
    }

    fn days(&mut self, from: i64, to: i64) -> Duration {
        let whole = Duration::days(self.rng.random_range(from..=to));
        if self.rng.random_bool(0.25) {
            whole + Duration::hours(self.rng.random_range(1..24))
        } else {
            whole
        }
    }

    fn purchase(&mut self, number: usize) {
        let start = self.stage.base + self.days(0, 25);
        let deal = self.deal(number);
        match self.rng.random_range(0..10) {
            0..=2 => self.one_time(deal, start),
            3..=7 => self.subscription(deal, start),
            _ => self.plan(deal, start),
        }
    }

    fn deal(&mut self, number: usize) -> Deal {
        let product = self.stage.products.choose(self.rng).expect("a product").clone();
        let price_point = product.price_points.choose(self.rng).expect("a price point").clone();
        Deal {
            person: self.stage.people[number].clone(),
            product,
            price_point,
            subscription: None,
            first: self.new_id(),
            price: self.pick(&[0, 2_000, 3_000, 9_999]),
            circle: None,
            installments: None,
            paid: Vec::new(),
        }
    }

    fn new_id(&mut self) -> String {
        self.ids.pop().expect("more ids than facts")
    }

    fn new_subscription(&mut self) -> String {
        self.next_subscription += 1;
        self.next_subscription.to_string()
    }

    fn one_time(&mut self, mut deal: Deal, start: DateTime<Utc>) {
        let id = deal.first.clone();
        self.pay(&mut deal, Kind::Sale, id, start, |message| {
            message.payments_left = Some(0);
            message.trial = Some(0);
            message.original_id = None;
        });
        let later = start + self.days(1, 40);
        self.endings(&mut deal, later, 0.35);
    }

    fn subscription(&mut self, mut deal: Deal, start: DateTime<Utc>) {
        deal.subscription = Some(self.new_subscription());
        deal.circle = Some(self.pick(&[7, 10, 30, 31]));
        let trial = self.chance(0.35).then(|| self.pick(&[3, 7, 14]));
        let shown = self.chance(0.7);
        let id = deal.first.clone();
        self.pay(&mut deal, Kind::Sale, id, start, |message| {
            message.trial = Some(i64::from(trial.is_some()));
            message.trial_period = trial;
            message.payments_left = Some(9999);
            message.rebill_circle = message.rebill_circle.filter(|_| shown);
        });
        let mut next = start + Duration::days(trial.or(deal.circle).unwrap_or(30));
        for _ in 0..self.rng.random_range(0..=4) {
            if self.chance(0.18) && !self.failures(&mut deal, &mut next) {
                return;
            }
            if self.chance(0.12) {
                self.move_to_other_product(&mut deal);
            }
            self.rebill(&mut deal, next);
            next += Duration::days(deal.circle.unwrap_or(30));
        }
        let later = next - self.days(0, 6);
        self.endings(&mut deal, later, 0.5);
    }

    fn plan(&mut self, mut deal: Deal, start: DateTime<Utc>) {
        let count = self.rng.random_range(2..=4);
        deal.subscription = Some(self.new_subscription());
        deal.circle = Some(self.pick(&[7, 30]));
        deal.installments = Some(count);
        let id = deal.first.clone();
        self.pay(&mut deal, Kind::Sale, id, start, |message| message.trial = Some(0));
        let mut next = start + Duration::days(deal.circle.unwrap_or(30));
        for _ in 1..self.rng.random_range(1..=count) + i64::from(self.rng.random_bool(0.5)) {
            if self.chance(0.1) && !self.failures(&mut deal, &mut next) {
                return;
            }
            self.rebill(&mut deal, next);
            next += Duration::days(deal.circle.unwrap_or(30));
        }
        if self.chance(0.3) {
            // A plan that goes on when it should be over, and says nothing more of its length.
            deal.installments = None;
            self.failures(&mut deal, &mut next);
            self.rebill(&mut deal, next);
        }
        let later = next - self.days(0, 6);
        self.endings(&mut deal, later, 0.6);
    }

    fn rebill(&mut self, deal: &mut Deal, at: DateTime<Utc>) {
        let id = self.new_id();
        let tells = self.chance(0.6);
        self.pay(deal, Kind::Rebill, id, at, |message| {
            message.rebill_circle = message.rebill_circle.filter(|_| tells);
        });
    }

    /// Attempts three days apart; says whether the money came in the end.
    fn failures(&mut self, deal: &mut Deal, next: &mut DateTime<Utc>) -> bool {
        for _ in 0..self.rng.random_range(1..=4) {
            let id = self.new_id();
            self.tell(deal, Kind::PaymentFailed, id, *next, |_| ());
            *next += Duration::days(3);
        }
        if self.chance(0.6) {
            return true;
        }
        let id = self.new_id();
        let at = *next - Duration::days(self.pick(&[0, 0, 2, 3]));
        self.tell(deal, Kind::Cancellation, id, at, |_| ());
        self.chance(0.25)
    }

    fn move_to_other_product(&mut self, deal: &mut Deal) {
        deal.product = self.stage.products.choose(self.rng).expect("a product").clone();
        deal.price_point =
            deal.product.price_points.choose(self.rng).expect("a price point").clone();
    }

    fn pay(
        &mut self,
        deal: &mut Deal,
        kind: Kind,
        id: String,
        at: DateTime<Utc>,
        edit: impl FnOnce(&mut Message),
    ) {
        let number = i64::try_from(deal.paid.len() + 1).expect("few payments");
        deal.paid.push(id.clone());
        let (circle, installments) = (deal.circle, deal.installments);
        let recurring = deal.subscription.is_some();
        self.tell(deal, kind, id, at, |message| {
            message.rebill_circle = circle;
            message.installments = installments;
            message.pay_number = recurring.then_some(number);
            message.payments_left = installments.map(|count| (count - number).max(0));
            edit(message);
        });
    }

    fn tell(
        &mut self,
        deal: &Deal,
        kind: Kind,
        id: String,
        at: DateTime<Utc>,
        edit: impl FnOnce(&mut Message),
    ) {
        let mut message = Message::empty(kind, "");
        message.transaction_id = Some(id);
        message.product_id = Some(deal.product.id.clone());
        message.price_point = Some(deal.price_point.clone());
        message.subscription_id.clone_from(&deal.subscription);
        message.original_id = deal.subscription.as_ref().map(|_| deal.first.clone());
        message.date = Some(self.stage.clock(at));
        message.amount = Some(deal.price);
        name_person(&mut message, &deal.person, at);
        edit(&mut message);
        self.facts.push(Fact { at, message });
    }

    /// Tags and lists, which say nothing of money and everything of addresses.
    fn profile_events(&mut self, number: usize) {
        for _ in 0..self.pick(&[0, 0, 1, 2]) {
            let at = self.stage.base + self.days(0, 90);
            let name = self.pick(&["assign_tag", "list_subscription", "membership_granted"]);
            let mut message = Message::empty(Kind::Other, name);
            name_person(&mut message, &self.stage.people[number], at);
            message.transaction_email = None;
            self.facts.push(Fact { at, message });
        }
    }
}

fn name_person(message: &mut Message, person: &Person, at: DateTime<Utc>) {
    let address = person.address_at(at).to_owned();
    message.lead_id.clone_from(&person.lead_id);
    message.profile_email = Some(address.clone());
    message.transaction_email = Some(address);
}
