//! One message about an alarm: made when the alarm begins, and the same to the letter at every attempt.
//!
//! ```text
//! due ─claim→ claimed ─commit→ sent ─answer→ taken            2xx
//!  ↑             │                    ├────→ due later         anything else, by the schedule
//!  └── lease over, nothing noted      ├────→ failed            after the last attempt
//!                                     └────→ failed, and off   410: the receiver is gone
//! ```
//!
//! Whoever dies between sending and noting has it sent again, under the same id; whoever wakes up after their
//! lease notes nothing.

use super::{Alarms, Sealed};
use crate::core::Instant;
use crate::core::alarm::Kind;
use crate::core::schedule::next_sending_at;
use crate::core::signature::{ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};
use crate::egress::{Answer, CallError, Message};
use crate::store::alarms::{self, Alarm, Attempts, Posted};
use crate::store::{Result, StoreError, alarm_settings};
use crate::{ids, secrets};
use chrono::TimeDelta;
use serde_json::json;

/// What the type of a message about an alarm says.
pub(super) const RAISED: &str = "alarm.raised";
/// The status with which a receiver says that it is gone.
const GONE: u16 = 410;
/// How long a claim lasts: longer than any call.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// An alarm that begins now, and is not to be posted yet.
#[must_use]
pub fn new_alarm(site_id: &str, kind: Kind, number: i64, detail: String, now: Instant) -> Alarm {
    Alarm {
        site_id: site_id.to_owned(),
        id: ids::new(),
        kind: kind.as_str().to_owned(),
        first_seen_at: now.naive_utc(),
        ended_at: None,
        message: message(site_id, kind, number, &detail, now),
        number,
        detail,
        next_post_at: None,
        attempts: 0,
        claim: None,
        posted_at: None,
        last_error: None,
    }
}

/// What is posted of an alarm: no person is in it.
fn message(site_id: &str, kind: Kind, number: i64, detail: &str, now: Instant) -> String {
    let data = json!({
        "site": site_id, "kind": kind, "first_seen_at": now, "count": number, "detail": detail,
        "next_step": kind.next_step(),
    });
    json!({ "type": RAISED, "timestamp": now, "data": data }).to_string()
}

/// A post that this process has claimed.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    /// The alarm, as it was before.
    alarm: Alarm,
    /// Who has claimed it.
    claim: String,
    /// Where it goes, sealed.
    url: Vec<u8>,
    /// Where it goes, and what with.
    pub to: String,
    pub message: Message,
}

impl Alarms {
    /// Claims what is to be posted by now, at most so much of it.
    pub(super) fn claim(&self, which: Attempts, limit: usize) -> Result<Vec<Claimed>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = self.clock().now();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let due = self.store().read_one(|conn| alarms::due(conn, now, which, limit))?;
        let mut claimed = Vec::new();
        for alarm in due {
            let (site_id, id) = (alarm.site_id.clone(), alarm.id.clone());
            match self.claim_one(alarm, now) {
                Ok(one) => claimed.extend(one),
                Err(error) => {
                    tracing::error!(site_id, alarm_id = id, %error, "an alarm cannot be posted");
                }
            }
        }
        Ok(claimed)
    }

    fn claim_one(&self, alarm: Alarm, now: Instant) -> Result<Option<Claimed>> {
        let claim = ids::new();
        let site_id = alarm.site_id.as_str();
        let ready = self.store().write(|conn| {
            let wants = alarm_settings::get(conn, site_id)?;
            let (true, Some(url), Some(secret)) = (wants.is_posting(), wants.url, wants.secret)
            else {
                alarms::post_nothing(conn, site_id)?;
                return Ok::<_, StoreError>(None);
            };
            // Opened before it is claimed: what cannot be opened costs no attempt.
            let to = self.open(Sealed::Url, site_id, &url)?;
            let secret = self.open(Sealed::Secret, site_id, &secret)?;
            let key = SigningKey::from_secret(&secret)
                .map_err(|_| StoreError::Corrupt("a site's alarm secret".to_owned()))?;
            let mine = alarms::claim(conn, &alarm, &claim, now, now + LEASE)?;
            Ok(mine.then_some((url, to, key)))
        })?;
        let Some((url, to, key)) = ready else { return Ok(None) };
        let message = signed(&key, &alarm, now.timestamp());
        Ok(Some(Claimed { alarm, claim, url, to, message }))
    }

    /// Notes what became of an attempt.
    pub(super) fn note(&self, sent: &Claimed, answer: Result<Answer, CallError>) -> Result<()> {
        let now = self.clock().now();
        let Claimed { alarm, claim, url, .. } = sent;
        let (site_id, id) = (alarm.site_id.as_str(), alarm.id.as_str());
        let gone = answer.as_ref().is_ok_and(|answer| answer.status == GONE);
        let posted = judged(alarm, claim, answer, now);
        let noted = self.store().write(|conn| {
            let noted = alarms::note(conn, site_id, id, claim, &posted)?;
            if noted && gone {
                alarm_settings::is_gone(conn, site_id, url, now)?;
            }
            Ok::<_, StoreError>(noted)
        })?;
        self.metrics().alarm_posted(matches!(posted, Posted::Taken(_)));
        if let (true, Posted::Failed(error, again_at)) = (noted, &posted) {
            let again_at = again_at.map(|at| at.to_rfc3339());
            tracing::warn!(site_id, alarm_id = id, error, again_at, "an alarm was not taken");
        }
        Ok(())
    }
}

/// A message with what proves that it is ours.
fn signed(key: &SigningKey, alarm: &Alarm, timestamp: i64) -> Message {
    let signature = key.sign(&alarm.id, timestamp, &alarm.message);
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        (ID_HEADER, alarm.id.clone()),
        (TIMESTAMP_HEADER, timestamp.to_string()),
        (SIGNATURE_HEADER, signature),
    ];
    Message { headers, body: alarm.message.clone() }
}

/// What an answer means: 2xx is success, and nothing else is.
fn judged(alarm: &Alarm, claim: &str, answer: Result<Answer, CallError>, now: Instant) -> Posted {
    let (why, asked_seconds) = match answer {
        Ok(answer) if answer.is_success() => return Posted::Taken(now),
        Ok(Answer { status: GONE, .. }) => {
            let why = "the receiver answered 410: it is gone, and nothing more is posted to it";
            return Posted::Failed(why.to_owned(), None);
        }
        Ok(answer) => {
            (format!("the receiver answered {}", answer.status), answer.retry_after_seconds)
        }
        Err(error) => (error.to_string(), None),
    };
    let attempts = alarm.attempts.saturating_add(1).unsigned_abs();
    // Each claim is new and random, and so is where it falls within the pause.
    let [jitter, ..] = secrets::hash(claim);
    Posted::Failed(why, next_sending_at(now, attempts, jitter, asked_seconds))
}
