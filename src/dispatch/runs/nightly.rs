//! What happens by itself, once a night at each destination.

use super::{Asked, Dispatch, ask};
use crate::core::Instant;
use crate::core::night::next_night;
use crate::secrets;
use crate::store::destinations::{self, Destination};
use crate::store::runs::Kind;
use crate::store::{Result, pushes, sites};

/// How much that has failed is taken up in a night at whose beginning another run is open.
const BESIDE_MAX: i64 = 1_000;

impl Dispatch {
    /// Begins the night of a destination, or says when the first one is.
    pub(super) fn begin_night(&self, due: &Destination, now: Instant) -> Result<()> {
        let (site_id, id) = (&due.site_id, &due.id);
        self.store().write(|conn| {
            let Some(site) = sites::get(conn, site_id)? else { return Ok(()) };
            let Some(mut destination) = destinations::lock(conn, site_id, id)? else {
                return Ok(());
            };
            // Somebody else has begun it.
            if destination.next_drift_at != due.next_drift_at {
                return Ok(());
            }
            let [a, b, c, d, ..] = secrets::hash(id);
            let number = u32::from_be_bytes([a, b, c, d]);
            let is_first = destination.next_drift_at.is_none();
            destination.next_drift_at = Some(next_night(now, site.kartra_time_zone, number));
            destinations::stands(conn, &destination)?;
            if is_first {
                return Ok(());
            }
            match ask(conn, &destination, Kind::Repair, false, now)? {
                Asked::Begun(_) => Ok(()),
                // It goes on; what has failed and what is broken is tried beside it.
                Asked::Open(_) => {
                    destination.is_tried_again(now);
                    destinations::stands(conn, &destination)?;
                    pushes::take_up_failed(conn, &destination, BESIDE_MAX, now).map(drop)
                }
            }
        })
    }
}
