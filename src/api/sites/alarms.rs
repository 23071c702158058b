//! What a site wants to be told of without asking, and where to.

use crate::alarms::{Sealed, new_secret};
use crate::app::App;
use crate::core::Instant;
use crate::core::alarm::{Kind, Thresholds};
use crate::core::scope::Scope;
use crate::core::signature::SigningKey;
use crate::store::alarm_settings::{self, AlarmSettings};
use crate::store::conn::Conn;
use crate::store::{Result as Stored, alarms};
use crate::web::extract::{self, Object};
use crate::web::shapes::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest time for which something may be let pass, in days.
const DAYS_MAX: u32 = Thresholds::DAYS_MAX;
const HOURS_MAX: u32 = DAYS_MAX * 24;
const MINUTES_MAX: u32 = HOURS_MAX * 60;

/// What a site wants to be told of without asking, and where to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SiteAlarms")]
pub(in crate::api) struct AlarmsView {
    /// Where alarms are posted to, signed as Standard Webhooks; null for nowhere, and for a key without the
    /// scope `manage`, as whoever has the URL may be able to post to it.
    #[schemars(with = "Option<Uri>")]
    url: Option<String>,
    /// What is posted is signed with this; only there when it has just been made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether there is a secret.
    secret_set: bool,
    /// When the receiver answered 410; nothing is posted to it since. Null while it has not.
    gone_at: Option<Instant>,
    /// What is called about every minute while all is well: no alarm is open, and webhooks are applied. Null
    /// for nothing, and for a key without the scope `manage`.
    #[schemars(with = "Option<Uri>")]
    heartbeat_url: Option<String>,
    /// From when on things are an alarm.
    #[serde(flatten)]
    thresholds: Thresholds,
    /// The kinds that are not watched.
    off: Vec<Kind>,
}

impl AlarmsView {
    /// As a key with this scope sees it.
    pub(super) fn seen_with(mut self, scope: Scope) -> Self {
        self.url = self.url.filter(|_| scope >= Scope::Manage);
        self.heartbeat_url = self.heartbeat_url.filter(|_| scope >= Scope::Manage);
        self
    }

    /// The part of it that writers decide.
    pub(super) fn decided(&self) -> Value {
        json!([self.url, self.secret_set, self.heartbeat_url, self.thresholds, self.off])
    }
}

/// What a site wants now.
pub(super) fn view(conn: &mut Conn, app: &App, site_id: &str) -> Stored<AlarmsView> {
    let AlarmSettings { url, secret, heartbeat_url, gone_at, thresholds, off } =
        alarm_settings::get(conn, site_id)?;
    let open = |what: Sealed, sealed: Option<Vec<u8>>| {
        sealed.map(|sealed| what.open(app.sealer(), site_id, &sealed)).transpose()
    };
    Ok(AlarmsView {
        url: open(Sealed::Url, url)?,
        secret: None,
        secret_set: secret.is_some(),
        gone_at: gone_at.map(|at| at.and_utc()),
        heartbeat_url: open(Sealed::HeartbeatUrl, heartbeat_url)?,
        thresholds,
        off,
    })
}

/// What shall change of what a site wants to be told.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditSiteAlarms")]
pub(in crate::api) struct EditAlarms {
    /// Where alarms are posted to, http or https; null for nowhere. Open alarms that nobody was told of are
    /// posted to it.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(with = "Option<Uri>")]
    url: Option<Option<String>>,
    /// What is posted is signed with this: `whsec_` and base64. Null makes another one; so does the first
    /// `url`. The answer shows what was made, and no other does.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(regex(pattern = r"^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"))]
    secret: Option<Option<String>>,
    /// What is called about every minute while all is well; null for nothing.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(with = "Option<Uri>")]
    heartbeat_url: Option<Option<String>>,
    /// Hours for which a purchase may be held.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(max = HOURS_MAX))]
    held_hours: Option<u32>,
    /// Hours for which a reversal may wait for what it reverses.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(max = HOURS_MAX))]
    unmatched_hours: Option<u32>,
    /// Minutes for which an end may be due without being applied.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(max = MINUTES_MAX))]
    timers_late_minutes: Option<u32>,
    /// Days for which the payment of a subscription may be missing.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(max = DAYS_MAX))]
    overdue_days: Option<u32>,
    /// The kinds that are not watched.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Vec<Kind>")]
    off: Option<Vec<Kind>>,
}

/// A change of it as it was written: absent, null for the defaults, or some keys.
pub(super) type Written = Option<Option<Object<EditAlarms>>>;

impl EditAlarms {
    /// What is wrong with it, as (key, what to do).
    pub(super) fn faults(&self, app: &App) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (key, url) in [("url", &self.url), ("heartbeat_url", &self.heartbeat_url)] {
            let checked = url.iter().flatten().map(|url| app.egress().check(url));
            faults.extend(checked.filter_map(Result::err).map(|error| (key, error.advice())));
        }
        if let Some(Some(secret)) = &self.secret
            && let Err(no_secret) = SigningKey::from_secret(secret)
        {
            faults.push(("secret", format!("{no_secret}, or null for a new one")));
        }
        for (key, number, max) in [
            ("held_hours", self.held_hours, HOURS_MAX),
            ("unmatched_hours", self.unmatched_hours, HOURS_MAX),
            ("timers_late_minutes", self.timers_late_minutes, MINUTES_MAX),
            ("overdue_days", self.overdue_days, DAYS_MAX),
        ] {
            if number.is_some_and(|number| number > max) {
                faults.push((key, format!("must be a whole number from 0 to {max}")));
            }
        }
        faults
    }

    fn over(&self, now: Thresholds) -> Thresholds {
        Thresholds {
            held_hours: self.held_hours.unwrap_or(now.held_hours),
            unmatched_hours: self.unmatched_hours.unwrap_or(now.unmatched_hours),
            timers_late_minutes: self.timers_late_minutes.unwrap_or(now.timers_late_minutes),
            overdue_days: self.overdue_days.unwrap_or(now.overdue_days),
        }
    }
}

/// Changes what a site wants; answers the secret that was made, to be shown this once.
pub(super) fn apply(
    conn: &mut Conn,
    app: &App,
    site_id: &str,
    change: Written,
    at: Instant,
) -> Stored<Option<String>> {
    let Some(change) = change else { return Ok(None) };
    let before = alarm_settings::get(conn, site_id)?;
    let Some(Object(change)) = change else {
        alarms::post_nothing(conn, site_id)?;
        alarm_settings::put(conn, site_id, &AlarmSettings::default())?;
        return Ok(None);
    };
    let mut wants = before.clone();
    let seal = |what: Sealed, text: &str| what.seal(app.sealer(), site_id, text);
    let sealed = |what, text: Option<&String>| text.map(|text| seal(what, text)).transpose();
    wants.thresholds = change.over(before.thresholds);
    if let Some(mut off) = change.off {
        off.sort_unstable();
        off.dedup();
        wants.off = off;
    }
    if let Some(url) = &change.heartbeat_url {
        wants.heartbeat_url = sealed(Sealed::HeartbeatUrl, url.as_ref())?;
    }
    if let Some(url) = &change.url {
        wants.url = sealed(Sealed::Url, url.as_ref())?;
        wants.gone_at = None;
    }
    let lacks_one = wants.url.is_some() && wants.secret.is_none();
    let made = match change.secret {
        Some(Some(secret)) => {
            wants.secret = Some(seal(Sealed::Secret, &secret)?);
            None
        }
        Some(None) => Some(new_secret()?),
        None if lacks_one => Some(new_secret()?),
        None => None,
    };
    if let Some(secret) = &made {
        wants.secret = Some(seal(Sealed::Secret, secret)?);
    }
    alarm_settings::put(conn, site_id, &wants)?;
    match &change.url {
        Some(Some(_)) => alarms::post_open(conn, site_id, at)?,
        Some(None) => alarms::post_nothing(conn, site_id)?,
        None => {}
    }
    Ok(made)
}
