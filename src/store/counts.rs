//! How many rows a site has of each kind: the end of what progress is shown of.

use super::Result;
use super::conn::Conn;
use super::schema::{events, leads, members, purchases, webhooks};
use diesel::prelude::*;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Webhooks, observations or not.
    Webhooks,
    /// Events.
    Events,
    /// Purchases.
    Purchases,
    /// Leads.
    Leads,
    /// Members.
    Members,
}

impl Rows {
    /// How many of them a site has.
    pub fn count(self, conn: &mut Conn, site_id: &str) -> Result<usize> {
        macro_rules! count {
            ($table:ident) => {
                $table::table.filter($table::site_id.eq(site_id)).count().get_result::<i64>(conn)?
            };
        }
        let count = match self {
            Self::Webhooks => count!(webhooks),
            Self::Events => count!(events),
            Self::Purchases => count!(purchases),
            Self::Leads => count!(leads),
            Self::Members => count!(members),
        };
        Ok(usize::try_from(count).unwrap_or_default())
    }
}
