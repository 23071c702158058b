//! How much has happened at each site, day by day in UTC: kept as numbers, so that nobody has to count rows.
//!
//! Each row is one counter's: whoever works at a site under its lock has one, and each process that stores webhooks
//! has another, so that storing a webhook never waits for what is applied meanwhile. What a day came to is their sum.
//! The rows stay when what they count has aged out: a few for a site and day.

use super::Result;
use super::conn::Conn;
use super::schema::daily_counts;
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::upsert::excluded;
use std::collections::BTreeMap;

/// The counter of whoever works at a site under its lock.
pub const OF_THE_SITE: i16 = 0;
/// How many counters there are for those who store webhooks, from 1 on. Of two processes that share one, the second
/// waits for the first one's commit.
const OF_INTAKE: u8 = 16;

/// How many rows are written with one statement where the database takes several.
const ROWS_MAX: usize = 500;

/// How much has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Webhooks that were stored, whatever they say.
    pub webhooks: i64,
    /// Those of them that tell of money, twins included.
    pub money_webhooks: i64,
    /// Levels that members have gained.
    pub granted: i64,
    /// Levels that members have lost.
    pub revoked: i64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, more: Self) {
        self.webhooks += more.webhooks;
        self.money_webhooks += more.money_webhooks;
        self.granted += more.granted;
        self.revoked += more.revoked;
    }
}

/// What happened at sites, by site and day.
pub type Counts = BTreeMap<(String, NaiveDate), Count>;

#[derive(Insertable)]
#[diesel(table_name = daily_counts)]
struct Row {
    site_id: String,
    day: NaiveDate,
    counter: i16,
    webhooks: i64,
    money_webhooks: i64,
    granted: i64,
    revoked: i64,
}

/// The counter of the process with this name, for the webhooks that it stores.
#[must_use]
pub fn of_process(name: &str) -> i16 {
    let mixed = name.bytes().fold(0_u8, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte));
    i16::from(mixed % OF_INTAKE) + 1
}

/// Adds to what a counter has counted.
pub fn add(conn: &mut Conn, counter: i16, more: &Counts) -> Result<()> {
    // In the order of the key, so that two who share a counter never wait for each other.
    let row = |((site_id, day), count): (&'_ (String, NaiveDate), &Count)| Row {
        site_id: site_id.clone(),
        day: *day,
        counter,
        webhooks: count.webhooks,
        money_webhooks: count.money_webhooks,
        granted: count.granted,
        revoked: count.revoked,
    };
    let rows: Vec<Row> = more.iter().map(row).collect();
    let key = (daily_counts::site_id, daily_counts::day, daily_counts::counter);
    let added = (
        daily_counts::webhooks.eq(daily_counts::webhooks + excluded(daily_counts::webhooks)),
        daily_counts::money_webhooks
            .eq(daily_counts::money_webhooks + excluded(daily_counts::money_webhooks)),
        daily_counts::granted.eq(daily_counts::granted + excluded(daily_counts::granted)),
        daily_counts::revoked.eq(daily_counts::revoked + excluded(daily_counts::revoked)),
    );
    match conn {
        Conn::Sqlite(c) => {
            for row in &rows {
                let come = diesel::insert_into(daily_counts::table).values(row);
                come.on_conflict(key).do_update().set(added).execute(c)?;
            }
        }
        Conn::Postgres(c) => match rows.as_slice() {
            // As nearly always; a statement of one row stays prepared.
            [row] => {
                let come = diesel::insert_into(daily_counts::table).values(row);
                come.on_conflict(key).do_update().set(added).execute(c)?;
            }
            rows => {
                for rows in rows.chunks(ROWS_MAX) {
                    let come = diesel::insert_into(daily_counts::table).values(rows);
                    come.on_conflict(key).do_update().set(added).execute(c)?;
                }
            }
        },
    }
    Ok(())
}

/// What has happened at a site on each day from one on; a day on which nothing has is left out.
pub fn of_site(
    conn: &mut Conn,
    site_id: &str,
    from: NaiveDate,
) -> Result<BTreeMap<NaiveDate, Count>> {
    let rows = daily_counts::table
        .filter(daily_counts::site_id.eq(site_id))
        .filter(daily_counts::day.ge(from))
        .select((
            daily_counts::day,
            daily_counts::webhooks,
            daily_counts::money_webhooks,
            daily_counts::granted,
            daily_counts::revoked,
        ));
    let mut days: BTreeMap<NaiveDate, Count> = BTreeMap::new();
    for (day, webhooks, money_webhooks, granted, revoked) in
        rows.load::<(NaiveDate, i64, i64, i64, i64)>(conn)?
    {
        *days.entry(day).or_default() += Count { webhooks, money_webhooks, granted, revoked };
    }
    Ok(days)
}
