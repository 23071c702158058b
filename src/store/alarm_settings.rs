//! What a site wants to be told of, and where to.

use super::conn::{Conn, on_backend};
use super::schema::alarm_settings;
use super::{Result, from_json, stored, to_json};
use crate::core::Instant;
use crate::core::alarm::{Kind, Thresholds};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// What a site wants to be told of, and where to; the URLs and the secret are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmSettings {
    /// Where alarms are posted to; `None` for nowhere.
    pub url: Option<Vec<u8>>,
    /// What they are signed with; there where a URL is, or was.
    pub secret: Option<Vec<u8>>,
    /// What is called while all is well; `None` for nothing.
    pub heartbeat_url: Option<Vec<u8>>,
    /// When the receiver said that it is gone: nothing is posted until another URL is set.
    pub gone_at: Option<NaiveDateTime>,
    /// From when on things are an alarm.
    pub thresholds: Thresholds,
    /// The kinds that are not watched.
    pub off: Vec<Kind>,
}

impl AlarmSettings {
    /// Whether alarms are posted.
    #[must_use]
    pub fn is_posting(&self) -> bool {
        self.url.is_some() && self.gone_at.is_none()
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = alarm_settings, treat_none_as_null = true)]
struct Row {
    site_id: String,
    url: Option<Vec<u8>>,
    secret: Option<Vec<u8>>,
    heartbeat_url: Option<Vec<u8>>,
    gone_at: Option<NaiveDateTime>,
    thresholds: String,
    off: String,
}

/// What a site wants; the defaults where it has never said anything.
pub fn get(conn: &mut Conn, site_id: &str) -> Result<AlarmSettings> {
    let row = alarm_settings::table.find(site_id).select(Row::as_select());
    let Some(row) = row.first(conn).optional()? else { return Ok(AlarmSettings::default()) };
    Ok(AlarmSettings {
        url: row.url,
        secret: row.secret,
        heartbeat_url: row.heartbeat_url,
        gone_at: row.gone_at,
        thresholds: from_json("a site's thresholds", &row.thresholds)?,
        off: from_json("the alarms that a site has off", &row.off)?,
    })
}

/// Writes what a site wants.
pub fn put(conn: &mut Conn, site_id: &str, settings: &AlarmSettings) -> Result<()> {
    let row = Row {
        site_id: site_id.to_owned(),
        url: settings.url.clone(),
        secret: settings.secret.clone(),
        heartbeat_url: settings.heartbeat_url.clone(),
        gone_at: settings.gone_at,
        thresholds: to_json("a site's thresholds", &settings.thresholds)?,
        off: to_json("the alarms that a site has off", &settings.off)?,
    };
    on_backend!(conn, |c| diesel::insert_into(alarm_settings::table)
        .values(&row)
        .on_conflict(alarm_settings::site_id)
        .do_update()
        .set(&row)
        .execute(c))?;
    Ok(())
}

/// Notes that the receiver of a site's alarms is gone, unless another URL has been set since.
pub fn is_gone(conn: &mut Conn, site_id: &str, url: &[u8], at: Instant) -> Result<()> {
    let same = alarm_settings::table.find(site_id).filter(alarm_settings::url.eq(url));
    diesel::update(same).set(alarm_settings::gone_at.eq(stored(at))).execute(conn)?;
    Ok(())
}
