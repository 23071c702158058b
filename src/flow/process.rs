//! Webhooks that are due: read, judged, made observations of their events, and settled in batches.

use super::settle::{Bench, Cause, Touched, settle};
use crate::core::event::{EventId, Kind, Observation, Vouched};
use crate::core::kartra::{Feed, Reading, read};
use crate::secrets::{Sealer, same};
use crate::store::conn::Conn;
use crate::store::sites::Site;
use crate::store::webhooks::{self, Due, Judged, Status};
use crate::store::{Result, StoreError};
use chrono::NaiveDateTime;

/// How a body reads and what it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is an observation.
    Says(Box<Observation>, Vouched),
    /// It holds no event.
    Unreadable(String),
    /// It is an IPN whose secret is not the site's.
    Rejected(String),
}

impl Judgement {
    /// One word for it: its kind, or that it holds none.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Says(observation, _) => observation.kind.as_str(),
            Self::Unreadable(_) => Status::Unreadable.as_str(),
            Self::Rejected(_) => Status::Rejected.as_str(),
        }
    }

    /// The word for it in the answer to Kartra and in the lists.
    #[must_use]
    pub fn reading(&self) -> String {
        match self {
            Self::Says(observation, _) => observation.kind.as_str().to_owned(),
            Self::Unreadable(why) => format!("unreadable: {why}"),
            Self::Rejected(why) => format!("rejected: {why}"),
        }
    }
}

/// Judges a reading by the MAC of the secret that came with it and that of the site's secret.
#[must_use]
pub fn judge(reading: Reading, came: Option<&[u8]>, expected: Option<&[u8]>) -> Judgement {
    let vouched = match (reading.feed, expected, came) {
        (Feed::Ipn, Some(expected), Some(came)) if same(expected, came) => Vouched::Ipn,
        (Feed::Ipn, Some(_), Some(_)) => {
            return Judgement::Rejected("its secret_key is not the site's IPN secret".to_owned());
        }
        (Feed::Ipn, Some(_), None) => {
            return Judgement::Rejected(
                "it carries no secret_key, and the site has an IPN secret".to_owned(),
            );
        }
        (Feed::Ipn, None, _) => Vouched::Unchecked,
        (Feed::Outbound | Feed::Unknown, ..) => Vouched::Outbound,
    };
    match reading.says {
        Ok(observation) => Judgement::Says(Box::new(observation), vouched),
        Err(why) => Judgement::Unreadable(why.to_string()),
    }
}

/// The purpose under which a site's IPN secret is sealed and its MAC is made.
#[must_use]
pub fn ipn_purpose(site_id: &str) -> String {
    format!("ipn secret of {site_id}")
}

/// The MAC of a site's IPN secret; `None` where none is set.
pub fn expected_mac(sealer: &Sealer, site: &Site) -> Result<Option<Vec<u8>>> {
    let purpose = ipn_purpose(&site.id);
    let Some(sealed) = &site.ipn_secret else {
        return Ok(None);
    };
    let secret = sealer.open(&purpose, sealed).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok(Some(sealer.mac(&purpose, &secret)))
}

/// Applies some due webhooks of a site, all in the caller's transaction.
pub(super) fn apply(
    conn: &mut Conn,
    sealer: &Sealer,
    bench: &mut Bench,
    due: Vec<Due>,
) -> Result<()> {
    let expected = expected_mac(sealer, &bench.site)?;
    let mut touched = Touched::default();
    for webhook in due {
        let reading = read(&webhook.body);
        let feed = reading.feed;
        let judgement = judgement(&webhook, reading, expected.as_deref());
        let judged = describe(&webhook.id, feed, judgement)?;
        let event = judged.event_id.clone();
        // A replay may read otherwise than before: the event that it told of is touched as well.
        for id in [webhook.event_id, event].into_iter().flatten() {
            let cause = Cause { kind: "event", id: id.clone(), webhook: Some(webhook.id.clone()) };
            touched.events.insert(EventId(id), cause);
        }
        webhooks::judge(conn, &bench.site.id, &webhook.id, &judged)?;
    }
    settle(conn, bench, touched)?;
    Ok(())
}

/// What was judged at receipt stands, until a replay asks for a new judgement.
fn judgement(webhook: &Due, reading: Reading, expected: Option<&[u8]>) -> Judgement {
    match (webhook.judged(), reading.says) {
        (Some(rank), Ok(observation)) => {
            Judgement::Says(Box::new(observation), Vouched::from_rank(rank))
        }
        (_, says) => {
            let reading = Reading { feed: reading.feed, secret: None, says };
            judge(reading, webhook.secret_mac.as_deref(), expected)
        }
    }
}

/// A judgement as the webhook's row keeps it.
fn describe(webhook_id: &str, feed: Feed, judgement: Judgement) -> Result<Judged> {
    let nothing = |status: Status, reason: String| Judged {
        feed: feed.as_str(),
        status: status.as_str(),
        kind: None,
        transaction_id: None,
        product_id: None,
        email: None,
        reason: Some(reason),
        next_attempt_at: None::<NaiveDateTime>,
        event_id: None,
        vouched: None,
        said: None,
    };
    Ok(match judgement {
        Judgement::Unreadable(why) => nothing(Status::Unreadable, why),
        Judgement::Rejected(why) => nothing(Status::Rejected, why),
        Judgement::Says(observation, vouched) => {
            let person = &observation.person;
            let email = person.profile_email.as_ref().or(person.transaction_email.as_ref());
            // The list says what its event's purchase says, as soon as that is settled.
            let status =
                if observation.kind == Kind::Other { Status::NoEffect } else { Status::Unmatched };
            Judged {
                feed: feed.as_str(),
                status: status.as_str(),
                kind: Some(observation.kind.as_str()),
                transaction_id: observation.transaction_id.clone(),
                product_id: observation.product_id.clone(),
                email: email.cloned(),
                reason: observation.name.clone(),
                next_attempt_at: None,
                event_id: Some(EventId::of(&observation, webhook_id).0),
                vouched: Some(vouched.rank()),
                said: Some(webhooks::said(&observation)?),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_judgement_names_the_feed_that_the_receipt_named() {
        for body in [
            r#"{"action":"buy_product"}"#,
            r#"{"action":"assign_tag"}"#,
            "transaction_type=sale",
            "transaction_type=sale&transaction_id=7&product_id=1&lead_id=1&secret_key=wrong",
            "neither",
        ] {
            for expected in [None, Some(b"right".as_slice())] {
                let reading = read(body.as_bytes());
                let feed = reading.feed;
                let judgement = judge(reading, Some(b"wrong"), expected);
                let judged = describe("webhook", feed, judgement).expect("a judgement");
                assert_eq!(judged.feed, feed.as_str(), "{body}");
            }
        }
    }
}
