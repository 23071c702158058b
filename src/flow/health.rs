//! How the last turns of this process went, site by site.

use super::locked;
use std::collections::HashSet;
use std::sync::Mutex;

/// The sites at which the last turn failed.
#[derive(Default)]
pub(super) struct Health(Mutex<HashSet<String>>);

impl Health {
    /// Forgets the sites that have nothing due any more: whatever failed there has been done, perhaps by
    /// another process.
    pub(super) fn keep(&self, due: &[String]) {
        locked(&self.0).retain(|site_id| due.contains(site_id));
    }

    /// Notes how a turn at a site went.
    pub(super) fn note(&self, site_id: &str, well: bool) {
        let mut failing = locked(&self.0);
        if well {
            failing.remove(site_id);
        } else {
            failing.insert(site_id.to_owned());
        }
    }

    /// Whether the last turn at a site succeeded, as far as there was any.
    pub(super) fn is_well_at(&self, site_id: &str) -> bool {
        !locked(&self.0).contains(site_id)
    }
}
