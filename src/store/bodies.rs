//! The bodies of webhooks, apart from all else that is known of them, until they age out.

use super::conn::Conn;
use super::schema::bodies;
use super::sets::insert_set;
use super::webhooks::NewWebhook;
use super::{IN_MAX, Result};
use diesel::prelude::*;
use diesel::sql_types::{Binary, Text};
use std::collections::BTreeMap;

#[derive(Insertable)]
#[diesel(table_name = bodies)]
struct Row<'a> {
    site_id: &'a str,
    webhook_id: &'a str,
    body: &'a [u8],
}

impl<'a> Row<'a> {
    fn of(webhook: &'a NewWebhook) -> Self {
        Self { site_id: &webhook.site_id, webhook_id: &webhook.id, body: &webhook.body }
    }
}

/// Stores the bodies of some webhooks.
pub(super) fn insert(conn: &mut Conn, webhooks: &[NewWebhook]) -> Result<()> {
    let rows: Vec<Row<'_>> = webhooks.iter().map(Row::of).collect();
    insert_set!(conn, bodies, &rows, { site_id: Text, webhook_id: Text, body: Binary });
    Ok(())
}

/// The body of a webhook; `None` once it has aged out.
pub fn get(conn: &mut Conn, site_id: &str, webhook_id: &str) -> Result<Option<Vec<u8>>> {
    Ok(bodies::table.find((site_id, webhook_id)).select(bodies::body).first(conn).optional()?)
}

/// The bodies of some webhooks; those that have aged out are left out.
pub fn of(
    conn: &mut Conn,
    site_id: &str,
    webhook_ids: &[&str],
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for ids in webhook_ids.chunks(IN_MAX) {
        let rows = bodies::table
            .filter(bodies::site_id.eq(site_id))
            .filter(bodies::webhook_id.eq_any(ids.iter().copied()))
            .select((bodies::webhook_id, bodies::body));
        found.extend(rows.load::<(String, Vec<u8>)>(conn)?);
    }
    Ok(found)
}
