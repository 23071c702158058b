//! Money events as Kartra's IPN sends them: one flat form for every kind.

use std::collections::BTreeMap;

/// One IPN, put together field by field.
#[derive(Debug, Clone)]
pub struct Ipn(BTreeMap<&'static str, String>);

#[expect(
    clippy::needless_pass_by_value,
    reason = "a number or a text, as it reads best at the call"
)]
impl Ipn {
    /// A money event of product 501, without any date, subscription or person yet.
    pub fn new(kind: &str, transaction_id: impl ToString) -> Self {
        let fields = BTreeMap::from([
            ("secret_key", "ipn-secret-EXAMPLE".to_owned()),
            ("transaction_type", kind.to_owned()),
            ("transaction_id", transaction_id.to_string()),
            ("product_id", "501".to_owned()),
            ("product_price_point", "1".to_owned()),
            ("transaction_full_amount", "20.00".to_owned()),
        ]);
        Self(fields)
    }

    /// The person; their lead id is made of the address.
    pub fn of(self, email: &str) -> Self {
        let lead: u32 = email.bytes().fold(7, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        self.with("lead_email", email).with("lead_id", lead)
    }

    /// The date on the clock of the site's time zone.
    pub fn on(self, date: &str) -> Self {
        self.with("transaction_date", date)
    }

    /// Another product than 501.
    pub fn product(self, product_id: impl ToString) -> Self {
        self.with("product_id", product_id)
    }

    /// The subscription that it is a part of.
    pub fn subscription(self, id: impl ToString) -> Self {
        self.with("transaction_internal_subscription_id", id)
    }

    /// Any field.
    pub fn with(mut self, field: &'static str, value: impl ToString) -> Self {
        self.0.insert(field, value.to_string());
        self
    }

    /// Whether it is a payment, and no reversal.
    pub fn is_payment(&self) -> bool {
        ["sale", "rebill"].contains(&self.0["transaction_type"].as_str())
    }

    /// The bytes on the wire.
    pub fn body(&self) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.0);
        form.finish().into_bytes()
    }
}
