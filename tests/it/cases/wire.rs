//! A message as the bytes that Kartra would send.

use super::format::{Feed, Message};
use super::words::Word;
use serde_json::{Map, Value, json};

/// What Kartra writes where it has nothing to say.
const NONE: &str = "N/A";

/// Each kind of money event: how the IPN calls it, and how the outbound feed does.
const KINDS: [(&str, Option<&str>); 7] = [
    ("sale", Some("buy_product")),
    ("rebill", None),
    ("failed", None),
    ("cancellation", Some("cancel_subscription")),
    ("refund", Some("refund_product")),
    ("partial_refund", Some("partial_refund_product")),
    ("chargeback", None),
];

/// The body.
pub fn body(message: &Message) -> String {
    let kind = KINDS.iter().find(|(word, _)| *word == message.says);
    let usual = kind.and_then(|(_, action)| *action);
    let outbound = usual.is_some() || kind.is_none() || message.action.is_some();
    match message.feed.unwrap_or(if outbound { Feed::Outbound } else { Feed::Ipn }) {
        Feed::Ipn => ipn(message),
        Feed::Outbound => {
            let action = message.action.as_deref().or(usual).unwrap_or(&message.says);
            outbound_json(message, action, kind.map_or(NONE, |(word, _)| *word))
        }
    }
}

fn outbound_json(message: &Message, action: &str, transaction_type: &str) -> String {
    let profile = message.profile_email.as_ref().or(message.email.as_ref());
    let lead_id = message.profile_lead.as_ref().or(message.lead.as_ref());
    let lead = json!({ "id": written(lead_id), "email": profile });
    let is_money = KINDS.iter().any(|(_, usual)| *usual == Some(action))
        || KINDS.iter().any(|(word, _)| *word == transaction_type);
    let details = if is_money {
        let mut details: Map<String, Value> = fields(message)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect();
        details.insert("transaction_type".to_owned(), json!(transaction_type));
        json!({ "transaction_details": details })
    } else {
        json!({ "tag": { "tag_id": 77, "tag_name": "Member" } })
    };
    json!({ "lead": lead, "action": action, "action_details": details }).to_string()
}

fn ipn(message: &Message) -> String {
    assert!(message.profile_email.is_none(), "an IPN carries no profile");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields(message));
    form.append_pair("transaction_type", &message.says);
    form.append_pair("secret_key", message.secret.as_deref().unwrap_or(NONE));
    form.finish()
}

/// What both feeds carry, under the names of both.
fn fields(message: &Message) -> Vec<(&'static str, String)> {
    let date = message.on.map(|when| when.0.format("%Y-%m-%d %H:%M:%S").to_string());
    let subscription = written(message.subscription.as_ref());
    vec![
        ("transaction_id", written(message.transaction.as_ref())),
        ("transaction_date", date.unwrap_or_else(|| "0000-00-00 00:00:00".to_owned())),
        ("product_id", written(message.product.as_ref())),
        ("product_name", "A product".to_owned()),
        ("product_price_point", written(message.price_point.as_ref())),
        ("transaction_internal_subscription_id", subscription),
        ("original_id", written(message.original.as_ref())),
        ("transaction_parent_id", written(message.parent.as_ref())),
        ("transaction_full_amount", written(message.amount.as_ref())),
        ("transaction_subscription_pay_number", written(message.pay_number.as_ref())),
        ("trial", written(message.trial.as_ref())),
        ("trial_period", written(message.trial_period.as_ref())),
        ("rebill_circle", written(message.rebill_circle.as_ref())),
        ("installments", written(message.installments.as_ref())),
        ("payments_left", written(message.payments_left.as_ref())),
        ("lead_id", written(message.lead.as_ref())),
        ("lead_email", message.email.clone().unwrap_or_else(|| NONE.to_owned())),
    ]
}

fn written(word: Option<&Word>) -> String {
    word.map_or_else(|| NONE.to_owned(), |word| word.0.clone())
}
