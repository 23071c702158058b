//! Webhooks that are due: read, judged, made observations of their events, and settled in batches.

use super::settle::{Bench, Cause, Touched, settle};
use crate::core::event::{EventId, Kind, Observation, Vouched};
use crate::core::kartra::{Feed, Reading, read};
use crate::secrets::{Sealer, same};
use crate::store::conn::Conn;
use crate::store::observations::{self, Due, Judged};
use crate::store::sites::Site;
use crate::store::webhooks::Status;
use crate::store::{Result, StoreError, bodies};
use chrono::NaiveDateTime;

/// How a body reads and what it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is an observation.
    Says(Box<Observation>, Vouched),
    /// It holds no event.
    Unreadable(String),
    /// It is an IPN whose secret is not the site's, and what it claims, where that can be read: so that it can be found
    /// by whom and what it names.
    Rejected(String, Option<Box<Observation>>),
}

impl Judgement {
    /// One word for it: its kind, or that it holds none.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Says(observation, _) => observation.kind.as_str(),
            Self::Unreadable(_) => Status::Unreadable.as_str(),
            Self::Rejected(..) => Status::Rejected.as_str(),
        }
    }

    /// What it names, whether it is believed or not; `None` where it cannot be read.
    #[must_use]
    pub fn names(&self) -> Option<&Observation> {
        match self {
            Self::Says(observation, _) => Some(observation.as_ref()),
            Self::Rejected(_, claims) => claims.as_deref(),
            Self::Unreadable(_) => None,
        }
    }

    /// The word for it in the answer to Kartra and in the lists.
    #[must_use]
    pub fn reading(&self) -> String {
        match self {
            Self::Says(observation, _) => observation.kind.as_str().to_owned(),
            Self::Unreadable(why) => format!("unreadable: {why}"),
            Self::Rejected(why, _) => format!("rejected: {why}"),
        }
    }
}

/// Judges a reading by the MAC of the secret that came with it and that of the site's secret.
#[must_use]
pub fn judge(reading: Reading, came: Option<&[u8]>, expected: Option<&[u8]>) -> Judgement {
    let rejected = |claims: Option<Observation>, why: &str| {
        Judgement::Rejected(why.to_owned(), claims.map(Box::new))
    };
    let vouched = match (reading.feed, expected, came) {
        (Feed::Ipn, Some(expected), Some(came)) if same(expected, came) => Vouched::Ipn,
        (Feed::Ipn, Some(_), Some(_)) => {
            return rejected(reading.says.ok(), "its secret_key is not the site's IPN secret");
        }
        (Feed::Ipn, Some(_), None) => {
            let why = "it carries no secret_key, and the site has an IPN secret";
            return rejected(reading.says.ok(), why);
        }
        (Feed::Ipn, None, _) => Vouched::Unchecked,
        (Feed::Outbound | Feed::Unknown | Feed::Test, ..) => Vouched::Outbound,
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

/// Whether webhooks are taken as they were read at receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reread {
    /// They are, but for those that ask for a new judgement.
    Asked,
    /// Each is read anew.
    All,
}

/// Applies some webhooks of a site, all in the caller's transaction. Their bodies are loaded only where
/// they are read anew.
pub(super) fn apply(
    conn: &mut Conn,
    sealer: &Sealer,
    bench: &mut Bench,
    webhooks: &[Due],
    reread: Reread,
) -> Result<()> {
    let expected = expected_mac(sealer, &bench.site)?;
    let again = webhooks.iter().filter(|webhook| {
        reread == Reread::All || webhook.judged().is_none() || webhook.said.is_none()
    });
    let again: Vec<&str> = again.map(|webhook| webhook.id.as_str()).collect();
    let bodies = bodies::of(conn, &bench.site.id, &again)?;
    let mut touched = Touched::default();
    for webhook in webhooks {
        let body = bodies.get(&webhook.id).map(Vec::as_slice);
        let (feed, judgement) = judgement(webhook, body, expected.as_deref())?;
        let observed = match &judgement {
            Judgement::Says(observation, vouched) => {
                let event = EventId::of(observation, &webhook.id);
                let observation = observation.as_ref().clone();
                Some((event, observations::witness_of(webhook, *vouched, observation)?))
            }
            _ => None,
        };
        let judged = describe(&webhook.id, feed, judgement)?;
        // A replay may read otherwise than before: the event that it told of is touched as well.
        for id in webhook.event_id.iter().chain(&judged.event_id) {
            let by = Some(webhook.id.clone());
            let cause = if webhook.is_restored() {
                Cause::new("restore", webhook.id.clone())
            } else {
                Cause::new("event", id.clone())
            };
            touched.events.insert(EventId(id.clone()), Cause { webhook: by, ..cause });
        }
        touched.told.add(judged, observed);
    }
    settle(conn, bench, touched)?;
    Ok(())
}

/// What was judged at receipt stands, until a replay asks for a new judgement. Without a body, what was
/// read of it before counts.
fn judgement(
    webhook: &Due,
    body: Option<&[u8]>,
    expected: Option<&[u8]>,
) -> Result<(Feed, Judgement)> {
    let Some(reading) =
        body.map_or_else(|| reading_before(webhook), |body| Ok(Some(read(body))))?
    else {
        let feed = Feed::from_word(&webhook.feed);
        return Ok((feed, Judgement::Unreadable("its body has aged out".to_owned())));
    };
    let feed = reading.feed;
    Ok(match (webhook.judged(), reading.says) {
        (Some(rank), Ok(observation)) => {
            (feed, Judgement::Says(Box::new(observation), Vouched::from_rank(rank)))
        }
        (_, says) => {
            let reading = Reading { feed, secret: None, says };
            (feed, judge(reading, webhook.secret_mac.as_deref(), expected))
        }
    })
}

/// What was read of a webhook before; `None` where nothing was.
fn reading_before(webhook: &Due) -> Result<Option<Reading>> {
    let says = observations::heard(webhook.said.as_deref())?;
    let feed = Feed::from_word(&webhook.feed);
    Ok(says.map(|observation| Reading { feed, secret: None, says: Ok(observation) }))
}

/// A judgement as the webhook's row keeps it.
fn describe(webhook_id: &str, feed: Feed, judgement: Judgement) -> Result<Judged> {
    let nothing = |status: Status, reason: String| Judged {
        id: webhook_id.to_owned(),
        changes: 0,
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
        Judgement::Rejected(why, None) => nothing(Status::Rejected, why),
        // It is listed by what it claims, and is no observation all the same.
        Judgement::Rejected(why, Some(claims)) => Judged {
            kind: Some(claims.kind.as_str()),
            transaction_id: claims.transaction_id.clone(),
            product_id: claims.product_id.clone(),
            email: claims.person.address().cloned(),
            ..nothing(Status::Rejected, why)
        },
        Judgement::Says(observation, vouched) => {
            let email = observation.person.address();
            // The list says what its event's purchase says, as soon as that is settled.
            let status =
                if observation.kind == Kind::Other { Status::NoEffect } else { Status::Unmatched };
            Judged {
                id: webhook_id.to_owned(),
                changes: 0,
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
                said: Some(observations::said(&observation)?),
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
