//! What sites look like, coming and going.

use super::alarms::{AlarmsView, Written};
use crate::api::connection::Connection;
use crate::api::views::RecomputeView;
use crate::core::Instant;
use crate::core::breaker::{COUNT_MAX, MaxRevocations, WINDOW_MINUTES_MAX};
use crate::core::policy::Policy;
use crate::core::scope::Scope;
use crate::web::answer::Resource;
use crate::web::extract::{self, Object};
use crate::web::shapes::{Filled, Name, Slug, TimeZone, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest IPN secret, in characters.
pub(super) const SECRET_CHARS_MAX: usize = 255;

/// A site as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Site")]
pub(in crate::api) struct SiteView {
    /// Its id, a slug.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The time zone that Kartra's dates are read in.
    #[schemars(with = "TimeZone")]
    pub kartra_time_zone: &'static str,
    /// Whether webhooks are applied; a disabled site stores them until it is enabled.
    pub enabled: bool,
    /// The URL to paste into Kartra; null for a key without the scope `manage`, as whoever has the URL
    /// can post to it.
    #[schemars(with = "Option<Uri>")]
    pub webhook_url: Option<String>,
    /// Until when an earlier URL is still taken, the last of them; null where none is.
    pub previous_webhook_urls_end_at: Option<Instant>,
    /// Whether an IPN has to carry a secret.
    pub ipn_secret_set: bool,
    /// What the site sets of the policy; the rest are the defaults.
    pub policy: Policy,
    /// How many members may lose a level within a window before the rest is held open; null for any number.
    pub max_revocations: Option<MaxRevocations>,
    /// Whether Kartra talks to the site.
    pub connection: Connection,
    /// What it wants to be told of without asking, and where to.
    pub alarms: AlarmsView,
    /// When it was made.
    pub created_at: Instant,
}

impl SiteView {
    /// As a key with this scope sees it.
    pub(super) fn seen_with(mut self, scope: Scope) -> Self {
        self.webhook_url = self.webhook_url.filter(|_| scope >= Scope::Manage);
        self.alarms = self.alarms.seen_with(scope);
        self
    }
}

impl Resource for SiteView {
    fn decided(&self) -> Option<Value> {
        let Self {
            name,
            kartra_time_zone,
            enabled,
            ipn_secret_set,
            policy,
            max_revocations,
            alarms,
            ..
        } = self;
        let alarms = alarms.decided();
        Some(json!([
            name,
            kartra_time_zone,
            enabled,
            ipn_secret_set,
            policy,
            max_revocations,
            alarms
        ]))
    }
}

/// What a new site shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateSite")]
pub struct Create {
    /// Its id, which stays.
    #[schemars(with = "Slug")]
    pub(super) id: String,
    /// What people call it; its id where nothing is said.
    #[schemars(with = "Option<Name>")]
    pub(super) name: Option<String>,
    /// The time zone that Kartra's dates are read in; `America/New_York` where nothing is said.
    #[schemars(with = "Option<TimeZone>")]
    pub(super) kartra_time_zone: Option<String>,
    /// How many members may lose a level within a window before the rest is held open; null for any number.
    /// What is not said is as the defaults are.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) max_revocations: Option<Option<Object<EditMaxRevocations>>>,
}

/// What shall be another in `max_revocations`; the rest stays, or is as the defaults are where it was null.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditMaxRevocations {
    /// So many may lose a level, however few hold it.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(min = 0, max = COUNT_MAX))]
    count: Option<u32>,
    /// So many of a hundred who held it may, if that is more.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(min = 0, max = 100))]
    percent: Option<u32>,
    /// Within so many minutes.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "u32", range(min = 1, max = WINDOW_MINUTES_MAX))]
    window_minutes: Option<u32>,
}

impl EditMaxRevocations {
    /// What it makes of what there was.
    pub(super) fn of(self, before: Option<MaxRevocations>) -> MaxRevocations {
        let before = before.unwrap_or_default();
        MaxRevocations {
            count: self.count.unwrap_or(before.count),
            percent: self.percent.unwrap_or(before.percent),
            window_minutes: self.window_minutes.unwrap_or(before.window_minutes),
        }
    }
}

/// What shall change about a site; `policy` is replaced whole.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EditSite")]
pub struct Edit {
    /// What people call it.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "Name")]
    pub(super) name: Option<String>,
    /// The time zone that Kartra's dates are read in.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "TimeZone")]
    pub(super) kartra_time_zone: Option<String>,
    /// Whether webhooks are applied; a disabled site stores them until it is enabled.
    #[serde(default, deserialize_with = "extract::present")]
    #[schemars(with = "bool")]
    pub(super) enabled: Option<bool>,
    /// The `secret_key` that every IPN has to carry; null asks for none.
    #[serde(default, deserialize_with = "extract::written")]
    #[schemars(with = "Option<Filled>", length(max = SECRET_CHARS_MAX))]
    pub(super) ipn_secret: Option<Option<String>>,
    /// What the site sets of the policy; null sets nothing.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) policy: Option<Option<Object<Policy>>>,
    /// What it wants to be told of without asking, and where to; what is not said stays. Null sets the
    /// defaults, which tell nobody.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) alarms: Written,
    /// How many members may lose a level within a window before the rest is held open; null for any number.
    #[serde(default, deserialize_with = "extract::written")]
    pub(super) max_revocations: Option<Option<Object<EditMaxRevocations>>>,
}

/// A site with what its change has to compute again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EditedSite")]
pub(in crate::api) struct Edited {
    #[serde(flatten)]
    pub site: SiteView,
    /// How far the recompute got; absent where there is nothing to compute again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recompute: Option<RecomputeView>,
}
