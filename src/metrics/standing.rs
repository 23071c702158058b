//! What the database says of the sites: how much waits, for how long, and what needs somebody.

use super::registered;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

/// Up to how many sites each has series of its own. With more, only the totals are told: the number
/// of series has a bound, whoever makes sites.
pub const SITES_WITH_SERIES_MAX: usize = 50;

/// What waits at one site, and what needs somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The site.
    pub site_id: String,
    /// Webhooks that wait to be applied.
    pub pending: i64,
    /// How long the one that has waited longest has, in whole seconds; what fails waits since its receipt.
    pub oldest_pending_seconds: i64,
    /// How late the earliest end is that is due and not applied, in whole seconds.
    pub timers_late_seconds: i64,
    /// How many webhooks have a status that needs somebody; each status once.
    pub webhooks: Vec<(&'static str, i64)>,
    /// The kinds of its open alarms; each kind once.
    pub alarms: Vec<String>,
    /// How many levels of members are held open.
    pub held_open: i64,
    /// How many pushes are not done; each status once.
    pub pushes: Vec<(&'static str, i64)>,
    /// How many destinations that are enabled stand each way; each state once.
    pub destinations: Vec<(&'static str, i64)>,
}

/// The gauges that are written when somebody asks.
pub(super) struct Gauges {
    up: IntGauge,
    sites: IntGauge,
    pending: IntGauge,
    oldest_pending: IntGauge,
    timers_late: IntGauge,
    webhooks: IntGaugeVec,
    alarms: IntGaugeVec,
    held_open: IntGauge,
    pushes: IntGaugeVec,
    destinations: IntGaugeVec,
    site_held_open: IntGaugeVec,
    site_pending: IntGaugeVec,
    site_oldest_pending: IntGaugeVec,
    site_webhooks: IntGaugeVec,
    site_alarms: IntGaugeVec,
}

impl Gauges {
    pub(super) fn new(on: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| registered(on, IntGauge::with_opts(Opts::new(name, help))?);
        let gauges = |name, help, labels: &[&str]| {
            registered(on, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        Ok(Self {
            up: gauge(
                "latchkey_database_up",
                "Whether the database could be asked: 1, or 0, and then what it says is missing.",
            )?,
            sites: gauge(
                "latchkey_sites",
                "How many sites there are, without those that are being removed.",
            )?,
            pending: gauge(
                "latchkey_webhooks_pending",
                "Webhooks that wait to be applied, also at disabled sites, at most 100000 counted of each site.",
            )?,
            oldest_pending: gauge(
                "latchkey_oldest_pending_seconds",
                "How long the oldest webhook that is not applied has waited at any enabled site, in seconds; one that fails, since its receipt.",
            )?,
            timers_late: gauge(
                "latchkey_timers_late_seconds",
                "How late the earliest end of access is that is due and not applied, in seconds.",
            )?,
            webhooks: gauges(
                "latchkey_webhooks",
                "Webhooks with a status that needs somebody, at most 100000 counted of each site.",
                &["status"],
            )?,
            alarms: gauges(
                "latchkey_alarms_open",
                "Open alarms, by kind; a kind that none is open of is not told.",
                &["kind"],
            )?,
            held_open: gauge(
                "latchkey_held_open",
                "Levels of members that are held open until an operator decides, at most 100000 counted of each site.",
            )?,
            pushes: gauges(
                "latchkey_pushes",
                "Pushes that no destination has confirmed yet, at most 100000 counted of each site.",
                &["status"],
            )?,
            destinations: gauges(
                "latchkey_destinations",
                "Destinations that are enabled, by how they stand.",
                &["state"],
            )?,
            site_held_open: gauges(
                "latchkey_site_held_open",
                "Levels of members of a site that are held open, at most 100000 counted; not told where sites are many.",
                &["site"],
            )?,
            site_pending: gauges(
                "latchkey_site_webhooks_pending",
                "Webhooks of a site that wait to be applied, at most 100000 counted; not told where sites are many.",
                &["site"],
            )?,
            site_oldest_pending: gauges(
                "latchkey_site_oldest_pending_seconds",
                "How long the oldest webhook of an enabled site that is not applied has waited, in seconds; one that fails, since its receipt.",
                &["site"],
            )?,
            site_webhooks: gauges(
                "latchkey_site_webhooks",
                "Webhooks of a site with a status that needs somebody, at most 100000 counted; not told where sites are many.",
                &["site", "status"],
            )?,
            site_alarms: gauges(
                "latchkey_site_alarms_open",
                "Open alarms of a site, by kind: 1, or not told; not told where sites are many.",
                &["site", "kind"],
            )?,
        })
    }

    /// Writes what was read in place of what was written last. What is not known any more is gone
    /// or nought, and `up` says which.
    pub(super) fn set(&self, standings: Option<&[Standing]>) {
        self.up.set(i64::from(standings.is_some()));
        let standings = standings.unwrap_or_default();
        let all = |of: fn(&Standing) -> i64| standings.iter().map(of);
        self.sites.set(i64::try_from(standings.len()).unwrap_or(i64::MAX));
        self.pending.set(all(|site| site.pending).sum());
        self.oldest_pending.set(all(|site| site.oldest_pending_seconds).max().unwrap_or(0));
        self.timers_late.set(all(|site| site.timers_late_seconds).max().unwrap_or(0));
        self.held_open.set(all(|site| site.held_open).sum());
        let vectors = [&self.webhooks, &self.alarms, &self.site_pending, &self.site_oldest_pending];
        vectors.iter().for_each(|gauges| gauges.reset());
        let of_destinations = [&self.pushes, &self.destinations];
        of_destinations.iter().for_each(|gauges| gauges.reset());
        let of_sites = [&self.site_webhooks, &self.site_alarms, &self.site_held_open];
        of_sites.iter().for_each(|gauges| gauges.reset());
        for (status, count) in standings.iter().flat_map(|site| &site.webhooks) {
            self.webhooks.with_label_values(&[*status]).add(*count);
        }
        for (status, count) in standings.iter().flat_map(|site| &site.pushes) {
            self.pushes.with_label_values(&[*status]).add(*count);
        }
        for (state, count) in standings.iter().flat_map(|site| &site.destinations) {
            self.destinations.with_label_values(&[*state]).add(*count);
        }
        for kind in standings.iter().flat_map(|site| &site.alarms) {
            self.alarms.with_label_values(&[kind]).inc();
        }
        if standings.len() <= SITES_WITH_SERIES_MAX {
            standings.iter().for_each(|site| self.set_site(site));
        }
    }

    fn set_site(&self, site: &Standing) {
        let id = site.site_id.as_str();
        self.site_pending.with_label_values(&[id]).set(site.pending);
        self.site_held_open.with_label_values(&[id]).set(site.held_open);
        self.site_oldest_pending.with_label_values(&[id]).set(site.oldest_pending_seconds);
        for (status, count) in &site.webhooks {
            self.site_webhooks.with_label_values(&[id, status]).set(*count);
        }
        for kind in &site.alarms {
            self.site_alarms.with_label_values(&[id, kind]).set(1);
        }
    }
}
