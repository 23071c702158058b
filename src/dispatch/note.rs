//! Writes down what became of pushes, and how their destination stands by it.

use super::Dispatch;
use super::bring::Beside;
use super::claim::{Claimed, Said};
use super::send::{Became, Remembered, Sent};
use crate::core::Instant;
use crate::core::circuit;
use crate::core::schedule::next_sending_at;
use crate::destinations::Failure;
use crate::secrets;
use crate::store::conn::Conn;
use crate::store::destinations::{self, Destination, State};
use crate::store::pushes::{self, Outcome};
use crate::store::{Result, StoreError};
use chrono::TimeDelta;

/// How long a destination is left alone that asks for it and does not say how long.
const BUSY: TimeDelta = TimeDelta::seconds(30);
/// The longest that it may ask for.
const BUSY_MAX: TimeDelta = TimeDelta::days(1);
/// How long a push waits whose own store failed.
const STORE_AGAIN: TimeDelta = TimeDelta::seconds(5);

impl Dispatch {
    /// Notes what became of some pushes, all in one transaction.
    pub(super) fn note(&self, sent: &[Sent]) -> Result<()> {
        if sent.is_empty() {
            return Ok(());
        }
        let now = self.clock().now();
        let noted = self.store().write(|conn| {
            let noted = sent.iter().map(|sent| note_one(conn, sent, now));
            noted.collect::<Result<Vec<bool>>>()
        })?;
        for (sent, noted) in sent.iter().zip(noted) {
            self.tell(sent, noted, now);
        }
        Ok(())
    }

    /// Counts and logs what became of a push, once it is noted.
    fn tell(&self, sent: &Sent, noted: bool, now: Instant) {
        let push = &sent.claimed.push;
        let (site_id, destination_id) = (&push.site_id, &push.destination_id);
        let outcome = outcome_word(&sent.became);
        let push_id = &push.id;
        if !noted {
            tracing::warn!(site_id, destination_id, push_id, "a claim was lost");
            return;
        }
        let lag = now - push.wanted_at.and_utc();
        let kind = &sent.claimed.destination.kind;
        self.metrics().push_ended(kind, outcome, lag.to_std().unwrap_or_default());
        match &sent.became {
            Became::Confirmed => {
                tracing::debug!(site_id, destination_id, push_id, "a push was confirmed");
            }
            Became::Waits(_) | Became::Lost => {}
            Became::Store(error) => {
                tracing::error!(site_id, destination_id, push_id, %error, "a push could not be written down");
            }
            // Why is shown to operators: it may hold words of the destination about a person.
            Became::Failed(_) => {
                let attempts = push.attempts;
                tracing::warn!(
                    site_id,
                    destination_id,
                    push_id,
                    attempts,
                    outcome,
                    "a push was not confirmed"
                );
            }
        }
    }
}

/// The word for what became of a push, in the log and in the metrics.
fn outcome_word(became: &Became) -> &'static str {
    match became {
        Became::Confirmed => "confirmed",
        Became::Waits(_) | Became::Lost => "postponed",
        Became::Store(_) => "unwritten",
        Became::Failed(Failure::Stopped(_)) => "stopped",
        Became::Failed(Failure::Busy { .. }) => "busy",
        Became::Failed(Failure::Unreached(_)) => "unreached",
        Became::Failed(Failure::Unsure(_)) => "unsure",
        Became::Failed(Failure::Refused(_)) => "refused",
    }
}

/// Notes what became of one push; answers whether its claim still held.
fn note_one(conn: &mut Conn, sent: &Sent, now: Instant) -> Result<bool> {
    let Claimed { push, claim, destination, said, .. } = &sent.claimed;
    let Some(outcome) = outcome(sent, now) else { return Ok(false) };
    let noted = match &sent.memory {
        Some(Remembered::Account(memory)) => {
            pushes::note(conn, push, claim, Some(memory), &outcome, now)?
        }
        Some(Remembered::Told(memory)) => {
            pushes::note(conn, push, claim, Some(memory), &outcome, now)?
        }
        None => pushes::note::<()>(conn, push, claim, None, &outcome, now)?,
    };
    if let Said::Wanted(_, Some(before)) = said {
        pushes::release(conn, before, claim, noted && sent.beside == Beside::Taken, now)?;
    }
    if noted {
        stands(conn, destination, &sent.became, now)?;
    }
    Ok(noted)
}

/// What is noted of a push; `None` where nothing is.
fn outcome(sent: &Sent, now: Instant) -> Option<Outcome> {
    let Claimed { push, claim, .. } = &sent.claimed;
    // What was not tried, and what a destination took no notice of, is no attempt.
    let uncounted = push.attempts.saturating_sub(1);
    let at_once = |why: &str| Outcome::Again { why: why.to_owned(), at: now, attempts: uncounted };
    Some(match &sent.became {
        Became::Confirmed => Outcome::Done,
        Became::Lost => return None,
        Became::Store(error) => Outcome::Again {
            why: error.to_string(),
            at: now + STORE_AGAIN,
            attempts: push.attempts,
        },
        Became::Waits(at) => Outcome::Again {
            why: "the account is still under way for the address before".to_owned(),
            at: *at,
            attempts: uncounted,
        },
        // The destination is left alone, and then it is this push's turn.
        Became::Failed(Failure::Stopped(why) | Failure::Busy { why, .. }) => at_once(why),
        Became::Failed(Failure::Refused(why)) => Outcome::Failed(why.clone()),
        Became::Failed(Failure::Unreached(why) | Failure::Unsure(why)) => {
            let [jitter, ..] = secrets::hash(claim);
            let [own, ..] = secrets::hash(&push.id);
            let attempts = push.attempts.unsigned_abs();
            match next_sending_at(now, attempts, jitter.wrapping_add(own), None) {
                Some(at) => Outcome::Again { why: why.clone(), at, attempts: push.attempts },
                None => Outcome::Failed(why.clone()),
            }
        }
    })
}

/// Notes how a destination stands by what became of a push, or of a look.
pub(super) fn stands(
    conn: &mut Conn,
    as_claimed: &Destination,
    became: &Became,
    now: Instant,
) -> Result<()> {
    let is_well = as_claimed.state == State::Ok && as_claimed.failures == 0;
    match became {
        Became::Waits(_) | Became::Lost | Became::Store(_) => Ok(()),
        // Whoever says no to one member has answered.
        Became::Confirmed | Became::Failed(Failure::Refused(_)) if is_well => Ok(()),
        Became::Confirmed | Became::Failed(Failure::Refused(_)) => {
            edit(conn, as_claimed, Destination::is_up)
        }
        Became::Failed(Failure::Stopped(why)) => {
            edit(conn, as_claimed, |d| d.is_down(why, None, now))
        }
        Became::Failed(Failure::Busy { why, seconds }) => {
            let asked = seconds
                .map_or(BUSY, |asked| TimeDelta::seconds(asked.clamp(1, BUSY_MAX.num_seconds())));
            let until = now + asked;
            edit(conn, as_claimed, |d| d.is_down(why, Some(until), now))
        }
        Became::Failed(Failure::Unreached(why) | Failure::Unsure(why)) => {
            edit(conn, as_claimed, |d| {
                d.failures = d.failures.saturating_add(1);
                if let Some(pause) = circuit::pause(d.failures) {
                    d.is_down(why, Some(now + pause), now);
                }
            })
        }
    }
}

/// Notes how a destination stands, by how it stands now.
fn edit(
    conn: &mut Conn,
    as_claimed: &Destination,
    work: impl FnOnce(&mut Destination),
) -> Result<()> {
    let Destination { site_id, id, version, .. } = as_claimed;
    let Some(mut destination) = destinations::lock(conn, site_id, id)? else { return Ok(()) };
    // What was sent before an edit says nothing of the destination as it is now.
    if destination.version != *version {
        return Ok(());
    }
    let before = destination.clone();
    work(&mut destination);
    if destination != before {
        if destination.state == State::Broken && before.state != State::Broken {
            tracing::warn!(site_id, destination_id = id, "a destination takes nothing any more");
        }
        destinations::stands(conn, &destination)?;
    }
    Ok::<_, StoreError>(())
}
