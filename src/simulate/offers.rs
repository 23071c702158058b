//! What the invented shop sells.
//!
//! Product ids are small and fixed whatever the seed, so that mappings made for one simulation fit the next.

use std::collections::BTreeSet;

/// How an offer is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// Once; no subscription.
    Once,
    /// Every month until cancelled.
    Monthly,
    /// In so many monthly payments, the first at the sale.
    Plan(u32),
}

/// A price point of a product.
#[derive(Debug, PartialEq, Eq)]
pub struct Offer {
    /// Kartra's product id.
    pub product_id: u64,
    /// The product's name.
    pub product: &'static str,
    /// The ordinal of the price point inside the product.
    pub price_point: u64,
    /// What one payment costs, in cents.
    pub cents: u64,
    /// How it is paid.
    pub billing: Billing,
    /// The trial that comes first: its days, and what it costs in cents.
    pub trial: Option<(u32, u64)>,
}

impl Offer {
    const fn new(
        (product_id, product): (u64, &'static str),
        price_point: u64,
        cents: u64,
        billing: Billing,
    ) -> Self {
        let trial = None;
        Self { product_id, product, price_point, cents, billing, trial }
    }

    /// Whether buying it starts a subscription, in Kartra's sense: anything that is paid more than once.
    pub fn recurs(&self) -> bool {
        self.billing != Billing::Once
    }
}

const COURSE: (u64, &str) = (557_920, "Pantry Starter Course");
const WORKSHOP: (u64, &str) = (557_931, "Weeknight Sauces & Stocks Workshop");
const MEMBERSHIP: (u64, &str) = (558_001, "Meal Plan Membership");
const PREMIUM: (u64, &str) = (558_002, "Meal Plan Membership Premium");
const MENTORSHIP: (u64, &str) = (558_044, "Home Chef Mentorship");

/// What is bought once.
pub static ONCE: [Offer; 3] = [
    Offer::new(COURSE, 1, 7_900, Billing::Once),
    Offer::new(COURSE, 2, 14_900, Billing::Once),
    Offer::new(WORKSHOP, 1, 3_950, Billing::Once),
];

/// What is paid every month.
pub static MONTHLY: [Offer; 2] = [
    Offer::new(MEMBERSHIP, 1, 1_900, Billing::Monthly),
    Offer::new(MEMBERSHIP, 2, 2_900, Billing::Monthly),
];

/// What is paid in instalments.
pub static PLANS: [Offer; 3] = [
    Offer::new(MEMBERSHIP, 3, 5_900, Billing::Plan(6)),
    Offer::new(MENTORSHIP, 1, 19_900, Billing::Plan(3)),
    Offer::new(MENTORSHIP, 2, 5_725, Billing::Plan(12)),
];

/// What begins with a trial, paid or free.
pub static TRIALS: [Offer; 2] = [
    Offer { trial: Some((14, 100)), ..Offer::new(MEMBERSHIP, 4, 2_900, Billing::Monthly) },
    Offer { trial: Some((7, 0)), ..Offer::new(PREMIUM, 2, 4_900, Billing::Monthly) },
];

/// What a monthly member moves up to.
pub static UPGRADE: Offer = Offer::new(PREMIUM, 1, 4_900, Billing::Monthly);

/// The ids of all products, in order.
pub fn product_ids() -> BTreeSet<u64> {
    let offers = ONCE.iter().chain(&MONTHLY).chain(&PLANS).chain(&TRIALS).chain([&UPGRADE]);
    offers.map(|offer| offer.product_id).collect()
}
