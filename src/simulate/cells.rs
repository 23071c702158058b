//! Which keys a money event has on each feed, and what stands under each key.
//!
//! Keys, their order and their ways to say "none" follow what Kartra documents; where its pages are cut, the tables of
//! `get_transaction_details`.

use std::borrow::Cow;

use chrono::NaiveDateTime;

use super::Feed;
use super::offers::Billing;
use super::person::Person;
use super::story::{Kind, Money};

/// A value, before a feed has given it its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words, an address, a date.
    Text(Cow<'static, str>),
    /// A number that some accounts send as a string.
    Number(u64),
    /// A number that stays one even where all others are strings.
    Bare(u64),
    /// Cents, sent as a decimal number.
    Cents(u64),
    /// Nothing, in Kartra's words `N/A`.
    Absent,
}

/// A money event with all that a feed says around it.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// What happened.
    pub money: &'a Money,
    /// When.
    pub at: NaiveDateTime,
    /// To whom.
    pub person: &'a Person,
    /// The address that the person had then.
    pub email: &'a str,
    /// When the person became a lead.
    pub joined: NaiveDateTime,
    /// The IPN's secret.
    pub secret: &'a str,
    /// Over which feed.
    pub feed: Feed,
}

type Keys = &'static [&'static str];

#[rustfmt::skip]
mod keys {
    use super::Keys;
    pub const NAMED: Keys = &["transaction_id", "lead_first_name", "lead_last_name", "lead_email", "lead_username", "lead_id",
        "product_name", "product_id", "product_price_point"];
    pub const AMOUNTS: Keys = &["transaction_quantity", "transaction_full_amount", "transaction_base_amount",
        "transaction_discount", "transaction_tax", "transaction_shipping", "transaction_affiliate", "transaction_jv"];
    pub const DATED: Keys = &["transaction_date", "transaction_type"];
    pub const PARENT: Keys = &["transaction_parent_id"];
    pub const SUBSCRIPTION: Keys = &["transaction_subscription_id", "transaction_internal_subscription_id"];
    pub const PAY_NUMBER: Keys = &["transaction_subscription_pay_number"];
    pub const ORDER: Keys = &["transaction_last_4_card_digits", "original_id"];
    pub const ADDRESS: Keys = &["lead_country", "lead_country_code_2", "lead_country_code_3", "lead_ip", "lead_state",
        "lead_phone_country_code", "lead_phone_number", "lead_address", "lead_city", "lead_zip"];
    pub const TRACKING: Keys = &["vendor_tracking_id_1", "vendor_tracking_id_2", "vendor_tracking_link"];
    pub const TRIAL: Keys = &["trial", "trial_period", "trial_amount"];
    pub const SHIPPING: Keys = &["shipping_first_name", "shipping_last_name", "shipping_address", "shipping_city",
        "shipping_zip", "shipping_country", "shipping_state"];
    pub const PROCESSOR: Keys = &["payment_processor_type"];

    pub const IPN_AMOUNTS: Keys = &["transaction_id", "transaction_full_amount", "transaction_base_amount",
        "transaction_discount", "transaction_shipping", "transaction_tax", "transaction_date", "transaction_type",
        "transaction_parent_id", "transaction_affiliate", "transaction_jv", "transaction_quantity"];
    pub const IPN_CANCELLATION: Keys = &["transaction_id", "transaction_date", "transaction_type"];
    pub const IPN_PRODUCT: Keys = &["product_name", "product_id", "product_price_point"];
    pub const IPN_PERSON: Keys = &["lead_id", "lead_first_name", "lead_last_name", "lead_email", "lead_username",
        "lead_phone_country_code", "lead_phone_number", "lead_address", "lead_city", "lead_zip", "lead_state",
        "lead_country", "lead_country_code_2", "lead_country_code_3", "lead_ip", "secret_key"];
    pub const IPN_CONSENT: Keys = &["gdpr_lead_status", "gdpr_lead_status_date", "gdpr_lead_status_ip",
        "gdpr_lead_communications"];
}

impl Telling<'_> {
    /// The keys, in the order in which they stand in the body.
    pub fn keys(&self) -> Vec<&'static str> {
        match self.feed {
            Feed::Outbound => self.outbound_keys(),
            Feed::Ipn => self.ipn_keys(),
        }
    }

    fn outbound_keys(&self) -> Vec<&'static str> {
        use keys::{
            ADDRESS, AMOUNTS, DATED, NAMED, ORDER, PARENT, PAY_NUMBER, PROCESSOR, SHIPPING,
            SUBSCRIPTION, TRACKING, TRIAL,
        };
        if self.money.kind == Kind::Cancellation {
            return [NAMED, DATED, SUBSCRIPTION, ORDER, ADDRESS, PROCESSOR].concat();
        }
        let mut keys =
            [NAMED, AMOUNTS, DATED, PARENT, SUBSCRIPTION, PAY_NUMBER, ORDER, ADDRESS, TRACKING]
                .concat();
        if self.money.kind == Kind::Sale {
            keys.extend(TRIAL);
            match self.money.offer.billing {
                Billing::Once => {}
                Billing::Monthly => keys.extend(["rebill_circle", "payments_left"]),
                Billing::Plan(_) => keys.extend(["rebill_circle", "installments", "payments_left"]),
            }
        }
        keys.extend(SHIPPING);
        keys.extend(PROCESSOR);
        keys
    }

    fn ipn_keys(&self) -> Vec<&'static str> {
        use keys::{
            IPN_AMOUNTS, IPN_CANCELLATION, IPN_CONSENT, IPN_PERSON, IPN_PRODUCT, ORDER, PAY_NUMBER,
            SHIPPING, SUBSCRIPTION, TRACKING,
        };
        if self.money.kind == Kind::Cancellation {
            let product = [IPN_CANCELLATION, SUBSCRIPTION, ORDER, IPN_PRODUCT].concat();
            return [&product, IPN_PERSON, TRACKING, IPN_CONSENT].concat();
        }
        let mut keys = [IPN_AMOUNTS, SUBSCRIPTION, PAY_NUMBER, ORDER, IPN_PRODUCT].concat();
        if self.money.kind == Kind::Sale {
            keys.extend(["trial", "trial_amount", "trial_period", "payments_left"]);
        }
        // Kartra's IPN pages are cut before these; without them nobody could hear that a plan is paid off.
        if self.money.kind == Kind::Rebill && matches!(self.money.offer.billing, Billing::Plan(_)) {
            keys.extend(["installments", "payments_left"]);
        }
        if self.money.reattempt > 0 {
            keys.push("failed_reattempt_number");
        }
        [&keys, IPN_PERSON, TRACKING, SHIPPING, IPN_CONSENT].concat()
    }

    /// What stands under a key.
    pub fn cell(&self, key: &str) -> Cell {
        let money = self.money;
        match key {
            "transaction_id" => Cell::Number(money.transaction_id),
            "transaction_quantity" => Cell::Number(1),
            "transaction_full_amount" => Cell::Cents(money.cents),
            "transaction_base_amount" => Cell::Cents(money.base_cents),
            "transaction_shipping" => Cell::Cents(0),
            "transaction_date" => text(self.at.format("%Y-%m-%d %H:%M:%S").to_string()),
            "transaction_type" => fixed(money.kind.transaction_type()),
            "transaction_parent_id" => Cell::Number(money.parent_id),
            "transaction_subscription_id" => self.subscription(self.processors_id()),
            "transaction_internal_subscription_id" => {
                self.subscription(Cell::Number(money.subscription_id))
            }
            "transaction_subscription_pay_number" if money.subscription_id != 0 => {
                Cell::Number(money.pay_number.into())
            }
            "transaction_last_4_card_digits" if !self.pays_by_paypal() => {
                Cell::Number(self.person.card)
            }
            "original_id" if money.subscription_id == 0 => Cell::Number(0),
            "original_id" => Cell::Number(money.order_id),
            "product_name" => fixed(money.offer.product),
            "product_id" => Cell::Number(money.offer.product_id),
            "product_price_point" => Cell::Number(money.offer.price_point),
            "trial" => Cell::Number(money.offer.trial.is_some().into()),
            "trial_period" => {
                money.offer.trial.map_or(Cell::Absent, |(days, _)| Cell::Number(days.into()))
            }
            "trial_amount" => {
                money.offer.trial.map_or(Cell::Absent, |(_, cents)| Cell::Cents(cents))
            }
            "rebill_circle" => Cell::Number(money.days_to_next),
            "installments" => match money.offer.billing {
                Billing::Plan(payments) => Cell::Bare(payments.into()),
                Billing::Once | Billing::Monthly => Cell::Absent,
            },
            "payments_left" => Cell::Bare(money.payments_left()),
            "failed_reattempt_number" => Cell::Number(money.reattempt.into()),
            "vendor_tracking_link" => fixed(""),
            "payment_processor_type" => fixed(self.person.processor),
            "secret_key" => text(self.secret),
            other => self.person_cell(other),
        }
    }

    fn person_cell(&self, key: &str) -> Cell {
        let person = self.person;
        match key {
            "lead_id" => Cell::Number(person.lead_id),
            "lead_first_name" => fixed(person.first_name),
            "lead_last_name" => fixed(person.last_name),
            "lead_email" => text(self.email),
            "lead_username" => text(&person.username),
            "lead_phone_country_code" => fixed(person.place.calling_code),
            "lead_phone_number" => text(&person.phone),
            "lead_address" => text(&person.address),
            "lead_city" => fixed(person.place.city),
            "lead_zip" => fixed(person.place.zip),
            "lead_state" => fixed(person.place.state),
            "lead_country" => fixed(person.place.country),
            "lead_country_code_2" => fixed(person.place.country_2),
            "lead_country_code_3" => fixed(person.place.country_3),
            "lead_ip" | "gdpr_lead_status_ip" => text(&person.ip),
            "gdpr_lead_status" | "gdpr_lead_communications" => Cell::Bare(1),
            "gdpr_lead_status_date" => text(self.joined.format("%d %b %Y %H:%M:%S").to_string()),
            _ => Cell::Absent,
        }
    }

    fn pays_by_paypal(&self) -> bool {
        self.person.processor == "PayPal"
    }

    /// The subscription's id at the payment processor.
    fn processors_id(&self) -> Cell {
        let id = self.money.subscription_id;
        text(if self.pays_by_paypal() {
            format!("I-SIM{id:010X}")
        } else {
            (id % 10_000_000).to_string()
        })
    }

    /// Without a subscription, the outbound tables of reversals say 0 and all others `N/A`.
    fn subscription(&self, id: Cell) -> Cell {
        let zero = self.money.kind.takes_back() && self.feed == Feed::Outbound;
        match (self.money.subscription_id, zero) {
            (0, true) => Cell::Number(0),
            (0, false) => Cell::Absent,
            _ => id,
        }
    }
}

fn text(words: impl Into<String>) -> Cell {
    Cell::Text(Cow::Owned(words.into()))
}

fn fixed(words: &'static str) -> Cell {
    Cell::Text(Cow::Borrowed(words))
}
