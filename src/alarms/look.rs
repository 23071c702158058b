//! What is an alarm at each site: asked about every minute by whichever process has the lease, in reads of a
//! bounded size, off the way of webhooks.

use super::{Alarms, Sealed, post};
use crate::core::Instant;
use crate::core::alarm::{Cause, Kind};
use crate::flow::silence::silent_since;
use crate::ids;
use crate::store::alarm_settings::{self, AlarmSettings};
use crate::store::alarms::{self, Alarm};
use crate::store::conn::Conn;
use crate::store::pushes::{self, Push};
use crate::store::sites::{self, Site};
use crate::store::webhooks::Status;
use crate::store::{Result, destinations, leases, watch};
use chrono::TimeDelta;

/// How long after a look the next one may be.
pub const LOOK_EVERY: TimeDelta = TimeDelta::minutes(1);

/// How long a webhook may wait to be applied before its site counts as unwell.
const APPLIED_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// How long a destination may fail before that is an alarm; one that refuses us is at once.
const DOWN_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// How long an episode that has ended is listed.
const KEPT: TimeDelta = TimeDelta::days(400);

/// A site of which all is well, and what is to be called to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Well {
    /// The site.
    pub site_id: String,
    /// The URL to call, sealed.
    pub heartbeat_url: Vec<u8>,
}

impl Alarms {
    /// Looks at every site, when it is time and no other process does. Answers the sites that want it to be
    /// known that all is well; `None` where there was no look.
    ///
    /// A site that cannot be looked at keeps no other from its look, and is not well.
    pub fn look(&self) -> Result<Option<Vec<Well>>> {
        let now = self.clock().now();
        if !self.store().read_one(|conn| leases::is_free(conn, leases::ALARMS, now))? {
            return Ok(None);
        }
        let until = now + LOOK_EVERY;
        if !self.store().write(|conn| leases::take(conn, leases::ALARMS, now, until))? {
            return Ok(None);
        }
        let mut well = Vec::new();
        for site_id in self.store().read(sites::ids)? {
            match self.look_at(&site_id, now) {
                Ok(found) => well.extend(found),
                Err(error) => tracing::error!(site_id, %error, "a site could not be looked at"),
            }
        }
        Ok(Some(well))
    }

    /// Looks at one site, and writes down what has begun, gone on and ended; answers the site if it is well
    /// and wants that to be known.
    fn look_at(&self, site_id: &str, now: Instant) -> Result<Option<Well>> {
        let Some(found) = self.store().read(|conn| Found::at(conn, site_id, now))? else {
            return Ok(None);
        };
        let steps = found.steps(now);
        if !steps.is_empty() {
            let begun = self.store().write(|conn| write(conn, site_id, &steps, now))?;
            for alarm in begun {
                let Alarm { kind, number, detail, .. } = &alarm;
                tracing::warn!(site_id, kind, number, detail, "an alarm was raised");
                self.metrics().alarm_began(kind);
            }
        }
        let Found { site, wants, causes, stuck, .. } = found;
        let well = site.enabled && causes.is_empty() && !stuck && self.flow.is_well_at(site_id);
        let heartbeat_url = wants.heartbeat_url.filter(|_| well);
        Ok(heartbeat_url.map(|heartbeat_url| Well { site_id: site.id, heartbeat_url }))
    }

    /// The URL that a site wants to be called while all is well.
    pub(super) fn heartbeat_url(&self, well: &Well) -> Result<String> {
        self.open(Sealed::HeartbeatUrl, &well.site_id, &well.heartbeat_url)
    }
}

/// What a look has found at a site.
struct Found {
    site: Site,
    wants: AlarmSettings,
    causes: Vec<(Kind, Cause)>,
    open: Vec<Alarm>,
    /// Whether webhooks wait that should have been applied.
    stuck: bool,
}

/// What changes of the alarms of a site.
enum Step {
    Begin(Box<Alarm>),
    GoOn { id: String, number: i64, detail: String },
    End { id: String },
}

impl Found {
    fn at(conn: &mut Conn, site_id: &str, now: Instant) -> Result<Option<Self>> {
        let Some(site) = sites::get(conn, site_id)? else { return Ok(None) };
        let wants = alarm_settings::get(conn, site_id)?;
        let mut causes = Vec::new();
        // Nothing is worked on at a disabled site, so there is nothing wrong with it.
        for kind in Kind::ALL.into_iter().filter(|kind| site.enabled && !wants.off.contains(kind)) {
            causes.extend(cause(conn, &site, &wants, kind, now)?.map(|cause| (kind, cause)));
        }
        let open = alarms::open(conn, site_id)?;
        let stuck = watch::is_stuck(conn, site_id, now - APPLIED_WITHIN)?;
        Ok(Some(Self { site, wants, causes, open, stuck }))
    }

    fn steps(&self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        for (kind, cause) in &self.causes {
            let (number, detail) = (cause.number, kind.detail(*cause));
            match self.open.iter().find(|alarm| alarm.kind == kind.as_str()) {
                None => {
                    let alarm = post::new_alarm(&self.site.id, *kind, number, detail, now);
                    let next_post_at = self.wants.is_posting().then(|| now.naive_utc());
                    steps.push(Step::Begin(Box::new(Alarm { next_post_at, ..alarm })));
                }
                Some(open) if open.number != number || open.detail != detail => {
                    steps.push(Step::GoOn { id: open.id.clone(), number, detail });
                }
                Some(_) => {}
            }
        }
        let is_there =
            |open: &&Alarm| self.causes.iter().any(|(kind, _)| kind.as_str() == open.kind);
        let gone = self.open.iter().filter(|open| !is_there(open));
        steps.extend(gone.map(|open| Step::End { id: open.id.clone() }));
        steps
    }
}

/// What there is of a kind at a site.
fn cause(
    conn: &mut Conn,
    site: &Site,
    wants: &AlarmSettings,
    kind: Kind,
    now: Instant,
) -> Result<Option<Cause>> {
    let (id, from) = (&site.id, wants.thresholds);
    match kind {
        Kind::HeldPurchases => watch::held(conn, id, from.held_since(now), now),
        Kind::UnmatchedWebhooks => {
            watch::webhooks(conn, id, Status::Unmatched, from.unmatched_since(now))
        }
        Kind::UnreadableWebhooks => watch::webhooks(conn, id, Status::Unreadable, now),
        Kind::RejectedWebhooks => watch::webhooks(conn, id, Status::Rejected, now),
        Kind::Silent => {
            let since = silent_since(conn, id, now)?;
            Ok(since.map(|since| Cause { number: 1, since }))
        }
        Kind::TimersLate => watch::late_ends(conn, id, from.late_since(now)),
        Kind::BreakerOpen => watch::held_open(conn, id),
        Kind::DestinationsDown => watch::destinations_down(conn, id, now - DOWN_WITHIN),
        Kind::PushesFailed => watch::pushes_failed(conn, id),
        Kind::SubscriptionsOverdue => watch::overdue(conn, id, from.overdue_since(now)),
    }
}

/// Writes down what has changed; answers the alarms that began. Of two processes that see the same, one
/// begins an alarm.
fn write(conn: &mut Conn, site_id: &str, steps: &[Step], now: Instant) -> Result<Vec<Alarm>> {
    let mut begun = Vec::new();
    for step in steps {
        match step {
            Step::Begin(alarm) => {
                if alarms::begin(conn, alarm)? {
                    tell(conn, alarm, now)?;
                    begun.push((**alarm).clone());
                }
            }
            Step::GoOn { id, number, detail } => {
                alarms::go_on(conn, site_id, id, *number, detail)?;
            }
            Step::End { id } => alarms::end(conn, site_id, id, now)?,
        }
    }
    if !begun.is_empty() {
        alarms::forget(conn, site_id, now - KEPT)?;
    }
    Ok(begun)
}

/// Tells every destination that wants it of an alarm that has begun.
fn tell(conn: &mut Conn, alarm: &Alarm, now: Instant) -> Result<()> {
    let all = destinations::of_site(conn, &alarm.site_id)?;
    let wants = all.iter().filter(|destination| destination.wants(post::RAISED));
    let message = |destination| {
        Push::of_message(destination, ids::new(), post::RAISED, alarm.message.clone(), now)
    };
    pushes::want(conn, &wants.map(message).collect::<Vec<_>>())
}
