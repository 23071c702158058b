//! The bodies of webhooks, apart from all else that is known of them, until they age out.

use super::conn::Conn;
use super::observations::Due;
use super::schema::bodies;
use super::sets::insert_set;
use super::webhooks::NewWebhook;
use super::{IN_MAX, Result};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use std::collections::BTreeMap;

/// Bytes of bodies that are read at once; a single body always fits.
const READ_BYTES_MAX: i64 = 4 * 1024 * 1024;

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

/// How many webhooks, from the first on, are so few that the bodies of the observations among them can be
/// read at once; none is read for that. At least one of any.
pub fn fitting(conn: &mut Conn, site_id: &str, webhooks: &[Due]) -> Result<usize> {
    let observed = webhooks.iter().filter(|webhook| webhook.event_id.is_some());
    let ids: Vec<&str> = observed.map(|webhook| webhook.id.as_str()).collect();
    let mut lengths: BTreeMap<String, i64> = BTreeMap::new();
    for ids in ids.chunks(IN_MAX) {
        let rows = bodies::table
            .filter(bodies::site_id.eq(site_id))
            .filter(bodies::webhook_id.eq_any(ids.iter().copied()))
            .select((bodies::webhook_id, length()));
        lengths.extend(rows.load::<(String, i64)>(conn)?);
    }
    let lengths = webhooks.iter().map(|webhook| lengths.get(&webhook.id).copied().unwrap_or(0));
    Ok(within(lengths, READ_BYTES_MAX))
}

/// The length of a body in bytes, which is known without reading it.
pub(super) fn length() -> diesel::expression::SqlLiteral<BigInt> {
    sql::<BigInt>("CAST(octet_length(body) AS BIGINT)")
}

/// How many lengths, from the first on, come to no more than so many bytes; at least one of any.
pub(super) fn within(lengths: impl Iterator<Item = i64>, bytes_max: i64) -> usize {
    let mut bytes: i64 = 0;
    let fits = |(at, length): &(usize, i64)| {
        bytes = bytes.saturating_add(*length);
        *at == 0 || bytes <= bytes_max
    };
    lengths.enumerate().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn what_is_read_or_removed_at_once_is_bounded_by_bytes_but_a_single_body_always_fits() {
        let fit = |lengths: &[i64]| within(lengths.iter().copied(), 1_000);
        assert_eq!(fit(&[]), 0);
        assert_eq!(fit(&[1_000, 1]), 1);
        assert_eq!(fit(&[1_001, 0]), 1);
        assert_eq!(fit(&[999, 1, 0, 1]), 3);
        assert_eq!(fit(&[i64::MAX, i64::MAX]), 1);
    }
}
