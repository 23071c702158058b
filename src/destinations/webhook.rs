//! A signed webhook, as Standard Webhooks 1.0.0 has it: whoever holds the secret can tell that a message is ours,
//! whole, and not an old one sent again.
//!
//! 2xx is success and nothing else is; 410 says that the receiver is gone, and nothing more is sent to it.

use super::caller::judged;
use super::{Caller, Config, Failure, Finding, Kind, Message, Messages, Pace, Remote, Wrong, read};
use crate::core::signature::{ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};
use crate::egress::Method;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status with which a receiver says that it is gone.
const GONE: u16 = 410;

/// This kind.
pub const KIND: Kind = Kind {
    name: "webhook",
    open,
    secrets: &["secret", "secret_before"],
    is_signed: true,
    names_levels: false,
    pace: Pace { calls_per_second: 100, concurrency: 16 },
    schema: |generator| generator.subschema_for::<WebhookConfig>(),
};

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MessageType {
    /// What a member holds now, all of it.
    #[serde(rename = "access.changed")]
    AccessChanged,
    /// A person has another address.
    #[serde(rename = "member.email_changed")]
    EmailChanged,
    /// A product was heard of for the first time.
    #[serde(rename = "product.discovered")]
    ProductDiscovered,
    /// An alarm has begun.
    #[serde(rename = "alarm.raised")]
    AlarmRaised,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AccessChanged, Self::EmailChanged, Self::ProductDiscovered, Self::AlarmRaised];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessChanged => "access.changed",
            Self::EmailChanged => "member.email_changed",
            Self::ProductDiscovered => "product.discovered",
            Self::AlarmRaised => "alarm.raised",
        }
    }
}

/// What operators write down for a signed webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WebhookConfig {
    /// Where messages are posted to.
    url: String,
    /// The types of messages that are posted; `null` or absent for all of them.
    #[serde(default)]
    types: Option<Vec<MessageType>>,
    /// What messages are signed with: `whsec_` and base64. Made by Latchkey where it is not given, and answered once.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    secret: Option<String>,
    /// What they are signed with besides, while the secret is being changed.
    #[serde(default)]
    #[schemars(skip)]
    secret_before: Option<String>,
}

/// A receiver of messages.
struct Webhook {
    caller: Caller,
    url: String,
    types: Option<Vec<MessageType>>,
    keys: Vec<SigningKey>,
}

fn open(config: &Config, caller: Caller) -> Result<Remote, Wrong> {
    let WebhookConfig { url, types, secret, secret_before } = read(config)?;
    caller.check(&url).map_err(|detail| Wrong::at("url", detail))?;
    let secrets = [("secret", secret), ("secret_before", secret_before)];
    let given = secrets.into_iter().filter_map(|(field, secret)| Some((field, secret?)));
    let key = |(field, secret): (&str, String)| {
        SigningKey::from_secret(&secret).map_err(|error| Wrong::at(field, error.to_string()))
    };
    let keys = given.map(key).collect::<Result<_, _>>()?;
    Ok(Remote::Messages(Box::new(Webhook { caller, url, types, keys })))
}

impl Webhook {
    /// All signatures of a message, the newest secret's first.
    fn signatures(&self, message: &Message) -> String {
        let sign = |key: &SigningKey| key.sign(&message.id, message.timestamp, &message.body);
        self.keys.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

#[async_trait]
impl Messages for Webhook {
    fn wants(&self, what: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|wanted| wanted.as_str() == what))
    }

    async fn tell(&self, message: &Message) -> Result<(), Failure> {
        if self.keys.is_empty() {
            // Without a signature nobody could tell that the message is ours.
            let why = "there is no secret to sign messages with";
            return Err(Failure::Stopped(why.to_owned()));
        }
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (ID_HEADER, message.id.clone()),
            (TIMESTAMP_HEADER, message.timestamp.to_string()),
            (SIGNATURE_HEADER, self.signatures(message)),
        ];
        let answer =
            self.caller.call(Method::POST, &self.url, headers, message.body.clone()).await?;
        match answer.status {
            200..=299 => Ok(()),
            GONE => Err(Failure::Stopped(
                "the destination answered 410: it is gone, and nothing more is sent to it"
                    .to_owned(),
            )),
            status => {
                judged(&answer, "")?;
                Err(Failure::Unsure(format!("the destination answered {status}")))
            }
        }
    }

    async fn test(&self, message: &Message) -> Vec<Finding> {
        match self.tell(message).await {
            Ok(()) => vec![Finding::good("message", "A signed test message was taken.")],
            Err(failure) => vec![Finding::bad("message", format!("{failure}."))],
        }
    }
}
