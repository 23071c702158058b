//! A purchase that nobody has made, as Kartra would tell of it: for an operator who wants to see what comes of one.

use super::person::Person;
use super::story::Story;
use super::teller::Teller;
use super::{Feed, chance_of, offers, render};
use chrono::NaiveDateTime;
use serde_json::{Map, Value, json};

/// Where chance starts for whoever buys in a test.
const SEED: u64 = 0;
/// The first name that the body of a test shows, and the last.
const NAME: [&str; 2] = ["Test", "Purchase"];
/// What the body says of itself, beside all that Kartra would say.
const SAYS: &str = "A test purchase that an operator has sent. Kartra knows nothing of it, and it is never applied.";

/// A purchase that nobody has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPurchase {
    /// Its transaction.
    pub transaction_id: String,
    /// What is bought.
    pub product_id: String,
    /// At which price point.
    pub price_point: String,
    /// Whose address the buyer has.
    pub email: String,
    /// When, on the clock of the Kartra account.
    pub at: NaiveDateTime,
}

impl TestPurchase {
    /// The body that the outbound API would send of it, marked as a test; empty if no body can be made of it.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut rng = chance_of(SEED, 0);
        let person = Person::invent(&mut rng, 0, "test");
        let mut teller = Teller::new(&mut rng, 0);
        let [offer, ..] = &offers::ONCE;
        teller.buys(offer, self.at);
        let story = Story { events: teller.events, person, email_changed_at: None };
        let sale = story.events.first();
        let body = sale.and_then(|sale| render::body(&story, sale, Feed::Outbound, ""));
        let body = body.and_then(|body| serde_json::from_slice(&body).ok());
        body.map(|body| self.marked(body).to_string().into_bytes()).unwrap_or_default()
    }

    /// The same body with what this purchase is about, and saying that it is a test.
    fn marked(&self, mut body: Value) -> Value {
        let [first_name, last_name] = NAME;
        let lead = json!({ "id": "test", "first_name": first_name, "last_name": last_name, "email": self.email });
        let transaction = json!({
            "transaction_id": self.transaction_id, "lead_id": "test", "lead_first_name": first_name,
            "lead_last_name": last_name, "lead_email": self.email, "lead_username": "test",
            "product_id": self.product_id, "product_name": "Test purchase",
            "product_price_point": self.price_point,
        });
        put(body.pointer_mut("/lead"), lead);
        put(body.pointer_mut("/action_details/transaction_details"), transaction);
        put(Some(&mut body), json!({ "latchkey": { "test": true, "says": SAYS } }));
        body
    }
}

/// Writes fields into an object.
fn put(into: Option<&mut Value>, fields: Value) {
    let into: Option<&mut Map<String, Value>> = into.and_then(Value::as_object_mut);
    if let (Some(into), Value::Object(fields)) = (into, fields) {
        into.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Kind;
    use crate::core::kartra::{self, read};

    #[test]
    fn it_reads_as_a_sale_of_what_was_asked_for_and_says_that_it_is_a_test() {
        let at = "2026-01-05T04:00:00".parse().expect("a date");
        let (transaction_id, product_id, price_point) =
            ("test-7".to_owned(), "558475".to_owned(), "3".to_owned());
        let email = "o'brien+\"x\"@example.com".to_owned();
        let body =
            TestPurchase { transaction_id, product_id, price_point, email: email.clone(), at }
                .body();
        let reading = read(&body);
        let said = reading.says.expect("a sale");
        assert_eq!((reading.feed, said.kind), (kartra::Feed::Outbound, Kind::Sale));
        assert_eq!(
            (said.transaction_id.as_deref(), said.product_id.as_deref()),
            (Some("test-7"), Some("558475"))
        );
        assert_eq!((said.price_point.as_deref(), said.date), (Some("3"), Some(at)));
        assert_eq!(
            (said.person.profile_email, said.person.transaction_email),
            (Some(email.clone()), Some(email))
        );
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["latchkey"]["test"], true);
        assert!(body["lead"]["custom_fields"].is_array(), "it is as long as Kartra's are");
    }
}
