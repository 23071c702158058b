//! Where and when a story plays, who is in it and what is sold.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::super::story::Message;

/// Something that happened in Kartra, before anybody has told of it.
#[derive(Debug, Clone)]
pub struct Fact {
    pub at: DateTime<Utc>,
    /// All that could be said of it.
    pub message: Message,
}

/// A buyer. The address changes as time goes by.
#[derive(Debug, Clone)]
pub struct Person {
    pub lead_id: Option<String>,
    addresses: Vec<(DateTime<Utc>, String)>,
}

impl Person {
    /// The address the person uses at an instant.
    pub fn address_at(&self, at: DateTime<Utc>) -> &str {
        let used = self.addresses.iter().rev().find(|(from, _)| *from <= at);
        &used.unwrap_or(&self.addresses[0]).1
    }
}

/// A product with the price points it is sold at.
#[derive(Debug, Clone)]
pub struct Product {
    pub id: String,
    pub price_points: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Stage {
    pub zone: Tz,
    pub base: DateTime<Utc>,
    pub people: Vec<Person>,
    pub products: Vec<Product>,
    /// How likely any one thing is to be spoilt.
    pub spoilt: f64,
    /// Times of the zone near `base` that its clock skips or shows twice.
    pub odd_times: Vec<NaiveDateTime>,
}

pub const ADDRESSES: [&str; 5] = [
    "ann@example.com",
    "bob@example.com",
    "cleo@example.com",
    "dan@example.com",
    "eve@example.com",
];

impl Stage {
    pub fn set(rng: &mut ChaCha8Rng) -> Self {
        let (zone, odd_times) = zone(rng);
        let lead_in = rng.random_range(1..40);
        let odd_day = odd_times.choose(rng).map_or_else(|| day(2025, 1, 31), NaiveDateTime::date);
        let base = odd_day.and_time(NaiveTime::MIN).and_utc() - Duration::days(lead_in);
        let hour = [0, 5, 14, 23].choose(rng).copied().unwrap_or(0);
        let base = base + Duration::hours(hour);
        let people = (0..rng.random_range(1..=4)).map(|number| person(rng, base, number)).collect();
        let products = (0..rng.random_range(1..=3)).map(|number| product(rng, number)).collect();
        let spoilt =
            [0.0, 0.0, 0.0, 0.02, 0.02, 0.05, 0.05, 0.12].choose(rng).copied().unwrap_or(0.0);
        Stage { zone, base, people, products, spoilt, odd_times }
    }

    /// What the site's clock shows at an instant.
    pub fn clock(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    /// Whether something goes wrong here, `often` times as likely as elsewhere.
    pub fn spoils(&self, rng: &mut ChaCha8Rng, often: f64) -> bool {
        rng.random_bool((self.spoilt * often).min(0.9))
    }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

fn time(date: NaiveDate, hour: u32, minute: u32) -> NaiveDateTime {
    date.and_hms_opt(hour, minute, 0).expect("a time of the day")
}

fn zone(rng: &mut ChaCha8Rng) -> (Tz, Vec<NaiveDateTime>) {
    match rng.random_range(0..10) {
        0..=4 => {
            let march = day(2025, 3, 9);
            let november = day(2025, 11, 2);
            (
                Tz::America__New_York,
                vec![
                    time(march, 2, 0),
                    time(march, 2, 30),
                    time(november, 1, 0),
                    time(november, 1, 30),
                ],
            )
        }
        5 | 6 => {
            let march = day(2025, 3, 30);
            let october = day(2025, 10, 26);
            (
                Tz::Europe__Berlin,
                vec![
                    time(march, 2, 0),
                    time(march, 2, 59),
                    time(october, 2, 0),
                    time(october, 2, 30),
                ],
            )
        }
        7 => (
            Tz::Australia__Lord_Howe,
            vec![time(day(2025, 10, 5), 2, 15), time(day(2025, 4, 6), 1, 45)],
        ),
        8 => (Tz::Asia__Kolkata, Vec::new()),
        _ => (Tz::UTC, Vec::new()),
    }
}

/// Mostly a lead of their own with an address of their own; some share an address, change it, or have no lead id.
fn person(rng: &mut ChaCha8Rng, base: DateTime<Utc>, number: usize) -> Person {
    let own = if rng.random_bool(0.2) { ADDRESSES[0] } else { ADDRESSES[number] };
    let mut addresses = vec![(base, own.to_owned())];
    if rng.random_bool(0.4) {
        let changed = base + Duration::days(rng.random_range(1..60));
        let next =
            if rng.random_bool(0.5) { ADDRESSES[4] } else { ADDRESSES[rng.random_range(0..4)] };
        addresses.push((changed, next.to_owned()));
    }
    let lead_id = (!rng.random_bool(0.1)).then(|| (701 + number).to_string());
    Person { lead_id, addresses }
}

fn product(rng: &mut ChaCha8Rng, number: usize) -> Product {
    let count = rng.random_range(1..=2);
    Product {
        id: (501 + number).to_string(),
        price_points: (1..=count).map(|point: u8| point.to_string()).collect(),
    }
}
