//! Bodies as Kartra sends them, with defaults that a test overrides.

use serde_json::{Map, Value, json};

/// The product that a body is about, unless it says otherwise.
pub const PRODUCT: &str = "558001";

/// One message, to be sent by either feed.
#[derive(Debug, Clone)]
pub struct Body {
    action: &'static str,
    email: String,
    details: Map<String, Value>,
}

/// A sale of [`PRODUCT`], paid once.
pub fn sale(transaction: u64, email: &str) -> Body {
    Body::new("buy_product", "sale", transaction, email)
}

/// A further payment of the order that a sale began.
pub fn rebill(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("buy_product", "rebill", transaction, email).with("original_id", of)
}

/// A payment that failed; only the IPN tells of it, but the type decides in either feed.
pub fn payment_failed(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("buy_product", "failed", transaction, email).with("original_id", of)
}

/// The end of what a sale began.
pub fn cancellation(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("cancel_subscription", "cancellation", transaction, email).with("original_id", of)
}

/// The whole price back.
pub fn refund(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("refund_product", "refund", transaction, email).with("original_id", of)
}

/// Some of the price back.
pub fn partial_refund(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("partial_refund_product", "partial_refund", transaction, email)
        .with("original_id", of)
}

/// The bank took the price back.
pub fn chargeback(transaction: u64, of: u64, email: &str) -> Body {
    Body::new("buy_product", "chargeback", transaction, email).with("original_id", of)
}

/// Something that is no money event.
pub fn tagged(email: &str) -> Body {
    let mut body = Body::new("give_tag", "", 0, email);
    body.details.clear();
    body
}

impl Body {
    fn new(action: &'static str, kind: &str, transaction: u64, email: &str) -> Self {
        let details = json!({
            "transaction_id": transaction,
            "transaction_type": kind,
            "transaction_date": "2025-12-01 09:00:00",
            "transaction_full_amount": 29,
            "product_id": PRODUCT.parse::<u64>().expect("a number"),
            "product_name": "Meal plans",
            "lead_id": lead_of(email),
            "lead_email": email,
        });
        let details = details.as_object().expect("an object").clone();
        Self { action, email: email.to_owned(), details }
    }

    /// The same with one field of the transaction set.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// The same without one field of the transaction.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.details.remove(key);
        self
    }

    /// The outbound body as a value, to be bent further.
    pub fn value(&self) -> Value {
        json!({
            "lead": { "id": lead_of(&self.email), "email": self.email, "first_name": "Dana" },
            "action": self.action,
            "action_details": { "transaction_details": self.details },
        })
    }

    /// The outbound body, its numbers as numbers.
    pub fn json(&self) -> String {
        self.value().to_string()
    }

    /// The outbound body, its numbers as strings.
    pub fn strings(&self) -> String {
        let texts = self.details.iter().map(|(key, value)| (key.clone(), json!(text(value))));
        Self { details: texts.collect(), ..self.clone() }.json()
    }

    /// The variables of the IPN, as a flat object.
    pub fn flat(&self, secret: Option<&str>) -> Map<String, Value> {
        let mut flat = self.details.clone();
        flat.extend(secret.map(|secret| ("secret_key".to_owned(), json!(secret))));
        flat
    }

    /// The IPN form; with a secret where one is given.
    pub fn form(&self, secret: Option<&str>) -> String {
        let flat = self.flat(secret);
        let pairs = flat.iter().map(|(key, value)| (key.as_str(), text(value)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// Every address is a lead of its own.
fn lead_of(email: &str) -> u64 {
    email.bytes().fold(7, |hash: u64, byte| (hash * 31 + u64::from(byte)) % 1_000_000_007)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
