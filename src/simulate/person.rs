//! Invented people: nobody of these exists, and no address of theirs can receive anything.

use std::ops::RangeInclusive;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A lead as Kartra would know it, with the habits of the account that sends about it.
#[derive(Debug, Clone)]
pub struct Person {
    /// Kartra's lead id.
    pub lead_id: u64,
    /// First name, as the person writes it.
    pub first_name: &'static str,
    /// Last name, as the person writes it.
    pub last_name: &'static str,
    /// The e-mail address, as typed: some people type capitals.
    pub email: String,
    /// Kartra's name for the lead's account.
    pub username: String,
    /// Seven digits.
    pub phone: String,
    /// Street and number.
    pub address: String,
    /// Where the person lives.
    pub place: Place,
    /// An address of 203.0.113.0/24, which is reserved for examples.
    pub ip: String,
    /// `Stripe`, `PayPal`, ….
    pub processor: &'static str,
    /// The last digits of the card.
    pub card: u64,
    /// Whether money events carry their numbers as strings.
    pub stringly: bool,
    /// Whether the lead object carries its numbers as numbers.
    pub typed_lead: bool,
    /// Whether the lead object has the older shape.
    pub older_lead: bool,
    /// A number that varies what nothing depends on.
    pub flavour: u64,
}

/// A town with all that an address needs of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Town.
    pub city: &'static str,
    /// Postal code.
    pub zip: &'static str,
    /// State, as checkouts have it.
    pub state: &'static str,
    /// State, as profiles have it.
    pub state_code: &'static str,
    /// Country.
    pub country: &'static str,
    /// Its code of two letters.
    pub country_2: &'static str,
    /// Its code of three letters.
    pub country_3: &'static str,
    /// Its calling code, without the plus.
    pub calling_code: &'static str,
    /// A time zone in it.
    pub time_zone: &'static str,
}

/// As written, and as it stands in an address.
type Name = (&'static str, &'static str);

const FIRST: [Name; 20] = [
    ("Dana", "dana"),
    ("Zoë", "zoe"),
    ("Marcus", "marcus"),
    ("Priya", "priya"),
    ("Łukasz", "lukasz"),
    ("Ingrid", "ingrid"),
    ("Tomás", "tomas"),
    ("Aaliyah", "aaliyah"),
    ("Jürgen", "juergen"),
    ("Mei", "mei"),
    ("Oluwaseun", "oluwaseun"),
    ("Harriet", "harriet"),
    ("Noah", "noah"),
    ("Camille", "camille"),
    ("Yuki", "yuki"),
    ("Rosa", "rosa"),
    ("Declan", "declan"),
    ("Fatima", "fatima"),
    ("Gwen", "gwen"),
    ("Mateo", "mateo"),
];

const LAST: [Name; 20] = [
    ("Whitfield", "whitfield"),
    ("O'Rourke", "orourke"),
    ("Nakamura", "nakamura"),
    ("Brandt", "brandt"),
    ("Castillo", "castillo"),
    ("Lindqvist", "lindqvist"),
    ("Adeyemi", "adeyemi"),
    ("Kowalczyk", "kowalczyk"),
    ("Fairweather", "fairweather"),
    ("Müller", "mueller"),
    ("Haddad", "haddad"),
    ("Rao", "rao"),
    ("Petrov", "petrov"),
    ("Smith-Jones", "smith-jones"),
    ("Delacroix", "delacroix"),
    ("Novak", "novak"),
    ("Tran", "tran"),
    ("Goldberg", "goldberg"),
    ("van der Meer", "vandermeer"),
    ("Okafor", "okafor"),
];

const STREETS: [&str; 8] = [
    "Orchard Lane",
    "Mill Road",
    "Harbour Street",
    "Juniper Court",
    "Station Avenue",
    "Old Vicarage Close",
    "Chestnut Drive, Apt. 4",
    "Quarry Hill",
];

const PROCESSORS: [&str; 6] =
    ["Stripe", "Stripe", "Stripe", "PayPal", "Braintree", "Authorize.net"];

#[rustfmt::skip]
const PLACES: [Place; 6] = [
    place("Albany", "12207", ("New York", "NY"), ("United States", "US", "USA"), "1", "America/New_York"),
    place("Boise", "83702", ("Idaho", "ID"), ("United States", "US", "USA"), "1", "America/Boise"),
    place("Bristol", "BS1 4ST", ("England", "ENG"), ("United Kingdom", "GB", "GBR"), "44", "Europe/London"),
    place("Köln", "50667", ("Nordrhein-Westfalen", "NW"), ("Germany", "DE", "DEU"), "49", "Europe/Berlin"),
    place("Halifax", "B3J 1S9", ("Nova Scotia", "NS"), ("Canada", "CA", "CAN"), "1", "America/Halifax"),
    place("Hobart", "7000", ("Tasmania", "TAS"), ("Australia", "AU", "AUS"), "61", "Australia/Hobart"),
];

const fn place(
    city: &'static str,
    zip: &'static str,
    (state, state_code): (&'static str, &'static str),
    (country, country_2, country_3): (&'static str, &'static str, &'static str),
    calling_code: &'static str,
    time_zone: &'static str,
) -> Place {
    Place { city, zip, state, state_code, country, country_2, country_3, calling_code, time_zone }
}

impl Person {
    /// Invents somebody. `mark` tells apart those who drew the same name: two members must not share an address, or
    /// they would be one.
    pub fn invent(rng: &mut ChaCha8Rng, lead_id: u64, mark: &str) -> Self {
        let (first_name, first) = pick(rng, &FIRST);
        let (last_name, last) = pick(rng, &LAST);
        let email = if chance(rng, 5) {
            format!("{}.{}.{mark}@Example.com", capital(first), capital(last))
        } else {
            format!("{first}.{last}.{mark}@example.com")
        };
        let hex = rng.random_range(0x10_0000_u32..0xFF_FFFF);
        Self {
            lead_id,
            first_name,
            last_name,
            email,
            username: format!("{first}{last}{hex:06x}"),
            phone: format!("555{:04}", between(rng, 100..=199)),
            address: format!("{} {}", between(rng, 1..=240), pick(rng, &STREETS)),
            place: pick(rng, &PLACES),
            ip: format!("203.0.113.{}", between(rng, 1..=254)),
            processor: pick(rng, &PROCESSORS),
            card: u64::from(between(rng, 1_000..=9_999)),
            stringly: chance(rng, 40),
            typed_lead: chance(rng, 20),
            older_lead: chance(rng, 10),
            flavour: u64::from(between(rng, 0..=999_999)),
        }
    }

    /// The address that this person changes to.
    pub fn new_email(&self) -> String {
        self.email.replacen('@', ".new@", 1)
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// One of these.
pub fn pick<T: Copy + Default>(rng: &mut ChaCha8Rng, these: &[T]) -> T {
    these.choose(rng).copied().unwrap_or_default()
}

/// True in so many of a hundred cases.
pub fn chance(rng: &mut ChaCha8Rng, percent: u32) -> bool {
    rng.random_range(0..100) < percent
}

/// A number in this range.
pub fn between(rng: &mut ChaCha8Rng, range: RangeInclusive<u32>) -> u32 {
    rng.random_range(range)
}
