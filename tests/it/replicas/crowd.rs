//! What happens in these tests: random stories, and a crowd that buys and moves, each as the bytes
//! that are sent and as the content that the model judges.

use crate::model::story::Kind;
use crate::model::{Feed, MappingSpec, Message, Sent, Story, Vouched, random_story};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

/// What stands before the number of a webhook in its body, so that it is known again in the database,
/// also where no answer to it came.
const NUMBER: &str = "number_in_this_test";

/// One site with everything that is sent to it, each at its number.
pub struct Tale {
    /// The site.
    pub site: String,
    /// The rules in the end, and what is sent.
    pub story: Story,
}

impl Tale {
    /// A random story on a site of its own. Its IPNs find no secret to be checked by.
    pub fn random(seed: u64) -> Self {
        let mut story = random_story(seed);
        story.overrides.clear();
        story.sent.iter_mut().for_each(|sent| sent.discarded = false);
        Self { site: format!("story-{seed}"), story }.numbered()
    }

    /// A crowd on the default site: everybody buys gold and silver; every other one then moves from
    /// address to address, to end up with others at one.
    pub fn of_crowd(people: usize) -> Self {
        let sent = (0..people).flat_map(person).collect();
        let map = |product_id: &str, level: &str| MappingSpec {
            id: level.to_owned(),
            product_id: product_id.to_owned(),
            price_point: None,
            level: level.to_owned(),
            enabled: true,
            purchased_from: None,
            purchased_before: None,
            policy: json!({}),
        };
        let story = Story {
            time_zone: chrono_tz::UTC,
            site_policy: json!({}),
            sent,
            mappings: vec![map("501", "gold"), map("502", "silver")],
            overrides: Vec::new(),
            ignored_products: Vec::new(),
        };
        Self { site: "default".to_owned(), story }.numbered()
    }

    /// Writes its number into every body.
    fn numbered(mut self) -> Self {
        for (number, sent) in self.story.sent.iter_mut().enumerate() {
            let body = String::from_utf8_lossy(&sent.body).into_owned();
            sent.body = match body.strip_prefix('{') {
                Some(rest) => format!("{{\"{NUMBER}\":{number},{rest}"),
                None => format!("{body}&{NUMBER}={number}"),
            }
            .into_bytes();
            sent.vouched =
                if sent.feed == Feed::Ipn { Vouched::IpnUnchecked } else { Vouched::Outbound };
        }
        self
    }

    /// What was sent, as it was received: the number is read out of the stored body.
    pub fn received(&self, body: &[u8], at: DateTime<Utc>) -> Sent {
        let body = String::from_utf8_lossy(body);
        let (_, rest) = body.split_once(NUMBER).expect("a number");
        let digits: String = rest
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        let number: usize = digits.parse().expect("a number");
        Sent { received_at: at, ..self.story.sent[number].clone() }
    }
}

/// The address of somebody who never moves begins so.
pub const STAYER: &str = "stayer";

fn person(number: usize) -> Vec<Sent> {
    let stays = number.is_multiple_of(2);
    let first = if stays { STAYER } else { "mover" };
    let address = format!("{first}-{number}@example.com");
    let mut sent = vec![sale(number, 501, &address), sale(number, 502, &address)];
    if !stays {
        let on_the_way = format!("on-the-way-{number}@example.com");
        let family = format!("family-{}@example.com", number / 8);
        sent.extend([on_the_way, family].map(|address| moved(number, &address)));
    }
    sent
}

fn sale(number: usize, product: usize, address: &str) -> Sent {
    let date = DateTime::UNIX_EPOCH.naive_utc()
        + TimeDelta::days(20_000)
        + TimeDelta::minutes(i64::try_from(number).expect("a number"));
    let mut message = Message::empty(Kind::Sale, "sale");
    message.transaction_id = Some((product * 100_000 + number).to_string());
    message.product_id = Some(product.to_string());
    message.price_point = Some("1".to_owned());
    message.amount = Some(2_000);
    message.date = Some(date);
    message.lead_id = Some((7_000 + number).to_string());
    message.transaction_email = Some(address.to_owned());
    let body = format!(
        "transaction_type=sale&transaction_id={product}{number:05}&product_id={product}\
         &product_price_point=1&transaction_full_amount=20.00&transaction_date={}\
         &lead_id={}&lead_email={address}",
        date.format("%Y-%m-%d+%H%%3A%M%%3A%S"),
        7_000 + number,
    );
    told(message, Feed::Ipn, body)
}

/// A tag, which says nothing but the address that the lead has by then.
fn moved(number: usize, address: &str) -> Sent {
    let mut message = Message::empty(Kind::Other, "assign_tag");
    message.lead_id = Some((7_000 + number).to_string());
    message.profile_email = Some(address.to_owned());
    let body = json!({
        "lead": {"id": 7_000 + number, "email": address}, "action": "assign_tag",
        "action_details": {"tag": {"tag_id": 1, "tag_name": "moved"}},
    });
    told(message, Feed::Outbound, body.to_string())
}

fn told(message: Message, feed: Feed, body: String) -> Sent {
    let (received_at, body) = (DateTime::UNIX_EPOCH, body.into_bytes());
    Sent { received_at, feed, vouched: Vouched::Outbound, message, body, discarded: false }
}
